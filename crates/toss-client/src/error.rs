//! How a call can end without an answer that could be used.

use std::{fmt, time::Duration};

use crate::{Answer, Difference, Endpoint, ErrorClass, Payment, RawBody, classify};

/// The underlying cause of an error, for logs. It never holds the URL, a key or a body.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// How a call failed, told apart by what may have happened to the money.
///
/// `Display` names the call and the reason; it shows no key, no payment and no body, so it can
/// be logged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The request breaks a documented limit, so it was not sent: a fault of the caller.
    #[error("{endpoint}: the request is not valid and was not sent: {reason}")]
    InvalidRequest {
        /// The call.
        endpoint: Endpoint,
        /// Which limit is broken.
        reason: String,
    },
    /// No connection came about (refused, no such host, TLS, connect time-out), so nothing
    /// reached Toss. It is safe to send again with the same key.
    #[error("{endpoint}: nothing was sent: {reason}")]
    NotSent {
        /// The call.
        endpoint: Endpoint,
        /// What prevented it.
        reason: String,
        /// The transport's own error.
        #[source]
        source: Option<Cause>,
    },
    /// The request, or part of it, went out and no whole answer came back: **it may have
    /// happened**. Send the same key again or ask for the payment; never take it for a failure.
    #[error("{endpoint}: the outcome is unknown: {reason}")]
    Unknown {
        /// The call.
        endpoint: Endpoint,
        /// How the answer was lost.
        reason: UnknownReason,
        /// The transport's own error.
        #[source]
        source: Option<Cause>,
    },
    /// Toss answered with an error it explains.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// An answer came that is not in Toss's form. A 2xx means that the call **was executed**;
    /// anything else is a gateway's page and tells nothing.
    #[error("{endpoint}: the answer (HTTP {status}) cannot be read: {reason}")]
    Undecodable {
        /// The call.
        endpoint: Endpoint,
        /// The HTTP status.
        status: u16,
        /// What was wrong with it; no value of the body is repeated.
        reason: String,
        /// At most [`ERROR_BODY_BYTES_MAX`](crate::ERROR_BODY_BYTES_MAX) of the body.
        body: RawBody,
        /// `x-tosspayments-trace-id`, if any.
        trace_id: Option<String>,
    },
    /// Toss executed something else than was asked for: another order, amount, currency or
    /// status. **Money may have moved**; only
    /// [`confirm_checked`](crate::TossClient::confirm_checked) says this.
    #[error("{endpoint}: executed, but {difference}")]
    Mismatch {
        /// The call.
        endpoint: Endpoint,
        /// What differs first.
        difference: Difference,
        /// What Toss answered.
        answer: Box<Answer<Payment>>,
    },
}

/// How an answer was lost.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnknownReason {
    /// The attempt's time ran out before an answer began.
    Timeout,
    /// The connection broke before an answer began.
    ConnectionLost,
    /// The answer began, with this status, and broke off or took too long.
    AnswerCutShort {
        /// The HTTP status that had arrived. Even a 2xx without its body says little: ask.
        status: u16,
        /// `x-tosspayments-trace-id`, if it had arrived.
        trace_id: Option<String>,
    },
}

impl fmt::Display for UnknownReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout => f.write_str("no answer in time"),
            Self::ConnectionLost => f.write_str("the connection broke before an answer"),
            Self::AnswerCutShort { status, .. } => {
                write!(f, "the answer (HTTP {status}) broke off")
            }
        }
    }
}

/// An error that Toss explained.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{endpoint}: rejected (HTTP {status}) with {code}: {message}")]
#[non_exhaustive]
pub struct Rejection {
    /// The call.
    pub endpoint: Endpoint,
    /// The HTTP status. Decide by [`class`](Self::class), not by this: `PROVIDER_ERROR` is a
    /// 400 and yet may have charged.
    pub status: u16,
    /// Toss's code.
    pub code: ErrorCode,
    /// Toss's message, Korean unless English was asked for; at most 2,000 characters. Its
    /// wording changes: show it, never match on it.
    pub message: String,
    /// What to do about it.
    pub class: ErrorClass,
    /// `x-tosspayments-trace-id`, or the `traceId` of a version 2 answer.
    pub trace_id: Option<String>,
    /// At most [`ERROR_BODY_BYTES_MAX`](crate::ERROR_BODY_BYTES_MAX) of the body.
    pub body: RawBody,
    /// How long Toss asks to wait (`Retry-After` in seconds). It documents no such header, so
    /// this is mostly `None`, also with 429.
    pub retry_after: Option<Duration>,
}

impl Rejection {
    const MESSAGE_CHARS_MAX: usize = 2_000;

    /// A rejection as Toss would send it, classified; for tests of code that handles them too.
    pub fn new(endpoint: Endpoint, status: u16, code: &str, message: &str) -> Self {
        Self {
            endpoint,
            status,
            code: ErrorCode(code.to_owned()),
            message: message.chars().take(Self::MESSAGE_CHARS_MAX).collect(),
            class: classify(endpoint, status, code, message),
            trace_id: None,
            body: RawBody::default(),
            retry_after: None,
        }
    }
}

/// Toss's error code, for instance `REJECT_CARD_PAYMENT`. New ones appear without notice, so it
/// is a text and not an enum.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ErrorCode(String);

impl ErrorCode {
    /// The code as Toss spells it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl PartialEq<str> for ErrorCode {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

impl PartialEq<&str> for ErrorCode {
    fn eq(&self, other: &&str) -> bool {
        self.0 == *other
    }
}

impl Error {
    /// The call that failed.
    pub fn endpoint(&self) -> Endpoint {
        match self {
            Self::Rejected(rejection) => rejection.endpoint,
            Self::InvalidRequest { endpoint, .. }
            | Self::NotSent { endpoint, .. }
            | Self::Unknown { endpoint, .. }
            | Self::Undecodable { endpoint, .. }
            | Self::Mismatch { endpoint, .. } => *endpoint,
        }
    }

    /// What to do about it, for every way of failing.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::InvalidRequest { .. } => ErrorClass::Config,
            Self::NotSent { .. } | Self::Unknown { .. } => ErrorClass::RetrySameKey,
            Self::Rejected(rejection) => rejection.class,
            Self::Undecodable { status: 429, .. } => ErrorClass::RetryWait,
            Self::Undecodable { .. } | Self::Mismatch { .. } => ErrorClass::QueryFirst,
        }
    }

    /// The HTTP status, where an answer began.
    pub fn http_status(&self) -> Option<u16> {
        match self {
            Self::Rejected(Rejection { status, .. })
            | Self::Undecodable { status, .. }
            | Self::Unknown {
                reason: UnknownReason::AnswerCutShort { status, .. },
                ..
            } => Some(*status),
            Self::Mismatch { answer, .. } => Some(answer.http_status),
            Self::InvalidRequest { .. } | Self::NotSent { .. } | Self::Unknown { .. } => None,
        }
    }

    /// Toss's trace id, where an answer carried one.
    pub fn trace_id(&self) -> Option<&str> {
        match self {
            Self::Rejected(Rejection { trace_id, .. })
            | Self::Undecodable { trace_id, .. }
            | Self::Unknown {
                reason: UnknownReason::AnswerCutShort { trace_id, .. },
                ..
            } => trace_id.as_deref(),
            Self::Mismatch { answer, .. } => answer.trace_id.as_deref(),
            Self::InvalidRequest { .. } | Self::NotSent { .. } | Self::Unknown { .. } => None,
        }
    }
}
