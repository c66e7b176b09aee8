//! `cargo xtask test`.

use std::path::Path;

use crate::{cargo::Cargo, surroundings::Surroundings};

/// What to test; everything when nothing is named.
#[derive(clap::Args, Default)]
pub(crate) struct Options {
    /// Only this crate; may be repeated
    #[arg(short = 'p', long = "package", value_name = "CRATE")]
    packages: Vec<String>,
    /// Handed to the test binaries, for example part of a test's name
    #[arg(last = true, value_name = "ARGUMENT")]
    arguments: Vec<String>,
}

/// Says what will be skipped, then runs the tests.
#[expect(clippy::print_stdout, reason = "a command line tool speaks on stdout")]
pub(crate) fn run(root: &Path, options: &Options) -> anyhow::Result<()> {
    println!("{}", Surroundings::look().report()?);
    call(options).run(root)
}

/// All features: they only add, some tests need `testing` ones, and clippy in `cargo xtask ci`
/// resolves the same set, so dependencies are compiled with one set of features.
fn call(options: &Options) -> Cargo {
    let mut words: Vec<String> = Vec::new();
    if options.packages.is_empty() {
        words.push("--workspace".to_owned());
    }
    for package in &options.packages {
        words.extend(["--package".to_owned(), package.clone()]);
    }
    words.push("--all-features".to_owned());
    if !options.arguments.is_empty() {
        words.push("--".to_owned());
        words.extend(options.arguments.iter().cloned());
    }
    Cargo::line("test").args(&words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_tested_when_nothing_is_named() {
        let call = call(&Options::default()).to_string();
        assert_eq!(call, "cargo test --workspace --all-features");
    }

    #[test]
    fn a_crate_and_a_filter_narrow_it() {
        let options = Options {
            packages: vec!["storage".to_owned()],
            arguments: vec!["claim".to_owned()],
        };
        assert_eq!(
            call(&options).to_string(),
            "cargo test --package storage --all-features -- claim"
        );
    }
}
