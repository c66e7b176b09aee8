//! Money of several currencies. The books count whole smallest units; only callers see decimals.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::{Language, method::Method};

/// Largest amount taken, in whole won, yen or dollars: far from any overflow.
pub const AMOUNT_MAX: u64 = 1_000_000_000_000_000;

/// What a payment is made in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Currency {
    /// Won, which have no smaller unit.
    #[default]
    Krw,
    /// Yen, which have no smaller unit.
    Jpy,
    /// Dollars, counted in cents.
    Usd,
}

impl Currency {
    /// Reads Toss's name; none for a currency that is not played.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "KRW" => Some(Self::Krw),
            "JPY" => Some(Self::Jpy),
            "USD" => Some(Self::Usd),
            _ => None,
        }
    }

    /// Toss's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Krw => "KRW",
            Self::Jpy => "JPY",
            Self::Usd => "USD",
        }
    }

    /// Digits after the point.
    fn decimals(self) -> usize {
        match self {
            Self::Krw | Self::Jpy => 0,
            Self::Usd => 2,
        }
    }

    /// Whether Toss takes a method in this currency: wallets abroad in dollars alone (Toss, `PayPal`
    /// page), cards in all three (Toss, page on several currencies), all else in won.
    pub(crate) fn suits(self, method: &Method) -> bool {
        match (self, method) {
            (Self::Krw, Method::ForeignEasyPay { .. }) => false,
            (Self::Krw, _) | (_, Method::Card { .. }) => true,
            (Self::Usd, Method::ForeignEasyPay { .. }) => true,
            (Self::Usd | Self::Jpy, _) => false,
        }
    }

    /// Least amount of a method in smallest units: Toss's minimum in won; abroad none is
    /// documented, and anything above nothing is taken.
    pub(crate) fn minimum(self, method: &Method) -> u64 {
        match self {
            Self::Krw => method.minimum(),
            Self::Jpy | Self::Usd => 1,
        }
    }

    /// An amount as a buyer reads it: `12,345원`, `₩12,345`, `¥12,345`, `$12.34`.
    pub(crate) fn shown(self, minor: u64, language: Language) -> String {
        let text = self.plain(i64::try_from(minor).unwrap_or(i64::MAX));
        let (whole, fraction) = text.split_at(text.find('.').unwrap_or(text.len()));
        let mut grouped = String::with_capacity(text.len() + text.len() / 3);
        for (index, digit) in whole.chars().enumerate() {
            if index > 0 && (whole.len() - index).is_multiple_of(3) {
                grouped.push(',');
            }
            grouped.push(digit);
        }
        grouped.push_str(fraction);
        match (self, language) {
            (Self::Krw, Language::Korean) => format!("{grouped}원"),
            (Self::Krw, Language::English) => format!("₩{grouped}"),
            (Self::Jpy, _) => format!("¥{grouped}"),
            (Self::Usd, _) => format!("${grouped}"),
        }
    }

    /// An amount as a number is written.
    fn plain(self, minor: i64) -> String {
        let sign = if minor < 0 { "-" } else { "" };
        let digits = format!(
            "{:0>width$}",
            minor.unsigned_abs(),
            width = self.decimals() + 1
        );
        let (whole, fraction) = digits.split_at(digits.len() - self.decimals());
        if fraction.is_empty() {
            format!("{sign}{whole}")
        } else {
            format!("{sign}{whole}.{fraction}")
        }
    }
}

/// An amount of a currency; a JSON number, with decimals where the currency has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amount {
    minor: i64,
    currency: Currency,
}

impl Amount {
    /// So many smallest units: won, yen, cents.
    pub fn new(minor: u64, currency: Currency) -> Self {
        let minor = i64::try_from(minor).unwrap_or(i64::MAX);
        Self { minor, currency }
    }

    /// The same, given back.
    pub(super) fn negative(self) -> Self {
        Self {
            minor: -self.minor,
            ..self
        }
    }

    /// One smallest unit more, for the fault of a wrong amount.
    pub(super) fn raised(self) -> Self {
        Self {
            minor: self.minor.saturating_add(1),
            ..self
        }
    }
}

impl std::fmt::Display for Amount {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.currency.plain(self.minor))
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.currency {
            Currency::Krw | Currency::Jpy => serializer.serialize_i64(self.minor),
            // The nearest double to a text of two decimals prints as that text again.
            Currency::Usd => match self.to_string().parse::<f64>() {
                Ok(value) => serializer.serialize_f64(value),
                Err(error) => Err(serde::ser::Error::custom(error)),
            },
        }
    }
}

/// An amount as a caller sends it, before its currency is known: a JSON number that is not
/// negative and has at most two decimals, or a text of one. Toss takes `"9026"` as well (a
/// merchant's log of a confirm shows it).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sum {
    hundredths: u64,
}

impl Sum {
    /// In smallest units; none if the currency has no such fraction.
    pub(crate) fn minor(self, currency: Currency) -> Option<u64> {
        match currency {
            Currency::Usd => Some(self.hundredths),
            Currency::Krw | Currency::Jpy => self
                .hundredths
                .is_multiple_of(100)
                .then_some(self.hundredths / 100),
        }
    }

    /// Reads a number as JSON writes it.
    fn parse(text: &str) -> Option<Self> {
        if !text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.')
        {
            return None;
        }
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let cents = match fraction.trim_end_matches('0') {
            "" => 0,
            one if one.len() == 1 => one.parse::<u64>().ok()? * 10,
            two if two.len() == 2 => two.parse().ok()?,
            _ => return None,
        };
        let whole: u64 = whole.parse().ok()?;
        (whole <= AMOUNT_MAX).then(|| Self {
            hundredths: whole * 100 + cents,
        })
    }
}

impl<'de> Deserialize<'de> for Sum {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::Number(number) => number.to_string(),
            serde_json::Value::String(text) => text,
            _ => String::new(),
        };
        Self::parse(&text)
            .ok_or_else(|| D::Error::custom("not a bounded amount of at most two decimals"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Sum> {
        serde_json::from_str(text).ok()
    }

    #[test]
    fn a_sum_has_at_most_two_decimals_and_won_and_yen_none() {
        let minor = |text: &str, currency| read(text).unwrap().minor(currency);
        assert_eq!(minor("726.24", Currency::Usd), Some(72_624));
        assert_eq!(minor("0.1", Currency::Usd), Some(10));
        assert_eq!(minor("1", Currency::Usd), Some(100));
        assert_eq!(minor("1000.00", Currency::Krw), Some(1_000));
        assert_eq!(minor("\"9026\"", Currency::Krw), Some(9_026));
        assert_eq!(minor("1000.5", Currency::Krw), None);
        assert_eq!(minor("0.01", Currency::Jpy), None);
        for bad in [
            "-1", "-0.5", "1.234", "\"+1\"", "\"\"", "\"1e3\"", "null", "1e300", "1e-9", "[]",
            "true",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
        for too_much in [
            "1000000000000001",
            "1000000000000001.5",
            "18446744073709551615",
        ] {
            assert_eq!(read(too_much), None, "{too_much}");
        }
    }

    #[test]
    fn an_amount_is_written_as_it_was_sent() {
        for text in ["726.24", "0.01", "0.1", "1.25", "181.56", "12345678.9"] {
            let minor = read(text).unwrap().minor(Currency::Usd).unwrap();
            let written = serde_json::to_string(&Amount::new(minor, Currency::Usd)).unwrap();
            assert_eq!(written, text);
        }
        let won = Amount::new(1_000, Currency::Krw);
        assert_eq!(serde_json::to_string(&won.negative()).unwrap(), "-1000");
        assert_eq!(
            Amount::new(5, Currency::Usd).negative().to_string(),
            "-0.05"
        );
    }

    #[test]
    fn a_buyer_reads_the_currency_s_own_sign() {
        let shown = |currency: Currency, language| currency.shown(1_234_567, language);
        assert_eq!(shown(Currency::Krw, Language::Korean), "1,234,567원");
        assert_eq!(shown(Currency::Krw, Language::English), "₩1,234,567");
        assert_eq!(shown(Currency::Jpy, Language::Korean), "¥1,234,567");
        assert_eq!(shown(Currency::Usd, Language::Korean), "$12,345.67");
    }
}
