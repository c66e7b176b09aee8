//! What tests of this crate, of its adapters and of the server need: an in-memory repository, a sender
//! that answers as a test says, and the repository's contract suite.

pub mod contract;
mod fixtures;
mod memory;
mod sender;

pub use fixtures::{ManualClock, NumberedIds, Steady, endpoint, event, noon};
pub use memory::InMemoryWebhooks;
pub use sender::ScriptedSender;
