//! The payment use cases against fakes: every rule of their contract, then every fault at every
//! step, and two servers in every order.
#![expect(clippy::unwrap_used, reason = "tests")]

mod bank;
mod cancel;
mod checkout;
mod confirm;
mod contract;
mod crash;
mod disagreement;
mod examine;
mod faults;
mod hasten;
mod news;
mod notices;
mod orphan;
mod outbox;
mod race;
mod reconcile;
mod recover;
mod resolve;
mod shop;
mod world;
