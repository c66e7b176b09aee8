//! The state that everything in a schedule shares: chance, time, trace, points, processes, bank.

mod fate;
mod sources;

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::{self, Write as _};
use std::hash::Hasher as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kernel::{OrderId, PaymentKey};
use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng as _, SeedableRng as _};
use tokio::task::Id;
use tokio::time::Instant;

use crate::bank::Bank;
use crate::judge::Judge;
use crate::plan::{Mishap, Plan, Schedule};
use crate::process::{Process, Slots};
use crate::terms::{FAULTS_LAST, Terms};
use fate::Fate;

pub(crate) use fate::Rates;

/// The most lines of trace that are kept as text.
const TRACE_LINES_MAX: usize = 20_000;

/// Which side of a piece of work a point is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Before,
    After,
}

/// What a point says to whoever passes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Passed {
    /// Go on.
    On,
    /// The statement fails (before it), or its answer is lost (after it).
    Failed,
}

struct Inner {
    random: Xoshiro256PlusPlus,
    rates: Rates,
    crashes_left: u64,
    stalls_left: u64,
    points: u64,
    /// The port call that each task is in.
    calls: HashMap<Id, &'static str>,
    digest: DefaultHasher,
    events: u64,
    trace: Option<Vec<String>>,
    violation: Option<String>,
    /// No fault is drawn any more.
    is_over: bool,
    /// When the last fault ends.
    disturbed_until: Duration,
    orders: BTreeSet<OrderId>,
    tokens: u64,
    scripted_failures: BTreeSet<&'static str>,
    /// How often each kind of thing happened.
    happened: BTreeMap<&'static str, u64>,
    /// Confirm requests per order that were not turned away at the door.
    admitted: BTreeMap<OrderId, u64>,
    /// The order that each checkout's key leads to.
    checkouts: BTreeMap<String, OrderId>,
    /// Until when the bank denies an order.
    denied_until: BTreeMap<OrderId, Duration>,
    notes: BTreeMap<OrderId, BTreeSet<&'static str>>,
    /// Which order each payment key was opened for.
    keys: BTreeMap<PaymentKey, OrderId>,
}

/// See the module.
pub(crate) struct World {
    pub(crate) schedule: Schedule,
    start: Instant,
    inner: Mutex<Inner>,
    pub(crate) terms: Terms,
    pub(crate) bank: Bank,
    pub(crate) slots: Slots,
    pub(crate) judge: Judge,
}

impl Inner {
    fn count(&mut self, what: &'static str) {
        *self.happened.entry(what).or_default() += 1;
    }
}

/// Feeds formatted text to the digest, and to the trace if it is kept.
struct Sink<'a> {
    digest: &'a mut DefaultHasher,
    text: Option<String>,
}

impl fmt::Write for Sink<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.digest.write(text.as_bytes());
        if let Some(kept) = &mut self.text {
            kept.push_str(text);
        }
        Ok(())
    }
}

impl World {
    pub(crate) fn new(schedule: Schedule, judge: Judge, slots: Slots) -> Arc<Self> {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(schedule.seed);
        let (mut rates, mut terms) = (Rates::default(), Terms::default());
        let (mut crashes_left, mut stalls_left) = (0, 0);
        if matches!(schedule.plan, Plan::Random) {
            let mut below = |bound| random.next_u64() % bound;
            rates = Rates::drawn(&mut below);
            terms = Terms::drawn(&mut below);
            crashes_left = below(5);
            stalls_left = below(terms.stalls_max() + 1);
        }
        let seed = schedule.seed;
        let inner = Inner {
            random,
            rates,
            crashes_left,
            stalls_left,
            points: 0,
            calls: HashMap::new(),
            digest: DefaultHasher::new(),
            events: 0,
            trace: schedule.trace.then(Vec::new),
            violation: None,
            is_over: false,
            disturbed_until: Duration::ZERO,
            orders: BTreeSet::new(),
            tokens: 0,
            scripted_failures: BTreeSet::new(),
            happened: BTreeMap::new(),
            admitted: BTreeMap::new(),
            checkouts: BTreeMap::new(),
            denied_until: BTreeMap::new(),
            notes: BTreeMap::new(),
            keys: BTreeMap::new(),
        };
        Arc::new(Self {
            bank: Bank::new(seed, schedule.mutant),
            schedule,
            start: Instant::now(),
            inner: Mutex::new(inner),
            terms,
            slots,
            judge,
        })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Virtual time since the start.
    pub(crate) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// Whether faults are still drawn.
    pub(crate) fn is_stormy(&self) -> bool {
        matches!(self.schedule.plan, Plan::Random)
            && self.elapsed() < FAULTS_LAST
            && !self.inner().is_over
    }

    /// Ends all faults before their time.
    pub(crate) fn calm(&self) {
        self.inner().is_over = true;
    }

    pub(crate) fn rates(&self) -> Rates {
        if self.is_stormy() {
            self.inner().rates
        } else {
            Rates::default()
        }
    }

    /// A number from 0 to below `bound`.
    pub(crate) fn below(&self, bound: u64) -> u64 {
        self.inner().random.next_u64() % bound.max(1)
    }

    /// True `per_mille` times of a thousand. Draws nothing at 0.
    pub(crate) fn chance(&self, per_mille: u64) -> bool {
        per_mille > 0 && self.below(1_000) < per_mille
    }

    /// Milliseconds between both, both included.
    pub(crate) fn millis(&self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.below(to - from + 1))
    }

    pub(crate) fn mishap(&self) -> Option<Mishap> {
        match &self.schedule.plan {
            Plan::Random => None,
            Plan::Script { mishap, .. } => Some(*mishap),
        }
    }

    /// Adds a line to the trace.
    pub(crate) fn note(&self, who: &str, what: fmt::Arguments<'_>) {
        let at = self.elapsed().as_micros();
        let inner = &mut *self.inner();
        inner.events += 1;
        let room = inner
            .trace
            .as_ref()
            .is_some_and(|lines| lines.len() < TRACE_LINES_MAX);
        let mut sink = Sink {
            digest: &mut inner.digest,
            text: room.then(String::new),
        };
        // Writing into memory cannot fail.
        let _written = write!(sink, "{at:>10} {who} {what}");
        if let (Some(lines), Some(line)) = (&mut inner.trace, sink.text) {
            lines.push(line);
        }
    }

    /// Remembers the first broken invariant.
    pub(crate) fn convict(&self, violation: String) {
        self.note("judge", format_args!("BROKEN: {violation}"));
        self.inner().violation.get_or_insert(violation);
    }

    pub(crate) fn violation(&self) -> Option<String> {
        self.inner().violation.clone()
    }

    /// A fault lasts so long.
    pub(crate) fn disturb(&self, lasts: Duration) {
        let until = self.elapsed() + lasts;
        let inner = &mut *self.inner();
        inner.disturbed_until = inner.disturbed_until.max(until);
    }

    pub(crate) fn disturbed_until(&self) -> Duration {
        self.inner().disturbed_until
    }

    /// Counts one of what the report sums up.
    pub(crate) fn count(&self, what: &'static str) {
        self.inner().count(what);
    }

    pub(crate) fn happened(&self) -> BTreeMap<&'static str, u64> {
        self.inner().happened.clone()
    }

    /// A confirm request for this order is sent: from now on it may be claimed.
    pub(crate) fn admit(&self, order_id: &OrderId) {
        let inner = &mut *self.inner();
        *inner.admitted.entry(order_id.clone()).or_default() += 1;
    }

    /// A confirm request was turned away before anything was begun. Returns whether none is left
    /// that can have begun something.
    pub(crate) fn turn_away(&self, order_id: &OrderId) -> bool {
        let inner = &mut *self.inner();
        let admitted = inner.admitted.entry(order_id.clone()).or_default();
        *admitted = admitted.saturating_sub(1);
        *admitted == 0
    }

    /// A checkout under this key was answered with this order; the order that it was first
    /// answered with, if that is another one.
    pub(crate) fn checked_out(&self, key: &str, order_id: &OrderId) -> Option<OrderId> {
        let inner = &mut *self.inner();
        let first = inner.checkouts.entry(key.to_owned());
        let first = first.or_insert_with(|| order_id.clone());
        (*first != *order_id).then(|| first.clone())
    }

    /// Whether some client was told of this order.
    pub(crate) fn is_known_to_a_client(&self, order_id: &OrderId) -> bool {
        let inner = self.inner();
        inner.checkouts.values().any(|known| known == order_id)
    }

    /// For so long the bank shows no payment of this order.
    pub(crate) fn deny(&self, order_id: &OrderId, lasts: Duration) {
        let until = self.elapsed() + lasts;
        self.inner().denied_until.insert(order_id.clone(), until);
    }

    pub(crate) fn is_denied(&self, order_id: &OrderId) -> bool {
        let until = self.inner().denied_until.get(order_id).copied();
        until.is_some_and(|until| self.elapsed() < until)
    }

    /// Records something about an order that the judge must know.
    pub(crate) fn mark(&self, order_id: &OrderId, what: &'static str) {
        let inner = &mut *self.inner();
        inner
            .notes
            .entry(order_id.clone())
            .or_default()
            .insert(what);
    }

    pub(crate) fn is_marked(&self, order_id: &OrderId, what: &'static str) -> bool {
        let inner = self.inner();
        let notes = inner.notes.get(order_id);
        notes.is_some_and(|notes| notes.contains(what))
    }

    /// A window was opened for this order under this key.
    pub(crate) fn opened(&self, payment_key: &PaymentKey, order_id: &OrderId) {
        let inner = &mut *self.inner();
        inner.keys.insert(payment_key.clone(), order_id.clone());
    }

    /// Every payment key that was opened, with its order.
    pub(crate) fn keys(&self) -> Vec<(OrderId, PaymentKey)> {
        let inner = self.inner();
        let keys = inner.keys.iter();
        keys.map(|(key, id)| (id.clone(), key.clone())).collect()
    }

    /// The order that a payment key was opened for; unknown keys share a made-up one.
    #[expect(clippy::expect_used, reason = "the text follows the rule of order ids")]
    pub(crate) fn order_of_key(&self, payment_key: &PaymentKey) -> OrderId {
        let known = self.inner().keys.get(payment_key).cloned();
        known.unwrap_or_else(|| "order-of-nobody".parse().expect("a valid order id"))
    }

    pub(crate) fn orders(&self) -> Vec<OrderId> {
        self.inner().orders.iter().cloned().collect()
    }

    pub(crate) fn finish(&self) -> (u64, u64, u64, Vec<String>) {
        let inner = &mut *self.inner();
        (
            inner.digest.finish(),
            inner.events,
            inner.points,
            inner.trace.take().unwrap_or_default(),
        )
    }

    /// The present task enters a port call; the guard ends it.
    pub(crate) fn enter(self: &Arc<Self>, call: &'static str) -> Inside {
        let task = tokio::task::try_id();
        if let Some(task) = task {
            self.inner().calls.insert(task, call);
        }
        Inside {
            world: Arc::clone(self),
            task,
        }
    }

    fn call(&self) -> &'static str {
        let task = tokio::task::try_id();
        let call = task.and_then(|task| self.inner().calls.get(&task).copied());
        call.unwrap_or("-")
    }

    /// Nobody may ask the gateway from inside a repository call: a transaction could be open.
    pub(crate) fn forbid_open_call(&self) {
        let call = self.call();
        if call != "-" {
            self.convict(format!("the gateway is asked from inside `{call}`"));
        }
    }

    /// A point of a process: it may pause, stall, fail or die here.
    pub(crate) async fn point(
        self: &Arc<Self>,
        process: &Arc<Process>,
        side: Side,
        is_statement: bool,
    ) -> Passed {
        if process.is_dead() {
            return std::future::pending().await;
        }
        let call = self.call();
        let fate = self.draw(process, call, side, is_statement);
        match fate {
            Fate::On => Passed::On,
            Fate::Pause(ms) => {
                tokio::time::sleep(Duration::from_millis(ms)).await;
                Passed::On
            }
            Fate::Fail => Passed::Failed,
            Fate::Crash => {
                self.kill(process);
                std::future::pending().await
            }
        }
    }

    fn draw(&self, process: &Process, call: &'static str, side: Side, is_statement: bool) -> Fate {
        let stormy = self.is_stormy();
        let what = if is_statement { "sql" } else { "port" };
        self.note(process.name(), format_args!("{call} {what} {side:?}"));
        let fate = {
            let inner = &mut *self.inner();
            match &self.schedule.plan {
                Plan::Random if stormy => inner.draw_fault(is_statement),
                Plan::Random => Fate::On,
                Plan::Script { mishap, crashes } => {
                    inner.scripted(call, side, is_statement, *mishap, crashes)
                }
            }
        };
        match fate {
            Fate::On => {}
            Fate::Pause(ms) if ms < 1_000 => {}
            Fate::Pause(ms) => {
                self.disturb(Duration::from_millis(ms));
                self.note(process.name(), format_args!("stalls for {ms} ms"));
            }
            Fate::Fail => {
                self.disturb(Duration::ZERO);
                self.note(process.name(), format_args!("the statement fails"));
            }
            Fate::Crash => self.note(process.name(), format_args!("dies")),
        }
        fate
    }

    /// Ends a process at once; another takes its place after a while.
    pub(crate) fn kill(self: &Arc<Self>, process: &Arc<Process>) {
        let down = if matches!(self.schedule.plan, Plan::Random) {
            self.millis(100, 8_000)
        } else {
            Duration::from_secs(1)
        };
        self.disturb(down);
        process.die();
        crate::process::restart_later(self, process.index(), down);
    }
}

/// A task is inside a port call for as long as this lives.
pub(crate) struct Inside {
    world: Arc<World>,
    task: Option<Id>,
}

impl Drop for Inside {
    fn drop(&mut self) {
        if let Some(task) = self.task {
            self.world.inner().calls.remove(&task);
        }
    }
}
