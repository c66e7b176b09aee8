//! Databases for tests: SQLite files that vanish, and one MySQL server per test process.
#![expect(
    clippy::expect_used,
    reason = "a test without its database cannot go on"
)]

use std::io::Write as _;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use diesel_async::{
    AsyncConnection, AsyncMysqlConnection, RunQueryDsl as _, SimpleAsyncConnection,
};
use kernel::{Randomness as _, StoreError, SystemRandomness};
use tempfile::TempDir;
use testcontainers_modules::mysql::Mysql;
use testcontainers_modules::testcontainers::core::IntoContainerPort as _;
use testcontainers_modules::testcontainers::runners::AsyncRunner as _;
use testcontainers_modules::testcontainers::{ContainerAsync, ImageExt as _};
use tokio::sync::{Mutex, Notify};

use crate::database::Database;
use crate::transaction::End;
use crate::url::DatabaseUrl;

/// The official image and its tag.
const IMAGE: &str = "mysql:8.4";
/// How long fetching and starting the image may take.
const START_LIMIT: Duration = Duration::from_secs(180);
/// Test data need not survive a power cut, and many pools share the server.
const SERVER_FLAGS: [&str; 3] = [
    "--innodb-flush-log-at-trx-commit=0",
    "--sync-binlog=0",
    "--max-connections=500",
];

static SHARED: Mutex<Weak<TestMySql>> = Mutex::const_new(Weak::new());
static UNAVAILABLE: OnceLock<String> = OnceLock::new();

/// A MySQL server for tests; a container of its own is removed with the last user.
pub struct TestMySql {
    /// The URL of the server without a database, ending in `/`.
    server: String,
    _container: Option<ContainerAsync<Mysql>>,
}

impl TestMySql {
    /// The server of `TEST_DATABASE_URL` (a `mysql://` URL whose user may create databases), or a
    /// container of `TEST_MYSQL_IMAGE` (`name:tag`, default `mysql:8.4`). Where neither is to be
    /// had, says so in one line per process and returns `None`.
    ///
    /// # Panics
    /// When there is no server although `REQUIRE_MYSQL=1`.
    pub async fn get() -> Option<Arc<Self>> {
        let mut shared = SHARED.lock().await;
        if let Some(server) = shared.upgrade() {
            return Some(server);
        }
        let reason = match UNAVAILABLE.get() {
            Some(reason) => reason,
            None => match Self::start().await {
                Ok(server) => {
                    let server = Arc::new(server);
                    *shared = Arc::downgrade(&server);
                    return Some(server);
                }
                Err(reason) => {
                    // Past the test harness, which would swallow the line of a passing test.
                    let _ = writeln!(std::io::stderr(), "skipped: MySQL ({reason})");
                    UNAVAILABLE.get_or_init(|| reason)
                }
            },
        };
        let required = std::env::var("REQUIRE_MYSQL").is_ok_and(|value| value == "1");
        assert!(
            !required,
            "REQUIRE_MYSQL=1, but there is no MySQL: {reason}"
        );
        None
    }

    async fn start() -> Result<Self, String> {
        if let Ok(url) = std::env::var("TEST_DATABASE_URL") {
            DatabaseUrl::parse(&url).map_err(|error| format!("TEST_DATABASE_URL: {error}"))?;
            let (server, _) = url
                .rsplit_once('/')
                .ok_or("TEST_DATABASE_URL has no database")?;
            return Ok(Self {
                server: format!("{server}/"),
                _container: None,
            });
        }
        let image = std::env::var("TEST_MYSQL_IMAGE").unwrap_or_else(|_| IMAGE.to_owned());
        let (name, tag) = match image.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, tag),
            Some(_) | None => (image.as_str(), "latest"),
        };
        let request = Mysql::default()
            .with_name(name)
            .with_tag(tag)
            .with_cmd(SERVER_FLAGS)
            .with_startup_timeout(START_LIMIT);
        let one_line = |text: String| text.lines().next().unwrap_or_default().to_owned();
        let container = match tokio::time::timeout(START_LIMIT, request.start()).await {
            Ok(Ok(container)) => container,
            Ok(Err(error)) => return Err(one_line(format!("no container of {image}: {error}"))),
            Err(_) => return Err(format!("no container of {image} within {START_LIMIT:?}")),
        };
        let host = container
            .get_host()
            .await
            .map_err(|error| one_line(error.to_string()))?;
        let port = container.get_host_port_ipv4(3306.tcp()).await;
        let port = port.map_err(|error| one_line(error.to_string()))?;
        let host = if host.to_string() == "localhost" {
            "127.0.0.1".to_owned()
        } else {
            host.to_string()
        };
        Ok(Self {
            server: format!("mysql://root@{host}:{port}/"),
            _container: Some(container),
        })
    }

    /// Creates an empty database with a name of its own. It stays until the server goes.
    ///
    /// # Panics
    /// When the server does not answer.
    pub async fn fresh_database(&self) -> DatabaseUrl {
        let (url, _) = self.fresh_database_with_text().await;
        url
    }

    /// Like [`TestMySql::fresh_database`], with the whole URL as text for other clients.
    ///
    /// # Panics
    /// When the server does not answer.
    pub async fn fresh_database_with_text(&self) -> (DatabaseUrl, String) {
        let name = format!("test_{:016x}", SystemRandomness.next_u64());
        self.execute(&format!("CREATE DATABASE {name}")).await;
        let text = format!("{}{name}", self.server);
        (DatabaseUrl::parse(&text).expect("a MySQL URL"), text)
    }

    /// Runs one statement as the server's administrator.
    ///
    /// # Panics
    /// When the server does not answer or refuses.
    pub async fn execute(&self, statement: &str) {
        let url = format!("{}mysql?prefer_socket=false", self.server);
        let mut connection = AsyncMysqlConnection::establish(&url)
            .await
            .expect("a connection");
        connection
            .batch_execute(statement)
            .await
            .expect("the statement");
    }
}

/// The URL of a SQLite file that does not exist yet, in a folder that is removed with the guard.
///
/// # Panics
/// When there is no room for temporary files.
pub fn sqlite_file() -> (TempDir, DatabaseUrl) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = DatabaseUrl::sqlite(&folder.path().join("payments.db"));
    (folder, url)
}

/// Runs one statement in a transaction of its own and returns how many rows it changed.
pub async fn execute(database: &Database, statement: &str) -> Result<usize, StoreError> {
    with_tx!(database, "run a statement of a test", |connection| {
        Ok(End::Commit(
            diesel::sql_query(statement).execute(connection).await?,
        ))
    })
}

/// Begins a transaction, runs one statement in it, notifies, and then waits for ever with the
/// transaction open: drop this future to see what becomes of it.
pub async fn hang_after(
    database: &Database,
    statement: &str,
    done: &Notify,
) -> Result<(), StoreError> {
    with_tx!(database, "hang in a transaction", |connection| {
        diesel::sql_query(statement).execute(connection).await?;
        done.notify_one();
        std::future::pending::<()>().await;
        Ok(End::Commit(()))
    })
}
