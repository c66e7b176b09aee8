use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Text or a number that is not a valid id of its kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} must be {rule}")]
pub struct InvalidId {
    /// What was to be parsed, for example `orderId`.
    pub kind: &'static str,
    /// The rule that it broke.
    pub rule: &'static str,
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $rule:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text, which follows the rule above.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                let valid: fn(&str) -> bool = $valid;
                if valid(&text) { Ok(Self(text)) } else { Err(InvalidId { kind: $kind, rule: $rule }) }
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::try_from(text.to_owned())
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "i64", into = "i64")]
        pub struct $name(i64);

        impl $name {
            /// The id `value`, which must be positive.
            pub const fn new(value: i64) -> Result<Self, InvalidId> {
                if value > 0 {
                    Ok(Self(value))
                } else {
                    Err(InvalidId { kind: $kind, rule: "a positive integer" })
                }
            }

            /// The number, from 1 to `i64::MAX`.
            pub const fn get(self) -> i64 {
                self.0
            }
        }

        impl TryFrom<i64> for $name {
            type Error = InvalidId;

            fn try_from(value: i64) -> Result<Self, InvalidId> {
                Self::new(value)
            }
        }

        impl From<$name> for i64 {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

text_id!(
    /// An order's id: 6 to 64 characters of `A-Za-z0-9-_` (Toss's rule for `orderId`).
    ///
    /// Knowing it is the right to read the order, so the server makes ids that cannot be guessed.
    OrderId, "orderId", "6 to 64 characters of A-Z, a-z, 0-9, - and _",
    |text| (6..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
);
text_id!(
    /// Toss's key of one payment: 1 to 200 visible ASCII characters (Toss's limit is 200).
    PaymentKey, "paymentKey", "1 to 200 visible ASCII characters",
    |text| (1..=200).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
);
text_id!(
    /// A client's `Idempotency-Key`: 1 to 255 visible ASCII characters.
    IdempotencyKey, "Idempotency-Key", "1 to 255 visible ASCII characters",
    |text| (1..=255).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
);
number_id!(
    /// A buyer.
    UserId, "userId"
);
number_id!(
    /// A product.
    ProductId, "productId"
);
number_id!(
    /// A seller.
    SellerId, "sellerId"
);

/// How many pieces of one product an order line has: 1 to 999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Quantity(u16);

impl Quantity {
    /// `pieces`, which must be from 1 to 999.
    pub fn new(pieces: i64) -> Result<Self, InvalidId> {
        match u16::try_from(pieces) {
            Ok(pieces @ 1..=999) => Ok(Self(pieces)),
            _ => Err(InvalidId {
                kind: "quantity",
                rule: "from 1 to 999",
            }),
        }
    }

    /// The number of pieces.
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl TryFrom<i64> for Quantity {
    type Error = InvalidId;

    fn try_from(pieces: i64) -> Result<Self, InvalidId> {
        Self::new(pieces)
    }
}

impl From<Quantity> for i64 {
    fn from(quantity: Quantity) -> Self {
        i64::from(quantity.0)
    }
}

/// The version of a payment. Every change of a payment raises it by one, and whoever wants to
/// change the payment must present the fence that it last saw; a stale fence changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Fence(i64);

impl Fence {
    /// The fence of a payment that has just been checked out.
    pub const FIRST: Self = Self(1);

    /// The fence with this number, as read from storage.
    pub const fn from_stored(number: i64) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn get(self) -> i64 {
        self.0
    }

    /// The fence after one more change.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_ids_follow_toss_s_charset_and_length() {
        for good in ["abcdef", "A-Z_09", &"a".repeat(64)] {
            assert!(good.parse::<OrderId>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "abcde",
            &"a".repeat(65),
            "abc def",
            "abcdef\n",
            "주문번호육자",
            "abc=def",
        ] {
            assert!(bad.parse::<OrderId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn payment_keys_are_bounded_and_visible() {
        assert!("tgen_2026".parse::<PaymentKey>().is_ok());
        for bad in ["", "a b", &"k".repeat(201), "키"] {
            assert!(bad.parse::<PaymentKey>().is_err(), "{bad}");
        }
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        assert!(UserId::new(0).is_err());
        assert!(ProductId::new(-1).is_err());
        assert!(Quantity::new(0).is_err());
        assert!(Quantity::new(1000).is_err());
        assert!(Quantity::new(i64::MAX).is_err());
        assert_eq!(Quantity::new(999).unwrap().get(), 999);
    }

    #[test]
    fn deserialising_checks_too() {
        assert!(serde_json::from_str::<OrderId>("\"x\"").is_err());
        assert!(serde_json::from_str::<Quantity>("0").is_err());
    }
}
