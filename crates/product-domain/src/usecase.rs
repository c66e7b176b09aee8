//! [`ProductService`]: the receiver's implementation, thin because reservations are decided in
//! `model` and made atomic by the repository.

use std::sync::Arc;

use async_trait::async_trait;
use kernel::{Clock, Fence, OrderId, ProductId, StoreError};

use crate::model::{
    Hold, NewProduct, Product, ProductPatch, ReservationState, Restock, RestockOutcome,
    SellDecision, StockBalance,
};
use crate::port::{AdjustOutcome, Adjustment, HoldOutcome, ProductRepository};
use crate::receiver::{AdjustError, CreateError, ProductReceiver, UpdateError};

/// The largest page of products.
const PAGE_MAX: u32 = 100;
/// The largest page of balances.
const BALANCES_MAX: u32 = 1_000;

/// Answers for products out of a [`ProductRepository`].
pub struct ProductService {
    repository: Arc<dyn ProductRepository>,
    clock: Arc<dyn Clock>,
}

impl ProductService {
    /// A service over this repository.
    pub fn new(repository: Arc<dyn ProductRepository>, clock: Arc<dyn Clock>) -> Self {
        Self { repository, clock }
    }
}

#[async_trait]
impl ProductReceiver for ProductService {
    async fn products(
        &self,
        after: Option<ProductId>,
        limit: u32,
    ) -> Result<Vec<Product>, StoreError> {
        self.repository.list(after, limit.min(PAGE_MAX)).await
    }

    async fn find(&self, ids: &[ProductId]) -> Result<Vec<Product>, StoreError> {
        self.repository.find(ids).await
    }

    async fn create(&self, product: &NewProduct) -> Result<Product, CreateError> {
        product.check()?;
        Ok(self.repository.insert(product, self.clock.now()).await?)
    }

    async fn update(&self, id: ProductId, patch: &ProductPatch) -> Result<Product, UpdateError> {
        patch.check()?;
        let updated = self.repository.update(id, patch, self.clock.now()).await?;
        updated.ok_or(UpdateError::UnknownProduct(id))
    }

    async fn adjust(&self, adjustment: &Adjustment) -> Result<Product, AdjustError> {
        match self.repository.adjust(adjustment, self.clock.now()).await? {
            AdjustOutcome::Adjusted(product) => Ok(product),
            AdjustOutcome::OutOfRange => Err(AdjustError::OutOfRange(adjustment.product_id)),
            AdjustOutcome::UnknownProduct => {
                Err(AdjustError::UnknownProduct(adjustment.product_id))
            }
        }
    }

    async fn hold(&self, hold: &Hold) -> Result<HoldOutcome, StoreError> {
        self.repository.hold(hold, self.clock.now()).await
    }

    async fn release(&self, order_id: &OrderId, fence: Fence) -> Result<(), StoreError> {
        self.repository
            .release(order_id, fence, self.clock.now())
            .await
    }

    async fn sell(&self, order_id: &OrderId) -> Result<SellDecision, StoreError> {
        let decision = self.repository.sell(order_id, self.clock.now()).await?;
        if decision == SellDecision::NotHeld {
            tracing::error!(%order_id, "a paid order holds no stock: check the stock by hand");
        }
        Ok(decision)
    }

    async fn restock(&self, restock: &Restock) -> Result<RestockOutcome, StoreError> {
        let outcome = self.repository.restock(restock, self.clock.now()).await?;
        if let RestockOutcome::TooMany(product_id) = outcome {
            let order_id = &restock.order_id;
            tracing::error!(%order_id, %product_id, "more pieces are to go back than the order has, or than fit: check the stock by hand");
        }
        Ok(outcome)
    }

    async fn reservation_states(
        &self,
        order_ids: &[OrderId],
    ) -> Result<Vec<(OrderId, ReservationState)>, StoreError> {
        self.repository.reservation_states(order_ids).await
    }

    async fn balances(
        &self,
        after: Option<ProductId>,
        limit: u32,
    ) -> Result<Vec<StockBalance>, StoreError> {
        self.repository
            .balances(after, limit.min(BALANCES_MAX))
            .await
    }
}
