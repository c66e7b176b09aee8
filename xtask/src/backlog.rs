//! `cargo xtask backlog` and `cargo xtask decide`: build the programs, start MySQL if it is wanted,
//! and let the backlog example measure recovery.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};
use clap::Args;

use crate::cargo::{self, Cargo};
use crate::mysql::Container;

/// What both have in common.
#[derive(Debug, Args)]
struct Surroundings {
    /// On MySQL in a container (the image in `TEST_MYSQL_IMAGE`, or mysql:8.4); else on SQLite
    #[arg(long)]
    mysql: bool,
    /// Build for development instead of release
    #[arg(long)]
    dev: bool,
    /// Also write the report's lines to the end of this file
    #[arg(long)]
    report: Option<PathBuf>,
}

/// What to strand, and who recovers it.
#[derive(Debug, Args)]
pub(crate) struct BacklogOptions {
    /// Stuck payments; at most 2000 on SQLite
    #[arg(long, default_value_t = 100_000)]
    payments: usize,
    /// How long the gateway takes for every call, in milliseconds
    #[arg(long, default_value_t = 0)]
    gateway_delay_ms: u64,
    /// Servers that share the work: a measurement for each number
    #[arg(long, default_value = "1")]
    instances: String,
    /// Payments that one server recovers at once
    #[arg(long, default_value_t = 32)]
    concurrency: u32,
    /// Database connections of one server
    #[arg(long, default_value_t = 10)]
    pool: u32,
    #[command(flatten)]
    surroundings: Surroundings,
}

/// How much to measure.
#[derive(Debug, Args)]
pub(crate) struct DecideOptions {
    /// Payments that must have been undecided, for each kind of fault
    #[arg(long, default_value_t = 100)]
    payments: usize,
    /// Chooses moments
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    surroundings: Surroundings,
}

/// Drains a backlog. Fails on any break.
pub(crate) fn run(root: &Path, options: &BacklogOptions) -> anyhow::Result<()> {
    let arguments = [
        ("--payments", options.payments.to_string()),
        ("--gateway-delay-ms", options.gateway_delay_ms.to_string()),
        ("--instances", options.instances.clone()),
        ("--concurrency", options.concurrency.to_string()),
        ("--pool", options.pool.to_string()),
    ];
    measure(root, &options.surroundings, "drain", &arguments)
}

/// Measures the time to a decision. Fails when a kind of fault misses the bound.
pub(crate) fn decide(root: &Path, options: &DecideOptions) -> anyhow::Result<()> {
    let arguments = [
        ("--payments", options.payments.to_string()),
        ("--seed", options.seed.to_string()),
    ];
    measure(root, &options.surroundings, "decide", &arguments)
}

fn measure(
    root: &Path,
    surroundings: &Surroundings,
    what: &str,
    arguments: &[(&str, String)],
) -> anyhow::Result<()> {
    let profile = if surroundings.dev { "dev" } else { "release" };
    let build = format!(
        "build --profile {profile} --package api-server --bin api-server --example backlog"
    );
    Cargo::line(&build).run(root)?;
    let folder = cargo::target(root).join(if surroundings.dev { "debug" } else { "release" });
    let mut example = Command::new(folder.join("examples/backlog"));
    example.arg("--server").arg(folder.join("api-server"));
    if let Some(report) = &surroundings.report {
        example.arg("--report").arg(report);
    }
    let container = surroundings
        .mysql
        .then(|| Container::start("backlog"))
        .transpose()?;
    if let Some(container) = &container {
        example.args(["--mysql-container", &container.name]);
        example.args(["--mysql-port", &container.port.to_string()]);
    }
    example.arg(what);
    for (flag, value) in arguments {
        example.arg(flag).arg(value);
    }
    let status = example
        .current_dir(root)
        .status()
        .context("the backlog example did not start")?;
    if status.success() {
        Ok(())
    } else {
        bail!("see above")
    }
}
