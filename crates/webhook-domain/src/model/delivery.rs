use std::time::Duration;

use chrono::DateTime;
use kernel::{OrderId, Randomness, Timestamp};

use super::{Event, EventType};

/// How long deliveries are tried, counted from the first try.
pub const WINDOW: Duration = Duration::from_hours(24);
/// How long whoever sends a delivery has it for itself: longer than sending may take.
pub const LEASE: Duration = Duration::from_secs(30);
/// The pause after the first try that failed; doubles up to [`PAUSE_MAX`].
const PAUSE_FIRST: Duration = Duration::from_secs(5);
/// The longest pause of our own between two tries.
const PAUSE_MAX: Duration = Duration::from_hours(2);
/// The longest pause that a receiver can ask for with `Retry-After`.
const RETRY_AFTER_MAX: Duration = Duration::from_hours(1);
/// The longest note of what went wrong, in characters.
const ERROR_CHARS_MAX: usize = 200;
/// HTTP's 410: the receiver wants nothing any more.
const GONE: u16 = 410;

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    /// It is to be sent.
    Pending,
    /// The receiver took it.
    Delivered,
    /// It was given up: an operator may have it sent again.
    Dead,
}

impl DeliveryState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Pending, Self::Delivered, Self::Dead];

    /// The spelling that operators and the database see.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Delivered => "DELIVERED",
            Self::Dead => "DEAD",
        }
    }

    /// The state with this spelling.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// One event on its way to one endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Its id. A later delivery has a higher one.
    pub id: String,
    /// To which endpoint.
    pub endpoint_id: String,
    /// Which event.
    pub event_id: String,
    /// The event's type.
    pub event_type: EventType,
    /// The event's order.
    pub order_id: Option<OrderId>,
    /// The event's place among its order's.
    pub sequence: i64,
    /// Where it stands.
    pub state: DeliveryState,
    /// When it is sent next, or when the lease of whoever sends it ends; `None` when nothing is to be
    /// done.
    pub due_at: Option<Timestamp>,
    /// How often it was begun to be sent.
    pub tries: u32,
    /// When it was sent first, since it was last asked for.
    pub first_tried_at: Option<Timestamp>,
    /// The last answer's HTTP status.
    pub last_status: Option<u16>,
    /// What went wrong last, for people; at most 200 characters.
    pub last_error: Option<String>,
    /// When the event came.
    pub created_at: Timestamp,
    /// When it was delivered or given up.
    pub ended_at: Option<Timestamp>,
}

/// What came of sending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// The receiver answered.
    Answered {
        /// Its HTTP status.
        status: u16,
        /// Its `Retry-After`, as it came.
        retry_after: Option<String>,
    },
    /// No answer came, or nothing was sent; in words, without the URL.
    Failed(String),
}

impl Delivery {
    /// A new delivery of this event to this endpoint, due at `now`; `place` tells the deliveries of
    /// one event apart.
    pub fn new(
        event: &Event,
        endpoint_id: &str,
        token: &str,
        place: usize,
        now: Timestamp,
    ) -> Self {
        Self {
            id: format!("dlv_{token}{place:02}"),
            endpoint_id: endpoint_id.to_owned(),
            event_id: event.id.clone(),
            event_type: event.event_type,
            order_id: event.order_id.clone(),
            sequence: event.sequence,
            state: DeliveryState::Pending,
            due_at: Some(now),
            tries: 0,
            first_tried_at: None,
            last_status: None,
            last_error: None,
            created_at: now,
            ended_at: None,
        }
    }

    /// The delivery in the hands of whoever sends it now.
    #[must_use]
    pub fn taken(mut self, now: Timestamp) -> Self {
        self.due_at = Some(now + LEASE);
        self.tries = self.tries.saturating_add(1);
        self.first_tried_at.get_or_insert(now);
        self
    }

    /// The delivery after it was sent: delivered, to be sent again, or given up.
    #[must_use]
    pub fn after(mut self, sent: &Sent, now: Timestamp, randomness: &dyn Randomness) -> Self {
        let asked = match sent {
            Sent::Answered {
                status,
                retry_after,
            } => {
                self.last_status = Some(*status);
                self.last_error = None;
                match *status {
                    200..=299 => return self.ended(DeliveryState::Delivered, now),
                    GONE => return self.ended(DeliveryState::Dead, now),
                    _ => {}
                }
                retry_after
                    .as_deref()
                    .and_then(|text| retry_after_of(text, now))
            }
            Sent::Failed(why) => {
                self.last_status = None;
                self.last_error = Some(why.chars().take(ERROR_CHARS_MAX).collect());
                None
            }
        };
        let last_try = self.first_tried_at.unwrap_or(now) + WINDOW;
        if now >= last_try {
            return self.ended(DeliveryState::Dead, now);
        }
        let pause = pause(self.tries, randomness).max(asked.unwrap_or_default());
        self.due_at = Some((now + pause).min(last_try));
        self
    }

    /// Whether this answer says that the endpoint wants nothing any more.
    pub fn says_gone(&self) -> bool {
        self.state == DeliveryState::Dead && self.last_status == Some(GONE)
    }

    /// The delivery, to be sent as if for the first time.
    #[must_use]
    pub fn again(mut self, now: Timestamp) -> Self {
        self.state = DeliveryState::Pending;
        self.due_at = Some(now);
        self.tries = 0;
        self.first_tried_at = None;
        self.ended_at = None;
        self
    }

    fn ended(mut self, state: DeliveryState, now: Timestamp) -> Self {
        self.state = state;
        self.due_at = None;
        self.ended_at = Some(now);
        self
    }
}

/// The pause after so many tries: doubling, and between its half and the whole of it by lot, so that
/// what failed together does not come again together.
fn pause(tries: u32, randomness: &dyn Randomness) -> Duration {
    let doublings = tries.saturating_sub(1).min(16);
    let whole = PAUSE_FIRST
        .saturating_mul(2_u32.saturating_pow(doublings))
        .min(PAUSE_MAX);
    let half = u64::try_from(whole.as_millis()).unwrap_or(u64::MAX) / 2;
    Duration::from_millis(half + randomness.below(half + 1))
}

/// `Retry-After` in seconds or as a date, within bounds.
fn retry_after_of(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    let asked = if let Ok(seconds) = text.parse::<u64>() {
        Duration::from_secs(seconds)
    } else {
        let at = DateTime::parse_from_rfc2822(text).ok()?;
        (at.to_utc() - now).to_std().ok()?
    };
    Some(asked.min(RETRY_AFTER_MAX))
}

#[cfg(test)]
mod tests {
    use kernel::from_micros;
    use proptest::prelude::*;

    use super::*;

    struct Always(u64);

    impl Randomness for Always {
        fn next_u64(&self) -> u64 {
            self.0
        }
    }

    fn start() -> Timestamp {
        from_micros(1_767_571_200_000_000)
    }

    fn delivery() -> Delivery {
        Delivery {
            id: "dlv_1".to_owned(),
            endpoint_id: "ep_1".to_owned(),
            event_id: "evt_1".to_owned(),
            event_type: EventType::PaymentDone,
            order_id: None,
            sequence: 3,
            state: DeliveryState::Pending,
            due_at: Some(start()),
            tries: 0,
            first_tried_at: None,
            last_status: None,
            last_error: None,
            created_at: start(),
            ended_at: None,
        }
    }

    fn answered(status: u16, retry_after: Option<&str>) -> Sent {
        Sent::Answered {
            status,
            retry_after: retry_after.map(ToOwned::to_owned),
        }
    }

    /// Tries until the end; when each try was made.
    fn tries(randomness: &dyn Randomness, sent: &Sent) -> (Delivery, Vec<Duration>) {
        let mut delivery = delivery();
        let mut tries = Vec::new();
        while let Some(due) = delivery.due_at {
            tries.push((due - start()).to_std().unwrap());
            delivery = delivery.taken(due).after(sent, due, randomness);
            assert!(tries.len() < 100);
        }
        (delivery, tries)
    }

    #[test]
    fn tries_go_on_for_exactly_a_day_and_then_it_is_dead() {
        for lot in [0, u64::MAX / 2, u64::MAX] {
            let (dead, tries) = tries(&Always(lot), &answered(500, None));
            assert_eq!(dead.state, DeliveryState::Dead);
            assert_eq!(tries.last(), Some(&WINDOW));
            assert_eq!(dead.tries as usize, tries.len());
            assert_eq!(dead.ended_at, Some(start() + WINDOW));
        }
        let longest = tries(&Always(u64::MAX), &answered(500, None)).1;
        let pauses = longest.windows(2).map(|pair| pair[1].abs_diff(pair[0]));
        let seconds: Vec<_> = pauses.map(|pause| pause.as_secs()).collect();
        assert_eq!(
            seconds[..12],
            [5, 10, 20, 40, 80, 160, 320, 640, 1_280, 2_560, 5_120, 7_200]
        );
        assert_eq!(longest.len(), 23);
    }

    #[test]
    fn only_2xx_is_success_and_410_is_the_end() {
        let after = |status| {
            let taken = delivery().taken(start());
            taken.after(&answered(status, None), start(), &Always(0))
        };
        for status in [200, 201, 204, 299] {
            let done = after(status);
            assert_eq!((done.state, done.due_at), (DeliveryState::Delivered, None));
            assert_eq!(done.ended_at, Some(start()));
        }
        for status in [
            100, 199, 300, 301, 302, 307, 400, 401, 404, 409, 429, 500, 503,
        ] {
            let again = after(status);
            assert_eq!(again.state, DeliveryState::Pending, "{status}");
            assert_eq!(again.last_status, Some(status));
            assert!(!again.says_gone());
        }
        let gone = after(410);
        assert!(gone.says_gone() && gone.due_at.is_none());
    }

    #[test]
    fn retry_after_is_honoured_within_an_hour_and_the_day() {
        let due = |text: &str| {
            let taken = delivery().taken(start());
            let after = taken.after(&answered(503, Some(text)), start(), &Always(u64::MAX));
            (after.due_at.unwrap() - start()).num_seconds()
        };
        assert_eq!(due("120"), 120);
        assert_eq!(due(" 7 "), 7);
        assert_eq!(due("0"), 5, "never sooner than our own pause");
        assert_eq!(due("999999999"), 3_600);
        assert_eq!(due("Mon, 05 Jan 2026 00:01:00 GMT"), 60);
        assert_eq!(due("Mon, 05 Jan 2020 00:01:00 GMT"), 5);
        for odd in ["soon", "-5", "1.5", "99999999999999999999999"] {
            assert_eq!(due(odd), 5, "{odd}");
        }
        let (dead, tries) = tries(&Always(0), &answered(503, Some("3600")));
        assert_eq!(dead.state, DeliveryState::Dead);
        assert_eq!((tries.len(), tries.last()), (25, Some(&WINDOW)));
    }

    #[test]
    fn what_is_sent_again_has_its_whole_day_again() {
        let (dead, _) = tries(&Always(0), &Sent::Failed("x".repeat(900)));
        assert_eq!(dead.last_error.as_ref().map(String::len), Some(200));
        let later = start() + 2 * WINDOW;
        let again = dead.again(later).taken(later);
        assert_eq!((again.tries, again.due_at), (1, Some(later + LEASE)));
        let again = again.after(&answered(500, None), later, &Always(0));
        assert_eq!(again.state, DeliveryState::Pending);
    }

    proptest! {
        #[test]
        fn no_lot_makes_a_pause_outside_its_bounds(tries in 0_u32..1_000, lot: u64) {
            let pause = pause(tries, &Always(lot));
            prop_assert!(pause >= PAUSE_FIRST / 2 && pause <= PAUSE_MAX);
        }
    }
}
