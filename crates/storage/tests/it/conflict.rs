//! Transactions in one another's way.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use diesel::QueryableByName;
use diesel::connection::SimpleConnection as _;
use diesel::sql_types::BigInt;
use diesel_async::{AsyncConnection, AsyncMysqlConnection, RunQueryDsl, SimpleAsyncConnection};
use futures::future::BoxFuture;
use kernel::{Fence, StoreError};
use product_domain::HoldOutcome;
use product_domain::model::Hold;
use storage::testing::hang_after;
use storage::{Blocking, BlockingRunner, BoxError, Database, ThreadPool};
use tokio::sync::Notify;

use crate::{Fresh, PATIENCE, line, order, product, settings, stock};

/// Does not wait inside SQLite, and counts what it runs.
#[derive(Default)]
struct Impatient {
    jobs: AtomicUsize,
}

impl BlockingRunner for Impatient {
    fn run(&self, job: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, Result<(), BoxError>> {
        self.jobs.fetch_add(1, Ordering::SeqCst);
        ThreadPool.run(job)
    }

    fn lock_wait(&self) -> Duration {
        Duration::ZERO
    }
}

async fn impatient(fresh: &Fresh) -> (Arc<Impatient>, Database) {
    let runner = Arc::new(Impatient::default());
    let blocking = Blocking::new(Arc::clone(&runner) as Arc<dyn BlockingRunner>);
    let database = Database::connect_with(&settings(&fresh.url), blocking)
        .await
        .unwrap();
    (runner, database)
}

#[tokio::test]
async fn a_locked_sqlite_file_is_tried_again_until_it_is_free() {
    let fresh = Fresh::sqlite().await;
    let (runner, database) = impatient(&fresh).await;
    let mut stranger = fresh.stranger();
    stranger.batch_execute("BEGIN IMMEDIATE").unwrap();
    let before = AtomicUsize::load(&runner.jobs, Ordering::SeqCst);
    let writing = tokio::spawn(async move { product(&database, 1).await });
    // A refused BEGIN and the one after it.
    let patience = Instant::now();
    while AtomicUsize::load(&runner.jobs, Ordering::SeqCst) < before + 2 {
        assert!(patience.elapsed() < PATIENCE);
        tokio::task::yield_now().await;
    }
    stranger.batch_execute("COMMIT").unwrap();
    assert_eq!(writing.await.unwrap().get(), 1);
}

/// One that begins deferred reads first and is refused when it comes to write, if somebody else has
/// written meanwhile; to run it again only helps until the next one.
#[tokio::test]
async fn a_sqlite_transaction_owns_the_file_before_it_writes() {
    let fresh = Fresh::sqlite().await;
    let (database, reached) = (fresh.database.clone(), Arc::new(Notify::new()));
    let reading = tokio::spawn({
        let reached = Arc::clone(&reached);
        async move { hang_after(&database, "SELECT stock FROM product", &reached).await }
    });
    reached.notified().await;
    let mut stranger = fresh.stranger();
    stranger.batch_execute("PRAGMA busy_timeout = 0").unwrap();
    let refused = stranger.batch_execute("BEGIN IMMEDIATE");
    assert!(refused.is_err(), "somebody else can write in between");
    reading.abort();
}

#[tokio::test]
async fn a_sqlite_file_that_stays_locked_is_unavailable_in_bounded_time() {
    let fresh = Fresh::sqlite().await;
    let (_, database) = impatient(&fresh).await;
    fresh.stranger().batch_execute("SELECT 1").unwrap();
    let mut stranger = fresh.stranger();
    stranger.batch_execute("BEGIN IMMEDIATE").unwrap();
    let refused = storage::testing::execute(&database, "UPDATE product SET stock = 0");
    let refused = tokio::time::timeout(PATIENCE, refused).await.unwrap();
    assert!(
        matches!(refused, Err(StoreError::Unavailable { .. })),
        "{refused:?}"
    );
    // Readers are not held up.
    assert!(database.products().list(None, 1).await.unwrap().is_empty());
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

#[tokio::test]
async fn the_loser_of_a_deadlock_runs_again() {
    let Some(fresh) = Fresh::mysql().await else {
        return;
    };
    let (shirt, bag) = (
        product(&fresh.database, 10).await,
        product(&fresh.database, 10).await,
    );
    for _ in 0..20 {
        product(&fresh.database, 1).await;
    }
    // The stranger has changed more rows, so InnoDB picks the other for its victim.
    let mut stranger = AsyncMysqlConnection::establish(&fresh.text).await.unwrap();
    stranger.batch_execute("BEGIN").await.unwrap();
    let heavy = format!("UPDATE product SET adjustments = 7 WHERE product_id >= {bag}");
    stranger.batch_execute(&heavy).await.unwrap();

    let database = fresh.database.clone();
    let holding = tokio::spawn(async move {
        let lines = vec![line(shirt, 1), line(bag, 1)];
        let hold = Hold {
            order_id: order("deadlocked"),
            fence: Fence::from_stored(2),
            lines,
        };
        database.products().hold(&hold, crate::now()).await
    });
    // Until the hold has the shirt and waits for the bag.
    let mut observer = AsyncMysqlConnection::establish(&fresh.text).await.unwrap();
    let patience = Instant::now();
    loop {
        let waiting = "SELECT COUNT(*) AS count FROM performance_schema.data_locks \
                       WHERE object_schema = DATABASE() AND lock_status = 'WAITING'";
        let Count { count } = diesel::sql_query(waiting)
            .get_result(&mut observer)
            .await
            .unwrap();
        if count > 0 {
            break;
        }
        assert!(patience.elapsed() < PATIENCE);
    }
    let circle = format!("UPDATE product SET adjustments = 7 WHERE product_id = {shirt}");
    stranger
        .batch_execute(&circle)
        .await
        .expect("the hold is the victim");
    stranger.batch_execute("COMMIT").await.unwrap();

    assert_eq!(holding.await.unwrap().unwrap(), HoldOutcome::Held);
    assert_eq!(
        (
            stock(&fresh.database, shirt).await,
            stock(&fresh.database, bag).await
        ),
        (9, 9)
    );
}
