use async_trait::async_trait;
use kernel::{OrderId, ProductId, StoreError, Timestamp};

use crate::model::{Books, FindingKind, Period, ProductPieces, StockState};

/// The payments that a comparison walks through: checked out from `created_from` until right before
/// `until`, and changed at or after `changed_from`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scope {
    /// The earliest checkout.
    pub created_from: Timestamp,
    /// The earliest last change.
    pub changed_from: Timestamp,
    /// The first moment after the last checkout.
    pub until: Timestamp,
}

impl Scope {
    /// Whether the walk comes by this payment.
    pub fn covers(&self, books: &Books) -> bool {
        books.created_at >= self.created_from
            && books.created_at < self.until
            && books.updated_at >= self.changed_from
    }
}

/// Where a page of the walk ended.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The last payment's checkout.
    pub created_at: Timestamp,
    /// The last payment's order.
    pub order_id: OrderId,
}

/// What a comparison counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Payments here that were compared.
    pub payments: u64,
    /// Rows of Toss's list.
    pub transactions: u64,
    /// Products whose pieces were counted.
    pub products: u64,
    /// Breaks that were found, mended or not.
    pub breaks: u64,
    /// Payments that are not decided yet, or quarantined.
    pub pending: u64,
    /// Orders about which Toss gave no usable answer.
    pub unasked: u64,
    /// Findings that are gone since something was done about them.
    pub mended: u64,
}

/// One comparison of the books with Toss.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its id, 1 to 64 characters of ASCII.
    pub id: String,
    /// What was compared.
    pub period: Period,
    /// Whether safe kinds of findings were to be mended.
    pub mends: bool,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended; `None` while it runs, and for ever when it broke off.
    pub finished_at: Option<Timestamp>,
    /// What it counted.
    pub totals: Totals,
}

/// Something that a comparison found, and what was done about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What kind of thing.
    pub kind: FindingKind,
    /// The order, as it is spelled here or (for an order that is unknown here) at Toss.
    pub order_id: Option<String>,
    /// The product.
    pub product_id: Option<ProductId>,
    /// What exactly, without personal data.
    pub detail: String,
    /// What was done about it.
    pub action: Option<String>,
    /// Whether it is gone since.
    pub mended: bool,
}

/// The payments' books as a comparison reads them, and where it keeps what it found. Every method
/// is one transaction, except that reading may use several statements: a payment that changes
/// meanwhile shows by its fence.
#[async_trait]
pub trait ReconcileRepository: Send + Sync {
    /// Up to `limit` payments of this scope after `after`, by checkout and then order id. MUST find
    /// every payment that is in scope during the whole walk exactly once.
    async fn walk(
        &self,
        scope: &Scope,
        after: Option<&Place>,
        limit: u32,
    ) -> Result<Vec<Books>, StoreError>;

    /// These orders' books, in any order; unknown orders are left out. At most 1000 ids.
    async fn books(&self, order_ids: &[OrderId]) -> Result<Vec<Books>, StoreError>;

    /// Stores a run that begins.
    async fn begin_run(&self, run: &Run) -> Result<(), StoreError>;

    /// Stores breaks of a run under the numbers from `first` on. MUST be idempotent.
    async fn add_breaks(
        &self,
        run_id: &str,
        first: u64,
        breaks: &[Found],
    ) -> Result<(), StoreError>;

    /// Stores a run's end and totals.
    async fn end_run(&self, run: &Run) -> Result<(), StoreError>;

    /// The run with this id.
    async fn run(&self, run_id: &str) -> Result<Option<Run>, StoreError>;

    /// Up to `limit` breaks of a run from number `first` on, in order.
    async fn breaks(&self, run_id: &str, first: u64, limit: u32) -> Result<Vec<Found>, StoreError>;
}

/// One movement of money in Toss's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerRow {
    /// Toss's key of the movement; the cursor of the next page.
    pub transaction_key: String,
    /// The order, in Toss's spelling.
    pub order_id: Option<String>,
    /// Won: positive for an approval, negative for a cancel; zero for a row that moved nothing,
    /// `None` when the amount is no whole number of won.
    pub moved_won: Option<i64>,
}

/// Toss's list could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Toss's list of transactions cannot be read: {reason}")]
pub struct LedgerUnavailable {
    /// What was seen, for the log; no secrets.
    pub reason: String,
}

/// Toss's list of all movements of money.
#[async_trait]
pub trait GatewayLedger: Send + Sync {
    /// A page of the period's movements after the one with the key `after`, oldest first. An empty
    /// page is the last. MUST retry on its own what may pass, within bounds.
    async fn page(
        &self,
        period: &Period,
        after: Option<&str>,
    ) -> Result<Vec<LedgerRow>, LedgerUnavailable>;
}

/// The stock's books.
#[async_trait]
pub trait StockLedger: Send + Sync {
    /// Where these orders' stock stands, in any order; orders without stock are left out. At most
    /// 1000 ids.
    async fn states(&self, order_ids: &[OrderId])
    -> Result<Vec<(OrderId, StockState)>, StoreError>;

    /// Up to `limit` products (at most 1000) with ids above `after`, lowest id first. MUST count a
    /// product's pieces as of one moment.
    async fn pieces(
        &self,
        after: Option<ProductId>,
        limit: u32,
    ) -> Result<Vec<ProductPieces>, StoreError>;
}
