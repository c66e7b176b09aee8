//! [`WebhookService`]: the receiver's implementation. A delivery is taken by a conditional change, sent
//! while nothing of the store is held, and settled by another.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::{self, TryStreamExt as _};
use kernel::{Clock, IdGenerator, Randomness, StoreError, Timestamp};

use crate::model::{
    Delivery, DeliveryState, Endpoint, EndpointPatch, EndpointState, Event, EventType, NewEndpoint,
    Sent, SigningSecret, Target, TargetRules, sign,
};
use crate::port::{DeliveryFilter, Due, Outgoing, Sender, Vitals, WebhookRepository};
use crate::receiver::{EndpointError, ResendError, WebhookReceiver};

/// Deliveries that are sent to one endpoint at once.
const AT_ONCE: usize = 8;
/// The largest page of deliveries.
const PAGE_MAX: u32 = 100;
/// How often a change of an endpoint is begun anew because another one was faster.
const CHANGES_MAX: u32 = 10;
/// How long it is remembered what was delivered.
const DELIVERED_KEPT: Duration = Duration::from_hours(24 * 30);
/// How long what was given up can be sent again.
const DEAD_KEPT: Duration = Duration::from_hours(24 * 90);
/// Rows of one kind that are forgotten at once.
const FORGOTTEN_AT_ONCE: u32 = 500;

/// Everything that webhooks need of the outside.
#[derive(Clone)]
pub struct Ports {
    /// Where they are kept.
    pub repository: Arc<dyn WebhookRepository>,
    /// What sends them.
    pub sender: Arc<dyn Sender>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// New ids.
    pub ids: Arc<dyn IdGenerator>,
    /// Secrets and jitter.
    pub randomness: Arc<dyn Randomness>,
}

/// Webhooks over their ports.
pub struct WebhookService {
    ports: Ports,
    rules: TargetRules,
    /// Whether an endpoint was on when this server looked last.
    awaited: AtomicBool,
}

impl WebhookService {
    /// Webhooks over these ports, to targets that these rules allow.
    pub fn new(ports: Ports, rules: TargetRules) -> Self {
        Self {
            ports,
            rules,
            awaited: AtomicBool::new(false),
        }
    }

    fn now(&self) -> Timestamp {
        self.ports.clock.now()
    }

    /// Changes an endpoint as it stands, again if somebody else was faster.
    async fn replace<F>(&self, id: &str, change: F) -> Result<Endpoint, EndpointError>
    where
        F: Fn(Endpoint) -> Result<Endpoint, EndpointError> + Send + Sync,
    {
        for _ in 0..CHANGES_MAX {
            let changed = change(self.endpoint(id).await?)?;
            if self.ports.repository.replace_endpoint(&changed).await? {
                self.look().await?;
                return Ok(changed);
            }
        }
        Err(EndpointError::Store(StoreError::Unavailable {
            action: "change an endpoint",
            source: "others change it all the time".into(),
        }))
    }

    /// Takes a delivery, unless somebody else has it, sends it, and stores what came of it.
    async fn deliver(&self, endpoint: &Endpoint, due: Due) -> Result<(), StoreError> {
        let repository = &self.ports.repository;
        let taken = due.delivery.clone().taken(self.now());
        if !repository.take(&due.delivery, &taken).await? {
            return Ok(());
        }
        let sent = self.send(endpoint, &taken, due.body).await;
        let now = self.now();
        let after = taken
            .clone()
            .after(&sent, now, self.ports.randomness.as_ref());
        tell(&after);
        if !repository.settle(&taken, &after).await? {
            tracing::warn!(delivery = %after.id, "a lease ended before its delivery was noted; it is sent again");
            return Ok(());
        }
        if after.says_gone() {
            self.turn_off(&endpoint.id).await?;
        }
        Ok(())
    }

    async fn send(&self, endpoint: &Endpoint, taken: &Delivery, body: String) -> Sent {
        let now = self.now();
        let url = match Target::parse(&endpoint.url, self.rules) {
            Ok(target) => target.url().clone(),
            Err(refusal) => return Sent::Failed(refusal.to_string()),
        };
        let timestamp = now.timestamp();
        let signature = sign(endpoint.secrets(now), &taken.event_id, timestamp, &body);
        let outgoing = Outgoing {
            url,
            id: taken.event_id.clone(),
            timestamp,
            signature,
            body,
        };
        self.ports.sender.send(&outgoing).await
    }

    /// The endpoint has said 410: nothing more is sent to it.
    async fn turn_off(&self, id: &str) -> Result<(), StoreError> {
        let now = self.now();
        let gone = self.replace(id, |endpoint| {
            if endpoint.state != EndpointState::Enabled {
                return Err(EndpointError::Off(endpoint.id));
            }
            Ok(endpoint.gone(now))
        });
        match gone.await {
            Ok(_) => {
                tracing::warn!(endpoint = %id, "an endpoint answered 410 Gone and is turned off");
                Ok(())
            }
            Err(EndpointError::Store(error)) => Err(error),
            Err(_) => Ok(()),
        }
    }
}

/// What became of a delivery, for the log. Neither the URL nor the body shows.
fn tell(after: &Delivery) {
    let Delivery {
        id,
        endpoint_id,
        tries,
        last_status,
        last_error,
        ..
    } = after;
    match after.state {
        DeliveryState::Delivered => {}
        DeliveryState::Pending => {
            tracing::info!(delivery = %id, endpoint = %endpoint_id, tries, ?last_status, ?last_error,
                "an event was not taken; it is sent again");
        }
        DeliveryState::Dead => {
            tracing::error!(delivery = %id, endpoint = %endpoint_id, tries, ?last_status, ?last_error,
                "an event is given up");
        }
    }
}

#[async_trait]
impl WebhookReceiver for WebhookService {
    fn is_awaited(&self) -> bool {
        self.awaited.load(Ordering::Relaxed)
    }

    async fn publish(&self, event: &Event) -> Result<(), StoreError> {
        let (token, now) = (self.ports.ids.token(), self.now());
        let repository = &self.ports.repository;
        repository.publish(event, &token, None, now).await.map(drop)
    }

    async fn register(&self, new: NewEndpoint) -> Result<Endpoint, EndpointError> {
        let id = format!("ep_{}", self.ports.ids.token());
        let secret = SigningSecret::random(self.ports.randomness.as_ref());
        let endpoint = new.registered(id, secret, self.rules, self.now())?;
        if !self.ports.repository.insert_endpoint(&endpoint).await? {
            return Err(EndpointError::TooMany);
        }
        self.look().await?;
        Ok(endpoint)
    }

    async fn endpoints(&self) -> Result<Vec<Endpoint>, StoreError> {
        self.ports.repository.endpoints().await
    }

    async fn endpoint(&self, id: &str) -> Result<Endpoint, EndpointError> {
        let found = self.ports.repository.endpoint(id).await?;
        found.ok_or_else(|| EndpointError::Unknown(id.to_owned()))
    }

    async fn change(&self, id: &str, patch: &EndpointPatch) -> Result<Endpoint, EndpointError> {
        let now = self.now();
        self.replace(id, |endpoint| Ok(endpoint.patched(patch, self.rules, now)?))
            .await
    }

    async fn remove(&self, id: &str) -> Result<(), EndpointError> {
        if !self
            .ports
            .repository
            .delete_endpoint(id, self.now())
            .await?
        {
            return Err(EndpointError::Unknown(id.to_owned()));
        }
        self.look().await?;
        Ok(())
    }

    async fn rotate(&self, id: &str) -> Result<Endpoint, EndpointError> {
        let (secret, now) = (
            SigningSecret::random(self.ports.randomness.as_ref()),
            self.now(),
        );
        self.replace(id, |endpoint| Ok(endpoint.rotated(secret.clone(), now)))
            .await
    }

    async fn test(&self, id: &str) -> Result<Delivery, EndpointError> {
        let endpoint = self.endpoint(id).await?;
        let (token, now) = (self.ports.ids.token(), self.now());
        let event_type = EventType::Test;
        let at = now.to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
        let event = Event {
            id: format!("evt_test_{token}"),
            event_type,
            order_id: None,
            sequence: 0,
            occurred_at: now,
            // An id of ours needs no escaping.
            body: format!(
                r#"{{"type":"{event_type}","timestamp":"{at}","data":{{"endpointId":"{}"}}}}"#,
                endpoint.id
            ),
        };
        let repository = &self.ports.repository;
        let published = repository
            .publish(&event, &token, Some(&endpoint.id), now)
            .await?;
        let mut published = published.into_iter();
        published.next().ok_or(EndpointError::Off(endpoint.id))
    }

    async fn deliveries<'a>(
        &self,
        filter: &DeliveryFilter,
        before: Option<&'a str>,
        limit: u32,
    ) -> Result<Vec<Delivery>, StoreError> {
        let limit = limit.min(PAGE_MAX);
        self.ports
            .repository
            .deliveries(filter, before, limit)
            .await
    }

    async fn resend(&self, id: &str) -> Result<Delivery, ResendError> {
        let found = self.ports.repository.delivery(id).await?;
        let ended = found.ok_or_else(|| ResendError::Unknown(id.to_owned()))?;
        if ended.state == DeliveryState::Pending {
            return Err(ResendError::Pending(ended.id));
        }
        let again = ended.clone().again(self.now());
        if !self.ports.repository.resend(&ended, &again).await? {
            return Err(ResendError::Pending(ended.id));
        }
        Ok(again)
    }

    async fn look(&self) -> Result<Vec<String>, StoreError> {
        let endpoints = self.ports.repository.endpoints().await?;
        let on = endpoints
            .into_iter()
            .filter(|endpoint| endpoint.state == EndpointState::Enabled);
        let ids: Vec<_> = on.map(|endpoint| endpoint.id).collect();
        self.awaited.store(!ids.is_empty(), Ordering::Relaxed);
        Ok(ids)
    }

    async fn work(&self, endpoint_id: &str, limit: u32) -> Result<usize, StoreError> {
        let repository = &self.ports.repository;
        let endpoint = repository.endpoint(endpoint_id).await?;
        let on = endpoint.filter(|endpoint| endpoint.state == EndpointState::Enabled);
        let Some(endpoint) = &on else {
            return Ok(0);
        };
        let due = repository.due(endpoint_id, self.now(), limit).await?;
        let count = due.len();
        stream::iter(due.into_iter().map(Ok))
            .try_for_each_concurrent(AT_ONCE, |due| self.deliver(endpoint, due))
            .await?;
        Ok(count)
    }

    async fn tidy(&self) -> Result<usize, StoreError> {
        let now = self.now();
        let (delivered, dead) = (now - DELIVERED_KEPT, now - DEAD_KEPT);
        let repository = &self.ports.repository;
        repository.forget(delivered, dead, FORGOTTEN_AT_ONCE).await
    }

    async fn vitals(&self) -> Result<Vitals, StoreError> {
        self.ports.repository.vitals(self.now()).await
    }
}
