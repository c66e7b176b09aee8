//! What tests of this crate, of its adapters and of the server need: fixtures, in-memory fakes, a
//! scriptable gateway and the repository's contract suite.

pub mod contract;
mod fixtures;
mod gateway;
mod ledger;
mod listener;
mod memory;
mod shelf;
mod time;

pub use fixtures::{
    buyer, change, gateway_payment, gateway_status, order_id, payment, payment_key, quoted,
};
pub use gateway::ScriptedGateway;
pub use ledger::ScriptedLedger;
pub use listener::Listener;
pub use memory::InMemoryPayments;
pub use shelf::Shelf;
pub use time::{FixedRandomness, ManualClock, NumberedIds};
