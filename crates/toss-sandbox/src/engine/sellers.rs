//! Sellers, to whom payouts go: registered, changed, reviewed. They are kept beside the payouts.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Engine,
    change::Change,
    codes,
    direct::is_digits,
    errors::ApiError,
    payouts::{FAILING, invalid, unknown},
    request::parse,
};

/// A seller as the bank keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Seller {
    /// Toss's id.
    pub id: String,
    /// The merchant's id.
    pub ref_seller_id: String,
    /// `INDIVIDUAL`, `INDIVIDUAL_BUSINESS` or `CORPORATE`.
    pub business_type: String,
    /// Whatever else was sent, as JSON.
    pub details: String,
    /// The bank, by three digits.
    pub bank_code: String,
    /// The account.
    pub account_number: String,
    /// Who has it.
    pub holder_name: String,
    /// Where it stands.
    pub status: String,
}

impl Seller {
    pub(super) fn view(&self) -> Value {
        let mut view: Value = serde_json::from_str(&self.details).unwrap_or_default();
        view["id"] = json!(self.id);
        view["refSellerId"] = json!(self.ref_seller_id);
        view["businessType"] = json!(self.business_type);
        view["status"] = json!(self.status);
        view["account"] = json!({
            "bankCode": self.bank_code,
            "accountNumber": self.account_number,
            "holderName": self.holder_name,
        });
        view
    }
}

/// Longest `refSellerId` (merchants were refused beyond it).
const REF_SELLER_ID_MAX: usize = 20;

/// Where a seller can stand (Toss).
const SELLER_STATUSES: [&str; 4] = [
    "APPROVAL_REQUIRED",
    "PARTIALLY_APPROVED",
    "KYC_REQUIRED",
    "APPROVED",
];

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SellerBody {
    ref_seller_id: Option<String>,
    business_type: Option<String>,
    account: Option<AccountBody>,
    #[serde(flatten)]
    details: serde_json::Map<String, Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AccountBody {
    bank_code: String,
    account_number: String,
    holder_name: String,
}

impl Engine {
    pub(super) fn register_seller(
        &mut self,
        body: &[u8],
    ) -> Result<(&'static str, Value), ApiError> {
        let body: SellerBody = parse(body)?;
        let account = checked_account(body.account.ok_or_else(invalid)?)?;
        let ref_seller_id = body
            .ref_seller_id
            .filter(|id| (1..=REF_SELLER_ID_MAX).contains(&id.len()));
        let ref_seller_id = ref_seller_id.ok_or_else(invalid)?;
        let kinds = [
            "INDIVIDUAL",
            "INDIVIDUAL_BUSINESS",
            "CORPORATE",
            "CORPORATE_BUSINESS",
        ];
        let business_type = body
            .business_type
            .filter(|kind| kinds.contains(&kind.as_str()));
        let business_type = business_type.ok_or_else(invalid)?;
        let needed = if business_type == "INDIVIDUAL" {
            "individual"
        } else {
            "company"
        };
        let mut sellers = self.payouts.sellers.iter();
        if sellers.any(|seller| seller.ref_seller_id == ref_seller_id) {
            return Err(ApiError::new("DUPLICATED_REQUEST"));
        }
        if !body.details.get(needed).is_some_and(Value::is_object) {
            return Err(invalid());
        }
        let seller = Seller {
            id: self.random.key("seller_", 20),
            ref_seller_id,
            // A business needs only a look; a person must confirm that the phone is theirs.
            status: if needed == "company" {
                "PARTIALLY_APPROVED"
            } else {
                "APPROVAL_REQUIRED"
            }
            .to_owned(),
            business_type,
            details: super::json(&body.details),
            bank_code: account.bank_code,
            account_number: account.account_number,
            holder_name: account.holder_name,
        };
        let view = seller.view();
        self.make(Change::SellerKept(Box::new(seller)));
        Ok(("seller", view))
    }

    pub(super) fn update_seller(
        &mut self,
        id: &str,
        body: &[u8],
    ) -> Result<(&'static str, Value), ApiError> {
        let body: SellerBody = parse(body)?;
        let mut sellers = self.payouts.sellers.iter();
        let mut seller = sellers
            .find(|seller| seller.id == id)
            .ok_or_else(unknown)?
            .clone();
        if let Some(account) = body.account {
            let account = checked_account(account)?;
            seller.bank_code = account.bank_code;
            seller.account_number = account.account_number;
            seller.holder_name = account.holder_name;
        }
        let mut details: serde_json::Map<String, Value> =
            serde_json::from_str(&seller.details).unwrap_or_default();
        details.extend(body.details);
        seller.details = super::json(&details);
        let view = seller.view();
        self.make(Change::SellerKept(Box::new(seller)));
        Ok(("seller", view))
    }

    /// A seller comes to stand elsewhere, as by Toss's review; tells of it.
    ///
    /// # Errors
    /// `NOT_FOUND`; `INVALID_REQUEST` for a status that Toss does not have.
    pub fn review_seller(
        &mut self,
        now: DateTime<Utc>,
        id: &str,
        status: &str,
    ) -> Result<String, ApiError> {
        if !SELLER_STATUSES.contains(&status) {
            return Err(invalid());
        }
        let mut sellers = self.payouts.sellers.iter();
        let mut seller = sellers
            .find(|seller| seller.id == id)
            .ok_or_else(unknown)?
            .clone();
        status.clone_into(&mut seller.status);
        let view = seller.view();
        self.make(Change::SellerKept(Box::new(seller)));
        if self.outbox.wanted {
            let news = self.told(now, "seller.changed", &view);
            self.announced.push(news);
        }
        Ok(view.to_string())
    }
}

fn checked_account(account: AccountBody) -> Result<AccountBody, ApiError> {
    let listed = FAILING.iter().any(|(bank, _)| *bank == account.bank_code);
    if !codes::is_payout_bank(&account.bank_code) && !listed {
        return Err(ApiError::new("INVALID_BANK"));
    }
    let digits = &account.account_number;
    if !is_digits(digits)
        || digits.len() > 20
        || !(1..=60).contains(&account.holder_name.chars().count())
    {
        return Err(invalid());
    }
    Ok(account)
}
