//! What each ratio should be.

use super::row::{Row, Spread, shown};

/// When a row is as it should be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Goal {
    /// The median is at most this.
    AtMost(f64),
    /// No sample is above zero.
    Never,
}

/// Goals by id and unit; what is not here is only told.
const GOALS: [(&str, &str, Goal); 3] = [
    ("R10", "×", Goal::AtMost(1.05)),
    ("R6", "dropped", Goal::Never),
    ("R7", "dropped", Goal::Never),
];

impl Goal {
    /// The goal of this row, if it has one.
    pub(crate) fn of(row: &Row) -> Option<Self> {
        let goals = GOALS.iter();
        let mut fit = goals.filter(|(id, unit, _)| *id == row.id && *unit == row.unit);
        fit.next().map(|(_, _, goal)| *goal)
    }

    pub(crate) fn is_reached_by(self, spread: Spread) -> bool {
        match self {
            Self::AtMost(limit) => spread.median <= limit,
            Self::Never => spread.max <= 0.0,
        }
    }

    pub(crate) fn sentence(self) -> String {
        match self {
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
        assert_eq!(reaches("R7", "MiB", &[100.0]), None);
    }
}
