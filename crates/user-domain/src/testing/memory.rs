use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use kernel::{StoreError, Timestamp, UserId};

use crate::model::{User, UserProfile};
use crate::port::UserRepository;

/// A repository in memory that keeps the port's whole contract.
#[derive(Default)]
pub struct InMemoryUsers {
    users: Mutex<BTreeMap<UserId, User>>,
}

impl InMemoryUsers {
    /// An empty repository.
    pub fn new() -> Self {
        Self::default()
    }
}

#[async_trait]
impl UserRepository for InMemoryUsers {
    async fn find(&self, id: UserId) -> Result<Option<User>, StoreError> {
        Ok(self
            .users
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&id)
            .cloned())
    }

    async fn put(
        &self,
        id: UserId,
        profile: &UserProfile,
        customer_key: &str,
        _now: Timestamp,
    ) -> Result<User, StoreError> {
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        let user = users
            .entry(id)
            .and_modify(|user| user.profile = profile.clone())
            .or_insert_with(|| User {
                id,
                profile: profile.clone(),
                customer_key: customer_key.to_owned(),
            });
        Ok(user.clone())
    }
}
