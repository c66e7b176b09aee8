use async_trait::async_trait;
use kernel::{Fence, Money, OrderId, PaymentKey, StoreError, Timestamp, UserId};

use super::Place;
use crate::model::{HistoryEntry, PaymentStatus, Records};

/// Which payments to list. What is left out filters nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PaymentFilter {
    /// Only payments that have this status now.
    pub status: Option<PaymentStatus>,
    /// Only this buyer's.
    pub user_id: Option<UserId>,
    /// The earliest checkout.
    pub created_from: Option<Timestamp>,
    /// The first moment after the last checkout.
    pub created_until: Option<Timestamp>,
}

impl PaymentFilter {
    /// Whether this payment is listed.
    pub fn covers(&self, payment: &PaymentSummary) -> bool {
        self.status.is_none_or(|status| payment.status == status)
            && self.user_id.is_none_or(|user| payment.user_id == user)
            && self
                .created_from
                .is_none_or(|from| payment.created_at >= from)
            && self
                .created_until
                .is_none_or(|until| payment.created_at < until)
    }
}

/// A payment as it stands in a list: without its lines and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentSummary {
    /// Which order.
    pub order_id: OrderId,
    /// What the buyer saw in Toss's window.
    pub order_name: String,
    /// Who pays.
    pub user_id: UserId,
    /// What is to be paid.
    pub total: Money,
    /// What was paid and not given back.
    pub balance: Money,
    /// Where the payment stands.
    pub status: PaymentStatus,
    /// Its version.
    pub fence: Fence,
    /// The key it is being, or was, paid with.
    pub payment_key: Option<PaymentKey>,
    /// How the buyer paid, in Toss's words.
    pub method: Option<String>,
    /// When it was checked out.
    pub created_at: Timestamp,
    /// When Toss approved.
    pub approved_at: Option<Timestamp>,
    /// When it changed last.
    pub updated_at: Timestamp,
}

impl PaymentSummary {
    /// Its place in every list: neither part ever changes.
    pub fn place(&self) -> Place {
        Place {
            created_at: self.created_at,
            order_id: self.order_id.clone(),
        }
    }
}

/// A part of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PaymentPage {
    /// The payments, newest first.
    pub payments: Vec<PaymentSummary>,
    /// Behind which place the next part begins; `None` when nothing more was there.
    pub next: Option<Place>,
}

/// A payment and what was recorded of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentRecord {
    /// The payment.
    pub payment: PaymentSummary,
    /// Everything that was recorded of it.
    pub records: Records,
}

/// Payments as operators read them. Nothing here changes anything.
#[async_trait]
pub trait PaymentRecords: Send + Sync {
    /// Payments that the filter covers, in descending order of [`Place`], at most `limit` (above
    /// zero): the first ones, or those behind `after`. A payment's place never changes, so whoever
    /// goes from page to page MUST meet every payment that the filter covers all the while exactly
    /// once, whatever is checked out or changes meanwhile. MUST cost no more for many payments than
    /// for few, except that of one buyer's payments with one status all of that buyer's may be looked
    /// at. A row that cannot be read is left out, and told to the operator in the log.
    async fn page(
        &self,
        filter: &PaymentFilter,
        after: Option<&Place>,
        limit: u32,
    ) -> Result<PaymentPage, StoreError>;

    /// A payment with all that was recorded of it. While it changes, the payment may be older than
    /// its records, MUST NOT be newer, and the movements MUST be those of the changes in the history.
    async fn record(&self, order_id: &OrderId) -> Result<Option<PaymentRecord>, StoreError>;

    /// A payment's latest change; `None` if there is no such payment.
    async fn last_change(&self, order_id: &OrderId) -> Result<Option<HistoryEntry>, StoreError>;

    /// A payment's changes that lead to fences above `after`, oldest first, at most `limit`. MUST be
    /// cheap where there is none: it is asked for again and again.
    async fn changes(
        &self,
        order_id: &OrderId,
        after: Fence,
        limit: u32,
    ) -> Result<Vec<HistoryEntry>, StoreError>;
}
