use diesel::prelude::*;
use kernel::{Fence, Money, OrderId, ProductId, Quantity, SellerId};
use product_domain::model::{Product, ReservationLine, ReservationState, Stock};

use super::schema::{product, stock_reservation, stock_reservation_line, stock_restock};
use crate::error::Fault;

bulk!(
    KeptRow => stock_reservation,
    key stock_reservation::order_id,
    changes [fence, state, updated_at]
);
bulk!(HeldLineRow => stock_reservation_line);
bulk!(RestockRow => stock_restock);

#[derive(Queryable, Selectable)]
#[diesel(table_name = product)]
pub(super) struct ProductRow {
    product_id: i64,
    name: String,
    description: String,
    price: i64,
    stock: i64,
    seller_id: i64,
}

impl ProductRow {
    pub(super) fn decode(self) -> Result<Product, Fault> {
        Ok(Product {
            id: ProductId::new(self.product_id)?,
            name: self.name,
            description: self.description,
            price: Money::from_won(self.price)?,
            stock: Stock::new(self.stock).map_err(|error| Fault::Corrupt(error.into()))?,
            seller_id: SellerId::new(self.seller_id)?,
        })
    }

    pub(super) fn decode_all(rows: Vec<Self>) -> Result<Vec<Product>, Fault> {
        rows.into_iter().map(Self::decode).collect()
    }
}

#[derive(Insertable)]
#[diesel(table_name = product)]
pub(super) struct NewProductRow<'a> {
    pub(super) product_id: i64,
    pub(super) name: &'a str,
    pub(super) description: &'a str,
    pub(super) price: i64,
    pub(super) stock: i64,
    pub(super) seller_id: i64,
    pub(super) adjustments: i64,
    pub(super) created_at: i64,
    pub(super) updated_at: i64,
}

/// `None` leaves a column as it is; `updated_at` keeps the change from being empty.
#[derive(AsChangeset)]
#[diesel(table_name = product)]
pub(super) struct ProductChange<'a> {
    pub(super) name: Option<&'a str>,
    pub(super) description: Option<&'a str>,
    pub(super) price: Option<i64>,
    pub(super) updated_at: i64,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = stock_reservation)]
pub(super) struct ReservationRow {
    fence: i64,
    state: String,
}

impl ReservationRow {
    pub(super) fn decode(self) -> Result<(ReservationState, Fence), Fault> {
        decode_reservation(&self.state, self.fence)
    }
}

fn decode_reservation(state: &str, fence: i64) -> Result<(ReservationState, Fence), Fault> {
    let state = ReservationState::parse(state)
        .ok_or_else(|| Fault::corrupt(format!("a reservation is {state}")))?;
    Ok((state, Fence::from_stored(fence)))
}

/// A reservation's whole row, to be changed and written back.
#[derive(Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = stock_reservation, treat_none_as_default_value = false)]
pub(super) struct KeptRow {
    pub(super) order_id: String,
    pub(super) fence: i64,
    pub(super) state: String,
    pub(super) created_at: i64,
    pub(super) updated_at: i64,
}

impl KeptRow {
    pub(super) fn decode(&self) -> Result<(ReservationState, Fence), Fault> {
        decode_reservation(&self.state, self.fence)
    }
}

#[derive(Insertable)]
#[diesel(table_name = stock_reservation)]
pub(super) struct NewReservationRow<'a> {
    pub(super) order_id: &'a str,
    pub(super) fence: i64,
    pub(super) state: &'static str,
    pub(super) created_at: i64,
    pub(super) updated_at: i64,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = stock_reservation_line)]
pub(super) struct LineRow {
    product_id: i64,
    quantity: i64,
}

impl LineRow {
    pub(super) fn decode(self) -> Result<ReservationLine, Fault> {
        Ok(ReservationLine {
            product_id: ProductId::new(self.product_id)?,
            quantity: Quantity::new(self.quantity)?,
        })
    }

    pub(super) fn decode_all(rows: Vec<Self>) -> Result<Vec<ReservationLine>, Fault> {
        rows.into_iter().map(Self::decode).collect()
    }
}

/// A line with its order, of several orders' lines.
#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = stock_reservation_line, treat_none_as_default_value = false)]
pub(super) struct HeldLineRow {
    pub(super) order_id: String,
    pub(super) product_id: i64,
    quantity: i64,
}

impl HeldLineRow {
    pub(super) fn encode(order_id: &OrderId, line: ReservationLine) -> Self {
        Self {
            order_id: order_id.to_string(),
            product_id: line.product_id.get(),
            quantity: line.quantity.into(),
        }
    }

    pub(super) fn decode(&self) -> Result<ReservationLine, Fault> {
        let &Self {
            product_id,
            quantity,
            ..
        } = self;
        LineRow {
            product_id,
            quantity,
        }
        .decode()
    }
}

/// Sold pieces that went back.
#[derive(Insertable)]
#[diesel(table_name = stock_restock, treat_none_as_default_value = false)]
pub(super) struct RestockRow {
    pub(super) order_id: String,
    pub(super) fence: i64,
    pub(super) product_id: i64,
    pub(super) quantity: i64,
    pub(super) restocked_at: i64,
}
