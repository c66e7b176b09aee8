//! The card of a payment.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    Sensitive, amount,
    model::{
        extra::Extra,
        fields::Fields,
        spelled::{Spelled, Vocabulary, plain},
    },
};

/// The card that paid, masked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", from = "Map<String, Value>")]
#[non_exhaustive]
pub struct Card {
    /// What the card paid, in the currency's main unit; in a wallet it can be less than the total.
    #[serde(
        serialize_with = "amount::serialize_option",
        skip_serializing_if = "Option::is_none"
    )]
    pub amount: Option<Decimal>,
    /// The issuer's two-character code (`11` is KB). Versions before 2022-11-16 name the company in
    /// `company` instead, which is kept in `extra`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer_code: Option<String>,
    /// The acquirer's two-character code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acquirer_code: Option<String>,
    /// The masked number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<Sensitive>,
    /// Months of instalment; 0 is one payment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub installment_plan_months: Option<u16>,
    /// The approval number that the buyer's statement shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approve_no: Option<String>,
    /// Whether card points paid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub use_card_point: Option<bool>,
    /// Credit, debit or gift.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub card_type: Option<Spelled<CardType>>,
    /// Personal or corporate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner_type: Option<Spelled<OwnerType>>,
    /// How far the acquiring is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acquire_status: Option<AcquireStatus>,
    /// Whether instalments are free of interest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_interest_free: Option<bool>,
    /// Who pays the interest of free instalments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interest_payer: Option<InterestPayer>,
    /// Fields this crate does not know, and known ones of an unexpected shape.
    #[serde(flatten)]
    pub extra: Extra,
}

impl From<Map<String, Value>> for Card {
    fn from(fields: Map<String, Value>) -> Self {
        let mut fields = Fields::new(fields);
        Self {
            amount: fields.amount("amount"),
            issuer_code: fields.optional("issuerCode"),
            acquirer_code: fields.optional("acquirerCode"),
            number: fields.optional("number"),
            installment_plan_months: fields.optional("installmentPlanMonths"),
            approve_no: fields.optional("approveNo"),
            use_card_point: fields.optional("useCardPoint"),
            card_type: fields.optional("cardType"),
            owner_type: fields.optional("ownerType"),
            acquire_status: fields.optional("acquireStatus"),
            is_interest_free: fields.optional("isInterestFree"),
            interest_payer: fields.optional("interestPayer"),
            extra: fields.rest(),
        }
    }
}

/// The kind of card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CardType {
    /// 신용.
    Credit,
    /// 체크, a debit card.
    Check,
    /// 기프트.
    Gift,
    /// 미확인.
    Unverified,
    /// A word this crate does not know; [`Spelled`](crate::Spelled) keeps it.
    Other,
}

impl Vocabulary for CardType {
    fn from_spelling(text: &str) -> Self {
        match plain(text).as_str() {
            "신용" | "credit" => Self::Credit,
            "체크" | "check" | "debit" => Self::Check,
            "기프트" | "gift" => Self::Gift,
            "미확인" | "unverified" | "unconfirmed" | "unknown" => Self::Unverified,
            _ => Self::Other,
        }
    }
}

/// Whose card it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OwnerType {
    /// 개인.
    Personal,
    /// 법인.
    Corporate,
    /// 미확인.
    Unverified,
    /// A word this crate does not know; [`Spelled`](crate::Spelled) keeps it.
    Other,
}

impl Vocabulary for OwnerType {
    fn from_spelling(text: &str) -> Self {
        match plain(text).as_str() {
            "개인" | "personal" | "individual" => Self::Personal,
            "법인" | "corporate" | "corporation" | "company" => Self::Corporate,
            "미확인" | "unverified" | "unconfirmed" | "unknown" => Self::Unverified,
            _ => Self::Other,
        }
    }
}

/// How far the acquiring of a card payment is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum AcquireStatus {
    /// Not asked for.
    Ready,
    /// Asked for.
    Requested,
    /// Done.
    Completed,
    /// Its cancel is asked for.
    CancelRequested,
    /// Cancelled.
    Canceled,
    /// A word this crate does not know, verbatim.
    #[serde(untagged)]
    Other(String),
}

/// Who pays the interest of an instalment that is free for the buyer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum InterestPayer {
    /// The buyer.
    Buyer,
    /// The card company.
    CardCompany,
    /// The merchant.
    Merchant,
    /// A word this crate does not know, verbatim.
    #[serde(untagged)]
    Other(String),
}
