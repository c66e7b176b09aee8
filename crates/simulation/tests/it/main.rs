//! The simulation's own test run: bounded, and the same every time.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "tests"
)]

mod crashes;
mod model;
mod mutants;
mod repeat;
mod seeds;
