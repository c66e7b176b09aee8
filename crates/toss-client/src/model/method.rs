//! How a payment was made: the methods that have no file of their own.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    Sensitive, amount,
    model::{
        extra::Extra,
        fields::Fields,
        spelled::{Vocabulary, plain},
    },
};

/// A payment method. `카드` can come with a wallet in `easy_pay`, and `간편결제` without a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Method {
    /// 카드.
    Card,
    /// 가상계좌.
    VirtualAccount,
    /// 간편결제, a wallet.
    EasyPay,
    /// 휴대폰, on the phone bill.
    MobilePhone,
    /// 계좌이체.
    Transfer,
    /// 문화상품권.
    CultureGiftCertificate,
    /// 도서문화상품권.
    BookGiftCertificate,
    /// 게임문화상품권.
    GameGiftCertificate,
    /// 해외간편결제, a foreign wallet.
    ForeignEasyPay,
    /// A word this crate does not know; [`Spelled`](crate::Spelled) keeps it.
    Other,
}

impl Vocabulary for Method {
    fn from_spelling(text: &str) -> Self {
        match plain(text).as_str() {
            "카드" | "card" => Self::Card,
            "가상계좌" | "virtualaccount" => Self::VirtualAccount,
            "간편결제" | "easypay" | "easypayment" | "simplepay" | "simplepayment" => {
                Self::EasyPay
            }
            "휴대폰" | "mobilephone" | "mobile" | "phone" => Self::MobilePhone,
            "계좌이체" | "transfer" | "accounttransfer" | "banktransfer" => Self::Transfer,
            "문화상품권" | "culturegiftcertificate" | "giftcertificate" => {
                Self::CultureGiftCertificate
            }
            "도서문화상품권" | "bookgiftcertificate" | "bookculturegiftcertificate" => {
                Self::BookGiftCertificate
            }
            "게임문화상품권" | "gamegiftcertificate" | "gameculturegiftcertificate" => {
                Self::GameGiftCertificate
            }
            "해외간편결제" | "foreigneasypay" | "foreigneasypayment" => Self::ForeignEasyPay,
            _ => Self::Other,
        }
    }
}

/// Whether Toss has settled with the merchant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum SettlementStatus {
    /// Not yet.
    Incompleted,
    /// Settled.
    Completed,
    /// A word this crate does not know, verbatim.
    #[serde(untagged)]
    Other(String),
}

/// A bank transfer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", from = "Map<String, Value>")]
#[non_exhaustive]
pub struct Transfer {
    /// The bank's two-digit code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bank_code: Option<String>,
    /// Whether Toss has settled with the merchant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settlement_status: Option<SettlementStatus>,
    /// Fields this crate does not know, and known ones of an unexpected shape.
    #[serde(flatten)]
    pub extra: Extra,
}

impl From<Map<String, Value>> for Transfer {
    fn from(fields: Map<String, Value>) -> Self {
        let mut fields = Fields::new(fields);
        Self {
            bank_code: fields.optional("bankCode"),
            settlement_status: fields.optional("settlementStatus"),
            extra: fields.rest(),
        }
    }
}

/// A payment on the phone bill.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", from = "Map<String, Value>")]
#[non_exhaustive]
pub struct MobilePhone {
    /// The buyer's number, where it comes as a text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_mobile_phone: Option<Sensitive>,
    /// Whether Toss has settled with the merchant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settlement_status: Option<SettlementStatus>,
    /// The receipt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt_url: Option<String>,
    /// Fields this crate does not know, and known ones of an unexpected shape.
    #[serde(flatten)]
    pub extra: Extra,
}

impl From<Map<String, Value>> for MobilePhone {
    fn from(fields: Map<String, Value>) -> Self {
        let mut fields = Fields::new(fields);
        Self {
            customer_mobile_phone: fields.optional("customerMobilePhone"),
            settlement_status: fields.optional("settlementStatus"),
            receipt_url: fields.optional("receiptUrl"),
            extra: fields.rest(),
        }
    }
}

/// A gift certificate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", from = "Map<String, Value>")]
#[non_exhaustive]
pub struct GiftCertificate {
    /// The approval number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approve_no: Option<String>,
    /// Whether Toss has settled with the merchant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settlement_status: Option<SettlementStatus>,
    /// Fields this crate does not know, and known ones of an unexpected shape.
    #[serde(flatten)]
    pub extra: Extra,
}

impl From<Map<String, Value>> for GiftCertificate {
    fn from(fields: Map<String, Value>) -> Self {
        let mut fields = Fields::new(fields);
        Self {
            approve_no: fields.optional("approveNo"),
            settlement_status: fields.optional("settlementStatus"),
            extra: fields.rest(),
        }
    }
}

/// The wallet that paid: its bare name in version 1.4 and in some documents, an object since.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum EasyPay {
    /// The wallet's name alone.
    Name(String),
    /// The wallet and what it paid.
    Detail(EasyPayDetail),
}

impl EasyPay {
    /// The wallet's name, for instance `토스페이`.
    pub fn provider(&self) -> Option<&str> {
        match self {
            Self::Name(name) => Some(name),
            Self::Detail(detail) => detail.provider.as_deref(),
        }
    }
}

/// The wallet that paid.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", from = "Map<String, Value>")]
#[non_exhaustive]
pub struct EasyPayDetail {
    /// The wallet's name, for instance `토스페이`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// What the wallet's own balance paid.
    #[serde(
        serialize_with = "amount::serialize_option",
        skip_serializing_if = "Option::is_none"
    )]
    pub amount: Option<Decimal>,
    /// What its points or coupons paid.
    #[serde(
        serialize_with = "amount::serialize_option",
        skip_serializing_if = "Option::is_none"
    )]
    pub discount_amount: Option<Decimal>,
    /// Fields this crate does not know, and known ones of an unexpected shape.
    #[serde(flatten)]
    pub extra: Extra,
}

impl From<Map<String, Value>> for EasyPayDetail {
    fn from(fields: Map<String, Value>) -> Self {
        let mut fields = Fields::new(fields);
        Self {
            provider: fields.optional("provider"),
            amount: fields.amount("amount"),
            discount_amount: fields.amount("discountAmount"),
            extra: fields.rest(),
        }
    }
}
