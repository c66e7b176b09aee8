//! A schedule is decided by its seed alone.

use std::collections::BTreeSet;

use simulation::{Mishap, Schedule, Stage};

const SEEDS: u64 = 20;

#[test]
fn the_same_seed_leaves_the_same_trace() {
    let stage = Stage::new().unwrap();
    let forwards: Vec<_> = (0..SEEDS)
        .map(|seed| stage.run(&Schedule::random(seed)).unwrap().digest)
        .collect();
    let other_stage = Stage::new().unwrap();
    let mut backwards: Vec<_> = (0..SEEDS)
        .rev()
        .map(|seed| other_stage.run(&Schedule::random(seed)).unwrap().digest)
        .collect();
    backwards.reverse();
    assert_eq!(forwards, backwards);
    let different: BTreeSet<_> = forwards.iter().collect();
    assert_eq!(
        different.len(),
        forwards.len(),
        "every seed is another schedule"
    );
}

#[test]
fn the_same_crash_leaves_the_same_trace() {
    let stage = Stage::new().unwrap();
    for point in [5, 40, 80] {
        let schedule = Schedule::script(Mishap::AnswerLost, vec![point]);
        let first = stage.run(&schedule).unwrap();
        let second = stage.run(&schedule).unwrap();
        assert_eq!(first.digest, second.digest, "point {point}");
    }
}

#[test]
fn keeping_the_trace_changes_nothing() {
    let stage = Stage::new().unwrap();
    let silent = stage.run(&Schedule::random(3)).unwrap();
    let traced = stage
        .run(&Schedule {
            trace: true,
            ..Schedule::random(3)
        })
        .unwrap();
    assert_eq!(silent.digest, traced.digest);
    assert_eq!(traced.trace.len() as u64, traced.events);
    assert!(silent.trace.is_empty());
}
