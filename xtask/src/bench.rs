//! `cargo xtask bench`: builds the programs, starts MySQL, lets the bench example measure, and makes
//! a report of the rows that it writes.

mod chart;
mod goal;
mod machine;
mod report;
mod row;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context as _;
use clap::Args;

use self::machine::Machine;
use self::row::Results;
use crate::cargo::{self, Cargo};
use crate::mysql::Container;

/// What to measure, and for how long.
#[derive(Debug, Clone, Default, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
pub(crate) struct Options {
    /// Two pairs and short ones: some five minutes
    #[arg(long, conflicts_with = "smoke")]
    quick: bool,
    /// Some twenty seconds on SQLite, built as CI builds; fails on errors alone, and its numbers
    /// mean nothing. What CI runs
    #[arg(long)]
    smoke: bool,
    /// Only these ratios, like R1,R6; E is the raw commit rate of the databases, S counts statements
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// How often both sides of a ratio are measured in turn [default: 5, with --quick 2]
    #[arg(long)]
    pairs: Option<usize>,
    /// Clients of a closed loop [default: 256]
    #[arg(long)]
    clients: Option<usize>,
    /// Database connections of one server
    #[arg(long, default_value_t = 10)]
    pool: u32,
    /// Payments in the large tables of R11, half of those of R14; 0 leaves both out
    /// [default: 5000000, with --quick 0]
    #[arg(long)]
    rows: Option<u64>,
    /// On SQLite alone; without it MySQL is measured too, in a container (the image in
    /// `TEST_MYSQL_IMAGE`, or mysql:8.4)
    #[arg(long)]
    sqlite: bool,
    /// Build for development instead of release: the numbers mean nothing
    #[arg(long)]
    dev: bool,
    /// Put what was measured into docs/benchmarks.md and docs/benchmarks/; ratios that were not
    /// measured this time stay as they are
    #[arg(long, conflicts_with_all = ["dev", "smoke"])]
    publish: bool,
}

/// How much of everything.
struct Size {
    pairs: usize,
    clients: usize,
    warm_ms: u32,
    measure_ms: u32,
    arrive_ms: u32,
    divide: u32,
    rows: u64,
}

const FULL: Size = Size {
    pairs: 5,
    clients: 256,
    warm_ms: 1_500,
    measure_ms: 3_500,
    arrive_ms: 12_000,
    divide: 1,
    rows: 5_000_000,
};

const QUICK: Size = Size {
    pairs: 2,
    warm_ms: 400,
    measure_ms: 1_000,
    arrive_ms: 3_000,
    rows: 0,
    ..FULL
};

const SMOKE: Size = Size {
    pairs: 1,
    clients: 16,
    warm_ms: 200,
    measure_ms: 500,
    arrive_ms: 1_000,
    divide: 10,
    rows: 0,
};

impl Options {
    fn size(&self) -> Size {
        let size = match (self.smoke, self.quick) {
            (true, _) => SMOKE,
            (false, true) => QUICK,
            (false, false) => FULL,
        };
        Size {
            pairs: self.pairs.unwrap_or(size.pairs),
            clients: self.clients.unwrap_or(size.clients),
            rows: self.rows.unwrap_or(size.rows),
            ..size
        }
    }

    /// What this length of a run is called in the report.
    fn length(&self) -> &'static str {
        match (self.smoke, self.quick) {
            (true, _) => "smoke",
            (false, true) => "quick",
            (false, false) => "full",
        }
    }

    fn profile(&self) -> &'static str {
        match (self.dev, self.smoke) {
            (true, _) => "dev",
            (false, true) => "ci",
            (false, false) => "release",
        }
    }

    /// What is not measured is built with the tests' features, so that no dependency is compiled for
    /// this alone.
    fn build(&self) -> Cargo {
        let profile = self.profile();
        let packages = match profile {
            "release" => "--package api-server",
            _ => "--workspace --all-features",
        };
        Cargo::line(&format!(
            "build --profile {profile} {packages} --bin api-server --example bench"
        ))
    }

    /// The bench example's flags.
    fn flags(&self) -> Vec<String> {
        let size = self.size();
        let mut flags = Vec::new();
        for (flag, value) in [
            ("--pairs", size.pairs.to_string()),
            ("--clients", size.clients.to_string()),
            ("--pool", self.pool.to_string()),
            ("--warm-ms", size.warm_ms.to_string()),
            ("--measure-ms", size.measure_ms.to_string()),
            ("--arrive-ms", size.arrive_ms.to_string()),
            ("--divide", size.divide.to_string()),
            ("--rows", size.rows.to_string()),
        ] {
            flags.extend([flag.to_owned(), value]);
        }
        if !self.only.is_empty() {
            flags.extend(["--only".to_owned(), self.only.join(",")]);
        }
        flags
    }
}

/// What CI runs.
pub(crate) fn run_smoke(root: &Path) -> anyhow::Result<()> {
    run(
        root,
        &Options {
            smoke: true,
            pool: 10,
            ..Options::default()
        },
    )
}

/// Builds, measures and reports. Fails on errors, and never because something is slow.
#[expect(clippy::print_stdout, reason = "a command line tool speaks on stdout")]
pub(crate) fn run(root: &Path, options: &Options) -> anyhow::Result<()> {
    options.build().run(root)?;
    let target = cargo::target(root);
    let folder = cargo::folder(root, options.profile());
    let machine = Machine::look(root)?;
    let out = target.join("bench");
    fs::create_dir_all(&out)?;
    let raw = out.join("rows.json");
    measure(root, &folder, options, &raw)?;
    let rows = fs::read(&raw).context("the bench example wrote no rows")?;
    let mut results = Results::of(&rows, &machine, options.length())?;
    println!("{}", report::table(&results));
    if options.smoke {
        return Ok(());
    }
    let charts = if options.publish {
        root.join("docs/benchmarks")
    } else {
        out
    };
    fs::create_dir_all(&charts)?;
    let file = charts.join("results.json");
    if options.publish && file.exists() {
        results = results.over(serde_json::from_slice(&fs::read(&file)?)?);
    }
    fs::write(&file, serde_json::to_vec_pretty(&results)?)?;
    for (name, svg) in chart::all(&results) {
        fs::write(charts.join(name), svg)?;
    }
    if options.publish {
        let document = root.join("docs/benchmarks.md");
        let text = fs::read_to_string(&document)?;
        fs::write(&document, report::publish(&text, &results)?)?;
    }
    println!("raw results and charts are in {}", charts.display());
    Ok(())
}

fn measure(root: &Path, folder: &Path, options: &Options, raw: &PathBuf) -> anyhow::Result<()> {
    let mut bench = Command::new(folder.join("examples/bench"));
    bench.arg("measure").args(options.flags());
    bench.arg("--server").arg(folder.join("api-server"));
    bench.arg("--raw").arg(raw);
    let _container = if options.sqlite || options.smoke {
        None
    } else {
        let container = Container::start("bench")?;
        container.migrate(folder)?;
        bench.args(["--mysql-url", &container.direct_url()]);
        Some(container)
    };
    let status = bench.current_dir(root).status();
    let status = status.context("the bench example did not start")?;
    anyhow::ensure!(status.success(), "something was wrong, see above");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_smoke_run_is_built_like_the_tests_and_publishes_nothing() {
        let smoke = Options {
            smoke: true,
            ..Options::default()
        };
        let build = smoke.build().to_string();
        assert!(
            build.contains("build --profile ci --workspace --all-features "),
            "{build}"
        );
        assert!(smoke.flags().join(" ").contains("--divide 10 --rows 0"));
    }

    #[test]
    fn what_is_published_is_built_for_release_and_measured_at_least_five_times() {
        let full = Options::default();
        assert!(full.build().to_string().contains("--profile release"));
        assert!(full.size().pairs >= 5 && full.size().divide == 1);
    }

    #[test]
    fn flags_of_the_command_line_win_over_the_length() {
        let quick = Options {
            quick: true,
            pairs: Some(3),
            rows: Some(50_000),
            only: vec!["R1".to_owned(), "R6".to_owned()],
            ..Options::default()
        };
        let flags = quick.flags().join(" ");
        assert!(flags.contains("--pairs 3 "), "{flags}");
        assert!(flags.ends_with("--rows 50000 --only R1,R6"), "{flags}");
    }
}
