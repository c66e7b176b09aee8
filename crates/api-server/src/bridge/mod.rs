//! One domain's port mapped onto another's receiver, and the gateway port onto `toss-client`.

mod buyers;
mod guard;
mod ledger;
mod news;
mod products;
mod sender;
/// Toss Payments, and what its words mean to a payment.
pub mod toss;

pub use buyers::Buyers;
pub use guard::{BreakerSettings, GuardedGateway};
pub use ledger::{TossLedger, ledger_row};
pub use news::MerchantNews;
pub use products::Products;
pub use sender::{HttpSender, Names, SystemNames};
pub use toss::Toss;
