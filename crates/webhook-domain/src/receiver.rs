use async_trait::async_trait;
use kernel::StoreError;

use crate::model::{
    Delivery, ENDPOINTS_MAX, Endpoint, EndpointPatch, Event, InvalidEndpoint, NewEndpoint,
};
use crate::port::{DeliveryFilter, Vitals};

/// Why an endpoint was not registered or changed.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// There is no such endpoint.
    #[error("there is no endpoint {0}")]
    Unknown(String),
    /// It cannot be like this.
    #[error(transparent)]
    Invalid(#[from] InvalidEndpoint),
    /// There are as many as there may be.
    #[error("there are {ENDPOINTS_MAX} endpoints, and no room for more")]
    TooMany,
    /// It is off, so nothing is sent to it.
    #[error("endpoint {0} is off")]
    Off(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a delivery was not sent again.
#[derive(Debug, thiserror::Error)]
pub enum ResendError {
    /// There is no such delivery.
    #[error("there is no delivery {0}")]
    Unknown(String),
    /// It is still pending: it is sent anyway.
    #[error("delivery {0} is pending")]
    Pending(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What others may ask of webhooks.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait WebhookReceiver: Send + Sync {
    /// Whether any endpoint is on, as far as this server knows: what another server registered shows
    /// with the next [`WebhookReceiver::look`]. Costs nothing.
    fn is_awaited(&self) -> bool;

    /// Keeps an event for every endpoint that wants it. Publishing it again changes nothing.
    async fn publish(&self, event: &Event) -> Result<(), StoreError>;

    /// Registers an endpoint, with a new secret.
    async fn register(&self, new: NewEndpoint) -> Result<Endpoint, EndpointError>;

    /// All endpoints, oldest first.
    async fn endpoints(&self) -> Result<Vec<Endpoint>, StoreError>;

    /// One endpoint.
    async fn endpoint(&self, id: &str) -> Result<Endpoint, EndpointError>;

    /// Changes an endpoint.
    async fn change(&self, id: &str, patch: &EndpointPatch) -> Result<Endpoint, EndpointError>;

    /// Removes an endpoint with all that was to be sent to it.
    async fn remove(&self, id: &str) -> Result<(), EndpointError>;

    /// Gives an endpoint a new secret; the one before signs besides for a day.
    async fn rotate(&self, id: &str) -> Result<Endpoint, EndpointError>;

    /// Has a test event sent to an endpoint that is on.
    async fn test(&self, id: &str) -> Result<Delivery, EndpointError>;

    /// Deliveries that the filter covers, newest first, at most `limit` (at most 100), with ids below
    /// `before`.
    async fn deliveries<'a>(
        &self,
        filter: &DeliveryFilter,
        before: Option<&'a str>,
        limit: u32,
    ) -> Result<Vec<Delivery>, StoreError>;

    /// Has a delivery that has ended sent again, for up to a day.
    async fn resend(&self, id: &str) -> Result<Delivery, ResendError>;

    /// Looks which endpoints are on, and returns their ids.
    async fn look(&self) -> Result<Vec<String>, StoreError>;

    /// Sends what is due to an endpoint, at most `limit`, and returns how much there was. Whatever
    /// stops it halfway is taken up again when the leases end.
    async fn work(&self, endpoint_id: &str, limit: u32) -> Result<usize, StoreError>;

    /// Forgets some of what is old, and returns how many rows that were.
    async fn tidy(&self) -> Result<usize, StoreError>;

    /// Counts for whoever watches.
    async fn vitals(&self) -> Result<Vitals, StoreError>;
}
