//! `cargo xtask chaos`: builds the programs, starts MySQL if it is wanted, and lets the chaos
//! example kill them.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use clap::Args;

use crate::cargo::Cargo;

/// The port of the MySQL container on loopback.
const MYSQL_PORT: u16 = 13_306;
const MYSQL_CONTAINER: &str = "payment-server-chaos";

/// What to kill, and for how long.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How long faults last, in seconds
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Clients that buy at once
    #[arg(long, default_value_t = 16)]
    clients: u64,
    /// Chooses victims and pauses
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// On MySQL in a container (the image in `TEST_MYSQL_IMAGE`, or mysql:8.4), which is killed too; else on SQLite
    #[arg(long)]
    mysql: bool,
    /// Build for development instead of release
    #[arg(long)]
    dev: bool,
}

/// Builds and runs. Fails on any break.
pub(crate) fn run(root: &Path, options: &Options) -> anyhow::Result<()> {
    let profile = if options.dev { "dev" } else { "release" };
    build(root, profile)?;
    let folder = target(root).join(if options.dev { "debug" } else { "release" });
    let mut chaos = Command::new(folder.join("examples/chaos"));
    chaos.arg("--server").arg(folder.join("api-server"));
    chaos.arg("--sandbox").arg(folder.join("toss-sandbox"));
    for (flag, value) in [
        ("--seconds", options.seconds),
        ("--clients", options.clients),
        ("--seed", options.seed),
    ] {
        chaos.arg(flag).arg(value.to_string());
    }
    let _container = if options.mysql {
        let container = Container::start()?;
        migrate(&folder)?;
        chaos.args([
            "--database-url",
            &url(),
            "--mysql-container",
            MYSQL_CONTAINER,
        ]);
        Some(container)
    } else {
        None
    };
    let status = chaos
        .current_dir(root)
        .status()
        .context("the chaos example did not start")?;
    if status.success() {
        Ok(())
    } else {
        bail!("chaos found breaks, see above")
    }
}

fn build(root: &Path, profile: &str) -> anyhow::Result<()> {
    for what in [
        "--package api-server --bin api-server --example chaos",
        "--package toss-sandbox --bin toss-sandbox",
    ] {
        Cargo::line(&format!("build --profile {profile} {what}")).run(root)?;
    }
    Ok(())
}

fn target(root: &Path) -> std::path::PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), Into::into)
}

fn url() -> String {
    format!("mysql://root@127.0.0.1:{MYSQL_PORT}/chaos")
}

/// Brings the schema up to date as soon as MySQL answers.
fn migrate(folder: &Path) -> anyhow::Result<()> {
    let deadline = Instant::now() + Duration::from_secs(90);
    loop {
        let mut migrate = Command::new(folder.join("api-server"));
        migrate.args(["migrate", "--database-url", &url()]);
        let output = migrate.stdin(Stdio::null()).output()?;
        if output.status.success() {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!(
                "MySQL did not come up: {}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
        std::thread::sleep(Duration::from_secs(1));
    }
}

/// A MySQL container that is removed when this is dropped.
struct Container;

impl Container {
    fn start() -> anyhow::Result<Self> {
        let image = std::env::var("TEST_MYSQL_IMAGE").unwrap_or_else(|_| "mysql:8.4".to_owned());
        let publish = format!("127.0.0.1:{MYSQL_PORT}:3306");
        let container = Self;
        let status = Command::new("docker")
            .args([
                "run",
                "--detach",
                "--name",
                MYSQL_CONTAINER,
                "--publish",
                &publish,
            ])
            .args([
                "--env",
                "MYSQL_ALLOW_EMPTY_PASSWORD=1",
                "--env",
                "MYSQL_DATABASE=chaos",
                &image,
            ])
            .stdout(Stdio::null())
            .status()
            .context("docker is needed for --mysql")?;
        if status.success() {
            Ok(container)
        } else {
            bail!("the container of {image} did not start")
        }
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let remove = Command::new("docker")
            .args(["rm", "--force", "--volumes", MYSQL_CONTAINER])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        drop(remove);
    }
}
