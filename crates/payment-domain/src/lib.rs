#![doc = include_str!("../README.md")]

pub mod model;
pub mod port;
mod receiver;
mod records;
#[cfg(any(test, feature = "testing"))]
#[expect(
    clippy::expect_used,
    reason = "fixtures and contract suites fail by panicking"
)]
pub mod testing;
mod usecase;

#[cfg(any(test, feature = "testing"))]
pub use receiver::MockPaymentReceiver;
pub use receiver::{
    CancelCommand, CancelError, CancelOutcome, CheckoutCommand, CheckoutError, CheckoutOutcome,
    ConfirmCommand, ConfirmError, ConfirmOutcome, Examined, Observed, PaymentReceiver, PaymentView,
    ReadError, Resolution, ResolveCommand, ResolveError,
};
pub use records::{PaymentHistory, PaymentReader, RecordService};
pub use usecase::{
    Notices, PaymentService, Ports, ReconcileError, ReconcileObserver, ReconcilePorts,
    ReconcileWish, Reconciler,
};
