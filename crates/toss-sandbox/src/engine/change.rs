//! What the engine changes, one fact at a time: the journal's vocabulary. The engine alters its
//! books only by applying these, live and when it is rebuilt.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{
    Answer, Method, RequestedMethod, billing::BillingKey, brandpay::BrandpayCustomer, direct::Card,
    method::Terms, payouts::Payout, receipts::CashReceipt, request::RefundAccount, sellers::Seller,
};

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// One change of the books. Amounts are in the smallest unit of the payment's currency, times
/// the sandbox's clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Change {
    /// A payment was opened; it is READY.
    Opened(Box<Opening>),
    /// A browser opened the payment's window.
    WindowOpened {
        /// Names the window in `/sandbox/window/{id}`.
        window_id: String,
        /// The payment that it is about.
        payment_key: String,
        /// What the page asked for.
        method: RequestedMethod,
        /// Who is expected to pay into a virtual account.
        customer_name: String,
        /// Where the browser goes when the buyer has paid.
        success_url: String,
        /// Where the browser goes otherwise.
        fail_url: String,
        /// Whose card is registered, if no payment is made.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        customer_key: Option<String>,
        /// When; none in journals of before it was written down.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        opened_at: Option<DateTime<Utc>>,
    },
    /// The buyer has used the window; it opens no more.
    WindowFinished {
        /// The window.
        window_id: String,
        /// What the page's Promise is told, as JSON.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        outcome: Option<String>,
    },
    /// The buyer authenticated: READY → `IN_PROGRESS`.
    Authenticated {
        /// The payment.
        payment_key: String,
        /// When.
        at: DateTime<Utc>,
        /// How it is paid.
        method: Method,
        /// The number of the card that the buyer typed, masked.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        card_number: Option<String>,
        /// Whether the card's points are used.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        card_points: bool,
        /// The code with which its confirm will be declined, if the buyer chose one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        decline_at_confirm: Option<String>,
    },
    /// Money was taken: `IN_PROGRESS` → DONE.
    Approved {
        /// The payment.
        payment_key: String,
        /// When.
        at: DateTime<Utc>,
        /// How much.
        amount: u64,
        /// The approval.
        transaction_key: String,
    },
    /// A virtual account was issued: `IN_PROGRESS` → `WAITING_FOR_DEPOSIT`.
    AccountIssued {
        /// The payment.
        payment_key: String,
        /// When the account stops taking its deposit.
        due_at: DateTime<Utc>,
        /// The issue.
        transaction_key: String,
    },
    /// A virtual account stops taking its deposit sooner.
    AccountDue {
        /// The payment.
        payment_key: String,
        /// When.
        due_at: DateTime<Utc>,
    },
    /// Money arrived in a virtual account: `WAITING_FOR_DEPOSIT` → DONE.
    Deposited {
        /// The payment.
        payment_key: String,
        /// When.
        at: DateTime<Utc>,
        /// How much.
        amount: u64,
        /// The deposit.
        transaction_key: String,
    },
    /// A deposit turned out to be an error: DONE → `WAITING_FOR_DEPOSIT`.
    DepositReversed {
        /// The payment.
        payment_key: String,
        /// When.
        at: DateTime<Utc>,
        /// The reversal.
        transaction_key: String,
    },
    /// Declined: READY or `IN_PROGRESS` → ABORTED.
    Declined {
        /// The payment.
        payment_key: String,
        /// Toss's code.
        code: String,
    },
    /// Lapsed: READY or `IN_PROGRESS` → EXPIRED.
    Expired {
        /// The payment.
        payment_key: String,
    },
    /// Money was given back, or an account that nobody paid into was withdrawn.
    Canceled {
        /// The payment.
        payment_key: String,
        /// When.
        at: DateTime<Utc>,
        /// How much.
        amount: u64,
        /// The tax-free part of it.
        tax_free: u64,
        /// The part of it that is no sale.
        #[serde(default, skip_serializing_if = "is_zero")]
        tax_exemption: u64,
        /// The merchant's reason.
        reason: String,
        /// The cancel.
        transaction_key: String,
        /// Where a virtual account's money went.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        refund_account: Option<RefundAccount>,
    },
    /// A wallet abroad was asked to give money back, and decides later.
    CancelStarted {
        /// The payment.
        payment_key: String,
        /// When.
        at: DateTime<Utc>,
        /// How much.
        amount: u64,
        /// The tax-free part of it.
        tax_free: u64,
        /// The part of it that is no sale.
        #[serde(default, skip_serializing_if = "is_zero")]
        tax_exemption: u64,
        /// The merchant's reason.
        reason: String,
        /// The cancel.
        transaction_key: String,
        /// The merchant's name of it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        request_id: Option<String>,
    },
    /// A wallet abroad gave money back, or refused.
    CancelDecided {
        /// The payment.
        payment_key: String,
        /// The cancel.
        transaction_key: String,
        /// When.
        at: DateTime<Utc>,
        /// Whether it gave the money back.
        done: bool,
    },
    /// A customer authenticated a card for billing.
    BillingAuthorised {
        /// Good for one billing key.
        auth_key: String,
        /// Whose card it is.
        customer_key: String,
        /// The card that the customer typed; none if they typed none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        card: Option<Card>,
    },
    /// A billing key was issued.
    BillingIssued {
        /// The key.
        key: Box<BillingKey>,
        /// The authentication that it used up, if any.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        auth_key: Option<String>,
    },
    /// A billing key was deleted.
    BillingRemoved {
        /// The key.
        billing_key: String,
    },
    /// A cash receipt was issued or cancelled.
    ReceiptIssued(Box<CashReceipt>),
    /// A payout was asked for.
    PayoutRequested(Box<Payout>),
    /// A payout was cancelled before it was made.
    PayoutCanceled {
        /// The payout.
        id: String,
    },
    /// A payout came to its end, and an event says so.
    PayoutTold {
        /// The payout.
        id: String,
    },
    /// A seller was registered or changed.
    SellerKept(Box<Seller>),
    /// A seller was deleted.
    SellerRemoved {
        /// The seller.
        id: String,
    },
    /// A customer of brandpay was added or changed.
    BrandpayKept(Box<BrandpayCustomer>),
    /// Codes or tokens of brandpay were issued.
    BrandpayPassed {
        /// For whom they stand.
        customer_key: String,
        /// The code or token that was used up for them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        used: Option<String>,
        /// The new ones.
        issued: Vec<String>,
    },
    /// An event is owed to the merchant.
    WebhookQueued {
        /// Its transmission id.
        id: String,
        /// Toss's name of it.
        event: String,
        /// The order it is about, if any.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        order_id: Option<String>,
        /// What is sent.
        body: String,
        /// Whether it is signed.
        signed: bool,
        /// When it is to be sent.
        due_at: DateTime<Utc>,
    },
    /// An event was sent, or given up.
    WebhookTried {
        /// Its transmission id.
        id: String,
        /// When it is sent again; none if it is owed no more.
        again_at: Option<DateTime<Utc>>,
    },
    /// An answer was stored under its idempotency key.
    Answered {
        /// URL path, a line break, and the key.
        scope: String,
        /// When the key was first used.
        first_used: DateTime<Utc>,
        /// What is replayed.
        answer: Answer,
    },
    /// The clock was put forward.
    ClockAdvanced {
        /// How far the sandbox's clock is ahead of the machine's, in milliseconds.
        offset_ms: i64,
    },
}

/// A payment as it is opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Opening {
    /// Toss's key.
    pub payment_key: String,
    /// The merchant's order id.
    pub order_id: String,
    /// What the buyer reads.
    pub order_name: String,
    /// Won.
    pub amount: u64,
    /// The tax-free part of it, in won.
    pub tax_free: u64,
    /// How it is expected to be paid.
    pub method: Method,
    /// When.
    pub at: DateTime<Utc>,
    /// Authenticates deposit callbacks.
    pub secret: String,
    /// Digits that the method needs.
    pub digits: String,
    /// What it has beyond what every payment has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms: Option<Box<Terms>>,
}

/// A change that cannot follow from what came before it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {subject} does not follow from the changes before it")]
pub struct Inconsistent {
    /// What the change claims.
    pub what: &'static str,
    /// The payment, window or key that it names.
    pub subject: String,
}

impl Inconsistent {
    pub(super) fn new(what: &'static str, subject: &str) -> Self {
        Self {
            what,
            subject: subject.to_owned(),
        }
    }
}

/// The changes made since they were last taken; none are kept unless someone wants them.
#[derive(Debug, Default)]
pub(super) struct Changes {
    made: Vec<Change>,
    wanted: bool,
}

impl Changes {
    /// From now on changes are kept until they are taken.
    pub(super) fn want(&mut self) {
        self.wanted = true;
    }

    pub(super) fn wanted(&self) -> bool {
        self.wanted
    }

    /// A change that is about to be applied, if it is to be noted then.
    pub(super) fn copy(&self, change: &Change) -> Option<Change> {
        self.wanted.then(|| change.clone())
    }

    /// Notes a change that has been applied. One that could not be must not be noted: a journal
    /// with it could never be read again.
    pub(super) fn note(&mut self, applied: Option<Change>) {
        self.made.extend(applied);
    }

    pub(super) fn take(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.made)
    }
}
