//! `cargo xtask ci`: the steps, and the runner that times them and stops at the first failure.
//!
//! # Why these calls of cargo
//! Compiling the dependencies is most of a cold run, so the steps share as much of it as they
//! can. Nothing sets `RUSTFLAGS`, which would split everything. All name one profile, `ci`, and
//! clippy, tests, doc tests and programs the same packages and features, so the feature resolver
//! answers them alike: clippy leaves checked dependencies behind that the later checks and rustdoc
//! read, and tests, simulation, chaos and bench share one compiled set.
//!
//! "Each crate and each feature alone" is `cargo check -p` with default features and without dev-dependencies:
//! what a user of one crate, or `cargo run`, builds. It finds a crate that compiles only because
//! a neighbour switches on a feature of a shared dependency, and it costs a check of the few
//! dependencies whose features then differ. The tests of each crate are run once, in the step
//! for all tests; running them again per package would link every test binary twice.
//!
//! The profile is an optimised one. Ten thousand schedules cannot be had otherwise: a development
//! build runs fewer than ten a second. Chaos breaks programs by real time, and unoptimised ones would
//! be at another place when they are struck. So the tests are optimised too, and no dependency is
//! compiled twice.
//!
//! The last step is a short run of the benchmarks. It shows that they run and that nothing goes wrong
//! under load; what they measure is not looked at, because a machine of CI is as slow as its neighbours
//! make it.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use crate::{
    arrows, bench, cargo::Cargo, chaos, error_pages, graph::Graph, simulate,
    surroundings::Surroundings,
};

/// The features of `toss-client`, which other teams take alone: each must compile without the
/// rest, and the empty one is none at all.
const CLIENT_FEATURES: [&str; 7] = [
    "", "rustls", "payouts", "brandpay", "webhooks", "blocking", "testing",
];

/// One thing that must hold.
struct Step {
    title: &'static str,
    work: Work,
}

enum Work {
    /// Calls of cargo, in order.
    Calls(Vec<Cargo>),
    /// A check of our own, and the command that repeats it.
    Check {
        check: fn(&Path) -> anyhow::Result<()>,
        repeat: &'static str,
    },
}

/// A failed step: what went wrong, and the command that shows it again.
#[derive(Debug)]
struct Failure {
    error: anyhow::Error,
    repeat: String,
}

/// How a run ended: the time of each step that was started, and the failure that ended it.
#[derive(Debug)]
struct Outcome {
    timings: Vec<(&'static str, Duration)>,
    failure: Option<Failure>,
}

/// Runs every step on the workspace at `root`.
#[expect(clippy::print_stdout, reason = "a command line tool speaks on stdout")]
pub(crate) fn run(root: &Path) -> anyhow::Result<()> {
    println!("{}", Surroundings::look().report()?);
    let mut members: Vec<String> = Graph::read(root)?
        .members()
        .map(|package| package.name.clone())
        .collect();
    members.sort();
    let steps = steps(&members);
    let outcome = run_steps(
        &steps,
        |line| println!("{line}"),
        |step| step.work.run(root),
    );
    println!("{}", summary(&steps, &outcome));
    match outcome.failure {
        None => Ok(()),
        Some(failure) => Err(failure.error),
    }
}

/// The cheap steps come first, so that a slip costs seconds.
fn steps(members: &[String]) -> Vec<Step> {
    let crates = members
        .iter()
        .map(|member| Cargo::line("check --profile ci --package").args([member]));
    let features = CLIENT_FEATURES.iter().map(|feature| {
        Cargo::line(&format!(
            "check --profile ci --package toss-client --no-default-features --features={feature}"
        ))
    });
    let alone = crates.chain(features).collect();
    let check = |title, check, repeat| Step {
        title,
        work: Work::Check { check, repeat },
    };
    let calls = |title, calls| Step {
        title,
        work: Work::Calls(calls),
    };
    let call = |title, line| calls(title, vec![Cargo::line(line)]);
    vec![
        call("format", "fmt --all --check"),
        check("crate arrows", arrows::run, "cargo xtask arrows"),
        check("error pages", error_pages::run, "cargo xtask error-pages"),
        call(
            "clippy",
            "clippy --profile ci --workspace --all-features --all-targets -- -D warnings",
        ),
        calls("each crate and each feature alone", alone),
        // Who depends on the client alone gets what this packs. Compiling it again is left out.
        call(
            "client as a package",
            "package --package toss-client --allow-dirty --no-verify",
        ),
        call(
            "all tests",
            "test --profile ci --workspace --all-features --lib --bins --tests",
        ),
        call(
            "doc tests",
            "test --profile ci --workspace --all-features --doc",
        ),
        calls(
            "documentation",
            vec![
                Cargo::line("doc --profile ci --workspace --all-features --no-deps")
                    .env("RUSTDOCFLAGS", "-D warnings"),
            ],
        ),
        check(
            "simulation",
            simulate::run_ci,
            "cargo xtask simulate --seeds 10000",
        ),
        check(
            "chaos, short",
            chaos::run_short,
            "cargo xtask chaos --short",
        ),
        check(
            "bench, smoke",
            bench::run_smoke,
            "cargo xtask bench --smoke",
        ),
    ]
}

impl Work {
    fn run(&self, root: &Path) -> Result<(), Failure> {
        match self {
            Self::Calls(calls) => calls.iter().try_for_each(|call| {
                call.run(root).map_err(|error| Failure {
                    error,
                    repeat: call.to_string(),
                })
            }),
            Self::Check { check, repeat } => check(root).map_err(|error| Failure {
                error,
                repeat: (*repeat).to_owned(),
            }),
        }
    }
}

/// Runs the steps in order with a header line each; nothing after the first failure.
fn run_steps(
    steps: &[Step],
    mut say: impl FnMut(&str),
    mut work: impl FnMut(&Step) -> Result<(), Failure>,
) -> Outcome {
    let mut outcome = Outcome {
        timings: Vec::new(),
        failure: None,
    };
    for (index, step) in steps.iter().enumerate() {
        say(&format!(
            "\n==> [{}/{}] {}",
            index + 1,
            steps.len(),
            step.title
        ));
        let start = Instant::now();
        let result = work(step);
        let took = start.elapsed();
        outcome.timings.push((step.title, took));
        say(&format!("<== {}: {:.1} s", step.title, took.as_secs_f64()));
        if let Err(failure) = result {
            outcome.failure = Some(failure);
            break;
        }
    }
    outcome
}

/// A table of the steps with their seconds, the total, and on failure what to do next.
fn summary(steps: &[Step], outcome: &Outcome) -> String {
    let mut lines = vec!["\nsummary".to_owned()];
    for (index, step) in steps.iter().enumerate() {
        let last = index + 1 == outcome.timings.len();
        lines.push(match outcome.timings.get(index) {
            None => format!("  not run             {}", step.title),
            Some((_, took)) => {
                let word = if last && outcome.failure.is_some() {
                    "FAILED"
                } else {
                    "ok"
                };
                format!("  {word:<6} {:>9.1} s  {}", took.as_secs_f64(), step.title)
            }
        });
    }
    let total: Duration = outcome.timings.iter().map(|(_, took)| *took).sum();
    lines.push(format!("  total  {:>9.1} s", total.as_secs_f64()));
    if let Some(failure) = &outcome.failure {
        lines.push(format!("repeat it with: {}", failure.repeat));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three_steps() -> Vec<Step> {
        ["first", "second", "third"]
            .map(|title| Step {
                title,
                work: Work::Calls(Vec::new()),
            })
            .into()
    }

    fn calls(steps: &[Step]) -> Vec<String> {
        let calls = steps.iter().flat_map(|step| match &step.work {
            Work::Calls(calls) => calls.as_slice(),
            Work::Check { .. } => &[],
        });
        calls.map(ToString::to_string).collect()
    }

    #[test]
    fn nothing_runs_after_the_first_failure_and_the_summary_says_how_to_repeat_it() {
        let steps = three_steps();
        let mut ran = Vec::new();
        let outcome = run_steps(
            &steps,
            |_| (),
            |step| {
                ran.push(step.title);
                if step.title == "second" {
                    let error = anyhow::anyhow!("broken");
                    return Err(Failure {
                        error,
                        repeat: "cargo second".to_owned(),
                    });
                }
                Ok(())
            },
        );
        assert_eq!(ran, ["first", "second"]);
        let summary = summary(&steps, &outcome);
        assert!(
            summary.contains("FAILED") && summary.contains("not run"),
            "{summary}"
        );
        assert!(
            summary.ends_with("repeat it with: cargo second"),
            "{summary}"
        );
    }

    #[test]
    fn a_clean_run_reports_every_step() {
        let steps = three_steps();
        let mut said = Vec::new();
        let outcome = run_steps(&steps, |line| said.push(line.to_owned()), |_| Ok(()));
        assert!(outcome.failure.is_none());
        assert_eq!(outcome.timings.len(), 3);
        assert_eq!(said[0], "\n==> [1/3] first");
        assert!(!summary(&steps, &outcome).contains("FAILED"));
    }

    #[test]
    fn every_member_is_checked_alone() {
        let members = ["kernel".to_owned(), "storage".to_owned()];
        let calls = calls(&steps(&members));
        assert!(calls.contains(&"cargo check --profile ci --package kernel".to_owned()));
        assert!(calls.contains(&"cargo check --profile ci --package storage".to_owned()));
    }

    #[test]
    fn every_feature_of_the_client_is_checked_alone() {
        let manifest = include_str!("../../crates/toss-client/Cargo.toml");
        let (_, rest) = manifest.split_once("[features]\n").unwrap();
        let (features, _) = rest.split_once("\n[").unwrap();
        let mut named: Vec<_> = features
            .lines()
            .filter_map(|line| line.split_once(" = [").map(|(name, _)| name))
            .filter(|name| *name != "default")
            .collect();
        named.push("");
        let mut checked = CLIENT_FEATURES.to_vec();
        named.sort_unstable();
        checked.sort_unstable();
        assert_eq!(named, checked);
    }

    /// Chaos and bench build by themselves and are no calls; each has a test of its own for it.
    #[test]
    fn no_step_splits_the_compiled_dependencies() {
        for call in calls(&steps(&["kernel".to_owned()])) {
            if ["cargo fmt ", "cargo package "]
                .iter()
                .any(|free| call.starts_with(free))
            {
                continue;
            }
            assert!(call.contains(" --profile ci "), "{call}");
            let alone = call.starts_with("cargo check ");
            assert!(
                alone || call.contains(" --workspace --all-features "),
                "{call}"
            );
            for splitter in ["RUSTFLAGS=", "--target", "--release"] {
                assert!(
                    !call.starts_with(splitter) && !call.contains(&format!(" {splitter}")),
                    "{call}"
                );
            }
        }
    }

    #[test]
    fn a_failed_check_names_its_own_command() {
        let work = Work::Check {
            check: |_| anyhow::bail!("broken"),
            repeat: "cargo xtask arrows",
        };
        assert_eq!(
            work.run(Path::new(".")).unwrap_err().repeat,
            "cargo xtask arrows"
        );
    }
}
