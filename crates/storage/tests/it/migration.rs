use diesel::Connection as _;
use diesel::connection::SimpleConnection as _;
use diesel_async::{AsyncConnection, AsyncMysqlConnection, SimpleAsyncConnection};
use storage::testing::{TestMySql, sqlite_file};
use storage::{ConnectError, Database, DatabaseSettings, DatabaseUrl, SchemaState};

use crate::{connected, settings};

async fn empty_databases() -> (
    tempfile::TempDir,
    Vec<DatabaseUrl>,
    Option<std::sync::Arc<TestMySql>>,
) {
    let (folder, url) = sqlite_file();
    let mut urls = vec![url];
    let server = TestMySql::get().await;
    if let Some(server) = &server {
        urls.push(server.fresh_database().await);
    }
    (folder, urls, server)
}

#[tokio::test]
async fn a_second_migration_finds_nothing_to_do() {
    let (_folder, urls, _server) = empty_databases().await;
    for url in urls {
        let database = connected(&url).await;
        let SchemaState::Missing(missing) = database.schema_state().await.unwrap() else {
            panic!("an empty database misses everything")
        };
        assert_eq!(missing, database.migrate().await.unwrap());
        assert_eq!(
            missing.first().map(String::as_str),
            Some("2026-11-22-000001_products")
        );
        assert_eq!(
            database.schema_state().await.unwrap(),
            SchemaState::UpToDate
        );
        assert!(database.migrate().await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn many_may_migrate_at_once() {
    let (_folder, urls, _server) = empty_databases().await;
    for url in urls {
        let migrations = (0..5).map(|_| {
            let url = url.clone();
            tokio::spawn(async move { connected(&url).await.migrate().await.unwrap() })
        });
        let applied: usize = futures::future::join_all(migrations)
            .await
            .into_iter()
            .map(|names| names.unwrap().len())
            .sum();
        assert_eq!(applied, 9, "each migration is applied once");
        assert_eq!(
            connected(&url).await.schema_state().await.unwrap(),
            SchemaState::UpToDate
        );
    }
}

#[tokio::test]
async fn a_newer_schema_is_noticed() {
    let insert = "INSERT INTO __diesel_schema_migrations (version) VALUES ('29990101000000')";
    let newer = SchemaState::Newer(vec!["29990101000000".into()]);

    let (folder, url) = sqlite_file();
    let database = connected(&url).await;
    database.migrate().await.unwrap();
    let file = folder.path().join("payments.db");
    let mut connection = diesel::SqliteConnection::establish(file.to_str().unwrap()).unwrap();
    connection.batch_execute(insert).unwrap();
    assert_eq!(database.schema_state().await.unwrap(), newer);

    let Some(server) = TestMySql::get().await else {
        return;
    };
    let (url, text) = server.fresh_database_with_text().await;
    let database = connected(&url).await;
    database.migrate().await.unwrap();
    let mut connection = AsyncMysqlConnection::establish(&text).await.unwrap();
    connection.batch_execute(insert).await.unwrap();
    assert_eq!(database.schema_state().await.unwrap(), newer);
}

#[tokio::test]
async fn a_pool_has_at_least_one_connection_and_at_most_a_thousand() {
    let (_folder, url) = sqlite_file();
    for pool_size in [0, 1_001] {
        let refused = Database::connect(&DatabaseSettings {
            pool_size,
            ..settings(&url)
        })
        .await;
        assert!(matches!(refused, Err(ConnectError::PoolSize(size)) if size == pool_size));
    }
}

#[tokio::test]
async fn a_database_file_gets_the_folder_it_needs() {
    let (folder, _) = sqlite_file();
    let path = folder.path().join("data/of/the/shop/payments.db");
    let database = connected(&DatabaseUrl::sqlite(&path)).await;
    assert!(path.exists());
    assert_eq!(database.pool_status().size_max, 8);
    assert!(database.is_sqlite());
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_is_named() {
    let (folder, _) = sqlite_file();
    let file = folder.path().join("in-the-way");
    std::fs::write(&file, "").unwrap();
    let refused =
        Database::connect(&settings(&DatabaseUrl::sqlite(&file.join("payments.db")))).await;
    assert!(refused.unwrap_err().to_string().contains("in-the-way"));
}
