//! A crash at the points of one order's life, after every mishap. `SIMULATION_CRASH_STRIDE=1` runs
//! them all, as `simulate --enumerate` does.

use std::ops::ControlFlow;

use simulation::{Coverage, Mishap, Stage, crashes_from, points, share};

/// Which share of the points a plain test run takes; another share for each mishap.
const STRIDE: u64 = 23;
/// The same of pairs of points.
const PAIR_STRIDE: u64 = 41;

fn stride(otherwise: u64) -> u64 {
    std::env::var("SIMULATION_CRASH_STRIDE")
        .ok()
        .map_or(otherwise, |text| {
            text.parse().expect("SIMULATION_CRASH_STRIDE is a number")
        })
}

fn assert_sound(coverage: &Coverage) {
    for (schedule, violation) in &coverage.broken {
        eprintln!("{violation}\nreplay: {}", schedule.replay());
    }
    assert!(coverage.broken.is_empty());
}

#[test]
fn a_crash_at_any_point_after_any_mishap_breaks_no_invariant() {
    let stage = Stage::new().unwrap();
    let stride = stride(STRIDE);
    let mut items = Vec::new();
    for mishap in Mishap::ALL {
        let first = 1 + mishap as u64 % stride;
        let points = points(&stage, mishap).unwrap();
        assert!(points > 60, "{mishap} has only {points} points");
        items.extend(
            (first..=points)
                .step_by(usize::try_from(stride).unwrap())
                .map(|at| (mishap, at)),
        );
    }
    let mut all = Coverage::default();
    share(
        2,
        items.into_iter(),
        |stage, (mishap, first)| crashes_from(stage, *mishap, *first, None),
        |_, coverage| {
            all.extend(coverage);
            ControlFlow::Continue(())
        },
    )
    .unwrap();
    assert_sound(&all);
}

#[test]
fn a_second_crash_during_recovery_breaks_no_invariant() {
    let stage = Stage::new().unwrap();
    let mishap = Mishap::AnswerLost;
    let stride = stride(PAIR_STRIDE);
    let points = points(&stage, mishap).unwrap();
    let mut all = Coverage::default();
    for first in (1..=points).step_by(usize::try_from(stride).unwrap()) {
        all.extend(crashes_from(&stage, mishap, first, Some(stride)).unwrap());
    }
    assert!(all.pairs > 0, "{all:?}");
    assert_sound(&all);
}
