//! The sandbox over real sockets.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod api;
mod bench;
mod browser;
#[cfg(unix)]
mod chromium;
mod conformance;
mod contract;
mod controls;
mod delays;
mod faults;
mod hostile;
mod journal;
mod kill;
mod program;
mod readme;
mod settings;
mod webhooks;
