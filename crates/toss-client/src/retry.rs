//! Repetitions inside the client: how many, how far apart, and when they must stop.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

/// How often a call is repeated.
///
/// Only what Toss makes safe is repeated: a request of which nothing was sent; one that got no
/// answer, or 409 `IDEMPOTENT_REQUEST_PROCESSING`, with the same idempotency key; and reads, also
/// after 429 and 5xx. A decoded error of a POST is never repeated, for Toss stores and replays it
/// under its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    attempts_max: u32,
    deadline: Option<Duration>,
    pause_first: Duration,
    pause_max: Duration,
}

impl RetryPolicy {
    /// One attempt, bounded by the attempt time-out alone. The default: retries belong to one
    /// layer, and a server that stores its attempts has its own.
    pub const fn never() -> Self {
        Self {
            attempts_max: 1,
            deadline: None,
            pause_first: Duration::ZERO,
            pause_max: Duration::ZERO,
        }
    }

    /// Three attempts within 150 s in all; pauses of up to 0.5 s, then 1 s, with full jitter.
    pub const fn standard() -> Self {
        Self {
            attempts_max: 3,
            deadline: Some(Duration::from_secs(150)),
            pause_first: Duration::from_millis(500),
            pause_max: Duration::from_secs(20),
        }
    }

    /// At most this many attempts in all; zero counts as one.
    #[must_use]
    pub const fn attempts_max(mut self, attempts: u32) -> Self {
        self.attempts_max = if attempts == 0 { 1 } else { attempts };
        self
    }

    /// All attempts and pauses together take at most this long; the last attempt's time-out is
    /// cut to what is left.
    #[must_use]
    pub const fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// The pause after the first attempt is random between zero and `first`; the bound doubles
    /// with each further attempt up to `max`.
    #[must_use]
    pub const fn pauses(mut self, first: Duration, max: Duration) -> Self {
        self.pause_first = first;
        self.pause_max = max;
        self
    }

    pub(crate) fn deadline_after(&self, start: Duration) -> Option<Duration> {
        self.deadline.map(|deadline| start.saturating_add(deadline))
    }

    pub(crate) fn allows(&self, attempts_made: u32) -> bool {
        attempts_made < self.attempts_max
    }

    /// Full jitter: uniform over zero to the exponential bound. `random` is any 64-bit number.
    pub(crate) fn pause(&self, attempts_made: u32, random: u64) -> Duration {
        let doublings = attempts_made.saturating_sub(1).min(30);
        let bound = self
            .pause_first
            .saturating_mul(1 << doublings)
            .min(self.pause_max);
        let nanos = u64::try_from(bound.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(random % nanos.saturating_add(1).max(1))
    }
}

/// A bucket of tokens, shared by the clones of a client: each repetition takes ten, each answered
/// call gives one back. When Toss is down, the repetitions of many callers dry it out, and calls
/// then fail after their first attempt instead of multiplying the load.
#[derive(Debug, Clone)]
pub(crate) struct RetryBudget(Arc<AtomicU32>);

impl RetryBudget {
    const TOKENS_MAX: u32 = 500;
    const COST: u32 = 10;

    pub(crate) fn full() -> Self {
        Self(Arc::new(AtomicU32::new(Self::TOKENS_MAX)))
    }

    pub(crate) fn take(&self) -> bool {
        let take = |tokens: u32| tokens.checked_sub(Self::COST);
        self.0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
            .is_ok()
    }

    pub(crate) fn give_back(&self) {
        let give = |tokens: u32| (tokens < Self::TOKENS_MAX).then_some(tokens + 1);
        // `Err` means that it is full.
        let _ = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, give);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_their_bound_and_use_all_of_it() {
        let policy =
            RetryPolicy::standard().pauses(Duration::from_millis(100), Duration::from_millis(350));
        for (made, bound_ms) in [(1, 100), (2, 200), (3, 350), (40, 350)] {
            let bound = Duration::from_millis(bound_ms);
            let nanos = u64::try_from(bound.as_nanos()).unwrap();
            assert_eq!(policy.pause(made, nanos), bound);
            assert_eq!(policy.pause(made, nanos + 1), Duration::ZERO);
            for random in [0, 1, 12_345_678_901, u64::MAX] {
                assert!(policy.pause(made, random) <= bound);
            }
        }
        assert_eq!(RetryPolicy::never().pause(1, u64::MAX), Duration::ZERO);
    }

    #[test]
    fn the_bucket_runs_dry_and_fills_slowly() {
        let budget = RetryBudget::full();
        for _ in 0..50 {
            assert!(budget.take());
        }
        assert!(!budget.take());
        for _ in 0..10 {
            assert!(!budget.take());
            budget.give_back();
        }
        assert!(budget.take());
        assert!(!budget.take());
        for _ in 0..1_000 {
            budget.give_back();
        }
        assert_eq!(budget.0.load(Ordering::Relaxed), RetryBudget::TOKENS_MAX);
    }
}
