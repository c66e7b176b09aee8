//! Time, ids and randomness of the simulated servers.

use kernel::{Clock, IdGenerator, OrderId, Randomness, Timestamp, from_micros};
use rand::Rng as _;

use super::World;

/// 2026-01-05T00:00:00Z, the moment at which every schedule begins.
const START_MICROS: i64 = 1_767_571_200_000_000;
impl Clock for World {
    fn now(&self) -> Timestamp {
        let elapsed = i64::try_from(self.elapsed().as_micros()).unwrap_or(i64::MAX);
        from_micros(START_MICROS.saturating_add(elapsed))
    }
}

impl Randomness for World {
    fn next_u64(&self) -> u64 {
        self.inner().random.next_u64()
    }
}

impl IdGenerator for World {
    #[expect(clippy::expect_used, reason = "the text follows the rule of order ids")]
    fn order_id(&self) -> OrderId {
        let inner = &mut *self.inner();
        let number = inner.orders.len() + 1;
        let id: OrderId = format!("order-{number:04}")
            .parse()
            .expect("a valid order id");
        inner.orders.insert(id.clone());
        id
    }

    fn token(&self) -> String {
        let inner = &mut *self.inner();
        inner.tokens += 1;
        format!("{:032x}", inner.tokens)
    }
}
