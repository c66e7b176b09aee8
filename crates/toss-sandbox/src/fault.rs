//! Faults: what goes wrong, for whom and how often. Pure; the HTTP shell carries them out.

mod book;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub(crate) use self::book::FaultBook;
use crate::endpoint::Endpoint;

/// Longest that a webhook is delayed: a year, in milliseconds.
pub const WEBHOOK_DELAY_MAX_MS: u64 = 365 * 86_400_000;

/// Most faults held at once; beyond it the oldest makes room.
pub const FAULTS_MAX: usize = 1_000;

/// Longest delay a fault may ask for: ten minutes, in milliseconds.
pub const DELAY_MAX_MS: u64 = 600_000;

/// Which calls a fault hits; an absent field matches everything.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Target {
    /// Only this endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<Endpoint>,
    /// Only calls about this order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<String>,
}

impl Target {
    fn matches(&self, endpoint: Endpoint, order_id: Option<&str>) -> bool {
        self.endpoint.is_none_or(|wanted| wanted == endpoint) && self.matches_order(order_id)
    }

    fn matches_order(&self, order_id: Option<&str>) -> bool {
        self.order_id
            .as_deref()
            .is_none_or(|wanted| order_id == Some(wanted))
    }
}

/// What goes wrong. "Approve" stands for the call's own work: a cancel is carried out as well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
#[serde(deny_unknown_fields)]
pub enum Effect {
    /// Waits between `min_ms` and `max_ms` (drawn evenly) before the work, then works normally.
    /// The work is done even if the client has left by then. Combines with other effects.
    Delay {
        /// Shortest wait in milliseconds.
        min_ms: u64,
        /// Longest wait in milliseconds, at most [`DELAY_MAX_MS`].
        max_ms: u64,
    },
    /// Answers this error; the work is not done. A code that a buyer can mend aborts the payment
    /// at confirm, any other leaves it as it was. A code unknown to the table is sent with 400.
    Error {
        /// The code to answer.
        code: String,
    },
    /// Works, then never answers: the connection stays open until the client leaves or ten
    /// minutes are over.
    ApproveThenSilence,
    /// Works, then closes the connection without one byte of an answer.
    ApproveThenReset,
    /// Never answers and does not work.
    SilenceWithoutApproval,
    /// Closes the connection without an answer and without working.
    ResetWithoutApproval,
    /// Answers 502 with an HTML page, as a proxy in front of Toss would.
    #[serde(rename = "html502")]
    Html502 {
        /// Whether the work is done first.
        executed: bool,
    },
    /// Works, then answers an error; a code unknown to the table is sent with 500.
    ApproveThenError {
        /// The code to answer.
        code: String,
    },
    /// Works, but the answer shows a `totalAmount` that is one won too high.
    WrongAmount,
    /// Waits before the work as [`Effect::Delay`] does, mostly about `min_ms` and now and then
    /// far longer: a Pareto distribution with exponent 1.2, cut off at `max_ms`.
    HeavyTailedDelay {
        /// Shortest wait in milliseconds, at least 1.
        min_ms: u64,
        /// Longest wait in milliseconds, at most [`DELAY_MAX_MS`].
        max_ms: u64,
    },
    /// Works, then sends the answer's head and half of its body, and closes the connection.
    HalfBody,
    /// Works, then sends the answer's body in pieces over a time.
    SlowBody {
        /// How long the body takes in milliseconds, at most [`DELAY_MAX_MS`].
        over_ms: u64,
    },
    /// Lets so many calls through in each minute of the sandbox's clock; the rest are answered
    /// 429 and do not work.
    RateLimit {
        /// Calls per minute.
        per_minute: u32,
    },
    /// A webhook is never sent, and Toss believes that it was.
    LoseWebhook,
    /// A webhook is sent several times, each with a transmission id of its own.
    RepeatWebhook {
        /// How many copies come on top, at most 100.
        copies: u32,
    },
    /// A webhook is sent late (drawn evenly), so that later ones overtake it.
    DelayWebhook {
        /// Shortest delay in milliseconds.
        min_ms: u64,
        /// Longest delay in milliseconds, at most [`WEBHOOK_DELAY_MAX_MS`].
        max_ms: u64,
    },
}

/// One fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fault {
    /// Which calls it hits.
    #[serde(default)]
    pub target: Target,
    /// What it does.
    pub effect: Effect,
    /// How many calls it hits; absent: every one until it is cleared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
}

/// A fault with chance and times of its own, as `POST /sandbox/faults` and scenario files take it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rule {
    /// Which calls it hits; for webhooks only the order counts.
    #[serde(default)]
    pub target: Target,
    /// What it does.
    pub effect: Effect,
    /// How many calls it hits; absent: every one until it is cleared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// How likely it hits a call that it matches, in percent; absent: always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chance_percent: Option<f64>,
    /// When it begins, in milliseconds after it was injected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_ms: Option<u64>,
    /// How long it lasts, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_ms: Option<u64>,
    /// How often it comes again, in milliseconds from one beginning to the next: an outage every
    /// hour is `everyMs` 3,600,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every_ms: Option<u64>,
}

impl From<Fault> for Rule {
    fn from(fault: Fault) -> Self {
        Self {
            target: fault.target,
            effect: fault.effect,
            times: fault.times,
            chance_percent: None,
            after_ms: None,
            for_ms: None,
            every_ms: None,
        }
    }
}

impl Rule {
    /// Whether it is in force so long after it was injected.
    fn is_on(&self, elapsed_ms: u64) -> bool {
        let Some(since) = elapsed_ms.checked_sub(self.after_ms.unwrap_or(0)) else {
            return false;
        };
        let since = self
            .every_ms
            .filter(|every| *every > 0)
            .map_or(since, |every| since % every);
        self.for_ms.is_none_or(|lasts| since < lasts)
    }

    /// Whether it will never be in force again.
    fn is_over(&self, elapsed_ms: u64) -> bool {
        let end = self
            .for_ms
            .map(|lasts| lasts.saturating_add(self.after_ms.unwrap_or(0)));
        self.times == Some(0)
            || (self.every_ms.is_none() && end.is_some_and(|end| elapsed_ms >= end))
    }
}

/// A fault in force, as `GET /sandbox/faults` shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ActiveFault {
    /// Names it in `DELETE /sandbox/faults/{id}`.
    pub id: u64,
    /// The fault; `times` counts down.
    #[serde(flatten)]
    pub rule: Rule,
    /// When it was injected.
    pub since: DateTime<Utc>,
    /// Calls it has hit so far.
    pub hits: u64,
}
