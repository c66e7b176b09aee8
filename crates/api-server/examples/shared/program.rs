//! A server program, and what the kernel knows of it.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Context;

use crate::child::KilledOnDrop;

/// `USER_HZ`, which Linux fixes for `/proc`.
const TICKS_PER_SECOND: u64 = 100;

/// A running program, killed when this is dropped.
pub(crate) struct Program(KilledOnDrop);

/// What a program has used so far.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    /// The most memory that was resident at once.
    pub(crate) resident_max_kib: u64,
    /// User and system time.
    pub(crate) cpu: Duration,
}

impl Program {
    /// Starts it, with its output at the end of `log`.
    pub(crate) fn start(command: &mut Command, log: &Path) -> anyhow::Result<Self> {
        KilledOnDrop::start(command, log).map(Self)
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        drop(self.0.0.kill());
        drop(self.0.0.wait());
    }

    pub(crate) fn usage(&self) -> anyhow::Result<Usage> {
        let folder = format!("/proc/{}", self.0.0.id());
        let status = std::fs::read_to_string(format!("{folder}/status"))?;
        let peak = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .and_then(|rest| rest.split_whitespace().next())
            .context("no VmHWM")?;
        let stat = std::fs::read_to_string(format!("{folder}/stat"))?;
        // The name, in parentheses, may hold anything; `utime` and `stime` are fields 14 and 15.
        let (_, rest) = stat.rsplit_once(") ").context("an unreadable stat")?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let ticks = fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
        Ok(Usage {
            resident_max_kib: peak.parse()?,
            cpu: Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND),
        })
    }
}
