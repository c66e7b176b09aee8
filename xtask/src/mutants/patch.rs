//! The files in `xtask/mutants/`: a head of `Key: value` lines, an empty line, a unified diff.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};

/// Where the patches are, seen from the workspace's root.
const DIRECTORY: &str = "xtask/mutants";

/// One deliberate bug.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mutant {
    /// The file's name without `.patch`.
    pub(super) name: String,
    /// What a careless developer would have done.
    pub(super) bug: String,
    /// What it would cost.
    pub(super) cost: String,
    /// The tests that should catch it, in the order in which they are run.
    pub(super) suites: Vec<Suite>,
    /// Whether only a MySQL server shows it.
    pub(super) needs_mysql: bool,
    /// The files that it changes, seen from the workspace's root.
    pub(super) files: Vec<PathBuf>,
    /// The patch itself.
    pub(super) path: PathBuf,
}

/// Tests of one crate: all of them, or those whose names contain one of the filters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Suite {
    pub(super) package: String,
    pub(super) part: Part,
    pub(super) filters: Vec<String>,
}

/// Which of a crate's test programs: what is not wanted need not be compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    All,
    /// The tests beside the code.
    Unit,
    /// `tests/it`.
    Integration,
}

impl Mutant {
    /// Every patch, ordered by the files it changes, so that neighbours rebuild the same crates.
    pub(super) fn load_all(root: &Path) -> anyhow::Result<Vec<Self>> {
        let directory = root.join(DIRECTORY);
        let mut mutants = Vec::new();
        for entry in fs::read_dir(&directory).context(DIRECTORY)? {
            let path = entry?.path();
            if path
                .extension()
                .is_some_and(|extension| extension == "patch")
            {
                let text = fs::read_to_string(&path)?;
                let mutant = Self::parse(&path, &text);
                mutants.push(mutant.with_context(|| path.display().to_string())?);
            }
        }
        mutants.sort_by(|a, b| (&a.files, &a.name).cmp(&(&b.files, &b.name)));
        Ok(mutants)
    }

    fn parse(path: &Path, text: &str) -> anyhow::Result<Self> {
        let (head, diff) = text
            .split_once("\n\n")
            .context("no empty line between head and diff")?;
        let (mut bug, mut cost, mut suites, mut needs_mysql) = (None, None, None, false);
        for line in head.lines() {
            match line.split_once(": ") {
                Some(("Bug", text)) => bug = Some(text.to_owned()),
                Some(("Cost", text)) => cost = Some(text.to_owned()),
                Some(("Tests", text)) => suites = Some(Suite::parse_all(text)?),
                Some(("Needs", "MySQL")) => needs_mysql = true,
                _ => bail!("the head has `{line}`; it takes Bug, Cost, Tests and `Needs: MySQL`"),
            }
        }
        let files: Vec<_> = diff
            .lines()
            .filter_map(|line| line.strip_prefix("+++ b/"))
            .map(PathBuf::from)
            .collect();
        anyhow::ensure!(!files.is_empty(), "the diff changes no file");
        let name = path.file_stem().and_then(|name| name.to_str());
        Ok(Self {
            name: name.context("the name is no text")?.to_owned(),
            bug: bug.context("no line `Bug: …`")?,
            cost: cost.context("no line `Cost: …`")?,
            suites: suites.context("no line `Tests: …`")?,
            needs_mysql,
            files,
            path: path.to_owned(),
        })
    }
}

impl Suite {
    /// `payment-domain, api-server:it faults crowd`: suites by commas, filters after the crate.
    fn parse_all(text: &str) -> anyhow::Result<Vec<Self>> {
        text.split(',')
            .map(|suite| {
                let mut words = suite.split_whitespace();
                let first = words.next().context("a suite begins with its crate")?;
                let (package, part) = match first.split_once(':') {
                    None => (first, Part::All),
                    Some((package, "lib")) => (package, Part::Unit),
                    Some((package, "it")) => (package, Part::Integration),
                    Some((_, other)) => bail!("the parts of a crate are lib and it, not {other}"),
                };
                Ok(Self {
                    package: package.to_owned(),
                    part,
                    filters: words.map(str::to_owned).collect(),
                })
            })
            .collect()
    }
}

impl fmt::Display for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.package)?;
        f.write_str(match self.part {
            Part::All => "",
            Part::Unit => ":lib",
            Part::Integration => ":it",
        })?;
        for filter in &self.filters {
            write!(f, " {filter}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATCH: &str = "Bug: The update has no predicate.\n\
        Cost: A buyer is charged twice.\n\
        Tests: payment-domain, api-server:it faults crowd\n\
        \n\
        --- a/crates/storage/src/payment/write.rs\n\
        +++ b/crates/storage/src/payment/write.rs\n\
        @@ -1 +1 @@\n\
        -a\n\
        +b\n";

    fn parse(text: &str) -> anyhow::Result<Mutant> {
        Mutant::parse(Path::new("xtask/mutants/no-fence.patch"), text)
    }

    #[test]
    fn a_patch_tells_its_bug_its_cost_its_tests_and_its_files() {
        let mutant = parse(PATCH).unwrap();
        assert_eq!(mutant.name, "no-fence");
        assert_eq!(mutant.bug, "The update has no predicate.");
        assert_eq!(mutant.cost, "A buyer is charged twice.");
        let suites: Vec<_> = mutant.suites.iter().map(Suite::to_string).collect();
        assert_eq!(suites, ["payment-domain", "api-server:it faults crowd"]);
        assert_eq!(
            mutant.files,
            [Path::new("crates/storage/src/payment/write.rs")]
        );
        assert!(!mutant.needs_mysql);
        let on_mysql = PATCH.replace("\n\n", "\nNeeds: MySQL\n\n");
        assert!(parse(&on_mysql).unwrap().needs_mysql);
    }

    #[test]
    fn an_incomplete_patch_is_refused() {
        for missing in ["Bug", "Cost", "Tests", "+++ b/"] {
            let incomplete: Vec<_> = PATCH
                .lines()
                .filter(|line| !line.starts_with(missing))
                .collect();
            assert!(parse(&incomplete.join("\n")).is_err(), "{missing}");
        }
        assert!(parse(&PATCH.replace("Cost:", "Costs:")).is_err());
        assert!(parse(&PATCH.replace("payment-domain,", ",")).is_err());
        assert!(parse(&PATCH.replace(":it", ":bench")).is_err());
    }
}
