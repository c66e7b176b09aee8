//! `cargo xtask rolling`: builds the programs, starts MySQL if it is wanted, and lets the rolling
//! example replace one server after the other under load.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};
use clap::Args;

use crate::cargo::{self, Cargo};
use crate::mysql::Container;

/// What to restart, and how often.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How often each of the two servers is replaced
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// Clients that buy at once
    #[arg(long, default_value_t = 16)]
    clients: u64,
    /// How long the servers serve on after SIGTERM
    #[arg(long, default_value = "1s")]
    drain_delay: String,
    /// End servers with SIGKILL instead: requests fail, which shows that the run can
    #[arg(long)]
    kill: bool,
    /// On MySQL in a container (the image in `TEST_MYSQL_IMAGE`, or mysql:8.4); else on SQLite
    #[arg(long)]
    mysql: bool,
    /// Build for development instead of release
    #[arg(long)]
    dev: bool,
}

/// Builds and runs. Fails when one request failed.
pub(crate) fn run(root: &Path, options: &Options) -> anyhow::Result<()> {
    let profile = if options.dev { "dev" } else { "release" };
    let build = format!(
        "build --profile {profile} --package api-server --package toss-sandbox \
         --bin api-server --bin toss-sandbox --example rolling"
    );
    Cargo::line(&build).run(root)?;
    let folder = cargo::target(root).join(if options.dev { "debug" } else { "release" });
    let mut rolling = Command::new(folder.join("examples/rolling"));
    rolling.arg("--server").arg(folder.join("api-server"));
    rolling.arg("--sandbox").arg(folder.join("toss-sandbox"));
    rolling.args(["--rounds", &options.rounds.to_string()]);
    rolling.args(["--clients", &options.clients.to_string()]);
    rolling.args(["--drain-delay", &options.drain_delay]);
    if options.kill {
        rolling.arg("--kill");
    }
    let _container = if options.mysql {
        let container = Container::start("rolling")?;
        container.migrate(&folder)?;
        rolling.args(["--database-url", &container.url()]);
        Some(container)
    } else {
        None
    };
    let status = rolling.current_dir(root).status();
    let status = status.context("the rolling example did not start")?;
    ensure!(status.success(), "requests failed, see above");
    Ok(())
}
