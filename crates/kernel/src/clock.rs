use chrono::{DateTime, Duration, Utc};

/// A moment in UTC, at most microseconds fine (that is what both databases keep).
pub type Timestamp = DateTime<Utc>;

/// Tells the time. Everything that needs "now" takes one of these.
pub trait Clock: Send + Sync {
    /// The present moment, truncated to whole microseconds.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one home of the real clock")]
    fn now(&self) -> Timestamp {
        from_micros(micros(Utc::now()))
    }
}

/// Microseconds since 1970-01-01T00:00:00Z; the form in which times are stored.
pub fn micros(at: Timestamp) -> i64 {
    at.timestamp_micros()
}

/// The moment that many microseconds after 1970-01-01T00:00:00Z.
///
/// A number outside chrono's range (about ±262 000 years) is clamped to its nearest end.
pub fn from_micros(us: i64) -> Timestamp {
    DateTime::from_timestamp_micros(us).unwrap_or(if us < 0 {
        DateTime::<Utc>::MIN_UTC
    } else {
        DateTime::<Utc>::MAX_UTC - Duration::days(1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_survive_the_stored_form() {
        let now = SystemClock.now();
        assert_eq!(from_micros(micros(now)), now);
    }
}
