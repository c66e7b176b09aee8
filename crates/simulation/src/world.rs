//! The state that everything in a schedule shares: chance, time, trace, points, processes, bank.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::{self, Write as _};
use std::hash::Hasher as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kernel::{Clock, IdGenerator, OrderId, PaymentKey, Randomness, Timestamp, from_micros};
use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng as _, SeedableRng as _};
use tokio::task::Id;
use tokio::time::Instant;

use crate::bank::Bank;
use crate::judge::Judge;
use crate::plan::{FAULTS_LAST, Mishap, Plan, STALL_MAX_MS, Schedule};
use crate::process::{Process, Slots};

/// 2026-01-05T00:00:00Z, the moment at which every schedule begins.
const START_MICROS: i64 = 1_767_571_200_000_000;
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

enum Fate {
    On,
    Pause(u64),
    Fail,
    Crash,
}

/// How likely each fault is, per thousand points or calls. Drawn per schedule, so that some
/// schedules are calm and some are stormy.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Rates {
    pub(crate) pause: u64,
    pub(crate) stall_per_10k: u64,
    pub(crate) crash_per_10k: u64,
    pub(crate) fail_per_10k: u64,
    pub(crate) network: u64,
    pub(crate) bank: u64,
    pub(crate) hang_up: u64,
}

struct Inner {
    random: Xoshiro256PlusPlus,
    rates: Rates,
    crashes_left: u32,
    stalls_left: u32,
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
    notes: BTreeMap<OrderId, BTreeSet<&'static str>>,
    /// Which order each payment key was opened for.
    keys: BTreeMap<PaymentKey, OrderId>,
}

/// See the module.
pub(crate) struct World {
    pub(crate) schedule: Schedule,
    start: Instant,
    inner: Mutex<Inner>,
    pub(crate) bank: Bank,
    pub(crate) slots: Slots,
    pub(crate) judge: Judge,
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
        let mut rates = Rates::default();
        let (mut crashes_left, mut stalls_left) = (0, 0);
        if matches!(schedule.plan, Plan::Random) {
            let mut below = |bound| random.next_u64() % bound;
            rates = Rates {
                pause: [0, 50, 200, 400][below_usize(below(4))],
                stall_per_10k: [0, 20, 60, 150][below_usize(below(4))],
                crash_per_10k: [0, 10, 40, 100][below_usize(below(4))],
                fail_per_10k: [0, 0, 20, 80][below_usize(below(4))],
                network: [0, 100, 250, 500][below_usize(below(4))],
                bank: [0, 80, 200, 400][below_usize(below(4))],
                hang_up: [0, 100, 300, 600][below_usize(below(4))],
            };
            crashes_left = u32::try_from(below(5)).unwrap_or(0);
            stalls_left = u32::try_from(below(6)).unwrap_or(0);
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
            notes: BTreeMap::new(),
            keys: BTreeMap::new(),
        };
        Arc::new(Self {
            bank: Bank::new(seed, schedule.mutant),
            schedule,
            start: Instant::now(),
            inner: Mutex::new(inner),
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

impl Inner {
    fn draw_fault(&mut self, is_statement: bool) -> Fate {
        let rates = self.rates;
        let lot = self.random.next_u64() % 10_000;
        let (crash, stall) = (
            rates.crash_per_10k,
            rates.crash_per_10k + rates.stall_per_10k,
        );
        let fail = stall + rates.fail_per_10k;
        if lot < crash {
            if self.crashes_left > 0 {
                self.crashes_left -= 1;
                return Fate::Crash;
            }
        } else if lot < stall {
            if self.stalls_left > 0 {
                self.stalls_left -= 1;
                return Fate::Pause(1_000 + self.random.next_u64() % (STALL_MAX_MS - 1_000));
            }
        } else if lot < fail {
            if is_statement {
                return Fate::Fail;
            }
        } else if self.random.next_u64() % 1_000 < rates.pause {
            return Fate::Pause(1 + self.random.next_u64() % 20);
        }
        Fate::On
    }

    /// The workers' polling is left out of the count: a process that dies there has done nothing.
    fn scripted(
        &mut self,
        call: &'static str,
        side: Side,
        is_statement: bool,
        mishap: Mishap,
        crashes: &[u64],
    ) -> Fate {
        if matches!(call, "due" | "due_messages" | "-") {
            return Fate::On;
        }
        self.points += 1;
        if crashes.contains(&self.points) {
            return Fate::Crash;
        }
        if mishap == Mishap::DatabaseError
            && is_statement
            && side == Side::After
            && self.scripted_failures.insert(call)
        {
            return Fate::Fail;
        }
        Fate::On
    }
}

fn below_usize(number: u64) -> usize {
    usize::try_from(number).unwrap_or(0)
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

impl Clock for World {
    fn now(&self) -> Timestamp {
        let elapsed = i64::try_from(self.elapsed().as_micros()).unwrap_or(i64::MAX);
        from_micros(START_MICROS.saturating_add(elapsed))
    }
}

impl Randomness for World {
    fn next_u64(&self) -> u64 {
        self.inner().random.next_u64()
    }
}

impl IdGenerator for World {
    #[expect(clippy::expect_used, reason = "the text follows the rule of order ids")]
    fn order_id(&self) -> OrderId {
        let inner = &mut *self.inner();
        let number = inner.orders.len() + 1;
        let id: OrderId = format!("order-{number:04}")
            .parse()
            .expect("a valid order id");
        inner.orders.insert(id.clone());
        id
    }

    fn token(&self) -> String {
        let inner = &mut *self.inner();
        inner.tokens += 1;
        format!("{:032x}", inner.tokens)
    }
}
