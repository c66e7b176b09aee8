//! What becomes of a connection whose future is dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use kernel::Fence;
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

#[tokio::test]
async fn a_hold_that_is_dropped_at_any_statement_happens_whole_or_not_at_all() {
    let fresh = Fresh::sqlite().await;
    let (shirt, bag) = (
        product(&fresh.database, 1_000).await,
        product(&fresh.database, 1_000).await,
    );
    let mut held = 0;
    for jobs in 1.. {
        let runner = Arc::new(StuckAfter {
            jobs: AtomicUsize::new(usize::MAX),
            stuck: Notify::new(),
        });
        let blocking = Blocking::new(Arc::clone(&runner) as Arc<dyn BlockingRunner>);
        let database = Database::connect_with(&settings(&fresh.url), blocking)
            .await
            .unwrap();
        runner.jobs.store(jobs, Ordering::SeqCst);
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
            // Begin, look, reservation, two lines, two products, commit.
            assert_eq!(jobs, 9, "every statement had its turn");
            return;
        }
    }
}
