//! Crashes at every point of one order's life: one by one, then in pairs, the second of which
//! falls into the recovery from the first.

use crate::plan::{Mishap, Schedule};
use crate::schedule::{Report, Stage};

/// What an enumeration covered.
#[derive(Debug, Clone, Default)]
pub struct Coverage {
    /// Schedules run.
    pub schedules: u64,
    /// Schedules with one crash, each at another point.
    pub singles: u64,
    /// Schedules with two crashes, each at another pair of points.
    pub pairs: u64,
    /// Broken invariants, each with its schedule.
    pub broken: Vec<(Schedule, String)>,
}

impl Coverage {
    fn add(&mut self, schedule: &Schedule, report: &Report) {
        self.schedules += 1;
        if let Some(violation) = &report.violation {
            self.broken.push((schedule.clone(), violation.clone()));
        }
    }

    /// Takes over what another enumeration covered.
    pub fn extend(&mut self, other: Self) {
        self.schedules += other.schedules;
        self.singles += other.singles;
        self.pairs += other.pairs;
        self.broken.extend(other.broken);
    }
}

/// The number of points before and after a port call or statement that one order with this mishap
/// passes, from checkout to its end, when nothing dies.
///
/// # Errors
/// When the schedule cannot be run; see [`Stage::run`].
pub fn points(stage: &Stage, mishap: Mishap) -> anyhow::Result<u64> {
    let report = stage.run(&Schedule::script(mishap, Vec::new()))?;
    match report.violation {
        None => Ok(report.points),
        Some(violation) => anyhow::bail!("{mishap} breaks an invariant by itself: {violation}"),
    }
}

/// A crash at the point `first`, from 1, and then, with `pairs`, a second crash at every later
/// point that the schedule still comes to; with `pairs` above 1 only every so many-th of those.
///
/// # Errors
/// When a schedule cannot be run; see [`Stage::run`].
pub fn crashes_from(
    stage: &Stage,
    mishap: Mishap,
    first: u64,
    pairs: Option<u64>,
) -> anyhow::Result<Coverage> {
    let mut coverage = Coverage::default();
    let once = Schedule::script(mishap, vec![first]);
    let report = stage.run(&once)?;
    coverage.singles += 1;
    coverage.add(&once, &report);
    let Some(stride) = pairs else {
        return Ok(coverage);
    };
    for second in first + 1..=report.points {
        // Another share of the second points for every first one.
        if !(first + second).is_multiple_of(stride.max(1)) {
            continue;
        }
        let twice = Schedule::script(mishap, vec![first, second]);
        let report = stage.run(&twice)?;
        coverage.pairs += 1;
        coverage.add(&twice, &report);
    }
    Ok(coverage)
}
