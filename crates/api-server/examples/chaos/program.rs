//! Programs that are killed, paused and started again.

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, ExitStatus};

use rustix::process::{Pid, Signal, kill_process};

use crate::child::KilledOnDrop;

/// A program that is killed when this is dropped.
pub(crate) struct Program(KilledOnDrop);

impl Program {
    pub(crate) fn start(command: &mut Command, log: &Path) -> anyhow::Result<Self> {
        KilledOnDrop::start(command, log).map(Self)
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.0.0.try_wait().ok().flatten()
    }

    /// SIGKILL. Whether that, and nothing before it, ended the program.
    pub(crate) fn kill(&mut self) -> bool {
        if self.ended().is_some() {
            return false;
        }
        drop(self.0.0.kill());
        self.0.0.wait().is_ok()
    }

    /// SIGSTOP: it stands still, with all that it holds.
    pub(crate) fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// SIGCONT.
    pub(crate) fn resume(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.0.0.id()).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid {
            // It may have ended; it is not waited for yet, so the number is still its own.
            let _ = kill_process(pid, signal);
        }
    }
}

/// Whether a program ended by SIGKILL.
pub(crate) fn was_killed(status: ExitStatus) -> bool {
    status.signal() == Some(Signal::KILL.as_raw())
}
