//! What became of a bug, and how it is told.

use std::{
    fmt::{self, Write as _},
    path::PathBuf,
    time::Duration,
};

use super::patch::{Mutant, Suite};

/// How a run of one crate's tests ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Passed,
    /// These tests failed; none is named where the program broke off.
    Failed(Vec<String>),
    /// The time limit ran out; these tests were known to be slow by then.
    TimedOut(Vec<String>),
    DoesNotCompile {
        log: PathBuf,
    },
}

/// What became of a bug.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// These tests of the suite caught it.
    Killed { suite: Suite, tests: Vec<String> },
    /// The suite did not end in time.
    Hung { suite: Suite, tests: Vec<String> },
    /// Every test passed: a test is missing.
    Survived,
    /// The patch is wrong.
    DoesNotCompile { log: PathBuf },
    /// It shows only on MySQL, and there is none.
    NotRun,
}

/// One bug and what became of it.
#[derive(Clone, Debug)]
pub(super) struct Row {
    name: String,
    bug: String,
    cost: String,
    verdict: Verdict,
    seconds: u64,
}

impl Verdict {
    pub(super) fn of(suite: &Suite, outcome: Outcome) -> Self {
        let suite = suite.clone();
        match outcome {
            Outcome::Passed => Self::Survived,
            Outcome::Failed(tests) => Self::Killed { suite, tests },
            Outcome::TimedOut(tests) => Self::Hung { suite, tests },
            Outcome::DoesNotCompile { log } => Self::DoesNotCompile { log },
        }
    }
}

impl Row {
    pub(super) fn new(mutant: &Mutant, verdict: Verdict, took: Duration) -> Self {
        Self {
            name: mutant.name.clone(),
            bug: mutant.bug.clone(),
            cost: mutant.cost.clone(),
            verdict,
            seconds: took.as_secs(),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed => f.write_str("every test passed"),
            Self::Failed(tests) => write!(f, "failed: {}", tests.join(", ")),
            Self::TimedOut(tests) => {
                write!(
                    f,
                    "the time limit ran out (--time-limit) {}",
                    tests.join(", ")
                )
            }
            Self::DoesNotCompile { log } => write!(f, "does not compile, see {}", log.display()),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Killed { suite, tests } => {
                write!(f, "killed by {}: {}", suite.package, named(tests))
            }
            Self::Hung { suite, tests } => {
                write!(f, "killed by {}: it hangs: {}", suite.package, named(tests))
            }
            Self::Survived => f.write_str("SURVIVED"),
            Self::DoesNotCompile { log } => write!(f, "does not compile, see {}", log.display()),
            Self::NotRun => f.write_str("not run: it needs MySQL"),
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}, {} s", self.name, self.verdict, self.seconds)
    }
}

fn named(tests: &[String]) -> String {
    match tests {
        [] => "no test named, see its log".to_owned(),
        [only] => only.clone(),
        [first, others @ ..] => format!("{first} and {} more", others.len()),
    }
}

/// The outcome in Markdown.
pub(super) fn table(rows: &[Row]) -> String {
    let mut text = String::from("| bug | what is wrong | killed by | s |\n|---|---|---|---|\n");
    for row in rows {
        let caught = match &row.verdict {
            Verdict::Killed { suite, tests } => {
                format!("`{}`: {}", suite.package, named(tests))
            }
            Verdict::Hung { suite, tests } => {
                format!("`{}` hangs: {}", suite.package, named(tests))
            }
            Verdict::Survived | Verdict::DoesNotCompile { .. } | Verdict::NotRun => {
                format!("**{}**", row.verdict)
            }
        };
        let cells = [&row.name, &format!("{} {}", row.bug, row.cost), &caught];
        for cell in cells {
            // Writing to a String does not fail.
            let _ = write!(text, "| {} ", cell.replace('|', "\\|"));
        }
        let _ = writeln!(text, "| {} |", row.seconds);
    }
    let _ = writeln!(text, "\n{}", sum(rows));
    text
}

/// One line about all of them.
pub(super) fn sum(rows: &[Row]) -> String {
    let count = |is: fn(&Verdict) -> bool| rows.iter().filter(|row| is(&row.verdict)).count();
    let killed = count(is_caught);
    let mut text = format!("{killed} of {} bugs killed", rows.len());
    for (what, number) in [
        ("survived", count(|verdict| *verdict == Verdict::Survived)),
        (
            "do not compile",
            count(|verdict| matches!(verdict, Verdict::DoesNotCompile { .. })),
        ),
        ("not run", count(|verdict| *verdict == Verdict::NotRun)),
    ] {
        if number > 0 {
            let _ = write!(text, ", {number} {what}");
        }
    }
    text
}

/// Fails unless every bug that was planted was caught.
pub(super) fn all_caught(rows: &[Row]) -> anyhow::Result<()> {
    let loose: Vec<_> = rows
        .iter()
        .filter(|row| !is_caught(&row.verdict) && row.verdict != Verdict::NotRun)
        .map(|row| row.name.as_str())
        .collect();
    anyhow::ensure!(loose.is_empty(), "not caught: {}", loose.join(", "));
    Ok(())
}

fn is_caught(verdict: &Verdict) -> bool {
    match verdict {
        Verdict::Killed { .. } | Verdict::Hung { .. } => true,
        Verdict::Survived | Verdict::DoesNotCompile { .. } | Verdict::NotRun => false,
    }
}

/// The names in libtest's closing list of failures.
pub(super) fn failed_tests(printed: &str) -> Vec<String> {
    let list = printed
        .rsplit_once("\nfailures:\n")
        .map_or("", |(_, list)| list);
    list.lines()
        .map_while(|line| line.strip_prefix("    "))
        .map(str::to_owned)
        .collect()
}

/// The tests that libtest has called slow and that have not ended.
pub(super) fn slow_tests(printed: &str) -> Vec<String> {
    let slow = printed.lines().filter_map(|line| {
        let line = line.strip_prefix("test ")?;
        line.strip_suffix(" has been running for over 60 seconds")
    });
    slow.filter(|name| !printed.contains(&format!("\ntest {name} ... ")))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::patch::Part;
    use super::*;

    fn suite() -> Suite {
        Suite {
            package: "storage".to_owned(),
            part: Part::All,
            filters: Vec::new(),
        }
    }

    fn row(verdict: Verdict) -> Row {
        Row {
            name: "no-fence".to_owned(),
            bug: "The update has no predicate.".to_owned(),
            cost: "Two | charges.".to_owned(),
            verdict,
            seconds: 7,
        }
    }

    fn killed(tests: &[&str]) -> Verdict {
        let tests = tests.iter().map(|&test| test.to_owned()).collect();
        Verdict::of(&suite(), Outcome::Failed(tests))
    }

    #[test]
    fn failed_tests_are_read_from_the_closing_list() {
        let printed = "running 3 tests\ntest a::b ... FAILED\ntest c ... ok\ntest d ... FAILED\n\n\
            failures:\n\n---- a::b stdout ----\nleft: 1\n    not a name\n\n\
            failures:\n    a::b\n    d\n\ntest result: FAILED. 1 passed; 2 failed\n";
        assert_eq!(failed_tests(printed), ["a::b", "d"]);
        assert!(failed_tests("test a ... ok\nSegmentation fault\n").is_empty());
    }

    #[test]
    fn a_test_that_hangs_is_named_and_one_that_was_only_slow_is_not() {
        let printed = "test a has been running for over 60 seconds\n\
            test b has been running for over 60 seconds\ntest a ... ok\n";
        assert_eq!(slow_tests(printed), ["b"]);
    }

    #[test]
    fn only_a_failure_or_a_hang_counts_as_caught() {
        let hung = Verdict::of(&suite(), Outcome::TimedOut(Vec::new()));
        assert!(all_caught(&[row(killed(&["a"])), row(hung), row(Verdict::NotRun)]).is_ok());
        let survived = Verdict::of(&suite(), Outcome::Passed);
        let log = Path::new("log").to_owned();
        let broken = Verdict::of(&suite(), Outcome::DoesNotCompile { log });
        for loose in [survived, broken] {
            let error = all_caught(&[row(killed(&["a"])), row(loose)]).unwrap_err();
            assert_eq!(error.to_string(), "not caught: no-fence");
        }
    }

    #[test]
    fn a_row_names_the_first_test_and_counts_the_others() {
        assert_eq!(
            row(killed(&["a", "b", "c"])).to_string(),
            "no-fence: killed by storage: a and 2 more, 7 s"
        );
        assert_eq!(
            row(Verdict::Survived).to_string(),
            "no-fence: SURVIVED, 7 s"
        );
    }

    #[test]
    fn the_table_has_one_row_per_bug_and_the_sum() {
        assert_eq!(
            table(&[row(killed(&["a"])), row(Verdict::Survived)]),
            "| bug | what is wrong | killed by | s |\n|---|---|---|---|\n\
             | no-fence | The update has no predicate. Two \\| charges. | `storage`: a | 7 |\n\
             | no-fence | The update has no predicate. Two \\| charges. | **SURVIVED** | 7 |\n\
             \n1 of 2 bugs killed, 1 survived\n"
        );
    }
}
