//! Payments: the tables `payment_event`, `payment_order`, `payment_attempt`, `payment_cancel`, `payment_history`,
//! `payment_transaction`, `payment_outbox`, `payment_quarantine`, `checkout_idempotency`,
//! `reconcile_run`, `reconcile_break` and `toss_webhook`.

mod batch;
mod cancels;
mod inbox;
mod journal;
mod queue;
mod reconcile;
mod records;
mod rows;
mod schema;
mod write;

use std::time::Duration;

use async_trait::async_trait;
use diesel::dsl::{count_star, min};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use kernel::{IdempotencyKey, OrderId, StoreError, Timestamp, UserId, from_micros, micros};
use payment_domain::model::{
    Attempt, Cancel, Change, HistoryEntry, OutboxKey, OutboxMessage, Payment, Transaction,
};
use payment_domain::port::{Applied, CheckoutKey, DuePayment, Inserted, PaymentRepository, Vitals};

use self::batch::PaymentAnswer;
pub(crate) use self::batch::PaymentUnit;
use self::cancels::CancelRow;
use self::journal::{AttemptRow, HistoryRow, OutboxRow, TransactionRow};
use self::rows::{LineRow, PaymentRow};
use self::schema::{
    checkout_idempotency, payment_attempt, payment_cancel, payment_event, payment_history,
    payment_order, payment_outbox, payment_quarantine, payment_transaction,
};
use crate::database::Database;
use crate::group::Turn;
use crate::transaction::End;

/// The repository of payments.
pub(crate) struct Payments {
    database: Database,
}

impl Payments {
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }
}

#[async_trait]
impl PaymentRepository for Payments {
    async fn insert<'a>(
        &self,
        payment: &Payment,
        key: Option<&'a CheckoutKey>,
    ) -> Result<Inserted, StoreError> {
        let group = match self.database.payment_turn() {
            Turn::Alone(_place) => return write::insert(&self.database, payment, key).await,
            Turn::Shared(group) => group,
        };
        let unit = PaymentUnit::Insert(Box::new(payment.clone()), key.cloned());
        match group.run(&self.database, unit).await? {
            PaymentAnswer::Inserted(inserted) => Ok(inserted),
            other => Err(other.misplaced(write::INSERT)),
        }
    }

    async fn find_checkout(
        &self,
        user_id: UserId,
        key: &IdempotencyKey,
    ) -> Result<Option<(OrderId, String)>, StoreError> {
        with_conn!(&self.database, "find a checkout", |connection| {
            let query = checkout_idempotency::table
                .find((user_id.get(), key.as_str()))
                .select((
                    checkout_idempotency::order_id,
                    checkout_idempotency::fingerprint,
                ));
            let row: Option<(String, String)> = query.first(connection).await.optional()?;
            let Some((order_id, fingerprint)) = row else {
                return Ok(None);
            };
            Ok(Some((OrderId::try_from(order_id)?, fingerprint)))
        })
    }

    async fn find(&self, order_id: &OrderId) -> Result<Option<Payment>, StoreError> {
        // One round trip. The payment's columns come once for each line, which costs less.
        with_conn!(&self.database, "find a payment", |connection| {
            let lines = payment_order::order_id.eq(payment_event::order_id);
            let query = payment_event::table
                .left_join(payment_order::table.on(lines))
                .filter(payment_event::order_id.eq(order_id.as_str()))
                .order(payment_order::line_no)
                .select((PaymentRow::as_select(), Option::<LineRow>::as_select()));
            let rows: Vec<(PaymentRow, Option<LineRow>)> = query.load(connection).await?;
            let (mut events, lines): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
            let Some(event) = events.pop() else {
                return Ok(None);
            };
            Ok(Some(event.decode(lines.into_iter().flatten().collect())?))
        })
    }

    async fn apply(&self, change: &Change) -> Result<Applied, StoreError> {
        let group = match self.database.payment_turn() {
            Turn::Alone(_place) => return write::apply(&self.database, change).await,
            Turn::Shared(group) => group,
        };
        let unit = PaymentUnit::Apply(Box::new(change.clone()));
        match group.run(&self.database, unit).await? {
            PaymentAnswer::Applied(applied) => Ok(applied),
            other => Err(other.misplaced(write::APPLY)),
        }
    }

    async fn due(
        &self,
        now: Timestamp,
        after: Option<DuePayment>,
        limit: u32,
    ) -> Result<Vec<DuePayment>, StoreError> {
        queue::due(&self.database, now, after, limit).await
    }

    async fn hasten(
        &self,
        longer_than: Duration,
        now: Timestamp,
        limit: u32,
    ) -> Result<usize, StoreError> {
        write::hasten(&self.database, longer_than, now, limit).await
    }

    async fn vitals(&self, now: Timestamp) -> Result<Vitals, StoreError> {
        with_conn!(&self.database, "count what is watched", |connection| {
            let quarantined = payment_quarantine::table.count();
            let due = payment_event::table.filter(payment_event::due_at.le(micros(now)));
            let messages = payment_outbox::table.filter(payment_outbox::due_at.le(micros(now)));
            let quarantined: i64 = quarantined.get_result(connection).await?;
            let (due, oldest_due): (i64, Option<i64>) = due
                .select((count_star(), min(payment_event::due_at)))
                .first(connection)
                .await?;
            let (messages_due, oldest_message): (i64, Option<i64>) = messages
                .select((count_star(), min(payment_outbox::due_at)))
                .first(connection)
                .await?;
            let count = |number: i64| u64::try_from(number).unwrap_or(0);
            Ok(Vitals {
                quarantined: count(quarantined),
                due: count(due),
                oldest_due: oldest_due.map(from_micros),
                messages_due: count(messages_due),
                oldest_message: oldest_message.map(from_micros),
            })
        })
    }

    async fn attempts(&self, order_id: &OrderId) -> Result<Vec<Attempt>, StoreError> {
        with_conn!(&self.database, "read a payment's attempts", |connection| {
            let query = payment_attempt::table
                .filter(payment_attempt::order_id.eq(order_id.as_str()))
                .order(payment_attempt::attempt_no)
                .select(AttemptRow::as_select());
            query
                .load(connection)
                .await?
                .into_iter()
                .map(AttemptRow::decode)
                .collect()
        })
    }

    async fn cancels(&self, order_id: &OrderId) -> Result<Vec<Cancel>, StoreError> {
        with_conn!(&self.database, "read a payment's cancels", |connection| {
            let query = payment_cancel::table
                .filter(payment_cancel::order_id.eq(order_id.as_str()))
                .order(payment_cancel::cancel_no)
                .select(CancelRow::as_select());
            query
                .load(connection)
                .await?
                .into_iter()
                .map(CancelRow::decode)
                .collect()
        })
    }

    async fn history(&self, order_id: &OrderId) -> Result<Vec<HistoryEntry>, StoreError> {
        with_conn!(&self.database, "read a payment's history", |connection| {
            let query = payment_history::table
                .filter(payment_history::order_id.eq(order_id.as_str()))
                .order(payment_history::fence)
                .select(HistoryRow::as_select());
            query
                .load(connection)
                .await?
                .into_iter()
                .map(HistoryRow::decode)
                .collect()
        })
    }

    async fn transactions(&self, order_id: &OrderId) -> Result<Vec<Transaction>, StoreError> {
        with_conn!(
            &self.database,
            "read a payment's transactions",
            |connection| {
                let query = payment_transaction::table
                    .filter(payment_transaction::order_id.eq(order_id.as_str()))
                    .order(payment_transaction::fence)
                    .select(TransactionRow::as_select());
                query
                    .load(connection)
                    .await?
                    .into_iter()
                    .map(TransactionRow::decode)
                    .collect()
            }
        )
    }

    async fn due_messages(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<OutboxMessage>, StoreError> {
        queue::due_messages(&self.database, now, limit).await
    }

    async fn messages_of(&self, order_id: &OrderId) -> Result<Vec<OutboxMessage>, StoreError> {
        with_conn!(&self.database, "list an order's messages", |connection| {
            let query = payment_outbox::table
                .filter(payment_outbox::order_id.eq(order_id.as_str()))
                .order(payment_outbox::fence)
                .select(OutboxRow::as_select());
            query
                .load(connection)
                .await?
                .into_iter()
                .map(OutboxRow::decode)
                .collect()
        })
    }

    async fn message_delivered(&self, key: &OutboxKey) -> Result<(), StoreError> {
        let group = match self.database.payment_turn() {
            Turn::Alone(_place) => return write::delivered(&self.database, key).await,
            Turn::Shared(group) => group,
        };
        let unit = PaymentUnit::Delivered(key.clone());
        match group.run(&self.database, unit).await? {
            PaymentAnswer::Delivered => Ok(()),
            other => Err(other.misplaced(write::DELIVERED)),
        }
    }

    async fn message_failed(&self, key: &OutboxKey, retry_at: Timestamp) -> Result<(), StoreError> {
        with_tx!(&self.database, "put a message off", |connection| {
            let message = payment_outbox::table.find((key.order_id.as_str(), key.fence.get()));
            diesel::update(message)
                .set((
                    payment_outbox::due_at.eq(micros(retry_at)),
                    payment_outbox::failures.eq(payment_outbox::failures + 1),
                ))
                .execute(connection)
                .await?;
            Ok(End::Commit(()))
        })
    }
}
