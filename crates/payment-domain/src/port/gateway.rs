use async_trait::async_trait;
use kernel::{Money, OrderId, PaymentKey};

use crate::model::{AttemptKey, GatewayPayment, RefundAccount};

/// Asks for an approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfirmRequest {
    /// Which order.
    pub order_id: OrderId,
    /// The payment that the buyer authenticated.
    pub payment_key: PaymentKey,
    /// How much.
    pub amount: Money,
    /// This attempt's idempotency key.
    pub key: AttemptKey,
}

/// Asks for money back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CancelRequest {
    /// Which order, for the log.
    pub order_id: OrderId,
    /// Which payment at Toss.
    pub payment_key: PaymentKey,
    /// Why, at most 200 characters.
    pub reason: String,
    /// How much; `None` for all that is left.
    pub part: Option<CancelPart>,
    /// Where the money of a deposited virtual account goes.
    pub refund_account: Option<RefundAccount>,
    /// This attempt's idempotency key.
    pub key: AttemptKey,
}

/// A part of a payment's money.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CancelPart {
    /// How much goes back.
    pub amount: Money,
    /// What is left before it, as we believe: Toss refuses when it sees something else.
    pub balance: Money,
}

/// What kind of definitive or indefinite refusal Toss's error code is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RejectionKind {
    /// The buyer's means of payment was declined; nothing was charged and nothing will be.
    Declined,
    /// Toss knows no such payment, or its time is over: a look tells which.
    UnknownPayment,
    /// Toss found order, amount or key inconsistent: a look tells what is wrong.
    Inconsistent,
    /// Our own key, contract or request is at fault; nothing was charged.
    Configuration,
    /// An earlier attempt finished: a look tells how.
    AlreadyProcessed,
    /// The same key is being worked on (409): wait, then the same key again.
    StillRunning,
    /// It may or may not have happened: a look must come before anything else.
    Unclear,
}

/// An error that Toss answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayRejection {
    /// What it means.
    pub kind: RejectionKind,
    /// Toss's code.
    pub code: String,
    /// Toss's message.
    pub message: String,
    /// Toss's trace id.
    pub trace_id: Option<String>,
}

/// What came of a request that moves money.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GatewayAnswer {
    /// Toss did it, and this is the payment now.
    Done {
        /// The payment.
        payment: Box<GatewayPayment>,
        /// Toss's trace id.
        trace_id: Option<String>,
    },
    /// Toss answered with an error.
    Rejected(GatewayRejection),
    /// The request may have arrived, and no readable answer came back: it may have happened.
    Unknown {
        /// What was seen, for the log; no secrets.
        reason: String,
    },
    /// The request never left: it cannot have happened.
    NotSent {
        /// What was seen, for the log; no secrets.
        reason: String,
    },
}

/// What came of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LookUp {
    /// Toss knows the payment.
    Found(Box<GatewayPayment>),
    /// Toss says that there is no such payment. Seen once this proves nothing: it may lag.
    Absent,
    /// No usable answer.
    Unavailable {
        /// What was seen, for the log; no secrets.
        reason: String,
    },
}

/// Toss Payments. An implementation MUST NOT retry requests that move money, MUST NOT hold a
/// database connection, and MUST answer within its time-out, which is shorter than the lease.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait PaymentGateway: Send + Sync {
    /// Whether a confirm may be begun now. `false` while Toss is known to be down or has all the
    /// calls it may have at once: then nothing is claimed for a call that would fail.
    fn admits(&self) -> bool {
        true
    }

    /// Whether Toss answers again after a long silence, told once after each. An implementation
    /// that knows of a silence MAY ask Toss something harmless to find out, for a few seconds at
    /// most.
    async fn is_back(&self) -> bool;

    /// Approves a payment. MUST send the given key as `Idempotency-Key`.
    async fn confirm(&self, request: &ConfirmRequest) -> GatewayAnswer;

    /// Gives money back. MUST send the given key as `Idempotency-Key`.
    async fn cancel(&self, request: &CancelRequest) -> GatewayAnswer;

    /// Looks a payment up by its key.
    async fn look_up(&self, payment_key: &PaymentKey) -> LookUp;

    /// Looks an order's latest payment up.
    async fn look_up_order(&self, order_id: &OrderId) -> LookUp;
}
