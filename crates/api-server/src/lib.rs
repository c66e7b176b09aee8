#![doc = include_str!("../README.md")]

pub mod bridge;
mod cancel_desk;
pub mod config;
mod confirm_desk;
mod event_streams;
#[cfg(feature = "failpoints")]
pub mod failpoints;
pub mod http;
pub mod keys;
pub mod reconcile;
mod shop;
pub mod wiring;
pub mod worker;

pub use cancel_desk::{CancelDesk, CancelDeskError};
pub use confirm_desk::{Accepted, ConfirmDesk, Confirmed, DeskError};
pub use event_streams::{EventStreams, Opened, StreamError};
