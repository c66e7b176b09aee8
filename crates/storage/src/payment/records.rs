//! Payments as operators read them.

use async_trait::async_trait;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};
use diesel_async::RunQueryDsl;
use kernel::{Fence, Money, OrderId, PaymentKey, StoreError, UserId, from_micros, micros};
use payment_domain::model::{HistoryEntry, PaymentStatus, Records};
use payment_domain::port::{
    PaymentFilter, PaymentPage, PaymentRecord, PaymentRecords, PaymentSummary, Place,
};

use super::Payments;
use super::journal::{AttemptRow, HistoryRow, TransactionRow};
use super::queue::readable;
use super::rows::{moment, status};
use super::schema::{payment_attempt, payment_event, payment_history, payment_transaction};
use crate::error::Fault;

/// In the order in which `summary!` selects.
#[derive(Queryable)]
struct SummaryRow {
    order_id: String,
    order_name: String,
    user_id: i64,
    total_amount: i64,
    balance_amount: i64,
    status: String,
    fence: i64,
    payment_key: Option<String>,
    method: Option<String>,
    created_at: i64,
    approved_at: Option<i64>,
    updated_at: i64,
}

impl SummaryRow {
    fn decode(self) -> Result<PaymentSummary, Fault> {
        Ok(PaymentSummary {
            order_id: OrderId::try_from(self.order_id)?,
            order_name: self.order_name,
            user_id: UserId::new(self.user_id)?,
            total: Money::from_won(self.total_amount)?,
            balance: Money::from_won(self.balance_amount)?,
            status: status(&self.status)?,
            fence: Fence::from_stored(self.fence),
            payment_key: self.payment_key.map(PaymentKey::try_from).transpose()?,
            method: self.method,
            created_at: from_micros(self.created_at),
            approved_at: moment(self.approved_at),
            updated_at: from_micros(self.updated_at),
        })
    }
}

/// The columns of a [`SummaryRow`], with this expression for the order's id.
macro_rules! summary {
    ($order_id:expr) => {
        (
            $order_id,
            payment_event::order_name,
            payment_event::user_id,
            payment_event::total_amount,
            payment_event::balance_amount,
            payment_event::status,
            payment_event::fence,
            payment_event::payment_key,
            payment_event::method,
            payment_event::created_at,
            payment_event::approved_at,
            payment_event::updated_at,
        )
    };
}

/// The order's id, behind what tells MySQL along which index to go. Its planner takes a status that
/// is frequent for one that is frequent everywhere, and would look for it along all payments.
const BY_TIME: &str = "/*+ INDEX(payment_event payment_event_created_at) */ payment_event.order_id";
const BY_STATUS: &str =
    "/*+ INDEX(payment_event payment_event_status_created_at) */ payment_event.order_id";
const BY_USER: &str =
    "/*+ INDEX(payment_event payment_event_user_created_at) */ payment_event.order_id";

/// The rows of one page, newest first: `listing!(&filter, Some((created_at, order_id)), rows)`.
///
/// A list by status goes along the index that begins with it, a list by buyer along the buyers',
/// every other along the time of checkout; each has the list's order, so nothing is sorted. Without
/// statistics SQLite cannot know that one buyer has fewer payments than one status: where both are
/// given, the `+` keeps it from the status's index. To MySQL it means nothing.
macro_rules! listing {
    ($filter:expr, $place:expr, $limit:expr) => {{
        let filter: &PaymentFilter = $filter;
        let place: Option<(i64, &str)> = $place;
        let order_id = match (filter.user_id, filter.status) {
            (None, None) => BY_TIME,
            (None, Some(_)) => BY_STATUS,
            (Some(_), _) => BY_USER,
        };
        let mut query = payment_event::table
            .select(summary!(sql::<Text>(order_id)))
            .order((
                payment_event::created_at.desc(),
                payment_event::order_id.desc(),
            ))
            .limit($limit)
            .into_boxed();
        let status = filter.status.map(PaymentStatus::as_str);
        match (filter.user_id, status) {
            (None, None) => {}
            (None, Some(status)) => query = query.filter(payment_event::status.eq(status)),
            (Some(user), None) => query = query.filter(payment_event::user_id.eq(user.get())),
            (Some(user), Some(status)) => {
                query = query
                    .filter(payment_event::user_id.eq(user.get()))
                    .filter(sql::<Bool>("+payment_event.status = ").bind::<Text, _>(status));
            }
        }
        if let Some(from) = filter.created_from {
            query = query.filter(payment_event::created_at.ge(micros(from)));
        }
        if let Some(until) = filter.created_until {
            query = query.filter(payment_event::created_at.lt(micros(until)));
        }
        if let Some((at, id)) = place {
            // The first comparison bounds the index range; the second alone would not.
            query = query.filter(payment_event::created_at.le(at)).filter(
                payment_event::created_at
                    .lt(at)
                    .or(payment_event::order_id.lt(id)),
            );
        }
        query
    }};
}

#[async_trait]
impl PaymentRecords for Payments {
    async fn page(
        &self,
        filter: &PaymentFilter,
        after: Option<&Place>,
        limit: u32,
    ) -> Result<PaymentPage, StoreError> {
        let rows_max = usize::try_from(limit).unwrap_or(usize::MAX);
        let start = after.map(|place| (micros(place.created_at), place.order_id.to_string()));
        with_conn!(&self.database, "list payments", |connection| {
            let mut place = start.clone();
            loop {
                let place_now = place.as_ref().map(|(at, id)| (*at, id.as_str()));
                // One more than is shown tells whether there is another page.
                let query = listing!(filter, place_now, i64::from(limit) + 1);
                let mut rows: Vec<SummaryRow> = query.load(connection).await?;
                let is_all = rows.len() <= rows_max;
                rows.truncate(rows_max);
                let end = rows
                    .last()
                    .map(|row| (row.created_at, row.order_id.clone()));
                let payments = readable(rows, SummaryRow::decode);
                let last = payments.last().map(PaymentSummary::place);
                match last {
                    None if !is_all => place = end,
                    last => {
                        let next = last.filter(|_| !is_all);
                        return Ok(PaymentPage { payments, next });
                    }
                }
            }
        })
    }

    async fn record(&self, order_id: &OrderId) -> Result<Option<PaymentRecord>, StoreError> {
        let id = order_id.as_str();
        with_conn!(&self.database, "read a payment's records", |connection| {
            // Four queries without a transaction: the row first, so that it is no newer than the
            // history, and then of the movements those that the history knows. All are only ever
            // added to, except for the end of an attempt.
            let row = payment_event::table
                .find(id)
                .select(summary!(payment_event::order_id));
            let Some(row) = row.first::<SummaryRow>(connection).await.optional()? else {
                return Ok(None);
            };
            let payment = row.decode()?;
            let history = payment_history::table
                .filter(payment_history::order_id.eq(id))
                .order(payment_history::fence)
                .select(HistoryRow::as_select());
            let history: Vec<HistoryEntry> =
                decoded(history.load(connection).await?, HistoryRow::decode)?;
            let known = history.last().map_or(0, |last| last.fence.get());
            let movements = payment_transaction::table
                .filter(payment_transaction::order_id.eq(id))
                .filter(payment_transaction::fence.le(known))
                .order(payment_transaction::fence)
                .select(TransactionRow::as_select());
            let movements = decoded(
                movements.load(connection).await?,
                TransactionRow::decode_movement,
            )?;
            let attempts = payment_attempt::table
                .filter(payment_attempt::order_id.eq(id))
                .order(payment_attempt::attempt_no)
                .select(AttemptRow::as_select());
            let attempts = decoded(attempts.load(connection).await?, AttemptRow::decode)?;
            let records = Records {
                history,
                attempts,
                movements,
            };
            Ok(Some(PaymentRecord { payment, records }))
        })
    }

    async fn last_change(&self, order_id: &OrderId) -> Result<Option<HistoryEntry>, StoreError> {
        with_conn!(
            &self.database,
            "read a payment's last change",
            |connection| {
                let query = payment_history::table
                    .filter(payment_history::order_id.eq(order_id.as_str()))
                    .order(payment_history::fence.desc())
                    .select(HistoryRow::as_select());
                let row = query.first(connection).await.optional()?;
                row.map(HistoryRow::decode).transpose()
            }
        )
    }

    async fn changes(
        &self,
        order_id: &OrderId,
        after: Fence,
        limit: u32,
    ) -> Result<Vec<HistoryEntry>, StoreError> {
        with_conn!(&self.database, "read a payment's changes", |connection| {
            let query = payment_history::table
                .filter(payment_history::order_id.eq(order_id.as_str()))
                .filter(payment_history::fence.gt(after.get()))
                .order(payment_history::fence)
                .limit(i64::from(limit))
                .select(HistoryRow::as_select());
            decoded(query.load(connection).await?, HistoryRow::decode)
        })
    }
}

/// All rows, or why one of them makes no sense.
fn decoded<Row, T>(rows: Vec<Row>, decode: fn(Row) -> Result<T, Fault>) -> Result<Vec<T>, Fault> {
    rows.into_iter().map(decode).collect()
}

#[cfg(test)]
mod tests;
