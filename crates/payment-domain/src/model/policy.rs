use std::time::Duration;

use kernel::{Randomness, Timestamp};

/// The time limits of a payment's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// How long a confirm or a look owns a payment. Longer than Toss's time-out, or two could ask
    /// at once.
    pub lease: Duration,
    /// The pause before the first look at an undecided payment; doubles with every look.
    pub recovery_backoff: Duration,
    /// The longest pause between two looks. Pauses that are longer than a lease end when Toss
    /// answers again after a silence.
    pub recovery_backoff_max: Duration,
    /// Looks without a certain answer before a payment is quarantined, at least 1.
    pub recovery_limit: u32,
    /// How long a buyer may take from checkout to confirm.
    pub payment_expiry: Duration,
    /// The pause between two polls for a virtual account's deposit.
    pub deposit_poll: Duration,
    /// How long after the end of an order that Toss was asked about a last look is taken, for money
    /// that came after all. Longer than Toss's ten minutes from authentication to approval, so
    /// that nothing can follow it.
    pub orphan_look: Duration,
}

impl Default for Policy {
    /// The documented defaults of the server's settings.
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(90),
            recovery_backoff: Duration::from_secs(2),
            recovery_backoff_max: Duration::from_mins(5),
            recovery_limit: 20,
            payment_expiry: Duration::from_mins(30),
            deposit_poll: Duration::from_mins(1),
            orphan_look: Duration::from_mins(15),
        }
    }
}

impl Policy {
    /// When to look again after `looks` looks (0: Toss was asked once): exponential, at most
    /// [`Policy::recovery_backoff_max`], and of that a random share between one half and all, so
    /// that payments that failed together do not come back together.
    pub fn next_look(&self, now: Timestamp, looks: u32, randomness: &dyn Randomness) -> Timestamp {
        let doubled = self
            .recovery_backoff
            .saturating_mul(2_u32.saturating_pow(looks.min(30)));
        let full =
            u64::try_from(doubled.min(self.recovery_backoff_max).as_micros()).unwrap_or(u64::MAX);
        let half = full / 2;
        now + Duration::from_micros(half + randomness.below(full - half + 1))
    }
}

#[cfg(test)]
mod tests {
    use kernel::{Clock, SystemClock, SystemRandomness};

    use super::*;

    #[test]
    fn looks_back_off_to_a_bound_and_never_below_half() {
        let policy = Policy::default();
        let now = SystemClock.now();
        for looks in 0..200 {
            let full = (2_u64.saturating_pow(looks.min(30) + 1)).min(300);
            let pause = (policy.next_look(now, looks, &SystemRandomness) - now)
                .to_std()
                .unwrap();
            assert!(pause >= Duration::from_secs(full) / 2, "{looks}: {pause:?}");
            assert!(pause <= Duration::from_secs(full), "{looks}: {pause:?}");
        }
    }
}
