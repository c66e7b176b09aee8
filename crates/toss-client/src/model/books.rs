//! Billing keys, settlements, cash receipts, promotions: objects that are read field by field.
//!
//! Each keeps all that Toss sent, serialises back as it came, and says what a field holds when it
//! is asked. Only what identifies an object must be there.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Card, Extra, Failure, Method, Sensitive, Spelled, Timestamp,
    model::{
        fields::{Decode, DecodeError},
        page::list,
    },
};

/// Any answer whose content says nothing more than its status: `{"result": true}`, or nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acknowledged;

impl Decode for Acknowledged {
    fn decode(_: Value) -> Result<Self, DecodeError> {
        Ok(Self)
    }
}

impl Decode for Value {
    fn decode(value: Value) -> Result<Self, DecodeError> {
        Ok(value)
    }
}

/// A billing key. It cannot be looked up again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BillingKey(Extra);

impl BillingKey {
    /// The key, at most 200 characters: who has it and a secret key can charge the customer.
    pub fn billing_key(&self) -> Sensitive {
        Sensitive::new(self.0.text("billingKey").unwrap_or_default())
    }

    /// Whose it is.
    pub fn customer_key(&self) -> Option<&str> {
        self.0.text("customerKey")
    }

    /// When the customer proved to be the owner.
    pub fn authenticated_at(&self) -> Option<Timestamp> {
        self.0.time("authenticatedAt")
    }

    /// 카드 or 계좌이체.
    pub fn method(&self) -> Option<Spelled<Method>> {
        self.0.read("method")
    }

    /// The card, masked.
    pub fn card(&self) -> Option<Card> {
        self.0.read("card")
    }

    /// Everything Toss sent.
    pub fn fields(&self) -> &Extra {
        &self.0
    }
}

impl Decode for BillingKey {
    fn decode(value: Value) -> Result<Self, DecodeError> {
        Extra::with_texts(value, &["billingKey"]).map(Self)
    }
}

/// One row of the settlement list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Settlement(Extra);

impl Settlement {
    /// The payment.
    pub fn payment_key(&self) -> Option<&str> {
        self.0.text("paymentKey")
    }

    /// The approval or cancel that is settled.
    pub fn transaction_key(&self) -> Option<&str> {
        self.0.text("transactionKey")
    }

    /// The merchant's order.
    pub fn order_id(&self) -> Option<&str> {
        self.0.text("orderId")
    }

    /// ISO 4217.
    pub fn currency(&self) -> Option<&str> {
        self.0.text("currency")
    }

    /// What was sold or given back, in the currency's main unit.
    pub fn amount(&self) -> Option<Decimal> {
        self.0.amount("amount")
    }

    /// What is paid out of it.
    pub fn pay_out_amount(&self) -> Option<Decimal> {
        self.0.amount("payOutAmount")
    }

    /// What Toss keeps, row by row, with value added tax beside in [`vat`](Self::vat).
    pub fn fees(&self) -> Vec<SettlementFee> {
        let rows = self.0.objects("fees");
        rows.map(|row| SettlementFee {
            kind: row.text("type").unwrap_or_default().to_owned(),
            amount: row.amount("fee"),
        })
        .collect()
    }

    /// The fees' value added tax.
    pub fn vat(&self) -> Option<Decimal> {
        self.0.amount("vat")
    }

    /// The day of the sale, midnight in Korea.
    pub fn sold_date(&self) -> Option<Timestamp> {
        self.0.time("soldDate")
    }

    /// The day of the payout, midnight in Korea.
    pub fn paid_out_date(&self) -> Option<Timestamp> {
        self.0.time("paidOutDate")
    }

    /// Everything Toss sent.
    pub fn fields(&self) -> &Extra {
        &self.0
    }
}

/// One fee of a settlement.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SettlementFee {
    /// `BASE`, `INSTALLMENT_DISCOUNT`, `INSTALLMENT`, `POINT_SAVING`, `ETC`, or a new word.
    pub kind: String,
    /// In the currency's main unit.
    pub amount: Option<Decimal>,
}

impl Decode for Settlement {
    fn decode(value: Value) -> Result<Self, DecodeError> {
        Extra::with_texts(value, &[]).map(Self)
    }
}

impl Decode for Vec<Settlement> {
    fn decode(value: Value) -> Result<Self, DecodeError> {
        list(value)
    }
}

/// A cash receipt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CashReceipt(Extra);

impl CashReceipt {
    /// Its key; that of a cancel begins with `c_`.
    pub fn receipt_key(&self) -> &str {
        self.0.text("receiptKey").unwrap_or_default()
    }

    /// How far it is.
    pub fn issue_status(&self) -> Option<IssueStatus> {
        self.0.read("issueStatus")
    }

    /// `CONFIRM` or `CANCEL`.
    pub fn transaction_type(&self) -> Option<&str> {
        self.0.text("transactionType")
    }

    /// The tax office's number.
    pub fn issue_number(&self) -> Option<&str> {
        self.0.text("issueNumber")
    }

    /// The merchant's order.
    pub fn order_id(&self) -> Option<&str> {
        self.0.text("orderId")
    }

    /// In won.
    pub fn amount(&self) -> Option<Decimal> {
        self.0.amount("amount")
    }

    /// When it was asked for.
    pub fn requested_at(&self) -> Option<Timestamp> {
        self.0.time("requestedAt")
    }

    /// Its page for the buyer.
    pub fn receipt_url(&self) -> Option<&str> {
        self.0.text("receiptUrl")
    }

    /// Why the tax office refused it.
    pub fn failure(&self) -> Option<Failure> {
        self.0.read("failure")
    }

    /// Everything Toss sent.
    pub fn fields(&self) -> &Extra {
        &self.0
    }
}

impl Decode for CashReceipt {
    fn decode(value: Value) -> Result<Self, DecodeError> {
        Extra::with_texts(value, &["receiptKey"]).map(Self)
    }
}

/// How far a cash receipt is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum IssueStatus {
    /// On its way to the tax office.
    InProgress,
    /// Issued.
    Completed,
    /// Refused.
    Failed,
    /// A word this crate does not know, verbatim.
    #[serde(untagged)]
    Other(String),
}

/// Current promotions. Their rows differ from company to company, so they stay as Toss sends them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Promotions(Extra);

impl Promotions {
    /// Cards with an instant discount.
    pub fn discount_cards(&self) -> Vec<Extra> {
        self.0.objects("discountCards").collect()
    }

    /// Cards with instalments free of interest.
    pub fn interest_free_cards(&self) -> Vec<Extra> {
        self.0.objects("interestFreeCards").collect()
    }

    /// Cards whose points pay.
    pub fn point_cards(&self) -> Vec<Extra> {
        self.0.objects("pointCards").collect()
    }

    /// Banks with an instant discount.
    pub fn discount_banks(&self) -> Vec<Extra> {
        self.0.objects("discountBanks").collect()
    }

    /// Everything Toss sent.
    pub fn fields(&self) -> &Extra {
        &self.0
    }
}

impl Decode for Promotions {
    fn decode(value: Value) -> Result<Self, DecodeError> {
        Extra::with_texts(value, &[]).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_object_without_what_identifies_it_is_undecodable() {
        assert!(BillingKey::decode(json!({"customerKey": "c"})).is_err());
        assert!(BillingKey::decode(json!("billingKey")).is_err());
        assert!(Settlement::decode(json!([])).is_err());
        let key = BillingKey::decode(json!({"billingKey": "hush", "new": [1]})).unwrap();
        assert_eq!(key.billing_key().expose(), "hush");
        assert!(!format!("{key:?}").contains("hush"));
        let written = serde_json::to_value(&key).unwrap();
        assert_eq!(written, json!({"billingKey": "hush", "new": [1]}));
    }
}
