use kernel::{Money, Timestamp};

use super::{GatewayCancel, VirtualAccount};

/// A payment's status at Toss.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GatewayStatus {
    /// The window is open; the buyer has not authenticated.
    Ready,
    /// The buyer has authenticated; the payment can be approved (for 10 minutes).
    InProgress,
    /// A virtual account waits for its deposit.
    WaitingForDeposit,
    /// Approved.
    Done,
    /// Approved and wholly given back.
    Canceled,
    /// Approved and partly given back.
    PartialCanceled,
    /// Declined or broken off; never approved.
    Aborted,
    /// Lapsed; never approved.
    Expired,
    /// A status that did not exist when this was written.
    Other(String),
}

/// What Toss shows of a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayPayment {
    /// The order it was opened for.
    pub order_id: String,
    /// Its key.
    pub payment_key: String,
    /// Its status.
    pub status: GatewayStatus,
    /// The approved (or asked) amount; `None` when it is not a whole number of won in range.
    pub total: Option<Money>,
    /// What has not been given back; `None` when Toss does not say.
    pub balance: Option<Money>,
    /// ISO 4217, `KRW` for won.
    pub currency: String,
    /// How the buyer paid, in Toss's words.
    pub method: Option<String>,
    /// When it was approved.
    pub approved_at: Option<Timestamp>,
    /// Toss's receipt page.
    pub receipt_url: Option<String>,
    /// The account to deposit to.
    pub virtual_account: Option<VirtualAccount>,
    /// Whether a virtual account's due date has passed without a deposit.
    pub deposit_lapsed: bool,
    /// Authenticates deposit callbacks; never shown.
    pub secret: Option<String>,
    /// Toss's key of the last money movement.
    pub transaction_key: Option<String>,
    /// What was given back, oldest first.
    pub cancels: Vec<GatewayCancel>,
    /// Why it was aborted: code and message.
    pub failure: Option<(String, String)>,
}
