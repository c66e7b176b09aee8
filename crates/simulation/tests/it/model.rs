//! The state machine explored to the end, and proof that the exploration has teeth.

use simulation::model::{Bounds, Slip, explore};

/// Small, for a debug build; `simulate --model` goes further.
const SMALL: Bounds = Bounds {
    fences: 5,
    crashes: 1,
    mishaps: 1,
};

#[test]
fn no_interleaving_breaks_a_rule() {
    let smaller = Bounds { fences: 4, ..SMALL };
    let explored = explore(smaller, Slip::None);
    assert_eq!(explored.violation, None);
    assert!(explored.states > 1_000, "{explored:?}");
    assert!(explored.quiet > 0, "{explored:?}");
}

#[test]
fn every_slip_is_found() {
    for slip in [
        Slip::NoFence,
        Slip::SilenceIsDecline,
        Slip::NewKeyAfterSilence,
        Slip::ReleaseIgnoresFence,
        Slip::NoLease,
        Slip::NoLastLook,
    ] {
        let explored = explore(SMALL, slip);
        assert!(explored.violation.is_some(), "{slip:?}: {explored:?}");
    }
}
