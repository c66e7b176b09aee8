//! The HTTP contract: one endpoint, one file. Handlers only translate; everything that touches the
//! database or Toss runs on the main runtime.

mod auth;
mod body;
mod cancel;
mod checkout;
mod confirm;
mod deliveries;
pub mod drain;
mod endpoints;
pub mod envelope;
mod error;
mod events;
mod health;
mod history;
mod metrics;
pub mod openapi;
mod payment;
mod payments;
mod products;
pub mod rate_limit;
mod settle;
mod users;
mod webhooks;
mod wire;

use std::sync::Arc;

use actix_web::http::header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
use actix_web::middleware::DefaultHeaders;
use actix_web::web;
use kernel::Clock;
use payment_domain::{Notices, PaymentReader, PaymentReceiver};
use product_domain::ProductReceiver;
use storage::Database;
use tokio::runtime::Handle;
use user_domain::UserReceiver;
use webhook_domain::WebhookReceiver;

pub use drain::Draining;
pub use error::{ApiError, Code};
pub(crate) use payment::PaymentResponse;
pub use rate_limit::{RateLimiter, WrongKeys};
pub(crate) use wire::rfc3339;

use crate::bridge::{GuardedGateway, Toss};
use crate::cancel_desk::CancelDesk;
use crate::confirm_desk::ConfirmDesk;
use crate::event_streams::EventStreams;
use crate::keys::KeyRing;

/// The largest request body, in bytes: a hundred order lines take about 4 KiB.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// What the handlers need.
pub struct Api {
    /// Payments.
    pub payments: Arc<dyn PaymentReceiver>,
    /// What is recorded of payments.
    pub reader: Arc<dyn PaymentReader>,
    /// Products.
    pub products: Arc<dyn ProductReceiver>,
    /// Users.
    pub users: Arc<dyn UserReceiver>,
    /// Where confirms meet.
    pub desk: Arc<ConfirmDesk>,
    /// Where cancels wait for one another.
    pub cancels: CancelDesk,
    /// What merchants are told.
    pub webhooks: Arc<dyn WebhookReceiver>,
    /// What Toss tells by webhook.
    pub notices: Arc<Notices>,
    /// Streams of payments' changes.
    pub events: Arc<EventStreams>,
    /// Toss, as far as confirms are admitted.
    pub toss: Arc<GuardedGateway<Toss>>,
    /// For the health check.
    pub database: Database,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The operators' keys.
    pub keys: Arc<KeyRing>,
    /// The main runtime.
    pub runtime: Handle,
}

impl Api {
    /// Runs I/O on the main runtime: a worker that drops a handler (a client hung up) drops no
    /// database work, and no connection belongs to a worker's runtime.
    async fn on_main<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, ApiError> {
        self.runtime
            .spawn(work)
            .await
            .map_err(|error| ApiError::internal(&error))
    }
}

/// Headers of every answer that does not set them itself: what is told of a payment is kept by no
/// cache, and a browser takes nothing for another type than it was sent as.
pub fn default_headers() -> DefaultHeaders {
    DefaultHeaders::new()
        .add((CACHE_CONTROL, "no-store"))
        .add((X_CONTENT_TYPE_OPTIONS, "nosniff"))
}

/// Mounts every route of the contract.
pub fn routes(api: web::Data<Api>) -> impl FnOnce(&mut web::ServiceConfig) + Clone {
    move |config| {
        config
            .app_data(api)
            .app_data(web::PayloadConfig::new(BODY_BYTES_MAX))
            .configure(checkout::route)
            .configure(confirm::route)
            .configure(payment::route)
            .configure(cancel::route)
            .configure(payments::route)
            .configure(history::route)
            .configure(events::route)
            .configure(settle::routes)
            .configure(products::routes)
            .configure(users::route)
            .configure(webhooks::routes)
            .configure(endpoints::routes)
            .configure(deliveries::routes)
            .configure(health::routes)
            .configure(metrics::route)
            .configure(openapi::route);
    }
}
