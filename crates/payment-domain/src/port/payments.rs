use std::time::Duration;

use async_trait::async_trait;
use kernel::{IdempotencyKey, OrderId, StoreError, Timestamp, UserId};

use crate::model::{
    Attempt, Cancel, Change, HistoryEntry, OutboxKey, OutboxMessage, Payment, Transaction,
};

/// A client's idempotency key of one checkout, scoped to the user, with the fingerprint of what was
/// asked under it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckoutKey {
    /// Whose key.
    pub user_id: UserId,
    /// The key.
    pub key: IdempotencyKey,
    /// 64 hexadecimal characters: a digest of the request's meaning.
    pub fingerprint: String,
}

/// What became of a new payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inserted {
    /// It is stored.
    Stored,
    /// The idempotency key belongs to an earlier checkout; nothing was stored.
    KeyTaken {
        /// The earlier order.
        order_id: OrderId,
        /// The fingerprint of what was asked then.
        fingerprint: String,
    },
}

/// A payment with due work, and its place among all of them: the longest due first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DuePayment {
    /// Since when it is due.
    pub due_at: Timestamp,
    /// Which order.
    pub order_id: OrderId,
}

/// Whether a conditional change happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// It is stored.
    Yes,
    /// The stored status or fence was not the expected one any more; nothing changed.
    Stale,
}

/// What an operator watches of all payments together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Vitals {
    /// Payments that wait for an operator.
    pub quarantined: u64,
    /// Payments whose `due_at` has come.
    pub due: u64,
    /// The earliest `due_at` that has come.
    pub oldest_due: Option<Timestamp>,
    /// Outbox messages whose `due_at` has come.
    pub messages_due: u64,
    /// The earliest of these.
    pub oldest_message: Option<Timestamp>,
}

/// Where payments are kept.
///
/// Every method is one transaction: it happens whole or not at all. After
/// [`StoreError::Unavailable`] a write may have happened; callers read before they decide.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait PaymentRepository: Send + Sync {
    /// Stores a checked-out payment with its lines, its first history entry and its idempotency
    /// key, if any. MUST return `KeyTaken` when the user has used that key before, also when two
    /// come at once; MUST refuse an order id that exists with [`StoreError::Corrupt`], and leave the key
    /// free then.
    async fn insert<'a>(
        &self,
        payment: &Payment,
        key: Option<&'a CheckoutKey>,
    ) -> Result<Inserted, StoreError>;

    /// The order that was checked out under this user's key, and its fingerprint.
    async fn find_checkout(
        &self,
        user_id: UserId,
        key: &IdempotencyKey,
    ) -> Result<Option<(OrderId, String)>, StoreError>;

    /// The payment with its lines in the order they were checked out.
    async fn find(&self, order_id: &OrderId) -> Result<Option<Payment>, StoreError>;

    /// Stores a change if the payment still has the expected status **and** fence, decided by one
    /// conditional update. MUST store the payment's new state, the history entry, the attempt, the
    /// cancel, the transaction and the outbox message together or not at all, and MUST return `Stale` without
    /// any effect otherwise. MUST refuse the end of an attempt that was never begun with
    /// [`StoreError::Corrupt`], without any effect. The outbox message is due at the change's time.
    async fn apply(&self, change: &Change) -> Result<Applied, StoreError>;

    /// Payments whose `due_at` is not after `now`, in the order of [`DuePayment`], at most `limit`:
    /// the first ones, or those behind `after`.
    async fn due(
        &self,
        now: Timestamp,
        after: Option<DuePayment>,
        limit: u32,
    ) -> Result<Vec<DuePayment>, StoreError>;

    /// Makes UNKNOWN payments due at `now`, at most `limit`, whose `due_at` is still to come and lies
    /// further than `longer_than` after their last change, and returns how many. MUST leave every
    /// other payment alone, and the status and fence of these.
    async fn hasten(
        &self,
        longer_than: Duration,
        now: Timestamp,
        limit: u32,
    ) -> Result<usize, StoreError>;

    /// The counts at `now`, at a cost that does not grow with the number of payments that rest.
    async fn vitals(&self, now: Timestamp) -> Result<Vitals, StoreError>;

    /// All attempts, by number.
    async fn attempts(&self, order_id: &OrderId) -> Result<Vec<Attempt>, StoreError>;

    /// All cancels, by number.
    async fn cancels(&self, order_id: &OrderId) -> Result<Vec<Cancel>, StoreError>;

    /// All history entries, oldest first.
    async fn history(&self, order_id: &OrderId) -> Result<Vec<HistoryEntry>, StoreError>;

    /// All money movements, oldest first.
    async fn transactions(&self, order_id: &OrderId) -> Result<Vec<Transaction>, StoreError>;

    /// Outbox messages whose `due_at` is not after `now`, earliest first, at most `limit`.
    async fn due_messages(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<OutboxMessage>, StoreError>;

    /// One order's outbox messages, lowest fence first.
    async fn messages_of(&self, order_id: &OrderId) -> Result<Vec<OutboxMessage>, StoreError>;

    /// Removes a delivered message. MUST be idempotent.
    async fn message_delivered(&self, key: &OutboxKey) -> Result<(), StoreError>;

    /// Puts a message off after a failed delivery and counts the failure.
    async fn message_failed(&self, key: &OutboxKey, retry_at: Timestamp) -> Result<(), StoreError>;
}
