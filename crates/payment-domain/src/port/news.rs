use async_trait::async_trait;
use kernel::{Fence, OrderId, StoreError, Timestamp};

use crate::model::{NewsKind, Payment, Transaction};

/// A change of a payment that merchants are told, with the payment as it was right after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// What happened.
    pub kind: NewsKind,
    /// The change's number: later changes of a payment have higher ones.
    pub sequence: Fence,
    /// When.
    pub at: Timestamp,
    /// The payment then.
    pub payment: Payment,
    /// Its money movements by then, oldest first.
    pub transactions: Vec<Transaction>,
}

impl News {
    /// Which order.
    pub fn order_id(&self) -> &OrderId {
        &self.payment.order_id
    }
}

/// Whoever tells merchants.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait NewsPort: Send + Sync {
    /// Whether anybody wants to be told at all. MUST cost nothing: every change asks. It MAY be some
    /// seconds old.
    fn is_awaited(&self) -> bool;

    /// Takes a piece of news over, to be told. MUST be idempotent by order and sequence, and MUST
    /// keep it for good before it returns.
    async fn tell(&self, news: &News) -> Result<(), StoreError>;
}

/// Nobody wants to be told.
#[derive(Debug, Clone, Copy, Default)]
pub struct NobodyListens;

#[async_trait]
impl NewsPort for NobodyListens {
    fn is_awaited(&self) -> bool {
        false
    }

    async fn tell(&self, _: &News) -> Result<(), StoreError> {
        Ok(())
    }
}
