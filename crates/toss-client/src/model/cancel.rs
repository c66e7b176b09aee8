//! The cancels of a payment.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    Timestamp, amount,
    model::{extra::Extra, fields::Fields},
};

/// One cancel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", from = "Map<String, Value>")]
#[non_exhaustive]
pub struct Cancel {
    /// How much was given back, in the currency's main unit.
    #[serde(
        serialize_with = "amount::serialize_option",
        skip_serializing_if = "Option::is_none"
    )]
    pub cancel_amount: Option<Decimal>,
    /// The merchant's reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancel_reason: Option<String>,
    /// Its tax-free part.
    #[serde(
        serialize_with = "amount::serialize_option",
        skip_serializing_if = "Option::is_none"
    )]
    pub tax_free_amount: Option<Decimal>,
    /// Its tax-exempt part.
    #[serde(
        serialize_with = "amount::serialize_option",
        skip_serializing_if = "Option::is_none"
    )]
    pub tax_exemption_amount: Option<Decimal>,
    /// What was left after it.
    #[serde(
        serialize_with = "amount::serialize_option",
        skip_serializing_if = "Option::is_none"
    )]
    pub refundable_amount: Option<Decimal>,
    /// The card's instant discount taken back.
    #[serde(
        serialize_with = "amount::serialize_option",
        skip_serializing_if = "Option::is_none"
    )]
    pub card_discount_amount: Option<Decimal>,
    /// The transfer's instant discount taken back.
    #[serde(
        serialize_with = "amount::serialize_option",
        skip_serializing_if = "Option::is_none"
    )]
    pub transfer_discount_amount: Option<Decimal>,
    /// The wallet's discount taken back.
    #[serde(
        serialize_with = "amount::serialize_option",
        skip_serializing_if = "Option::is_none"
    )]
    pub easy_pay_discount_amount: Option<Decimal>,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canceled_at: Option<Timestamp>,
    /// Its transaction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transaction_key: Option<String>,
    /// The cash receipt that was cancelled with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt_key: Option<String>,
    /// Whether it is through; matters for asynchronous overseas cancels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancel_status: Option<CancelStatus>,
    /// The merchant's id of an asynchronous overseas cancel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancel_request_id: Option<String>,
    /// Fields this crate does not know, and known ones of an unexpected shape.
    #[serde(flatten)]
    pub extra: Extra,
}

impl From<Map<String, Value>> for Cancel {
    fn from(fields: Map<String, Value>) -> Self {
        let mut fields = Fields::new(fields);
        Self {
            cancel_amount: fields.amount("cancelAmount"),
            cancel_reason: fields.optional("cancelReason"),
            tax_free_amount: fields.amount("taxFreeAmount"),
            tax_exemption_amount: fields.amount("taxExemptionAmount"),
            refundable_amount: fields.amount("refundableAmount"),
            card_discount_amount: fields.amount("cardDiscountAmount"),
            transfer_discount_amount: fields.amount("transferDiscountAmount"),
            easy_pay_discount_amount: fields.amount("easyPayDiscountAmount"),
            canceled_at: fields.optional("canceledAt"),
            transaction_key: fields.optional("transactionKey"),
            receipt_key: fields.optional("receiptKey"),
            cancel_status: fields.optional("cancelStatus"),
            cancel_request_id: fields.optional("cancelRequestId"),
            extra: fields.rest(),
        }
    }
}

/// Whether a cancel is through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum CancelStatus {
    /// Through.
    Done,
    /// Running.
    InProgress,
    /// Failed.
    Aborted,
    /// A word this crate does not know, verbatim.
    #[serde(untagged)]
    Other(String),
}
