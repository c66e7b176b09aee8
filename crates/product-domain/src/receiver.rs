use async_trait::async_trait;
use kernel::{Fence, OrderId, ProductId, StoreError};

use crate::model::{
    Hold, InvalidProduct, NewProduct, Product, ProductPatch, ReservationState, Restock,
    RestockOutcome, SellDecision, StockBalance,
};
use crate::port::{Adjustment, HoldOutcome};

/// Why a product was not created.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// Its name, description or price is out of range.
    #[error(transparent)]
    Invalid(#[from] InvalidProduct),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a product was not changed.
#[derive(Debug, thiserror::Error)]
pub enum UpdateError {
    /// There is no such product.
    #[error("there is no product {0}")]
    UnknownProduct(ProductId),
    /// Its name, description or price would be out of range.
    #[error(transparent)]
    Invalid(#[from] InvalidProduct),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a stock was not adjusted.
#[derive(Debug, thiserror::Error)]
pub enum AdjustError {
    /// There is no such product.
    #[error("there is no product {0}")]
    UnknownProduct(ProductId),
    /// The stock would fall below zero or rise above its limit.
    #[error("the stock of product {0} would leave its range")]
    OutOfRange(ProductId),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What others may ask of products.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait ProductReceiver: Send + Sync {
    /// Up to `limit` products (at most 100) with ids above `after`, lowest id first.
    async fn products(
        &self,
        after: Option<ProductId>,
        limit: u32,
    ) -> Result<Vec<Product>, StoreError>;

    /// The products with these ids, in any order; unknown ids are left out.
    async fn find(&self, ids: &[ProductId]) -> Result<Vec<Product>, StoreError>;

    /// Creates a product.
    async fn create(&self, product: &NewProduct) -> Result<Product, CreateError>;

    /// Changes a product's name, description or price. Orders that were checked out keep theirs.
    async fn update(&self, id: ProductId, patch: &ProductPatch) -> Result<Product, UpdateError>;

    /// Adds to or takes from a stock.
    async fn adjust(&self, adjustment: &Adjustment) -> Result<Product, AdjustError>;

    /// Takes stock for all lines of an order, or for none. Repeating it changes nothing.
    async fn hold(&self, hold: &Hold) -> Result<HoldOutcome, StoreError>;

    /// Gives an order's stock back. Repeating it changes nothing, and it may come before the hold.
    async fn release(&self, order_id: &OrderId, fence: Fence) -> Result<(), StoreError>;

    /// Marks an order's stock as sold. Repeating it changes nothing. Nothing held is logged as an
    /// error, and is no sale: ask again until it is one.
    async fn sell(&self, order_id: &OrderId) -> Result<SellDecision, StoreError>;

    /// Puts sold pieces back on the shelf. Repeating it changes nothing; before the sale it is refused:
    /// ask again.
    async fn restock(&self, restock: &Restock) -> Result<RestockOutcome, StoreError>;

    /// Where these orders' reservations stand, in any order; orders without one are left out.
    async fn reservation_states(
        &self,
        order_ids: &[OrderId],
    ) -> Result<Vec<(OrderId, ReservationState)>, StoreError>;

    /// The pieces of up to `limit` products (at most 1000) with ids above `after`, lowest id first,
    /// counted as of one moment.
    async fn balances(
        &self,
        after: Option<ProductId>,
        limit: u32,
    ) -> Result<Vec<StockBalance>, StoreError>;
}
