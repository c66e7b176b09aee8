#![doc = include_str!("../README.md")]

mod arrows;
mod cargo;
mod chaos;
mod ci;
mod error_pages;
mod graph;
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
    /// Kill servers (and MySQL) under load, and compare the outcome with the bank's books
    Chaos(chaos::Options),
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
