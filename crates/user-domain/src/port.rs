use async_trait::async_trait;
use kernel::{StoreError, Timestamp, UserId};

use crate::model::{User, UserProfile};

/// Where buyers are kept.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait UserRepository: Send + Sync {
    /// The buyer with this id.
    async fn find(&self, id: UserId) -> Result<Option<User>, StoreError>;

    /// Stores a buyer with this customer key, or changes the profile of the one who is there. MUST
    /// keep the first customer key for good, also when called at once. Returns the buyer as stored.
    async fn put(
        &self,
        id: UserId,
        profile: &UserProfile,
        customer_key: &str,
        now: Timestamp,
    ) -> Result<User, StoreError>;
}
