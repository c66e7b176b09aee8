//! What is sent: required fields in the constructor, optional ones added.

pub(crate) mod billing;
pub(crate) mod books;
#[cfg(feature = "brandpay")]
pub(crate) mod brandpay;
pub(crate) mod cancel;
#[cfg(feature = "payouts")]
pub(crate) mod payout;
pub(crate) mod virtual_account;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rust_decimal::Decimal;
use serde::Serialize;

use crate::{
    Difference, Fingerprint, Payment, amount,
    body::{length, positive},
};

/// Everything but RFC 3986's unreserved characters is escaped.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

const PAYMENT_KEY_CHARS_MAX: usize = 200;
const BILLING_KEY_CHARS_MAX: usize = 200;
/// Documented are 6 to 64 characters of `A-Za-z0-9-_`; the server takes shorter ones, so only
/// the upper bound is held here.
const ORDER_ID_CHARS_MAX: usize = 64;

/// Asks Toss to approve a payment that the buyer has authenticated, within ten minutes of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfirmRequest {
    payment_key: String,
    order_id: String,
    #[serde(serialize_with = "amount::serialize")]
    amount: Decimal,
}

impl ConfirmRequest {
    /// `payment_key` (1 to 200 characters) as the success page received it; `order_id` (1 to
    /// 64) and `amount` (positive, in the currency's main unit; won for KRW) as **the merchant**
    /// stored them before the window opened. Limits are checked when it is sent.
    pub fn new(
        payment_key: impl Into<String>,
        order_id: impl Into<String>,
        amount: Decimal,
    ) -> Self {
        Self {
            payment_key: payment_key.into(),
            order_id: order_id.into(),
            amount,
        }
    }

    pub(crate) const PATH: &str = "/v1/payments/confirm";

    /// What an idempotency key for this request is bound to.
    pub fn fingerprint(&self) -> Fingerprint {
        // A struct of two texts and a number always serialises.
        let body = serde_json::to_vec(self).unwrap_or_default();
        Fingerprint::of(Self::PATH, &body)
    }

    /// The same fields, for a call that takes more.
    #[cfg(feature = "brandpay")]
    pub(crate) fn body(&self) -> Result<crate::body::Body, String> {
        self.check()?;
        Ok(crate::body::Body::default()
            .set("paymentKey", self.payment_key.as_str())
            .set("orderId", self.order_id.as_str())
            .amount("amount", self.amount))
    }

    pub(crate) fn payment_key(&self) -> &str {
        &self.payment_key
    }

    pub(crate) fn order_id(&self) -> &str {
        &self.order_id
    }

    pub(crate) fn difference(&self, payment: &Payment, currency: &str) -> Option<Difference> {
        if payment.payment_key != self.payment_key {
            return Some(Difference::PaymentKey);
        }
        Difference::between(payment, &self.order_id, self.amount, currency)
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        length("paymentKey", &self.payment_key, PAYMENT_KEY_CHARS_MAX)?;
        length("orderId", &self.order_id, ORDER_ID_CHARS_MAX)?;
        positive("amount", self.amount)
    }
}

/// A payment key as a path segment.
pub(crate) fn payment_key_segment(payment_key: &str) -> Result<String, String> {
    length("paymentKey", payment_key, PAYMENT_KEY_CHARS_MAX)?;
    segment("paymentKey", payment_key)
}

/// An order id as a path segment.
pub(crate) fn order_id_segment(order_id: &str) -> Result<String, String> {
    length("orderId", order_id, ORDER_ID_CHARS_MAX)?;
    segment("orderId", order_id)
}

/// A billing key as a path segment.
pub(crate) fn billing_key_segment(billing_key: &str) -> Result<String, String> {
    named_segment("billingKey", billing_key, BILLING_KEY_CHARS_MAX)
}

/// Any other text as a path segment.
pub(crate) fn named_segment(name: &str, text: &str, chars_max: usize) -> Result<String, String> {
    length(name, text, chars_max)?;
    segment(name, text)
}

pub(crate) fn segment(name: &str, text: &str) -> Result<String, String> {
    // A URL parser takes these for "here" and "one up", escaped or not: the call would go to
    // another address than meant.
    if text == "." || text == ".." {
        return Err(format!("{name} is a dot segment"));
    }
    Ok(escape(text))
}

pub(crate) fn escape(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_confirm_sends_its_amount_as_a_plain_integer() {
        let request = ConfirmRequest::new("pk", "order-1", Decimal::new(21_000_000, 2));
        let expected = r#"{"paymentKey":"pk","orderId":"order-1","amount":210000}"#;
        assert_eq!(serde_json::to_string(&request).unwrap(), expected);
        assert_eq!(request.check(), Ok(()));
    }

    #[test]
    fn a_confirm_beyond_the_documented_limits_is_refused() {
        let won = |amount: i64| Decimal::new(amount, 0);
        for request in [
            ConfirmRequest::new("", "order-1", won(1)),
            ConfirmRequest::new("p".repeat(201), "order-1", won(1)),
            ConfirmRequest::new("pk", "", won(1)),
            ConfirmRequest::new("pk", "o".repeat(65), won(1)),
            ConfirmRequest::new("pk", "order-1", won(0)),
            ConfirmRequest::new("pk", "order-1", won(-1)),
            ConfirmRequest::new("pk", "order-1", Decimal::new(1_234_567_890_123_456_789, 2)),
        ] {
            assert!(request.check().is_err(), "{request:?}");
        }
    }

    #[test]
    fn path_segments_cannot_leave_their_place() {
        assert_eq!(
            payment_key_segment("a/../b?c#d e%한").unwrap(),
            "a%2F..%2Fb%3Fc%23d%20e%25%ED%95%9C"
        );
        assert_eq!(
            order_id_segment("order_1-A.b~=").unwrap(),
            "order_1-A.b~%3D"
        );
        for text in ["", ".", ".."] {
            assert!(payment_key_segment(text).is_err());
            assert!(order_id_segment(text).is_err());
        }
    }
}
