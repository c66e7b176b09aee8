//! Building and running one crate's tests in the copy.
//!
//! The test programs are run directly instead of by `cargo test`: compiling is not charged to the
//! time limit, a bug that does not compile cannot pass for one that was caught, and the programs
//! can be ended.

use std::{
    fs::{self, File},
    io::{BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use cargo_metadata::{Message, TargetKind};

use super::{
    patch::{Part, Suite},
    verdict::{Outcome, failed_tests, slow_tests},
    workspace::Workspace,
};
use crate::cargo::Cargo;

/// How often a running test program is looked at.
const POLL: Duration = Duration::from_millis(50);

/// Runs tests in the copy.
pub(super) struct Runner<'a> {
    workspace: &'a Workspace,
    time_limit: Duration,
}

/// A compiled test program.
struct Program {
    executable: PathBuf,
    /// The package's directory, in which cargo runs tests.
    directory: PathBuf,
    /// Whether it is an integration test; the others are quicker and go first.
    integration: bool,
}

impl<'a> Runner<'a> {
    pub(super) fn new(workspace: &'a Workspace, time_limit: Duration) -> anyhow::Result<Self> {
        anyhow::ensure!(!time_limit.is_zero(), "the time limit is zero");
        Ok(Self {
            workspace,
            time_limit,
        })
    }

    /// Builds and runs a suite. What it prints goes to a log whose name begins with `occasion`.
    pub(super) fn run(&self, suite: &Suite, occasion: &str) -> anyhow::Result<Outcome> {
        let log = format!("{occasion}.{suite}.txt").replace(' ', "-");
        let log = self.workspace.logs.join(log);
        let Some(programs) = self.build(suite, &log)? else {
            return Ok(Outcome::DoesNotCompile { log });
        };
        anyhow::ensure!(!programs.is_empty(), "{suite} has no tests");
        let deadline = Instant::now() + self.time_limit;
        for program in programs {
            let status = self.start(&program, suite, &log, deadline)?;
            let printed = fs::read(&log)?;
            let printed = String::from_utf8_lossy(&printed);
            match status {
                None => return Ok(Outcome::TimedOut(slow_tests(&printed))),
                Some(status) if !status.success() => {
                    return Ok(Outcome::Failed(failed_tests(&printed)));
                }
                Some(_) => {}
            }
        }
        Ok(Outcome::Passed)
    }

    /// `None` when it does not compile.
    fn build(&self, suite: &Suite, log: &Path) -> anyhow::Result<Option<Vec<Program>>> {
        let targets = match suite.part {
            Part::All => "--tests",
            Part::Unit => "--lib",
            Part::Integration => "--test it",
        };
        let call = Cargo::line(&format!("test --all-features --no-run {targets}")).args(&[
            "--message-format=json-render-diagnostics".to_owned(),
            "--package".to_owned(),
            suite.package.clone(),
        ]);
        let mut child = call
            .command(&self.workspace.root)
            .env("CARGO_TARGET_DIR", &self.workspace.target)
            .stdout(Stdio::piped())
            .stderr(File::create(log)?)
            .spawn()
            .with_context(|| format!("could not start `{call}`"))?;
        let output = child.stdout.take().context("the output is piped")?;
        let mut programs = Vec::new();
        for message in Message::parse_stream(BufReader::new(output)) {
            if let Message::CompilerArtifact(artifact) = message?
                && artifact.profile.test
                && let Some(executable) = artifact.executable
            {
                let directory = artifact.manifest_path.parent().context("no directory")?;
                programs.push(Program {
                    executable: executable.into(),
                    directory: directory.into(),
                    integration: artifact.target.kind.contains(&TargetKind::Test),
                });
            }
        }
        programs.sort_by_key(|program| program.integration);
        Ok(child.wait()?.success().then_some(programs))
    }

    /// `None` when the time is over.
    fn start(
        &self,
        program: &Program,
        suite: &Suite,
        log: &Path,
        deadline: Instant,
    ) -> anyhow::Result<Option<ExitStatus>> {
        let mut log = File::options().append(true).open(log)?;
        writeln!(log, "running {}", program.executable.display())?;
        let mut command = Command::new(&program.executable);
        command
            .args(&suite.filters)
            .current_dir(&program.directory)
            .env("CARGO_TARGET_DIR", &self.workspace.target)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        // A group of its own, so that the servers it has started end with it.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn()?;
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(Some(status));
            }
            if Instant::now() >= deadline {
                end(&mut child)?;
                return Ok(None);
            }
            thread::sleep(POLL);
        }
    }
}

/// Ends the program and what it has started.
fn end(child: &mut Child) -> anyhow::Result<()> {
    if cfg!(unix) {
        let group = format!("-{}", child.id());
        Command::new("kill")
            .args(["-KILL", "--", &group])
            .status()?;
    } else {
        child.kill()?;
    }
    child.wait()?;
    Ok(())
}
