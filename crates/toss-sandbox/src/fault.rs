//! Faults: what goes wrong, for whom and how often. Pure; the HTTP shell carries them out.

use serde::{Deserialize, Serialize};

use crate::endpoint::Endpoint;

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
        self.endpoint.is_none_or(|wanted| wanted == endpoint)
            && self
                .order_id
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

/// A fault in force, as `GET /sandbox/faults` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ActiveFault {
    /// The fault; `times` counts down.
    #[serde(flatten)]
    pub fault: Fault,
    /// Calls it has hit so far.
    pub hits: u64,
}

/// What the faults do to one call: all delays that match, and the first other effect that does.
#[derive(Debug, Default)]
pub(crate) struct Affliction {
    /// Bounds of each delay in milliseconds; they add up.
    pub(crate) delays: Vec<(u64, u64)>,
    pub(crate) effect: Option<Effect>,
}

/// The faults in force, oldest first.
#[derive(Debug, Default)]
pub(crate) struct FaultBook {
    active: Vec<ActiveFault>,
}

impl FaultBook {
    pub(crate) fn inject(&mut self, mut fault: Fault) {
        if let Effect::Delay { min_ms, max_ms } = &mut fault.effect {
            *min_ms = (*min_ms).min(DELAY_MAX_MS);
            *max_ms = (*max_ms).min(DELAY_MAX_MS);
        }
        if self.active.len() == FAULTS_MAX {
            self.active.remove(0);
        }
        self.active.push(ActiveFault { fault, hits: 0 });
    }

    pub(crate) fn clear(&mut self) {
        self.active.clear();
    }

    pub(crate) fn active(&self) -> &[ActiveFault] {
        &self.active
    }

    /// Takes what applies to a call and counts it.
    pub(crate) fn strike(&mut self, endpoint: Endpoint, order_id: Option<&str>) -> Affliction {
        let mut affliction = Affliction::default();
        if self.active.is_empty() {
            return affliction;
        }
        for active in &mut self.active {
            if !active.fault.target.matches(endpoint, order_id) || active.fault.times == Some(0) {
                continue;
            }
            match &active.fault.effect {
                Effect::Delay { min_ms, max_ms } => affliction.delays.push((*min_ms, *max_ms)),
                _ if affliction.effect.is_some() => continue,
                effect => affliction.effect = Some(effect.clone()),
            }
            active.hits += 1;
            active.fault.times = active.fault.times.map(|left| left - 1);
        }
        self.active.retain(|active| active.fault.times != Some(0));
        affliction
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(effect: Effect, times: Option<u32>) -> Fault {
        Fault {
            target: Target::default(),
            effect,
            times,
        }
    }

    #[test]
    fn a_delay_combines_with_the_first_other_effect() {
        let mut book = FaultBook::default();
        book.inject(fault(Effect::WrongAmount, Some(1)));
        book.inject(fault(
            Effect::Delay {
                min_ms: 5,
                max_ms: 9,
            },
            None,
        ));
        book.inject(fault(Effect::ApproveThenReset, Some(1)));
        let first = book.strike(Endpoint::Confirm, None);
        assert_eq!(
            (first.delays, first.effect),
            (vec![(5, 9)], Some(Effect::WrongAmount))
        );
        let second = book.strike(Endpoint::Confirm, None);
        assert_eq!(second.effect, Some(Effect::ApproveThenReset));
        assert_eq!(book.strike(Endpoint::Confirm, None).effect, None);
        assert_eq!(book.active()[0].hits, 3);
    }

    #[test]
    fn a_target_limits_a_fault_to_its_endpoint_and_order() {
        let mut book = FaultBook::default();
        let target = Target {
            endpoint: Some(Endpoint::Cancel),
            order_id: Some("order-1".to_owned()),
        };
        book.inject(Fault {
            target,
            effect: Effect::WrongAmount,
            times: None,
        });
        assert!(
            book.strike(Endpoint::Confirm, Some("order-1"))
                .effect
                .is_none()
        );
        assert!(
            book.strike(Endpoint::Cancel, Some("order-2"))
                .effect
                .is_none()
        );
        assert!(book.strike(Endpoint::Cancel, None).effect.is_none());
        assert!(
            book.strike(Endpoint::Cancel, Some("order-1"))
                .effect
                .is_some()
        );
    }

    #[test]
    fn the_book_is_bounded() {
        let mut book = FaultBook::default();
        for _ in 0..=FAULTS_MAX {
            book.inject(fault(Effect::WrongAmount, None));
        }
        assert_eq!(book.active().len(), FAULTS_MAX);
    }

    #[test]
    fn a_fault_reads_and_writes_the_documented_json() {
        let text = r#"{"target":{"endpoint":"confirm"},"effect":{"type":"delay","minMs":1,"maxMs":2},"times":3}"#;
        let fault: Fault = serde_json::from_str(text).unwrap();
        assert_eq!(
            fault.effect,
            Effect::Delay {
                min_ms: 1,
                max_ms: 2
            }
        );
        assert_eq!(serde_json::to_string(&fault).unwrap(), text);
        let html: Fault =
            serde_json::from_str(r#"{"effect":{"type":"html502","executed":true}}"#).unwrap();
        assert_eq!(html.effect, Effect::Html502 { executed: true });
    }
}
