//! What each ratio should be.

use super::row::{Row, Spread, shown};

/// When a row is as it should be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Goal {
    /// The median is at least this.
    AtLeast(f64),
    /// The median is at most this.
    AtMost(f64),
    /// No sample is above zero.
    Never,
}

/// Goals by id, unit, and what the row's case or description contains; a row that is not here is only
/// told.
const GOALS: [(&str, &str, &str, Goal); 18] = [
    ("R1", "×", "", Goal::AtLeast(4.0)),
    ("R2", "×", "", Goal::AtLeast(6.0)),
    ("R3", "×", "", Goal::AtLeast(3.0)),
    ("R4", "×", "", Goal::AtLeast(0.9)),
    ("R5", "×", "gateway 1000 ms", Goal::AtLeast(28.0)),
    ("R5", "×", "gateway 3000 ms", Goal::AtLeast(85.0)),
    ("R6", "dropped", "", Goal::Never),
    ("R6", "ms", "p95", Goal::AtMost(50.0)),
    ("R7", "dropped", "", Goal::Never),
    ("R7", "MiB", "", Goal::AtMost(143.0)), // 150 MB
    ("R8", "ms", "p50", Goal::AtMost(5.0)),
    ("R8", "ms", "p99", Goal::AtMost(25.0)),
    ("R9", "×", "", Goal::AtMost(15.0)),
    ("R10", "×", "", Goal::AtMost(1.05)),
    ("R11", "×", "", Goal::AtLeast(0.9)),
    ("R12", "×", "", Goal::AtMost(1.3)),
    ("R13", "×", "", Goal::AtLeast(1.0)),
    ("R14", "×", "", Goal::AtMost(1.5)),
];

impl Goal {
    /// The goal of this row, if it has one.
    pub(crate) fn of(row: &Row) -> Option<Self> {
        let mut goals = GOALS.iter();
        let fits = |(id, unit, part, _): &&(&str, &str, &str, Self)| {
            let named = row.case.contains(part) || row.what.contains(part);
            *id == row.id && *unit == row.unit && named
        };
        goals.find(fits).map(|(.., goal)| *goal)
    }

    pub(crate) fn is_reached_by(self, spread: Spread) -> bool {
        match self {
            Self::AtLeast(limit) => spread.median >= limit,
            Self::AtMost(limit) => spread.median <= limit,
            Self::Never => spread.max <= 0.0,
        }
    }

    pub(crate) fn sentence(self) -> String {
        match self {
            Self::AtLeast(limit) => format!("≥ {}", shown(limit)),
            Self::AtMost(limit) => format!("≤ {}", shown(limit)),
            Self::Never => "none".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::row::tests::row;
    use super::*;

    fn reaches(id: &str, unit: &str, samples: &[f64]) -> Option<bool> {
        let spread = Spread::of(samples).unwrap();
        Goal::of(&row(id, unit, samples)).map(|goal| goal.is_reached_by(spread))
    }

    #[test]
    fn a_ratio_is_judged_by_its_median_and_drops_by_the_worst_run() {
        assert_eq!(reaches("R10", "×", &[1.0, 1.04, 1.9]), Some(true));
        assert_eq!(reaches("R10", "×", &[1.0, 1.06, 1.06]), Some(false));
        assert_eq!(reaches("R7", "dropped", &[0.0, 0.0, 1.0]), Some(false));
        assert_eq!(reaches("R7", "dropped", &[0.0, 0.0]), Some(true));
        assert_eq!(reaches("R1", "×", &[3.9, 4.1, 4.2]), Some(true));
        assert_eq!(reaches("R1", "×", &[3.8, 3.9, 4.2]), Some(false));
        assert_eq!(reaches("R5", "×", &[99.0]), None);
    }
}
