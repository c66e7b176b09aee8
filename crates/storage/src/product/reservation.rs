use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use kernel::{Fence, OrderId, StoreError, Timestamp, micros};
use product_domain::HoldOutcome;
use product_domain::model::{
    Hold, HoldDecision, ReleaseDecision, Reservation, ReservationState, SellDecision, Stock,
    decide_hold, decide_release, decide_sell,
};

use super::rows::{HeldLineRow, LineRow, NewReservationRow, ReservationRow};
use super::schema::{product, stock_reservation, stock_reservation_line};
use crate::bulk::{Inserts as _, Reused};
use crate::database::Database;
use crate::error::{Fault, is_taken, raced};
use crate::transaction::{End, Locked};

/// What is being done, for errors.
pub(super) const HOLD: &str = "hold stock";
pub(super) const RELEASE: &str = "release stock";
pub(super) const SELL: &str = "sell stock";

/// Stores that an order's reservation is in this state under this fence: an update of the row that
/// was found, or a new row. When another transaction stores the order's first row at the same
/// moment, the primary key decides, and the loser runs again.
macro_rules! store_reservation {
    ($connection:ident, $order_id:ident, $found:expr, $state:expr, $fence:expr, $at:expr) => {{
        if $found {
            let update = diesel::update(stock_reservation::table.find($order_id.as_str())).set((
                stock_reservation::state.eq($state.as_str()),
                stock_reservation::fence.eq($fence.get()),
                stock_reservation::updated_at.eq($at),
            ));
            Reused(update).execute($connection).await?;
        } else {
            let row = NewReservationRow {
                order_id: $order_id.as_str(),
                fence: $fence.get(),
                state: $state.as_str(),
                created_at: $at,
                updated_at: $at,
            };
            let insert = diesel::insert_into(stock_reservation::table).values(row);
            insert.execute($connection).await.map_err(raced)?;
        }
    }};
}

pub(super) async fn find(
    database: &Database,
    order_id: &OrderId,
) -> Result<Option<Reservation>, StoreError> {
    with_conn!(database, "read a reservation", |connection| {
        let query = stock_reservation::table
            .find(order_id.as_str())
            .select(ReservationRow::as_select());
        let row: Option<ReservationRow> = query.first(connection).await.optional()?;
        let Some((state, fence)) = row.map(ReservationRow::decode).transpose()? else {
            return Ok(None);
        };
        let lines = stock_reservation_line::table
            .filter(stock_reservation_line::order_id.eq(order_id.as_str()))
            .order(stock_reservation_line::product_id)
            .select(LineRow::as_select());
        let lines = LineRow::decode_all(lines.load(connection).await?)?;
        Ok(Some(Reservation {
            order_id: order_id.clone(),
            fence,
            state,
            lines,
        }))
    })
}

pub(super) async fn states(
    database: &Database,
    order_ids: &[OrderId],
) -> Result<Vec<(OrderId, ReservationState)>, StoreError> {
    if order_ids.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<_> = order_ids.iter().map(OrderId::as_str).collect();
    with_conn!(database, "read reservations", |connection| {
        let query = stock_reservation::table
            .filter(stock_reservation::order_id.eq_any(&ids))
            .select((stock_reservation::order_id, ReservationRow::as_select()));
        let rows: Vec<(String, ReservationRow)> = query.load(connection).await?;
        rows.into_iter()
            .map(|(id, row)| Ok((OrderId::try_from(id)?, row.decode()?.0)))
            .collect()
    })
}

/// The reservation comes first and the products last, so that a product in demand stays locked for
/// as short as possible.
pub(super) async fn hold(
    database: &Database,
    hold: &Hold,
    now: Timestamp,
) -> Result<HoldOutcome, StoreError> {
    let Hold {
        order_id, fence, ..
    } = hold;
    let mut lines = hold.lines.clone();
    lines.sort_by_key(|line| line.product_id);
    let at = micros(now);
    with_tx!(database, HOLD, |connection| {
        // Most orders have none yet: storing it asks whether there is one.
        let row = NewReservationRow {
            order_id: order_id.as_str(),
            fence: fence.get(),
            state: ReservationState::Held.as_str(),
            created_at: at,
            updated_at: at,
        };
        let insert = diesel::insert_into(stock_reservation::table).values(row);
        let stored = match insert.execute(connection).await {
            Ok(_) => None,
            Err(error) if is_taken(&error) => {
                let stored = locked_reservation!(connection, order_id);
                // Gone again: whoever was storing it has rolled back.
                Some(stored.ok_or(Fault::Conflict(error.into()))?)
            }
            Err(error) => return Err(error.into()),
        };
        match decide_hold(stored, *fence) {
            HoldDecision::Superseded => return Ok(End::RollBack(HoldOutcome::Superseded)),
            HoldDecision::KeepStock => {
                let lower = stock_reservation::table
                    .find(order_id.as_str())
                    .filter(stock_reservation::fence.lt(fence.get()));
                let update = diesel::update(lower).set(stock_reservation::fence.eq(fence.get()));
                Reused(update).execute(connection).await?;
                return Ok(End::Commit(HoldOutcome::Held));
            }
            HoldDecision::TakeStock => {}
        }
        if stored.is_some() {
            store_reservation!(
                connection,
                order_id,
                true,
                ReservationState::Held,
                fence,
                at
            );
            let former = stock_reservation_line::table
                .filter(stock_reservation_line::order_id.eq(order_id.as_str()));
            diesel::delete(former).execute(connection).await?;
        }
        let rows: Vec<HeldLineRow> = lines
            .iter()
            .map(|line| HeldLineRow::encode(order_id, *line))
            .collect();
        connection.insert_all(rows).await?;
        for line in &lines {
            let (id, pieces) = (line.product_id.get(), i64::from(line.quantity));
            let enough = product::table.find(id).filter(product::stock.ge(pieces));
            let update = diesel::update(enough).set((
                product::stock.eq(product::stock - pieces),
                product::updated_at.eq(at),
            ));
            let taken = Reused(update).execute(connection).await?;
            if taken == 0 {
                let exists = product::table.find(id).select(product::product_id);
                let exists: Option<i64> = exists.first(connection).await.optional()?;
                return Ok(End::RollBack(match exists {
                    Some(_) => HoldOutcome::Short(line.product_id),
                    None => HoldOutcome::UnknownProduct(line.product_id),
                }));
            }
        }
        Ok(End::Commit(HoldOutcome::Held))
    })
}

pub(super) async fn release(
    database: &Database,
    order_id: &OrderId,
    fence: Fence,
    now: Timestamp,
) -> Result<(), StoreError> {
    let at = micros(now);
    with_tx!(database, RELEASE, |connection| {
        let stored = locked_reservation!(connection, order_id);
        let decision = decide_release(stored, fence);
        if decision == ReleaseDecision::Ignore {
            return Ok(End::RollBack(()));
        }
        store_reservation!(
            connection,
            order_id,
            stored.is_some(),
            ReservationState::Released,
            fence,
            at
        );
        if decision == ReleaseDecision::ReturnStock {
            let lines = stock_reservation_line::table
                .filter(stock_reservation_line::order_id.eq(order_id.as_str()))
                .order(stock_reservation_line::product_id)
                .select(LineRow::as_select());
            for line in LineRow::decode_all(lines.load(connection).await?)? {
                let (id, pieces) = (line.product_id.get(), i64::from(line.quantity));
                if !put_on_shelf!(connection, id, pieces, at) {
                    tracing::error!(product_id = id, pieces, "stock could not be given back");
                }
            }
        }
        Ok(End::Commit(()))
    })
}

pub(super) async fn sell(
    database: &Database,
    order_id: &OrderId,
    now: Timestamp,
) -> Result<SellDecision, StoreError> {
    let at = micros(now);
    with_tx!(database, SELL, |connection| {
        let stored = locked_reservation!(connection, order_id);
        let decision = decide_sell(stored.map(|(state, _)| state));
        match (decision, stored) {
            (SellDecision::Sell, Some((_, fence))) => {
                store_reservation!(
                    connection,
                    order_id,
                    true,
                    ReservationState::Sold,
                    fence,
                    at
                );
                Ok(End::Commit(decision))
            }
            (SellDecision::Sell | SellDecision::AlreadySold | SellDecision::NotHeld, _) => {
                Ok(End::RollBack(decision))
            }
        }
    })
}
