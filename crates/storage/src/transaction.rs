//! [`with_conn!`] and [`with_tx!`]: one query body, written once, compiled for both databases.
//!
//! Generic functions over connections would need pages of bounds for every query; a macro needs
//! none. A body uses `?` on query errors, must be repeatable, and must do nothing but queries.

use std::time::Duration;

use diesel::QueryResult;
use diesel::mysql::Mysql;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sqlite::Sqlite;
use diesel_async::AsyncMysqlConnection;
use diesel_async::pooled_connection::deadpool::Object;

use crate::database::{Database, MySqlServer};
use crate::error::Fault;
use crate::lease::Lease;

/// How often a transaction is run before it is given up. Every conflict lets somebody else pass.
const TRIES_MAX: u32 = 10;
/// The longest pause before the second try; doubles with every try.
const PAUSE_FIRST: Duration = Duration::from_millis(4);
/// The longest pause between two tries.
const PAUSE_MAX: Duration = Duration::from_millis(250);

/// How a transaction's body wants it to end.
#[derive(Debug)]
pub(crate) enum End<T> {
    /// Keep what was done.
    Commit(T),
    /// Undo it; the value is the answer all the same.
    RollBack(T),
}

/// Where a transaction or query failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// No connection was to be had.
    Connect,
    /// Before anything was done.
    Before,
    /// In a query that changes nothing.
    Read,
    /// Before COMMIT was sent.
    Inside,
    /// COMMIT was sent, or nobody knows how far it came.
    Commit,
}

/// A failed try.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) stage: Stage,
    pub(crate) fault: Fault,
}

impl Failed {
    /// Whether it is certain that nothing was committed, and a write that shared the transaction may
    /// fare better alone.
    pub(crate) fn is_worth_another_way(&self) -> bool {
        match (&self.fault, self.stage) {
            (Fault::Conflict(_), Stage::Inside | Stage::Commit) => true,
            (Fault::Conflict(_), Stage::Connect | Stage::Before | Stage::Read) => false,
            (Fault::Corrupt(_), stage) => stage != Stage::Commit,
            (Fault::Lost(_), _) => false,
        }
    }
}

/// Counts the tries of one transaction or query and decides whether there is another.
pub(crate) struct Tries<'a> {
    pub(crate) database: &'a Database,
    action: &'static str,
    failed: u32,
    /// Whether those who share the transaction had better go on alone after a conflict.
    is_shared: bool,
}

impl<'a> Tries<'a> {
    pub(crate) fn new(database: &'a Database, action: &'static str) -> Self {
        Self {
            database,
            action,
            failed: 0,
            is_shared: false,
        }
    }

    /// For a transaction that several writes share. A conflict inside ends it: one row that somebody
    /// else has locked must not hold up the others for one lock wait after another.
    pub(crate) fn shared(database: &'a Database, action: &'static str) -> Self {
        Self {
            is_shared: true,
            ..Self::new(database, action)
        }
    }

    /// A connection for this transaction.
    pub(crate) async fn lease(
        &self,
        server: &MySqlServer,
    ) -> Result<Lease<Object<AsyncMysqlConnection>>, Failed> {
        if self.is_shared {
            server.sharing_lease().await
        } else {
            server.lease().await
        }
    }

    /// Returns when it is time for another try, or the failure that remains.
    ///
    /// A conflict is repeated at any stage: the database said that nothing was committed. A dead
    /// connection is replaced only when nothing can have happened yet.
    pub(crate) async fn again(&mut self, Failed { stage, fault }: Failed) -> Result<(), Failed> {
        self.failed += 1;
        let repeatable = match (&fault, stage) {
            (Fault::Conflict(_), Stage::Inside | Stage::Commit) if self.is_shared => false,
            (Fault::Conflict(_), _) => self.failed < TRIES_MAX,
            (Fault::Lost(_), Stage::Before | Stage::Read) => self.failed < 3,
            (Fault::Lost(_), Stage::Connect | Stage::Inside | Stage::Commit) => false,
            (Fault::Corrupt(_), _) => false,
        };
        if fault.is_lost() {
            // Where one connection has died, its idle neighbours probably have too.
            self.database.forget_idle_connections();
        }
        if !repeatable {
            return Err(Failed { stage, fault });
        }
        tracing::debug!(
            action = self.action,
            failed = self.failed,
            ?fault,
            "trying again"
        );
        let longest = PAUSE_FIRST
            .saturating_mul(2_u32.saturating_pow(self.failed - 1))
            .min(PAUSE_MAX);
        tokio::time::sleep(self.database.jitter(longest)).await;
        Ok(())
    }
}

/// `SELECT … FOR UPDATE` on MySQL, the plain query on SQLite, where `BEGIN IMMEDIATE` has locked
/// everything already.
#[derive(Debug, Clone, Copy, QueryId)]
pub(crate) struct Locked<Q>(pub(crate) Q);

impl<Q: Query> Query for Locked<Q> {
    type SqlType = Q::SqlType;
}

impl<Q: QueryFragment<Mysql>> QueryFragment<Mysql> for Locked<Q> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Mysql>) -> QueryResult<()> {
        self.0.walk_ast(out.reborrow())?;
        out.push_sql(" FOR UPDATE");
        Ok(())
    }
}

impl<Q: QueryFragment<Sqlite>> QueryFragment<Sqlite> for Locked<Q> {
    fn walk_ast<'b>(&'b self, out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        self.0.walk_ast(out)
    }
}

/// Runs queries that change nothing: `with_conn!(&database, "find a user", |connection| { … })`,
/// where the body is a `Result<T, Fault>`. Returns `Result<T, StoreError>`.
macro_rules! with_conn {
    ($database:expr, $action:expr, |$connection:ident| $body:block) => {
        with_conn!(@on lease, $database, $action, |$connection| $body)
    };
    (@on $file_lease:ident, $database:expr, $action:expr, |$connection:ident| $body:block) => {{
        let database: &$crate::database::Database = $database;
        let mut tries = $crate::transaction::Tries::new(database, $action);
        loop {
            let tried = match database {
                $crate::database::Database::MySql(server) => match server.lease().await {
                    Ok(mut lease) => {
                        let work = with_conn!(@read lease, |$connection| $body);
                        let read = $crate::lease::within(work).await;
                        with_conn!(@done lease, read)
                    }
                    Err(failed) => Err(failed),
                },
                $crate::database::Database::Sqlite(file) => match file.$file_lease().await {
                    Ok(mut lease) => {
                        let read = with_conn!(@read lease, |$connection| $body).await;
                        with_conn!(@done lease, read)
                    }
                    Err(failed) => Err(failed),
                },
            };
            match tried {
                Ok(value) => break Ok(value),
                Err(failed) => {
                    if let Err(failed) = tries.again(failed).await {
                        break Err(failed.fault.into_store_error($action));
                    }
                }
            }
        }
    }};
    (@read $lease:ident, |$connection:ident| $body:block) => {
        async {
            let $connection = $lease.connection();
            let read: Result<_, $crate::error::Fault> = async { $body }.await;
            read.map_err(|fault| $crate::transaction::Failed {
                stage: $crate::transaction::Stage::Read,
                fault,
            })
        }
    };
    (@done $lease:ident, $read:ident) => {{
        if !$read.as_ref().is_err_and(|failed| failed.fault.is_lost()) {
            $lease.done();
        }
        $read
    }};
}

/// Runs one statement that may as well run twice, and that needs no `BEGIN` and `COMMIT` around it,
/// which are round trips: `write_once!(&database, "forget a message", |connection| { … })`. As
/// [`with_conn!`] otherwise.
macro_rules! write_once {
    ($database:expr, $action:expr, |$connection:ident| $body:block) => {
        with_conn!(@on writing_lease, $database, $action, |$connection| $body)
    };
}

/// Runs one transaction: `with_tx!(&database, "store a user", |connection| { … })`, where the body
/// is a `Result<End<T>, Fault>`. Returns `Result<T, StoreError>`; with `Tries` in place of the
/// database and the action, `Result<T, Failed>`.
///
/// When the surrounding future is dropped, the connection is closed and the transaction rolled
/// back, or committed if COMMIT was sent.
macro_rules! with_tx {
    ($database:expr, $action:expr, |$connection:ident| $body:block) => {{
        let tries = $crate::transaction::Tries::new($database, $action);
        with_tx!(tries, |$connection| $body)
            .map_err(|failed: $crate::transaction::Failed| failed.fault.into_store_error($action))
    }};
    ($tries:expr, |$connection:ident| $body:block) => {{
        let mut tries: $crate::transaction::Tries<'_> = $tries;
        loop {
            let tried = match tries.database {
                $crate::database::Database::MySql(server) => match tries.lease(server).await {
                    Ok(mut lease) => {
                        let work = with_tx!(@work lease, |$connection| $body);
                        $crate::lease::within(work).await
                    }
                    Err(failed) => Err(failed),
                },
                $crate::database::Database::Sqlite(file) => match file.writing_lease().await {
                    Ok(mut lease) => with_tx!(@work lease, |$connection| $body).await,
                    Err(failed) => Err(failed),
                },
            };
            match tried {
                Ok(value) => break Ok(value),
                Err(failed) => {
                    if let Err(failed) = tries.again(failed).await {
                        break Err(failed);
                    }
                }
            }
        }
    }};
    (@work $lease:ident, |$connection:ident| $body:block) => {
        async {
            $lease.begin().await?;
            let worked: Result<$crate::transaction::End<_>, $crate::error::Fault> = {
                let $connection = $lease.connection();
                async { $body }.await
            };
            $lease.end(worked).await
        }
    };
}
