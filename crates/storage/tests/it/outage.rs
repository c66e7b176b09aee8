//! Databases that go away and come back.

use std::time::{Duration, Instant};

use diesel::QueryableByName;
use diesel::sql_types::BigInt;
use diesel_async::{AsyncConnection, AsyncMysqlConnection, RunQueryDsl, SimpleAsyncConnection};
use kernel::StoreError;
use payment_domain::port::Inserted;
use storage::{Database, DatabaseSettings, DatabaseUrl};

use crate::{Fresh, connected, product, stock};

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
