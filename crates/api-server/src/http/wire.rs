//! Values as they come in: parsed once, at the edge.

use kernel::Money;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// An amount of won above zero: an integer, or a decimal whose fraction is zero, as a number or a
/// string (`210000`, `210000.00`, `"210000"`). Read from the text itself, so nothing is rounded.
#[derive(Debug, Clone, Copy, ToSchema)]
#[schema(value_type = i64, minimum = 1, example = 210_000)]
pub(super) struct Won(pub Money);

impl<'de> Deserialize<'de> for Won {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(from)?.get().trim();
        let quoted: String;
        let text = if raw.starts_with('"') {
            quoted = serde_json::from_str(raw).map_err(D::Error::custom)?;
            quoted.as_str()
        } else {
            raw
        };
        parse(text).map(Self).ok_or_else(|| {
            D::Error::custom("an amount must be a whole number of won, from 1 to 1000000000000000")
        })
    }
}

fn parse(text: &str) -> Option<Money> {
    if text.len() > 40 || !text.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    let amount = Decimal::from_str_exact(text)
        .or_else(|_| Decimal::from_scientific(text))
        .ok()?;
    if !amount.is_integer() {
        return None;
    }
    let money = Money::from_won(amount.to_i64()?).ok()?;
    (money > Money::ZERO).then_some(money)
}

/// A moment as clients read it: RFC 3339, UTC.
pub(crate) fn rfc3339(at: kernel::Timestamp) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
}

/// A moment as clients write it: RFC 3339 with offset. In a query a `+` that nobody escaped has
/// become a space.
pub(super) fn parse_rfc3339(text: &str) -> Option<kernel::Timestamp> {
    let moment = chrono::DateTime::parse_from_rfc3339(&text.replace(' ', "+")).ok()?;
    Some(moment.to_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn won(json: &str) -> Option<i64> {
        serde_json::from_str::<Won>(json)
            .ok()
            .map(|won| won.0.won())
    }

    #[test]
    fn whole_amounts_are_read_however_they_are_written() {
        for json in [
            "210000",
            "210000.00",
            "\"210000\"",
            "\"210000.0\"",
            "2.1e5",
            " 210000 ",
        ] {
            assert_eq!(won(json), Some(210_000), "{json}");
        }
    }

    #[test]
    fn a_moment_is_read_with_any_offset() {
        for text in [
            "2026-01-05T00:00:00Z",
            "2026-01-05T09:00:00+09:00",
            "2026-01-05T09:00:00 09:00",
            "2026-01-04T19:00:00.000000-05:00",
        ] {
            let moment = parse_rfc3339(text).map(rfc3339);
            assert_eq!(moment.as_deref(), Some("2026-01-05T00:00:00Z"), "{text}");
        }
        for bad in ["", "2026-01-05", "2026-01-05T00:00:00", "yesterday", "0"] {
            assert_eq!(parse_rfc3339(bad), None, "{bad}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for json in [
            "0",
            "-1",
            "\"-1\"",
            "1.5",
            "\"1.5\"",
            "\"\"",
            "\"abc\"",
            "null",
            "true",
            "[]",
            "{}",
            "1e400",
            "1000000000000001",
            "99999999999999999999999999",
            "\"1 000\"",
            "\"+5\"",
            "\"０\"",
            "210000.0000000000000000000000000001",
        ] {
            assert_eq!(won(json), None, "{json}");
        }
    }
}
