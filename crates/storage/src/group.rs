//! Concurrent calls, collected and run as one transaction: see ADR 0018.
//!
//! There is no task and no timer. Whoever finds nobody at work does its own unit on the plain path;
//! who comes meanwhile waits, and the first of these then leads: it runs all that wait as one
//! transaction, while the next ones gather. The lead is a value, the [`Baton`]. Dropped at any
//! moment it goes to somebody who waits, together with the transaction that runs under it, so a
//! caller that goes away disturbs nobody, and when all callers are gone nothing is left.

use std::collections::{BTreeSet, VecDeque};
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use kernel::StoreError;
use tokio::sync::oneshot;

use crate::database::Database;
use crate::error::Fault;
use crate::transaction::Failed;

/// The most units of one transaction. More of them gain nothing that was measured and would hold
/// their locks for longer.
const UNITS_MAX: usize = 128;
/// The most units that wait. Far more than a database does within the patience of any of them.
const WAITING_MAX: usize = 8_192;

/// One call of a repository, as a value.
pub(crate) trait Unit: Send + Sync + Sized + 'static {
    /// What two units of one transaction must not have in common.
    type Key: Ord;
    type Answer: Send + 'static;

    fn keys(&self) -> Vec<Self::Key>;

    /// What is being done, for errors.
    fn action(&self) -> &'static str;

    /// Does this unit in a transaction of its own.
    fn alone(
        &self,
        database: &Database,
    ) -> impl Future<Output = Result<Self::Answer, StoreError>> + Send;

    /// Does all of them in one transaction. The answers are in the units' order and the same that
    /// each would get alone; a unit whose answer is a fault has changed nothing.
    fn together(
        units: &[Self],
        database: &Database,
    ) -> impl Future<Output = Result<Answers<Self>, Failed>> + Send;
}

pub(crate) type Answers<U> = Vec<Result<<U as Unit>::Answer, Fault>>;

/// The units of one kind of work.
pub(crate) struct Group<U: Unit> {
    queue: Mutex<Queue<U>>,
    /// How many units may be under way alone before others must wait and share.
    alone_max: usize,
    /// How long a unit waits for its turn: as long as a transaction waits for its connection.
    patience: Duration,
}

/// Nobody waits while there is neither a baton nor a unit alone.
struct Queue<U: Unit> {
    /// Whether there is a baton.
    is_led: bool,
    /// Units that are under way alone without it.
    alone: usize,
    waiting: VecDeque<Ticket<U>>,
    tickets: u64,
    shared: SharedWrites,
}

/// How much was done in transactions that several writes shared, since the database was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SharedWrites {
    /// Such transactions that were begun.
    pub transactions: u64,
    /// The writes in them.
    pub writes: u64,
}

/// A unit that waits.
struct Ticket<U: Unit> {
    number: u64,
    unit: U,
    answer: oneshot::Sender<Told<U>>,
    /// `None` when it was handed over.
    baton: Option<oneshot::Sender<Baton<U>>>,
}

/// What becomes of a unit.
enum Told<U: Unit> {
    Answer(Result<U::Answer, StoreError>),
    /// Nothing was done: its caller must do it alone.
    Alone(U),
}

/// The place of a caller that waits.
struct Seat<U: Unit> {
    number: u64,
    answer: oneshot::Receiver<Told<U>>,
    baton: oneshot::Receiver<Baton<U>>,
}

enum Entered<U: Unit> {
    /// Nobody waits, and few are at work.
    Alone(Alone<U>, U),
    Waiting(Seat<U>),
}

/// How a write goes.
pub(crate) enum Turn<'a, U: Unit> {
    /// By itself, on the plain path, for as long as the place lives; without one where nothing is
    /// shared.
    Alone(Option<Alone<U>>),
    /// In the group, by [`Group::run`].
    Shared(&'a Arc<Group<U>>),
}

/// A unit is under way alone for as long as this lives. Then the first who waits leads.
pub(crate) struct Alone<U: Unit>(Arc<Group<U>>);

/// What a caller that waits wakes up to.
enum Woken<U: Unit> {
    Told(Option<Told<U>>),
    Leads(Option<Baton<U>>),
    Tired,
}

/// The right to run units; there is at most one. Dropped, it passes itself on.
struct Baton<U: Unit>(Option<Leadership<U>>);

struct Leadership<U: Unit> {
    group: Arc<Group<U>>,
    /// The transaction that runs.
    batch: Option<Batch<U>>,
}

struct Batch<U: Unit> {
    /// Answers all its units.
    running: BoxFuture<'static, ()>,
    /// How to reach those who wait for it and have not led it yet.
    crew: VecDeque<oneshot::Sender<Baton<U>>>,
}

impl<U: Unit> Group<U> {
    pub(crate) fn new(alone_max: usize, patience: Duration) -> Self {
        let queue = Queue {
            is_led: false,
            alone: 0,
            waiting: VecDeque::new(),
            tickets: 0,
            shared: SharedWrites::default(),
        };
        Self {
            queue: Mutex::new(queue),
            alone_max,
            patience,
        }
    }

    /// Alone if nobody waits and few are at work, so that such a write need not become a value.
    pub(crate) fn turn(self: &Arc<Self>) -> Turn<'_, U> {
        let alone = self.alone(&mut self.queue());
        alone.map_or(Turn::Shared(self), |alone| Turn::Alone(Some(alone)))
    }

    fn alone(self: &Arc<Self>, queue: &mut Queue<U>) -> Option<Alone<U>> {
        let is_free = !queue.is_led && queue.waiting.is_empty() && queue.alone < self.alone_max;
        is_free.then(|| {
            queue.alone += 1;
            Alone(Arc::clone(self))
        })
    }

    /// Does the unit, alone or with others. Dropping this future leaves open whether it is done.
    ///
    /// When too many wait, or the unit's turn does not come in time, this is
    /// [`StoreError::Unavailable`] and nothing was done.
    pub(crate) async fn run(
        self: &Arc<Self>,
        database: &Database,
        unit: U,
    ) -> Result<U::Answer, StoreError> {
        let action = unit.action();
        let mut seat = match self.enter(unit)? {
            Entered::Alone(alone, unit) => {
                let answer = unit.alone(database).await;
                drop(alone);
                return answer;
            }
            Entered::Waiting(seat) => seat,
        };
        let mut patience = pin!(tokio::time::sleep(self.patience));
        let (mut may_lead, mut may_tire) = (true, true);
        loop {
            let woken = tokio::select! {
                biased;
                told = &mut seat.answer => Woken::Told(told.ok()),
                baton = &mut seat.baton, if may_lead => Woken::Leads(baton.ok()),
                () = patience.as_mut(), if may_tire => Woken::Tired,
            };
            match woken {
                Woken::Told(Some(Told::Answer(answer))) => return answer,
                Woken::Told(Some(Told::Alone(unit))) => return unit.alone(database).await,
                // Its transaction was given up, which happens only to those who do not wait.
                Woken::Told(None) => return Err(unavailable(action, "nobody did it")),
                Woken::Leads(baton) => {
                    may_lead = false;
                    if let Some(baton) = baton {
                        baton.lead(database).await;
                    }
                }
                Woken::Tired => {
                    may_tire = false;
                    if self.withdraw(seat.number) {
                        return Err(unavailable(action, "its turn did not come in time"));
                    }
                }
            }
        }
    }

    pub(crate) fn shared_writes(&self) -> SharedWrites {
        self.queue().shared
    }

    fn queue(&self) -> MutexGuard<'_, Queue<U>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(self: &Arc<Self>, unit: U) -> Result<Entered<U>, StoreError> {
        let mut queue = self.queue();
        if let Some(alone) = self.alone(&mut queue) {
            return Ok(Entered::Alone(alone, unit));
        }
        if queue.waiting.len() >= WAITING_MAX {
            return Err(unavailable(unit.action(), "too many wait for their turn"));
        }
        let (answer, answered) = oneshot::channel();
        let (baton, leads) = oneshot::channel();
        queue.tickets += 1;
        let number = queue.tickets;
        queue.waiting.push_back(Ticket {
            number,
            unit,
            answer,
            baton: Some(baton),
        });
        Ok(Entered::Waiting(Seat {
            number,
            answer: answered,
            baton: leads,
        }))
    }

    /// Takes a unit back. Returns whether it still waited for its turn.
    fn withdraw(&self, number: u64) -> bool {
        let mut queue = self.queue();
        let place = queue.waiting.binary_search_by_key(&number, |t| t.number);
        let withdrawn = place.ok().and_then(|place| queue.waiting.remove(place));
        withdrawn.is_some()
    }

    /// The first who waits, to be given the baton. When nobody waits there is no baton any more.
    fn successor(&self) -> Option<oneshot::Sender<Baton<U>>> {
        let mut queue = self.queue();
        while let Some(first) = queue.waiting.front_mut() {
            if !first.answer.is_closed()
                && let Some(baton) = first.baton.take()
            {
                return Some(baton);
            }
            // Its caller is gone, with the baton or before.
            queue.waiting.pop_front();
        }
        queue.is_led = false;
        None
    }

    /// Those whose turn it is: in their order, but of two with one key the second waits.
    fn next_units(&self) -> Vec<Ticket<U>> {
        let mut queue = self.queue();
        let (mut taken, mut held_back) = (Vec::new(), Vec::new());
        let mut keys = BTreeSet::new();
        while taken.len() < UNITS_MAX && held_back.len() < UNITS_MAX {
            let Some(ticket) = queue.waiting.pop_front() else {
                break;
            };
            if ticket.answer.is_closed() {
                continue;
            }
            let own = ticket.unit.keys();
            if own.iter().any(|key| keys.contains(key)) {
                held_back.push(ticket);
            } else {
                keys.extend(own);
                taken.push(ticket);
            }
        }
        while let Some(ticket) = held_back.pop() {
            queue.waiting.push_front(ticket);
        }
        if taken.len() > 1 {
            queue.shared.transactions += 1;
            queue.shared.writes += taken.len() as u64;
        }
        taken
    }
}

impl<U: Unit> Drop for Alone<U> {
    fn drop(&mut self) {
        let mut queue = self.0.queue();
        queue.alone -= 1;
        if queue.is_led || queue.waiting.is_empty() {
            return;
        }
        queue.is_led = true;
        drop(queue);
        let group = Arc::clone(&self.0);
        drop(Baton(Some(Leadership { group, batch: None })));
    }
}

impl<U: Unit> Baton<U> {
    /// Runs the transaction that is under way, or the next one, to its end.
    async fn lead(mut self, database: &Database) {
        let Some(leadership) = &mut self.0 else {
            return;
        };
        if leadership.batch.is_none() {
            // Those whom the last transaction answered may come back at once.
            tokio::task::yield_now().await;
            leadership.batch = Batch::of(leadership.group.next_units(), database);
        }
        if let Some(batch) = &mut leadership.batch {
            Pin::new(&mut batch.running).await;
        }
        leadership.batch = None;
    }
}

impl<U: Unit> Drop for Baton<U> {
    fn drop(&mut self) {
        let mut held = self.0.take();
        while let Some(leadership) = held {
            held = leadership.pass();
        }
    }
}

impl<U: Unit> Leadership<U> {
    /// Hands itself to somebody who waits for the transaction that runs, or else to the first who
    /// waits at all. Returns itself when that caller has just gone away.
    fn pass(mut self) -> Option<Self> {
        let mut next = None;
        if let Some(batch) = &mut self.batch {
            next = batch.crew.pop_front();
            if next.is_none() {
                // Nobody wants to know any more: the connection is closed, as for one caller alone.
                self.batch = None;
            }
        }
        let next = next.or_else(|| self.group.successor())?;
        let refused = next.send(Baton(Some(self))).err();
        refused.and_then(|mut baton| baton.0.take())
    }
}

impl<U: Unit> Batch<U> {
    fn of(mut tickets: Vec<Ticket<U>>, database: &Database) -> Option<Self> {
        if tickets.is_empty() {
            return None;
        }
        let crew = tickets.iter_mut().filter_map(|ticket| ticket.baton.take());
        let crew = crew.collect();
        let database = database.clone();
        let running = async move { run(tickets, &database).await }.boxed();
        Some(Self { running, crew })
    }
}

/// Does the units and tells each what became of it. A panic inside costs these units their answer
/// and nobody else anything.
async fn run<U: Unit>(tickets: Vec<Ticket<U>>, database: &Database) {
    let mut units = Vec::with_capacity(tickets.len());
    let mut answers = Vec::with_capacity(tickets.len());
    for ticket in tickets {
        units.push(ticket.unit);
        answers.push(ticket.answer);
    }
    let worked = async {
        if let [unit] = units.as_slice() {
            let answer = unit.alone(database).await;
            return Ok(vec![Told::Answer(answer)]);
        }
        let answers = U::together(&units, database).await?;
        let told = answers.into_iter().zip(&units).map(|(answer, unit)| {
            Told::Answer(answer.map_err(|fault| fault.into_store_error(unit.action())))
        });
        Ok(told.collect())
    };
    let told = match AssertUnwindSafe(worked).catch_unwind().await {
        Ok(Ok(told)) => told,
        Ok(Err(failed)) if failed.is_worth_another_way() => {
            tracing::debug!(?failed, units = units.len(), "units go on alone");
            units.into_iter().map(Told::Alone).collect()
        }
        Ok(Err(Failed { fault, .. })) => {
            let each = units.iter().map(|unit| {
                let fault = fault.again();
                Told::Answer(Err(fault.into_store_error(unit.action())))
            });
            each.collect()
        }
        Err(_panic) => {
            tracing::error!(
                units = units.len(),
                "a transaction of several units panicked"
            );
            let each = units.iter().map(|unit| {
                Told::Answer(Err(unavailable(unit.action(), "the transaction panicked")))
            });
            each.collect::<Vec<_>>()
        }
    };
    for (answer, told) in answers.into_iter().zip(told) {
        // Whoever does not wait any more does not want to know.
        drop(answer.send(told));
    }
}

fn unavailable(action: &'static str, why: &'static str) -> StoreError {
    StoreError::Unavailable {
        action,
        source: why.into(),
    }
}

#[cfg(test)]
mod tests;
