//! What a confirm asks of its database (S): statements, which are round trips, and commits.

use std::sync::Arc;
use std::time::Duration;

use crate::closed;
use crate::plan::Plan;
use crate::round::Furnished;
use crate::sample::{Row, Side};
use crate::stage::{Place, Store};
use crate::work::Confirms;

/// Confirmed before the count begins, so that connections are open and statements are prepared.
const WARM_UP: usize = 512;
/// Confirmed for the count, by each client.
const CONFIRMS_EACH: usize = 20;
/// At least so many, so that what the server asks by itself now and then does not show.
const CONFIRMS_MIN: usize = 400;

/// How long what follows an answer may take.
const SETTLES: Duration = Duration::from_millis(500);

/// S, on MySQL alone, which counts.
pub(crate) async fn statements(place: &Place, plan: &Plan) -> anyhow::Result<Vec<Row>> {
    if place.mysql.is_none() || !plan.wants(&["S"]) {
        return Ok(Vec::new());
    }
    let set = Furnished::new(place, Store::MySql, "bench_statements").await?;
    let mut rows = Vec::new();
    for (clients, group_commit) in [(1, true), (plan.clients, false), (plan.clients, true)] {
        let (mut statements, mut commits) = (Vec::new(), Vec::new());
        for _ in 0..plan.pairs {
            let asked = count(place, &set, clients, group_commit).await?;
            statements.push(asked[0]);
            commits.push(asked[1]);
        }
        let way = if group_commit { "on" } else { "off" };
        let case = format!("MySQL, {clients} clients, group commit {way}");
        let what = "statements per confirm, each a round trip; commits among them";
        let commits = Side::new("commits", "per confirm", commits);
        rows.push(Row::plain("S", case, what, "statements", statements).beside(commits));
    }
    set.end(place).await?;
    Ok(rows)
}

/// Statements and commits of one confirm.
#[expect(clippy::print_stdout, reason = "progress")]
async fn count(
    place: &Place,
    set: &Furnished,
    clients: usize,
    group_commit: bool,
) -> anyhow::Result<[f64; 2]> {
    let mysql = place.mysql.as_ref();
    let mysql = mysql.ok_or_else(|| anyhow::anyhow!("there is no MySQL"))?;
    let confirms = CONFIRMS_MIN.max(CONFIRMS_EACH * clients);
    let mut orders = set.prepare(WARM_UP + confirms).await?;
    let counted = orders.split_off(WARM_UP);
    let server = set.stage.start(group_commit).await?;
    set.warm_up(&server, orders).await?;
    // Sales are told after the answer.
    tokio::time::sleep(SETTLES).await;
    mysql.forget_asked().await?;
    let work = Arc::new(Confirms::new(counted));
    closed::exhaust(server.port, clients, &work).await?;
    tokio::time::sleep(SETTLES).await;
    let asked = mysql.asked("bench_statements").await?;
    server.end();
    let paid = work.paid();
    let count = f64::from(u32::try_from(paid.len())?);
    set.stage.note_paid(paid);
    let per_confirm = |asked: u64| anyhow::Ok(f64::from(u32::try_from(asked)?) / count);
    let each = [per_confirm(asked.statements)?, per_confirm(asked.commits)?];
    println!(
        "  {clients} clients, group commit {group_commit}: {:.2} statements, {:.2} commits per confirm",
        each[0], each[1]
    );
    Ok(each)
}
