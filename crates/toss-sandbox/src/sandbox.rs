//! The handle: one engine, one short lock, one clock.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use actix_web::web::ServiceConfig;
use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    ActiveFault, Call, CallTotals, Fault, LedgerRow, SandboxConfig,
    engine::{ApiError, Engine, Method},
    http,
};

/// Farthest that the clock may be put forward in all: a hundred years, in milliseconds.
const CLOCK_OFFSET_MAX_MS: i64 = 100 * 365 * 86_400_000;

/// A sandbox: the engine behind a lock, with a clock that can be put forward.
///
/// Cheap to clone; clones share everything. The lock is held for the engine's work alone, never
/// across an await, so no delay of one call holds another up.
#[derive(Debug, Clone)]
pub struct Sandbox(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    config: SandboxConfig,
    engine: Mutex<Engine>,
    clock_offset_ms: AtomicI64,
}

impl Sandbox {
    /// A sandbox without payments.
    pub fn new(config: SandboxConfig) -> Self {
        let engine = Mutex::new(Engine::new(&config));
        Self(Arc::new(Shared {
            config,
            engine,
            clock_offset_ms: AtomicI64::new(0),
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
        let now = self.now();
        self.engine()
            .authenticate(now, order_id, order_name, amount, method)
    }

    /// The money arrives in a virtual account. Returns the Payment object as JSON text.
    ///
    /// # Errors
    /// `NOT_FOUND_PAYMENT`; `INVALID_REQUEST` if the payment waits for none or is overdue.
    pub fn deposit(&self, payment_key: &str) -> Result<String, ApiError> {
        let now = self.now();
        self.engine().deposit(now, payment_key)
    }

    /// Puts a fault in force; beyond [`FAULTS_MAX`](crate::fault::FAULTS_MAX) the oldest ends.
    pub fn inject(&self, fault: Fault) {
        self.engine().inject(fault);
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
        let now = self.now();
        self.engine()
            .payment(now, payment_key, |_, view| serde_json::to_value(view).ok())
            .flatten()
    }

    /// What the bank has done per order, in the order of first sight; orders that were never
    /// approved are there too.
    pub fn ledger(&self) -> Vec<LedgerRow> {
        self.engine().ledger(0, usize::MAX)
    }

    /// What the bank has done for one order; none if it never heard of it.
    pub fn ledger_row(&self, order_id: &str) -> Option<LedgerRow> {
        self.engine().ledger_row(order_id)
    }

    /// The latest API calls (as many as [`SandboxConfig::calls_max`]), oldest first.
    pub fn calls(&self) -> Vec<Call> {
        self.engine().calls(usize::MAX)
    }

    /// How many API calls there have been, those forgotten included.
    pub fn call_totals(&self) -> CallTotals {
        self.engine().call_totals()
    }

    /// Puts the sandbox's clock forward; in all at most a hundred years.
    pub fn advance_clock(&self, by: Duration) {
        let by_ms = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        let advance = |offset: i64| Some(offset.saturating_add(by_ms).min(CLOCK_OFFSET_MAX_MS));
        // The closure always returns a value, so there is nothing to fail.
        let _previous =
            self.0
                .clock_offset_ms
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, advance);
    }

    /// The sandbox's time: the machine's, plus what it was put forward.
    #[expect(
        clippy::disallowed_methods,
        reason = "the sandbox's one home of the real clock"
    )]
    pub fn now(&self) -> DateTime<Utc> {
        Utc::now() + TimeDelta::milliseconds(self.0.clock_offset_ms.load(Ordering::Relaxed))
    }

    /// The engine. A panic elsewhere does not make it unusable: each of its steps is either done
    /// or not when the lock is let go.
    pub(crate) fn engine(&self) -> MutexGuard<'_, Engine> {
        self.0.engine.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
