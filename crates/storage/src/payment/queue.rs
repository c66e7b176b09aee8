//! What waits for a worker: due payments and due messages. One row that nobody can read never keeps
//! a worker from the others.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use kernel::{OrderId, StoreError, Timestamp, from_micros, micros};
use payment_domain::model::OutboxMessage;
use payment_domain::port::DuePayment;

use super::journal::OutboxRow;
use super::schema::{payment_event, payment_outbox};
use crate::database::Database;
use crate::error::Fault;

pub(super) async fn due(
    database: &Database,
    now: Timestamp,
    after: Option<DuePayment>,
    limit: u32,
) -> Result<Vec<DuePayment>, StoreError> {
    // Every payment is behind this place.
    let start = after.map_or((i64::MIN, String::new()), |after| {
        (micros(after.due_at), after.order_id.to_string())
    });
    with_conn!(database, "list due payments", |connection| {
        let mut place = start.clone();
        loop {
            let (since, last) = &place;
            // The first two conditions bound the part of the index that is read.
            let query = payment_event::table
                .filter(payment_event::due_at.le(micros(now)))
                .filter(payment_event::due_at.ge(since))
                .filter(
                    payment_event::due_at
                        .gt(since)
                        .or(payment_event::order_id.gt(last)),
                )
                .order((payment_event::due_at, payment_event::order_id))
                .limit(i64::from(limit))
                .select((
                    payment_event::due_at.assume_not_null(),
                    payment_event::order_id,
                ));
            let rows: Vec<(i64, String)> = query.load(connection).await?;
            let end = rows.last().cloned();
            let payments = readable(rows, |(due_at, order_id)| {
                Ok(DuePayment {
                    due_at: from_micros(due_at),
                    order_id: OrderId::try_from(order_id)?,
                })
            });
            match end {
                Some(end) if payments.is_empty() => place = end,
                Some(_) | None => return Ok(payments),
            }
        }
    })
}

pub(super) async fn due_messages(
    database: &Database,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<OutboxMessage>, StoreError> {
    with_conn!(database, "list due messages", |connection| {
        let mut skipped = 0;
        loop {
            let query = payment_outbox::table
                .filter(payment_outbox::due_at.le(micros(now)))
                .order((
                    payment_outbox::due_at,
                    payment_outbox::order_id,
                    payment_outbox::fence,
                ))
                .limit(i64::from(limit))
                .offset(skipped)
                .select(OutboxRow::as_select());
            let rows: Vec<OutboxRow> = query.load(connection).await?;
            if rows.is_empty() {
                return Ok(Vec::new());
            }
            let messages = readable(rows, OutboxRow::decode);
            if !messages.is_empty() {
                return Ok(messages);
            }
            skipped += i64::from(limit);
        }
    })
}

/// The rows that can be read; the others are told to the operator, who alone can mend them.
pub(super) fn readable<Row, T>(rows: Vec<Row>, decode: fn(Row) -> Result<T, Fault>) -> Vec<T> {
    let read = rows.into_iter().map(decode);
    let tell =
        |fault: Fault| tracing::error!(?fault, "a stored row is passed over, mend it by hand");
    read.filter_map(|row| row.map_err(tell).ok()).collect()
}
