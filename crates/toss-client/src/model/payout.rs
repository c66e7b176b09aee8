//! Payouts, sellers and balances, API version 2.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Extra, Failure, Timestamp, amount,
    model::{
        fields::{Decode, DecodeError},
        page::{Page, entity, list},
    },
};

/// An amount with its currency, `{"currency": "KRW", "value": 1000}`.
fn money(fields: &Extra, name: &str) -> Option<Decimal> {
    amount::from_value(fields.get(name)?.get("value")?)
}

/// A payout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Payout(Extra);

impl Payout {
    /// Toss's id.
    pub fn id(&self) -> &str {
        self.0.text("id").unwrap_or_default()
    }

    /// The merchant's id.
    pub fn ref_payout_id(&self) -> Option<&str> {
        self.0.text("refPayoutId")
    }

    /// The seller.
    pub fn destination(&self) -> Option<&str> {
        self.0.text("destination")
    }

    /// In won.
    pub fn amount(&self) -> Option<Decimal> {
        money(&self.0, "amount")
    }

    /// How far it is.
    pub fn status(&self) -> Option<PayoutStatus> {
        self.0.read("status")
    }

    /// The day of the payout, midnight in Korea.
    pub fn payout_date(&self) -> Option<Timestamp> {
        self.0.time("payoutDate")
    }

    /// When it was asked for.
    pub fn requested_at(&self) -> Option<Timestamp> {
        self.0.time("requestedAt")
    }

    /// Why it failed.
    pub fn failure(&self) -> Option<Failure> {
        self.0.read("error").or_else(|| self.0.read("failure"))
    }

    /// Everything Toss sent.
    pub fn fields(&self) -> &Extra {
        &self.0
    }
}

impl Decode for Payout {
    fn decode(value: Value) -> Result<Self, DecodeError> {
        Extra::with_texts(entity(value), &["id"]).map(Self)
    }
}

/// The payouts of one request: a list, or a list under `items`.
impl Decode for Vec<Payout> {
    fn decode(value: Value) -> Result<Self, DecodeError> {
        match entity(value) {
            value @ Value::Array(_) => list(value),
            value => Page::decode(value).map(|page| page.items),
        }
    }
}

/// How far a payout is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum PayoutStatus {
    /// Asked for; can be cancelled.
    Requested,
    /// On its way.
    InProgress,
    /// Paid.
    Completed,
    /// Not paid.
    Failed,
    /// Cancelled by the merchant.
    Canceled,
    /// A word this crate does not know, verbatim.
    #[serde(untagged)]
    Other(String),
}

/// A seller who receives payouts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seller(Extra);

impl Seller {
    /// Toss's id: the destination of payouts.
    pub fn id(&self) -> &str {
        self.0.text("id").unwrap_or_default()
    }

    /// The merchant's id.
    pub fn ref_seller_id(&self) -> Option<&str> {
        self.0.text("refSellerId")
    }

    /// How far the approval is.
    pub fn status(&self) -> Option<SellerStatus> {
        self.0.read("status")
    }

    /// Everything Toss sent.
    pub fn fields(&self) -> &Extra {
        &self.0
    }
}

impl Decode for Seller {
    fn decode(value: Value) -> Result<Self, DecodeError> {
        Extra::with_texts(entity(value), &["id"]).map(Self)
    }
}

/// How far a seller's approval is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum SellerStatus {
    /// The seller must prove the account; nothing is paid out.
    ApprovalRequired,
    /// Payouts up to Toss's limit.
    PartiallyApproved,
    /// The limit is reached; the seller must identify.
    KycRequired,
    /// No limit.
    Approved,
    /// A word this crate does not know, verbatim.
    #[serde(untagged)]
    Other(String),
}

/// What can be paid out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Balances(Extra);

impl Balances {
    /// What has been sold and cannot be paid out yet, in won.
    pub fn pending(&self) -> Option<Decimal> {
        money(&self.0, "pendingAmount")
    }

    /// What can be paid out now, in won.
    pub fn available(&self) -> Option<Decimal> {
        money(&self.0, "availableAmount")
    }

    /// Everything Toss sent.
    pub fn fields(&self) -> &Extra {
        &self.0
    }
}

impl Decode for Balances {
    fn decode(value: Value) -> Result<Self, DecodeError> {
        Extra::with_texts(entity(value), &[]).map(Self)
    }
}
