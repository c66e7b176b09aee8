//! Statement by statement: how many there are, callers that go away at one, and ends that nobody
//! hears.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use kernel::StoreError;
use payment_domain::model::PaymentStatus;
use payment_domain::port::{Applied, Inserted};
use product_domain::HoldOutcome;
use storage::{
    Blocking, BlockingRunner, BoxError, Database, DatabaseSettings, SharedWrites, ThreadPool,
};
use tokio::sync::{RwLock, Semaphore};
use tokio::task::JoinHandle;

use super::{at_once, claim, named, one_piece};
use crate::{Fresh, now, product, settings, stock};

/// Runs jobs until the given one, whose end it reports only when it is told to.
struct PausesAt {
    jobs: AtomicUsize,
    reached: Semaphore,
    go_on: Arc<Semaphore>,
    /// While somebody writes it, no job's end is reported.
    gate: Arc<RwLock<()>>,
    /// Whether it then says that nobody heard the end.
    deaf: bool,
}

impl BlockingRunner for PausesAt {
    fn run(&self, job: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, Result<(), BoxError>> {
        let (ran, gate) = (ThreadPool.run(job), Arc::clone(&self.gate));
        let ran = async move {
            let open = gate.read().await;
            drop(open);
            ran.await
        };
        let ran = ran.boxed();
        if self.jobs.fetch_sub(1, Ordering::SeqCst) != 1 {
            return ran;
        }
        self.reached.add_permits(1);
        let (go_on, deaf) = (Arc::clone(&self.go_on), self.deaf);
        let paused = async move {
            ran.await?;
            let permit = go_on.acquire().await;
            drop(permit);
            if deaf {
                return Err(BoxError::from("nobody heard the end"));
            }
            Ok(())
        };
        paused.boxed()
    }
}

impl PausesAt {
    /// Another process's view of the database, which stops at this job when it is counted from now.
    async fn job(job: usize, deaf: bool, fresh: &Fresh) -> (Arc<Self>, Database) {
        let runner = Arc::new(Self {
            jobs: AtomicUsize::new(usize::MAX),
            reached: Semaphore::new(0),
            go_on: Arc::new(Semaphore::new(0)),
            gate: Arc::default(),
            deaf,
        });
        let blocking = Blocking::new(Arc::clone(&runner) as Arc<dyn BlockingRunner>);
        let settings = settings(&fresh.url);
        let database = Database::connect_with(&settings, blocking).await.unwrap();
        database.ping().await.unwrap();
        runner.jobs.store(job, Ordering::SeqCst);
        (runner, database)
    }
}

/// In each round the call that leads is dropped one statement later: before, during and after the
/// transaction and its COMMIT. The others notice nothing, and the transaction is not begun twice.
#[tokio::test]
async fn a_leader_that_is_dropped_at_any_statement_disturbs_nobody() {
    let fresh = Fresh::sqlite().await;
    let shirt = product(&fresh.database, 1_000).await;
    let mut left = 1_000;
    for job in 1.. {
        let (runner, database) = PausesAt::job(job, false, &fresh).await;
        let products = database.products();
        // The first, which is alone, does not end before the last one has come.
        let gate = Arc::clone(&runner.gate).write_owned().await;
        let mut calls = Vec::new();
        for n in 0..5 {
            let (products, hold) = (Arc::clone(&products), one_piece(job, n, shirt));
            let call = async move { products.hold(&hold, now()).await };
            calls.push(tokio::spawn(call));
            // Each takes its place before the next one comes.
            tokio::task::yield_now().await;
        }
        drop(gate);
        while runner.reached.available_permits() == 0 && !calls.iter().all(JoinHandle::is_finished)
        {
            tokio::task::yield_now().await;
        }
        let reached = runner.reached.available_permits() > 0;
        // The first is alone, and then the second leads the others.
        let leader = usize::from(calls[0].is_finished());
        if reached {
            calls[leader].abort();
        }
        runner.go_on.add_permits(1);
        for (n, call) in calls.into_iter().enumerate() {
            match call.await {
                Ok(told) => assert_eq!(told.unwrap(), HoldOutcome::Held, "job {job}"),
                Err(_dropped) => assert!(reached && n == leader, "job {job}"),
            }
        }
        let mut held = 0;
        for n in 0..5 {
            let id = one_piece(job, n, shirt).order_id;
            let kept = fresh.database.products().reservation(&id).await.unwrap();
            held += kept.map_or(0, |kept| i64::try_from(kept.lines.len()).unwrap());
        }
        // Of those who share a transaction none is left out.
        assert!(
            held == 5 || (held == 4 && reached && leader == 0),
            "job {job}: {held}"
        );
        left -= held;
        assert_eq!(stock(&fresh.database, shirt).await, left, "job {job}");
        if !reached {
            // Begin, reservation, line, product, commit alone; then begin, look, reservations, look,
            // lines, product, commit together.
            assert_eq!(job - 1, 5 + 7);
            return;
        }
    }
}

/// In each round the end of another statement is not heard: whoever is told of success has it, and
/// whoever is told nothing certain was not done twice.
#[tokio::test]
async fn a_shared_transaction_whose_end_was_not_heard_is_not_run_again() {
    let fresh = Fresh::sqlite().await;
    let mut committed_unheard = 0;
    for job in 1.. {
        let payments = fresh.database.payments();
        let orders: Vec<_> = (0..4)
            .map(|n| named(&format!("round-{job}-order-{n}")))
            .collect();
        for payment in &orders {
            assert_eq!(
                payments.insert(payment, None).await.unwrap(),
                Inserted::Stored
            );
        }
        let (runner, database) = PausesAt::job(job, true, &fresh).await;
        runner.go_on.add_permits(1);
        let mine = database.payments();
        let calls = orders.iter().map(|payment| {
            let mine = Arc::clone(&mine);
            async move { mine.apply(&claim(payment)).await }.boxed()
        });
        let told = at_once(&fresh, calls.collect()).await;
        // Waits for the lock, and so for the end of whatever is still on its way.
        product(&fresh.database, 1).await;
        let mut unheard = 0;
        for (payment, told) in orders.iter().zip(told) {
            let stored = payments.find(&payment.order_id).await.unwrap().unwrap();
            let is_stored = stored.status == PaymentStatus::InProgress;
            match told {
                Ok(Applied::Yes) => assert!(is_stored, "job {job}"),
                Err(StoreError::Unavailable { .. }) => unheard += usize::from(is_stored),
                other => panic!("job {job}: {other:?}"),
            }
        }
        committed_unheard += unheard;
        if runner.reached.available_permits() == 0 {
            // Begin, change, history, attempt, commit alone; then begin, look, changes, attempts,
            // history, commit together.
            assert_eq!(job - 1, 5 + 6);
            break;
        }
    }
    // The lone one's COMMIT, and the one of the three that followed together.
    assert_eq!(committed_unheard, 1 + 3);
}

/// What the switch is for.
#[tokio::test]
async fn writes_share_transactions_unless_that_is_turned_off() {
    let fresh = Fresh::sqlite().await;
    let shirt = product(&fresh.database, 1_000).await;
    let mut jobs = Vec::new();
    for (round, group_commit) in [true, false].into_iter().enumerate() {
        let runner = Arc::new(PausesAt {
            jobs: AtomicUsize::new(usize::MAX),
            reached: Semaphore::new(0),
            go_on: Arc::new(Semaphore::new(0)),
            gate: Arc::default(),
            deaf: false,
        });
        let blocking = Blocking::new(Arc::clone(&runner) as Arc<dyn BlockingRunner>);
        let settings = DatabaseSettings {
            group_commit,
            pool_size: 1,
            ..settings(&fresh.url)
        };
        let database = Database::connect_with(&settings, blocking).await.unwrap();
        let products = database.products();
        let before = AtomicUsize::load(&runner.jobs, Ordering::SeqCst);
        let calls = (0..21).map(|n| {
            let (products, hold) = (Arc::clone(&products), one_piece(round, n, shirt));
            async move { products.hold(&hold, now()).await.unwrap() }.boxed()
        });
        let told = at_once(&fresh, calls.collect()).await;
        assert!(told.iter().all(|outcome| *outcome == HoldOutcome::Held));
        jobs.push(before - AtomicUsize::load(&runner.jobs, Ordering::SeqCst));
        let (transactions, writes) = if group_commit { (1, 20) } else { (0, 0) };
        let shared = SharedWrites {
            transactions,
            writes,
        };
        assert_eq!(database.shared_writes(), shared);
    }
    // One alone and twenty together; or twenty-one times begin, three writes, commit.
    assert_eq!(jobs, [5 + 7, 21 * 5]);
    assert_eq!(stock(&fresh.database, shirt).await, 1_000 - 42);
}
