//! The handle: one engine, one short lock, one clock.

mod invariants;
mod webhooks;

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use actix_web::web::ServiceConfig;
use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::Notify;

pub use self::invariants::Invariants;
use crate::{
    ActiveFault, Call, CallTotals, Fault, JournalError, JournalFailure, LedgerRow, Rule,
    SandboxConfig,
    engine::{ApiError, Engine, Exchange, Method},
    http,
    journal::Journal,
};

/// A sandbox: the engine behind a lock, with a clock that can be put forward.
///
/// Cheap to clone; clones share everything. The lock is held for the engine's work alone, never
/// across an await, so no delay of one call holds another up.
///
/// With a journal, the calls that change or show the books return when what they did or saw is on
/// disk; from async code they block for a sync, a few milliseconds. Should the journal fail, they
/// return all the same: ask [`Sandbox::journal_failure`].
#[derive(Debug, Clone)]
pub struct Sandbox(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    config: SandboxConfig,
    engine: Mutex<Engine>,
    /// The engine's offset once more, to be read without its lock.
    clock_offset_ms: AtomicI64,
    journal: Option<Journal>,
    /// Where events are sent, if anywhere.
    webhook_url: Mutex<Option<String>>,
    /// Wakes the sender of events.
    webhook_wakes: Notify,
}

/// What a step came to, and the journal record that must be on disk before anybody hears of it.
#[must_use]
pub(crate) struct Done<T> {
    value: T,
    seq: u64,
}

impl Sandbox {
    /// A sandbox without payments, whose books live as long as the process: for one with a
    /// journal, [`Sandbox::open`]. A path in [`SandboxConfig::journal`] is not heeded here.
    pub fn new(mut config: SandboxConfig) -> Self {
        if let Some(path) = config.journal.take() {
            tracing::error!(path = %path.display(), "Sandbox::new keeps no journal: Sandbox::open does");
        }
        let engine = Engine::new(&config);
        Self::with(config, engine, None)
    }

    /// A sandbox with the books of its journal, or without payments if there is none.
    ///
    /// # Errors
    /// [`JournalError`] if the journal cannot be used or is corrupt. A last line that a crash tore
    /// is no error: it is cut off with a warning, as nobody was answered on its account.
    pub fn open(config: SandboxConfig) -> Result<Self, JournalError> {
        let Some(path) = config.journal.clone() else {
            return Ok(Self::new(config));
        };
        let mut engine = Engine::new(&config);
        let journal = Journal::open(&path, |change| engine.apply(change))?;
        engine.resume_after(journal.records());
        engine.record_changes();
        Ok(Self::with(config, engine, Some(journal)))
    }

    fn with(config: SandboxConfig, mut engine: Engine, journal: Option<Journal>) -> Self {
        if config.webhook_url.is_some() {
            engine.want_webhooks();
        }
        Self(Arc::new(Shared {
            webhook_url: Mutex::new(config.webhook_url.clone()),
            webhook_wakes: Notify::new(),
            config,
            clock_offset_ms: AtomicI64::new(engine.clock_offset_ms()),
            engine: Mutex::new(engine),
            journal,
        }))
    }

    /// The key that pages pass to `TossPayments(…)`.
    pub fn client_key(&self) -> &str {
        &self.0.config.client_key
    }

    /// The key that API calls must present.
    pub fn secret_key(&self) -> &str {
        &self.0.config.secret_key
    }

    pub(crate) fn config(&self) -> &SandboxConfig {
        &self.0.config
    }

    /// Mounts Toss's API (`/v1/payments/…`), the script (`GET /v2/standard`) and `/sandbox/…`.
    ///
    /// The reset faults need [`capture_socket`](crate::capture_socket) as the server's
    /// `on_connect`; [`RunningSandbox`](crate::RunningSandbox) has it. Without it, a reset comes
    /// after the headers of an answer.
    pub fn routes(&self) -> impl FnOnce(&mut ServiceConfig) + Clone + Send + 'static + use<> {
        let sandbox = self.clone();
        move |config| {
            http::mount_api(config, &sandbox);
            http::mount_browser(config, &sandbox);
        }
    }

    /// Mounts only what a browser needs, the script and `/sandbox/…`, so that a shop can serve
    /// them from its own origin.
    pub fn browser_routes(
        &self,
    ) -> impl FnOnce(&mut ServiceConfig) + Clone + Send + 'static + use<> {
        let sandbox = self.clone();
        move |config| http::mount_browser(config, &sandbox)
    }

    /// A card payment as if the buyer had opened the window and authenticated; returns the
    /// payment key. `amount` is won. Nothing is validated.
    pub fn authenticate(&self, order_id: &str, amount: u64) -> String {
        self.authenticate_with(order_id, "샌드박스 주문", amount, Method::card())
    }

    /// Like [`Sandbox::authenticate`], with a name and a method.
    pub fn authenticate_with(
        &self,
        order_id: &str,
        order_name: &str,
        amount: u64,
        method: Method,
    ) -> String {
        self.done(
            self.act(|engine, now| engine.authenticate(now, order_id, order_name, amount, method)),
        )
    }

    /// The money arrives in a virtual account. Returns the Payment object as JSON text.
    ///
    /// # Errors
    /// `NOT_FOUND_PAYMENT`; `INVALID_REQUEST` if the payment waits for none or is overdue.
    pub fn deposit(&self, payment_key: &str) -> Result<String, ApiError> {
        self.done(self.act(|engine, now| engine.deposit(now, payment_key)))
    }

    /// Puts a fault in force; beyond [`FAULTS_MAX`](crate::fault::FAULTS_MAX) the oldest ends.
    pub fn inject(&self, fault: Fault) {
        self.inject_rule(fault.into());
    }

    /// Puts a fault in force that has chance and times; returns its id.
    pub fn inject_rule(&self, rule: Rule) -> u64 {
        let now = self.now();
        self.engine().inject_rule(now, rule)
    }

    /// Ends one fault; false if there is none of that id.
    pub fn end_fault(&self, id: u64) -> bool {
        self.engine().end_fault(id)
    }

    /// A deposit turns out to be an error: the account waits for another. Returns the Payment
    /// object as JSON text.
    ///
    /// # Errors
    /// `NOT_FOUND_PAYMENT`; `INVALID_REQUEST` if no whole deposit stands.
    pub fn reverse_deposit(&self, payment_key: &str) -> Result<String, ApiError> {
        self.done(self.act(|engine, now| engine.reverse_deposit(now, payment_key)))
    }

    /// A wallet abroad refuses the cancel that is under way. Returns the Payment object as JSON
    /// text.
    ///
    /// # Errors
    /// `NOT_FOUND_PAYMENT`; `INVALID_REQUEST` if none is under way.
    pub fn abort_cancel(&self, payment_key: &str) -> Result<String, ApiError> {
        self.done(self.act(|engine, now| engine.abort_cancel(now, payment_key)))
    }

    /// Ends all faults. Calls that already wait or hang keep doing so.
    pub fn clear_faults(&self) {
        self.engine().clear_faults();
    }

    /// The faults in force, oldest first.
    pub fn faults(&self) -> Vec<ActiveFault> {
        self.engine().faults().to_vec()
    }

    /// The Payment object of a key, in Korean.
    pub fn payment(&self, payment_key: &str) -> Option<serde_json::Value> {
        let see = |engine: &mut Engine, now| {
            engine.payment(now, payment_key, |_, view| serde_json::to_value(view).ok())
        };
        self.done(self.act(see)).flatten()
    }

    /// What the bank has done per order, in the order of first sight; orders that were never
    /// approved are there too.
    pub fn ledger(&self) -> Vec<LedgerRow> {
        self.done(self.act(|engine, _| engine.ledger(0, usize::MAX)))
    }

    /// What the bank has done for one order; none if it never heard of it.
    pub fn ledger_row(&self, order_id: &str) -> Option<LedgerRow> {
        self.done(self.act(|engine, _| engine.ledger_row(order_id)))
    }

    /// The latest API calls (as many as [`SandboxConfig::calls_max`]), oldest first.
    pub fn calls(&self) -> Vec<Call> {
        self.engine().calls(usize::MAX)
    }

    /// What a call sent and was answered, with card numbers and secrets masked; none if
    /// [`EXCHANGES_MAX`](crate::engine::EXCHANGES_MAX) calls have come since.
    pub fn exchange(&self, number: u64) -> Option<Exchange> {
        self.engine().exchange(number)
    }

    /// How many API calls there have been, those forgotten included.
    pub fn call_totals(&self) -> CallTotals {
        self.engine().call_totals()
    }

    /// Puts the sandbox's clock forward; in all at most a hundred years.
    pub fn advance_clock(&self, by: Duration) {
        self.done(self.advance(by));
    }

    pub(crate) fn advance(&self, by: Duration) -> Done<()> {
        let by_ms = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.act(|engine, _| {
            let offset_ms = engine.advance_clock(by_ms);
            // Stored under the engine's lock, so that of two jumps the later one stays.
            self.0.clock_offset_ms.store(offset_ms, Ordering::Relaxed);
        })
    }

    /// Returns when the journal has failed; never without one. From then on nothing is answered
    /// but failures: the process should end.
    pub async fn journal_failure(&self) {
        match &self.0.journal {
            Some(journal) => journal.failure().await,
            None => std::future::pending().await,
        }
    }

    /// How many records the journal has on disk; none without a journal.
    pub fn journal_records(&self) -> Option<u64> {
        self.0.journal.as_ref().map(Journal::records)
    }

    pub(crate) fn journal(&self) -> Option<&Journal> {
        self.0.journal.as_ref()
    }

    /// The sandbox's time: the machine's, plus what it was put forward.
    #[expect(
        clippy::disallowed_methods,
        reason = "the sandbox's one home of the real clock"
    )]
    pub fn now(&self) -> DateTime<Utc> {
        Utc::now() + TimeDelta::milliseconds(self.0.clock_offset_ms.load(Ordering::Relaxed))
    }

    /// Takes a step of the engine: its changes reach the journal in the order of the steps.
    pub(crate) fn act<T>(&self, act: impl FnOnce(&mut Engine, DateTime<Utc>) -> T) -> Done<T> {
        let now = self.now();
        let mut engine = self.engine();
        engine.decide_cancels(now);
        let value = act(&mut engine, now);
        if engine.announce(now) {
            self.0.webhook_wakes.notify_one();
        }
        let seq = match &self.0.journal {
            Some(journal) => journal.append(engine.take_changes()),
            None => 0,
        };
        Done { value, seq }
    }

    /// What a step came to, once it may be told.
    ///
    /// # Errors
    /// [`JournalFailure`]: it may not.
    pub(crate) async fn told<T>(&self, done: Done<T>) -> Result<T, JournalFailure> {
        if let Some(journal) = &self.0.journal {
            journal.durable(done.seq).await?;
        }
        Ok(done.value)
    }

    /// Like [`Sandbox::told`], for the calls from Rust: they have no way to fail.
    fn done<T>(&self, done: Done<T>) -> T {
        if let Some(journal) = &self.0.journal {
            // The writer has logged why; `journal_failure` tells whoever asks.
            let _unkept = journal.durable_blocking(done.seq);
        }
        done.value
    }

    /// The engine, for what changes and shows nothing of the books. A panic elsewhere does not
    /// make it unusable: each of its steps is either done or not when the lock is let go.
    pub(crate) fn engine(&self) -> MutexGuard<'_, Engine> {
        self.0.engine.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Done<T> {
    /// Takes the next step with what this one came to.
    pub(crate) fn then<U>(self, next: impl FnOnce(T) -> Done<U>) -> Done<U> {
        let seq = self.seq;
        let mut done = next(self.value);
        done.seq = done.seq.max(seq);
        done
    }

    /// What a step came to, for deciding on the next one; not to be told.
    pub(crate) fn peek(&self) -> &T {
        &self.value
    }
}
