//! What our server is held against: small programs that do it otherwise, or do less.

mod echo;
mod in_transaction;

pub(crate) use echo::{EchoOptions, echo};
pub(crate) use in_transaction::{InTransactionOptions, in_transaction};
