//! Faults: what goes wrong, for whom and how often. Pure; the HTTP shell carries them out.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{endpoint::Endpoint, engine::Random};

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
        /// Longest delay in milliseconds.
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

/// What the faults do to one call: all delays that match, and the first other effect that does.
#[derive(Debug, Default)]
pub(crate) struct Affliction {
    /// Bounds of each delay in milliseconds; they add up.
    pub(crate) delays: Vec<(u64, u64)>,
    /// Bounds of each heavy-tailed delay.
    pub(crate) tails: Vec<(u64, u64)>,
    pub(crate) effect: Option<Effect>,
}

/// What the faults do to one webhook.
#[derive(Debug, Default)]
pub(crate) struct WebhookAffliction {
    pub(crate) lost: bool,
    pub(crate) copies: u32,
    /// Bounds of each delay in milliseconds; they add up.
    pub(crate) delays: Vec<(u64, u64)>,
}

/// The faults in force, oldest first.
#[derive(Debug)]
pub(crate) struct FaultBook {
    active: Vec<ActiveFault>,
    next_id: u64,
    /// A stream of its own: faults without chance draw nothing from it, and none of them changes
    /// what anything else draws.
    random: Random,
    /// By fault: the minute that is counted, and the calls in it.
    rates: Vec<(u64, i64, u32)>,
}

impl FaultBook {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            active: Vec::new(),
            next_id: 1,
            random: Random::new(seed ^ 0x6661_756c_7473),
            rates: Vec::new(),
        }
    }

    /// Puts a rule in force; returns its id.
    pub(crate) fn inject(&mut self, now: DateTime<Utc>, mut rule: Rule) -> u64 {
        bound(&mut rule.effect);
        if self.active.len() == FAULTS_MAX {
            self.active.remove(0);
        }
        let id = self.next_id;
        self.next_id += 1;
        self.active.push(ActiveFault {
            id,
            rule,
            since: now,
            hits: 0,
        });
        id
    }

    /// Puts a fault before all others, for the one call that brought it.
    pub(crate) fn inject_first(&mut self, fault: Fault) {
        let mut rule = Rule::from(fault);
        bound(&mut rule.effect);
        let id = self.next_id;
        self.next_id += 1;
        let active = ActiveFault {
            id,
            rule,
            since: DateTime::UNIX_EPOCH,
            hits: 0,
        };
        self.active.insert(0, active);
    }

    pub(crate) fn clear(&mut self) {
        self.active.clear();
        self.rates.clear();
    }

    /// Ends one; false if there is none of that id.
    pub(crate) fn end(&mut self, id: u64) -> bool {
        let before = self.active.len();
        self.active.retain(|active| active.id != id);
        self.active.len() < before
    }

    pub(crate) fn active(&self) -> &[ActiveFault] {
        &self.active
    }

    /// Takes what applies to a call and counts it.
    pub(crate) fn strike(
        &mut self,
        now: DateTime<Utc>,
        endpoint: Endpoint,
        order_id: Option<&str>,
    ) -> Affliction {
        let mut affliction = Affliction::default();
        for active in &mut self.active {
            let rule = &active.rule;
            if rule.effect.is_of_webhooks()
                || !rule.target.matches(endpoint, order_id)
                || !may_hit(active, now, &mut self.random)
            {
                continue;
            }
            match &active.rule.effect {
                Effect::Delay { min_ms, max_ms } => affliction.delays.push((*min_ms, *max_ms)),
                Effect::HeavyTailedDelay { min_ms, max_ms } => {
                    affliction.tails.push((*min_ms, *max_ms));
                }
                _ if affliction.effect.is_some() => continue,
                Effect::RateLimit { per_minute } => {
                    if within_rate(&mut self.rates, active.id, now, *per_minute) {
                        continue;
                    }
                    affliction.effect = Some(active.rule.effect.clone());
                }
                effect => affliction.effect = Some(effect.clone()),
            }
            active.count();
        }
        self.retire(now);
        affliction
    }

    /// Takes what applies to a webhook and counts it.
    pub(crate) fn strike_webhook(
        &mut self,
        now: DateTime<Utc>,
        order_id: Option<&str>,
    ) -> WebhookAffliction {
        let mut affliction = WebhookAffliction::default();
        for active in &mut self.active {
            let rule = &active.rule;
            if !rule.effect.is_of_webhooks()
                || !rule.target.matches_order(order_id)
                || !may_hit(active, now, &mut self.random)
            {
                continue;
            }
            match &active.rule.effect {
                Effect::LoseWebhook => affliction.lost = true,
                Effect::RepeatWebhook { copies } => affliction.copies += copies,
                Effect::DelayWebhook { min_ms, max_ms } => {
                    affliction.delays.push((*min_ms, *max_ms));
                }
                _ => continue,
            }
            active.count();
        }
        self.retire(now);
        affliction
    }

    /// A draw of a heavy-tailed delay, in milliseconds.
    pub(crate) fn tail(&mut self, min_ms: u64, max_ms: u64) -> u64 {
        self.random.pareto(min_ms.max(1), max_ms)
    }

    fn retire(&mut self, now: DateTime<Utc>) {
        self.active
            .retain(|active| !active.rule.is_over(elapsed_ms(active.since, now)));
    }
}

impl ActiveFault {
    fn count(&mut self) {
        self.hits += 1;
        self.rule.times = self.rule.times.map(|left| left.saturating_sub(1));
    }
}

impl Effect {
    /// Whether it befalls webhooks, and no call.
    fn is_of_webhooks(&self) -> bool {
        matches!(
            self,
            Self::LoseWebhook | Self::RepeatWebhook { .. } | Self::DelayWebhook { .. }
        )
    }
}

fn elapsed_ms(since: DateTime<Utc>, now: DateTime<Utc>) -> u64 {
    u64::try_from((now - since).num_milliseconds()).unwrap_or(0)
}

fn may_hit(active: &ActiveFault, now: DateTime<Utc>, random: &mut Random) -> bool {
    active.rule.times != Some(0)
        && active.rule.is_on(elapsed_ms(active.since, now))
        && active
            .rule
            .chance_percent
            .is_none_or(|percent| random.happens(percent))
}

/// Counts a call against a rate; whether it may pass.
fn within_rate(
    rates: &mut Vec<(u64, i64, u32)>,
    id: u64,
    now: DateTime<Utc>,
    per_minute: u32,
) -> bool {
    let minute = now.timestamp().div_euclid(60);
    let known = rates.iter().position(|rate| rate.0 == id);
    let slot = known.unwrap_or_else(|| {
        rates.push((id, minute, 0));
        rates.len() - 1
    });
    let rate = &mut rates[slot];
    if rate.1 != minute {
        *rate = (id, minute, 0);
    }
    rate.2 = rate.2.saturating_add(1);
    rate.2 <= per_minute
}

/// Holds what a fault asks for within its limits.
fn bound(effect: &mut Effect) {
    match effect {
        Effect::Delay { min_ms, max_ms } | Effect::HeavyTailedDelay { min_ms, max_ms } => {
            *min_ms = (*min_ms).min(DELAY_MAX_MS);
            *max_ms = (*max_ms).min(DELAY_MAX_MS);
        }
        Effect::SlowBody { over_ms } => *over_ms = (*over_ms).min(DELAY_MAX_MS),
        Effect::RepeatWebhook { copies } => *copies = (*copies).min(100),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

    fn inject(book: &mut FaultBook, fault: Fault) {
        book.inject(NOW, fault.into());
    }

    fn fault(effect: Effect, times: Option<u32>) -> Fault {
        Fault {
            target: Target::default(),
            effect,
            times,
        }
    }

    #[test]
    fn a_delay_combines_with_the_first_other_effect() {
        let mut book = FaultBook::new(1);
        inject(&mut book, fault(Effect::WrongAmount, Some(1)));
        inject(
            &mut book,
            fault(
                Effect::Delay {
                    min_ms: 5,
                    max_ms: 9,
                },
                None,
            ),
        );
        inject(&mut book, fault(Effect::ApproveThenReset, Some(1)));
        let first = book.strike(NOW, Endpoint::Confirm, None);
        assert_eq!(
            (first.delays, first.effect),
            (vec![(5, 9)], Some(Effect::WrongAmount))
        );
        let second = book.strike(NOW, Endpoint::Confirm, None);
        assert_eq!(second.effect, Some(Effect::ApproveThenReset));
        assert_eq!(book.strike(NOW, Endpoint::Confirm, None).effect, None);
        assert_eq!(book.active()[0].hits, 3);
    }

    #[test]
    fn a_target_limits_a_fault_to_its_endpoint_and_order() {
        let mut book = FaultBook::new(1);
        let target = Target {
            endpoint: Some(Endpoint::Cancel),
            order_id: Some("order-1".to_owned()),
        };
        inject(
            &mut book,
            Fault {
                target,
                effect: Effect::WrongAmount,
                times: None,
            },
        );
        assert!(
            book.strike(NOW, Endpoint::Confirm, Some("order-1"))
                .effect
                .is_none()
        );
        assert!(
            book.strike(NOW, Endpoint::Cancel, Some("order-2"))
                .effect
                .is_none()
        );
        assert!(book.strike(NOW, Endpoint::Cancel, None).effect.is_none());
        assert!(
            book.strike(NOW, Endpoint::Cancel, Some("order-1"))
                .effect
                .is_some()
        );
    }

    #[test]
    fn the_book_is_bounded() {
        let mut book = FaultBook::new(1);
        for _ in 0..=FAULTS_MAX {
            inject(&mut book, fault(Effect::WrongAmount, None));
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

    fn rule(text: &str) -> Rule {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_rule_is_in_force_in_its_windows_alone() {
        let mut book = FaultBook::new(1);
        let text =
            r#"{"effect":{"type":"resetWithoutApproval"},"afterMs":10,"forMs":5,"everyMs":100}"#;
        book.inject(NOW, rule(text));
        let on = |ms| NOW + chrono::TimeDelta::milliseconds(ms);
        let mut hit = |ms| book.strike(on(ms), Endpoint::Get, None).effect.is_some();
        let seen: Vec<_> = [9, 10, 14, 15, 109, 110, 115]
            .into_iter()
            .map(&mut hit)
            .collect();
        assert_eq!(seen, [false, true, true, false, false, true, false]);
        let mut book = FaultBook::new(1);
        book.inject(NOW, rule(r#"{"effect":{"type":"wrongAmount"},"forMs":5}"#));
        assert!(book.strike(on(5), Endpoint::Get, None).effect.is_none());
        assert!(book.active().is_empty(), "it is over and gone");
    }

    #[test]
    fn a_chance_is_met_about_as_often_as_it_says() {
        let mut book = FaultBook::new(1);
        book.inject(
            NOW,
            rule(r#"{"effect":{"type":"halfBody"},"chancePercent":25.0}"#),
        );
        let hits = (0..1_000)
            .filter(|_| book.strike(NOW, Endpoint::Get, None).effect.is_some())
            .count();
        assert!((200..300).contains(&hits), "{hits}");
    }

    #[test]
    fn a_rate_limit_lets_so_many_through_per_minute() {
        let mut book = FaultBook::new(1);
        book.inject(
            NOW,
            rule(r#"{"effect":{"type":"rateLimit","perMinute":2}}"#),
        );
        let mut refused = |second| {
            let now = NOW + chrono::TimeDelta::seconds(second);
            book.strike(now, Endpoint::Get, None).effect.is_some()
        };
        let seen: Vec<_> = [0, 1, 2, 59, 60].into_iter().map(&mut refused).collect();
        assert_eq!(seen, [false, false, true, true, false]);
    }

    #[test]
    fn a_heavy_tail_is_mostly_short_and_sometimes_long() {
        let mut book = FaultBook::new(1);
        let mut drawn: Vec<_> = (0..1_000).map(|_| book.tail(10, 5_000)).collect();
        drawn.sort_unstable();
        assert!(
            drawn[500] < 25 && drawn[990] > 200,
            "{} {}",
            drawn[500],
            drawn[990]
        );
        assert!(drawn[0] >= 10 && drawn[999] <= 5_000);
    }

    #[test]
    fn faults_of_webhooks_leave_calls_alone_and_the_other_way_round() {
        let mut book = FaultBook::new(1);
        book.inject(
            NOW,
            rule(r#"{"effect":{"type":"loseWebhook"},"target":{"orderId":"a"}}"#),
        );
        book.inject(
            NOW,
            rule(r#"{"effect":{"type":"repeatWebhook","copies":2}}"#),
        );
        book.inject(NOW, rule(r#"{"effect":{"type":"wrongAmount"}}"#));
        assert_eq!(
            book.strike(NOW, Endpoint::Get, Some("a")).effect,
            Some(Effect::WrongAmount)
        );
        let struck = book.strike_webhook(NOW, Some("b"));
        assert!(!struck.lost && struck.copies == 2);
        assert!(book.strike_webhook(NOW, Some("a")).lost);
        let id = book.active()[0].id;
        assert!(book.end(id) && !book.end(id));
        assert!(!book.strike_webhook(NOW, Some("a")).lost);
    }
}
