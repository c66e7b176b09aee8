//! Recovery, measured on real programs: how fast a backlog of stuck payments is decided and what it
//! costs (`drain`), and how long one stuck payment waits after its fault (`decide`).
//!
//! Run it through `cargo xtask backlog` and `cargo xtask decide`, which build the programs and start
//! MySQL.

#![expect(clippy::print_stdout, reason = "its report")]

#[path = "../shared/child.rs"]
mod child;
mod decide;
mod drain;
#[path = "../shared/program.rs"]
mod program;
mod stage;
mod strand;
mod verdict;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// What both measurements need.
#[derive(Debug, Parser)]
struct Options {
    /// The server program.
    #[arg(long)]
    server: PathBuf,
    /// The container of a MySQL server whose root needs no password; without it, SQLite.
    #[arg(long, requires = "mysql_port")]
    mysql_container: Option<String>,
    /// Its port on loopback.
    #[arg(long)]
    mysql_port: Option<u16>,
    /// Also write the report's lines to the end of this file.
    #[arg(long)]
    report: Option<PathBuf>,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Strand payments as a crash does, then start servers and wait until all are decided
    Drain(drain::Options),
    /// Cause one kind of fault at a time, and take the time from its end to the decision
    Decide(decide::Options),
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    drop(rustls::crypto::ring::default_provider().install_default());
    let options = Options::parse();
    let place = stage::Place {
        server: options.server,
        mysql: options.mysql_container.zip(options.mysql_port),
        report: options.report,
    };
    match options.what {
        What::Drain(options) => drain::run(&place, &options).await,
        What::Decide(options) => decide::run(&place, &options).await,
    }
}
