//! Plain SQL on MySQL: databases that come and go, and rows in bulk. The server that is measured
//! has its own way to its database; nothing of this is in it.

use std::ops::Range;
use std::time::Instant;

use anyhow::Context as _;
use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Opts, OptsBuilder};

/// Rows of one INSERT … SELECT.
const ROWS_AT_ONCE: u64 = 50_000;
/// Copies between two lines of progress.
const ROWS_TOLD: u64 = 1_000_000;
/// So few that each has more than a page of payments among ten thousand copies.
const COPIED_USERS: u64 = 400;
/// What a payment has rows in when it is paid.
const TABLES: [&str; 7] = [
    "payment_event",
    "payment_order",
    "payment_attempt",
    "payment_history",
    "payment_transaction",
    "stock_reservation",
    "stock_reservation_line",
];

/// A MySQL server.
#[derive(Debug, Clone)]
pub(crate) struct MySql {
    /// `mysql://USER@HOST:PORT`.
    server: String,
}

impl MySql {
    /// The server in a URL of one of its databases.
    pub(crate) fn of(url: &str) -> anyhow::Result<Self> {
        let (server, _) = url.rsplit_once('/').context("a URL with a database")?;
        Ok(Self {
            server: server.to_owned(),
        })
    }

    /// Makes a database of this name, without what was in one of that name, and returns its URL.
    pub(crate) async fn empty_database(&self, name: &str) -> anyhow::Result<String> {
        let mut conn = connect(&format!("{}/mysql", self.server)).await?;
        let make = format!("DROP DATABASE IF EXISTS {name}; CREATE DATABASE {name}");
        conn.query_drop(make).await?;
        conn.disconnect().await?;
        Ok(format!("{}/{name}", self.server))
    }

    pub(crate) async fn drop_database(&self, name: &str) -> anyhow::Result<()> {
        let mut conn = connect(&format!("{}/mysql", self.server)).await?;
        conn.query_drop(format!("DROP DATABASE {name}")).await?;
        Ok(conn.disconnect().await?)
    }

    pub(crate) async fn version(&self) -> anyhow::Result<String> {
        let mut conn = connect(&format!("{}/mysql", self.server)).await?;
        let version: Option<String> = conn.query_first("SELECT VERSION()").await?;
        conn.disconnect().await?;
        version.context("a version")
    }
}

/// What the clients of one database asked of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked {
    /// Statements, each of which is a round trip: BEGIN, COMMIT and the preparing of others among
    /// them.
    pub(crate) statements: u64,
    /// COMMITs.
    pub(crate) commits: u64,
}

impl MySql {
    /// What the clients of the database of this name asked, since it was made or since
    /// [`MySql::forget_asked`].
    pub(crate) async fn asked(&self, name: &str) -> anyhow::Result<Asked> {
        let mut conn = connect(&format!("{}/mysql", self.server)).await?;
        let asked: Option<(u64, u64)> = conn
            .exec_first(
                "SELECT CAST(COALESCE(SUM(count_star), 0) AS UNSIGNED),
                        CAST(COALESCE(SUM(IF(digest_text LIKE 'COMMIT%', count_star, 0)), 0) AS UNSIGNED)
                 FROM performance_schema.events_statements_summary_by_digest
                 WHERE schema_name = ?",
                (name,),
            )
            .await?;
        conn.disconnect().await?;
        let (statements, commits) = asked.context("counts of statements")?;
        anyhow::ensure!(statements > 0, "this server does not count its statements");
        Ok(Asked {
            statements,
            commits,
        })
    }

    pub(crate) async fn forget_asked(&self) -> anyhow::Result<()> {
        let mut conn = connect(&format!("{}/mysql", self.server)).await?;
        conn.query_drop("TRUNCATE performance_schema.events_statements_summary_by_digest")
            .await?;
        Ok(conn.disconnect().await?)
    }
}

/// How to reach it; always by TCP, because the socket file that a server names may be a container's.
pub(crate) fn opts(url: &str) -> anyhow::Result<OptsBuilder> {
    Ok(OptsBuilder::from_opts(Opts::from_url(url)?).prefer_socket(false))
}

pub(crate) async fn connect(url: &str) -> anyhow::Result<Conn> {
    Ok(Conn::new(opts(url)?).await?)
}

/// Which of the payments in this database are DONE.
pub(crate) async fn done(url: &str) -> anyhow::Result<Vec<String>> {
    let mut conn = connect(url).await?;
    let ids = conn.query("SELECT order_id FROM payment_event WHERE status = 'DONE'");
    let ids = ids.await?;
    conn.disconnect().await?;
    Ok(ids)
}

/// Adds copies of this paid order, those of the numbers in `range`. The tables are filled by two
/// connections, each in the order of its primary keys.
pub(crate) async fn fill(url: &str, paid: &str, range: Range<u64>) -> anyhow::Result<()> {
    let (some, others) = TABLES.split_at(3);
    let fill = |tables| fill_tables(url, paid, range.clone(), tables);
    tokio::try_join!(fill(some), fill(others))?;
    Ok(())
}

#[expect(clippy::print_stdout, reason = "progress")]
async fn fill_tables(
    url: &str,
    paid: &str,
    range: Range<u64>,
    tables: &[&str],
) -> anyhow::Result<()> {
    let mut conn = connect(url).await?;
    // Copies are rows that a crash of this measurement may lose.
    conn.query_drop(format!(
        "SET SESSION cte_max_recursion_depth = {ROWS_AT_ONCE}, SESSION sql_log_bin = 0"
    ))
    .await?;
    let began = Instant::now();
    for first in range.clone().step_by(usize::try_from(ROWS_AT_ONCE)?) {
        let count = ROWS_AT_ONCE.min(range.end - first);
        for table in tables {
            copy(&mut conn, table, paid, first, count).await?;
        }
        let done = first + count;
        if done.is_multiple_of(ROWS_TOLD) {
            let took = began.elapsed().as_secs();
            println!(
                "    {done} of {} payments in {}, {took} s",
                range.end, tables[0]
            );
        }
    }
    for table in tables {
        conn.query_drop(format!("ANALYZE TABLE {table}")).await?;
    }
    Ok(conn.disconnect().await?)
}

/// The order id of the copy of this number: of the form that the server's own have, and older than
/// any of them.
pub(crate) fn copied_order(number: u64) -> String {
    format!("00000000-{number:0>27X}")
}

/// Buyers that the copies are spread over: those of the ids 1 to this.
pub(crate) const fn copied_users() -> u64 {
    COPIED_USERS
}

/// When the oldest and the newest of the copies were made, in microseconds of Unix time.
pub(crate) async fn copies_made(url: &str) -> anyhow::Result<(i64, i64)> {
    let mut conn = connect(url).await?;
    let made: Option<(i64, i64)> = conn
        .query_first(
            "SELECT MIN(created_at), MAX(created_at) FROM payment_event
             WHERE order_id LIKE '00000000-%'",
        )
        .await?;
    conn.disconnect().await?;
    made.context("copies")
}

async fn copy(
    conn: &mut Conn,
    table: &str,
    paid: &str,
    first: u64,
    count: u64,
) -> anyhow::Result<()> {
    let columns: Vec<String> = conn
        .query(format!(
            "SELECT column_name FROM information_schema.columns
             WHERE table_schema = DATABASE() AND table_name = '{table}' ORDER BY ordinal_position"
        ))
        .await?;
    let values = columns.iter().map(|column| match column.as_str() {
        // Of the form that the server's own ids have, and older than any of them.
        "order_id" => "CONCAT('00000000-', LPAD(HEX(number.n), 27, '0'))".to_owned(),
        "user_id" => format!("1 + number.n MOD {COPIED_USERS}"),
        "payment_key" => "CONCAT('tgen_copy', LPAD(number.n, 15, '0'))".to_owned(),
        "created_at" => "source.created_at - 1000000000000 + number.n * 100".to_owned(),
        column => format!("source.{column}"),
    });
    let values = values.collect::<Vec<_>>().join(", ");
    let last = first + count;
    let copied = conn.query_drop(format!(
        "INSERT INTO {table} ({}) WITH RECURSIVE number (n) AS
             (SELECT {first} UNION ALL SELECT n + 1 FROM number WHERE n + 1 < {last})
         SELECT {values} FROM number JOIN {table} source ON source.order_id = '{paid}'",
        columns.join(", ")
    ));
    copied.await.with_context(|| format!("copies in {table}"))
}
