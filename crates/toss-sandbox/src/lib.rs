#![doc = include_str!("../README.md")]

mod config;
mod endpoint;
pub mod engine;
pub mod fault;
mod http;
mod journal;
mod sandbox;
mod server;
mod webhook;
mod window;

pub use config::{
    ApiVersion, DEFAULT_CLIENT_KEY, DEFAULT_SECRET_KEY, DEFAULT_SECURITY_KEY,
    DEFAULT_WIDGET_CLIENT_KEY, DEFAULT_WIDGET_SECRET_KEY, SandboxConfig, Unknowns,
};
pub use endpoint::Endpoint;
pub use engine::{Call, CallTotals, LedgerRow};
pub use fault::{ActiveFault, Effect, Fault, Rule, Target};
pub use http::socket::capture_socket;
pub use journal::{JournalError, JournalFailure};
pub use sandbox::{Invariants, Sandbox};
pub use server::RunningSandbox;
