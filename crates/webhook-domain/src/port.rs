use async_trait::async_trait;
use kernel::{OrderId, StoreError, Timestamp};
use url::Url;

use crate::model::{Delivery, DeliveryState, Endpoint, Event, Sent};

/// A delivery that is due, with what is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The delivery.
    pub delivery: Delivery,
    /// The event's body.
    pub body: String,
}

/// Which deliveries to list. What is left out filters nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeliveryFilter {
    /// Only those to this endpoint.
    pub endpoint_id: Option<String>,
    /// Only those about this order.
    pub order_id: Option<OrderId>,
    /// Only those that stand here.
    pub state: Option<DeliveryState>,
}

impl DeliveryFilter {
    /// Whether this delivery is listed.
    pub fn covers(&self, delivery: &Delivery) -> bool {
        let Self {
            endpoint_id,
            order_id,
            state,
        } = self;
        endpoint_id
            .as_ref()
            .is_none_or(|id| delivery.endpoint_id == *id)
            && order_id
                .as_ref()
                .is_none_or(|id| delivery.order_id.as_ref() == Some(id))
            && state.is_none_or(|state| delivery.state == state)
    }
}

/// What an operator watches of all deliveries together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Vitals {
    /// Deliveries that are to be sent to endpoints that are on.
    pub pending: u64,
    /// The earliest `due_at` of these that has come.
    pub oldest_due: Option<Timestamp>,
    /// Deliveries that were given up.
    pub dead: u64,
}

/// Where endpoints, events and deliveries are kept. Every method is one transaction: it happens whole
/// or not at all. After [`StoreError::Unavailable`] a write may have happened.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait WebhookRepository: Send + Sync {
    /// Stores a new endpoint, and tells whether there was room: MUST never keep more than
    /// [`ENDPOINTS_MAX`](crate::model::ENDPOINTS_MAX), also when many are registered at once.
    async fn insert_endpoint(&self, endpoint: &Endpoint) -> Result<bool, StoreError>;

    /// All endpoints, in the order of their ids.
    async fn endpoints(&self) -> Result<Vec<Endpoint>, StoreError>;

    /// One endpoint.
    async fn endpoint(&self, id: &str) -> Result<Option<Endpoint>, StoreError>;

    /// Stores what an endpoint is now, if the stored one is the revision before it, and tells whether
    /// it was: of many who change it at once MUST only one be told so.
    async fn replace_endpoint(&self, endpoint: &Endpoint) -> Result<bool, StoreError>;

    /// Removes an endpoint with its secrets, and tells whether there was one. Its deliveries MUST NOT
    /// be listed, counted or due any more; they are forgotten by [`WebhookRepository::forget`].
    async fn delete_endpoint(&self, id: &str, now: Timestamp) -> Result<bool, StoreError>;

    /// Keeps an event, with a delivery that is due at `now` for every endpoint that wants it, or for
    /// `only` this one if it does; nothing when none does. Returns the new deliveries. MUST be
    /// idempotent by the event's id, also when it comes many times at once. A delivery's id is made of
    /// `token`, of 32 hexadecimal characters, and MUST be higher than those made of lower tokens.
    async fn publish<'a>(
        &self,
        event: &Event,
        token: &str,
        only: Option<&'a str>,
        now: Timestamp,
    ) -> Result<Vec<Delivery>, StoreError>;

    /// Deliveries to this endpoint whose `due_at` is not after `now`, earliest first, at most `limit`.
    /// MUST leave out those of an order of which an earlier one to the same endpoint is pending.
    async fn due(
        &self,
        endpoint_id: &str,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<Due>, StoreError>;

    /// Stores a delivery as [`Delivery::taken`], if it still is `before`, pending and due at the same
    /// time; tells whether it was. Of many who take it at once MUST only one be told so.
    async fn take(&self, before: &Delivery, taken: &Delivery) -> Result<bool, StoreError>;

    /// Stores what came of a delivery, if it still is `taken`, and tells whether it was: who has lost
    /// its lease to another changes nothing.
    async fn settle(&self, taken: &Delivery, after: &Delivery) -> Result<bool, StoreError>;

    /// One delivery.
    async fn delivery(&self, id: &str) -> Result<Option<Delivery>, StoreError>;

    /// Deliveries that the filter covers, highest id first, at most `limit`, with ids below `before`.
    async fn deliveries<'a>(
        &self,
        filter: &DeliveryFilter,
        before: Option<&'a str>,
        limit: u32,
    ) -> Result<Vec<Delivery>, StoreError>;

    /// Stores a delivery as [`Delivery::again`], if it still stands where `ended` does; tells whether
    /// it did.
    async fn resend(&self, ended: &Delivery, again: &Delivery) -> Result<bool, StoreError>;

    /// The counts at `now`, at a cost that does not grow with what was delivered.
    async fn vitals(&self, now: Timestamp) -> Result<Vitals, StoreError>;

    /// Forgets what was delivered before `delivered_before`, what was given up before `dead_before`,
    /// and what belonged to endpoints that were removed, then events without deliveries that came
    /// before `delivered_before`; at most `limit` of each. Returns how many rows that were.
    async fn forget(
        &self,
        delivered_before: Timestamp,
        dead_before: Timestamp,
        limit: u32,
    ) -> Result<usize, StoreError>;
}

/// What is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Where to. Its text has been checked.
    pub url: Url,
    /// `webhook-id`.
    pub id: String,
    /// `webhook-timestamp`, in seconds since 1970-01-01T00:00:00Z.
    pub timestamp: i64,
    /// `webhook-signature`.
    pub signature: String,
    /// The JSON text.
    pub body: String,
}

/// Sends events.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait Sender: Send + Sync {
    /// Sends once, and waits for the answer no longer than ten seconds. MUST connect to addresses
    /// alone that may be called ([`is_public`](crate::model::is_public), unless private networks are
    /// allowed), whatever the name leads to at this moment; MUST NOT follow redirects, nor repeat
    /// anything, nor go through a proxy that the environment names.
    async fn send(&self, outgoing: &Outgoing) -> Sent;
}
