//! What happens to a process at a point.

use rand::Rng as _;

use super::{Inner, Side};
use crate::plan::Mishap;
use crate::terms::STALL_MAX_MS;

pub(super) enum Fate {
    On,
    Pause(u64),
    Fail,
    Crash,
}

/// How likely each fault is, per thousand points or calls. Drawn per schedule, so that some
/// schedules are calm and some are stormy.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Rates {
    pub(crate) pause: u64,
    pub(crate) stall_per_10k: u64,
    pub(crate) crash_per_10k: u64,
    pub(crate) fail_per_10k: u64,
    pub(crate) network: u64,
    pub(crate) bank: u64,
    pub(crate) hang_up: u64,
}

impl Rates {
    /// Some schedules are calm in this, some in that.
    pub(super) fn drawn(mut below: impl FnMut(u64) -> u64) -> Self {
        let mut one_of = |rates: [u64; 4]| rates[usize::try_from(below(4)).unwrap_or(0)];
        Self {
            pause: one_of([0, 50, 200, 400]),
            stall_per_10k: one_of([0, 20, 60, 150]),
            crash_per_10k: one_of([0, 10, 40, 100]),
            fail_per_10k: one_of([0, 0, 20, 80]),
            network: one_of([0, 100, 250, 500]),
            bank: one_of([0, 80, 200, 400]),
            hang_up: one_of([0, 100, 300, 600]),
        }
    }
}

impl Inner {
    pub(super) fn draw_fault(&mut self, is_statement: bool) -> Fate {
        let rates = self.rates;
        let lot = self.random.next_u64() % 10_000;
        let (crash, stall) = (
            rates.crash_per_10k,
            rates.crash_per_10k + rates.stall_per_10k,
        );
        let fail = stall + rates.fail_per_10k;
        if lot < crash {
            if self.crashes_left > 0 {
                self.crashes_left -= 1;
                self.count("processes that died at a point");
                return Fate::Crash;
            }
        } else if lot < stall {
            if self.stalls_left > 0 {
                self.stalls_left -= 1;
                self.count("stalls");
                return Fate::Pause(1_000 + self.random.next_u64() % (STALL_MAX_MS - 1_000));
            }
        } else if lot < fail {
            if is_statement {
                self.count("statements that failed");
                return Fate::Fail;
            }
        } else if self.random.next_u64() % 1_000 < rates.pause {
            return Fate::Pause(1 + self.random.next_u64() % 20);
        }
        Fate::On
    }

    /// The workers' polling is left out of the count: a process that dies there has done nothing.
    pub(super) fn scripted(
        &mut self,
        call: &'static str,
        side: Side,
        is_statement: bool,
        mishap: Mishap,
        crashes: &[u64],
    ) -> Fate {
        if matches!(call, "due" | "due_messages" | "-") {
            return Fate::On;
        }
        self.points += 1;
        if crashes.contains(&self.points) {
            return Fate::Crash;
        }
        if mishap == Mishap::DatabaseError
            && is_statement
            && side == Side::After
            && self.scripted_failures.insert(call)
        {
            return Fate::Fail;
        }
        Fate::On
    }
}
