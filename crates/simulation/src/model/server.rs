//! What the servers do: confirms and recoveries, one step at a time, and crashes.

use kernel::Fence;
use payment_domain::model::{PaymentFact, PaymentStatus};
use product_domain::model::{HoldDecision, decide_hold};

use super::state::{Answer, AtBank, Shelf, State, Step};
use super::{Explorer, Moves, Slip};

impl Explorer {
    /// One step of a worker: 0 and 1 are the clients' confirms, 2 and 3 the recoveries.
    #[expect(clippy::too_many_lines, reason = "a table of steps, one arm each")]
    pub(super) fn work(&self, state: &State, worker: usize, moves: &mut Moves) {
        let slip = self.slip;
        if let Step::Claimed(fence, _) | Step::Holding(fence, _) = state.workers[worker] {
            self.run_short(state, worker, fence, moves);
        }
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
            Step::Idle if state.status == PaymentStatus::Ready => {
                let lapsed = PaymentFact::CheckoutLapsed;
                if let Some(next) = state.store(state.fence, state.status, lapsed, slip) {
                    go("finds that the time to pay is over", Step::Idle, next);
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

    /// A product runs out before this order's stock is taken: FAILED, and the stock is told so. Only
    /// the first claim under its own lease can be sure that nobody asks the bank later.
    fn run_short(&self, state: &State, worker: usize, fence: Fence, moves: &mut Moves) {
        let takes = decide_hold(state.reservation(), fence) == HoldDecision::TakeStock;
        if !takes || state.mishaps == self.bounds.mishaps {
            return;
        }
        let stored = state.store(fence, status_of(worker), PaymentFact::StockShort, self.slip);
        let is_stored = stored.is_some();
        let mut next = stored.unwrap_or_else(|| state.clone());
        next.mishaps += 1;
        next.workers[worker] = Step::Idle;
        if is_stored {
            next.send(false);
            let is_first = worker < 2 && state.attempts.len() == 1;
            next.last_look = !is_first && self.slip != Slip::NoLastLook;
        }
        moves.push((format!("{worker} finds the stock short"), next));
    }

    /// Stores what an answer, a look or silence means.
    pub(super) fn settle(
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
            Some(Answer::Refused) if worker < 2 => PaymentFact::CredentialsRefused,
            Some(Answer::Unclear | Answer::AlreadyProcessed | Answer::Refused) | None => {
                PaymentFact::AnswerMissing
            }
        };
        let from = status_of(worker);
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
                PaymentFact::Approved => next.send(true),
                PaymentFact::Declined | PaymentFact::CredentialsRefused => next.send(false),
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
    pub(super) fn crash(&self, state: &State, moves: &mut Moves) {
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
}

/// The status under which a worker that owns the order stores what it learned: a confirm's is
/// `IN_PROGRESS`, a recovery's `UNKNOWN`.
fn status_of(worker: usize) -> PaymentStatus {
    if worker < 2 {
        PaymentStatus::InProgress
    } else {
        PaymentStatus::Unknown
    }
}

fn count(attempts: &[Option<bool>]) -> u8 {
    u8::try_from(attempts.len()).unwrap_or(u8::MAX)
}
