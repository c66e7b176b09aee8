use async_trait::async_trait;
use kernel::{StoreError, UserId};

use crate::model::Buyer;

/// Who may check out.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait BuyerPort: Send + Sync {
    /// The buyer with this id. MUST return the same customer key every time.
    async fn buyer(&self, id: UserId) -> Result<Option<Buyer>, StoreError>;
}
