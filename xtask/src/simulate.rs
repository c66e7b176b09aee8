//! `cargo xtask simulate`: builds the simulation for release and hands its arguments on.

use std::{path::Path, process::Command};

use anyhow::Context as _;
use clap::Args;

use crate::cargo::{self, Cargo};

/// What runs the simulation. Built for release: a development build runs far fewer schedules a
/// second.
const RUN: &str = "run --release --package simulation --bin simulate --";

/// What CI builds: with the profile and the features of all its steps. The examples are of later
/// steps; naming one also brings in the features that tests give to dependencies, without which many
/// of them would be compiled again.
const CI_BUILD: &str = "build --profile ci --workspace --all-features --bin simulate \
     --example bench --example chaos";
/// What it runs.
const CI_SEEDS: &str = "10000";

/// What the simulation is asked to do.
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Options {
    /// Arguments of `simulate`, `--help` among them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Runs it. Fails when an invariant is broken; the simulation has said which, and how to replay it.
pub(crate) fn run(root: &Path, options: &Options) -> anyhow::Result<()> {
    call(options).run(root)
}

/// The random schedules of CI.
pub(crate) fn run_ci(root: &Path) -> anyhow::Result<()> {
    Cargo::line(CI_BUILD).run(root)?;
    let mut simulate = Command::new(cargo::folder(root, "ci").join("simulate"));
    let status = simulate
        .args(["--seeds", CI_SEEDS])
        .current_dir(root)
        .status();
    let status = status.context("the simulation did not start")?;
    anyhow::ensure!(
        status.success(),
        "the simulation did not end well, see above"
    );
    Ok(())
}

fn call(options: &Options) -> Cargo {
    Cargo::line(RUN).args(&options.arguments)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        options: Options,
    }

    #[test]
    fn ci_builds_it_like_its_tests() {
        assert!(CI_BUILD.contains(" --profile ci --workspace --all-features "));
    }

    #[test]
    fn every_argument_is_handed_on() {
        for line in [
            "",
            "--help",
            "--seed 27 --trace",
            "--mishap AnswerLost --crash-at 5,40 --mutant NoFence --trace",
        ] {
            let words = line.split_whitespace();
            let cli = Cli::try_parse_from(std::iter::once("simulate").chain(words)).unwrap();
            let expected = format!("cargo {RUN} {line}");
            assert_eq!(
                call(&cli.options).to_string().trim_end(),
                expected.trim_end()
            );
        }
    }
}
