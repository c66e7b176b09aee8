//! A state of the model, the conditional update on it, and the rules that it must keep.

use std::collections::BTreeSet;

use kernel::Fence;
use payment_domain::model::{PaymentFact, PaymentStatus};
use product_domain::model::ReservationState;

use super::Slip;

/// What the bank answered under an idempotency key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Answer {
    Approved,
    Declined,
    /// An error that leaves all open; nothing was done.
    Unclear,
    /// The payment is past approving.
    AlreadyProcessed,
    /// Our own credentials are refused; nothing was done.
    Refused,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum AtBank {
    Open,
    Done,
    Aborted,
}

/// Where a worker is. Whoever works has the fence that it last stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Step {
    Idle,
    /// The order was read as payable under this fence.
    Examined(Fence),
    /// Due work was read: status and fence.
    Found(PaymentStatus, Fence),
    /// A confirm owns the order; stock comes next.
    Claimed(Fence, u8),
    /// Recovery owns the order; a look comes next.
    Looking(Fence),
    /// Toss can still approve: the attempt's number comes next.
    Approvable(Fence),
    Holding(Fence, u8),
    Asking(Fence, u8),
    /// Waits for the answer of attempt `.1`.
    Waiting(Fence, u8),
    Answered(Fence, u8, Option<Answer>),
}

/// [`ReservationState`], hashable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Shelf {
    Held,
    Sold,
    Released,
}

impl Shelf {
    fn state(self) -> ReservationState {
        match self {
            Self::Held => ReservationState::Held,
            Self::Sold => ReservationState::Sold,
            Self::Released => ReservationState::Released,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct State {
    pub(super) status: PaymentStatus,
    pub(super) fence: Fence,
    /// Whether the order's lease (or pause) may end.
    pub(super) due: bool,
    /// By number from 1: `None` nobody noted an answer; else whether the key is spent.
    pub(super) attempts: Vec<Option<bool>>,
    pub(super) stock: Option<(Shelf, Fence)>,
    /// Messages of the outbox: the fence, and whether to sell.
    pub(super) outbox: BTreeSet<(Fence, bool)>,
    /// Whether the ended order is looked at once more, and money found then is given back.
    pub(super) last_look: bool,
    pub(super) bank: AtBank,
    pub(super) charges: u8,
    pub(super) keys: Vec<(u8, Answer)>,
    /// Requests on their way, by attempt number; doubled ones twice.
    pub(super) requests: Vec<u8>,
    pub(super) workers: [Step; 4],
    pub(super) crashes: u8,
    pub(super) mishaps: u8,
}

impl State {
    pub(super) fn first() -> Self {
        Self {
            status: PaymentStatus::Ready,
            fence: Fence::FIRST,
            due: false,
            attempts: Vec::new(),
            stock: None,
            outbox: BTreeSet::new(),
            last_look: false,
            bank: AtBank::Open,
            charges: 0,
            keys: Vec::new(),
            requests: Vec::new(),
            workers: [Step::Idle; 4],
            crashes: 0,
            mishaps: 0,
        }
    }

    /// The conditional update. `None`: stale, or the state machine refuses.
    pub(super) fn store(
        &self,
        seen: Fence,
        from: PaymentStatus,
        fact: PaymentFact,
        slip: Slip,
    ) -> Option<Self> {
        let stale = self.fence != seen || self.status != from;
        if stale && slip != Slip::NoFence {
            return None;
        }
        let mut next = self.clone();
        next.status = fact.apply(self.status.min_legal(from, stale)).ok()?;
        next.fence = self.fence.next();
        next.due = false;
        Some(next)
    }

    /// The stock is told of the change that was stored last: sell, or release at its fence.
    pub(super) fn send(&mut self, sells: bool) {
        self.outbox.insert((self.fence, sells));
    }

    pub(super) fn reservation(&self) -> Option<(ReservationState, Fence)> {
        self.stock.map(|(shelf, fence)| (shelf.state(), fence))
    }

    pub(super) fn is_quiet(&self) -> bool {
        self.requests.is_empty()
            && self.outbox.is_empty()
            && self.workers.iter().all(|step| *step == Step::Idle)
            && !matches!(
                self.status,
                PaymentStatus::InProgress | PaymentStatus::Unknown
            )
    }

    /// The rules that hold in every state, and the further ones of quiet states.
    pub(super) fn broken(&self) -> Option<String> {
        let held = matches!(self.stock, Some((Shelf::Held | Shelf::Sold, _)));
        let rule = match self.status {
            _ if self.charges > 1 => "charged twice",
            PaymentStatus::Done if self.charges == 0 => "DONE without a charge",
            PaymentStatus::Done if !held => "DONE without stock",
            PaymentStatus::Failed | PaymentStatus::Expired
                if self.charges > 0 && !self.last_look =>
            {
                "charged and not paid"
            }
            _ if !self.is_quiet() => return None,
            PaymentStatus::Ready if self.charges > 0 => "charged and payable",
            PaymentStatus::Done if matches!(self.stock, Some((Shelf::Held, _))) => {
                "DONE and stock not sold"
            }
            PaymentStatus::Failed | PaymentStatus::Expired | PaymentStatus::Ready if held => {
                "stock held for nothing"
            }
            _ => return None,
        };
        Some(rule.to_owned())
    }
}

/// A mutant without the predicate writes over whatever is there.
trait Overwrite {
    fn min_legal(self, seen: PaymentStatus, stale: bool) -> PaymentStatus;
}

impl Overwrite for PaymentStatus {
    fn min_legal(self, seen: PaymentStatus, stale: bool) -> PaymentStatus {
        if stale { seen } else { self }
    }
}
