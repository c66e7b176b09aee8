use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use kernel::{Clock, IdGenerator, OrderId, Randomness, Timestamp, from_micros, micros};

use super::fixtures::noon;

/// A clock that stands still until it is moved.
pub struct ManualClock {
    micros: AtomicI64,
}

impl Default for ManualClock {
    fn default() -> Self {
        Self {
            micros: AtomicI64::new(micros(noon())),
        }
    }
}

impl ManualClock {
    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        let by = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
        self.micros.fetch_add(by, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        from_micros(self.micros.load(Ordering::SeqCst))
    }
}

/// Always the same number.
#[derive(Debug, Clone, Copy, Default)]
pub struct FixedRandomness(pub u64);

impl Randomness for FixedRandomness {
    fn next_u64(&self) -> u64 {
        self.0
    }
}

/// `order-000001`, `order-000002`, …
#[derive(Default)]
pub struct NumberedIds {
    made: AtomicU64,
}

impl IdGenerator for NumberedIds {
    fn order_id(&self) -> OrderId {
        let number = self.made.fetch_add(1, Ordering::SeqCst) + 1;
        format!("order-{number:06}").parse().expect("an order id")
    }

    fn token(&self) -> String {
        format!("{:032x}", self.made.fetch_add(1, Ordering::SeqCst) + 1)
    }
}
