use std::collections::{BTreeMap, BTreeSet};

use diesel::QueryableByName;
use diesel::backend::Backend;
use diesel::connection::AnsiTransactionManager;
use diesel::migration::MigrationSource;
use diesel::mysql::Mysql;
use diesel::sql_types::{Integer, Nullable, Text};
use diesel::sqlite::Sqlite;
use diesel_async::pooled_connection::deadpool::Object;
use diesel_async::{AsyncMigrationHarness, AsyncMysqlConnection, RunQueryDsl};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use kernel::StoreError;

use crate::database::{Database, MySqlServer, SqliteFile};
use crate::error::{BoxError, Fault};
use crate::lease::Lease;
use crate::transaction::Failed;

const MYSQL: EmbeddedMigrations = embed_migrations!("../../migrations/mysql");
const SQLITE: EmbeddedMigrations = embed_migrations!("../../migrations/sqlite");

/// The name of MySQL's lock around a migration, and how many seconds one waits for another's end.
/// The lock belongs to one server; a cluster migrates on its primary, which is one server.
const LOCK: &str = "payment-server-migrate";
const LOCK_WAIT_S: i32 = 120;

const ACTION: &str = "migrate the schema";

/// How the database's schema compares with this program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SchemaState {
    /// It is this program's.
    UpToDate,
    /// These migrations have not been applied.
    Missing(Vec<String>),
    /// These migrations come from a newer program; this one would misunderstand the data.
    Newer(Vec<String>),
}

/// Why the schema was not migrated.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The database did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Another migration is still running.
    #[error("another migration has been running for more than {LOCK_WAIT_S} s")]
    Locked,
    /// A migration failed. On SQLite nothing was changed; on MySQL the tables before the failure
    /// are there, and running it again continues.
    #[error("a migration failed")]
    Failed(#[source] BoxError),
}

#[derive(QueryableByName)]
struct Applied {
    #[diesel(sql_type = Text)]
    version: String,
}

#[derive(QueryableByName)]
struct Got {
    #[diesel(sql_type = Nullable<Integer>)]
    got: Option<i32>,
}

impl Database {
    /// Applies what is missing and returns the names of what was applied. Safe when several
    /// processes do it at once.
    pub async fn migrate(&self) -> Result<Vec<String>, MigrateError> {
        match self {
            Self::MySql(server) => migrate_mysql(server).await,
            Self::Sqlite(file) => migrate_sqlite(file).await,
        }
    }

    /// Compares the schema with this program's, without changing anything.
    pub async fn schema_state(&self) -> Result<SchemaState, StoreError> {
        let applied = self.applied().await?;
        let known = match self {
            Self::MySql(_) => known::<Mysql>(&MYSQL),
            Self::Sqlite(_) => known::<Sqlite>(&SQLITE),
        };
        let known = known.map_err(|source| StoreError::Corrupt {
            action: "list migrations",
            source,
        })?;
        let newer: Vec<_> = applied
            .iter()
            .filter(|version| !known.contains_key(*version))
            .cloned()
            .collect();
        if !newer.is_empty() {
            return Ok(SchemaState::Newer(newer));
        }
        let missing: Vec<_> = known
            .into_iter()
            .filter(|(version, _)| !applied.contains(version))
            .map(|(_, name)| name)
            .collect();
        Ok(if missing.is_empty() {
            SchemaState::UpToDate
        } else {
            SchemaState::Missing(missing)
        })
    }

    async fn applied(&self) -> Result<BTreeSet<String>, StoreError> {
        with_conn!(self, "read the schema's state", |connection| {
            let query = diesel::sql_query("SELECT version FROM __diesel_schema_migrations");
            match query.load::<Applied>(connection).await {
                Ok(rows) => Ok(rows.into_iter().map(|row| row.version).collect()),
                Err(error) if names_a_missing_table(&error) => Ok(BTreeSet::new()),
                Err(error) => Err(error.into()),
            }
        })
    }
}

fn names_a_missing_table(error: &diesel::result::Error) -> bool {
    let message = error.to_string();
    message.contains("no such table") || message.contains("doesn't exist")
}

/// This program's migrations: names by version, in order.
fn known<DB: Backend>(source: &EmbeddedMigrations) -> Result<BTreeMap<String, String>, BoxError> {
    let migrations = MigrationSource::<DB>::migrations(source)?;
    let named = migrations.iter().map(|migration| {
        let name = migration.name();
        (name.version().to_string(), name.to_string())
    });
    Ok(named.collect())
}

/// Applies every pending migration through diesel's harness and returns their names.
fn apply<DB: Backend>(
    harness: &mut impl MigrationHarness<DB>,
    source: EmbeddedMigrations,
) -> Result<Vec<String>, BoxError> {
    let mut applied = Vec::new();
    for migration in harness.pending_migrations(source)? {
        harness.run_migration(&migration)?;
        applied.push(migration.name().to_string());
    }
    Ok(applied)
}

fn store_error(failed: Failed) -> StoreError {
    failed.fault.into_store_error(ACTION)
}

/// One immediate transaction around everything: whoever comes second waits, then finds it done.
async fn migrate_sqlite(file: &SqliteFile) -> Result<Vec<String>, MigrateError> {
    let mut lease = file.writing_lease().await.map_err(store_error)?;
    let work = lease.connection().spawn_blocking(|connection| {
        AnsiTransactionManager::begin_transaction_sql(connection, "BEGIN IMMEDIATE")?;
        Ok(match apply::<Sqlite>(connection, SQLITE) {
            Ok(applied) => {
                <AnsiTransactionManager as diesel::connection::TransactionManager<_>>::commit_transaction(
                    connection,
                )?;
                Ok(applied)
            }
            // The caller's lease closes the connection, which rolls back.
            Err(error) => Err(error),
        })
    });
    let migrated = work
        .await
        .map_err(|error| Fault::from(error).into_store_error(ACTION))?;
    let applied = migrated.map_err(MigrateError::Failed)?;
    lease.done();
    Ok(applied)
}

/// MySQL commits every table by itself, so a named lock keeps others out.
async fn migrate_mysql(server: &MySqlServer) -> Result<Vec<String>, MigrateError> {
    let mut lease = server.lease().await.map_err(store_error)?;
    let locked = diesel::sql_query("SELECT CAST(GET_LOCK(?, ?) AS SIGNED) AS got")
        .bind::<Text, _>(LOCK)
        .bind::<Integer, _>(LOCK_WAIT_S)
        .get_result::<Got>(lease.connection())
        .await;
    match locked
        .map_err(|error| Fault::from(error).into_store_error(ACTION))?
        .got
    {
        Some(1) => {}
        Some(_) | None => return Err(MigrateError::Locked),
    }
    // The lease is not handed back: closing its connection releases the lock, whatever happened.
    apply_mysql(lease).await.map_err(MigrateError::Failed)
}

/// The harness blocks its thread and drives the connection from there, so it gets a thread of its
/// own; that way it works on a runtime of either flavour.
async fn apply_mysql(lease: Lease<Object<AsyncMysqlConnection>>) -> Result<Vec<String>, BoxError> {
    let work = tokio::task::spawn_blocking(move || {
        let connection = lease.into_unpooled();
        apply::<Mysql>(&mut AsyncMigrationHarness::new(connection), MYSQL)
    });
    work.await?
}
