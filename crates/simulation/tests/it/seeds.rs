//! Random schedules: `SIMULATION_SEEDS` says how many, 1,000 if it does not.

use simulation::{Schedule, Stage};

fn seeds() -> u64 {
    std::env::var("SIMULATION_SEEDS")
        .ok()
        .map_or(1_000, |text| {
            text.parse().expect("SIMULATION_SEEDS is a number")
        })
}

/// Runs every `step`-th seed from `first` on.
fn hold_for(first: u64, step: usize) {
    let stage = Stage::new().unwrap();
    for seed in (first..seeds()).step_by(step) {
        let report = stage.run(&Schedule::random(seed)).unwrap();
        if let Some(violation) = report.violation {
            let traced = Schedule {
                trace: true,
                ..Schedule::random(seed)
            };
            let trace = stage.run(&traced).unwrap().trace;
            let tail = trace[trace.len().saturating_sub(60)..].join("\n");
            panic!(
                "{tail}\nseed {seed}: {violation}\n\
                 replay: cargo run -p simulation --release -- --seed {seed} --trace"
            );
        }
    }
}

#[test]
fn every_invariant_holds_for_every_even_seed() {
    hold_for(0, 2);
}

#[test]
fn every_invariant_holds_for_every_odd_seed() {
    hold_for(1, 2);
}
