//! What goes wrong in a schedule, and when.

use std::fmt;
use std::str::FromStr;

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

    /// The command that runs exactly this schedule again and tells it step by step.
    pub fn replay(&self) -> String {
        let what = match &self.plan {
            Plan::Random => format!("--seed {}", self.seed),
            Plan::Script { mishap, crashes } if crashes.is_empty() => format!("--mishap {mishap}"),
            Plan::Script { mishap, crashes } => {
                let points: Vec<_> = crashes.iter().map(u64::to_string).collect();
                format!("--mishap {mishap} --crash-at {}", points.join(","))
            }
        };
        let bug = self.mutant.map(|mutant| format!(" --mutant {mutant}"));
        let bug = bug.unwrap_or_default();
        format!("cargo xtask simulate {what}{bug} --trace")
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
    /// Nothing; afterwards a part of the money goes back, and then the rest.
    Refund,
    /// The same; the answer to the first cancel is lost.
    RefundAnswerLost,
    /// The same; the first cancel is lost on its way.
    RefundLost,
    /// The same; the first cancel meets an error that leaves all open, and nothing was done.
    RefundUnclear,
    /// The same; and it was done.
    RefundUnclearAndDone,
}

impl Mishap {
    /// Every mishap.
    pub const ALL: [Self; 21] = [
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
        Self::Refund,
        Self::RefundAnswerLost,
        Self::RefundLost,
        Self::RefundUnclear,
        Self::RefundUnclearAndDone,
    ];

    /// Whether the mishap, if any, meets a cancel; the approval goes well then.
    pub(crate) const fn is_of_a_cancel(self) -> bool {
        match self {
            Self::Refund
            | Self::RefundAnswerLost
            | Self::RefundLost
            | Self::RefundUnclear
            | Self::RefundUnclearAndDone => true,
            Self::None
            | Self::Refused
            | Self::RequestLost
            | Self::AnswerLost
            | Self::RequestLate
            | Self::Doubled
            | Self::Declined
            | Self::Unclear
            | Self::UnclearAndApproved
            | Self::HtmlAndApproved
            | Self::Configuration
            | Self::WrongAmount
            | Self::Tampered
            | Self::StockShort
            | Self::AnswerLostAndLate
            | Self::DatabaseError => false,
        }
    }
}

impl fmt::Display for Mishap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl FromStr for Mishap {
    type Err = UnknownMishap;

    fn from_str(text: &str) -> Result<Self, UnknownMishap> {
        let mut all = Self::ALL.into_iter();
        all.find(|mishap| mishap.to_string() == text)
            .ok_or(UnknownMishap)
    }
}

/// No mishap has this name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownMishap;

impl fmt::Display for UnknownMishap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the mishaps are {:?}", Mishap::ALL)
    }
}

impl std::error::Error for UnknownMishap {}
