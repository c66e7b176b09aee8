//! The payment as a value and every rule of its life. Pure: no I/O, no clock, no randomness.

mod attempt;
mod cancel;
mod change;
mod gateway;
mod news;
mod payment;
mod policy;
mod reconcile;
mod replay;
mod status;
mod transition;
mod verdict;

pub use attempt::{
    Attempt, AttemptChange, AttemptKey, AttemptOutcome, AttemptPurpose, AttemptResult,
};
pub use cancel::{
    Cancel, CancelKey, CancelRefusal, CancelRefusalKind, CancelState, GatewayCancel, RefundAccount,
    RestockLine, RestockRefusal, as_canceled, restock_lines, running_cancel, still_sold, unbooked,
};
pub use change::{
    Change, HistoryEntry, OutboxKey, OutboxMessage, StockInstruction, Transaction, TransactionKind,
};
pub use gateway::{GatewayPayment, GatewayStatus};
pub use news::NewsKind;
pub(crate) use payment::check_lines;
pub use payment::{
    Buyer, CheckoutRefusal, Failure, FailureKind, GatewaySecret, LINES_MAX, Payment, PaymentLine,
    QuotedLine, VirtualAccount,
};
pub use policy::Policy;
pub use reconcile::{
    Books, Finding, FindingKind, InvalidPeriod, Listed, Period, ProductPieces, StockState, There,
    Undelivered, agrees_with_list, compare, compare_books, compare_pieces, compare_stock,
};
pub use replay::{BrokenRecord, Movement, Records, Replayed, TimelineEvent, replay};
pub use status::PaymentStatus;
pub use transition::{IllegalTransition, PaymentFact};
pub use verdict::{Verdict, judge};
