use std::fmt;

use kernel::{Money, OrderId, PaymentKey, Timestamp};

/// What an attempt asks Toss for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptPurpose {
    /// Approve the payment.
    Confirm,
    /// Give money back.
    Cancel,
}

impl AttemptPurpose {
    /// Every purpose.
    pub const ALL: [Self; 2] = [Self::Confirm, Self::Cancel];

    /// The stored spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Confirm => "CONFIRM",
            Self::Cancel => "CANCEL",
        }
    }

    /// The purpose with this stored spelling.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|purpose| purpose.as_str() == text)
    }
}

/// The idempotency key of one attempt at Toss: `{orderId}:{attempt}`, at most 75 characters (Toss
/// allows 300).
///
/// Toss replays any decoded 4xx under the same key for 15 days, so a key lives only as long as no
/// decoded answer came to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptKey(String);

impl AttemptKey {
    /// The key of an order's `number`th attempt (from 1).
    pub fn new(order_id: &OrderId, number: u32) -> Self {
        Self(format!("{order_id}:{number}"))
    }

    /// The header's value.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AttemptKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How an attempt ended, as far as is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptOutcome {
    /// Toss did it.
    Approved,
    /// Toss definitively refused.
    Rejected,
    /// Toss answered with an error that leaves open whether it was done: the key is spent.
    Unclear,
    /// No decoded answer came: the same key may be sent again.
    Silent,
    /// Nothing was sent: the same key may be sent again.
    NotSent,
}

impl AttemptOutcome {
    /// Every outcome.
    pub const ALL: [Self; 5] = [
        Self::Approved,
        Self::Rejected,
        Self::Unclear,
        Self::Silent,
        Self::NotSent,
    ];

    /// The stored spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approved => "APPROVED",
            Self::Rejected => "REJECTED",
            Self::Unclear => "UNCLEAR",
            Self::Silent => "SILENT",
            Self::NotSent => "NOT_SENT",
        }
    }

    /// The outcome with this stored spelling.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|outcome| outcome.as_str() == text)
    }

    /// Whether the same idempotency key may be sent again: only when no decoded answer is bound to
    /// it.
    pub const fn key_is_reusable(self) -> bool {
        match self {
            Self::Silent | Self::NotSent => true,
            Self::Approved | Self::Rejected | Self::Unclear => false,
        }
    }
}

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptResult {
    /// How it ended.
    pub outcome: AttemptOutcome,
    /// Toss's error code, if it answered with one.
    pub code: Option<String>,
    /// Toss's message, or what went wrong on the way; at most 510 characters are kept.
    pub message: Option<String>,
    /// Toss's `x-tosspayments-trace-id`, for its support.
    pub trace_id: Option<String>,
}

/// One idempotency key that was, or is about to be, sent to Toss.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// From 1, counted per order.
    pub number: u32,
    /// What it asks for.
    pub purpose: AttemptPurpose,
    /// The payment key it names.
    pub payment_key: PaymentKey,
    /// The amount it names.
    pub amount: Money,
    /// When it was stored, before anything was sent.
    pub started_at: Timestamp,
    /// What came of it; `None` means that nobody noted an answer, as after a crash: treat it as
    /// silence.
    pub result: Option<AttemptResult>,
    /// When the result was stored.
    pub finished_at: Option<Timestamp>,
}

impl Attempt {
    /// Whether the same idempotency key may be sent again.
    pub fn key_is_reusable(&self) -> bool {
        self.result
            .as_ref()
            .is_none_or(|result| result.outcome.key_is_reusable())
    }
}

/// What a change does to the attempts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttemptChange {
    /// Stores a new attempt, before anything is sent under its key.
    Start(Attempt),
    /// Stores what came of an attempt.
    Finish {
        /// Which attempt.
        number: u32,
        /// What came of it.
        result: AttemptResult,
    },
}
