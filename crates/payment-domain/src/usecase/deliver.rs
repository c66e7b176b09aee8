//! The outbox: what product-domain must know and what merchants are told is committed with its cause
//! and delivered afterwards, at least once. All of it is idempotent.

use std::time::Duration;

use kernel::{OrderId, StoreError};

use super::PaymentService;
use crate::model::{OutboxKey, OutboxMessage, StockInstruction};

/// The pause before the first redelivery; doubles up to [`RETRY_MAX`].
const RETRY_MIN: Duration = Duration::from_secs(1);
/// The longest pause between two deliveries of one message.
const RETRY_MAX: Duration = Duration::from_secs(60);

impl PaymentService {
    pub(super) async fn deliver_messages_of(&self, order_id: &OrderId) -> Result<(), StoreError> {
        for message in self.ports.payments.messages_of(order_id).await? {
            self.deliver_one(&message).await?;
        }
        Ok(())
    }

    pub(super) async fn deliver_due_messages(&self, limit: u32) -> Result<usize, StoreError> {
        let due = self
            .ports
            .payments
            .due_messages(self.ports.clock.now(), limit)
            .await?;
        // One message that cannot be noted must not keep the others from being delivered.
        let mut outcome = Ok(due.len());
        for message in &due {
            if let Err(error) = self.deliver_one(message).await {
                outcome = Err(error);
            }
        }
        outcome
    }

    pub(super) async fn deliver_one(&self, message: &OutboxMessage) -> Result<(), StoreError> {
        let key = &message.key;
        let stock = match message.instruction {
            StockInstruction::Sell => self.ports.products.sell(&key.order_id).await,
            StockInstruction::Release => {
                self.ports.products.release(&key.order_id, key.fence).await
            }
            StockInstruction::Restock => self.restock(key).await,
            StockInstruction::Keep => Ok(()),
        };
        // Neither waits for the other: stock that cannot be sold is no reason to tell nobody.
        let told = self.announce(key).await;
        match stock.and(told) {
            Ok(()) => self.ports.payments.message_delivered(key).await,
            Err(error) => {
                let pause =
                    RETRY_MIN.saturating_mul(2_u32.saturating_pow(message.failures.min(16)));
                let retry_at = self.ports.clock.now() + pause.min(RETRY_MAX);
                tracing::warn!(order_id = %key.order_id, %error, failures = message.failures + 1,
                    "a message was not delivered; it is tried again");
                self.ports.payments.message_failed(key, retry_at).await
            }
        }
    }

    /// What goes back is in the cancel that the message's change has ended.
    async fn restock(&self, key: &OutboxKey) -> Result<(), StoreError> {
        let OutboxKey { order_id, fence } = key;
        let cancels = self.ports.payments.cancels(order_id).await?;
        let ended = cancels
            .iter()
            .find(|cancel| cancel.ended_fence == Some(*fence));
        let Some(ended) = ended else {
            return Err(StoreError::Corrupt {
                action: "put stock back",
                source: format!("no cancel of order {order_id} ended at fence {fence:?}").into(),
            });
        };
        let products = &self.ports.products;
        products.restock(order_id, *fence, &ended.restock).await
    }
}
