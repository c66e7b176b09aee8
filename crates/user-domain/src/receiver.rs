use std::sync::Arc;

use async_trait::async_trait;
use kernel::{Clock, IdGenerator, StoreError, UserId};

use crate::model::{InvalidUser, User, UserProfile};
use crate::port::UserRepository;

/// Why a buyer was not stored.
#[derive(Debug, thiserror::Error)]
pub enum PutError {
    /// The profile is out of range.
    #[error(transparent)]
    Invalid(#[from] InvalidUser),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What others may ask of buyers.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait UserReceiver: Send + Sync {
    /// The buyer with this id.
    async fn find(&self, id: UserId) -> Result<Option<User>, StoreError>;

    /// Creates a buyer or changes their profile.
    async fn put(&self, id: UserId, profile: &UserProfile) -> Result<User, PutError>;
}

/// Answers for buyers out of a [`UserRepository`].
pub struct UserService {
    repository: Arc<dyn UserRepository>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdGenerator>,
}

impl UserService {
    /// A service over this repository.
    pub fn new(
        repository: Arc<dyn UserRepository>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdGenerator>,
    ) -> Self {
        Self {
            repository,
            clock,
            ids,
        }
    }
}

#[async_trait]
impl UserReceiver for UserService {
    async fn find(&self, id: UserId) -> Result<Option<User>, StoreError> {
        self.repository.find(id).await
    }

    async fn put(&self, id: UserId, profile: &UserProfile) -> Result<User, PutError> {
        profile.check()?;
        Ok(self
            .repository
            .put(id, profile, &self.ids.token(), self.clock.now())
            .await?)
    }
}
