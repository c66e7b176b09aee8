//! A limiter on the client's side.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// How many requests may leave in a stretch of time.
///
/// Toss's test environment takes 100 requests a minute per API (documented; what exceeding it
/// answers is not). Live keys have no published number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    requests: u32,
    per: Duration,
}

impl RateLimit {
    /// `requests` (zero counts as one) in `per`, evenly refilled; all of them may leave at once
    /// after a rest.
    pub const fn new(requests: u32, per: Duration) -> Self {
        Self {
            requests: if requests == 0 { 1 } else { requests },
            per,
        }
    }

    /// What Toss documents for test keys: 100 a minute.
    pub const fn for_test_keys() -> Self {
        Self::new(100, Duration::from_mins(1))
    }
}

/// The generic cell rate algorithm: one moment instead of a counter and a timer.
#[derive(Debug)]
pub(crate) struct Limiter {
    gap: Duration,
    burst: Duration,
    /// The moment at which the bucket will be full again.
    full_at: Mutex<Duration>,
}

impl Limiter {
    pub(crate) fn new(limit: RateLimit) -> Self {
        let gap = limit.per / limit.requests;
        Self {
            gap,
            burst: gap.saturating_mul(limit.requests.saturating_sub(1)),
            full_at: Mutex::new(Duration::ZERO),
        }
    }

    /// Takes a turn and says how long to wait for it; `Err` with that time, and no turn taken, if
    /// it is more than `wait_max`.
    pub(crate) fn turn(&self, now: Duration, wait_max: Duration) -> Result<Duration, Duration> {
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let from = (*full_at).max(now);
        let wait = (from.saturating_sub(now)).saturating_sub(self.burst);
        if wait > wait_max {
            return Err(wait);
        }
        *full_at = from.saturating_add(self.gap);
        Ok(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn a_burst_leaves_at_once_and_the_rest_at_the_pace_of_the_limit() {
        let limiter = Limiter::new(RateLimit::new(3, 3 * S));
        for _ in 0..3 {
            assert_eq!(limiter.turn(S, 10 * S), Ok(Duration::ZERO));
        }
        assert_eq!(limiter.turn(S, 10 * S), Ok(S));
        assert_eq!(limiter.turn(S, 10 * S), Ok(2 * S));
        assert_eq!(limiter.turn(4 * S, 10 * S), Ok(Duration::ZERO));
    }

    #[test]
    fn a_turn_that_comes_too_late_is_not_taken() {
        let limiter = Limiter::new(RateLimit::new(1, S));
        assert_eq!(limiter.turn(S, S), Ok(Duration::ZERO));
        assert_eq!(limiter.turn(S, S / 2), Err(S));
        assert_eq!(limiter.turn(S, S), Ok(S));
    }
}
