//! One payment: its life and its amounts. What the API shows of it is in `view.rs`.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::{
    currency::{Amount, Currency},
    method::{Method, Terms},
    request::RefundAccount,
    underway::Underway,
};

/// A window that nobody finished lapses after 30 minutes (Toss, payment status table).
pub const WINDOW_LIFE: TimeDelta = TimeDelta::minutes(30);

/// An authenticated payment must be confirmed within 10 minutes (Toss, payment status table).
pub const CONFIRM_LIFE: TimeDelta = TimeDelta::minutes(10);

/// A virtual account takes a deposit for 168 hours unless told otherwise (Toss, `validHours`).
pub const DEPOSIT_LIFE: TimeDelta = TimeDelta::hours(168);

/// How long the account that a refund went to is shown (Toss, `refundReceiveAccount`).
pub(super) const REFUND_ACCOUNT_SHOWN: TimeDelta = TimeDelta::minutes(30);

/// Status of a payment, named as Toss names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// The window is open; nothing is authenticated.
    Ready,
    /// The buyer has authenticated; the merchant must confirm.
    InProgress,
    /// A virtual account is issued and awaits its money.
    WaitingForDeposit,
    /// Approved.
    Done,
    /// Cancelled in full by one cancel.
    Canceled,
    /// Cancelled in part, or in full by several cancels (then the balance is 0).
    PartialCanceled,
    /// Declined.
    Aborted,
    /// Lapsed before it was confirmed.
    Expired,
}

/// One cancel.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Cancel {
    /// Given back, in the smallest unit of the payment's currency.
    pub amount: u64,
    /// The tax-free part of it.
    pub tax_free: u64,
    /// The part of it that is no sale.
    pub tax_exemption: u64,
    /// The merchant's reason.
    pub reason: String,
    /// Balance after it.
    pub balance_after: u64,
    /// When.
    pub at: DateTime<Utc>,
    /// Its transaction.
    pub transaction_key: String,
    /// Where a virtual account's money went back to.
    pub refund_account: Option<RefundAccount>,
    /// The merchant's name of it, where it was decided on later.
    pub request_id: Option<String>,
}

/// A deposit that turned out to be an error: the bank took it back.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reversal {
    /// The deposit's transaction.
    pub approval_key: String,
    /// The reversal's transaction.
    pub transaction_key: String,
}

static PLAIN: std::sync::LazyLock<Terms> = std::sync::LazyLock::new(Terms::default);

/// A payment as the bank keeps it. Amounts are in the smallest unit of its currency: won, yen, cents.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Payment {
    /// Toss's key.
    pub key: String,
    /// The merchant's order id.
    pub order_id: String,
    /// What the buyer reads.
    pub order_name: String,
    /// Full amount.
    pub amount: u64,
    /// Amount less cancels.
    pub balance: u64,
    /// Tax-free part of the balance.
    pub tax_free: u64,
    /// How it is paid.
    pub method: Method,
    /// Where it stands; see [`Payment::has_lapsed`].
    pub status: Status,
    /// When the window was opened.
    pub requested_at: DateTime<Utc>,
    /// When the buyer authenticated.
    pub authenticated_at: Option<DateTime<Utc>>,
    /// When money was taken; a virtual account's is the time of its deposit.
    pub approved_at: Option<DateTime<Utc>>,
    /// When a virtual account stops taking its deposit.
    pub due_at: Option<DateTime<Utc>>,
    /// The transaction that took the money.
    pub approval_key: Option<String>,
    /// Deposits that the bank took back, oldest first.
    pub reversals: Vec<Reversal>,
    /// Latest transaction (approval or cancel).
    pub last_transaction_key: Option<String>,
    /// Authenticates deposit callbacks.
    pub secret: String,
    /// Digits that the method needs: card number tail and approval number, or account number.
    pub digits: String,
    /// Cancels, oldest first.
    pub cancels: Vec<Cancel>,
    /// Cancels that a wallet abroad has yet to decide on, or has refused.
    pub underway: Vec<Underway>,
    /// Why it was declined or lapsed.
    pub failure_code: Option<String>,
    /// A code with which the confirm will be declined, chosen in the window.
    pub decline_at_confirm: Option<String>,
    /// What it has beyond what every payment has.
    pub terms: Option<Box<Terms>>,
}

impl Payment {
    /// Whether time has run out for an unfinished payment whose status does not say so yet.
    pub fn has_lapsed(&self, now: DateTime<Utc>) -> bool {
        let deadline = match self.status {
            Status::Ready => self.requested_at + WINDOW_LIFE,
            Status::InProgress => self.authenticated_at.unwrap_or(self.requested_at) + CONFIRM_LIFE,
            Status::WaitingForDeposit
            | Status::Done
            | Status::Canceled
            | Status::PartialCanceled
            | Status::Aborted
            | Status::Expired => return false,
        };
        now >= deadline
    }

    /// What it has beyond what every payment has; mostly nothing.
    pub fn terms(&self) -> &Terms {
        self.terms.as_deref().unwrap_or(&PLAIN)
    }

    /// What it is made in.
    pub fn currency(&self) -> Currency {
        self.terms().currency
    }

    /// Smallest units as an amount of its currency.
    pub(super) fn money(&self, minor: u64) -> Amount {
        Amount::new(minor, self.currency())
    }

    /// Whether this payment has used its order id up: it was approved (even if cancelled since),
    /// or holds a virtual account.
    pub fn occupies_order(&self) -> bool {
        match self.status {
            Status::WaitingForDeposit
            | Status::Done
            | Status::Canceled
            | Status::PartialCanceled => true,
            Status::Ready | Status::InProgress | Status::Aborted | Status::Expired => false,
        }
    }

    /// What of the balance is no sale (`taxExemptionAmount`).
    pub fn tax_exemption(&self) -> u64 {
        let returned = self.cancels.iter().map(|cancel| cancel.tax_exemption).sum();
        self.terms().tax_exemption.saturating_sub(returned)
    }

    /// What of the balance has value-added tax in it. That none is in what is no sale is assumed.
    pub(super) fn taxed(&self) -> u64 {
        self.balance
            .saturating_sub(self.tax_free)
            .saturating_sub(self.tax_exemption())
    }

    /// Value-added tax within the balance: a tenth on top, hence an eleventh, rounded half up.
    pub fn vat(&self) -> u64 {
        let taxed = u128::from(self.taxed());
        u64::try_from((taxed * 2 + 11) / 22).unwrap_or(u64::MAX)
    }

    /// Given back after an approval.
    pub fn canceled(&self) -> u64 {
        if self.approved_at.is_some() {
            self.amount - self.balance
        } else {
            0
        }
    }
}

/// `yyyy-MM-dd'T'HH:mm:ss+09:00`, as Toss prints every time.
pub fn korean_time(time: DateTime<Utc>) -> String {
    (time + TimeDelta::hours(9))
        .format("%Y-%m-%dT%H:%M:%S+09:00")
        .to_string()
}
