use std::sync::Arc;

use async_trait::async_trait;
use kernel::{Fence, OrderId, ProductId, StoreError};
use payment_domain::model::{ProductPieces, RestockLine, StockState};
use payment_domain::port::{HoldReply, HoldRequest, PricedProduct, ProductPort, StockLedger};
use product_domain::model::{
    Hold, ReservationLine, ReservationState, Restock, RestockOutcome, SellDecision,
};
use product_domain::{HoldOutcome, ProductReceiver};

/// Payment's products are product-domain's.
pub struct Products {
    products: Arc<dyn ProductReceiver>,
}

impl Products {
    /// A bridge to these products.
    pub fn new(products: Arc<dyn ProductReceiver>) -> Self {
        Self { products }
    }
}

#[async_trait]
impl ProductPort for Products {
    async fn price(&self, ids: &[ProductId]) -> Result<Vec<PricedProduct>, StoreError> {
        let found = self.products.find(ids).await?;
        let priced = found.into_iter().map(|product| PricedProduct {
            product_id: product.id,
            name: product.name,
            unit_price: product.price,
            available: product.stock.get(),
        });
        Ok(priced.collect())
    }

    async fn hold(&self, request: &HoldRequest) -> Result<HoldReply, StoreError> {
        let lines = request
            .lines
            .iter()
            .map(|&(product_id, quantity)| ReservationLine {
                product_id,
                quantity,
            })
            .collect();
        let hold = Hold {
            order_id: request.order_id.clone(),
            fence: request.fence,
            lines,
        };
        Ok(match self.products.hold(&hold).await? {
            HoldOutcome::Held => HoldReply::Held,
            HoldOutcome::Superseded => HoldReply::Superseded,
            HoldOutcome::Short(id) | HoldOutcome::UnknownProduct(id) => HoldReply::Short(id),
        })
    }

    async fn release(&self, order_id: &OrderId, fence: Fence) -> Result<(), StoreError> {
        self.products.release(order_id, fence).await
    }

    async fn restock(
        &self,
        order_id: &OrderId,
        fence: Fence,
        lines: &[RestockLine],
    ) -> Result<(), StoreError> {
        let lines = lines.iter().map(|line| ReservationLine {
            product_id: line.product_id,
            quantity: line.quantity,
        });
        let restock = Restock {
            order_id: order_id.clone(),
            fence,
            lines: lines.collect(),
        };
        let why = match self.products.restock(&restock).await? {
            RestockOutcome::Restocked | RestockOutcome::AlreadyRestocked => return Ok(()),
            // The sale itself is still on its way.
            RestockOutcome::NotSold => "the order's stock is not sold".to_owned(),
            RestockOutcome::TooMany(id) => format!("pieces of product {id} cannot go back"),
        };
        Err(StoreError::Corrupt {
            action: "put sold stock back",
            source: why.into(),
        })
    }

    async fn sell(&self, order_id: &OrderId) -> Result<(), StoreError> {
        match self.products.sell(order_id).await? {
            SellDecision::Sell | SellDecision::AlreadySold => Ok(()),
            // No sale is written, so no database vouches for this reading: it may come from a
            // server that was replaced. The message stays until the stock is right.
            SellDecision::NotHeld => Err(StoreError::Corrupt {
                action: "sell stock",
                source: "a paid order holds no stock".into(),
            }),
        }
    }
}

#[async_trait]
impl StockLedger for Products {
    async fn states(
        &self,
        order_ids: &[OrderId],
    ) -> Result<Vec<(OrderId, StockState)>, StoreError> {
        let states = self.products.reservation_states(order_ids).await?;
        let states = states.into_iter().map(|(order_id, state)| {
            let state = match state {
                ReservationState::Held => StockState::Held,
                ReservationState::Sold => StockState::Sold,
                ReservationState::Released => StockState::Released,
            };
            (order_id, state)
        });
        Ok(states.collect())
    }

    async fn pieces(
        &self,
        after: Option<ProductId>,
        limit: u32,
    ) -> Result<Vec<ProductPieces>, StoreError> {
        let balances = self.products.balances(after, limit).await?;
        let pieces = balances.into_iter().map(|balance| ProductPieces {
            product_id: balance.product_id,
            initial: balance.initial,
            adjusted: balance.adjusted,
            available: balance.available,
            held: balance.held,
            sold: balance.sold,
        });
        Ok(pieces.collect())
    }
}

#[cfg(test)]
mod tests {
    use product_domain::MockProductReceiver;

    use super::*;

    #[tokio::test]
    async fn a_sale_that_finds_nothing_held_is_not_done() {
        for (decision, is_done) in [
            (SellDecision::Sell, true),
            (SellDecision::AlreadySold, true),
            (SellDecision::NotHeld, false),
        ] {
            let mut products = MockProductReceiver::new();
            products.expect_sell().return_once(move |_| Ok(decision));
            let bridge = Products::new(Arc::new(products));
            let sold = bridge.sell(&"order-000001".parse().unwrap()).await;
            assert_eq!(sold.is_ok(), is_done, "{decision:?}: {sold:?}");
        }
    }
}
