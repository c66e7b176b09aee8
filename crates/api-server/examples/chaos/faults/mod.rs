//! The storm: what is broken while clients buy. Each kind of fault goes its own way, with its own
//! random numbers, until it is told to stop, and then puts its part back in order.

mod bank;
mod group;
mod mysql;
mod network;
mod servers;

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::ensure;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use tokio::task::JoinSet;

use crate::stage::Stage;

/// What every kind of fault needs.
pub(crate) struct Storm {
    stage: Arc<Stage>,
    over: Arc<AtomicBool>,
    random: SmallRng,
}

impl Storm {
    fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    /// Waits between so many milliseconds, or until the storm is over.
    async fn pause(&mut self, milliseconds: std::ops::Range<u64>) {
        let mut left = self.random.random_range(milliseconds);
        while left > 0 && !self.is_over() {
            let step = left.min(100);
            tokio::time::sleep(Duration::from_millis(step)).await;
            left -= step;
        }
    }
}

/// Begins all faults that the stage allows. They end some time after `over` is set.
pub(crate) fn begin(stage: &Arc<Stage>, over: &Arc<AtomicBool>) -> JoinSet<anyhow::Result<()>> {
    let storm = |kind: u64| Storm {
        stage: Arc::clone(stage),
        over: Arc::clone(over),
        random: SmallRng::seed_from_u64(stage.options.seed ^ (kind << 48)),
    };
    let mut faults = JoinSet::new();
    if !stage.options.mysql_group.is_empty() {
        faults.spawn(group::fail_over(storm(6)));
        return faults;
    }
    faults.spawn(servers::kill(storm(1)));
    faults.spawn(bank::confuse(storm(2)));
    faults.spawn(bank::kill(storm(3)));
    if stage.options.on_mysql() {
        faults.spawn(mysql::kill(storm(4)));
        faults.spawn(network::cut(storm(5)));
    }
    faults
}

/// Runs docker; returns what it printed.
async fn docker(arguments: &[&str]) -> anyhow::Result<String> {
    let arguments: Vec<_> = arguments.iter().map(ToString::to_string).collect();
    let line = arguments.join(" ");
    let run = move || {
        let mut docker = Command::new("docker");
        docker.args(arguments).stderr(Stdio::null()).output()
    };
    let output = tokio::task::spawn_blocking(run).await??;
    ensure!(output.status.success(), "docker {line} failed");
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
