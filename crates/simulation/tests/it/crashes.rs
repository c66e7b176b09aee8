//! A crash at the points of one order's life, after every mishap. `SIMULATION_CRASH_STRIDE=1` runs
//! them all, as `simulate --enumerate` does.

use simulation::{Coverage, Mishap, Stage, pairs_of_crashes, single_crashes};

/// Which share of the points a plain test run takes; another share for each mishap.
const STRIDE: u64 = 8;
/// The same of pairs of points.
const PAIR_STRIDE: u64 = 211;

fn stride(otherwise: u64) -> u64 {
    std::env::var("SIMULATION_CRASH_STRIDE")
        .ok()
        .map_or(otherwise, |text| {
            text.parse().expect("SIMULATION_CRASH_STRIDE is a number")
        })
}

fn assert_sound(mishap: Mishap, coverage: &Coverage) {
    for (schedule, violation) in &coverage.broken {
        eprintln!("{:?}: {violation}", schedule.plan);
    }
    assert!(coverage.broken.is_empty(), "{mishap:?}");
    assert!(coverage.points > 0, "{mishap:?} has no point to crash at");
}

#[test]
fn a_crash_at_any_point_after_any_mishap_breaks_no_invariant() {
    let stage = Stage::new().unwrap();
    for mishap in Mishap::ALL {
        let coverage = single_crashes(&stage, mishap, stride(STRIDE)).unwrap();
        assert_sound(mishap, &coverage);
    }
}

#[test]
fn a_second_crash_during_recovery_breaks_no_invariant() {
    let stage = Stage::new().unwrap();
    let coverage = pairs_of_crashes(&stage, Mishap::AnswerLost, stride(PAIR_STRIDE)).unwrap();
    assert_sound(Mishap::AnswerLost, &coverage);
}
