use std::time::Duration;

use diesel::QueryResult;
use diesel::connection::AnsiTransactionManager;
use diesel_async::pooled_connection::deadpool::Object;
use diesel_async::{AsyncConnection, AsyncMysqlConnection, TransactionManager};
use tokio::sync::OwnedMutexGuard;

use crate::database::SqliteConn;
use crate::error::Fault;
use crate::transaction::{End, Failed, Stage};

/// How long one transaction, or one reading, may take on MySQL before its connection is given up.
/// Longer than the session's lock wait, so that the server's own answer comes first.
const ANSWER_LIMIT: Duration = Duration::from_secs(20);

/// A connection out of a pool, as a [`Lease`] needs it.
pub(crate) trait Pooled: Send {
    type Connection: AsyncConnection;

    fn connection(&mut self) -> &mut Self::Connection;

    /// Takes the connection out of its pool for good and closes it, which rolls back what is open.
    fn close(self);

    fn begin(&mut self) -> impl Future<Output = QueryResult<()>> + Send;
}

impl Pooled for Object<AsyncMysqlConnection> {
    type Connection = AsyncMysqlConnection;

    fn connection(&mut self) -> &mut AsyncMysqlConnection {
        self
    }

    fn close(self) {
        drop(Self::take(self));
    }

    async fn begin(&mut self) -> QueryResult<()> {
        diesel_async::AnsiTransactionManager::begin_transaction(self.connection()).await
    }
}

impl Pooled for Object<SqliteConn> {
    type Connection = SqliteConn;

    fn connection(&mut self) -> &mut SqliteConn {
        self
    }

    fn close(self) {
        drop(Self::take(self));
    }

    /// Immediate: a deferred transaction that reads and then writes fails under contention.
    async fn begin(&mut self) -> QueryResult<()> {
        self.spawn_blocking(|connection| {
            AnsiTransactionManager::begin_transaction_sql(connection, "BEGIN IMMEDIATE")
        })
        .await
    }
}

/// The right to use one connection.
///
/// Dropped before [`Lease::done`] — because the future that held it was dropped, timed out or
/// failed — it closes the connection: a pooled connection with an open transaction would lock
/// others out until somebody happens to check it out.
pub(crate) struct Lease<P: Pooled> {
    /// `None` only when the lease is over.
    pooled: Option<P>,
    done: bool,
    /// Held for as long as the connection may write; SQLite only.
    _writer: Option<OwnedMutexGuard<()>>,
}

impl<P: Pooled> Lease<P> {
    pub(crate) fn new(pooled: P, writer: Option<OwnedMutexGuard<()>>) -> Self {
        Self {
            pooled: Some(pooled),
            done: false,
            _writer: writer,
        }
    }

    #[expect(clippy::expect_used, reason = "only `drop` takes the connection out")]
    fn pooled(&mut self) -> &mut P {
        self.pooled.as_mut().expect("a lease has its connection")
    }

    pub(crate) fn connection(&mut self) -> &mut P::Connection {
        self.pooled().connection()
    }

    /// The connection is clean and goes back to the pool.
    pub(crate) fn done(&mut self) {
        self.done = true;
    }

    pub(crate) async fn begin(&mut self) -> Result<(), Failed> {
        let begun = self.pooled().begin().await;
        begun.map_err(|error| Failed {
            stage: Stage::Before,
            fault: error.into(),
        })
    }

    /// Ends the transaction as the work inside it says.
    pub(crate) async fn end<T>(&mut self, worked: Result<End<T>, Fault>) -> Result<T, Failed> {
        type Manager<C> = <C as AsyncConnection>::TransactionManager;
        match worked {
            Ok(End::Commit(value)) => {
                let committed =
                    Manager::<P::Connection>::commit_transaction(self.connection()).await;
                committed.map_err(|error| Failed {
                    stage: Stage::Commit,
                    fault: error.into(),
                })?;
                self.done();
                Ok(value)
            }
            Ok(End::RollBack(value)) => {
                self.roll_back().await;
                Ok(value)
            }
            Err(fault) => {
                if !fault.is_lost() {
                    self.roll_back().await;
                }
                Err(Failed {
                    stage: Stage::Inside,
                    fault,
                })
            }
        }
    }

    /// A rollback that fails is no error of its own: the drop closes the connection instead.
    async fn roll_back(&mut self) {
        let rolled_back =
            <P::Connection as AsyncConnection>::TransactionManager::rollback_transaction(
                self.connection(),
            );
        match rolled_back.await {
            Ok(()) => self.done(),
            Err(error) => tracing::warn!(%error, "a rollback failed: closing the connection"),
        }
    }
}

impl Lease<Object<AsyncMysqlConnection>> {
    /// Takes the connection out of its pool for good.
    #[expect(
        clippy::expect_used,
        reason = "only `drop` and this take the connection out"
    )]
    pub(crate) fn into_unpooled(mut self) -> AsyncMysqlConnection {
        Object::take(self.pooled.take().expect("a lease has its connection"))
    }
}

impl<P: Pooled> Drop for Lease<P> {
    fn drop(&mut self) {
        if let Some(pooled) = self.pooled.take()
            && !self.done
        {
            pooled.close();
        }
    }
}

/// Ends work on a server that does not answer.
///
/// The lease must outlive `work`: it then closes the connection, and the server rolls back.
pub(crate) async fn within<T>(work: impl Future<Output = Result<T, Failed>>) -> Result<T, Failed> {
    match tokio::time::timeout(ANSWER_LIMIT, work).await {
        Ok(result) => result,
        Err(elapsed) => Err(Failed {
            stage: Stage::Commit,
            fault: Fault::Lost(elapsed.into()),
        }),
    }
}
