//! Products, their stock and its reservations: the tables `product`, `product_sequence`,
//! `product_initial_stock`, `stock_adjustment`, `stock_reservation`, `stock_reservation_line` and
//! `stock_restock`.
//!
//! Every transaction locks an order's reservation before it touches a product, and products by
//! rising id: two transactions can wait for one another, but never in a circle.

/// An order's reservation, locked until the transaction ends: `Option<(state, fence)>`.
macro_rules! locked_reservation {
    ($connection:ident, $order_id:ident) => {{
        let query = stock_reservation::table
            .find($order_id.as_str())
            .select(ReservationRow::as_select());
        let row: Option<ReservationRow> = Locked(query).get_result($connection).await.optional()?;
        row.map(ReservationRow::decode).transpose()?
    }};
}

/// Adds pieces to a product's stock, and tells whether there is room for them (and the product).
macro_rules! put_on_shelf {
    ($connection:ident, $id:expr, $pieces:expr, $at:expr) => {{
        let fitting = product::table
            .find($id)
            .filter(product::stock.le(Stock::MAX - $pieces));
        let update = diesel::update(fitting).set((
            product::stock.eq(product::stock + $pieces),
            product::updated_at.eq($at),
        ));
        Reused(update).execute($connection).await? > 0
    }};
}

mod balance;
mod batch;
mod catalog;
mod reservation;
mod restock;
mod rows;
mod schema;

use async_trait::async_trait;
use kernel::{Fence, OrderId, ProductId, StoreError, Timestamp};
use product_domain::model::{
    Hold, NewProduct, Product, ProductPatch, Reservation, ReservationState, Restock,
    RestockOutcome, SellDecision, StockBalance,
};
use product_domain::{AdjustOutcome, Adjustment, HoldOutcome, ProductRepository};

use self::batch::StockAnswer;
pub(crate) use self::batch::StockUnit;
use crate::database::Database;
use crate::group::Turn;

/// The repository of products and reservations.
pub(crate) struct Products {
    database: Database,
}

impl Products {
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }

    /// Stores these products as the very first ones, or nothing if there ever was a product.
    /// Returns whether they were stored.
    pub(crate) async fn insert_first(
        &self,
        products: &[NewProduct],
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        catalog::insert_first(&self.database, products, now).await
    }

    /// Whether there ever was a product.
    pub(crate) async fn has_ever_had_one(&self) -> Result<bool, StoreError> {
        catalog::has_ever_had_one(&self.database).await
    }
}

#[async_trait]
impl ProductRepository for Products {
    async fn list(&self, after: Option<ProductId>, limit: u32) -> Result<Vec<Product>, StoreError> {
        catalog::list(&self.database, after, limit).await
    }

    async fn find(&self, ids: &[ProductId]) -> Result<Vec<Product>, StoreError> {
        catalog::find(&self.database, ids).await
    }

    async fn insert(&self, product: &NewProduct, now: Timestamp) -> Result<Product, StoreError> {
        catalog::insert(&self.database, product, now).await
    }

    async fn update(
        &self,
        id: ProductId,
        patch: &ProductPatch,
        now: Timestamp,
    ) -> Result<Option<Product>, StoreError> {
        catalog::update(&self.database, id, patch, now).await
    }

    async fn adjust(
        &self,
        adjustment: &Adjustment,
        now: Timestamp,
    ) -> Result<AdjustOutcome, StoreError> {
        catalog::adjust(&self.database, adjustment, now).await
    }

    async fn hold(&self, hold: &Hold, now: Timestamp) -> Result<HoldOutcome, StoreError> {
        let group = match self.database.stock_turn() {
            Turn::Alone(_place) => return reservation::hold(&self.database, hold, now).await,
            Turn::Shared(group) => group,
        };
        let unit = StockUnit::Hold(hold.clone(), now);
        match group.run(&self.database, unit).await? {
            StockAnswer::Hold(outcome) => Ok(outcome),
            other => Err(other.misplaced(reservation::HOLD)),
        }
    }

    async fn release(
        &self,
        order_id: &OrderId,
        fence: Fence,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let group = match self.database.stock_turn() {
            Turn::Alone(_place) => {
                return reservation::release(&self.database, order_id, fence, now).await;
            }
            Turn::Shared(group) => group,
        };
        let unit = StockUnit::Release(order_id.clone(), fence, now);
        match group.run(&self.database, unit).await? {
            StockAnswer::Release => Ok(()),
            other => Err(other.misplaced(reservation::RELEASE)),
        }
    }

    async fn sell(&self, order_id: &OrderId, now: Timestamp) -> Result<SellDecision, StoreError> {
        let group = match self.database.stock_turn() {
            Turn::Alone(_place) => return reservation::sell(&self.database, order_id, now).await,
            Turn::Shared(group) => group,
        };
        let unit = StockUnit::Sell(order_id.clone(), now);
        match group.run(&self.database, unit).await? {
            StockAnswer::Sell(decision) => Ok(decision),
            other => Err(other.misplaced(reservation::SELL)),
        }
    }

    async fn restock(
        &self,
        restock: &Restock,
        now: Timestamp,
    ) -> Result<RestockOutcome, StoreError> {
        restock::restock(&self.database, restock, now).await
    }

    async fn reservation(&self, order_id: &OrderId) -> Result<Option<Reservation>, StoreError> {
        reservation::find(&self.database, order_id).await
    }

    async fn reservation_states(
        &self,
        order_ids: &[OrderId],
    ) -> Result<Vec<(OrderId, ReservationState)>, StoreError> {
        reservation::states(&self.database, order_ids).await
    }

    async fn balances(
        &self,
        after: Option<ProductId>,
        limit: u32,
    ) -> Result<Vec<StockBalance>, StoreError> {
        balance::count(&self.database, after, limit).await
    }
}
