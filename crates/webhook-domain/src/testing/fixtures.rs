use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use kernel::{
    Clock, IdGenerator, OrderId, Randomness, SystemRandomness, Timestamp, from_micros, micros,
};

use crate::model::{Endpoint, EndpointState, Event, EventType, SigningSecret};

/// The moment at which fixtures are made: 2026-01-05T00:00:00Z.
pub fn noon() -> Timestamp {
    from_micros(1_767_571_200_000_000)
}

/// An endpoint with this id that is on and wants everything.
pub fn endpoint(id: &str) -> Endpoint {
    Endpoint {
        id: id.to_owned(),
        url: format!("https://{}.example.com/hook?a=1", id.replace('_', "-")),
        types: Vec::new(),
        description: "상점의 서버, 'quoted'".to_owned(),
        state: EndpointState::Enabled,
        secret: SigningSecret::random(&SystemRandomness),
        old_secret: None,
        revision: 0,
        created_at: noon(),
        updated_at: noon(),
    }
}

/// An event of this order.
///
/// # Panics
/// When the text is not an order id.
pub fn event(order: &str, sequence: i64) -> Event {
    Event {
        id: format!("evt_{order}_{sequence}"),
        event_type: EventType::PaymentDone,
        order_id: Some(order.parse().expect("an order id")),
        sequence,
        occurred_at: noon(),
        body: format!(r#"{{"type":"payment.done","data":{{"sequence":{sequence},"원":"₩"}}}}"#),
    }
}

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

/// Tokens that count.
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

/// Counts up from nothing: no two secrets are alike, and jitter is as small as it gets.
#[derive(Default)]
pub struct Steady {
    made: AtomicU64,
}

impl Randomness for Steady {
    fn next_u64(&self) -> u64 {
        self.made.fetch_add(1, Ordering::SeqCst)
    }
}
