//! The settings of a schedule's servers: production's rules with short times.

use std::time::Duration;

use api_server::bridge::BreakerSettings;
use payment_domain::model::Policy;

/// The gateway's time-out of the simulated servers.
pub(crate) const TOSS_TIMEOUT: Duration = Duration::from_secs(6);
/// The lease of a confirm or look; longer than [`TOSS_TIMEOUT`].
pub(crate) const LEASE: Duration = Duration::from_secs(9);
/// How long a confirm request waits.
pub(crate) const CONFIRM_WAIT: Duration = Duration::from_secs(7);
/// The pause between two rounds of the workers.
pub(crate) const RECOVERY_INTERVAL: Duration = Duration::from_secs(2);
/// For how long faults are drawn, from the start.
pub(crate) const FAULTS_LAST: Duration = Duration::from_secs(30);
/// The longest stall between two steps: far longer than the lease.
pub(crate) const STALL_MAX_MS: u64 = 20_000;

/// Whether an approval can come to the bank after its order has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bank {
    /// It cannot: at most one look in a row misses what is there. No ended order ever has money,
    /// and the orphan look would come later than any schedule ends: nothing needs it.
    Prompt,
    /// It can: the bank may deny a payment while its approval is still under way. The orphan look
    /// comes after the longest delay, and gives the money back.
    Late,
}

/// What a schedule's servers are set to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    pub(crate) bank: Bank,
    /// How long a buyer may take.
    pub(crate) expiry: Duration,
    /// When an ended order is looked at for the last time.
    pub(crate) orphan_look: Duration,
    /// The longest that a request to the bank may take.
    pub(crate) delay_max_ms: u64,
    /// Confirms that one server runs at once.
    pub(crate) confirms_max: usize,
    /// Approvals that one server may have under way at the bank.
    pub(crate) calls_max: usize,
    pub(crate) breaker: BreakerSettings,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            bank: Bank::Prompt,
            expiry: Duration::from_secs(120),
            orphan_look: Duration::from_mins(15),
            delay_max_ms: 25_000,
            confirms_max: 100,
            calls_max: 100,
            breaker: BreakerSettings::default(),
        }
    }
}

impl Terms {
    /// Some schedules have a late bank, some a breaker that opens soon, some servers without room.
    pub(crate) fn drawn(mut below: impl FnMut(u64) -> u64) -> Self {
        let mut terms = Self::default();
        if below(4) == 0 {
            terms.bank = Bank::Late;
            terms.expiry = Duration::from_secs(25 + below(20));
            // Later than a request can come that was sent for the order: two stalls and its delay.
            terms.orphan_look = Duration::from_secs(90);
            terms.delay_max_ms = 35_000;
        }
        if below(3) == 0 {
            terms.breaker.silent_min = 1 + u32::try_from(below(3)).unwrap_or(0);
        }
        if below(5) == 0 {
            terms.confirms_max = 1;
        }
        if below(5) == 0 {
            terms.calls_max = 1;
        }
        terms
    }

    /// The most stalls of a schedule; with a late bank they must end before the orphan look.
    pub(crate) fn stalls_max(&self) -> u64 {
        match self.bank {
            Bank::Prompt => 5,
            Bank::Late => 2,
        }
    }

    /// How long after the last fault every payment must be decided: a lease, a look that times out
    /// and the looks after it with their pauses; with a late bank also the end of the order and its
    /// last look.
    pub(crate) fn decided_within(&self) -> Duration {
        let looks = Duration::from_secs(75);
        match self.bank {
            Bank::Prompt => looks,
            Bank::Late => looks + self.expiry + self.orphan_look,
        }
    }

    pub(crate) fn policy(&self) -> Policy {
        Policy {
            lease: LEASE,
            recovery_backoff: Duration::from_millis(500),
            recovery_backoff_max: Duration::from_secs(8),
            recovery_limit: 20,
            payment_expiry: self.expiry,
            deposit_poll: Duration::from_secs(3),
            orphan_look: self.orphan_look,
        }
    }
}
