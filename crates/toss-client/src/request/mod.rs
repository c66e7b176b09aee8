//! What is sent: required fields in the constructor, optional ones added.

pub(crate) mod billing;
pub(crate) mod books;
#[cfg(feature = "brandpay")]
pub(crate) mod brandpay;
#[cfg(feature = "payouts")]
pub(crate) mod payout;
pub(crate) mod virtual_account;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rust_decimal::Decimal;
use serde::Serialize;

use crate::{
    Difference, Fingerprint, Payment, Sensitive, amount,
    body::{length, not_negative, positive},
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
const CANCEL_REASON_CHARS_MAX: usize = 200;

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

/// Gives money back: all that is left, unless [`amount`](Self::amount) says how much.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CancelRequest {
    cancel_reason: String,
    #[serde(
        serialize_with = "amount::serialize_option",
        skip_serializing_if = "Option::is_none"
    )]
    cancel_amount: Option<Decimal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refund_receive_account: Option<RefundReceiveAccount>,
    #[serde(
        serialize_with = "amount::serialize_option",
        skip_serializing_if = "Option::is_none"
    )]
    tax_free_amount: Option<Decimal>,
    #[serde(
        serialize_with = "amount::serialize_option",
        skip_serializing_if = "Option::is_none"
    )]
    tax_exemption_amount: Option<Decimal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<String>,
    #[serde(
        serialize_with = "amount::serialize_option",
        skip_serializing_if = "Option::is_none"
    )]
    refundable_amount: Option<Decimal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cancel_request_id: Option<String>,
    /// Whether the balance is left out on purpose.
    #[serde(skip)]
    without_balance: bool,
}

impl CancelRequest {
    /// Cancels all that is left; `reason` has 1 to 200 characters.
    pub fn new(reason: impl Into<String>) -> Self {
        Self {
            cancel_reason: reason.into(),
            cancel_amount: None,
            refund_receive_account: None,
            tax_free_amount: None,
            tax_exemption_amount: None,
            currency: None,
            refundable_amount: None,
            cancel_request_id: None,
            without_balance: false,
        }
    }

    /// Cancels `amount` of this payment, as it was read last, and only if its balance is still
    /// what was read.
    pub fn part_of(payment: &Payment, amount: Decimal, reason: impl Into<String>) -> Self {
        let request = Self::new(reason).amount(amount);
        match payment.balance_amount {
            Some(balance) => request.refundable_amount(balance),
            None => request,
        }
    }

    /// Cancels this much; positive, in the currency's main unit.
    #[must_use]
    pub fn amount(mut self, amount: Decimal) -> Self {
        self.cancel_amount = Some(amount);
        self
    }

    /// The balance the caller believes in. Toss refuses the cancel
    /// (`NOT_MATCHES_REFUNDABLE_AMOUNT`) if it differs, so two partial cancels that cross do not
    /// both happen. Every partial cancel sends one: this, or what the client reads just before.
    #[must_use]
    pub fn refundable_amount(mut self, balance: Decimal) -> Self {
        self.refundable_amount = Some(balance);
        self
    }

    /// Sends no balance and does not ask for one. Two partial cancels that cross then both happen.
    #[must_use]
    pub fn without_refundable_amount(mut self) -> Self {
        self.refundable_amount = None;
        self.without_balance = true;
        self
    }

    /// Where to send the money; required for a virtual account into which money came.
    #[must_use]
    pub fn refund_receive_account(mut self, account: RefundReceiveAccount) -> Self {
        self.refund_receive_account = Some(account);
        self
    }

    /// The tax-free part of the cancelled amount.
    #[must_use]
    pub fn tax_free_amount(mut self, amount: Decimal) -> Self {
        self.tax_free_amount = Some(amount);
        self
    }

    /// The tax-exempt part of the cancelled amount.
    #[must_use]
    pub fn tax_exemption_amount(mut self, amount: Decimal) -> Self {
        self.tax_exemption_amount = Some(amount);
        self
    }

    /// The currency; must be that of the approval.
    #[must_use]
    pub fn currency(mut self, currency: impl Into<String>) -> Self {
        self.currency = Some(currency.into());
        self
    }

    /// The merchant's id of an asynchronous overseas cancel.
    #[must_use]
    pub fn cancel_request_id(mut self, id: impl Into<String>) -> Self {
        self.cancel_request_id = Some(id.into());
        self
    }

    /// What an idempotency key for this cancel of this payment is bound to; the balance that the
    /// client adds is no part of it. `None` if there can be no payment with this key.
    pub fn fingerprint(&self, payment_key: &str) -> Option<Fingerprint> {
        let body = serde_json::to_vec(self).ok()?;
        Some(Fingerprint::of(&Self::path(payment_key).ok()?, &body))
    }

    pub(crate) fn path(payment_key: &str) -> Result<String, String> {
        payment_key_segment(payment_key).map(|segment| format!("/v1/payments/{segment}/cancel"))
    }

    pub(crate) fn cancel_amount(&self) -> Option<Decimal> {
        self.cancel_amount
    }

    pub(crate) fn request_id(&self) -> Option<&str> {
        self.cancel_request_id.as_deref()
    }

    pub(crate) fn wants_balance(&self) -> bool {
        self.cancel_amount.is_some() && self.refundable_amount.is_none() && !self.without_balance
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        length("cancelReason", &self.cancel_reason, CANCEL_REASON_CHARS_MAX)?;
        if let Some(amount) = self.cancel_amount {
            positive("cancelAmount", amount)?;
        }
        for (name, amount) in [
            ("taxFreeAmount", self.tax_free_amount),
            ("taxExemptionAmount", self.tax_exemption_amount),
            ("refundableAmount", self.refundable_amount),
        ] {
            if let Some(amount) = amount {
                not_negative(name, amount)?;
            }
        }
        self.refund_receive_account
            .as_ref()
            .map_or(Ok(()), RefundReceiveAccount::check)
    }
}

/// The account that receives the refund of a deposited virtual account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RefundReceiveAccount {
    bank: String,
    account_number: Sensitive,
    holder_name: Sensitive,
}

impl RefundReceiveAccount {
    /// `bank` is Toss's bank code (`88` is Shinhan), `account_number` 1 to 20 digits without
    /// hyphens, `holder_name` 1 to 60 characters.
    pub fn new(
        bank: impl Into<String>,
        account_number: impl Into<String>,
        holder_name: impl Into<String>,
    ) -> Self {
        Self {
            bank: bank.into(),
            account_number: Sensitive::new(account_number),
            holder_name: Sensitive::new(holder_name),
        }
    }

    fn check(&self) -> Result<(), String> {
        length("refundReceiveAccount.bank", &self.bank, 20)?;
        let number = self.account_number.expose();
        length("refundReceiveAccount.accountNumber", number, 20)?;
        if !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err("refundReceiveAccount.accountNumber must be digits".to_owned());
        }
        length(
            "refundReceiveAccount.holderName",
            self.holder_name.expose(),
            60,
        )
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

fn segment(name: &str, text: &str) -> Result<String, String> {
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
    use serde_json::json;

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
    fn a_cancel_sends_only_what_was_given() {
        let all = CancelRequest::new("변심");
        assert_eq!(
            serde_json::to_value(&all).unwrap(),
            json!({"cancelReason": "변심"})
        );
        let part = CancelRequest::new("변심")
            .amount(Decimal::new(1000, 0))
            .refundable_amount(Decimal::new(5000, 0))
            .refund_receive_account(RefundReceiveAccount::new("88", "110123456789", "김토스"));
        assert_eq!(part.check(), Ok(()));
        assert_eq!(
            serde_json::to_value(&part).unwrap(),
            json!({
                "cancelReason": "변심",
                "cancelAmount": 1000,
                "refundableAmount": 5000,
                "refundReceiveAccount":
                    {"bank": "88", "accountNumber": "110123456789", "holderName": "김토스"},
            })
        );
    }

    #[test]
    fn a_cancel_beyond_the_documented_limits_is_refused() {
        let cancel = || CancelRequest::new("변심");
        for request in [
            CancelRequest::new(""),
            CancelRequest::new("변".repeat(201)),
            cancel().amount(Decimal::ZERO),
            cancel().refundable_amount(Decimal::new(-1, 0)),
            cancel().refund_receive_account(RefundReceiveAccount::new("88", "110-123", "김토스")),
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
