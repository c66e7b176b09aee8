//! Crashes at every point of one order's life: one by one, then in pairs, the second of which
//! falls into the recovery from the first.

use crate::plan::{Mishap, Schedule};
use crate::schedule::{Report, Stage};

/// What an enumeration covered.
#[derive(Debug, Clone, Default)]
pub struct Coverage {
    /// Schedules run.
    pub schedules: u64,
    /// Points before and after a port call or statement at which a process died.
    pub points: u64,
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
}

/// One schedule without a crash, then one for every point at which a process can die; with a
/// `stride` above 1 only for every so many-th point.
///
/// # Errors
/// When a schedule cannot be run; see [`Stage::run`].
pub fn single_crashes(stage: &Stage, mishap: Mishap, stride: u64) -> anyhow::Result<Coverage> {
    let mut coverage = Coverage::default();
    let calm = Schedule::script(mishap, Vec::new());
    let report = stage.run(&calm)?;
    coverage.add(&calm, &report);
    let first = 1 + mishap as u64 % stride.max(1);
    for point in (first..=report.points).step_by(usize::try_from(stride.max(1))?) {
        let schedule = Schedule::script(mishap, vec![point]);
        let report = stage.run(&schedule)?;
        coverage.points += 1;
        coverage.add(&schedule, &report);
    }
    Ok(coverage)
}

/// Two crashes: for every first point, every later point that the schedule then still comes to.
/// With a `stride` above 1 only every so many-th pair is run, spread over all of them.
///
/// # Errors
/// When a schedule cannot be run; see [`Stage::run`].
pub fn pairs_of_crashes(stage: &Stage, mishap: Mishap, stride: u64) -> anyhow::Result<Coverage> {
    let mut coverage = Coverage::default();
    let calm = stage.run(&Schedule::script(mishap, Vec::new()))?;
    let mut pair = 0_u64;
    for first in 1..=calm.points {
        let once = stage.run(&Schedule::script(mishap, vec![first]))?;
        for second in first + 1..=once.points {
            pair += 1;
            if !pair.is_multiple_of(stride.max(1)) {
                continue;
            }
            let schedule = Schedule::script(mishap, vec![first, second]);
            let report = stage.run(&schedule)?;
            coverage.points += 1;
            coverage.add(&schedule, &report);
        }
    }
    Ok(coverage)
}
