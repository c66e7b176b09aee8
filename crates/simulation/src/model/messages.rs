//! What is under way: requests to the bank, its answers, and the outbox's messages to the stock.

use kernel::Fence;
use product_domain::model::{ReleaseDecision, SellDecision, decide_release, decide_sell};

use super::state::{Answer, AtBank, Shelf, State, Step};
use super::{Explorer, Moves, Slip};

impl Explorer {
    /// Any request on its way arrives, is doubled or is lost.
    pub(super) fn network(&self, state: &State, moves: &mut Moves) {
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
                    answers.push(answered(Answer::Refused, unclear.clone()));
                    answers.push(answered(Answer::Unclear, unclear));
                }
                answers
            }
        }
    }

    /// Messages are delivered in any order, and again when the note of it is lost.
    pub(super) fn outbox(&self, state: &State, moves: &mut Moves) {
        for (fence, sells) in &state.outbox {
            let mut next = state.clone();
            if *sells {
                if decide_sell(next.reservation().map(|(state, _)| state)) == SellDecision::Sell
                    && let Some((shelf, _)) = &mut next.stock
                {
                    *shelf = Shelf::Sold;
                }
            } else {
                self.release(&mut next, *fence);
            }
            moves.push((
                format!("message {} is delivered", fence.get()),
                next.clone(),
            ));
            next.outbox.remove(&(*fence, *sells));
            moves.push((format!("message {} is done", fence.get()), next));
        }
    }

    fn release(&self, state: &mut State, fence: Fence) {
        let presented = if self.slip == Slip::ReleaseIgnoresFence {
            Fence::from_stored(i64::MAX)
        } else {
            fence
        };
        match decide_release(state.reservation(), presented) {
            ReleaseDecision::ReturnStock | ReleaseDecision::Entomb => {
                state.stock = Some((Shelf::Released, fence));
            }
            ReleaseDecision::Ignore => {}
        }
    }
}
