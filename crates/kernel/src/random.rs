use std::sync::Arc;

use rand::Rng;
use uuid::Uuid;

use crate::{Clock, OrderId};

/// A source of random numbers for jitter and ids.
pub trait Randomness: Send + Sync {
    /// 64 random bits, every value equally likely.
    fn next_u64(&self) -> u64;

    /// A number from 0 (included) to `bound` (excluded); 0 when `bound` is 0.
    ///
    /// The bias of the simple reduction is below `bound` / 2^64.
    fn below(&self, bound: u64) -> u64 {
        let wide = u128::from(self.next_u64()) * u128::from(bound);
        u64::try_from(wide >> 64).unwrap_or(0)
    }
}

/// Makes the ids that the application hands out. Ids are never made by the database.
pub trait IdGenerator: Send + Sync {
    /// A new order id that nobody can guess and that sorts by time.
    fn order_id(&self) -> OrderId;

    /// A new token of 32 hexadecimal characters with at least 74 random bits.
    fn token(&self) -> String;
}

/// The machine's cryptographic random source.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandomness;

impl Randomness for SystemRandomness {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one home of the real random source"
    )]
    fn next_u64(&self) -> u64 {
        rand::rng().next_u64()
    }
}

/// Ids of UUID version 7: 48 bits of milliseconds, so that new rows land at the end of the
/// primary key, and 74 random bits, so that nobody guesses a neighbour's order.
pub struct SystemIds {
    clock: Arc<dyn Clock>,
    randomness: Arc<dyn Randomness>,
}

impl SystemIds {
    /// Ids from this clock and this randomness.
    pub fn new(clock: Arc<dyn Clock>, randomness: Arc<dyn Randomness>) -> Self {
        Self { clock, randomness }
    }

    fn uuid(&self) -> Uuid {
        let mut random = [0_u8; 10];
        let (head, tail) = (self.randomness.next_u64(), self.randomness.next_u64());
        for (slot, byte) in random
            .iter_mut()
            .zip(head.to_le_bytes().into_iter().chain(tail.to_le_bytes()))
        {
            *slot = byte;
        }
        let millis = u64::try_from(self.clock.now().timestamp_millis()).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }
}

impl IdGenerator for SystemIds {
    #[expect(
        clippy::expect_used,
        reason = "a hyphenated UUID always is a valid order id"
    )]
    fn order_id(&self) -> OrderId {
        OrderId::try_from(self.uuid().to_string()).expect("a UUID has 36 characters of 0-9a-f-")
    }

    fn token(&self) -> String {
        self.uuid().simple().to_string()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::SystemClock;

    #[test]
    fn ten_thousand_order_ids_differ() {
        let ids = SystemIds::new(Arc::new(SystemClock), Arc::new(SystemRandomness));
        let made: BTreeSet<_> = (0..10_000).map(|_| ids.order_id()).collect();
        assert_eq!(made.len(), 10_000);
    }

    #[test]
    fn below_stays_below() {
        for bound in [1, 2, 7, 1000] {
            assert!((0..1000).all(|_| SystemRandomness.below(bound) < bound));
        }
        assert_eq!(SystemRandomness.below(0), 0);
    }
}
