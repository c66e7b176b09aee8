use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use kernel::{Fence, Money, OrderId, ProductId, Quantity, StoreError};

use crate::model::{ProductPieces, RestockLine, StockState};
use crate::port::{HoldReply, HoldRequest, PricedProduct, ProductPort, StockLedger};

/// Pieces per product.
type Lines = Vec<(ProductId, Quantity)>;

#[derive(Clone, PartialEq, Eq)]
enum Reservation {
    Held(Fence, Lines),
    Sold(Lines),
    Released(Fence),
}

#[derive(Default)]
struct Contents {
    stock: BTreeMap<ProductId, i64>,
    initial: BTreeMap<ProductId, i64>,
    reservations: BTreeMap<OrderId, Reservation>,
    restocked: BTreeSet<(OrderId, Fence)>,
    broken: bool,
}

impl Contents {
    /// Pieces per product in those reservations that `lines_of` picks.
    fn pieces(&self, lines_of: fn(&Reservation) -> Option<&Lines>) -> Vec<i64> {
        let mut pieces: BTreeMap<_, _> = self.stock.keys().map(|id| (*id, 0)).collect();
        for (id, quantity) in self.reservations.values().filter_map(lines_of).flatten() {
            *pieces.entry(*id).or_default() += i64::from(quantity.get());
        }
        pieces.into_values().collect()
    }
}

/// A product port in memory: every product costs 50 000 (odd ids) or 30 000 won (even ids).
#[derive(Default)]
pub struct Shelf {
    contents: Mutex<Contents>,
}

impl Shelf {
    /// A shelf with this many pieces of products 1, 2, 3, ….
    ///
    /// # Panics
    /// Never.
    pub fn with_stock(pieces: &[i64]) -> Self {
        let shelf = Self::default();
        for (id, pieces) in (1..).zip(pieces) {
            let id = ProductId::new(id).expect("a product id");
            let mut contents = shelf.contents();
            contents.stock.insert(id, *pieces);
            contents.initial.insert(id, *pieces);
        }
        shelf
    }

    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Pieces of products 1, 2, 3, … that nobody holds.
    pub fn stock(&self) -> Vec<i64> {
        self.contents().stock.values().copied().collect()
    }

    /// Whether an order's stock is sold.
    pub fn is_sold(&self, order_id: &OrderId) -> bool {
        let contents = self.contents();
        matches!(
            contents.reservations.get(order_id),
            Some(Reservation::Sold(_))
        )
    }

    /// Pieces of products 1, 2, 3, … that orders hold and nobody has paid for yet.
    pub fn held(&self) -> Vec<i64> {
        self.contents().pieces(|reservation| match reservation {
            Reservation::Held(_, lines) => Some(lines),
            Reservation::Sold(_) | Reservation::Released(_) => None,
        })
    }

    /// Pieces of products 1, 2, 3, … that are sold.
    pub fn sold(&self) -> Vec<i64> {
        self.contents().pieces(|reservation| match reservation {
            Reservation::Sold(lines) => Some(lines),
            Reservation::Held(..) | Reservation::Released(_) => None,
        })
    }

    /// A piece of this product is gone, and nobody knows where to.
    pub fn lose_a_piece(&self, id: ProductId) {
        *self.contents().stock.entry(id).or_default() -= 1;
    }

    /// From now on every call fails (`true`) or works again (`false`).
    pub fn set_broken(&self, broken: bool) {
        self.contents().broken = broken;
    }

    fn working(&self) -> Result<MutexGuard<'_, Contents>, StoreError> {
        let contents = self.contents();
        if contents.broken {
            let source = "the shelf is broken".into();
            return Err(StoreError::Unavailable {
                action: "reach the shelf",
                source,
            });
        }
        Ok(contents)
    }
}

#[async_trait]
impl ProductPort for Shelf {
    async fn price(&self, ids: &[ProductId]) -> Result<Vec<PricedProduct>, StoreError> {
        let contents = self.working()?;
        let priced = ids.iter().filter_map(|id| {
            let won = if id.get() % 2 == 1 { 50_000 } else { 30_000 };
            Some(PricedProduct {
                product_id: *id,
                name: format!("상품 {id}"),
                unit_price: Money::from_won(won).ok()?,
                available: *contents.stock.get(id)?,
            })
        });
        Ok(priced.collect())
    }

    async fn hold(&self, request: &HoldRequest) -> Result<HoldReply, StoreError> {
        let mut contents = self.working()?;
        match contents.reservations.get_mut(&request.order_id) {
            Some(Reservation::Held(fence, _)) => {
                *fence = (*fence).max(request.fence);
                return Ok(HoldReply::Held);
            }
            Some(Reservation::Sold(_)) => return Ok(HoldReply::Held),
            Some(Reservation::Released(fence)) if request.fence <= *fence => {
                return Ok(HoldReply::Superseded);
            }
            Some(Reservation::Released(_)) | None => {}
        }
        for (id, quantity) in &request.lines {
            if contents.stock.get(id).copied().unwrap_or(0) < i64::from(quantity.get()) {
                return Ok(HoldReply::Short(*id));
            }
        }
        for (id, quantity) in &request.lines {
            if let Some(pieces) = contents.stock.get_mut(id) {
                *pieces -= i64::from(quantity.get());
            }
        }
        let held = Reservation::Held(request.fence, request.lines.clone());
        contents.reservations.insert(request.order_id.clone(), held);
        Ok(HoldReply::Held)
    }

    async fn release(&self, order_id: &OrderId, fence: Fence) -> Result<(), StoreError> {
        let mut contents = self.working()?;
        match contents.reservations.get(order_id).cloned() {
            Some(Reservation::Held(holder, lines)) if holder <= fence => {
                for (id, quantity) in lines {
                    if let Some(pieces) = contents.stock.get_mut(&id) {
                        *pieces += i64::from(quantity.get());
                    }
                }
            }
            Some(Reservation::Released(tombstone)) if tombstone >= fence => return Ok(()),
            Some(Reservation::Held(..) | Reservation::Sold(_)) => return Ok(()),
            Some(Reservation::Released(_)) | None => {}
        }
        contents
            .reservations
            .insert(order_id.clone(), Reservation::Released(fence));
        Ok(())
    }

    async fn restock(
        &self,
        order_id: &OrderId,
        fence: Fence,
        lines: &[RestockLine],
    ) -> Result<(), StoreError> {
        let mut contents = self.working()?;
        let refused = |why: &str| StoreError::Corrupt {
            action: "put stock back",
            source: why.into(),
        };
        if contents.restocked.contains(&(order_id.clone(), fence)) {
            return Ok(());
        }
        let Some(Reservation::Sold(sold)) = contents.reservations.get(order_id).cloned() else {
            return Err(refused("the order's stock is not sold"));
        };
        let mut sold: BTreeMap<_, _> = sold.into_iter().collect();
        for line in lines {
            let pieces = sold.get(&line.product_id).map_or(0, |left| left.get());
            match pieces.checked_sub(line.quantity.get()) {
                None => return Err(refused("the order has fewer pieces")),
                Some(0) => {
                    sold.remove(&line.product_id);
                }
                Some(rest) => {
                    let rest = Quantity::new(i64::from(rest)).map_err(|_| refused("a quantity"))?;
                    sold.insert(line.product_id, rest);
                }
            }
        }
        for line in lines {
            *contents.stock.entry(line.product_id).or_default() += i64::from(line.quantity.get());
        }
        let kept = Reservation::Sold(sold.into_iter().collect());
        contents.reservations.insert(order_id.clone(), kept);
        contents.restocked.insert((order_id.clone(), fence));
        Ok(())
    }

    async fn sell(&self, order_id: &OrderId) -> Result<(), StoreError> {
        let mut contents = self.working()?;
        match contents.reservations.get(order_id).cloned() {
            Some(Reservation::Held(_, lines)) => {
                let sold = Reservation::Sold(lines);
                contents.reservations.insert(order_id.clone(), sold);
                Ok(())
            }
            Some(Reservation::Sold(_)) => Ok(()),
            Some(Reservation::Released(_)) | None => Err(StoreError::Corrupt {
                action: "sell stock",
                source: "a paid order holds no stock".into(),
            }),
        }
    }
}

#[async_trait]
impl StockLedger for Shelf {
    async fn states(
        &self,
        order_ids: &[OrderId],
    ) -> Result<Vec<(OrderId, StockState)>, StoreError> {
        let contents = self.working()?;
        let states = order_ids.iter().filter_map(|id| {
            let state = match contents.reservations.get(id)? {
                Reservation::Held(..) => StockState::Held,
                Reservation::Sold(_) => StockState::Sold,
                Reservation::Released(_) => StockState::Released,
            };
            Some((id.clone(), state))
        });
        Ok(states.collect())
    }

    async fn pieces(
        &self,
        after: Option<ProductId>,
        limit: u32,
    ) -> Result<Vec<ProductPieces>, StoreError> {
        let (held, sold) = (self.held(), self.sold());
        let contents = self.working()?;
        let counted = contents.stock.iter().zip(held.iter().zip(sold));
        let later = counted.filter(|((id, _), _)| after.is_none_or(|after| **id > after));
        let pieces = later.map(|((id, available), (held, sold))| ProductPieces {
            product_id: *id,
            initial: contents.initial.get(id).copied().unwrap_or_default(),
            adjusted: 0,
            available: *available,
            held: *held,
            sold,
        });
        Ok(pieces.take(limit as usize).collect())
    }
}
