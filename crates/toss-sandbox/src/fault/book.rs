//! The faults in force, and what they do to a call or a webhook.

use chrono::{DateTime, Utc};

use super::{ActiveFault, DELAY_MAX_MS, Effect, FAULTS_MAX, Fault, Rule, WEBHOOK_DELAY_MAX_MS};
use crate::{endpoint::Endpoint, engine::Random};

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
    pub(crate) fn is_of_webhooks(&self) -> bool {
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
        Effect::DelayWebhook { min_ms, max_ms } => {
            *min_ms = (*min_ms).min(WEBHOOK_DELAY_MAX_MS);
            *max_ms = (*max_ms).min(WEBHOOK_DELAY_MAX_MS);
        }
        Effect::SlowBody { over_ms } => *over_ms = (*over_ms).min(DELAY_MAX_MS),
        Effect::RepeatWebhook { copies } => *copies = (*copies).min(100),
        _ => {}
    }
}

#[cfg(test)]
mod tests;
