//! The virtual account of a payment.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    Sensitive, Timestamp,
    model::{
        extra::Extra,
        fields::Fields,
        method::SettlementStatus,
        spelled::{Spelled, Vocabulary, plain},
    },
};

/// The account into which the buyer pays.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", from = "Map<String, Value>")]
#[non_exhaustive]
pub struct VirtualAccount {
    /// For one payment, or fixed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_type: Option<Spelled<AccountType>>,
    /// The account's number; test ones begin with `X`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_number: Option<Sensitive>,
    /// The bank's two-digit code (`88` is Shinhan). Versions before 2022-11-16 name the bank in
    /// `bank` instead, which is kept in `extra`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bank_code: Option<String>,
    /// Whom the account was issued to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_name: Option<Sensitive>,
    /// Who paid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub depositor_name: Option<Sensitive>,
    /// Until when a deposit is taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_date: Option<Timestamp>,
    /// How far a refund is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refund_status: Option<RefundStatus>,
    /// Whether the due date has passed; the payment's status does not change then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expired: Option<bool>,
    /// Whether Toss has settled with the merchant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settlement_status: Option<SettlementStatus>,
    /// Where a refund went; visible for 30 minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refund_receive_account: Option<RefundAccount>,
    /// Fields this crate does not know, and known ones of an unexpected shape.
    #[serde(flatten)]
    pub extra: Extra,
}

impl From<Map<String, Value>> for VirtualAccount {
    fn from(fields: Map<String, Value>) -> Self {
        let mut fields = Fields::new(fields);
        Self {
            account_type: fields.optional("accountType"),
            account_number: fields.optional("accountNumber"),
            bank_code: fields.optional("bankCode"),
            customer_name: fields.optional("customerName"),
            depositor_name: fields.optional("depositorName"),
            due_date: fields.optional("dueDate"),
            refund_status: fields.optional("refundStatus"),
            expired: fields.optional("expired"),
            settlement_status: fields.optional("settlementStatus"),
            refund_receive_account: fields.optional("refundReceiveAccount"),
            extra: fields.rest(),
        }
    }
}

/// The account that received a refund.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", from = "Map<String, Value>")]
#[non_exhaustive]
pub struct RefundAccount {
    /// The bank's two-digit code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bank_code: Option<String>,
    /// Its number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_number: Option<Sensitive>,
    /// Its holder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holder_name: Option<Sensitive>,
    /// Fields this crate does not know, and known ones of an unexpected shape.
    #[serde(flatten)]
    pub extra: Extra,
}

impl From<Map<String, Value>> for RefundAccount {
    fn from(fields: Map<String, Value>) -> Self {
        let mut fields = Fields::new(fields);
        Self {
            bank_code: fields.optional("bankCode"),
            account_number: fields.optional("accountNumber"),
            holder_name: fields.optional("holderName"),
            extra: fields.rest(),
        }
    }
}

/// The kind of virtual account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AccountType {
    /// 일반: for one payment.
    General,
    /// 고정: one account for a customer.
    Fixed,
    /// A word this crate does not know; [`Spelled`](crate::Spelled) keeps it.
    Other,
}

impl Vocabulary for AccountType {
    fn from_spelling(text: &str) -> Self {
        match plain(text).as_str() {
            "일반" | "general" | "normal" => Self::General,
            "고정" | "fixed" => Self::Fixed,
            _ => Self::Other,
        }
    }
}

/// How far the refund of a virtual account is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum RefundStatus {
    /// None asked for.
    None,
    /// Being sent.
    Pending,
    /// Not sent.
    Failed,
    /// A part was not sent.
    PartialFailed,
    /// Sent.
    Completed,
    /// A word this crate does not know, verbatim.
    #[serde(untagged)]
    Other(String),
}
