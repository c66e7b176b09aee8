//! Teeth: each deliberate bug is found within a few schedules.

use simulation::{Mutant, Schedule, Stage};

/// The most seeds that a bug may survive.
const SEEDS_MAX: u64 = 1_000;

/// The first seed that shows the bug.
fn killer(stage: &Stage, mutant: Mutant) -> Option<u64> {
    (0..SEEDS_MAX).find(|seed| {
        let schedule = Schedule {
            mutant: Some(mutant),
            ..Schedule::random(*seed)
        };
        stage.run(&schedule).unwrap().violation.is_some()
    })
}

#[test]
fn every_deliberate_bug_is_found() {
    let stage = Stage::new().unwrap();
    let survivors: Vec<_> = Mutant::ALL
        .into_iter()
        .filter(|mutant| killer(&stage, *mutant).is_none())
        .collect();
    assert_eq!(survivors, [], "nobody noticed these");
}
