//! What becomes of a connection whose future is dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use kernel::Fence;
use payment_domain::model::{Change, Payment, PaymentFact, StockInstruction};
use payment_domain::port::Applied;
use payment_domain::testing::change;
use product_domain::HoldOutcome;
use product_domain::model::Hold;
use storage::testing::hang_after;
use storage::{Blocking, BlockingRunner, BoxError, Database, ThreadPool};
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::{Fresh, PATIENCE, line, order, product, settings, stock};

/// Runs a statement in a transaction and drops it before its end.
async fn drop_a_transaction(database: &Database, statement: &str) {
    let reached = Notify::new();
    tokio::select! {
        biased;
        ended = hang_after(database, statement, &reached) => panic!("it must hang, not {ended:?}"),
        () = reached.notified() => {}
    }
}

#[tokio::test]
async fn a_dropped_transaction_is_rolled_back_and_locks_nobody_out() {
    for fresh in Fresh::all().await {
        let (database, other) = (&fresh.database, fresh.second().await);
        let shirt = product(database, 10).await;
        let take = format!("UPDATE product SET stock = stock - 1 WHERE product_id = {shirt}");
        for _ in 0..3 {
            drop_a_transaction(database, &take).await;
            // Well below the lock wait of either database.
            let written = timeout(
                Duration::from_secs(2),
                storage::testing::execute(&other, &take),
            )
            .await;
            assert_eq!(written.expect("nobody is locked out").unwrap(), 1);
        }
        assert_eq!(stock(&other, shirt).await, 7, "{database:?}");
    }
}

#[tokio::test]
async fn a_dropped_transaction_s_connection_is_not_used_again() {
    for fresh in Fresh::all().await {
        let database = &fresh.database;
        let shirt = product(database, 10).await;
        database.ping().await.unwrap();
        let before = database.pool_status();
        drop_a_transaction(
            database,
            &format!("UPDATE product SET stock = 0 WHERE product_id = {shirt}"),
        )
        .await;
        let after = database.pool_status();
        assert_eq!((after.open, after.idle), (before.open - 1, before.idle - 1));
        assert_eq!(stock(database, shirt).await, 10);
    }
}

/// Runs jobs until the given one, whose end it never reports.
struct StuckAfter {
    jobs: AtomicUsize,
    stuck: Notify,
}

impl BlockingRunner for StuckAfter {
    fn run(&self, job: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, Result<(), BoxError>> {
        let ran = ThreadPool.run(job);
        if self.jobs.fetch_sub(1, Ordering::SeqCst) != 1 {
            return ran;
        }
        self.stuck.notify_one();
        async move {
            ran.await?;
            std::future::pending().await
        }
        .boxed()
    }
}

impl StuckAfter {
    /// Another process's view of the database, which gets stuck after so many more jobs.
    async fn after(jobs: usize, fresh: &Fresh) -> (Arc<Self>, Database) {
        let runner = Arc::new(Self {
            jobs: AtomicUsize::new(usize::MAX),
            stuck: Notify::new(),
        });
        let blocking = Blocking::new(Arc::clone(&runner) as Arc<dyn BlockingRunner>);
        let database = Database::connect_with(&settings(&fresh.url), blocking)
            .await
            .unwrap();
        runner.jobs.store(jobs, Ordering::SeqCst);
        (runner, database)
    }
}

/// The buyer's time is over, as the expiry stores it.
fn lapse(payment: &Payment) -> Change {
    Change {
        stock: Some(StockInstruction::Release),
        ..change(payment, PaymentFact::CheckoutLapsed, payment.expires_at)
    }
}

#[tokio::test]
async fn a_change_that_is_dropped_at_any_statement_is_stored_with_its_message_or_not_at_all() {
    let fresh = Fresh::sqlite().await;
    let payments = fresh.database.payments();
    for jobs in 1.. {
        let payment = Payment {
            order_id: order(&format!("dropped-{jobs}")),
            ..payment_domain::testing::payment()
        };
        payments.insert(&payment, None).await.unwrap();
        let (runner, database) = StuckAfter::after(jobs, &fresh).await;
        let (change, mine) = (lapse(&payment), database.payments());
        let completed = tokio::select! {
            biased;
            applied = mine.apply(&change) => applied.unwrap() == Applied::Yes,
            () = runner.stuck.notified() => false,
        };
        drop((mine, database));
        // Waits for the lock, and so for the end of whatever is still on its way.
        product(&fresh.database, 1).await;
        let id = &payment.order_id;
        let stored = payments.find(id).await.unwrap().unwrap().fence == change.after.fence;
        let entries = payments.history(id).await.unwrap().len();
        let messages = payments.messages_of(id).await.unwrap().len();
        let whole = if stored { (2, 1) } else { (1, 0) };
        assert_eq!((entries, messages), whole, "dropped after job {jobs}");
        if completed {
            assert!(stored);
            return;
        }
    }
}

#[tokio::test]
async fn a_hold_that_is_dropped_at_any_statement_happens_whole_or_not_at_all() {
    let fresh = Fresh::sqlite().await;
    let (shirt, bag) = (
        product(&fresh.database, 1_000).await,
        product(&fresh.database, 1_000).await,
    );
    let mut held = 0;
    for jobs in 1.. {
        let (runner, database) = StuckAfter::after(jobs, &fresh).await;
        let hold = Hold {
            order_id: order(&format!("dropped-{jobs}")),
            fence: Fence::from_stored(2),
            lines: vec![line(shirt, 1), line(bag, 1)],
        };
        let products = database.products();
        let completed = tokio::select! {
            biased;
            outcome = products.hold(&hold, crate::now()) => { outcome.unwrap(); true }
            () = runner.stuck.notified() => false,
        };
        // Another process goes on at once, and repeating the hold ends it.
        let products = fresh.database.products();
        let repeated = timeout(PATIENCE, products.hold(&hold, crate::now()))
            .await
            .unwrap();
        assert_eq!(repeated.unwrap(), HoldOutcome::Held);
        held += 1;
        assert_eq!(
            stock(&fresh.database, shirt).await,
            1_000 - held,
            "dropped after job {jobs}"
        );
        assert_eq!(
            stock(&fresh.database, bag).await,
            1_000 - held,
            "dropped after job {jobs}"
        );
        if completed {
            // Begin, reservation, the lines, two products, commit.
            assert_eq!(jobs, 7, "every statement had its turn");
            return;
        }
    }
}
