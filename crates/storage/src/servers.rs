//! The MySQL servers of one database: one, or several of which one takes writes.
//!
//! Who follows whom is the servers' own business (Group Replication, or a replica that somebody
//! promotes). A connection is opened to the server that takes writes now. When that one dies or is
//! demoted, connections to it fail, and the next ones find its successor.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use diesel::QueryableByName;
use diesel::result::{ConnectionError, ConnectionResult};
use diesel::sql_types::BigInt;
use diesel_async::{AsyncConnection, AsyncMysqlConnection, SimpleAsyncConnection};
use futures::FutureExt as _;
use futures::future::select_ok;

/// Milliseconds of silence after which the system asks whether the server's machine is still there.
const TCP_KEEPALIVE_MS: u32 = 10_000;
/// How long one of several servers may take to be connected to and to say whether it takes writes. A
/// machine that is gone does not answer at all.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// What every MySQL session is set to. READ COMMITTED locks only the rows that a statement changes;
/// a strict mode refuses a value that does not fit instead of cutting it.
///
/// The wait is the one between two statements: when the network to a server that holds locks goes
/// dead, nobody tells MySQL, which would keep them for eight hours by default. It is longer than we
/// wait for an answer; an idle connection that it ends is replaced when it is next wanted.
const MYSQL_SESSION: [&str; 2] = [
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
    "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO', \
     SESSION innodb_lock_wait_timeout = 5, SESSION wait_timeout = 30, SESSION autocommit = 1",
];

/// Whether writes are refused by a setting, as on a replica. `super_read_only` sets it too.
const READ_ONLY: &str = "SELECT CAST(@@GLOBAL.read_only AS SIGNED) AS answer";
/// In Group Replication: whether this server lacks what makes it fit to take writes, being the
/// primary, online, and with a majority of the members online. A primary without its majority still
/// accepts connections, and its commits hang.
const UNFIT_MEMBER: &str = "SELECT CAST(COUNT(*) > 0 AND NOT ( \
     COALESCE(SUM(member_state = 'ONLINE') * 2 > COUNT(*), FALSE) \
     AND COALESCE(SUM(member_id = @@server_uuid AND member_state = 'ONLINE' \
                      AND member_role = 'PRIMARY'), 0) = 1) AS SIGNED) AS answer \
     FROM performance_schema.replication_group_members WHERE member_id <> ''";

#[derive(QueryableByName)]
struct Said {
    #[diesel(sql_type = BigInt)]
    answer: i64,
}

/// The addresses.
pub(crate) struct Servers {
    urls: Vec<String>,
    /// The one that took writes when a connection was last opened.
    known: AtomicUsize,
    /// When another one was last found to take writes.
    switched: Mutex<Option<Instant>>,
}

impl Servers {
    pub(crate) fn new(urls: &[String]) -> Self {
        // The socket file that a server on this machine reports may be a container's: stay with TCP.
        let urls = urls
            .iter()
            .map(|url| format!("{url}?prefer_socket=false&tcp_keepalive={TCP_KEEPALIVE_MS}"));
        Self {
            urls: urls.collect(),
            known: AtomicUsize::new(0),
            switched: Mutex::new(None),
        }
    }

    /// Whether a connection of this moment may be used. An older one leads to a server that was
    /// replaced: when that one was only paused, it wakes up and answers reads out of the past.
    pub(crate) fn is_current(&self, created: Instant) -> bool {
        let switched = self.switched.lock();
        let switched = *switched.unwrap_or_else(PoisonError::into_inner);
        switched.is_none_or(|switched| created >= switched)
    }

    /// A connection to the server that takes writes.
    pub(crate) async fn open(&self) -> ConnectionResult<AsyncMysqlConnection> {
        if let [only] = self.urls.as_slice() {
            return open(only).await;
        }
        let known = self.known.load(Ordering::Relaxed);
        if let Ok((connection, _)) = self.try_one(known).await {
            return Ok(connection);
        }
        // In turns would cost a wait for each machine that is gone.
        let all = (0..self.urls.len()).map(|number| self.try_one(number).boxed());
        let ((connection, found), _others) = select_ok(all).await?;
        self.note(found);
        Ok(connection)
    }

    fn note(&self, found: usize) {
        if self.known.swap(found, Ordering::Relaxed) != found {
            let mut switched = self.switched.lock().unwrap_or_else(PoisonError::into_inner);
            *switched = Some(Instant::now());
            tracing::info!(number = found + 1, "this database server takes writes now");
        }
    }

    async fn try_one(&self, number: usize) -> ConnectionResult<(AsyncMysqlConnection, usize)> {
        let tried = tokio::time::timeout(ANSWER_WITHIN, async {
            let mut connection = open(&self.urls[number]).await?;
            takes_writes(&mut connection).await?;
            Ok((connection, number))
        });
        let tried = tried.await.unwrap_or_else(|_| refused("no answer in time"));
        if let Err(error) = &tried {
            tracing::debug!(number = number + 1, %error, "not the server that takes writes");
        }
        tried
    }
}

async fn open(url: &str) -> ConnectionResult<AsyncMysqlConnection> {
    let mut connection = AsyncMysqlConnection::establish(url).await?;
    for statement in MYSQL_SESSION {
        let set = connection.batch_execute(statement).await;
        set.map_err(ConnectionError::CouldntSetupConfiguration)?;
    }
    Ok(connection)
}

async fn takes_writes(connection: &mut AsyncMysqlConnection) -> ConnectionResult<()> {
    let read_only = ask(READ_ONLY, connection).await;
    match read_only.map_err(ConnectionError::CouldntSetupConfiguration)? {
        0 => {}
        _ => return refused("it is read-only"),
    }
    match ask(UNFIT_MEMBER, connection).await {
        Ok(0) => Ok(()),
        Ok(_) => refused("it is not the primary of a group with a majority"),
        // MariaDB has no such table, and not every account may read it.
        Err(error) => {
            tracing::debug!(%error, "cannot look at the replication group");
            Ok(())
        }
    }
}

async fn ask(question: &str, connection: &mut AsyncMysqlConnection) -> diesel::QueryResult<i64> {
    let question = diesel::sql_query(question);
    let said: Said = diesel_async::RunQueryDsl::get_result(question, connection).await?;
    Ok(said.answer)
}

fn refused<T>(why: &str) -> ConnectionResult<T> {
    Err(ConnectionError::BadConnection(why.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_opened_before_another_server_took_over_is_not_used_again() {
        let servers = Servers::new(&["mysql://u@a/db".to_owned(), "mysql://u@b/db".to_owned()]);
        let early = Instant::now();
        servers.note(0);
        assert!(servers.is_current(early), "the same server as before");
        std::thread::sleep(Duration::from_millis(1));
        servers.note(1);
        assert!(!servers.is_current(early));
        assert!(servers.is_current(Instant::now()));
    }
}
