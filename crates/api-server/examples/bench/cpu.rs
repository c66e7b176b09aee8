//! Processor time of a confirm against that of a bare echo (R9), and how fast the database commits
//! one row after the other (E).

use std::sync::Arc;
use std::time::{Duration, Instant};

use kernel::{Clock as _, SystemClock, UserId};
use mysql_async::prelude::Queryable as _;
use storage::{Database, DatabaseSettings, DatabaseUrl};
use user_domain::UserProfile;

use crate::closed;
use crate::plan::Plan;
use crate::round::{Furnished, Way};
use crate::sample::{Row, Side};
use crate::stage::{Place, Stage, Store};
use crate::work::{Echoes, Shape};

/// Connections that commit one row after the other: one, and as many as a server's pool has.
const COMMITTERS: [usize; 2] = [1, 10];

/// R9.
#[expect(clippy::print_stdout, reason = "progress")]
pub(crate) async fn cpu(place: &Place, plan: &Plan, store: Store) -> anyhow::Result<Vec<Row>> {
    if !plan.wants(&["R9"]) {
        return Ok(Vec::new());
    }
    let set = Furnished::new(place, store, "bench_cpu").await?;
    let way = Way {
        group_commit: true,
        shape: Shape::SPREAD,
    };
    let (mut confirms, mut echoes) = (Vec::new(), Vec::new());
    let load = plan.load(plan.clients);
    for pair in 0..plan.pairs {
        let confirm = set.round(way, load).await?.confirm;
        let echo = set.stage.baseline(&["echo"]).await?;
        let work = Arc::new(Echoes);
        let echoed = closed::run(echo.port, &echo.program, load, &work).await?;
        echo.end();
        println!(
            "  {} of {}: {:.0} µs per confirm, {:.1} µs per echo ({:.0}/s)",
            pair + 1,
            plan.pairs,
            confirm.cpu_us,
            echoed.cpu_us,
            echoed.per_second
        );
        confirms.push(confirm.cpu_us);
        echoes.push(echoed.cpu_us);
    }
    set.end(place).await?;
    Ok(vec![Row::ratio(
        "R9",
        format!("{}, {} clients, spread", store.name(), plan.clients),
        "processor time of a confirm ÷ of a bare echo (c)",
        Side::new("confirm", "µs of CPU", confirms),
        Side::new("echo", "µs of CPU", echoes),
    )])
}

/// E: what the disk and the database allow whoever commits every row by itself.
#[expect(clippy::print_stdout, reason = "progress")]
pub(crate) async fn commits(place: &Place, plan: &Plan, store: Store) -> anyhow::Result<Vec<Row>> {
    if !plan.wants(&["E"]) {
        return Ok(Vec::new());
    }
    let stage = Stage::new(place, store, "bench_commits").await?;
    let mut rows = Vec::new();
    for committers in COMMITTERS {
        let mut samples = Vec::new();
        for _ in 0..plan.pairs {
            let rate = match store {
                Store::MySql => mysql(&stage.database_url, committers, plan.measure_ms).await?,
                Store::Sqlite => sqlite(&stage.database_url, committers, plan.measure_ms).await?,
            };
            println!("  {committers} connections: {rate:.0} commits/s");
            samples.push(rate);
        }
        rows.push(Row::plain(
            "E",
            format!("{}, {committers} connections", store.name()),
            "transactions of one row, one after the other",
            "commits/s",
            samples,
        ));
    }
    if let (Some(mysql), Store::MySql) = (&place.mysql, store) {
        mysql.drop_database("bench_commits").await?;
    }
    Ok(rows)
}

async fn mysql(url: &str, committers: usize, lasts: Duration) -> anyhow::Result<f64> {
    let mut conn = crate::mysql::connect(url).await?;
    conn.query_drop(
        "CREATE TABLE IF NOT EXISTS one_row (n BIGINT AUTO_INCREMENT PRIMARY KEY, v BIGINT NOT NULL)",
    )
    .await?;
    conn.disconnect().await?;
    let (start, mut tasks) = (Instant::now(), Vec::new());
    for _ in 0..committers {
        let mut conn = crate::mysql::connect(url).await?;
        tasks.push(tokio::spawn(async move {
            let mut count = 0_u32;
            while start.elapsed() < lasts {
                conn.exec_drop("INSERT INTO one_row (v) VALUES (?)", (count,))
                    .await?;
                count += 1;
            }
            conn.disconnect().await?;
            anyhow::Ok(count)
        }));
    }
    rate(start, tasks).await
}

/// Through the one port whose write is one row; SQLite takes one writer at a time anyway.
async fn sqlite(url: &str, committers: usize, lasts: Duration) -> anyhow::Result<f64> {
    let settings = DatabaseSettings::new(DatabaseUrl::parse(url)?);
    let users = Database::connect(&settings).await?.users();
    let (start, mut tasks) = (Instant::now(), Vec::new());
    for number in 1..=committers {
        let users = Arc::clone(&users);
        let id = UserId::new(i64::try_from(number)?)?;
        tasks.push(tokio::spawn(async move {
            let mut count = 0_u32;
            while start.elapsed() < lasts {
                let profile = UserProfile {
                    username: format!("user {count}"),
                    email: "bench@example.kr".to_owned(),
                };
                users
                    .put(id, &profile, "customer", SystemClock.now())
                    .await?;
                count += 1;
            }
            anyhow::Ok(count)
        }));
    }
    rate(start, tasks).await
}

async fn rate(
    start: Instant,
    tasks: Vec<tokio::task::JoinHandle<anyhow::Result<u32>>>,
) -> anyhow::Result<f64> {
    let mut commits = 0.0;
    for task in tasks {
        commits += f64::from(task.await??);
    }
    Ok(commits / start.elapsed().as_secs_f64())
}
