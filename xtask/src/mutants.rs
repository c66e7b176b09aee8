//! `cargo xtask mutants`: puts known bugs into the source, one at a time, and shows which test
//! catches each.
//!
//! A bug is a small patch in `xtask/mutants/`. It is applied to a copy of the working tree inside
//! the target directory, with a target directory of its own: two trees that share one would test
//! each other's builds. The tests that should catch it run there, and the copy is put right again.

mod patch;
mod suite;
mod verdict;
mod workspace;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use clap::Args;

use self::{
    patch::Mutant,
    suite::Runner,
    verdict::{Outcome, Row, Verdict},
    workspace::Workspace,
};
use crate::surroundings::Surroundings;

/// Which bugs to plant, and what to do with the result.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Print the bugs and plant none
    #[arg(long)]
    list: bool,
    /// Only this bug; may be repeated
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Only so many of them, chosen by --seed
    #[arg(long, value_name = "COUNT", conflicts_with = "only")]
    sample: Option<usize>,
    /// Chooses the sample
    #[arg(long, default_value_t = 1, requires = "sample")]
    seed: u64,
    /// Write the outcome into this file, as a table in Markdown
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// How long the tests of one crate may run, in seconds; longer counts as caught
    #[arg(long, default_value_t = 300, value_name = "SECONDS")]
    time_limit: u64,
}

/// Plants the wanted bugs. Fails if one survives, does not fit the source or does not compile.
#[expect(clippy::print_stdout, reason = "a command line tool speaks on stdout")]
pub(crate) fn run(root: &Path, options: &Options) -> anyhow::Result<()> {
    let mutants = chosen(Mutant::load_all(root)?, options)?;
    if options.list {
        for mutant in &mutants {
            println!("{:<40} {}", mutant.name, mutant.bug);
        }
        return Ok(());
    }
    for mutant in &mutants {
        workspace::check(root, mutant)?;
    }
    let surroundings = Surroundings::look();
    println!("{}", surroundings.report()?);

    let began = Instant::now();
    let workspace = Workspace::prepare(root)?;
    let runner = Runner::new(&workspace, Duration::from_secs(options.time_limit))?;
    test_unharmed(&runner, &mutants)?;

    let mut rows = Vec::new();
    for (index, mutant) in mutants.iter().enumerate() {
        let row = if mutant.needs_mysql && !surroundings.has_mysql() {
            Row::new(mutant, Verdict::NotRun, Duration::ZERO)
        } else {
            let planted = Instant::now();
            let verdict = hunt(&workspace, &runner, mutant)?;
            Row::new(mutant, verdict, planted.elapsed())
        };
        println!("[{}/{}] {row}", index + 1, mutants.len());
        rows.push(row);
        // After each: a run that is cut off leaves what it found.
        if let Some(file) = &options.report {
            fs::write(file, verdict::table(&rows))
                .with_context(|| format!("could not write {}", file.display()))?;
        }
    }
    println!("{}, {} s", verdict::sum(&rows), began.elapsed().as_secs());
    verdict::all_caught(&rows)
}

/// The tests that are to catch something must pass while there is nothing to catch.
#[expect(clippy::print_stdout, reason = "a command line tool speaks on stdout")]
fn test_unharmed(runner: &Runner<'_>, mutants: &[Mutant]) -> anyhow::Result<()> {
    let suites: BTreeSet<_> = mutants.iter().flat_map(|mutant| &mutant.suites).collect();
    for suite in suites {
        let began = Instant::now();
        let outcome = runner.run(suite, "without-bug")?;
        anyhow::ensure!(
            outcome == Outcome::Passed,
            "without any bug planted, the tests of {suite} end with: {outcome}"
        );
        let seconds = began.elapsed().as_secs();
        println!("without any bug, the tests of {suite} pass, {seconds} s");
    }
    Ok(())
}

/// Plants one bug and runs its suites until one catches it.
fn hunt(workspace: &Workspace, runner: &Runner<'_>, mutant: &Mutant) -> anyhow::Result<Verdict> {
    let planted = workspace.plant(mutant)?;
    let mut verdict = Verdict::Survived;
    for suite in &mutant.suites {
        verdict = Verdict::of(suite, runner.run(suite, &mutant.name)?);
        if verdict != Verdict::Survived {
            break;
        }
    }
    planted.restore()?;
    Ok(verdict)
}

fn chosen(all: Vec<Mutant>, options: &Options) -> anyhow::Result<Vec<Mutant>> {
    for name in &options.only {
        anyhow::ensure!(
            all.iter().any(|mutant| mutant.name == *name),
            "there is no bug {name}; --list shows all"
        );
    }
    if let Some(count) = options.sample {
        return Ok(sample(all, count, options.seed));
    }
    let wanted = |mutant: &Mutant| options.only.is_empty() || options.only.contains(&mutant.name);
    Ok(all.into_iter().filter(wanted).collect())
}

/// So many of them in their order, the same ones for the same seed.
fn sample<T>(all: Vec<T>, count: usize, seed: u64) -> Vec<T> {
    let mut drawn: Vec<_> = all.into_iter().enumerate().collect();
    drawn.sort_by_key(|(index, _)| mixed(seed.wrapping_add(*index as u64)));
    drawn.truncate(count);
    drawn.sort_by_key(|(index, _)| *index);
    drawn.into_iter().map(|(_, item)| item).collect()
}

/// One step of `SplitMix64` (Steele, Lea, Flood 2014).
fn mixed(state: u64) -> u64 {
    let mut z = state.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_the_same_for_the_same_seed_and_in_order() {
        let of = |seed| sample((0..30).collect(), 5, seed);
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
        assert_eq!(of(3).len(), 5);
        assert!(of(3).is_sorted(), "{:?}", of(3));
        assert_eq!(sample(vec![1, 2], 9, 1), [1, 2]);
    }

    /// A patch that no longer fits would be noticed only when somebody has an hour for all of them.
    #[test]
    fn every_patch_fits_the_source_as_it_is() {
        let root = crate::workspace_root().unwrap();
        let mutants = Mutant::load_all(&root).unwrap();
        assert!(mutants.len() >= 24, "{} bugs", mutants.len());
        for mutant in &mutants {
            workspace::check(&root, mutant).unwrap();
        }
    }

    #[test]
    fn every_suite_names_a_crate() {
        let root = crate::workspace_root().unwrap();
        for mutant in Mutant::load_all(&root).unwrap() {
            for suite in &mutant.suites {
                let manifest = root.join("crates").join(&suite.package).join("Cargo.toml");
                assert!(manifest.is_file(), "{}: {suite}", mutant.name);
            }
        }
    }
}
