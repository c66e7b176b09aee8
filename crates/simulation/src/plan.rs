//! What goes wrong in a schedule, and when.

use std::time::Duration;

use crate::Mutant;

/// One schedule: everything that decides how it runs.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// Seed of every draw.
    pub seed: u64,
    /// What happens.
    pub plan: Plan,
    /// A deliberate bug, for proving that the judge has teeth.
    pub mutant: Option<Mutant>,
    /// Whether to keep the trace's text (its digest is always kept).
    pub trace: bool,
}

impl Schedule {
    /// The random schedule of this seed.
    pub fn random(seed: u64) -> Self {
        Self {
            seed,
            plan: Plan::Random,
            mutant: None,
            trace: false,
        }
    }

    /// A single order with this mishap at the gateway, and crashes at these points (from 1).
    pub fn script(mishap: Mishap, crashes: Vec<u64>) -> Self {
        Self {
            seed: 0,
            plan: Plan::Script { mishap, crashes },
            mutant: None,
            trace: false,
        }
    }
}

/// How faults are chosen.
#[derive(Debug, Clone)]
pub enum Plan {
    /// Several orders and clients; every fault by lot.
    Random,
    /// One order, one client, nothing by lot.
    Script {
        /// What goes wrong with the first approval at the gateway.
        mishap: Mishap,
        /// The points, counted from 1 and rising, at which the process that reaches them dies.
        crashes: Vec<u64>,
    },
}

/// What goes wrong with a scripted schedule's first approval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mishap {
    /// Nothing.
    None,
    /// No connection: the request never leaves.
    Refused,
    /// The request is lost on its way.
    RequestLost,
    /// The bank approves and the answer is lost.
    AnswerLost,
    /// The request arrives long after its sender has given up.
    RequestLate,
    /// The request arrives twice.
    Doubled,
    /// The buyer's card is declined.
    Declined,
    /// An error that leaves all open; nothing was done.
    Unclear,
    /// An error that leaves all open; it was approved.
    UnclearAndApproved,
    /// A proxy's page instead of an answer; it was approved.
    HtmlAndApproved,
    /// Our own key is refused.
    Configuration,
    /// The answer shows another amount.
    WrongAmount,
    /// The buyer authenticated another amount than the order's.
    Tampered,
    /// A product runs out before the confirm.
    StockShort,
    /// The first look shows no such payment, though the bank has approved.
    AnswerLostAndLate,
    /// A statement of each kind of transaction is refused once by the database.
    DatabaseError,
}

impl Mishap {
    /// Every mishap.
    pub const ALL: [Self; 16] = [
        Self::None,
        Self::Refused,
        Self::RequestLost,
        Self::AnswerLost,
        Self::RequestLate,
        Self::Doubled,
        Self::Declined,
        Self::Unclear,
        Self::UnclearAndApproved,
        Self::HtmlAndApproved,
        Self::Configuration,
        Self::WrongAmount,
        Self::Tampered,
        Self::StockShort,
        Self::AnswerLostAndLate,
        Self::DatabaseError,
    ];
}

/// The gateway's time-out of the simulated servers.
pub(crate) const TOSS_TIMEOUT: Duration = Duration::from_secs(6);
/// The lease of a confirm or look; longer than [`TOSS_TIMEOUT`].
pub(crate) const LEASE: Duration = Duration::from_secs(9);
/// How long a confirm request waits.
pub(crate) const CONFIRM_WAIT: Duration = Duration::from_secs(7);
/// The pause between two rounds of the workers.
pub(crate) const RECOVERY_INTERVAL: Duration = Duration::from_secs(2);
/// How long a buyer may take.
pub(crate) const EXPIRY: Duration = Duration::from_secs(120);
/// For how long faults are drawn, from the start.
pub(crate) const FAULTS_LAST: Duration = Duration::from_secs(30);
/// The longest stall between two steps: far longer than the lease.
pub(crate) const STALL_MAX_MS: u64 = 20_000;
/// How long after the last fault every payment must be decided: a lease, a look that times out and
/// the looks after it with their pauses.
pub(crate) const DECIDED_WITHIN: Duration = Duration::from_secs(75);

/// The policy of the simulated servers: the production rules with short times.
pub(crate) fn policy() -> payment_domain::model::Policy {
    payment_domain::model::Policy {
        lease: LEASE,
        recovery_backoff: Duration::from_millis(500),
        recovery_backoff_max: Duration::from_secs(8),
        recovery_limit: 20,
        payment_expiry: EXPIRY,
        deposit_poll: Duration::from_secs(3),
        // Later than any schedule ends: whatever an orphan look would mend must not happen.
        orphan_look: Duration::from_mins(15),
    }
}
