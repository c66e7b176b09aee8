//! Times as Toss spells them.

use std::fmt;

use chrono::{DateTime, FixedOffset};
use serde::{Deserialize, Serialize};

/// A time of Toss: its text, kept verbatim, and the moment it names.
///
/// Documented is `yyyy-MM-dd'T'HH:mm:ss±hh:mm`; also seen are milliseconds with `Z` (brandpay)
/// and microseconds without an offset (webhooks), which mean Korean time. A text that names no
/// moment is kept all the same: an unreadable date must not lose a payment.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Timestamp {
    text: String,
    at: Option<DateTime<FixedOffset>>,
}

impl Timestamp {
    /// Reads a text; never fails.
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        let at = moment(text.trim());
        Self { text, at }
    }

    /// The moment, or `None` when the text is in no known spelling.
    pub fn at(&self) -> Option<DateTime<FixedOffset>> {
        self.at
    }

    /// The text as Toss sent it.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// Offsets are tried as written (`+09:00`, `+0900`, `+09`, `Z`), then Korean time is added to
/// what has none. Korea has had no daylight saving since 1988, so `+09:00` is exact.
fn moment(text: &str) -> Option<DateTime<FixedOffset>> {
    const FORMATS: [&str; 4] = [
        "%Y-%m-%dT%H:%M:%S%.f%#z",
        "%Y-%m-%d %H:%M:%S%.f%#z",
        "%Y-%m-%dT%H:%M%#z",
        "%Y-%m-%d %H:%M%#z",
    ];
    let read = |text: &str| {
        DateTime::parse_from_rfc3339(text).ok().or_else(|| {
            FORMATS
                .iter()
                .find_map(|format| DateTime::parse_from_str(text, format).ok())
        })
    };
    read(text)
        .or_else(|| read(&format!("{text}+09:00")))
        .or_else(|| read(&format!("{text}T00:00:00+09:00")))
}

impl From<String> for Timestamp {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<Timestamp> for String {
    fn from(timestamp: Timestamp) -> Self {
        timestamp.text
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_spelling_names_the_same_moment() {
        for text in [
            "2022-01-01T09:00:00+09:00",
            "2022-01-01T09:00:00+0900",
            "2022-01-01T09:00:00+09",
            "2022-01-01T00:00:00Z",
            "2022-01-01T00:00:00.000Z",
            "2022-01-01T09:00:00.000000",
            "2022-01-01T09:00:00",
            "2022-01-01 09:00:00",
            "2022-01-01T09:00",
            " 2022-01-01T09:00:00+09:00 ",
        ] {
            let at = Timestamp::new(text).at();
            assert_eq!(at.map(|at| at.timestamp()), Some(1_640_995_200), "{text}");
        }
    }

    #[test]
    fn fractions_of_a_second_are_kept() {
        let at = Timestamp::new("2022-01-01T09:00:00.123456").at().unwrap();
        assert_eq!(at.timestamp_subsec_micros(), 123_456);
    }

    #[test]
    fn a_day_alone_begins_at_midnight_in_korea() {
        let at = Timestamp::new("2022-01-01").at().unwrap();
        assert_eq!(at.to_rfc3339(), "2022-01-01T00:00:00+09:00");
    }

    #[test]
    fn an_unreadable_time_keeps_its_text() {
        for text in ["", "soon", "2022-13-01T00:00:00+09:00", "20220101"] {
            let timestamp = Timestamp::new(text);
            assert_eq!((timestamp.at(), timestamp.as_str()), (None, text));
        }
    }
}
