//! A cancel: money that an operator wants to give back, from the wish to its end.

use std::collections::BTreeMap;
use std::fmt;

use kernel::{Fence, IdempotencyKey, Money, ProductId, Quantity, Timestamp};

use super::{Payment, PaymentStatus, Transaction};

/// Where the money of a virtual account goes back to. Kept only until the cancel has ended.
#[derive(Clone, PartialEq, Eq)]
pub struct RefundAccount {
    /// Toss's bank code or name, 1 to 30 characters.
    pub bank: String,
    /// Digits, 1 to 20.
    pub account_number: String,
    /// Whose account, 1 to 60 characters.
    pub holder_name: String,
}

impl fmt::Debug for RefundAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefundAccount(redacted)")
    }
}

/// A client's idempotency key of one cancel, scoped to the order, with the fingerprint of what was
/// asked under it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CancelKey {
    /// The key.
    pub key: IdempotencyKey,
    /// 64 hexadecimal characters: a digest of the request's meaning.
    pub fingerprint: String,
}

/// So many pieces of one product go back on the shelf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestockLine {
    /// Which product.
    pub product_id: ProductId,
    /// How many pieces.
    pub quantity: Quantity,
}

/// Where a cancel stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelState {
    /// It is stored, and Toss may have been asked. At most one cancel of a payment is here.
    Requested,
    /// Toss gave the money back.
    Done,
    /// Toss refused for good; no money moved.
    Refused,
}

impl CancelState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Requested, Self::Done, Self::Refused];

    /// The stored spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "REQUESTED",
            Self::Done => "DONE",
            Self::Refused => "REFUSED",
        }
    }

    /// The state with this stored spelling.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// What kind of refusal ended a cancel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelRefusalKind {
    /// The payment cannot be canceled, or not like this.
    NotCancelable,
    /// More than what is left.
    AmountExceeded,
    /// The refund account is missing or wrong.
    RefundAccount,
    /// Toss refuses our own credentials or configuration.
    Configuration,
}

impl CancelRefusalKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [
        Self::NotCancelable,
        Self::AmountExceeded,
        Self::RefundAccount,
        Self::Configuration,
    ];

    /// The stored spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotCancelable => "NOT_CANCELABLE",
            Self::AmountExceeded => "AMOUNT_EXCEEDED",
            Self::RefundAccount => "REFUND_ACCOUNT",
            Self::Configuration => "CONFIGURATION",
        }
    }

    /// The kind with this stored spelling.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// What a code of Toss's cancel that refuses for good is about.
    pub fn of_code(code: &str) -> Self {
        match code {
            "NOT_CANCELABLE_AMOUNT" | "INVALID_REFUND_AMOUNT" | "NOT_MATCHES_REFUNDABLE_AMOUNT" => {
                Self::AmountExceeded
            }
            "INVALID_REFUND_ACCOUNT_INFO"
            | "INVALID_REFUND_ACCOUNT_NUMBER"
            | "INVALID_BANK"
            | "FORBIDDEN_BANK_REFUND_REQUEST" => Self::RefundAccount,
            _ => Self::NotCancelable,
        }
    }
}

/// Why a cancel was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CancelRefusal {
    /// What kind of refusal it is.
    pub kind: CancelRefusalKind,
    /// Toss's code.
    pub code: String,
    /// Toss's message; at most 510 characters.
    pub message: String,
}

/// One wish to give money back, stored before Toss is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cancel {
    /// From 1, counted per order.
    pub number: u32,
    /// How much, above zero.
    pub amount: Money,
    /// Why, as Toss and the buyer read it: 1 to 200 characters.
    pub reason: String,
    /// Where the money of a virtual account goes; gone once the cancel has ended.
    pub refund_account: Option<RefundAccount>,
    /// What goes back on the shelf once the money is back.
    pub restock: Vec<RestockLine>,
    /// The client's key, if it sent one.
    pub key: Option<CancelKey>,
    /// The last attempt at Toss for it.
    pub attempt: u32,
    /// Where it stands.
    pub state: CancelState,
    /// The fence of the change that ended it.
    pub ended_fence: Option<Fence>,
    /// What was left afterwards; `None` unless it is done.
    pub balance_after: Option<Money>,
    /// Why it was refused.
    pub refusal: Option<CancelRefusal>,
    /// When it was asked for.
    pub requested_at: Timestamp,
}

impl Cancel {
    /// Ended: the money is back, and `balance` is left.
    pub(crate) fn done(self, fence: Fence, balance: Money) -> Self {
        Self {
            state: CancelState::Done,
            ended_fence: Some(fence),
            balance_after: Some(balance),
            refund_account: None,
            ..self
        }
    }

    /// Ended: refused for good.
    pub(crate) fn refused(self, fence: Fence, refusal: CancelRefusal) -> Self {
        Self {
            state: CancelState::Refused,
            ended_fence: Some(fence),
            refusal: Some(refusal),
            refund_account: None,
            ..self
        }
    }
}

/// The cancel that has not ended, if there is one.
pub fn running_cancel(cancels: &[Cancel]) -> Option<&Cancel> {
    let mut running = cancels
        .iter()
        .filter(|cancel| cancel.state == CancelState::Requested);
    running.next()
}

/// How many pieces of each product of the order have not gone back yet, by product; a cancel that
/// runs counts as done.
pub fn still_sold(payment: &Payment, cancels: &[Cancel]) -> BTreeMap<ProductId, u16> {
    let mut left: BTreeMap<ProductId, u16> = payment
        .lines
        .iter()
        .map(|line| (line.product_id, line.quantity.get()))
        .collect();
    let counting = cancels
        .iter()
        .filter(|cancel| cancel.state != CancelState::Refused);
    for line in counting.flat_map(|cancel| &cancel.restock) {
        if let Some(pieces) = left.get_mut(&line.product_id) {
            *pieces = pieces.saturating_sub(line.quantity.get());
        }
    }
    left.retain(|_, pieces| *pieces > 0);
    left
}

/// Why pieces cannot go back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the order has fewer pieces of product {0} that could go back")]
pub struct RestockRefusal(pub ProductId);

/// What goes back on the shelf: what was named; else everything that is left when no money remains,
/// and nothing when some does.
///
/// # Errors
/// When more pieces are named than the order still has.
pub fn restock_lines(
    payment: &Payment,
    cancels: &[Cancel],
    amount: Money,
    named: Option<&[RestockLine]>,
) -> Result<Vec<RestockLine>, RestockRefusal> {
    let mut left = still_sold(payment, cancels);
    let Some(named) = named else {
        if amount < payment.balance {
            return Ok(Vec::new());
        }
        let rest = left.into_iter().filter_map(|(product_id, pieces)| {
            let quantity = Quantity::new(i64::from(pieces)).ok()?;
            Some(RestockLine {
                product_id,
                quantity,
            })
        });
        return Ok(rest.collect());
    };
    for line in named {
        let pieces = left.get_mut(&line.product_id);
        match pieces.and_then(|pieces| {
            let rest = pieces.checked_sub(line.quantity.get())?;
            *pieces = rest;
            Some(())
        }) {
            Some(()) => {}
            None => return Err(RestockRefusal(line.product_id)),
        }
    }
    Ok(named.to_vec())
}

/// A cancel as Toss shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayCancel {
    /// Toss's key of the movement.
    pub transaction_key: Option<String>,
    /// How much; `None` when it is no whole number of won.
    pub amount: Option<Money>,
    /// Why.
    pub reason: Option<String>,
    /// When.
    pub at: Option<Timestamp>,
}

/// The cancels that Toss shows and the books do not know, by transaction key.
pub fn unbooked<'a>(shown: &'a [GatewayCancel], booked: &[Transaction]) -> Vec<&'a GatewayCancel> {
    let is_booked = |cancel: &GatewayCancel| {
        booked
            .iter()
            .any(|moved| moved.transaction_key == cancel.transaction_key)
    };
    shown.iter().filter(|cancel| !is_booked(cancel)).collect()
}

/// The payment as it was right after a cancel that is done: the answer of a repeated request.
#[must_use]
pub fn as_canceled(
    mut payment: Payment,
    mut moved: Vec<Transaction>,
    balance_after: Money,
) -> (Payment, Vec<Transaction>) {
    // Every cancel lowers the sum, so each sum belongs to one moment.
    let mut sum = 0;
    let mut count = 0;
    for transaction in &moved {
        sum += transaction.amount_won;
        count += 1;
        if sum == balance_after.won() {
            break;
        }
    }
    moved.truncate(count);
    payment.balance = balance_after;
    payment.status = if balance_after == Money::ZERO {
        PaymentStatus::Canceled
    } else {
        PaymentStatus::PartialCanceled
    };
    (payment, moved)
}
