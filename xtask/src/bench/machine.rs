//! What was measured, and on what.

use std::{fs, path::Path, process::Command, thread};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

/// The machine and the versions.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) cores: usize,
    pub(crate) processor: String,
    pub(crate) memory_gib: u64,
    pub(crate) kernel: String,
    /// Processes that wanted to run before the measurement began, in the minute before.
    pub(crate) load_before: String,
    pub(crate) rustc: String,
    pub(crate) databases: Vec<String>,
    /// With a `+` when the working tree was not that of the commit.
    pub(crate) commit: String,
}

impl Machine {
    pub(crate) fn look(root: &Path) -> anyhow::Result<Self> {
        let said = |program: &str, arguments: &[&str]| {
            let mut command = Command::new(program);
            let output = command.args(arguments).current_dir(root).output();
            let output = output.with_context(|| format!("{program} did not start"))?;
            anyhow::Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
        };
        let changed = said("git", &["status", "--porcelain", "--untracked-files=no"])?;
        let commit = said("git", &["rev-parse", "--short=12", "HEAD"])?;
        let lock = fs::read_to_string(root.join("Cargo.lock"))?;
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        Ok(Self {
            cores: thread::available_parallelism()?.get(),
            processor: field(&read("/proc/cpuinfo"), "model name"),
            memory_gib: kib(&field(&read("/proc/meminfo"), "MemTotal")).div_ceil(1024 * 1024),
            kernel: said("uname", &["-sr"])?,
            load_before: load.split(' ').next().unwrap_or_default().to_owned(),
            rustc: said("rustc", &["--version"])?,
            databases: sqlite(&lock).into_iter().collect(),
            commit: if changed.is_empty() {
                commit
            } else {
                format!("{commit}+")
            },
        })
    }

    /// One sentence.
    pub(crate) fn sentence(&self) -> String {
        format!(
            "{} cores ({}), {} GiB, {}, {}; {}; load before {}.",
            self.cores,
            self.processor,
            self.memory_gib,
            self.kernel,
            self.rustc,
            self.databases.join(", "),
            self.load_before
        )
    }
}

/// Empty where there is no such file; a report without a processor's name is still one.
fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// The value of the first line `name : value`.
fn field(text: &str, name: &str) -> String {
    let mut values = text.lines().filter_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim().to_owned())
    });
    values.next().unwrap_or_default()
}

/// `123 kB`.
fn kib(value: &str) -> u64 {
    let number = value.split(' ').next().unwrap_or_default();
    number.parse().unwrap_or(0)
}

/// The crate that brings SQLite's source along names its version.
fn sqlite(lock: &str) -> Option<String> {
    let (_, rest) = lock.split_once("name = \"libsqlite3-sys\"\nversion = \"")?;
    let (version, _) = rest.split_once('"')?;
    Some(format!("SQLite of libsqlite3-sys {version}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_linux_tells_is_found() {
        let cpuinfo = "processor\t: 0\nmodel name\t: Fast CPU @ 3 GHz\n\nmodel name\t: Other\n";
        assert_eq!(field(cpuinfo, "model name"), "Fast CPU @ 3 GHz");
        let meminfo = "MemTotal:       24576000 kB\nMemFree: 1 kB\n";
        assert_eq!(kib(&field(meminfo, "MemTotal")), 24_576_000);
        assert_eq!(field("", "model name"), "");
    }

    #[test]
    fn the_lock_file_names_sqlite() {
        let lock = "[[package]]\nname = \"libsqlite3-sys\"\nversion = \"0.35.0\"\nsource = \"x\"\n";
        assert_eq!(sqlite(lock).unwrap(), "SQLite of libsqlite3-sys 0.35.0");
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let ours = fs::read_to_string(root.join("Cargo.lock")).unwrap();
        assert!(sqlite(&ours).is_some());
    }
}
