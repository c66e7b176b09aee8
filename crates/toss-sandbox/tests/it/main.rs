//! The sandbox over real sockets.
#![expect(clippy::unwrap_used, reason = "tests")]

mod api;
mod bench;
mod browser;
mod controls;
mod faults;
