use async_trait::async_trait;
use kernel::{Fence, Money, OrderId, ProductId, Quantity, StoreError};

use crate::model::RestockLine;

/// A product as a checkout needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PricedProduct {
    /// Which product.
    pub product_id: ProductId,
    /// Its name.
    pub name: String,
    /// The price of one piece.
    pub unit_price: Money,
    /// Pieces that nobody holds at this moment.
    pub available: i64,
}

/// A wish to take stock for an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldRequest {
    /// For which order.
    pub order_id: OrderId,
    /// The payment's fence; see [`ProductPort::release`].
    pub fence: Fence,
    /// Pieces per product; product ids are unique.
    pub lines: Vec<(ProductId, Quantity)>,
}

/// What became of a hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldReply {
    /// All lines are held.
    Held,
    /// The reservation ended under this fence or a higher one; nothing is held for this request.
    Superseded,
    /// This product's stock does not suffice (or the product is gone); nothing is held.
    Short(ProductId),
}

/// Products and their stock.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait ProductPort: Send + Sync {
    /// The products with these ids, in any order; unknown ids are left out.
    async fn price(&self, ids: &[ProductId]) -> Result<Vec<PricedProduct>, StoreError>;

    /// Takes stock for all lines or for none. MUST be idempotent by order id, and MUST refuse with
    /// `Superseded` when a release with the same or a higher fence came before.
    async fn hold(&self, request: &HoldRequest) -> Result<HoldReply, StoreError>;

    /// Gives the order's stock back. MUST be idempotent, MUST leave a tombstone under `fence` when
    /// nothing is held, and MUST spare stock that was held under a higher fence.
    async fn release(&self, order_id: &OrderId, fence: Fence) -> Result<(), StoreError>;

    /// Puts sold pieces of the order back, under the fence of the change that says so. MUST be
    /// idempotent by order id and fence, and MUST fail, without any effect, while the order's stock
    /// is not sold or has fewer pieces than these: the instruction then stays and is given again.
    async fn restock(
        &self,
        order_id: &OrderId,
        fence: Fence,
        lines: &[RestockLine],
    ) -> Result<(), StoreError>;

    /// Marks the order's held stock as sold. MUST be idempotent, and MUST fail when nothing is held:
    /// the instruction then stays and is given again.
    async fn sell(&self, order_id: &OrderId) -> Result<(), StoreError>;
}
