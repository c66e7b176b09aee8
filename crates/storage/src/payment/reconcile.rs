//! The books as a reconciliation reads them, and what it found.

use std::collections::HashMap;

use async_trait::async_trait;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use kernel::{
    Fence, Money, OrderId, PaymentKey, ProductId, StoreError, Timestamp, from_micros, micros,
};
use payment_domain::model::{Books, FindingKind, Period, Undelivered};
use payment_domain::port::{Found, Place, ReconcileRepository, Run, Scope, Totals};

use super::Payments;
use super::rows::{count, moment, status};
use super::schema::{
    payment_event, payment_outbox, payment_transaction, reconcile_break, reconcile_run,
};
use crate::error::Fault;
use crate::transaction::End;

#[derive(Queryable, Selectable)]
#[diesel(table_name = payment_event)]
struct BooksRow {
    order_id: String,
    total_amount: i64,
    created_at: i64,
    balance_amount: i64,
    status: String,
    fence: i64,
    due_at: Option<i64>,
    attempts: i64,
    payment_key: Option<String>,
    updated_at: i64,
}

/// What the other tables add to a payment's books.
#[derive(Clone, Copy, Default)]
struct Beside {
    approved_won: i64,
    moved_won: i64,
    undelivered: Option<Undelivered>,
}

impl BooksRow {
    fn decode(self, beside: Beside) -> Result<Books, Fault> {
        Ok(Books {
            order_id: OrderId::try_from(self.order_id)?,
            total: Money::from_won(self.total_amount)?,
            balance: Money::from_won(self.balance_amount)?,
            status: status(&self.status)?,
            fence: Fence::from_stored(self.fence),
            due_at: moment(self.due_at),
            attempts: count(self.attempts)?,
            payment_key: self.payment_key.map(PaymentKey::try_from).transpose()?,
            created_at: from_micros(self.created_at),
            updated_at: from_micros(self.updated_at),
            approved_won: beside.approved_won,
            moved_won: beside.moved_won,
            undelivered: beside.undelivered,
        })
    }
}

/// Sums up what these payments moved and what waits in their outbox: `Vec<Books>` in the rows'
/// order.
macro_rules! completed {
    ($connection:ident, $rows:expr) => {{
        let rows: Vec<BooksRow> = $rows;
        let ids: Vec<String> = rows.iter().map(|row| row.order_id.clone()).collect();
        let mut beside: HashMap<String, Beside> = HashMap::new();
        let moved = payment_transaction::table
            .filter(payment_transaction::order_id.eq_any(&ids))
            .select((payment_transaction::order_id, payment_transaction::amount));
        let moved: Vec<(String, i64)> = moved.load($connection).await?;
        for (id, won) in moved {
            let sums = beside.entry(id).or_default();
            sums.moved_won = sums.moved_won.saturating_add(won);
            sums.approved_won = sums.approved_won.saturating_add(won.max(0));
        }
        let waiting = payment_outbox::table
            .filter(payment_outbox::order_id.eq_any(&ids))
            .order((payment_outbox::order_id, payment_outbox::fence.desc()))
            .select((
                payment_outbox::order_id,
                payment_outbox::due_at,
                payment_outbox::failures,
            ));
        let waiting: Vec<(String, i64, i64)> = waiting.load($connection).await?;
        for (id, due_at, failures) in waiting {
            // The oldest comes last, and stays.
            beside.entry(id).or_default().undelivered = Some(Undelivered {
                due_at: from_micros(due_at),
                failures: count(failures)?,
            });
        }
        rows.into_iter()
            .map(|row| {
                let beside = beside.get(&row.order_id).copied().unwrap_or_default();
                row.decode(beside)
            })
            .collect::<Result<Vec<Books>, Fault>>()
    }};
}

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = reconcile_run, treat_none_as_null = true, treat_none_as_default_value = false)]
struct RunRow {
    run_id: String,
    period_from: i64,
    period_to: i64,
    mends: i64,
    started_at: i64,
    finished_at: Option<i64>,
    payments: i64,
    transactions: i64,
    products: i64,
    breaks: i64,
    pending: i64,
    unasked: i64,
    mended: i64,
}

impl RunRow {
    fn encode(run: &Run) -> Self {
        let stored = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let totals = &run.totals;
        Self {
            run_id: run.id.clone(),
            period_from: micros(run.period.from()),
            period_to: micros(run.period.to()),
            mends: run.mends.into(),
            started_at: micros(run.started_at),
            finished_at: run.finished_at.map(micros),
            payments: stored(totals.payments),
            transactions: stored(totals.transactions),
            products: stored(totals.products),
            breaks: stored(totals.breaks),
            pending: stored(totals.pending),
            unasked: stored(totals.unasked),
            mended: stored(totals.mended),
        }
    }

    fn decode(self) -> Result<Run, Fault> {
        let (from, to): (Timestamp, Timestamp) =
            (from_micros(self.period_from), from_micros(self.period_to));
        let counted = |stored: i64| u64::try_from(stored).unwrap_or_default();
        Ok(Run {
            id: self.run_id,
            period: Period::new(from, to).map_err(|error| Fault::Corrupt(error.into()))?,
            mends: self.mends != 0,
            started_at: from_micros(self.started_at),
            finished_at: moment(self.finished_at),
            totals: Totals {
                payments: counted(self.payments),
                transactions: counted(self.transactions),
                products: counted(self.products),
                breaks: counted(self.breaks),
                pending: counted(self.pending),
                unasked: counted(self.unasked),
                mended: counted(self.mended),
            },
        })
    }
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = reconcile_break, treat_none_as_default_value = false)]
struct BreakRow {
    run_id: String,
    break_no: i64,
    kind: String,
    order_id: Option<String>,
    product_id: Option<i64>,
    detail: String,
    action: Option<String>,
    mended: i64,
}

impl BreakRow {
    fn encode(run_id: &str, break_no: i64, found: &Found) -> Self {
        Self {
            run_id: run_id.to_owned(),
            break_no,
            kind: found.kind.as_str().to_owned(),
            order_id: found.order_id.clone(),
            product_id: found.product_id.map(ProductId::get),
            detail: found.detail.clone(),
            action: found.action.clone(),
            mended: found.mended.into(),
        }
    }

    fn decode(self) -> Result<Found, Fault> {
        let kind = FindingKind::parse(&self.kind)
            .ok_or_else(|| Fault::corrupt(format!("a break is {}", self.kind)))?;
        Ok(Found {
            kind,
            order_id: self.order_id,
            product_id: self.product_id.map(ProductId::new).transpose()?,
            detail: self.detail,
            action: self.action,
            mended: self.mended != 0,
        })
    }
}

#[async_trait]
impl ReconcileRepository for Payments {
    async fn walk(
        &self,
        scope: &Scope,
        after: Option<&Place>,
        limit: u32,
    ) -> Result<Vec<Books>, StoreError> {
        // A place before every other where there is none yet.
        let (at, id) = match after {
            Some(place) => (micros(place.created_at), place.order_id.as_str()),
            None => (micros(scope.created_from), ""),
        };
        let (changed_from, until) = (micros(scope.changed_from), micros(scope.until));
        with_conn!(&self.database, "walk through the payments", |connection| {
            // The first comparison bounds the index range; the second alone would not.
            let query = payment_event::table
                .filter(payment_event::created_at.ge(at))
                .filter(
                    payment_event::created_at
                        .gt(at)
                        .or(payment_event::order_id.gt(id)),
                )
                .filter(payment_event::created_at.lt(until))
                .filter(payment_event::updated_at.ge(changed_from))
                .order((payment_event::created_at, payment_event::order_id))
                .limit(i64::from(limit))
                .select(BooksRow::as_select());
            completed!(connection, query.load(connection).await?)
        })
    }

    async fn books(&self, order_ids: &[OrderId]) -> Result<Vec<Books>, StoreError> {
        if order_ids.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<_> = order_ids.iter().map(OrderId::as_str).collect();
        with_conn!(&self.database, "read the payments' books", |connection| {
            let query = payment_event::table
                .filter(payment_event::order_id.eq_any(&ids))
                .select(BooksRow::as_select());
            completed!(connection, query.load(connection).await?)
        })
    }

    async fn begin_run(&self, run: &Run) -> Result<(), StoreError> {
        with_tx!(&self.database, "begin a reconciliation", |connection| {
            diesel::insert_into(reconcile_run::table)
                .values(RunRow::encode(run))
                .execute(connection)
                .await?;
            Ok(End::Commit(()))
        })
    }

    async fn add_breaks(
        &self,
        run_id: &str,
        first: u64,
        breaks: &[Found],
    ) -> Result<(), StoreError> {
        let first = i64::try_from(first).unwrap_or(i64::MAX);
        let numbered = || (first..).zip(breaks);
        with_tx!(&self.database, "store breaks", |connection| {
            for (number, found) in numbered() {
                let same = reconcile_break::table.find((run_id, number));
                diesel::delete(same).execute(connection).await?;
                diesel::insert_into(reconcile_break::table)
                    .values(BreakRow::encode(run_id, number, found))
                    .execute(connection)
                    .await?;
            }
            Ok(End::Commit(()))
        })
    }

    async fn end_run(&self, run: &Run) -> Result<(), StoreError> {
        with_tx!(&self.database, "end a reconciliation", |connection| {
            diesel::update(reconcile_run::table.find(&run.id))
                .set(RunRow::encode(run))
                .execute(connection)
                .await?;
            Ok(End::Commit(()))
        })
    }

    async fn run(&self, run_id: &str) -> Result<Option<Run>, StoreError> {
        with_conn!(&self.database, "read a reconciliation", |connection| {
            let query = reconcile_run::table
                .find(run_id)
                .select(RunRow::as_select());
            let row = query.first(connection).await.optional()?;
            row.map(RunRow::decode).transpose()
        })
    }

    async fn breaks(&self, run_id: &str, first: u64, limit: u32) -> Result<Vec<Found>, StoreError> {
        let first = i64::try_from(first).unwrap_or(i64::MAX);
        with_conn!(&self.database, "read breaks", |connection| {
            let query = reconcile_break::table
                .filter(reconcile_break::run_id.eq(run_id))
                .filter(reconcile_break::break_no.ge(first))
                .order(reconcile_break::break_no)
                .limit(i64::from(limit))
                .select(BreakRow::as_select());
            let rows = query.load(connection).await?;
            rows.into_iter().map(BreakRow::decode).collect()
        })
    }
}
