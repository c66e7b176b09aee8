//! Child processes of cargo.

use std::{
    env,
    ffi::{OsStr, OsString},
    fmt,
    path::{Path, PathBuf},
    process,
};

use anyhow::Context as _;

/// Where cargo puts what it builds in the workspace at `root`.
pub(crate) fn target(root: &Path) -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), Into::into)
}

/// Where in there programs of this profile are.
pub(crate) fn folder(root: &Path, profile: &str) -> PathBuf {
    target(root).join(if profile == "dev" { "debug" } else { profile })
}

/// One call of cargo that can be shown to a person as they would type it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cargo {
    args: Vec<String>,
    env: Vec<(&'static str, &'static str)>,
}

impl Cargo {
    /// Splits the line at blanks: no argument of ours holds one.
    pub(crate) fn line(line: &str) -> Self {
        Self {
            args: line.split_whitespace().map(str::to_owned).collect(),
            env: Vec::new(),
        }
    }

    pub(crate) fn args<'a>(mut self, args: impl IntoIterator<Item = &'a String>) -> Self {
        self.args.extend(args.into_iter().cloned());
        self
    }

    pub(crate) fn env(mut self, name: &'static str, value: &'static str) -> Self {
        self.env.push((name, value));
        self
    }

    /// Runs it in `directory` with this process's output, and fails if it fails.
    pub(crate) fn run(&self, directory: &Path) -> anyhow::Result<()> {
        let status = self
            .command(directory)
            .status()
            .with_context(|| format!("could not start `{self}`"))?;
        anyhow::ensure!(status.success(), "`{self}` failed ({status})");
        Ok(())
    }

    /// The call as a command in `directory`, for whoever wants its output.
    pub(crate) fn command(&self, directory: &Path) -> process::Command {
        let program = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = process::Command::new(program);
        command
            .current_dir(directory)
            .args(&self.args)
            .envs(self.env.iter().copied());
        for name in inherited_from_cargo_run(env::vars_os().map(|(name, _)| name)) {
            command.env_remove(name);
        }
        command
    }
}

impl fmt::Display for Cargo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.env {
            write!(f, "{name}=\"{value}\" ")?;
        }
        write!(f, "cargo {}", self.args.join(" "))
    }
}

/// What `cargo run` sets for xtask itself. Build scripts of dependencies (ring's, for one) ask
/// to be run again when these change, so handing them on would rebuild half the graph each time
/// a person alternates between `cargo xtask` and plain cargo.
fn inherited_from_cargo_run(
    names: impl Iterator<Item = OsString>,
) -> impl Iterator<Item = OsString> {
    names.filter(|name| {
        let name = name.as_os_str();
        name == OsStr::new("CARGO_BIN_NAME")
            || name == OsStr::new("CARGO_CRATE_NAME")
            || name.to_str().is_some_and(|name| {
                name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
            })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_shown_as_it_would_be_typed() {
        let call = Cargo::line("doc --workspace").env("RUSTDOCFLAGS", "-D warnings");
        assert_eq!(
            call.to_string(),
            "RUSTDOCFLAGS=\"-D warnings\" cargo doc --workspace"
        );
    }

    #[test]
    fn what_cargo_run_sets_for_xtask_is_not_handed_on() {
        let names = [
            "CARGO_PKG_NAME",
            "CARGO_MANIFEST_DIR",
            "CARGO_TARGET_DIR",
            "CARGO",
            "PATH",
        ];
        let removed: Vec<_> = inherited_from_cargo_run(names.iter().map(OsString::from)).collect();
        assert_eq!(removed, ["CARGO_PKG_NAME", "CARGO_MANIFEST_DIR"]);
    }
}
