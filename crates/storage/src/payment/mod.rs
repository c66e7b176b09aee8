//! Payments: the tables `payment_event`, `payment_order`, `payment_attempt`, `payment_history`,
//! `payment_transaction`, `payment_outbox`, `checkout_idempotency`, `reconcile_run` and
//! `reconcile_break`.

mod journal;
mod reconcile;
mod rows;
mod schema;
mod write;

use async_trait::async_trait;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use kernel::{IdempotencyKey, OrderId, StoreError, Timestamp, UserId, micros};
use payment_domain::model::{
    Attempt, Change, HistoryEntry, OutboxKey, OutboxMessage, Payment, Transaction,
};
use payment_domain::port::{Applied, CheckoutKey, Inserted, PaymentRepository};

use self::journal::{AttemptRow, HistoryRow, OutboxRow, TransactionRow};
use self::rows::{LineRow, PaymentRow};
use self::schema::{
    checkout_idempotency, payment_attempt, payment_event, payment_history, payment_order,
    payment_outbox, payment_transaction,
};
use crate::database::Database;
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
        write::insert(&self.database, payment, key).await
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
        // Two queries without a transaction: lines are stored with their payment and never change.
        with_conn!(&self.database, "find a payment", |connection| {
            let query = payment_event::table
                .find(order_id.as_str())
                .select(PaymentRow::as_select());
            let Some(row) = query.first(connection).await.optional()? else {
                return Ok(None);
            };
            let lines = payment_order::table
                .filter(payment_order::order_id.eq(order_id.as_str()))
                .order(payment_order::line_no)
                .select(LineRow::as_select());
            Ok(Some(row.decode(lines.load(connection).await?)?))
        })
    }

    async fn apply(&self, change: &Change) -> Result<Applied, StoreError> {
        write::apply(&self.database, change).await
    }

    async fn due(&self, now: Timestamp, limit: u32) -> Result<Vec<OrderId>, StoreError> {
        with_conn!(&self.database, "list due payments", |connection| {
            let query = payment_event::table
                .filter(payment_event::due_at.le(micros(now)))
                .order((payment_event::due_at, payment_event::order_id))
                .limit(i64::from(limit))
                .select(payment_event::order_id);
            let ids: Vec<String> = query.load(connection).await?;
            Ok(ids
                .into_iter()
                .map(OrderId::try_from)
                .collect::<Result<_, _>>()?)
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
        with_conn!(&self.database, "list due messages", |connection| {
            let query = payment_outbox::table
                .filter(payment_outbox::due_at.le(micros(now)))
                .order((
                    payment_outbox::due_at,
                    payment_outbox::order_id,
                    payment_outbox::fence,
                ))
                .limit(i64::from(limit))
                .select(OutboxRow::as_select());
            query
                .load(connection)
                .await?
                .into_iter()
                .map(OutboxRow::decode)
                .collect()
        })
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
        with_tx!(&self.database, "remove a delivered message", |connection| {
            let message = payment_outbox::table.find((key.order_id.as_str(), key.fence.get()));
            diesel::delete(message).execute(connection).await?;
            Ok(End::Commit(()))
        })
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
