#![doc = include_str!("../README.md")]

pub mod model;
mod port;
mod receiver;
#[cfg(any(test, feature = "testing"))]
#[expect(
    clippy::expect_used,
    reason = "fixtures and contract suites fail by panicking"
)]
pub mod testing;
mod usecase;

pub use port::{DeliveryFilter, Due, Outgoing, Sender, Vitals, WebhookRepository};
#[cfg(any(test, feature = "testing"))]
pub use port::{MockSender, MockWebhookRepository};
#[cfg(any(test, feature = "testing"))]
pub use receiver::MockWebhookReceiver;
pub use receiver::{EndpointError, ResendError, WebhookReceiver};
pub use usecase::{Ports, WebhookService};
