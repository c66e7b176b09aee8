//! A payment, rebuilt from what was recorded of it: for whoever asks how it stood at a moment, and
//! as a proof that history and row agree.

use kernel::{Fence, Money, Timestamp};

use super::{Attempt, HistoryEntry, PaymentFact, PaymentStatus, Transaction};

/// A money movement and the change that recorded it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Movement {
    /// The payment's fence after the change.
    pub fence: Fence,
    /// What moved.
    pub transaction: Transaction,
}

/// What the records say of a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replayed {
    /// Where it stood.
    pub status: PaymentStatus,
    /// Its version.
    pub fence: Fence,
    /// What was paid and not given back.
    pub balance: Money,
    /// When it had changed last.
    pub changed_at: Timestamp,
}

/// Why records make no payment. Each is a defect, or somebody's hand in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BrokenRecord {
    /// An entry is missing, or there is one too many.
    #[error("the entry of fence {} is missing, fence {} follows", expected.get(), found.get())]
    Gap {
        /// The fence that had to come.
        expected: Fence,
        /// The fence that came.
        found: Fence,
    },
    /// An entry does not follow from the one before it.
    #[error("{fact} at fence {} does not lead from {} to {to}", fence.get(), spelled(*from))]
    Illegal {
        /// The entry's fence.
        fence: Fence,
        /// What is said to have happened.
        fact: PaymentFact,
        /// Where the payment stood.
        from: Option<PaymentStatus>,
        /// Where it is said to have come.
        to: PaymentStatus,
    },
    /// More money went back than had come, or more came than there is.
    #[error("the balance at fence {} is {won} won", fence.get())]
    Balance {
        /// The movement's fence.
        fence: Fence,
        /// The sum of all movements so far.
        won: i64,
    },
    /// A movement that no change recorded.
    #[error("a movement of fence {} belongs to no change", .0.get())]
    Stray(Fence),
}

fn spelled(status: Option<PaymentStatus>) -> &'static str {
    status.map_or("nothing", PaymentStatus::as_str)
}

/// The payment after all these changes; `None` if there is none. Entries and movements come oldest
/// first.
pub fn replay(
    history: &[HistoryEntry],
    movements: &[Movement],
) -> Result<Option<Replayed>, BrokenRecord> {
    let mut replayed: Option<Replayed> = None;
    let mut movements = movements.iter().peekable();
    let mut won = 0_i64;
    for entry in history {
        let fence = replayed
            .as_ref()
            .map_or(Fence::FIRST, |before| before.fence.next());
        if entry.fence != fence {
            return Err(BrokenRecord::Gap {
                expected: fence,
                found: entry.fence,
            });
        }
        let from = replayed.as_ref().map(|before| before.status);
        if !follows(entry, from) {
            return Err(BrokenRecord::Illegal {
                fence,
                fact: entry.fact,
                from,
                to: entry.to,
            });
        }
        while let Some(moved) = movements.next_if(|moved| moved.fence == fence) {
            won = won.saturating_add(moved.transaction.amount_won);
        }
        let balance = Money::from_won(won).map_err(|_| BrokenRecord::Balance { fence, won })?;
        replayed = Some(Replayed {
            status: entry.to,
            fence,
            balance,
            changed_at: entry.at,
        });
    }
    match movements.next() {
        Some(stray) => Err(BrokenRecord::Stray(stray.fence)),
        None => Ok(replayed),
    }
}

fn follows(entry: &HistoryEntry, from: Option<PaymentStatus>) -> bool {
    let to = match from {
        None => (entry.fact == PaymentFact::CheckedOut).then_some(PaymentStatus::Ready),
        Some(from) => entry.fact.apply(from).ok(),
    };
    entry.from == from && to == Some(entry.to)
}

/// What was recorded of a payment, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Records {
    /// Its changes.
    pub history: Vec<HistoryEntry>,
    /// What was asked of Toss.
    pub attempts: Vec<Attempt>,
    /// The money that moved.
    pub movements: Vec<Movement>,
}

/// One line of a payment's timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TimelineEvent {
    /// The payment changed.
    Transition(HistoryEntry),
    /// Something was asked of Toss, and what came of it.
    Attempt(Attempt),
    /// Money moved.
    Movement(Movement),
}

impl Records {
    /// What had been recorded by that moment. The clocks of several servers may differ: a change
    /// that one server recorded by then implies all changes before it.
    #[must_use]
    pub fn as_of(self, at: Timestamp) -> Self {
        let Self {
            mut history,
            mut attempts,
            mut movements,
        } = self;
        let last = history.iter().rposition(|entry| entry.at <= at);
        history.truncate(last.map_or(0, |last| last + 1));
        let fence = history.last().map(|entry| entry.fence);
        movements.retain(|moved| fence.is_some_and(|fence| moved.fence <= fence));
        attempts.retain(|attempt| attempt.started_at <= at);
        for attempt in &mut attempts {
            if attempt.finished_at.is_some_and(|finished| finished > at) {
                attempt.finished_at = None;
                attempt.result = None;
            }
        }
        Self {
            history,
            attempts,
            movements,
        }
    }

    /// The payment that these records make; `None` if there is none.
    pub fn replay(&self) -> Result<Option<Replayed>, BrokenRecord> {
        replay(&self.history, &self.movements)
    }

    /// Everything in one line, oldest first, each with the time at which it was recorded here.
    ///
    /// Changes come in the order in which they happened, whatever the clocks of several servers
    /// said; money follows the change that recorded it, and attempts are put where their times
    /// belong.
    pub fn timeline(self) -> Vec<(Timestamp, TimelineEvent)> {
        let mut movements = self.movements.into_iter().peekable();
        let mut attempts = self.attempts.into_iter().peekable();
        let mut timeline = Vec::new();
        for entry in self.history {
            let (fence, at) = (entry.fence, entry.at);
            while let Some(attempt) = attempts.next_if(|attempt| attempt.started_at < at) {
                timeline.push((attempt.started_at, TimelineEvent::Attempt(attempt)));
            }
            timeline.push((at, TimelineEvent::Transition(entry)));
            while let Some(moved) = movements.next_if(|moved| moved.fence <= fence) {
                timeline.push((at, TimelineEvent::Movement(moved)));
            }
        }
        let rest = attempts.map(|attempt| (attempt.started_at, TimelineEvent::Attempt(attempt)));
        timeline.extend(rest);
        timeline
    }
}

#[cfg(test)]
mod tests;
