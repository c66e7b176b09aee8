//! The pure state machine, explored to the end, breadth first.
//!
//! In it: one order; two clients who confirm it again whenever it is payable, each on a server of
//! its own (two requests to one server join at its desk, and are one confirm); a recovery on each
//! server that may take over whenever a lease ends; the expiry of the checkout; stock that may run
//! short, and the outbox that is delivered late, in any order and more than once; a bank with
//! idempotency keys that approves, declines, answers unclearly or refuses our credentials; requests
//! and answers that are lost, doubled and late, in any order; crashes of a server at every step.
//!
//! Real: status changes go through [`PaymentFact::apply`](payment_domain::model::PaymentFact::apply),
//! stock through product-domain's `decide_hold`, `decide_release` and `decide_sell`. Written down
//! again: the sequence of steps of confirm and recovery, so that every interleaving can be tried.
//! Left out: time (a lease may end, a message arrive and a process die at any step), amounts, other
//! orders, virtual accounts, quarantine after many looks, and a bank that denies a payment it has.

mod messages;
mod server;
mod state;

use std::collections::{HashSet, VecDeque};
use std::fmt;

use payment_domain::model::PaymentStatus;

use state::State;

/// How much may happen on one path; every bound multiplies the states.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// The highest fence: no order is changed further.
    pub fences: i64,
    /// Crashes of servers.
    pub crashes: u8,
    /// Requests lost, doubled or given up on while under way, errors that leave all open, refused
    /// credentials, stock that runs short. Delays, reordering and lost answers are always possible.
    pub mishaps: u8,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            fences: 6,
            crashes: 1,
            mishaps: 2,
        }
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            fences,
            crashes,
            mishaps,
        } = self;
        write!(
            f,
            "2 clients, 2 servers, recovery, expiry, outbox, bank; leases end, messages are late \
             and answers lost at any step; up to {crashes} crashes, {mishaps} mishaps (requests \
             lost, doubled or given up on, unclear or refusing answers, stock short), fences to \
             {fences}"
        )
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
    /// A release takes back stock that was held after it.
    ReleaseIgnoresFence,
    /// No lease ever ends: after a crash nobody comes back.
    NoLease,
    /// Nobody looks again at an order that failed for want of stock.
    NoLastLook,
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
            if is_final(state.status) && next.status != state.status {
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
        self.outbox(state, &mut moves);
        let leased = matches!(
            state.status,
            PaymentStatus::InProgress | PaymentStatus::Unknown
        );
        if leased && !state.due && self.slip != Slip::NoLease {
            let mut next = state.clone();
            next.due = true;
            moves.push(("the lease ends".to_owned(), next));
        }
        moves
    }
}

fn is_final(status: PaymentStatus) -> bool {
    matches!(
        status,
        PaymentStatus::Done | PaymentStatus::Failed | PaymentStatus::Expired
    )
}
