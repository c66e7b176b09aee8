//! Server processes: the real services over the real storage, built, killed and built again.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use api_server::ConfirmDesk;
use api_server::bridge::{Buyers, GuardedGateway, Products};
use api_server::worker::Pace;
use async_trait::async_trait;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use kernel::{OrderId, PaymentKey, StoreError};
use payment_domain::model::{OutboxMessage, Payment};
use payment_domain::port::{DuePayment, NobodyListens, Vitals};
use payment_domain::{
    CancelCommand, CancelError, CancelOutcome, CheckoutCommand, CheckoutError, CheckoutOutcome,
    ConfirmCommand, ConfirmError, ConfirmOutcome, Examined, Observed, PaymentReceiver,
    PaymentService, PaymentView, Ports, ReadError, ResolveCommand, ResolveError,
};
use product_domain::ProductService;
use storage::{Blocking, BlockingRunner, BoxError, ConnectError, Database, DatabaseSettings};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use user_domain::UserService;

use crate::line::Line;
use crate::mutant;
use crate::ports::{WatchedBuyers, WatchedPayments, WatchedProducts};
use crate::terms::{CONFIRM_WAIT, RECOVERY_INTERVAL};
use crate::world::{Passed, Side, World};

const NAMES: [&str; 2] = ["server-0", "server-1"];
/// Payments that one server recovers at once.
const RECOVERY_CONCURRENCY: u32 = 32;
/// Servers of a schedule.
pub(crate) const SERVERS: usize = NAMES.len();

/// One life of a server.
pub(crate) struct Process {
    index: usize,
    dead: CancellationToken,
    worker: Mutex<Option<JoinHandle<()>>>,
    /// Confirms that run.
    pub(crate) confirms: Gauge,
    /// Approvals that are under way at the bank.
    pub(crate) approvals: Gauge,
}

/// How many of something there are at this moment.
#[derive(Clone, Default)]
pub(crate) struct Gauge(Arc<AtomicUsize>);

impl Gauge {
    /// One more, until the guard goes. Returns how many there are with it.
    pub(crate) fn enter(&self) -> (usize, Counted) {
        let now = self.0.fetch_add(1, Ordering::SeqCst) + 1;
        (now, Counted(self.clone()))
    }
}

/// Counts for as long as it lives.
pub(crate) struct Counted(Gauge);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Process {
    fn new(index: usize) -> Arc<Self> {
        Arc::new(Self {
            index,
            dead: CancellationToken::new(),
            worker: Mutex::new(None),
            confirms: Gauge::default(),
            approvals: Gauge::default(),
        })
    }

    pub(crate) fn index(&self) -> usize {
        self.index
    }

    pub(crate) fn name(&self) -> &'static str {
        NAMES[self.index]
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.dead.is_cancelled()
    }

    /// Everything of it ends: what waits is dropped, what comes to a point stays there.
    pub(crate) fn die(&self) {
        self.dead.cancel();
        let worker = self
            .worker
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(worker) = worker {
            worker.abort();
        }
    }

    /// Runs the work for as long as the process lives; a dead process never answers.
    pub(crate) async fn alive<T>(&self, work: impl Future<Output = T>) -> T {
        let outcome = tokio::select! {
            biased;
            () = self.dead.cancelled() => None,
            outcome = work => Some(outcome),
        };
        match outcome {
            Some(outcome) => outcome,
            None => std::future::pending().await,
        }
    }

    /// The work's outcome, or `None` when the process dies first: a connection that breaks.
    pub(crate) async fn request<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.dead.cancelled() => None,
            outcome = work => Some(outcome),
        }
    }
}

/// A server that is up.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) process: Arc<Process>,
    pub(crate) payments: Arc<dyn PaymentReceiver>,
    pub(crate) desk: Arc<ConfirmDesk>,
    pub(crate) database: Database,
}

/// The servers, as clients find them, and the database that they share.
pub(crate) struct Slots {
    settings: DatabaseSettings,
    up: Mutex<[Option<Server>; SERVERS]>,
}

impl Slots {
    pub(crate) fn new(settings: DatabaseSettings) -> Self {
        Self {
            settings,
            up: Mutex::new([const { None }; SERVERS]),
        }
    }

    fn up(&self) -> MutexGuard<'_, [Option<Server>; SERVERS]> {
        self.up.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The server, unless it is down.
    pub(crate) fn get(&self, index: usize) -> Option<Server> {
        self.up()
            .get(index)?
            .clone()
            .filter(|server| !server.process.is_dead())
    }

    /// Connections that are still in use, which in silence are leaked ones.
    pub(crate) fn connections_in_use(&self) -> usize {
        let up = self.up();
        let statuses = up
            .iter()
            .flatten()
            .map(|server| server.database.pool_status());
        statuses
            .map(|status| status.open.saturating_sub(status.idle))
            .sum()
    }

    /// Writes of the servers that are up which shared a transaction.
    pub(crate) fn shared_writes(&self) -> u64 {
        let up = self.up();
        let shared = up
            .iter()
            .flatten()
            .map(|server| server.database.shared_writes());
        shared.map(|shared| shared.writes).sum()
    }

    /// Forgets all servers, which hold the world that holds them.
    pub(crate) fn clear(&self) {
        let servers = std::mem::replace(&mut *self.up(), [const { None }; SERVERS]);
        for server in servers.into_iter().flatten() {
            server.process.die();
        }
    }
}

/// Builds a server in its place after a while.
pub(crate) fn restart_later(world: &Arc<World>, index: usize, after: Duration) {
    if let Some(slot) = world.slots.up().get_mut(index) {
        *slot = None;
    }
    let world = Arc::clone(world);
    tokio::spawn(async move {
        tokio::time::sleep(after).await;
        start(&world, index).await;
    });
}

/// Starts a server. One that dies while it starts is restarted by whoever killed it.
pub(crate) async fn start(world: &Arc<World>, index: usize) {
    let process = Process::new(index);
    loop {
        world.note(process.name(), format_args!("starts"));
        match process.request(build(world, &process)).await {
            None => return,
            Some(Ok(server)) => {
                world.note(process.name(), format_args!("is up"));
                if let Some(slot) = world.slots.up().get_mut(index) {
                    *slot = Some(server);
                }
                return;
            }
            Some(Err(error)) => {
                world.note(process.name(), format_args!("cannot start: {error}"));
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

async fn build(world: &Arc<World>, process: &Arc<Process>) -> Result<Server, ConnectError> {
    let runner = InlineRunner {
        world: Arc::clone(world),
        process: Arc::clone(process),
    };
    let blocking = Blocking::new(Arc::new(runner));
    let database = Database::connect_with(&world.slots.settings, blocking).await?;
    let clock = Arc::clone(world);
    let products = Arc::new(ProductService::new(
        database.products(),
        Arc::clone(&clock) as _,
    ));
    let users = Arc::new(UserService::new(
        database.users(),
        Arc::clone(&clock) as _,
        Arc::clone(world) as _,
    ));
    let ports = Ports {
        payments: WatchedPayments::over(world, process, database.payments()),
        records: database.records(),
        news: Arc::new(NobodyListens),
        products: WatchedProducts::over(world, process, Arc::new(Products::new(products))),
        buyers: WatchedBuyers::over(world, process, Arc::new(Buyers::new(users))),
        gateway: Arc::new(GuardedGateway::new(
            Line::new(world, process),
            world.terms.calls_max,
            world.terms.breaker,
        )),
        clock,
        ids: Arc::clone(world) as _,
        randomness: Arc::clone(world) as _,
    };
    let ports = mutant::infect(world, ports);
    let payments: Arc<dyn PaymentReceiver> = Arc::new(Mortal {
        world: Arc::clone(world),
        process: Arc::clone(process),
        inner: PaymentService::new(ports, world.terms.policy()),
    });
    let tasks = TaskTracker::new();
    let desk = Arc::new(ConfirmDesk::new(
        Arc::clone(&payments),
        tasks.clone(),
        Handle::current(),
        Arc::clone(world) as _,
        CONFIRM_WAIT,
        world.terms.confirms_max,
    ));
    let worker = tokio::spawn(api_server::worker::run(
        Arc::clone(&payments),
        Arc::clone(world) as _,
        Pace {
            interval: RECOVERY_INTERVAL,
            concurrency: RECOVERY_CONCURRENCY,
        },
        tasks,
        CancellationToken::new(),
    ));
    *process
        .worker
        .lock()
        .unwrap_or_else(PoisonError::into_inner) = Some(worker);
    Ok(Server {
        process: Arc::clone(process),
        payments,
        desk,
        database,
    })
}

/// Runs SQLite's work on the only thread, with a point before and after every statement.
struct InlineRunner {
    world: Arc<World>,
    process: Arc<Process>,
}

impl BlockingRunner for InlineRunner {
    fn run(&self, job: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, Result<(), BoxError>> {
        let (world, process) = (Arc::clone(&self.world), Arc::clone(&self.process));
        async move {
            match world.point(&process, Side::Before, true).await {
                Passed::On => {}
                Passed::Failed => return Err("injected: the database is gone".into()),
            }
            job();
            match world.point(&process, Side::After, true).await {
                Passed::On => Ok(()),
                Passed::Failed => Err("injected: the database's answer is lost".into()),
            }
        }
        .boxed()
    }

    /// Waiting here would stop the only thread.
    fn lock_wait(&self) -> Duration {
        Duration::ZERO
    }
}

/// Payments whose every call ends with the process.
struct Mortal {
    world: Arc<World>,
    process: Arc<Process>,
    inner: PaymentService,
}

#[async_trait]
impl PaymentReceiver for Mortal {
    async fn check_out(&self, command: CheckoutCommand) -> Result<CheckoutOutcome, CheckoutError> {
        self.process.alive(self.inner.check_out(command)).await
    }

    async fn examine(&self, command: &ConfirmCommand) -> Result<Examined, ConfirmError> {
        self.process.alive(self.inner.examine(command)).await
    }

    async fn confirm(
        &self,
        payment: Payment,
        payment_key: PaymentKey,
    ) -> Result<ConfirmOutcome, ConfirmError> {
        let (running, counted) = self.process.confirms.enter();
        let room = self.world.terms.confirms_max;
        if running > room {
            let violation = format!("{running} confirms run where {room} have room");
            self.world.convict(violation);
        }
        let order_id = payment.order_id.clone();
        let confirm = self.inner.confirm(payment, payment_key);
        let outcome = self.process.alive(confirm).await;
        drop(counted);
        mutant::answer(&self.world, &order_id, outcome)
    }

    async fn cancel(&self, command: CancelCommand) -> Result<CancelOutcome, CancelError> {
        self.process.alive(self.inner.cancel(command)).await
    }

    async fn read(&self, order_id: &OrderId) -> Result<PaymentView, ReadError> {
        self.process.alive(self.inner.read(order_id)).await
    }

    async fn due(
        &self,
        after: Option<DuePayment>,
        limit: u32,
    ) -> Result<Vec<DuePayment>, StoreError> {
        self.process.alive(self.inner.due(after, limit)).await
    }

    async fn recover(&self, order_id: &OrderId) -> Result<(), StoreError> {
        self.process.alive(self.inner.recover(order_id)).await
    }

    async fn observe(&self, order_id: &OrderId) -> Result<Observed, StoreError> {
        self.process.alive(self.inner.observe(order_id)).await
    }

    async fn hasten(&self) -> Result<usize, StoreError> {
        self.process.alive(self.inner.hasten()).await
    }

    async fn recover_now(&self, order_id: &OrderId) -> Result<(), ReadError> {
        self.process.alive(self.inner.recover_now(order_id)).await
    }

    async fn resolve(&self, command: ResolveCommand) -> Result<(), ResolveError> {
        self.process.alive(self.inner.resolve(command)).await
    }

    async fn vitals(&self) -> Result<Vitals, StoreError> {
        self.process.alive(self.inner.vitals()).await
    }

    async fn deliver(&self, order_id: &OrderId) -> Result<(), StoreError> {
        self.process.alive(self.inner.deliver(order_id)).await
    }

    async fn deliver_message(&self, message: &OutboxMessage) -> Result<(), StoreError> {
        self.process
            .alive(self.inner.deliver_message(message))
            .await
    }

    async fn deliver_due(&self, limit: u32) -> Result<usize, StoreError> {
        self.process.alive(self.inner.deliver_due(limit)).await
    }
}
