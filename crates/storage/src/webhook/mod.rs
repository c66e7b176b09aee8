//! Webhooks to merchants: the tables `webhook_endpoint`, `webhook_event` and `webhook_delivery`.

mod rows;
mod schema;

use std::collections::BTreeSet;

use async_trait::async_trait;
use diesel::dsl::{count_star, min, sql};
use diesel::prelude::*;
use diesel::sql_types::Bool;
use diesel_async::RunQueryDsl;
use kernel::{StoreError, Timestamp, from_micros, micros};
use webhook_domain::model::{
    Delivery, DeliveryState, ENDPOINTS_MAX, Endpoint, EndpointState, Event,
};
use webhook_domain::{DeliveryFilter, Due, Vitals, WebhookRepository};

use self::rows::{DeliveryProgress, DeliveryRow, EndpointRow, EndpointTerms, EventRow};
use self::schema::{webhook_delivery, webhook_endpoint, webhook_event};
use crate::bulk::{Inserts as _, Reused, keys};
use crate::database::Database;
use crate::error::{Fault, is_taken, raced};
use crate::transaction::End;

/// No earlier event of the same order is still to be sent to the same endpoint.
const IS_FIRST: &str = "NOT EXISTS (SELECT 1 FROM webhook_delivery earlier \
     WHERE earlier.order_id = webhook_delivery.order_id \
     AND earlier.endpoint_id = webhook_delivery.endpoint_id \
     AND earlier.sequence < webhook_delivery.sequence AND earlier.state = 'PENDING')";
/// The endpoint was not removed.
const IS_THERE: &str = "EXISTS (SELECT 1 FROM webhook_endpoint endpoint \
     WHERE endpoint.endpoint_id = webhook_delivery.endpoint_id AND endpoint.deleted_at IS NULL)";
/// No delivery of the event is kept.
const IS_UNUSED: &str = "NOT EXISTS (SELECT 1 FROM webhook_delivery delivery \
     WHERE delivery.event_id = webhook_event.event_id)";
/// No delivery to the endpoint is kept.
const IS_IDLE: &str = "NOT EXISTS (SELECT 1 FROM webhook_delivery delivery \
     WHERE delivery.endpoint_id = webhook_endpoint.endpoint_id)";

/// The repository of webhooks.
pub(crate) struct Webhooks {
    database: Database,
}

impl Webhooks {
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }

    /// Stores a delivery as it is `after`, if it still is pending and due at the same time as
    /// `before`.
    async fn progress(
        &self,
        action: &'static str,
        before: &Delivery,
        after: &Delivery,
    ) -> Result<bool, StoreError> {
        with_tx!(&self.database, action, |connection| {
            let row = webhook_delivery::table
                .find(before.id.as_str())
                .filter(webhook_delivery::state.eq(DeliveryState::Pending.as_str()))
                .filter(webhook_delivery::due_at.eq(before.due_at.map(micros)));
            let update = diesel::update(row).set(DeliveryProgress::encode(after));
            let hit = Reused(update).execute(connection).await?;
            Ok(End::Commit(hit == 1))
        })
    }

    /// The ids of the endpoints that are there, and of those that are on.
    async fn living(&self) -> Result<(Vec<String>, Vec<String>), StoreError> {
        with_conn!(&self.database, "list endpoints", |connection| {
            let query = webhook_endpoint::table
                .filter(webhook_endpoint::deleted_at.is_null())
                .select((webhook_endpoint::endpoint_id, webhook_endpoint::state));
            let rows: Vec<(String, String)> = query.load(connection).await?;
            let is_on = |state: &str| state == EndpointState::Enabled.as_str();
            let on = rows.iter().filter(|(_, state)| is_on(state));
            let on = on.map(|(id, _)| id.clone()).collect();
            Ok((rows.into_iter().map(|(id, _)| id).collect(), on))
        })
    }
}

#[async_trait]
impl WebhookRepository for Webhooks {
    async fn insert_endpoint(&self, endpoint: &Endpoint) -> Result<bool, StoreError> {
        with_tx!(&self.database, "store an endpoint", |connection| {
            let query = webhook_endpoint::table
                .select(webhook_endpoint::slot.assume_not_null())
                .filter(webhook_endpoint::slot.is_not_null());
            let taken: Vec<i64> = query.load(connection).await?;
            let taken: BTreeSet<i64> = taken.into_iter().collect();
            let free = (0..i64::from(ENDPOINTS_MAX)).find(|slot| !taken.contains(slot));
            let Some(slot) = free else {
                return Ok(End::RollBack(false));
            };
            // Of two who want the same place one looks again.
            diesel::insert_into(webhook_endpoint::table)
                .values(EndpointRow::encode(endpoint, slot))
                .execute(connection)
                .await
                .map_err(raced)?;
            Ok(End::Commit(true))
        })
    }

    async fn endpoints(&self) -> Result<Vec<Endpoint>, StoreError> {
        with_conn!(&self.database, "list endpoints", |connection| {
            let query = webhook_endpoint::table
                .filter(webhook_endpoint::deleted_at.is_null())
                .order(webhook_endpoint::endpoint_id)
                .select(EndpointRow::as_select());
            let rows: Vec<EndpointRow> = query.load(connection).await?;
            rows.into_iter().map(EndpointRow::decode).collect()
        })
    }

    async fn endpoint(&self, id: &str) -> Result<Option<Endpoint>, StoreError> {
        with_conn!(&self.database, "find an endpoint", |connection| {
            let query = webhook_endpoint::table
                .filter(webhook_endpoint::endpoint_id.eq(id))
                .filter(webhook_endpoint::deleted_at.is_null())
                .select(EndpointRow::as_select());
            let row: Option<EndpointRow> = query.first(connection).await.optional()?;
            row.map(EndpointRow::decode).transpose()
        })
    }

    async fn replace_endpoint(&self, endpoint: &Endpoint) -> Result<bool, StoreError> {
        with_tx!(&self.database, "change an endpoint", |connection| {
            let row = webhook_endpoint::table
                .find(endpoint.id.as_str())
                .filter(webhook_endpoint::deleted_at.is_null())
                .filter(webhook_endpoint::revision.eq(endpoint.revision - 1));
            let update = diesel::update(row).set(EndpointTerms::encode(endpoint));
            let hit = Reused(update).execute(connection).await?;
            Ok(End::Commit(hit == 1))
        })
    }

    async fn delete_endpoint(&self, id: &str, now: Timestamp) -> Result<bool, StoreError> {
        with_tx!(&self.database, "remove an endpoint", |connection| {
            let row = webhook_endpoint::table
                .find(id)
                .filter(webhook_endpoint::deleted_at.is_null());
            let update = diesel::update(row).set((
                webhook_endpoint::deleted_at.eq(Some(micros(now))),
                webhook_endpoint::slot.eq(None::<i64>),
                webhook_endpoint::secret.eq(""),
                webhook_endpoint::old_secret.eq(None::<String>),
            ));
            let hit = Reused(update).execute(connection).await?;
            Ok(End::Commit(hit == 1))
        })
    }

    async fn publish<'a>(
        &self,
        event: &Event,
        token: &str,
        only: Option<&'a str>,
        now: Timestamp,
    ) -> Result<Vec<Delivery>, StoreError> {
        with_tx!(&self.database, "store an event", |connection| {
            let query = webhook_endpoint::table
                .filter(webhook_endpoint::deleted_at.is_null())
                .filter(webhook_endpoint::state.eq(EndpointState::Enabled.as_str()))
                .order(webhook_endpoint::endpoint_id)
                .select(EndpointRow::as_select());
            let rows: Vec<EndpointRow> = query.load(connection).await?;
            let endpoints = rows.into_iter().map(EndpointRow::decode);
            let endpoints = endpoints.collect::<Result<Vec<_>, Fault>>()?;
            let wanting = endpoints.iter().filter(|endpoint| {
                endpoint.wants(event.event_type) && only.is_none_or(|id| endpoint.id == id)
            });
            let new: Vec<_> = wanting
                .enumerate()
                .map(|(place, endpoint)| Delivery::new(event, &endpoint.id, token, place, now))
                .collect();
            if new.is_empty() {
                return Ok(End::RollBack(new));
            }
            let inserted = diesel::insert_into(webhook_event::table)
                .values(EventRow::encode(event, now))
                .execute(connection)
                .await;
            match inserted {
                Ok(_) => {}
                Err(error) if is_taken(&error) => return Ok(End::RollBack(Vec::new())),
                Err(error) => return Err(error.into()),
            }
            let rows: Vec<_> = new.iter().map(DeliveryRow::encode).collect();
            connection.insert_all(rows).await?;
            Ok(End::Commit(new))
        })
    }

    async fn due(
        &self,
        endpoint_id: &str,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<Due>, StoreError> {
        with_conn!(&self.database, "list due deliveries", |connection| {
            let query = webhook_delivery::table
                .inner_join(
                    webhook_event::table.on(webhook_event::event_id.eq(webhook_delivery::event_id)),
                )
                .filter(webhook_delivery::endpoint_id.eq(endpoint_id))
                .filter(webhook_delivery::due_at.le(micros(now)))
                .filter(webhook_delivery::state.eq(DeliveryState::Pending.as_str()))
                .filter(sql::<Bool>(IS_THERE))
                .filter(sql::<Bool>(IS_FIRST))
                .order((webhook_delivery::due_at, webhook_delivery::delivery_id))
                .limit(i64::from(limit))
                .select((DeliveryRow::as_select(), webhook_event::body));
            let rows: Vec<(DeliveryRow, String)> = query.load(connection).await?;
            let due = rows.into_iter().map(|(row, body)| {
                let delivery = row.decode()?;
                Ok(Due { delivery, body })
            });
            due.collect()
        })
    }

    async fn take(&self, before: &Delivery, taken: &Delivery) -> Result<bool, StoreError> {
        self.progress("take a delivery", before, taken).await
    }

    async fn settle(&self, taken: &Delivery, after: &Delivery) -> Result<bool, StoreError> {
        self.progress("settle a delivery", taken, after).await
    }

    async fn delivery(&self, id: &str) -> Result<Option<Delivery>, StoreError> {
        let (living, _) = self.living().await?;
        with_conn!(&self.database, "find a delivery", |connection| {
            let query = webhook_delivery::table
                .filter(webhook_delivery::delivery_id.eq(id))
                .filter(webhook_delivery::endpoint_id.eq_any(keys(&living)))
                .select(DeliveryRow::as_select());
            let row: Option<DeliveryRow> = query.first(connection).await.optional()?;
            row.map(DeliveryRow::decode).transpose()
        })
    }

    async fn deliveries<'a>(
        &self,
        filter: &DeliveryFilter,
        before: Option<&'a str>,
        limit: u32,
    ) -> Result<Vec<Delivery>, StoreError> {
        let (mut living, _) = self.living().await?;
        if let Some(id) = &filter.endpoint_id {
            living.retain(|living| living == id);
        }
        with_conn!(&self.database, "list deliveries", |connection| {
            let mut query = webhook_delivery::table
                .filter(webhook_delivery::endpoint_id.eq_any(keys(&living)))
                .select(DeliveryRow::as_select())
                .order(webhook_delivery::delivery_id.desc())
                .limit(i64::from(limit))
                .into_boxed();
            if let Some(order_id) = &filter.order_id {
                query = query.filter(webhook_delivery::order_id.eq(order_id.as_str()));
            }
            if let Some(state) = filter.state {
                query = query.filter(webhook_delivery::state.eq(state.as_str()));
            }
            if let Some(before) = before {
                query = query.filter(webhook_delivery::delivery_id.lt(before));
            }
            let rows: Vec<DeliveryRow> = query.load(connection).await?;
            rows.into_iter().map(DeliveryRow::decode).collect()
        })
    }

    async fn resend(&self, ended: &Delivery, again: &Delivery) -> Result<bool, StoreError> {
        with_tx!(&self.database, "send a delivery again", |connection| {
            let row = webhook_delivery::table
                .find(ended.id.as_str())
                .filter(webhook_delivery::state.eq(ended.state.as_str()))
                .filter(webhook_delivery::ended_at.eq(ended.ended_at.map(micros)));
            let update = diesel::update(row).set(DeliveryProgress::encode(again));
            let hit = Reused(update).execute(connection).await?;
            Ok(End::Commit(hit == 1))
        })
    }

    async fn vitals(&self, now: Timestamp) -> Result<Vitals, StoreError> {
        let (living, on) = self.living().await?;
        with_conn!(&self.database, "count deliveries", |connection| {
            let pending = webhook_delivery::table
                .filter(webhook_delivery::endpoint_id.eq_any(keys(&on)))
                .filter(webhook_delivery::due_at.is_not_null());
            let (pending, oldest): (i64, Option<i64>) = pending
                .select((count_star(), min(webhook_delivery::due_at)))
                .first(connection)
                .await?;
            let dead = webhook_delivery::table
                .filter(webhook_delivery::state.eq(DeliveryState::Dead.as_str()))
                .filter(webhook_delivery::endpoint_id.eq_any(keys(&living)));
            let dead: i64 = dead.count().get_result(connection).await?;
            let count = |number: i64| u64::try_from(number).unwrap_or(0);
            Ok(Vitals {
                pending: count(pending),
                oldest_due: oldest.map(from_micros).filter(|due| *due <= now),
                dead: count(dead),
            })
        })
    }

    async fn forget(
        &self,
        delivered_before: Timestamp,
        dead_before: Timestamp,
        limit: u32,
    ) -> Result<usize, StoreError> {
        let limit = i64::from(limit);
        with_tx!(&self.database, "forget deliveries", |connection| {
            // MySQL takes no LIMIT in a subquery, so the rows are chosen first.
            let mut chosen: Vec<String> = Vec::new();
            for (state, before) in [
                (DeliveryState::Delivered, delivered_before),
                (DeliveryState::Dead, dead_before),
            ] {
                let old = webhook_delivery::table
                    .filter(webhook_delivery::state.eq(state.as_str()))
                    .filter(webhook_delivery::ended_at.lt(micros(before)))
                    .order(webhook_delivery::ended_at)
                    .limit(limit)
                    .select(webhook_delivery::delivery_id);
                let old: Vec<String> = old.load(connection).await?;
                chosen.extend(old);
            }
            let removed: Vec<String> = webhook_endpoint::table
                .filter(webhook_endpoint::deleted_at.is_not_null())
                .select(webhook_endpoint::endpoint_id)
                .load(connection)
                .await?;
            if !removed.is_empty() {
                let theirs = webhook_delivery::table
                    .filter(webhook_delivery::endpoint_id.eq_any(&removed))
                    .limit(limit)
                    .select(webhook_delivery::delivery_id);
                let theirs: Vec<String> = theirs.load(connection).await?;
                chosen.extend(theirs);
            }
            let rows =
                webhook_delivery::table.filter(webhook_delivery::delivery_id.eq_any(&chosen));
            let mut forgotten = diesel::delete(rows).execute(connection).await?;
            let unused: Vec<String> = webhook_event::table
                .filter(webhook_event::created_at.lt(micros(delivered_before)))
                .filter(sql::<Bool>(IS_UNUSED))
                .order(webhook_event::created_at)
                .limit(limit)
                .select(webhook_event::event_id)
                .load(connection)
                .await?;
            let rows = webhook_event::table.filter(webhook_event::event_id.eq_any(&unused));
            forgotten += diesel::delete(rows).execute(connection).await?;
            // Whoever was about to store something for it has long done so.
            let rows = webhook_endpoint::table
                .filter(webhook_endpoint::deleted_at.lt(micros(delivered_before)))
                .filter(sql::<Bool>(IS_IDLE));
            forgotten += diesel::delete(rows).execute(connection).await?;
            if forgotten == 0 {
                return Ok(End::RollBack(0));
            }
            Ok(End::Commit(forgotten))
        })
    }
}
