use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use kernel::{Fence, OrderId, ProductId, StoreError, Timestamp};

use crate::model::{
    Hold, HoldDecision, NewProduct, Product, ProductPatch, ReleaseDecision, Reservation,
    ReservationState, Restock, RestockOutcome, SellDecision, Stock, StockBalance, decide_hold,
    decide_release, decide_sell,
};
use crate::port::{AdjustOutcome, Adjustment, HoldOutcome, ProductRepository};

#[derive(Default)]
struct Tables {
    products: BTreeMap<ProductId, Product>,
    reservations: BTreeMap<OrderId, Reservation>,
    restocked: BTreeSet<(OrderId, Fence)>,
    /// Initial pieces, and the sum of all adjustments.
    books: BTreeMap<ProductId, (i64, i64)>,
}

/// A repository in memory that keeps the port's whole contract.
#[derive(Default)]
pub struct InMemoryProducts {
    tables: Mutex<Tables>,
}

impl InMemoryProducts {
    /// An empty repository.
    pub fn new() -> Self {
        Self::default()
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn moved(stock: Stock, delta: i64) -> Option<Stock> {
    stock
        .get()
        .checked_add(delta)
        .and_then(|pieces| Stock::new(pieces).ok())
}

fn pieces(quantity: kernel::Quantity) -> i64 {
    i64::from(quantity.get())
}

#[async_trait]
impl ProductRepository for InMemoryProducts {
    async fn list(&self, after: Option<ProductId>, limit: u32) -> Result<Vec<Product>, StoreError> {
        let tables = self.tables();
        let later = tables
            .products
            .values()
            .filter(|product| after.is_none_or(|id| product.id > id));
        Ok(later.take(limit as usize).cloned().collect())
    }

    async fn find(&self, ids: &[ProductId]) -> Result<Vec<Product>, StoreError> {
        let tables = self.tables();
        Ok(ids
            .iter()
            .filter_map(|id| tables.products.get(id).cloned())
            .collect())
    }

    async fn insert(&self, new: &NewProduct, _now: Timestamp) -> Result<Product, StoreError> {
        let mut tables = self.tables();
        let highest = tables.products.keys().next_back().map_or(0, |id| id.get());
        let id = ProductId::new(highest + 1).map_err(|source| StoreError::Corrupt {
            action: "number a product",
            source: source.into(),
        })?;
        let NewProduct {
            name,
            description,
            price,
            stock,
            seller_id,
        } = new.clone();
        let product = Product {
            id,
            name,
            description,
            price,
            stock,
            seller_id,
        };
        tables.books.insert(id, (product.stock.get(), 0));
        tables.products.insert(id, product.clone());
        Ok(product)
    }

    async fn update(
        &self,
        id: ProductId,
        patch: &ProductPatch,
        _now: Timestamp,
    ) -> Result<Option<Product>, StoreError> {
        let mut tables = self.tables();
        let Some(product) = tables.products.get_mut(&id) else {
            return Ok(None);
        };
        if let Some(name) = &patch.name {
            product.name.clone_from(name);
        }
        if let Some(description) = &patch.description {
            product.description.clone_from(description);
        }
        if let Some(price) = patch.price {
            product.price = price;
        }
        Ok(Some(product.clone()))
    }

    async fn adjust(
        &self,
        adjustment: &Adjustment,
        _now: Timestamp,
    ) -> Result<AdjustOutcome, StoreError> {
        let mut tables = self.tables();
        let Some(product) = tables.products.get_mut(&adjustment.product_id) else {
            return Ok(AdjustOutcome::UnknownProduct);
        };
        let Some(stock) = moved(product.stock, adjustment.delta) else {
            return Ok(AdjustOutcome::OutOfRange);
        };
        product.stock = stock;
        let adjusted = product.clone();
        tables.books.entry(adjustment.product_id).or_default().1 += adjustment.delta;
        Ok(AdjustOutcome::Adjusted(adjusted))
    }

    async fn hold(&self, hold: &Hold, _now: Timestamp) -> Result<HoldOutcome, StoreError> {
        let mut tables = self.tables();
        let stored = tables
            .reservations
            .get(&hold.order_id)
            .map(|kept| (kept.state, kept.fence));
        match decide_hold(stored, hold.fence) {
            HoldDecision::Superseded => return Ok(HoldOutcome::Superseded),
            HoldDecision::KeepStock => {
                if let Some(kept) = tables.reservations.get_mut(&hold.order_id) {
                    kept.fence = kept.fence.max(hold.fence);
                }
                return Ok(HoldOutcome::Held);
            }
            HoldDecision::TakeStock => {}
        }
        let mut taken = BTreeMap::new();
        let mut lines = hold.lines.clone();
        lines.sort_by_key(|line| line.product_id);
        for line in &lines {
            let Some(product) = tables.products.get(&line.product_id) else {
                return Ok(HoldOutcome::UnknownProduct(line.product_id));
            };
            let Some(rest) = moved(product.stock, -pieces(line.quantity)) else {
                return Ok(HoldOutcome::Short(line.product_id));
            };
            taken.insert(line.product_id, rest);
        }
        for (id, rest) in taken {
            if let Some(product) = tables.products.get_mut(&id) {
                product.stock = rest;
            }
        }
        tables.reservations.insert(
            hold.order_id.clone(),
            Reservation {
                order_id: hold.order_id.clone(),
                fence: hold.fence,
                state: ReservationState::Held,
                lines,
            },
        );
        Ok(HoldOutcome::Held)
    }

    async fn release(
        &self,
        order_id: &OrderId,
        fence: Fence,
        _now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tables = self.tables();
        let stored = tables.reservations.get(order_id).cloned();
        let lines =
            match decide_release(stored.as_ref().map(|kept| (kept.state, kept.fence)), fence) {
                ReleaseDecision::Ignore => return Ok(()),
                ReleaseDecision::Entomb => stored.map_or_else(Vec::new, |kept| kept.lines),
                ReleaseDecision::ReturnStock => {
                    let lines = stored.map_or_else(Vec::new, |kept| kept.lines);
                    for line in &lines {
                        if let Some(product) = tables.products.get_mut(&line.product_id)
                            && let Some(stock) = moved(product.stock, pieces(line.quantity))
                        {
                            product.stock = stock;
                        }
                    }
                    lines
                }
            };
        let state = ReservationState::Released;
        let tombstone = Reservation {
            order_id: order_id.clone(),
            fence,
            state,
            lines,
        };
        tables.reservations.insert(order_id.clone(), tombstone);
        Ok(())
    }

    async fn sell(&self, order_id: &OrderId, _now: Timestamp) -> Result<SellDecision, StoreError> {
        let mut tables = self.tables();
        let decision = decide_sell(tables.reservations.get(order_id).map(|kept| kept.state));
        if decision == SellDecision::Sell
            && let Some(kept) = tables.reservations.get_mut(order_id)
        {
            kept.state = ReservationState::Sold;
        }
        Ok(decision)
    }

    async fn restock(
        &self,
        restock: &Restock,
        _now: Timestamp,
    ) -> Result<RestockOutcome, StoreError> {
        let mut tables = self.tables();
        let Restock {
            order_id,
            fence,
            lines,
        } = restock;
        let name = (order_id.clone(), *fence);
        let kept = match tables.reservations.get(order_id) {
            Some(kept) if kept.state == ReservationState::Sold => kept,
            Some(_) | None => return Ok(RestockOutcome::NotSold),
        };
        if tables.restocked.contains(&name) {
            return Ok(RestockOutcome::AlreadyRestocked);
        }
        let (mut left, mut stocks) = (kept.lines.clone(), BTreeMap::new());
        for line in lines {
            let id = line.product_id;
            let sold = left.iter_mut().find(|kept| kept.product_id == id);
            let stock = tables.products.get(&id).map(|product| product.stock);
            let room = stock.and_then(|stock| moved(stock, pieces(line.quantity)));
            let (Some(sold), Some(stock)) = (sold, room) else {
                return Ok(RestockOutcome::TooMany(id));
            };
            match pieces(sold.quantity) - pieces(line.quantity) {
                0 => left.retain(|kept| kept.product_id != id),
                rest => match kernel::Quantity::new(rest) {
                    Ok(quantity) => sold.quantity = quantity,
                    Err(_) => return Ok(RestockOutcome::TooMany(id)),
                },
            }
            stocks.insert(id, stock);
        }
        for (id, stock) in stocks {
            if let Some(product) = tables.products.get_mut(&id) {
                product.stock = stock;
            }
        }
        if let Some(kept) = tables.reservations.get_mut(order_id) {
            kept.lines = left;
        }
        tables.restocked.insert(name);
        Ok(RestockOutcome::Restocked)
    }

    async fn reservation(&self, order_id: &OrderId) -> Result<Option<Reservation>, StoreError> {
        Ok(self.tables().reservations.get(order_id).cloned())
    }

    async fn reservation_states(
        &self,
        order_ids: &[OrderId],
    ) -> Result<Vec<(OrderId, ReservationState)>, StoreError> {
        let tables = self.tables();
        let states = order_ids.iter().filter_map(|id| {
            let kept = tables.reservations.get(id)?;
            Some((id.clone(), kept.state))
        });
        Ok(states.collect())
    }

    async fn balances(
        &self,
        after: Option<ProductId>,
        limit: u32,
    ) -> Result<Vec<StockBalance>, StoreError> {
        let tables = self.tables();
        let counted = |id: ProductId, state: ReservationState| -> i64 {
            let kept = tables.reservations.values();
            kept.filter(|kept| kept.state == state)
                .flat_map(|kept| &kept.lines)
                .filter(|line| line.product_id == id)
                .map(|line| pieces(line.quantity))
                .sum()
        };
        let products = tables.products.values();
        let later = products.filter(|product| after.is_none_or(|id| product.id > id));
        let balances = later.take(limit as usize).map(|product| {
            let (initial, adjusted) = tables.books.get(&product.id).copied().unwrap_or_default();
            StockBalance {
                product_id: product.id,
                initial,
                adjusted,
                available: product.stock.get(),
                held: counted(product.id, ReservationState::Held),
                sold: counted(product.id, ReservationState::Sold),
            }
        });
        Ok(balances.collect())
    }
}
