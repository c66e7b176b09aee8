//! Amounts on the wire. Toss sends JSON numbers, in foreign currencies with a fraction (`1.25`)
//! and in micro-units above 32 bits (`5e10`); older documents show numeric strings.

use rust_decimal::Decimal;
use serde::{Serializer, ser::Error as _};
use serde_json::Value;

/// The amount in a JSON number or numeric string; `None` for anything else.
///
/// Integers are exact. A fraction has passed through the shortest text of a 64-bit float, which
/// gives back up to 15 significant digits exactly as they were written.
pub(crate) fn from_value(value: &Value) -> Option<Decimal> {
    match value {
        Value::Number(number) => from_text(&number.to_string()),
        Value::String(text) => from_text(text.trim()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn from_text(text: &str) -> Option<Decimal> {
    // `Decimal` would also accept `1_000`, which no JSON writer means as a number.
    let plain = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e' | 'E');
    if text.is_empty() || !text.chars().all(plain) {
        return None;
    }
    let parsed = if text.contains(['e', 'E']) {
        Decimal::from_scientific(text).ok()
    } else {
        Decimal::from_str_exact(text).ok()
    };
    parsed.map(|amount| amount.normalize())
}

/// How an amount is written: as a JSON number wherever that is exact.
enum Written {
    Integer(i64),
    Fraction(f64),
}

fn written(amount: Decimal) -> Option<Written> {
    let amount = amount.normalize();
    let text = amount.to_string();
    if let Ok(integer) = text.parse::<i64>() {
        return Some(Written::Integer(integer));
    }
    let fraction: f64 = text.parse().ok()?;
    (from_text(&fraction.to_string()) == Some(amount)).then_some(Written::Fraction(fraction))
}

/// A number; a numeric string where a number would lose digits.
pub(crate) fn to_value(amount: Decimal) -> Value {
    match written(amount) {
        Some(Written::Integer(integer)) => integer.into(),
        Some(Written::Fraction(fraction)) => fraction.into(),
        None => amount.normalize().to_string().into(),
    }
}

/// Whether a JSON number carries this amount without loss.
pub(crate) fn is_exact(amount: Decimal) -> bool {
    written(amount).is_some()
}

/// Serialises as a number; as a numeric string where a number would lose digits.
pub(crate) fn serialize<S: Serializer>(amount: &Decimal, to: S) -> Result<S::Ok, S::Error> {
    match written(*amount) {
        Some(Written::Integer(integer)) => to.serialize_i64(integer),
        Some(Written::Fraction(fraction)) => to.serialize_f64(fraction),
        None => to.serialize_str(&amount.normalize().to_string()),
    }
}

/// [`serialize`] for a field that is skipped when absent.
#[expect(clippy::ref_option, reason = "serde's serialize_with signature")]
pub(crate) fn serialize_option<S: Serializer>(
    amount: &Option<Decimal>,
    to: S,
) -> Result<S::Ok, S::Error> {
    match amount {
        Some(amount) => serialize(amount, to),
        None => Err(S::Error::custom("an absent amount is skipped, not written")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn decimal(text: &str) -> Decimal {
        Decimal::from_str_exact(text).unwrap()
    }

    #[test]
    fn numbers_and_numeric_strings_are_read_exactly() {
        let cases = [
            (json!(210_000), "210000"),
            (json!(9_007_199_254_740_993_i64), "9007199254740993"),
            (json!(u64::MAX), "18446744073709551615"),
            (json!(50_000_000_000_i64), "50000000000"),
            (json!(5e10), "50000000000"),
            (json!(1e22), "10000000000000000000000"),
            (json!(1.25), "1.25"),
            (json!(726.24), "726.24"),
            (json!(0.1), "0.1"),
            (json!(-1000), "-1000"),
            (json!("210000"), "210000"),
            (json!(" 210000.00 "), "210000"),
            (json!("1.5e3"), "1500"),
        ];
        for (value, expected) in cases {
            assert_eq!(from_value(&value), Some(decimal(expected)), "{value}");
        }
    }

    #[test]
    fn what_is_no_number_is_no_amount() {
        for value in [
            json!(null),
            json!(true),
            json!([1]),
            json!({"value": 1}),
            json!(""),
            json!("free"),
            json!("1_000"),
            json!("1,000"),
            json!("0x10"),
            json!("NaN"),
            json!("--1"),
            json!("99999999999999999999999999999999"),
        ] {
            assert_eq!(from_value(&value), None, "{value}");
        }
    }

    #[test]
    fn amounts_are_written_as_numbers_unless_digits_would_be_lost() {
        let text = |amount: &str| {
            let mut out = Vec::new();
            serialize(&decimal(amount), &mut serde_json::Serializer::new(&mut out)).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(text("210000.00"), "210000");
        assert_eq!(text("726.24"), "726.24");
        assert_eq!(text("-1000"), "-1000");
        assert_eq!(text("0"), "0");
        assert_eq!(text("12345678901234567.89"), "\"12345678901234567.89\"");
        assert!(is_exact(decimal("9007199254740993")));
        assert!(!is_exact(decimal("12345678901234567.89")));
    }
}
