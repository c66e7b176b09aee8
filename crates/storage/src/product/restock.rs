use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use kernel::{StoreError, Timestamp, micros};
use product_domain::model::{ReservationState, Restock, RestockOutcome, Stock};

use super::rows::{ReservationRow, RestockRow};
use super::schema::{product, stock_reservation, stock_reservation_line, stock_restock};
use crate::bulk::{Inserts as _, Reused};
use crate::database::Database;
use crate::transaction::{End, Locked};

/// The reservation's lock keeps the order's other returns away; the products come last, by rising
/// id, as everywhere.
pub(super) async fn restock(
    database: &Database,
    restock: &Restock,
    now: Timestamp,
) -> Result<RestockOutcome, StoreError> {
    let Restock {
        order_id, fence, ..
    } = restock;
    let at = micros(now);
    let mut lines = restock.lines.clone();
    lines.sort_by_key(|line| line.product_id);
    with_tx!(database, "put sold stock back", |connection| {
        let stored = locked_reservation!(connection, order_id);
        if stored.map(|(state, _)| state) != Some(ReservationState::Sold) {
            return Ok(End::RollBack(RestockOutcome::NotSold));
        }
        let earlier = stock_restock::table
            .filter(stock_restock::order_id.eq(order_id.as_str()))
            .filter(stock_restock::fence.eq(fence.get()))
            .select(stock_restock::product_id);
        let earlier: Option<i64> = earlier.first(connection).await.optional()?;
        if earlier.is_some() {
            return Ok(End::RollBack(RestockOutcome::AlreadyRestocked));
        }
        let rows = lines.iter().map(|line| RestockRow {
            order_id: order_id.to_string(),
            fence: fence.get(),
            product_id: line.product_id.get(),
            quantity: line.quantity.into(),
            restocked_at: at,
        });
        connection.insert_all(rows.collect()).await?;
        for line in &lines {
            let (id, pieces) = (line.product_id.get(), i64::from(line.quantity));
            let too_many = End::RollBack(RestockOutcome::TooMany(line.product_id));
            let sold = stock_reservation_line::table.find((order_id.as_str(), id));
            let more = sold.filter(stock_reservation_line::quantity.gt(pieces));
            let update = diesel::update(more).set(
                stock_reservation_line::quantity.eq(stock_reservation_line::quantity - pieces),
            );
            if Reused(update).execute(connection).await? == 0 {
                let just = sold.filter(stock_reservation_line::quantity.eq(pieces));
                if diesel::delete(just).execute(connection).await? == 0 {
                    return Ok(too_many);
                }
            }
            if !put_on_shelf!(connection, id, pieces, at) {
                return Ok(too_many);
            }
        }
        Ok(End::Commit(RestockOutcome::Restocked))
    })
}
