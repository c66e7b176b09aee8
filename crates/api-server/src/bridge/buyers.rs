use std::sync::Arc;

use async_trait::async_trait;
use kernel::{StoreError, UserId};
use payment_domain::model::Buyer;
use payment_domain::port::BuyerPort;
use user_domain::UserReceiver;

/// Payment's buyers are user-domain's users.
pub struct Buyers {
    users: Arc<dyn UserReceiver>,
}

impl Buyers {
    /// A bridge to these users.
    pub fn new(users: Arc<dyn UserReceiver>) -> Self {
        Self { users }
    }
}

#[async_trait]
impl BuyerPort for Buyers {
    async fn buyer(&self, id: UserId) -> Result<Option<Buyer>, StoreError> {
        let user = self.users.find(id).await?;
        Ok(user.map(|user| Buyer {
            user_id: user.id,
            customer_key: user.customer_key,
        }))
    }
}
