//! Endpoints, events, deliveries, signatures and targets. Pure: no I/O, no clock, no randomness.

mod delivery;
mod endpoint;
mod event;
mod secret;
mod target;

pub use delivery::{Delivery, DeliveryState, LEASE, Sent, WINDOW};
pub use endpoint::{
    ENDPOINTS_MAX, Endpoint, EndpointPatch, EndpointState, InvalidEndpoint, NewEndpoint,
    OLD_SECRET_VALID,
};
pub use event::{Event, EventType};
pub use secret::{InvalidSecret, SigningSecret, sign};
pub use target::{InvalidTarget, Target, TargetRules, URL_CHARS_MAX, is_public};
