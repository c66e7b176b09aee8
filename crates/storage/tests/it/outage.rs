//! Databases that go away and come back.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use diesel::QueryableByName;
use diesel::sql_types::BigInt;
use diesel_async::{AsyncConnection, AsyncMysqlConnection, RunQueryDsl, SimpleAsyncConnection};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use kernel::{Money, SellerId, StoreError};
use payment_domain::port::Inserted;
use product_domain::model::{NewProduct, Stock};
use storage::{
    Blocking, BlockingRunner, BoxError, Database, DatabaseSettings, DatabaseUrl, ThreadPool,
};

use crate::{Fresh, connected, now, product, settings, stock};

#[tokio::test]
async fn what_was_stored_in_a_file_is_there_after_a_restart() {
    let Fresh {
        database,
        url,
        folder,
        ..
    } = Fresh::sqlite().await;
    let payment = payment_domain::testing::payment();
    assert_eq!(
        database.payments().insert(&payment, None).await.unwrap(),
        Inserted::Stored
    );
    drop(database);
    let restarted = connected(&url).await;
    assert_eq!(
        restarted.payments().find(&payment.order_id).await.unwrap(),
        Some(payment)
    );
    drop(folder);
}

/// Loses the end of the given job, which is done all the same.
struct Deaf {
    jobs: AtomicUsize,
}

impl BlockingRunner for Deaf {
    fn run(&self, job: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, Result<(), BoxError>> {
        let ran = ThreadPool.run(job);
        if self.jobs.fetch_sub(1, Ordering::SeqCst) != 1 {
            return ran;
        }
        let lost = async move {
            ran.await?;
            Err(BoxError::from("nobody heard the end"))
        };
        lost.boxed()
    }
}

#[tokio::test]
async fn a_transaction_whose_end_was_not_heard_is_not_run_again() {
    let fresh = Fresh::sqlite().await;
    let (mut stored, mut committed_unheard) = (0, 0);
    for jobs in 1.. {
        let runner = Arc::new(Deaf {
            jobs: AtomicUsize::new(usize::MAX),
        });
        let blocking = Blocking::new(Arc::clone(&runner) as Arc<dyn BlockingRunner>);
        let database = Database::connect_with(&settings(&fresh.url), blocking)
            .await
            .unwrap();
        database.ping().await.unwrap();
        runner.jobs.store(jobs, Ordering::SeqCst);
        let new = NewProduct {
            name: format!("deaf to job {jobs}"),
            description: String::new(),
            price: Money::from_won(1_000).unwrap(),
            stock: Stock::new(1).unwrap(),
            seller_id: SellerId::new(1).unwrap(),
        };
        let told = database.products().insert(&new, now()).await;
        let all = fresh.database.products().list(None, 100).await.unwrap();
        let added = all.len() - stored;
        match told {
            Ok(_) => assert_eq!(added, 1, "job {jobs}"),
            Err(StoreError::Unavailable { .. }) => committed_unheard += added,
            Err(error) => panic!("job {jobs}: {error}"),
        }
        stored = all.len();
        let every_job_was_heard =
            (1..=jobs).contains(&AtomicUsize::load(&runner.jobs, Ordering::SeqCst));
        if every_job_was_heard {
            break;
        }
    }
    // COMMIT alone: whether it happened is for the caller to find out.
    assert_eq!(committed_unheard, 1);
}

#[derive(QueryableByName)]
struct Session {
    #[diesel(sql_type = BigInt)]
    id: i64,
}

#[tokio::test]
async fn killed_connections_are_replaced_without_anybody_noticing() {
    let Some(fresh) = Fresh::mysql().await else {
        return;
    };
    let database = &fresh.database;
    let shirt = product(database, 100).await;
    let mut killer = AsyncMysqlConnection::establish(&fresh.text).await.unwrap();
    for round in 1..=3 {
        // Several idle connections, all of them dead.
        let pings = (0..8).map(|_| database.ping());
        assert!(
            futures::future::join_all(pings)
                .await
                .iter()
                .all(Result::is_ok)
        );
        let sessions = "SELECT CAST(id AS SIGNED) AS id FROM information_schema.processlist \
                        WHERE db = DATABASE() AND id <> CONNECTION_ID()";
        let sessions: Vec<Session> = diesel::sql_query(sessions).load(&mut killer).await.unwrap();
        assert!(!sessions.is_empty());
        for Session { id } in sessions {
            // Some have gone by themselves in the meantime.
            let _ = killer.batch_execute(&format!("KILL {id}")).await;
        }
        if round % 2 == 0 {
            assert_eq!(stock(database, shirt).await, 100);
        }
        let take = format!("UPDATE product SET seller_id = {round} WHERE product_id = {shirt}");
        assert_eq!(storage::testing::execute(database, &take).await.unwrap(), 1);
    }
}

/// A server behind a dead network cannot say goodbye, and what it has locked stays locked until
/// MySQL gives its session up.
#[tokio::test]
async fn mysql_gives_up_a_session_that_has_fallen_silent() {
    let Some(fresh) = Fresh::mysql().await else {
        return;
    };
    let shirt = product(&fresh.database, 1).await;
    let take = format!(
        "UPDATE product SET seller_id = 7 WHERE product_id = {shirt} \
         AND @@SESSION.wait_timeout BETWEEN 21 AND 60"
    );
    let taken = storage::testing::execute(&fresh.database, &take).await;
    assert_eq!(taken.unwrap(), 1);
}

#[tokio::test]
async fn a_server_that_never_answers_is_unavailable_in_bounded_time() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let url = DatabaseUrl::parse(&format!("mysql://root@127.0.0.1:{port}/pay")).unwrap();
    let acquire_timeout = Duration::from_millis(200);
    let settings = DatabaseSettings {
        acquire_timeout,
        ..DatabaseSettings::new(url)
    };
    let database = Database::connect(&settings).await.unwrap();
    let asked = Instant::now();
    let refused = database.ping().await;
    assert!(
        matches!(refused, Err(StoreError::Unavailable { .. })),
        "{refused:?}"
    );
    assert!(asked.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable_at_once() {
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let url = DatabaseUrl::parse(&format!("mysql://root@127.0.0.1:{free}/pay")).unwrap();
    let database = Database::connect(&DatabaseSettings::new(url))
        .await
        .unwrap();
    let refused = database.users().find(kernel::UserId::new(1).unwrap()).await;
    assert!(
        matches!(refused, Err(StoreError::Unavailable { .. })),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_missing_table_is_no_outage() {
    let (_folder, url) = storage::testing::sqlite_file();
    let refused = connected(&url).await.products().list(None, 1).await;
    assert!(
        matches!(refused, Err(StoreError::Corrupt { .. })),
        "{refused:?}"
    );
}
