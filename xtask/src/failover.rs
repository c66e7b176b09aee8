//! `cargo xtask failover`: a MySQL replication group in containers whose primary is killed and paused
//! while clients buy from two servers that know all its members, with the verdict of chaos.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use clap::Args;

use crate::group::Group;
use crate::{cargo, chaos};

/// How often to strike, and how many buy meanwhile.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// New primaries at least; by lot three of five after SIGKILL, the others after a pause
    #[arg(long, default_value_t = 5)]
    failovers: usize,
    /// Clients that buy at once
    #[arg(long, default_value_t = 16)]
    clients: u64,
    /// Chooses between kill and pause
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Build for development instead of release
    #[arg(long)]
    dev: bool,
    /// Also write the report to this file, as JSON
    #[arg(long)]
    report: Option<PathBuf>,
}

/// Builds, starts the group and runs. Fails on any break.
pub(crate) fn run(root: &Path, options: &Options) -> anyhow::Result<()> {
    let profile = if options.dev { "dev" } else { "release" };
    chaos::build(profile).run(root)?;
    let folder = cargo::folder(root, profile);
    let group = Group::start("failover")?;
    let mut migrate = Command::new(folder.join("api-server"));
    migrate.args(["migrate", "--database-url", &group.url()]);
    let migrated = migrate.current_dir(root).status();
    let migrated = migrated.context("the server program did not start")?;
    ensure!(migrated.success(), "the schema was not migrated, see above");
    let mut chaos = Command::new(folder.join("examples/chaos"));
    chaos.arg("--server").arg(folder.join("api-server"));
    chaos.arg("--sandbox").arg(folder.join("toss-sandbox"));
    chaos.args(["--database-url", &group.url()]);
    chaos.args(["--mysql-group", &group.members().join(",")]);
    for (flag, value) in [
        ("--failovers", options.failovers as u64),
        ("--clients", options.clients),
        ("--seed", options.seed),
    ] {
        chaos.args([flag, &value.to_string()]);
    }
    if let Some(report) = &options.report {
        chaos.arg("--report").arg(report);
    }
    let status = chaos.current_dir(root).status();
    let status = status.context("the chaos example did not start")?;
    ensure!(status.success(), "the failover did not end well, see above");
    Ok(())
}
