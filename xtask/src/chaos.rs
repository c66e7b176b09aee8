//! `cargo xtask chaos`: builds the programs, starts MySQL where it is wanted, and lets the chaos
//! example break them.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context as _;
use clap::Args;

use crate::cargo::{self, Cargo};
use crate::mysql::Container;

/// What to break, and for how long.
#[derive(Debug, Clone, Default, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
pub(crate) struct Options {
    /// About 20 seconds of faults, on SQLite and, where Docker has an image, on MySQL; what CI runs
    #[arg(long, conflicts_with = "long")]
    short: bool,
    /// On MySQL until servers have died 200 times by SIGKILL and 20000 confirms were answered
    #[arg(long)]
    long: bool,
    /// On MySQL in a container of its own (the image in `TEST_MYSQL_IMAGE`, or mysql:8.4), which is
    /// killed, paused and cut off too
    #[arg(long)]
    mysql: bool,
    /// On SQLite, which is also the default without --long
    #[arg(long)]
    sqlite: bool,
    /// How long faults last at least, in seconds [default: 20]
    #[arg(long)]
    seconds: Option<u64>,
    /// Faults also last until servers have died this often by SIGKILL
    #[arg(long)]
    kills: Option<u64>,
    /// Faults also last until this many confirms were answered
    #[arg(long)]
    confirms: Option<u64>,
    /// Clients that buy at once [default: 16, with --long 64]
    #[arg(long)]
    clients: Option<u64>,
    /// Chooses faults, victims and pauses [default: 1]
    #[arg(long)]
    seed: Option<u64>,
    /// Also write the report as JSON; on two databases, one file each: -sqlite and -mysql are put
    /// before the extension
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Build for development instead of release
    #[arg(long)]
    dev: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Store {
    Sqlite,
    MySql,
}

/// What CI runs.
pub(crate) fn run_short(root: &Path) -> anyhow::Result<()> {
    let short = true;
    run(
        root,
        &Options {
            short,
            ..Options::default()
        },
    )
}

/// Builds and runs. Fails on any break.
#[expect(clippy::print_stdout, reason = "a command line tool speaks on stdout")]
pub(crate) fn run(root: &Path, options: &Options) -> anyhow::Result<()> {
    build(options.profile()).run(root)?;
    let folder = programs(root, options);
    for store in options.stores() {
        match store {
            Store::Sqlite => chaos(root, &folder, options, store, None)?,
            Store::MySql => match Container::start("chaos") {
                Ok(container) => chaos(root, &folder, options, store, Some(&container))?,
                Err(error) if options.may_do_without_mysql() => {
                    println!("chaos on MySQL SKIPPED: {error:#}");
                }
                Err(error) => return Err(error),
            },
        }
    }
    Ok(())
}

impl Options {
    fn stores(&self) -> Vec<Store> {
        match (self.sqlite, self.mysql) {
            (true, true) => vec![Store::Sqlite, Store::MySql],
            (true, false) => vec![Store::Sqlite],
            (false, true) => vec![Store::MySql],
            (false, false) if self.short => vec![Store::Sqlite, Store::MySql],
            (false, false) if self.long => vec![Store::MySql],
            (false, false) => vec![Store::Sqlite],
        }
    }

    /// Only where MySQL was not asked for by name, and need not be there.
    fn may_do_without_mysql(&self) -> bool {
        let required = env::var("REQUIRE_MYSQL").is_ok_and(|value| !matches!(&*value, "" | "0"));
        self.short && !self.mysql && !required
    }

    fn profile(&self) -> &'static str {
        match (self.dev, self.short) {
            (true, _) => "dev",
            (false, true) => "ci",
            (false, false) => "release",
        }
    }

    /// The chaos example's flags.
    fn flags(&self, store: Store) -> Vec<String> {
        let (kills, confirms, clients) = if self.long {
            (200, 20_000, 64)
        } else {
            (0, 0, 16)
        };
        let mut flags = Vec::new();
        for (flag, value) in [
            ("--seconds", self.seconds.unwrap_or(20)),
            ("--kills", self.kills.unwrap_or(kills)),
            ("--confirms", self.confirms.unwrap_or(confirms)),
            ("--clients", self.clients.unwrap_or(clients)),
            ("--seed", self.seed.unwrap_or(1)),
        ] {
            flags.extend([flag.to_owned(), value.to_string()]);
        }
        if let Some(report) = &self.report {
            let report = match self.stores().len() {
                1 => report.clone(),
                _ => named_after(report, store),
            };
            flags.extend(["--report".to_owned(), report.display().to_string()]);
        }
        flags
    }
}

/// `report.json` becomes `report-mysql.json`.
fn named_after(report: &Path, store: Store) -> PathBuf {
    let store = match store {
        Store::Sqlite => "sqlite",
        Store::MySql => "mysql",
    };
    let stem = report.file_stem().unwrap_or_default().to_string_lossy();
    let extension = report.extension().map_or_else(String::new, |extension| {
        format!(".{}", extension.to_string_lossy())
    });
    report.with_file_name(format!("{stem}-{store}{extension}"))
}

/// One call, so that all programs share one set of compiled dependencies; in CI with the tests'
/// features, so that they share theirs too.
pub(crate) fn build(profile: &str) -> Cargo {
    let packages = match profile {
        "ci" => "--workspace --all-features",
        _ => "--package api-server --package toss-sandbox --features api-server/failpoints",
    };
    Cargo::line(&format!(
        "build --profile {profile} {packages} --bin api-server --bin toss-sandbox --example chaos"
    ))
}

/// Where cargo puts what it builds.
fn programs(root: &Path, options: &Options) -> PathBuf {
    cargo::folder(root, options.profile())
}

fn chaos(
    root: &Path,
    folder: &Path,
    options: &Options,
    store: Store,
    container: Option<&Container>,
) -> anyhow::Result<()> {
    let mut chaos = Command::new(folder.join("examples/chaos"));
    chaos.arg("--server").arg(folder.join("api-server"));
    chaos.arg("--sandbox").arg(folder.join("toss-sandbox"));
    chaos.args(options.flags(store));
    if let Some(container) = container {
        container.migrate(folder)?;
        chaos.args(["--database-url", &container.url()]);
        chaos.args(["--mysql-container", &container.name]);
    }
    let status = chaos.current_dir(root).status();
    let status = status.context("the chaos example did not start")?;
    anyhow::ensure!(status.success(), "chaos did not end well, see above");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> Options {
        Options::default()
    }

    #[test]
    fn the_databases_are_those_that_were_named_or_that_the_length_implies() {
        let (sqlite, mysql, short, long) = (true, true, true, true);
        for (options, stores) in [
            (options(), &[Store::Sqlite][..]),
            (Options { mysql, ..options() }, &[Store::MySql]),
            (
                Options { short, ..options() },
                &[Store::Sqlite, Store::MySql],
            ),
            (
                Options {
                    short,
                    mysql,
                    ..options()
                },
                &[Store::MySql],
            ),
            (Options { long, ..options() }, &[Store::MySql]),
            (
                Options {
                    long,
                    sqlite,
                    ..options()
                },
                &[Store::Sqlite],
            ),
        ] {
            assert_eq!(options.stores(), stores, "{options:?}");
        }
    }

    #[test]
    fn a_long_run_ends_by_counts_that_can_be_raised() {
        let long = Options {
            long: true,
            kills: Some(500),
            ..options()
        };
        let flags = long.flags(Store::MySql).join(" ");
        assert!(flags.contains("--kills 500 --confirms 20000"), "{flags}");
        let flags = options().flags(Store::Sqlite).join(" ");
        assert!(flags.contains("--kills 0 --confirms 0"), "{flags}");
    }

    #[test]
    fn two_databases_make_two_reports() {
        let report = Some(PathBuf::from("out/chaos.json"));
        let both = Options {
            short: true,
            report: report.clone(),
            ..options()
        };
        let flags = both.flags(Store::MySql).join(" ");
        assert!(flags.ends_with("--report out/chaos-mysql.json"), "{flags}");
        let one = Options {
            report,
            ..options()
        };
        let flags = one.flags(Store::Sqlite).join(" ");
        assert!(flags.ends_with("--report out/chaos.json"), "{flags}");
    }

    #[test]
    fn one_call_builds_every_program_in_the_profile_of_its_length() {
        for (options, profile) in [
            (options(), "release"),
            (
                Options {
                    short: true,
                    ..options()
                },
                "ci",
            ),
            (
                Options {
                    dev: true,
                    ..options()
                },
                "dev",
            ),
        ] {
            let call = build(options.profile()).to_string();
            assert!(call.contains(&format!("--profile {profile} ")), "{call}");
            for program in ["--bin api-server", "--bin toss-sandbox", "--example chaos"] {
                assert!(call.contains(program), "{call}");
            }
            let with_failpoints = ["--features api-server/failpoints", "--all-features"];
            assert!(
                with_failpoints.iter().any(|flag| call.contains(flag)),
                "{call}"
            );
        }
    }
}
