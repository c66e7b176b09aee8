//! How the engine's changes leave it, and how it is rebuilt from them.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::{Answer, Change, Engine, Inconsistent, random::Random};

/// Farthest that the clock may be put forward in all: a hundred years, in milliseconds.
const CLOCK_OFFSET_MAX_MS: i64 = 100 * 365 * 86_400_000;

impl Engine {
    /// From now on changes are kept until [`Engine::take_changes`] takes them.
    pub fn record_changes(&mut self) {
        self.bank.changes.want();
    }

    /// The changes made since this was last called, oldest first: all of them together, or none,
    /// must reach whatever keeps them. None unless [`Engine::record_changes`] was called.
    pub fn take_changes(&mut self) -> Vec<Change> {
        self.bank.changes.take()
    }

    /// Applies a change that another engine made, when the books are rebuilt.
    ///
    /// # Errors
    /// [`Inconsistent`] if it cannot follow from the changes applied so far.
    pub fn apply(&mut self, change: Change) -> Result<(), Inconsistent> {
        match change {
            Change::Answered {
                scope,
                first_used,
                answer,
            } => {
                self.idempotency.store(scope.into(), first_used, answer);
                Ok(())
            }
            Change::ClockAdvanced { offset_ms } => {
                self.clock_offset_ms = offset_ms;
                Ok(())
            }
            change => {
                // Each book takes what is its own and hands the rest on.
                let mut rest = self.windows.apply(change)?;
                if let Some(change) = rest {
                    rest = self.billing.apply(change)?;
                }
                if let Some(change) = rest {
                    rest = self.receipts.apply(change)?;
                }
                if let Some(change) = rest {
                    rest = self.payouts.apply(change)?;
                }
                if let Some(change) = rest {
                    rest = self.brandpay.apply(change)?;
                }
                if let Some(change) = rest {
                    rest = self.outbox.apply(change)?;
                }
                rest.map_or(Ok(()), |change| self.bank.apply(change))
            }
        }
    }

    /// Goes on with chance of its own after `steps` steps of a former life. With the same stream
    /// once more, new payments would get the keys of old ones.
    pub fn resume_after(&mut self, steps: u64) {
        let apart = steps.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.random = Random::new(self.seed ^ apart);
        self.outbox.reseed(self.seed ^ apart);
    }

    /// How far the sandbox's clock is ahead of the machine's, in milliseconds.
    pub fn clock_offset_ms(&self) -> i64 {
        self.clock_offset_ms
    }

    /// Puts the clock forward, in all at most a hundred years; returns the new offset in
    /// milliseconds. The engine only remembers it: whoever passes the time in must heed it.
    pub fn advance_clock(&mut self, by_ms: i64) -> i64 {
        let offset_ms = self
            .clock_offset_ms
            .saturating_add(by_ms)
            .min(CLOCK_OFFSET_MAX_MS);
        self.make(Change::ClockAdvanced { offset_ms });
        offset_ms
    }

    /// Notes and applies a change that the engine has found to be right.
    pub(super) fn make(&mut self, change: Change) {
        let copy = self.bank.changes.copy(&change);
        self.bank.chronicle.hear(&change, &self.bank.by_key);
        match self.apply(change) {
            Ok(()) => self.bank.changes.note(copy),
            Err(error) => debug_assert!(false, "{error}"),
        }
    }

    /// Keeps an answer under its idempotency key.
    pub(super) fn store(&mut self, now: DateTime<Utc>, scope: &Arc<str>, answer: &Answer) {
        let first_used = self.idempotency.release(scope).unwrap_or(now);
        // Not `make`: without a journal there is no need to copy the scope.
        if self.bank.changes.wanted() {
            self.bank.changes.note(Some(Change::Answered {
                scope: scope.to_string(),
                first_used,
                answer: answer.clone(),
            }));
        }
        let scope = Arc::clone(scope);
        self.idempotency.store(scope, first_used, answer.clone());
    }
}
