//! Cancels, whole and in part.

use rust_decimal::Decimal;
use serde::Serialize;

use super::payment_key_segment;
use crate::{
    Fingerprint, Payment, Sensitive, amount,
    body::{length, not_negative, positive},
};

const CANCEL_REASON_CHARS_MAX: usize = 200;

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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

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
}
