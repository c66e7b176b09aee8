//! The pure state machine, explored to the end: two clients, two servers whose recovery may take
//! over at any moment, and a gateway whose messages are lost, doubled and late.
//!
//! Status changes go through [`PaymentFact::apply`], stock through product-domain's `decide_…`
//! functions; only the sequence of steps of confirm and recovery is written down again here, so
//! that every interleaving of them can be tried. Time is left out: a lease may end, a message
//! arrive and a process die at any step.

use std::collections::{BTreeSet, HashSet, VecDeque};

use kernel::Fence;
use payment_domain::model::{PaymentFact, PaymentStatus};
use product_domain::model::{
    HoldDecision, ReleaseDecision, ReservationState, SellDecision, decide_hold, decide_release,
    decide_sell,
};

/// How much may happen on one path; every bound multiplies the states.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// The highest fence.
    pub fences: i64,
    /// Crashes of servers.
    pub crashes: u8,
    /// Requests or answers lost, requests doubled, errors that leave all open.
    pub mishaps: u8,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            fences: 6,
            crashes: 1,
            mishaps: 1,
        }
    }
}

/// What an exploration found.
#[derive(Debug, Clone)]
pub struct Explored {
    /// Distinct states.
    pub states: usize,
    /// Steps between them.
    pub steps: usize,
    /// Steps on the longest shortest path.
    pub depth: usize,
    /// States in which everything is decided and nothing is on its way.
    pub quiet: usize,
    /// The first broken rule, with the steps that lead to it.
    pub violation: Option<(String, Vec<String>)>,
}

/// A deliberate bug in the sequence of steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slip {
    /// None.
    None,
    /// Changes are stored whatever the fence is.
    NoFence,
    /// A lost answer counts as a decline.
    SilenceIsDecline,
    /// A new key with every request, at a bank that charges once per key.
    NewKeyAfterSilence,
}

/// What the bank answered under an idempotency key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Answer {
    Approved,
    Declined,
    /// An error that leaves all open; nothing was done.
    Unclear,
    /// The payment is past approving.
    AlreadyProcessed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum AtBank {
    Open,
    Done,
    Aborted,
}

/// Where a worker is. Whoever works has the fence that it last stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Step {
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
enum Shelf {
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
struct State {
    status: PaymentStatus,
    fence: Fence,
    /// Whether the order's lease (or pause) may end.
    due: bool,
    /// By number from 1: `None` nobody noted an answer; else whether the key is spent.
    attempts: Vec<Option<bool>>,
    stock: Option<(Shelf, Fence)>,
    /// Messages of the outbox: the fence, and whether to sell.
    outbox: BTreeSet<(Fence, bool)>,
    bank: AtBank,
    charges: u8,
    keys: Vec<(u8, Answer)>,
    /// Requests on their way, by attempt number; doubled ones twice.
    requests: Vec<u8>,
    workers: [Step; 4],
    crashes: u8,
    mishaps: u8,
}

impl State {
    fn first() -> Self {
        Self {
            status: PaymentStatus::Ready,
            fence: Fence::FIRST,
            due: false,
            attempts: Vec::new(),
            stock: None,
            outbox: BTreeSet::new(),
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
    fn store(
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

    fn reservation(&self) -> Option<(ReservationState, Fence)> {
        self.stock.map(|(shelf, fence)| (shelf.state(), fence))
    }

    fn is_quiet(&self) -> bool {
        self.requests.is_empty()
            && self.outbox.is_empty()
            && self.workers.iter().all(|step| *step == Step::Idle)
            && !matches!(
                self.status,
                PaymentStatus::InProgress | PaymentStatus::Unknown
            )
    }

    /// The rules that hold in every state, and the further ones of quiet states.
    fn broken(&self) -> Option<String> {
        let held = matches!(self.stock, Some((Shelf::Held | Shelf::Sold, _)));
        let rule = match self.status {
            _ if self.charges > 1 => "charged twice",
            PaymentStatus::Done if self.charges == 0 => "DONE without a charge",
            PaymentStatus::Done if !held => "DONE without stock",
            PaymentStatus::Failed | PaymentStatus::Expired if self.charges > 0 => {
                "charged and not paid"
            }
            _ if !self.is_quiet() => return None,
            PaymentStatus::Ready if self.charges > 0 => "charged and payable",
            PaymentStatus::Done if matches!(self.stock, Some((Shelf::Held, _))) => {
                "DONE and stock not sold"
            }
            PaymentStatus::Failed | PaymentStatus::Ready if held => "stock held for nothing",
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

type Moves = Vec<(String, State)>;

struct Explorer {
    bounds: Bounds,
    slip: Slip,
}

/// Explores every state within the bounds, breadth first.
pub fn explore(bounds: Bounds, slip: Slip) -> Explored {
    let explorer = Explorer { bounds, slip };
    let mut seen: HashSet<State> = HashSet::new();
    let mut found = Explored {
        states: 0,
        steps: 0,
        depth: 0,
        quiet: 0,
        violation: None,
    };
    // Each state with where it came from, so that a violation tells its path.
    let mut order: Vec<(usize, String)> = vec![(0, "checked out".to_owned())];
    let mut queue = VecDeque::from([(State::first(), 0_usize, 0_usize)]);
    seen.insert(State::first());
    while let Some((state, at, depth)) = queue.pop_front() {
        found.depth = found.depth.max(depth);
        found.quiet += usize::from(state.is_quiet());
        if let Some(rule) = state.broken() {
            found.violation = Some((rule, path(&order, at)));
            break;
        }
        let moves = explorer.moves(&state);
        if moves.is_empty() && !state.is_quiet() && state.fence.get() < bounds.fences {
            found.violation = Some(("stuck undecided".to_owned(), path(&order, at)));
            break;
        }
        for (name, next) in moves {
            found.steps += 1;
            if matches!(state.status, PaymentStatus::Done | PaymentStatus::Failed)
                && next.status != state.status
            {
                let mut steps = path(&order, at);
                steps.push(name);
                found.violation = Some(("a settled order changed".to_owned(), steps));
                found.states = seen.len();
                return found;
            }
            if seen.insert(next.clone()) {
                order.push((at, name));
                queue.push_back((next, order.len() - 1, depth + 1));
            }
        }
    }
    found.states = seen.len();
    found
}

fn path(order: &[(usize, String)], mut at: usize) -> Vec<String> {
    let mut names = Vec::new();
    loop {
        let (before, name) = &order[at];
        names.push(name.clone());
        if at == *before {
            names.reverse();
            return names;
        }
        at = *before;
    }
}

impl Explorer {
    fn moves(&self, state: &State) -> Moves {
        let mut moves = Moves::new();
        if state.fence.get() >= self.bounds.fences {
            return moves;
        }
        for worker in 0..state.workers.len() {
            self.work(state, worker, &mut moves);
        }
        self.crash(state, &mut moves);
        self.network(state, &mut moves);
        Self::outbox(state, &mut moves);
        let leased = matches!(
            state.status,
            PaymentStatus::InProgress | PaymentStatus::Unknown
        );
        if leased && !state.due {
            let mut next = state.clone();
            next.due = true;
            moves.push(("the lease ends".to_owned(), next));
        }
        moves
    }

    /// One step of a worker: 0 and 1 are the clients' confirms, 2 and 3 the recoveries.
    #[expect(clippy::too_many_lines, reason = "a table of steps, one arm each")]
    fn work(&self, state: &State, worker: usize, moves: &mut Moves) {
        let slip = self.slip;
        let mut go = |name: &str, step: Step, mut next: State| {
            next.workers[worker] = step;
            moves.push((format!("{worker} {name}"), next));
        };
        match state.workers[worker] {
            Step::Idle if worker < 2 => {
                if state.status == PaymentStatus::Ready {
                    go("examines", Step::Examined(state.fence), state.clone());
                }
            }
            Step::Idle => {
                if state.due {
                    go(
                        "finds",
                        Step::Found(state.status, state.fence),
                        state.clone(),
                    );
                }
            }
            Step::Examined(fence) => {
                match state.store(fence, PaymentStatus::Ready, PaymentFact::Claimed, slip) {
                    Some(mut next) => {
                        next.attempts.push(None);
                        let (fence, number) = (next.fence, count(&next.attempts));
                        go("claims", Step::Claimed(fence, number), next);
                    }
                    None => go("is too late", Step::Idle, state.clone()),
                }
            }
            Step::Found(status, fence) => {
                match state.store(fence, status, PaymentFact::LookStarted, slip) {
                    Some(next) => go("takes over", Step::Looking(next.fence), next),
                    None => go("is too late", Step::Idle, state.clone()),
                }
            }
            Step::Looking(fence) => match state.bank {
                AtBank::Done => self.settle(state, worker, fence, Some(Answer::Approved), moves),
                AtBank::Aborted => self.settle(state, worker, fence, Some(Answer::Declined), moves),
                AtBank::Open => go("sees it open", Step::Approvable(fence), state.clone()),
            },
            Step::Approvable(fence) => {
                let last = count(&state.attempts);
                let spent = state.attempts.last().copied().flatten() == Some(true);
                if !spent {
                    go(
                        "takes the same key",
                        Step::Holding(fence, last),
                        state.clone(),
                    );
                    return;
                }
                let fact = PaymentFact::AttemptStarted;
                match state.store(fence, PaymentStatus::Unknown, fact, slip) {
                    Some(mut next) => {
                        next.attempts.push(None);
                        let step = Step::Holding(next.fence, last + 1);
                        go("takes a new key", step, next);
                    }
                    None => go("is too late", Step::Idle, state.clone()),
                }
            }
            Step::Claimed(fence, number) | Step::Holding(fence, number) => {
                let mut next = state.clone();
                match decide_hold(state.reservation(), fence) {
                    HoldDecision::TakeStock => next.stock = Some((Shelf::Held, fence)),
                    HoldDecision::KeepStock => {
                        if let Some((_, holder)) = &mut next.stock {
                            *holder = fence.max(*holder);
                        }
                    }
                    HoldDecision::Superseded => {
                        return go("may not hold", Step::Idle, state.clone());
                    }
                }
                go("holds", Step::Asking(fence, number), next);
            }
            Step::Asking(fence, number) => {
                let mut next = state.clone();
                next.requests.push(number);
                next.requests.sort_unstable();
                go("asks", Step::Waiting(fence, number), next);
            }
            Step::Waiting(fence, number) => {
                // The time-out; answers come by `network`. It is a mishap while an answer can come.
                let is_late = state.requests.contains(&number);
                let mut next = state.clone();
                next.mishaps += u8::from(is_late);
                if next.mishaps <= self.bounds.mishaps {
                    go("hears nothing", Step::Answered(fence, number, None), next);
                }
            }
            Step::Answered(fence, _, answer) => self.settle(state, worker, fence, answer, moves),
        }
    }

    /// Stores what an answer, a look or silence means.
    fn settle(
        &self,
        state: &State,
        worker: usize,
        fence: Fence,
        answer: Option<Answer>,
        moves: &mut Moves,
    ) {
        let number = match state.workers[worker] {
            Step::Answered(_, number, _) => Some(number),
            _ => None,
        };
        let answer = match answer {
            // The code does not say how it ended: look.
            Some(Answer::AlreadyProcessed) => match state.bank {
                AtBank::Done => Some(Answer::Approved),
                AtBank::Aborted => Some(Answer::Declined),
                AtBank::Open => Some(Answer::Unclear),
            },
            None if self.slip == Slip::SilenceIsDecline => Some(Answer::Declined),
            answer => answer,
        };
        let fact = match answer {
            Some(Answer::Approved) => PaymentFact::Approved,
            Some(Answer::Declined) => PaymentFact::Declined,
            Some(Answer::Unclear | Answer::AlreadyProcessed) | None => PaymentFact::AnswerMissing,
        };
        let from = if number.is_some() && worker < 2 {
            PaymentStatus::InProgress
        } else {
            PaymentStatus::Unknown
        };
        let stored = state.store(fence, from, fact, self.slip);
        let is_stored = stored.is_some();
        let mut next = stored.unwrap_or_else(|| state.clone());
        next.workers[worker] = Step::Idle;
        if is_stored {
            if let Some(slot) =
                number.and_then(|number| next.attempts.get_mut(usize::from(number) - 1))
            {
                *slot = Some(answer.is_some());
            }
            match fact {
                PaymentFact::Approved => drop(next.outbox.insert((next.fence, true))),
                PaymentFact::Declined => drop(next.outbox.insert((next.fence, false))),
                _ => {}
            }
        }
        let name = if is_stored {
            "stores"
        } else {
            "is too late for"
        };
        moves.push((format!("{worker} {name} {fact}"), next));
    }

    /// A process dies: its confirm and its recovery are gone.
    fn crash(&self, state: &State, moves: &mut Moves) {
        if state.crashes == self.bounds.crashes {
            return;
        }
        for server in 0..2 {
            let busy = [server, server + 2]
                .iter()
                .any(|worker| state.workers[*worker] != Step::Idle);
            if busy {
                let mut next = state.clone();
                next.workers[server] = Step::Idle;
                next.workers[server + 2] = Step::Idle;
                next.crashes += 1;
                moves.push((format!("server {server} dies"), next));
            }
        }
    }

    /// Any request on its way arrives, is doubled or is lost.
    fn network(&self, state: &State, moves: &mut Moves) {
        for (at, number) in state.requests.iter().copied().enumerate() {
            if at > 0 && state.requests[at - 1] == number {
                continue;
            }
            let may_fail = state.mishaps < self.bounds.mishaps;
            let mut gone = state.clone();
            gone.requests.remove(at);
            if may_fail {
                let mut lost = gone.clone();
                lost.mishaps += 1;
                moves.push((format!("request {number} is lost"), lost));
                let mut doubled = state.clone();
                doubled.mishaps += 1;
                doubled.requests.push(number);
                doubled.requests.sort_unstable();
                moves.push((format!("request {number} is doubled"), doubled));
            }
            for (answer, next) in self.bank(&gone, number, may_fail) {
                moves.push((format!("request {number}: {answer:?}"), next.clone()));
                for worker in 0..next.workers.len() {
                    if let Step::Waiting(fence, waits_for) = next.workers[worker]
                        && waits_for == number
                    {
                        let mut heard = next.clone();
                        heard.workers[worker] = Step::Answered(fence, number, Some(answer));
                        moves.push((format!("{worker} hears {number}: {answer:?}"), heard));
                    }
                }
            }
        }
    }

    /// What the bank can answer to a request under this key.
    fn bank(&self, state: &State, number: u8, may_fail: bool) -> Vec<(Answer, State)> {
        let known = state.keys.iter().find(|(key, _)| *key == number);
        if let Some((_, answer)) = known
            && self.slip != Slip::NewKeyAfterSilence
        {
            return vec![(*answer, state.clone())];
        }
        let answered = |answer: Answer, mut next: State| {
            next.keys.push((number, answer));
            next.keys.sort_unstable();
            next.keys.dedup();
            (answer, next)
        };
        match state.bank {
            AtBank::Done if self.slip == Slip::NewKeyAfterSilence => {
                let mut next = state.clone();
                next.charges += 1;
                vec![answered(Answer::Approved, next)]
            }
            AtBank::Done | AtBank::Aborted => {
                vec![answered(Answer::AlreadyProcessed, state.clone())]
            }
            AtBank::Open => {
                let mut approved = state.clone();
                approved.bank = AtBank::Done;
                approved.charges += 1;
                let mut declined = state.clone();
                declined.bank = AtBank::Aborted;
                let mut answers = vec![
                    answered(Answer::Approved, approved),
                    answered(Answer::Declined, declined),
                ];
                if may_fail {
                    let mut unclear = state.clone();
                    unclear.mishaps += 1;
                    answers.push(answered(Answer::Unclear, unclear));
                }
                answers
            }
        }
    }

    /// Messages are delivered in any order, and again when the note of it is lost.
    fn outbox(state: &State, moves: &mut Moves) {
        for (fence, sells) in &state.outbox {
            let mut next = state.clone();
            if *sells {
                if decide_sell(next.reservation().map(|(state, _)| state)) == SellDecision::Sell
                    && let Some((shelf, _)) = &mut next.stock
                {
                    *shelf = Shelf::Sold;
                }
            } else {
                release(&mut next, *fence);
            }
            moves.push((
                format!("message {} is delivered", fence.get()),
                next.clone(),
            ));
            next.outbox.remove(&(*fence, *sells));
            moves.push((format!("message {} is done", fence.get()), next));
        }
    }
}

fn release(state: &mut State, fence: Fence) {
    match decide_release(state.reservation(), fence) {
        ReleaseDecision::ReturnStock | ReleaseDecision::Entomb => {
            state.stock = Some((Shelf::Released, fence));
        }
        ReleaseDecision::Ignore => {}
    }
}

fn count(attempts: &[Option<bool>]) -> u8 {
    u8::try_from(attempts.len()).unwrap_or(u8::MAX)
}
