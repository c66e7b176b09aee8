//! The server's ratios, measured on real programs: closed loops for what it carries, open loops for
//! what clients see, and small baselines beside it.
//!
//! Run it through `cargo xtask bench`, which builds the programs, starts MySQL and makes the report.

#[path = "../shared/child.rs"]
mod child;
#[path = "../shared/program.rs"]
mod program;

mod arrivals;
mod baseline;
mod capacity;
mod closed;
mod cpu;
mod mysql;
mod open;
mod plan;
mod reading;
mod round;
mod sample;
mod stage;
mod statements;
mod verdict;
mod wire;
mod work;

use clap::Parser;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::baseline::{EchoOptions, InTransactionOptions};
use crate::mysql::MySql;
use crate::plan::Plan;
use crate::sample::Row;
use crate::stage::Place;

#[derive(Debug, Parser)]
enum Command {
    /// Measure and write the rows
    Measure(Plan),
    /// Be baseline (c), a bare echo
    Echo(EchoOptions),
    /// Be baseline (b), which calls Toss inside its transaction
    InTransaction(InTransactionOptions),
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    drop(rustls::crypto::ring::default_provider().install_default());
    match Command::parse() {
        Command::Measure(plan) => measure(&plan).await,
        Command::Echo(options) => baseline::echo(&options).await,
        Command::InTransaction(options) => baseline::in_transaction(&options).await,
    }
}

#[expect(clippy::print_stdout, reason = "progress")]
async fn measure(plan: &Plan) -> anyhow::Result<()> {
    raise_file_limit()?;
    let mysql = plan.mysql_url.as_deref().map(MySql::of).transpose()?;
    let mut databases = Vec::new();
    if let Some(mysql) = &mysql {
        databases.push(format!("MySQL {}", mysql.version().await?));
    }
    let place = Place {
        server: plan.server.clone(),
        mysql,
        pool: plan.pool,
    };
    let mut rows: Vec<Row> = Vec::new();
    for store in place.stores().iter().copied() {
        println!("… {}", store.name());
        rows.extend(cpu::commits(&place, plan, store).await?);
        rows.extend(capacity::spread(&place, plan, store).await?);
        rows.extend(capacity::hot(&place, plan, store).await?);
        rows.extend(capacity::alone(&place, plan, store).await?);
        rows.extend(capacity::lines(&place, plan, store).await?);
        rows.extend(cpu::cpu(&place, plan, store).await?);
    }
    rows.extend(statements::statements(&place, plan).await?);
    println!("… arrivals by a schedule");
    rows.extend(arrivals::against_in_transaction(&place, plan).await?);
    rows.extend(arrivals::crowds(&place, plan).await?);
    rows.extend(capacity::size(&place, plan).await?);
    // A row of another id may have come with one that was wanted.
    rows.retain(|row| plan.wants(&[row.id]));
    anyhow::ensure!(
        !rows.is_empty(),
        "nothing of that name can be measured here"
    );
    sample::write(&plan.raw, &databases, &rows)
}

/// Thousands of connections wait for a slow gateway, at both ends of each program; the programs
/// inherit the limit.
fn raise_file_limit() -> anyhow::Result<()> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let limit = Rlimit {
        current: maximum,
        maximum,
    };
    Ok(setrlimit(Resource::Nofile, limit)?)
}
