//! `toss_webhook`: the inbox of Toss's webhooks.

use async_trait::async_trait;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use kernel::{OrderId, StoreError, Timestamp, from_micros, micros};
use payment_domain::port::{Inbox, InboxEntry, Notice, NoticeState, Noticed};

use super::Payments;
use super::rows::{count, moment};
use super::schema::toss_webhook;
use crate::bulk::Reused;
use crate::error::{Fault, is_taken};
use crate::transaction::End;

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = toss_webhook, treat_none_as_default_value = false)]
struct NoticeRow {
    webhook_id: String,
    event_type: String,
    order_id: Option<String>,
    received_at: i64,
    state: String,
    due_at: Option<i64>,
    tries: i64,
    note: Option<String>,
}

impl NoticeRow {
    fn encode(notice: &Notice) -> Self {
        Self {
            webhook_id: notice.id.clone(),
            event_type: notice.event_type.clone(),
            order_id: notice.order_id.as_ref().map(ToString::to_string),
            received_at: micros(notice.received_at),
            state: NoticeState::Received.as_str().to_owned(),
            due_at: Some(micros(notice.received_at)),
            tries: 0,
            note: None,
        }
    }

    fn decode(self) -> Result<InboxEntry, Fault> {
        let state = NoticeState::parse(&self.state)
            .ok_or_else(|| Fault::corrupt(format!("a webhook is {}", self.state)))?;
        Ok(InboxEntry {
            notice: Notice {
                id: self.webhook_id,
                event_type: self.event_type,
                order_id: self.order_id.map(OrderId::try_from).transpose()?,
                received_at: from_micros(self.received_at),
            },
            state,
            due_at: moment(self.due_at),
            tries: count(self.tries)?,
            note: self.note,
        })
    }
}

#[async_trait]
impl Inbox for Payments {
    async fn store(&self, notice: &Notice) -> Result<Noticed, StoreError> {
        // It may as well run twice: the second time it is known.
        write_once!(&self.database, "store a webhook", |connection| {
            let insert = diesel::insert_into(toss_webhook::table).values(NoticeRow::encode(notice));
            match insert.execute(connection).await {
                Ok(_) => Ok(Noticed::New),
                Err(error) if is_taken(&error) => Ok(Noticed::Known),
                Err(error) => Err(error.into()),
            }
        })
    }

    async fn due_notices(&self, now: Timestamp, limit: u32) -> Result<Vec<InboxEntry>, StoreError> {
        with_conn!(&self.database, "list due webhooks", |connection| {
            let query = toss_webhook::table
                .filter(toss_webhook::due_at.le(micros(now)))
                .order((toss_webhook::due_at, toss_webhook::webhook_id))
                .limit(i64::from(limit))
                .select(NoticeRow::as_select());
            let rows: Vec<NoticeRow> = query.load(connection).await?;
            rows.into_iter().map(NoticeRow::decode).collect()
        })
    }

    async fn take(&self, entry: &InboxEntry, until: Timestamp) -> Result<bool, StoreError> {
        with_tx!(&self.database, "take a webhook", |connection| {
            let due = toss_webhook::table
                .find(entry.notice.id.as_str())
                .filter(toss_webhook::due_at.eq(entry.due_at.map(micros)));
            let update = diesel::update(due).set(toss_webhook::due_at.eq(micros(until)));
            let taken = Reused(update).execute(connection).await?;
            Ok(End::Commit(taken == 1))
        })
    }

    async fn settle(&self, entry: &InboxEntry) -> Result<(), StoreError> {
        write_once!(&self.database, "settle a webhook", |connection| {
            let row = toss_webhook::table.find(entry.notice.id.as_str());
            let update = diesel::update(row).set((
                toss_webhook::state.eq(entry.state.as_str()),
                toss_webhook::due_at.eq(entry.due_at.map(micros)),
                toss_webhook::tries.eq(i64::from(entry.tries)),
                toss_webhook::note.eq(entry.note.as_deref()),
            ));
            Reused(update).execute(connection).await?;
            Ok(())
        })
    }

    async fn notices(
        &self,
        state: NoticeState,
        after: Option<String>,
        limit: u32,
    ) -> Result<Vec<InboxEntry>, StoreError> {
        let after = after.unwrap_or_default();
        with_conn!(&self.database, "list webhooks", |connection| {
            let query = toss_webhook::table
                .filter(toss_webhook::state.eq(state.as_str()))
                .filter(toss_webhook::webhook_id.gt(after.as_str()))
                .order(toss_webhook::webhook_id)
                .limit(i64::from(limit))
                .select(NoticeRow::as_select());
            let rows: Vec<NoticeRow> = query.load(connection).await?;
            rows.into_iter().map(NoticeRow::decode).collect()
        })
    }

    async fn redrive(&self, id: &str, now: Timestamp) -> Result<bool, StoreError> {
        with_tx!(&self.database, "redrive a webhook", |connection| {
            let dead = toss_webhook::table
                .find(id)
                .filter(toss_webhook::state.eq(NoticeState::Dead.as_str()));
            let update = diesel::update(dead).set((
                toss_webhook::state.eq(NoticeState::Received.as_str()),
                toss_webhook::due_at.eq(micros(now)),
                toss_webhook::tries.eq(0),
            ));
            let found = Reused(update).execute(connection).await?;
            Ok(End::Commit(found == 1))
        })
    }

    async fn forget(&self, before: Timestamp, limit: u32) -> Result<usize, StoreError> {
        with_tx!(&self.database, "forget webhooks", |connection| {
            // MySQL takes no LIMIT in a subquery, so the rows are chosen first.
            let old: Vec<String> = toss_webhook::table
                .filter(toss_webhook::received_at.lt(micros(before)))
                .filter(toss_webhook::state.eq(NoticeState::Done.as_str()))
                .order(toss_webhook::received_at)
                .limit(i64::from(limit))
                .select(toss_webhook::webhook_id)
                .load(connection)
                .await?;
            if old.is_empty() {
                return Ok(End::RollBack(0));
            }
            let rows = toss_webhook::table.filter(toss_webhook::webhook_id.eq_any(&old));
            let forgotten = diesel::delete(rows).execute(connection).await?;
            Ok(End::Commit(forgotten))
        })
    }
}
