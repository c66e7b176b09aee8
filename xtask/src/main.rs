#![doc = include_str!("../README.md")]

mod arrows;
mod backlog;
mod bench;
mod cargo;
mod chaos;
mod ci;
mod error_pages;
mod failover;
mod graph;
mod group;
mod mutants;
mod mysql;
mod rolling;
mod simulate;
mod surroundings;
mod test;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(
    name = "xtask",
    bin_name = "cargo xtask",
    about = "The project's own commands"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run every test that this machine can run, and say what is skipped and why
    Test(test::Options),
    /// Run everything that CI runs, stopping at the first failure
    Ci,
    /// Break servers, MySQL, network and sandbox under load, and compare the outcome with the bank's
    /// books
    Chaos(chaos::Options),
    /// Strand payments as a crash does, and measure how fast servers decide them and at what cost
    Backlog(backlog::BacklogOptions),
    /// Measure how long a payment stays undecided after each kind of fault
    Decide(backlog::DecideOptions),
    /// Replace two servers, one after the other, under load behind a proxy, and count failed requests
    Rolling(rolling::Options),
    /// Kill the primary of a MySQL replication group under load, and let the bank judge
    Failover(failover::Options),
    /// Measure what servers carry and what clients see, against other settings and small baselines
    ///
    /// Every ratio is measured in interleaved pairs on release builds and told with its range. All
    /// of it takes most of an hour; --quick and --only take less.
    Bench(bench::Options),
    /// Run the whole server under simulated faults; `cargo xtask simulate --help` says how
    Simulate(simulate::Options),
    /// Put known bugs into the source, one at a time, and show which test catches each
    ///
    /// The bugs are the patches in `xtask/mutants`. Each is planted in a copy of the working tree
    /// inside the target directory, and fails the command if no test catches it. All of them take
    /// most of an hour on two cores, and half as much again the first time, when the copy's
    /// dependencies are compiled: `--sample` takes a few. Bugs that only MySQL shows are left out
    /// where there is none.
    Mutants(mutants::Options),
    /// Check which crate depends on which
    Arrows,
    /// Check that every error code of the server has its page
    ErrorPages,
}

/// Prints the error itself: a backtrace of xtask says nothing about the project.
fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    let root = workspace_root()?;
    match command {
        Command::Test(options) => test::run(&root, &options),
        Command::Ci => ci::run(&root),
        Command::Chaos(options) => chaos::run(&root, &options),
        Command::Backlog(options) => backlog::run(&root, &options),
        Command::Decide(options) => backlog::decide(&root, &options),
        Command::Rolling(options) => rolling::run(&root, &options),
        Command::Failover(options) => failover::run(&root, &options),
        Command::Bench(options) => bench::run(&root, &options),
        Command::Simulate(options) => simulate::run(&root, &options),
        Command::Mutants(options) => mutants::run(&root, &options),
        Command::Arrows => arrows::run(&root),
        Command::ErrorPages => error_pages::run(&root),
    }
}

/// Every command works on the workspace it was built from, wherever it is called.
fn workspace_root() -> anyhow::Result<PathBuf> {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map(Path::to_path_buf)
        .context("xtask lies directly in the workspace's root")
}
