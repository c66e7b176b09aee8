//! Measured rows as the bench example writes them, and as they are kept.

use serde::{Deserialize, Serialize};

use super::machine::Machine;

/// One of the things that were measured in turn.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Side {
    pub(crate) name: String,
    pub(crate) unit: String,
    pub(crate) samples: Vec<f64>,
}

/// A number per pair, and what it was made of.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Row {
    /// `R1` and so on.
    pub(crate) id: String,
    /// Where; distinguishes rows of one id.
    pub(crate) case: String,
    pub(crate) what: String,
    pub(crate) unit: String,
    pub(crate) samples: Vec<f64>,
    pub(crate) sides: Vec<Side>,
    /// The commit that was measured.
    #[serde(default)]
    pub(crate) commit: String,
    /// `full` or `quick`.
    #[serde(default)]
    pub(crate) length: String,
}

/// All that is kept of a measurement.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Results {
    pub(crate) machine: Machine,
    pub(crate) rows: Vec<Row>,
}

/// What the bench example writes.
#[derive(Deserialize)]
struct Raw {
    databases: Vec<String>,
    rows: Vec<Row>,
}

impl Results {
    /// The rows in this JSON, measured on this machine.
    pub(crate) fn of(raw: &[u8], machine: &Machine, length: &str) -> anyhow::Result<Self> {
        let Raw { databases, rows } = serde_json::from_slice(raw)?;
        let rows = rows.into_iter().map(|row| Row {
            commit: machine.commit.clone(),
            length: length.to_owned(),
            ..row
        });
        let mut results = Self {
            rows: rows.collect(),
            machine: machine.clone(),
        };
        results.machine.databases.extend(databases);
        results.sort();
        Ok(results)
    }

    /// These, and of the earlier ones all whose ratio was not measured this time.
    pub(crate) fn over(mut self, earlier: Self) -> Self {
        let kept = earlier
            .rows
            .into_iter()
            .filter(|old| self.rows.iter().all(|new| new.id != old.id));
        let kept: Vec<Row> = kept.collect();
        self.rows.extend(kept);
        self.sort();
        self
    }

    /// By the number of the ratio; what came in one order stays in it.
    fn sort(&mut self) {
        self.rows.sort_by_key(|row| {
            let number = row.id.trim_start_matches('R').parse();
            number.unwrap_or(u32::MAX)
        });
    }
}

/// Median and range of some samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Spread {
    /// `None` without samples.
    pub(crate) fn of(samples: &[f64]) -> Option<Self> {
        let mut sorted = samples.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 {
            sorted[middle]
        } else {
            f64::midpoint(sorted[middle - 1], sorted[middle])
        };
        Some(Self { median, min, max })
    }
}

/// With about three digits that mean something.
pub(crate) fn shown(number: f64) -> String {
    match number.abs() {
        0.0 => "0".to_owned(),
        size if size >= 99.95 => format!("{number:.0}"),
        size if size >= 9.995 => format!("{number:.1}"),
        _ => format!("{number:.2}"),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn row(id: &str, unit: &str, samples: &[f64]) -> Row {
        Row {
            id: id.to_owned(),
            case: format!("case of {id}"),
            what: format!("what {id} is"),
            unit: unit.to_owned(),
            samples: samples.to_vec(),
            sides: Vec::new(),
            commit: "abc".to_owned(),
            length: "full".to_owned(),
        }
    }

    pub(crate) fn results(rows: Vec<Row>) -> Results {
        Results {
            machine: Machine::default(),
            rows,
        }
    }

    #[test]
    fn a_median_of_an_even_number_lies_between_the_two_in_the_middle() {
        let spread = Spread::of(&[4.0, 1.0, 3.0, 2.0]).unwrap();
        let (median, min, max) = (2.5, 1.0, 4.0);
        assert_eq!(spread, Spread { median, min, max });
        let odd = Spread::of(&[7.0, 1.0, 2.0]).unwrap();
        assert_eq!(shown(odd.median), "2.00");
        assert_eq!(Spread::of(&[]), None);
    }

    #[test]
    fn a_part_that_was_measured_again_replaces_itself_and_nothing_else() {
        let earlier = results(vec![row("R1", "×", &[1.0]), row("R10", "×", &[1.0])]);
        let later = results(vec![row("R10", "×", &[2.0]), row("R2", "×", &[2.0])]);
        let all = later.over(earlier).rows;
        let all: Vec<_> = all
            .iter()
            .map(|row| (row.id.as_str(), row.samples[0]))
            .collect();
        assert_eq!(all, [("R1", 1.0), ("R2", 2.0), ("R10", 2.0)]);
    }

    #[test]
    fn rows_of_the_example_are_read_as_it_writes_them() {
        let raw = br#"{"databases": ["MySQL 9.7"], "rows": [{"id": "R1", "case": "c", "what": "w",
            "unit": "x", "samples": [7.2], "sides": [{"name": "on", "unit": "/s", "samples": [1.0]}]}]}"#;
        let machine = Machine {
            commit: "abc".to_owned(),
            ..Machine::default()
        };
        let results = Results::of(raw, &machine, "quick").unwrap();
        assert_eq!(results.machine.databases, ["MySQL 9.7"]);
        let row = &results.rows[0];
        assert_eq!((&*row.commit, &*row.length), ("abc", "quick"));
    }

    #[test]
    fn numbers_show_about_three_digits() {
        let all = [0.0, 0.034, 1.049, 10.04, 99.96, 6916.4].map(shown);
        assert_eq!(all, ["0", "0.03", "1.05", "10.0", "100", "6916"]);
    }
}
