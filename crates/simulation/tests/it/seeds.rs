//! Random schedules: `SIMULATION_SEEDS` says how many, 500 if it does not. `cargo xtask simulate`
//! runs them by the ten thousands, built for release.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use simulation::{Schedule, Stage, share};

fn seeds() -> u64 {
    std::env::var("SIMULATION_SEEDS").ok().map_or(500, |text| {
        text.parse().expect("SIMULATION_SEEDS is a number")
    })
}

/// What only some schedules contain, and the random schedules as a whole must.
const PARTS: [&str; 25] = [
    "answers of the bank delayed",
    "answers of the bank lost",
    "books compared with the bank's",
    "cancels that gave money back",
    "cancels without a certain answer",
    "checkouts repeated under their key",
    "clients that hung up",
    "confirms turned away by the breaker",
    "confirms turned away for want of room",
    "connections to the bank refused",
    "deposits",
    "early looks by operators",
    "ended orders with money at the bank",
    "errors and oddities of the bank",
    "other checkouts refused under a used key",
    "payments denied by the bank that it approved later",
    "processes that died at a point",
    "quarantined payments that an operator settled",
    "reads that repaired",
    "requests to the bank doubled",
    "requests to the bank lost",
    "requests to the bank overtaken by later ones",
    "schedules with writes that shared a transaction",
    "stalls",
    "statements that failed",
];

#[test]
fn every_invariant_holds_for_every_seed_and_every_kind_of_fault_occurs() {
    let mut happened: BTreeMap<&str, u64> = BTreeMap::new();
    let mut broken = None;
    let stages = share(
        2,
        0..seeds(),
        |stage: &Stage, seed| stage.run(&Schedule::random(*seed)),
        |seed, report| {
            for (what, times) in report.happened {
                *happened.entry(what).or_default() += times;
            }
            if let Some(violation) = report.violation {
                broken = Some((seed, violation));
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        },
    );
    stages.unwrap();
    if let Some((seed, violation)) = broken {
        let traced = Schedule {
            trace: true,
            ..Schedule::random(seed)
        };
        let trace = Stage::new().unwrap().run(&traced).unwrap().trace;
        let tail = trace[trace.len().saturating_sub(60)..].join("\n");
        panic!(
            "{tail}\nseed {seed}: {violation}\nreplay: {}",
            traced.replay()
        );
    }
    for part in PARTS {
        assert!(happened.contains_key(part), "never: {part}; {happened:?}");
    }
}
