//! The rows of the transaction list.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    Timestamp, amount,
    model::{
        extra::Extra,
        fields::{Decode, DecodeError, Fields},
        method::Method,
        spelled::Spelled,
        status::PaymentStatus,
    },
};

/// One approval or cancel, for reconciling.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", try_from = "Map<String, Value>")]
#[non_exhaustive]
pub struct Transaction {
    /// Its key; also the cursor of the next page.
    pub transaction_key: String,
    /// The merchant id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub m_id: Option<String>,
    /// The payment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment_key: Option<String>,
    /// The merchant's order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_id: Option<String>,
    /// How it was paid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<Spelled<Method>>,
    /// The customer; `@@ANONYMOUS` for guests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_key: Option<String>,
    /// Whether escrow holds the money.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub use_escrow: Option<bool>,
    /// The receipt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt_url: Option<String>,
    /// The payment's status after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<PaymentStatus>,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transaction_at: Option<Timestamp>,
    /// ISO 4217, or Toss's own (`MUSD`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// How much; negative for a cancel in some versions.
    #[serde(
        serialize_with = "amount::serialize_option",
        skip_serializing_if = "Option::is_none"
    )]
    pub amount: Option<Decimal>,
    /// Fields this crate does not know, and known ones of an unexpected shape.
    #[serde(flatten)]
    pub extra: Extra,
}

impl TryFrom<Map<String, Value>> for Transaction {
    type Error = DecodeError;

    fn try_from(fields: Map<String, Value>) -> Result<Self, DecodeError> {
        let mut fields = Fields::new(fields);
        Ok(Self {
            transaction_key: fields.required("transactionKey")?,
            m_id: fields.optional("mId"),
            payment_key: fields.optional("paymentKey"),
            order_id: fields.optional("orderId"),
            method: fields.optional("method"),
            customer_key: fields.optional("customerKey"),
            use_escrow: fields.optional("useEscrow"),
            receipt_url: fields.optional("receiptUrl"),
            status: fields.optional("status"),
            transaction_at: fields.optional("transactionAt"),
            currency: fields.optional("currency"),
            amount: fields.amount("amount"),
            extra: fields.rest(),
        })
    }
}

impl Decode for Vec<Transaction> {
    fn decode(value: Value) -> Result<Self, DecodeError> {
        let Value::Array(rows) = value else {
            return Err(DecodeError::Shape("array"));
        };
        rows.into_iter()
            .map(|row| match row {
                Value::Object(fields) => fields.try_into(),
                _ => Err(DecodeError::Shape("array of objects")),
            })
            .collect()
    }
}
