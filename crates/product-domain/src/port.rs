use async_trait::async_trait;
use kernel::{Fence, OrderId, ProductId, StoreError, Timestamp};

use crate::model::{
    Hold, NewProduct, Product, ProductPatch, Reservation, ReservationState, Restock,
    RestockOutcome, SellDecision, StockBalance,
};

/// An operator's correction of a stock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adjustment {
    /// Which product.
    pub product_id: ProductId,
    /// Pieces to add, or to take when negative.
    pub delta: i64,
    /// Why, for the books.
    pub reason: String,
}

/// What became of an adjustment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdjustOutcome {
    /// Done; the product as it stands now.
    Adjusted(Product),
    /// The stock would fall below zero or rise above its limit; nothing changed.
    OutOfRange,
    /// There is no such product.
    UnknownProduct,
}

/// What became of a hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldOutcome {
    /// All lines are held (now, or since an earlier call).
    Held,
    /// The reservation ended under this fence or a higher one; nothing changed.
    Superseded,
    /// This product's stock does not suffice; nothing changed.
    Short(ProductId),
    /// There is no such product; nothing changed.
    UnknownProduct(ProductId),
}

/// Where products and reservations are kept.
///
/// Every method is one transaction: it happens whole or not at all.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait ProductRepository: Send + Sync {
    /// Up to `limit` products with ids above `after`, lowest id first.
    async fn list(&self, after: Option<ProductId>, limit: u32) -> Result<Vec<Product>, StoreError>;

    /// The products with these ids, in any order; unknown ids are left out.
    async fn find(&self, ids: &[ProductId]) -> Result<Vec<Product>, StoreError>;

    /// Stores a product under a new id, one above the highest so far (1 for the first). MUST NOT
    /// give one id to two products, also when called at once.
    async fn insert(&self, product: &NewProduct, now: Timestamp) -> Result<Product, StoreError>;

    /// Changes what `patch` names and returns the product, or `None` if there is none.
    async fn update(
        &self,
        id: ProductId,
        patch: &ProductPatch,
        now: Timestamp,
    ) -> Result<Option<Product>, StoreError>;

    /// Adds to or takes from a stock and records why. MUST refuse a result below zero or above
    /// [`Stock::MAX`](crate::model::Stock::MAX).
    async fn adjust(
        &self,
        adjustment: &Adjustment,
        now: Timestamp,
    ) -> Result<AdjustOutcome, StoreError>;

    /// Takes stock for all lines of an order, or for none, as
    /// [`decide_hold`](crate::model::decide_hold) says. MUST NOT let any stock go below zero.
    async fn hold(&self, hold: &Hold, now: Timestamp) -> Result<HoldOutcome, StoreError>;

    /// Gives an order's stock back, as [`decide_release`](crate::model::decide_release) says. MUST
    /// leave a tombstone when nothing was held.
    async fn release(
        &self,
        order_id: &OrderId,
        fence: Fence,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// Marks an order's stock as sold, as [`decide_sell`](crate::model::decide_sell) says, and
    /// returns that decision.
    async fn sell(&self, order_id: &OrderId, now: Timestamp) -> Result<SellDecision, StoreError>;

    /// Puts sold pieces back, all lines or none. MUST be idempotent by order and fence, and MUST
    /// change nothing unless the order's stock is sold and has these pieces; what it then has sold is
    /// so many pieces fewer.
    async fn restock(
        &self,
        restock: &Restock,
        now: Timestamp,
    ) -> Result<RestockOutcome, StoreError>;

    /// An order's reservation, its lines by product id.
    async fn reservation(&self, order_id: &OrderId) -> Result<Option<Reservation>, StoreError>;

    /// Where these orders' reservations stand, in any order; orders without one are left out.
    async fn reservation_states(
        &self,
        order_ids: &[OrderId],
    ) -> Result<Vec<(OrderId, ReservationState)>, StoreError>;

    /// The pieces of up to `limit` products with ids above `after`, lowest id first. MUST count
    /// them all as of one moment, or a hold that runs meanwhile looks like lost stock.
    async fn balances(
        &self,
        after: Option<ProductId>,
        limit: u32,
    ) -> Result<Vec<StockBalance>, StoreError>;
}
