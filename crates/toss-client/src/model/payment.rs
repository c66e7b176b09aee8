//! The Payment object, versions 1.4 to 2024-06-01.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    Sensitive, Timestamp, amount,
    model::{
        books::CashReceipt,
        cancel::Cancel,
        card::Card,
        extra::Extra,
        fields::{Decode, DecodeError, Fields},
        method::{EasyPay, GiftCertificate, Method, MobilePhone, Transfer},
        spelled::Spelled,
        status::PaymentStatus,
        virtual_account::VirtualAccount,
    },
};

/// A payment as Toss knows it.
///
/// Four fields must be there and readable, else the answer is undecodable: they say which payment
/// this is, where it stands and how much it is about. Null and absent mean the same. Amounts are
/// in the currency's main unit, except where Toss reports micro-units under a currency of their
/// own (`MUSD`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", try_from = "Map<String, Value>")]
#[non_exhaustive]
pub struct Payment {
    /// Toss's key, at most 200 characters.
    pub payment_key: String,
    /// The merchant's order id.
    pub order_id: String,
    /// Where it stands.
    pub status: PaymentStatus,
    /// What the order costs; never changes.
    #[serde(serialize_with = "amount::serialize")]
    pub total_amount: Decimal,
    /// What is left of it after cancels; **zero means wholly refunded**, whatever the status says.
    #[serde(
        serialize_with = "amount::serialize_option",
        skip_serializing_if = "Option::is_none"
    )]
    pub balance_amount: Option<Decimal>,
    /// The API version of this object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// One-off, billing or brandpay.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub payment_type: Option<PaymentType>,
    /// What was bought; can be empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_name: Option<String>,
    /// The merchant id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub m_id: Option<String>,
    /// ISO 4217 (`KRW`), or Toss's own (`MUSD`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// How it was paid; absent until the buyer has chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<Spelled<Method>>,
    /// When the window opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requested_at: Option<Timestamp>,
    /// When it was approved; absent while a deposit is awaited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approved_at: Option<Timestamp>,
    /// Whether escrow holds the money.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub use_escrow: Option<bool>,
    /// The newest approval or cancel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_transaction_key: Option<String>,
    /// The balance without tax.
    #[serde(
        serialize_with = "amount::serialize_option",
        skip_serializing_if = "Option::is_none"
    )]
    pub supplied_amount: Option<Decimal>,
    /// The balance's value added tax.
    #[serde(
        serialize_with = "amount::serialize_option",
        skip_serializing_if = "Option::is_none"
    )]
    pub vat: Option<Decimal>,
    /// Whether it counts as a cultural expense.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub culture_expense: Option<bool>,
    /// The tax-free part.
    #[serde(
        serialize_with = "amount::serialize_option",
        skip_serializing_if = "Option::is_none"
    )]
    pub tax_free_amount: Option<Decimal>,
    /// The tax-exempt part.
    #[serde(
        serialize_with = "amount::serialize_option",
        skip_serializing_if = "Option::is_none"
    )]
    pub tax_exemption_amount: Option<Decimal>,
    /// Whether parts of it can be cancelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_partial_cancelable: Option<bool>,
    /// Authenticates Toss's deposit callbacks; at most 50 characters. Store it at confirm: later
    /// answers may not repeat it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<Sensitive>,
    /// ISO 3166-1 alpha-2 of the payment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// The merchant's own pairs, at most 5.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Extra>,
    /// The card that paid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub card: Option<Card>,
    /// The account to pay into.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub virtual_account: Option<VirtualAccount>,
    /// The bank transfer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transfer: Option<Transfer>,
    /// The phone bill.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mobile_phone: Option<MobilePhone>,
    /// The gift certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gift_certificate: Option<GiftCertificate>,
    /// The wallet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub easy_pay: Option<EasyPay>,
    /// What the wallet's balance paid, in versions that say it here.
    #[serde(
        serialize_with = "amount::serialize_option",
        skip_serializing_if = "Option::is_none"
    )]
    pub easy_pay_amount: Option<Decimal>,
    /// What the wallet's points paid, in versions that say it here.
    #[serde(
        serialize_with = "amount::serialize_option",
        skip_serializing_if = "Option::is_none"
    )]
    pub easy_pay_discount_amount: Option<Decimal>,
    /// All cancels, oldest first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancels: Option<Vec<Cancel>>,
    /// The newest cash receipt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cash_receipt: Option<PaymentCashReceipt>,
    /// All cash receipts and their cancels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cash_receipts: Option<Vec<CashReceipt>>,
    /// The card company's instant discount.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discount: Option<Discount>,
    /// The receipt page for the buyer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt: Option<Link>,
    /// The payment window.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkout: Option<Link>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// Fields this crate does not know, and known ones of an unexpected shape.
    #[serde(flatten)]
    pub extra: Extra,
}

impl TryFrom<Map<String, Value>> for Payment {
    type Error = DecodeError;

    fn try_from(fields: Map<String, Value>) -> Result<Self, DecodeError> {
        let mut fields = Fields::new(fields);
        Ok(Self {
            payment_key: fields.required("paymentKey")?,
            order_id: fields.required("orderId")?,
            status: fields.required("status")?,
            total_amount: fields.required_amount("totalAmount")?,
            balance_amount: fields.amount("balanceAmount"),
            version: fields.optional("version"),
            payment_type: fields.optional("type"),
            order_name: fields.optional("orderName"),
            m_id: fields.optional("mId"),
            currency: fields.optional("currency"),
            method: fields.optional("method"),
            requested_at: fields.optional("requestedAt"),
            approved_at: fields.optional("approvedAt"),
            use_escrow: fields.optional("useEscrow"),
            last_transaction_key: fields.optional("lastTransactionKey"),
            supplied_amount: fields.amount("suppliedAmount"),
            vat: fields.amount("vat"),
            culture_expense: fields.optional("cultureExpense"),
            tax_free_amount: fields.amount("taxFreeAmount"),
            tax_exemption_amount: fields.amount("taxExemptionAmount"),
            is_partial_cancelable: fields.optional("isPartialCancelable"),
            secret: fields.optional("secret"),
            country: fields.optional("country"),
            metadata: fields.optional("metadata"),
            card: fields.optional("card"),
            virtual_account: fields.optional("virtualAccount"),
            transfer: fields.optional("transfer"),
            mobile_phone: fields.optional("mobilePhone"),
            gift_certificate: fields.optional("giftCertificate"),
            easy_pay: fields.optional("easyPay"),
            easy_pay_amount: fields.amount("easyPayAmount"),
            easy_pay_discount_amount: fields.amount("easyPayDiscountAmount"),
            cancels: fields.optional("cancels"),
            cash_receipt: fields.optional("cashReceipt"),
            cash_receipts: fields.optional("cashReceipts"),
            discount: fields.optional("discount"),
            receipt: fields.optional("receipt"),
            checkout: fields.optional("checkout"),
            failure: fields.optional("failure"),
            extra: fields.rest(),
        })
    }
}

impl Payment {
    /// The address of the buyer's receipt.
    pub fn receipt_url(&self) -> Option<&str> {
        self.receipt.as_ref()?.url.as_deref()
    }

    /// Whether all of it was given back: told by the balance, for a payment that was cancelled in
    /// several parts stays `PARTIAL_CANCELED` (measured by others). Without a balance, whether its
    /// status is `CANCELED`.
    pub fn is_wholly_refunded(&self) -> bool {
        let canceled = matches!(
            self.status,
            PaymentStatus::Canceled | PaymentStatus::PartialCanceled
        );
        match self.balance_amount {
            Some(balance) => balance.is_zero() && (canceled || !self.cancels().is_empty()),
            None => self.status == PaymentStatus::Canceled,
        }
    }

    /// All cancels, oldest first; none if Toss sent none.
    pub fn cancels(&self) -> &[Cancel] {
        self.cancels.as_deref().unwrap_or_default()
    }
}

impl Decode for Payment {
    fn decode(value: Value) -> Result<Self, DecodeError> {
        match value {
            Value::Object(fields) => fields.try_into(),
            _ => Err(DecodeError::Shape("object")),
        }
    }
}

/// The product a payment came through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum PaymentType {
    /// The payment window or widget.
    Normal,
    /// A billing key.
    Billing,
    /// Brandpay.
    Brandpay,
    /// A word this crate does not know, verbatim.
    #[serde(untagged)]
    Other(String),
}

/// The cash receipt of a payment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", from = "Map<String, Value>")]
#[non_exhaustive]
pub struct PaymentCashReceipt {
    /// 소득공제 (income deduction) or 지출증빙 (proof of expense).
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub receipt_type: Option<String>,
    /// Its key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt_key: Option<String>,
    /// Its number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issue_number: Option<String>,
    /// Its page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt_url: Option<String>,
    /// Its amount.
    #[serde(
        serialize_with = "amount::serialize_option",
        skip_serializing_if = "Option::is_none"
    )]
    pub amount: Option<Decimal>,
    /// Its tax-free part.
    #[serde(
        serialize_with = "amount::serialize_option",
        skip_serializing_if = "Option::is_none"
    )]
    pub tax_free_amount: Option<Decimal>,
    /// Fields this crate does not know, and known ones of an unexpected shape.
    #[serde(flatten)]
    pub extra: Extra,
}

impl From<Map<String, Value>> for PaymentCashReceipt {
    fn from(fields: Map<String, Value>) -> Self {
        let mut fields = Fields::new(fields);
        Self {
            receipt_type: fields.optional("type"),
            receipt_key: fields.optional("receiptKey"),
            issue_number: fields.optional("issueNumber"),
            receipt_url: fields.optional("receiptUrl"),
            amount: fields.amount("amount"),
            tax_free_amount: fields.amount("taxFreeAmount"),
            extra: fields.rest(),
        }
    }
}

/// An instant discount.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", from = "Map<String, Value>")]
#[non_exhaustive]
pub struct Discount {
    /// How much.
    #[serde(
        serialize_with = "amount::serialize_option",
        skip_serializing_if = "Option::is_none"
    )]
    pub amount: Option<Decimal>,
    /// Fields this crate does not know, and known ones of an unexpected shape.
    #[serde(flatten)]
    pub extra: Extra,
}

impl From<Map<String, Value>> for Discount {
    fn from(fields: Map<String, Value>) -> Self {
        let mut fields = Fields::new(fields);
        Self {
            amount: fields.amount("amount"),
            extra: fields.rest(),
        }
    }
}

/// A page for the buyer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", from = "Map<String, Value>")]
#[non_exhaustive]
pub struct Link {
    /// Its address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Fields this crate does not know, and known ones of an unexpected shape.
    #[serde(flatten)]
    pub extra: Extra,
}

impl From<Map<String, Value>> for Link {
    fn from(fields: Map<String, Value>) -> Self {
        let mut fields = Fields::new(fields);
        Self {
            url: fields.optional("url"),
            extra: fields.rest(),
        }
    }
}

/// Why a payment failed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", from = "Map<String, Value>")]
#[non_exhaustive]
pub struct Failure {
    /// Toss's error code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Its message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Fields this crate does not know, and known ones of an unexpected shape.
    #[serde(flatten)]
    pub extra: Extra,
}

impl From<Map<String, Value>> for Failure {
    fn from(fields: Map<String, Value>) -> Self {
        let mut fields = Fields::new(fields);
        Self {
            code: fields.optional("code"),
            message: fields.optional("message"),
            extra: fields.rest(),
        }
    }
}
