//! What callers send, parsed strictly: anything else is `INVALID_REQUEST`, never a failure.

use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};

use super::{
    currency::{Currency, Sum},
    errors::ApiError,
};

/// Longest `Idempotency-Key` in characters (Toss, idempotency page).
pub const IDEMPOTENCY_KEY_MAX: usize = 300;

/// Body of `POST /v1/payments/confirm`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConfirmBody {
    pub(crate) payment_key: String,
    pub(crate) order_id: String,
    pub(crate) amount: Sum,
}

/// Body of `POST /v1/payments/{paymentKey}/cancel`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CancelBody {
    pub(crate) cancel_reason: String,
    pub(crate) cancel_amount: Option<Sum>,
    pub(crate) tax_free_amount: Option<Sum>,
    pub(crate) tax_exemption_amount: Option<Sum>,
    pub(crate) refundable_amount: Option<Sum>,
    pub(crate) currency: Option<String>,
    pub(crate) refund_receive_account: Option<RefundAccount>,
    pub(crate) cancel_request_id: Option<String>,
}

/// Where the money of a virtual account goes back to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefundAccount {
    /// Toss's bank code, such as `20`.
    pub bank: String,
    /// At most 20 digits.
    pub account_number: String,
    /// At most 60 characters.
    pub holder_name: String,
}

/// A whole number of won, with or without a zero fraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Won(pub(crate) u64);

impl<'de> Deserialize<'de> for Won {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let won = Sum::deserialize(deserializer)?.minor(Currency::Krw);
        won.map(Self)
            .ok_or_else(|| serde::de::Error::custom("won have no fraction"))
    }
}

/// Reads a JSON object.
///
/// # Errors
/// `INVALID_REQUEST` for anything that is not the object asked for.
pub(crate) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body).map_err(|_| ApiError::new("INVALID_REQUEST"))
}

/// Whether Toss takes this as an order id: 6 to 64 of `A-Za-z0-9-_`, and `=` on some pages.
pub(crate) fn is_order_id(text: &str) -> bool {
    (6..=64).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_=".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_a_whole_number_of_won() {
        let read = |text: &str| serde_json::from_str::<Won>(text).ok().map(|won| won.0);
        assert_eq!(read("1000"), Some(1000));
        assert_eq!(read("1000.00"), Some(1000));
        assert_eq!(read("0"), Some(0));
        assert_eq!(read("\"1000\""), Some(1000));
        for bad in [
            "-1",
            "1.5",
            "\"1000 \"",
            "null",
            "1e300",
            "18446744073709551616",
            "true",
            "[]",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_order_id_has_six_to_sixty_four_plain_characters() {
        assert!(is_order_id("abc-12"));
        assert!(!is_order_id("abc12"));
        assert!(!is_order_id(&"a".repeat(65)));
        assert!(!is_order_id("주문번호12"));
        assert!(!is_order_id("order id"));
    }
}
