use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use kernel::{StoreError, Timestamp};

use crate::model::{Delivery, DeliveryState, ENDPOINTS_MAX, Endpoint, EndpointState, Event};
use crate::port::{DeliveryFilter, Due, Vitals, WebhookRepository};

#[derive(Default)]
struct Tables {
    endpoints: BTreeMap<String, Endpoint>,
    /// With the time at which each came.
    events: BTreeMap<String, (Event, Timestamp)>,
    deliveries: BTreeMap<String, Delivery>,
}

impl Tables {
    fn is_on(&self, id: &str) -> bool {
        let endpoint = self.endpoints.get(id);
        endpoint.is_some_and(|endpoint| endpoint.state == EndpointState::Enabled)
    }

    /// Those of endpoints that are still there.
    fn deliveries(&self) -> impl DoubleEndedIterator<Item = &Delivery> {
        let all = self.deliveries.values();
        all.filter(|delivery| self.endpoints.contains_key(&delivery.endpoint_id))
    }
}

/// A repository in memory that keeps the port's whole contract.
#[derive(Default)]
pub struct InMemoryWebhooks {
    tables: Mutex<Tables>,
}

impl InMemoryWebhooks {
    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl WebhookRepository for InMemoryWebhooks {
    async fn insert_endpoint(&self, endpoint: &Endpoint) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        if tables.endpoints.len() >= ENDPOINTS_MAX as usize {
            return Ok(false);
        }
        tables
            .endpoints
            .insert(endpoint.id.clone(), endpoint.clone());
        Ok(true)
    }

    async fn endpoints(&self) -> Result<Vec<Endpoint>, StoreError> {
        Ok(self.tables().endpoints.values().cloned().collect())
    }

    async fn endpoint(&self, id: &str) -> Result<Option<Endpoint>, StoreError> {
        Ok(self.tables().endpoints.get(id).cloned())
    }

    async fn replace_endpoint(&self, endpoint: &Endpoint) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        match tables.endpoints.get_mut(&endpoint.id) {
            Some(stored) if stored.revision + 1 == endpoint.revision => {
                let created_at = stored.created_at;
                stored.clone_from(endpoint);
                stored.created_at = created_at;
                Ok(true)
            }
            Some(_) | None => Ok(false),
        }
    }

    async fn delete_endpoint(&self, id: &str, _: Timestamp) -> Result<bool, StoreError> {
        Ok(self.tables().endpoints.remove(id).is_some())
    }

    async fn publish<'a>(
        &self,
        event: &Event,
        token: &str,
        only: Option<&'a str>,
        now: Timestamp,
    ) -> Result<Vec<Delivery>, StoreError> {
        let mut tables = self.tables();
        if tables.events.contains_key(&event.id) {
            return Ok(Vec::new());
        }
        let wanting = tables.endpoints.values().filter(|endpoint| {
            endpoint.wants(event.event_type) && only.is_none_or(|id| endpoint.id == id)
        });
        let new: Vec<_> = wanting
            .enumerate()
            .map(|(place, endpoint)| Delivery::new(event, &endpoint.id, token, place, now))
            .collect();
        if new.is_empty() {
            return Ok(new);
        }
        tables.events.insert(event.id.clone(), (event.clone(), now));
        for delivery in &new {
            tables
                .deliveries
                .insert(delivery.id.clone(), delivery.clone());
        }
        Ok(new)
    }

    async fn due(
        &self,
        endpoint_id: &str,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<Due>, StoreError> {
        let tables = self.tables();
        let pending = |delivery: &&Delivery| {
            delivery.endpoint_id == endpoint_id && delivery.state == DeliveryState::Pending
        };
        let is_first = |delivery: &&Delivery| {
            let mut earlier = tables.deliveries().filter(pending).filter(|other| {
                other.order_id == delivery.order_id && other.sequence < delivery.sequence
            });
            delivery.order_id.is_none() || earlier.next().is_none()
        };
        let mut due: Vec<_> = tables
            .deliveries()
            .filter(pending)
            .filter(|delivery| delivery.due_at.is_some_and(|due| due <= now))
            .filter(is_first)
            .cloned()
            .collect();
        due.sort_by(|a, b| (a.due_at, &a.id).cmp(&(b.due_at, &b.id)));
        due.truncate(limit as usize);
        let due = due.into_iter().filter_map(|delivery| {
            let (event, _) = tables.events.get(&delivery.event_id)?;
            let body = event.body.clone();
            Some(Due { delivery, body })
        });
        Ok(due.collect())
    }

    async fn take(&self, before: &Delivery, taken: &Delivery) -> Result<bool, StoreError> {
        self.settle(before, taken).await
    }

    async fn settle(&self, taken: &Delivery, after: &Delivery) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        match tables.deliveries.get_mut(&taken.id) {
            Some(stored)
                if stored.state == DeliveryState::Pending && stored.due_at == taken.due_at =>
            {
                stored.clone_from(after);
                Ok(true)
            }
            Some(_) | None => Ok(false),
        }
    }

    async fn delivery(&self, id: &str) -> Result<Option<Delivery>, StoreError> {
        let tables = self.tables();
        let found = tables.deliveries().find(|delivery| delivery.id == id);
        Ok(found.cloned())
    }

    async fn deliveries<'a>(
        &self,
        filter: &DeliveryFilter,
        before: Option<&'a str>,
        limit: u32,
    ) -> Result<Vec<Delivery>, StoreError> {
        let tables = self.tables();
        let listed = tables
            .deliveries()
            .rev()
            .filter(|delivery| before.is_none_or(|id| delivery.id.as_str() < id))
            .filter(|delivery| filter.covers(delivery));
        Ok(listed.take(limit as usize).cloned().collect())
    }

    async fn resend(&self, ended: &Delivery, again: &Delivery) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        match tables.deliveries.get_mut(&ended.id) {
            Some(stored) if stored.state == ended.state => {
                stored.clone_from(again);
                Ok(true)
            }
            Some(_) | None => Ok(false),
        }
    }

    async fn vitals(&self, now: Timestamp) -> Result<Vitals, StoreError> {
        let tables = self.tables();
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let pending = || {
            let all = tables.deliveries();
            all.filter(|delivery| {
                delivery.state == DeliveryState::Pending && tables.is_on(&delivery.endpoint_id)
            })
        };
        let dead = tables
            .deliveries()
            .filter(|delivery| delivery.state == DeliveryState::Dead);
        Ok(Vitals {
            pending: count(pending().count()),
            oldest_due: pending()
                .filter_map(|delivery| delivery.due_at.filter(|due| *due <= now))
                .min(),
            dead: count(dead.count()),
        })
    }

    async fn forget(
        &self,
        delivered_before: Timestamp,
        dead_before: Timestamp,
        limit: u32,
    ) -> Result<usize, StoreError> {
        let mut tables = self.tables();
        let is_old = |delivery: &&Delivery| {
            let before = match delivery.state {
                DeliveryState::Pending => return false,
                DeliveryState::Delivered => delivered_before,
                DeliveryState::Dead => dead_before,
            };
            delivery.ended_at.is_some_and(|at| at < before)
        };
        let mut gone = Vec::new();
        for state in [DeliveryState::Delivered, DeliveryState::Dead] {
            let old = tables.deliveries.values().filter(is_old);
            let old = old.filter(|delivery| delivery.state == state);
            gone.extend(old.take(limit as usize).map(|delivery| delivery.id.clone()));
        }
        let orphaned = tables
            .deliveries
            .values()
            .filter(|delivery| !tables.endpoints.contains_key(&delivery.endpoint_id));
        gone.extend(
            orphaned
                .take(limit as usize)
                .map(|delivery| delivery.id.clone()),
        );
        gone.sort();
        gone.dedup();
        for id in &gone {
            tables.deliveries.remove(id);
        }
        let unused = tables.events.iter().filter(|(id, (_, came))| {
            let mut uses = tables.deliveries.values();
            *came < delivered_before && !uses.any(|delivery| delivery.event_id == **id)
        });
        let unused: Vec<_> = unused
            .take(limit as usize)
            .map(|(id, _)| id.clone())
            .collect();
        for id in &unused {
            tables.events.remove(id);
        }
        Ok(gone.len() + unused.len())
    }
}
