use std::time::Duration;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use kernel::{StoreError, Timestamp, micros};
use payment_domain::model::{AttemptChange, Change, OutboxKey, Payment, PaymentStatus};
use payment_domain::port::{Applied, CheckoutKey, Inserted};

use super::cancels::CancelRow;
use super::journal::{
    AttemptEnd, AttemptRow, HistoryRow, OutboxRow, QuarantineRow, TransactionRow,
};
use super::rows::{CheckoutKeyRow, LineRow, PaymentRow, PaymentState};
use super::schema::{
    checkout_idempotency, payment_attempt, payment_event, payment_history, payment_outbox,
    payment_quarantine, payment_transaction,
};
use crate::bulk::{Inserts as _, Replaces as _, Reused};
use crate::database::Database;
use crate::error::{Fault, is_taken};
use crate::transaction::End;

/// What is being done, for errors.
pub(super) const INSERT: &str = "store a payment";
pub(super) const APPLY: &str = "store a change of a payment";
pub(super) const DELIVERED: &str = "remove a delivered message";

/// The key comes first: of many checkouts under one key, its primary key lets one through, and the
/// others wait for that one's end and then read whose it is.
pub(super) async fn insert(
    database: &Database,
    payment: &Payment,
    key: Option<&CheckoutKey>,
) -> Result<Inserted, StoreError> {
    with_tx!(database, INSERT, |connection| {
        if let Some(key) = key {
            let inserted = diesel::insert_into(checkout_idempotency::table)
                .values(CheckoutKeyRow::encode(key, payment))
                .execute(connection)
                .await;
            match inserted {
                Ok(_) => {}
                Err(error) if is_taken(&error) => {
                    let owner = checkout_idempotency::table
                        .find((key.user_id.get(), key.key.as_str()))
                        .select(CheckoutKeyRow::as_select());
                    let owner: Option<CheckoutKeyRow> = owner.first(connection).await.optional()?;
                    // Gone again: somebody tidied up in between.
                    let owner = owner.ok_or(Fault::Conflict(error.into()))?;
                    return Ok(End::RollBack(owner.taken()?));
                }
                Err(error) => return Err(error.into()),
            }
        }
        let event = PaymentRow::encode(payment)?;
        diesel::insert_into(payment_event::table)
            .values(event)
            .execute(connection)
            .await?;
        let lines: Vec<LineRow> = LineRow::encode_all(payment);
        connection.insert_all(lines).await?;
        let entry = HistoryRow::encode(&payment.order_id, &payment.checked_out_entry());
        diesel::insert_into(payment_history::table)
            .values(entry)
            .execute(connection)
            .await?;
        Ok(End::Commit(Inserted::Stored))
    })
}

/// One conditional update decides; what else the change brings follows only if it hit.
pub(super) async fn apply(database: &Database, change: &Change) -> Result<Applied, StoreError> {
    let id = &change.after.order_id;
    with_tx!(database, APPLY, |connection| {
        let expected = payment_event::table
            .find(id.as_str())
            .filter(payment_event::status.eq(change.expected_status.as_str()))
            .filter(payment_event::fence.eq(change.expected_fence.get()));
        let state = PaymentState::encode(&change.after)?;
        let update = Reused(diesel::update(expected).set(state));
        if update.execute(connection).await? == 0 {
            return Ok(End::RollBack(Applied::Stale));
        }
        let entry = HistoryRow::encode(id, &change.history);
        diesel::insert_into(payment_history::table)
            .values(entry)
            .execute(connection)
            .await?;
        match &change.attempt {
            None => {}
            Some(AttemptChange::Start(attempt)) => {
                let row = AttemptRow::encode(id, attempt);
                diesel::insert_into(payment_attempt::table)
                    .values(row)
                    .execute(connection)
                    .await?;
            }
            Some(AttemptChange::Finish { number, result }) => {
                let end = AttemptEnd::encode(Some(result), Some(micros(change.history.at)));
                let attempt = payment_attempt::table.find((id.as_str(), i64::from(*number)));
                let update = Reused(diesel::update(attempt).set(end));
                if update.execute(connection).await? == 0 {
                    return Err(Fault::corrupt(format!(
                        "order {id} has no attempt {number}"
                    )));
                }
            }
        }
        if let Some(cancel) = &change.cancel {
            let row = CancelRow::encode(id, cancel)?;
            connection.replace_all(vec![row]).await?;
        }
        let was_quarantined = change.expected_status == PaymentStatus::Quarantined;
        let is_quarantined = change.after.status == PaymentStatus::Quarantined;
        if is_quarantined && !was_quarantined {
            diesel::insert_into(payment_quarantine::table)
                .values(QuarantineRow::encode(change))
                .execute(connection)
                .await?;
        } else if was_quarantined && !is_quarantined {
            diesel::delete(payment_quarantine::table.find(id.as_str()))
                .execute(connection)
                .await?;
        }
        if let Some(transaction) = &change.transaction {
            let row = TransactionRow::encode(change, transaction);
            diesel::insert_into(payment_transaction::table)
                .values(row)
                .execute(connection)
                .await?;
        }
        if let Some(instruction) = change.stock {
            let row = OutboxRow::encode(change, instruction);
            diesel::insert_into(payment_outbox::table)
                .values(row)
                .execute(connection)
                .await?;
        }
        Ok(End::Commit(Applied::Yes))
    })
}

pub(super) async fn delivered(database: &Database, key: &OutboxKey) -> Result<(), StoreError> {
    write_once!(database, DELIVERED, |connection| {
        let message = payment_outbox::table.find((key.order_id.as_str(), key.fence.get()));
        Reused(diesel::delete(message)).execute(connection).await?;
        Ok(())
    })
}

/// MySQL takes no LIMIT in the subquery of an UPDATE, so the rows are chosen first; whoever moved
/// one of them in between is left alone.
pub(super) async fn hasten(
    database: &Database,
    longer_than: Duration,
    now: Timestamp,
    limit: u32,
) -> Result<usize, StoreError> {
    let pause = i64::try_from(longer_than.as_micros()).unwrap_or(i64::MAX / 2);
    with_tx!(database, "hasten undecided payments", |connection| {
        let pausing = || {
            payment_event::table
                .filter(payment_event::status.eq(PaymentStatus::Unknown.as_str()))
                .filter(payment_event::due_at.gt(micros(now)))
                .filter(payment_event::due_at.gt((payment_event::updated_at + pause).nullable()))
        };
        let chosen: Vec<String> = pausing()
            .order(payment_event::order_id)
            .limit(i64::from(limit))
            .select(payment_event::order_id)
            .load(connection)
            .await?;
        if chosen.is_empty() {
            return Ok(End::RollBack(0));
        }
        let hastened = diesel::update(pausing().filter(payment_event::order_id.eq_any(chosen)))
            .set(payment_event::due_at.eq(micros(now)))
            .execute(connection)
            .await?;
        Ok(End::Commit(hastened))
    })
}
