//! Payouts and the sellers who receive them, API version 2.

use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::{amount, body::Body};

/// The most payouts of one request (documented).
pub(crate) const PAYOUTS_MAX: usize = 100;
/// Every payout is below one thousand million won (documented).
const AMOUNT_LIMIT_WON: i64 = 1_000_000_000;

/// One payout to a seller.
#[derive(Debug, Clone, PartialEq)]
pub struct PayoutRequest(pub(crate) Body);

impl PayoutRequest {
    /// Pays at once. Toss takes these on business days between 08:00 and 15:00 Korean time.
    ///
    /// `id` is the merchant's own (`refPayoutId`), `destination` Toss's id of a seller, each of 1 to
    /// 100 characters here. That limit is *assumed*: none was found in Toss's pages. Who uses the
    /// call elsewhere keeps `id` within 50. `amount` is in won, positive and below 1,000,000,000
    /// (documented).
    pub fn express(id: impl Into<String>, destination: impl Into<String>, amount: Decimal) -> Self {
        Self(Self::body(id, destination, amount).set("scheduleType", "EXPRESS"))
    }

    /// Pays on this day, Korean time; otherwise as [`express`](Self::express).
    pub fn scheduled(
        id: impl Into<String>,
        destination: impl Into<String>,
        amount: Decimal,
        day: NaiveDate,
    ) -> Self {
        let body = Self::body(id, destination, amount);
        Self(
            body.set("scheduleType", "SCHEDULED")
                .set("payoutDate", day.to_string()),
        )
    }

    fn body(id: impl Into<String>, destination: impl Into<String>, amount: Decimal) -> Body {
        let limit = if amount < Decimal::from(AMOUNT_LIMIT_WON) {
            crate::body::positive("amount", amount)
        } else {
            Err("amount must be below 1,000,000,000 won".to_owned())
        };
        Body::default()
            .text("refPayoutId", id, 100)
            .text("destination", destination, 100)
            .held(limit)
            .set(
                "amount",
                json!({"currency": "KRW", "value": amount::to_value(amount)}),
            )
    }

    /// What the seller's bank statement shows. Banks cut it, most at 7 characters; here it may have
    /// 1 to 100, which is *assumed*.
    #[must_use]
    pub fn description(self, text: impl Into<String>) -> Self {
        Self(self.0.text("transactionDescription", text, 100))
    }

    /// A pair of the merchant's own: at most five, names of 1 to 40 characters without brackets,
    /// values of at most 2,000. Documented for payments, *assumed* here.
    #[must_use]
    pub fn metadata(self, name: &str, value: &str) -> Self {
        Self(metadata(self.0, name, value))
    }
}

/// Adds one of at most five pairs: names of at most 40 characters without brackets, values of at
/// most 2,000.
fn metadata(body: Body, name: &str, value: &str) -> Body {
    let mut pairs = match body.value() {
        Ok(Value::Object(mut fields)) => match fields.remove("metadata") {
            Some(Value::Object(pairs)) => pairs,
            _ => serde_json::Map::new(),
        },
        _ => serde_json::Map::new(),
    };
    pairs.insert(name.to_owned(), value.into());
    let named = (1..=40).contains(&name.chars().count()) && !name.contains(['[', ']']);
    let good = pairs.len() <= 5 && named && value.chars().count() <= 2_000;
    let limit = || "metadata has at most 5 pairs of 40 and 2000 characters".to_owned();
    body.held(if good { Ok(()) } else { Err(limit()) })
        .set("metadata", pairs)
}

/// What a seller is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BusinessType {
    /// A person.
    Individual,
    /// A person with a business.
    IndividualBusiness,
    /// A company. Toss's pages differ between `CORPORATE` and `CORPORATE_BUSINESS`; this sends
    /// the first.
    Corporate,
}

/// A seller to register or to change.
#[derive(Debug, Clone, PartialEq)]
pub struct SellerRequest(pub(crate) Body);

impl SellerRequest {
    /// `id` is the merchant's own (`refSellerId`), of 1 to 100 characters here. That limit is
    /// *assumed*: none was found in Toss's pages. Who uses the call elsewhere keeps it within 7 to
    /// 20, so that is safe.
    ///
    /// `bank` is Toss's bank code of **three** digits (`092`), unlike everywhere else (documented);
    /// `account_number` has 1 to 20 digits and `holder_name` 1 to 60 characters, as documented for
    /// refunds and *assumed* here.
    pub fn new(
        id: impl Into<String>,
        business: BusinessType,
        bank: impl Into<String>,
        account_number: impl Into<String>,
        holder_name: impl Into<String>,
    ) -> Self {
        let business = match business {
            BusinessType::Individual => "INDIVIDUAL",
            BusinessType::IndividualBusiness => "INDIVIDUAL_BUSINESS",
            BusinessType::Corporate => "CORPORATE",
        };
        let account = Body::default()
            .digits("bankCode", bank, 3..=3)
            .digits("accountNumber", account_number, 1..=20)
            .text("holderName", holder_name, 60);
        Self(
            Body::default()
                .text("refSellerId", id, 100)
                .set("businessType", business)
                .object("account", &account),
        )
    }

    /// The person behind it: `name` and `email` of 1 to 100 characters, `phone` of 8 to 15 digits.
    /// The fields are named as other public users of the call name them; the limits are *assumed*.
    #[must_use]
    pub fn individual(self, name: &str, email: &str, phone: &str) -> Self {
        let person = Body::default()
            .text("name", name, 100)
            .text("email", email, 100)
            .digits("phone", phone, 8..=15);
        Self(self.0.object("individual", &person))
    }

    /// The company behind it: `registration_number` has 10 digits, `phone` 8 to 15, the others 1
    /// to 100 characters. The fields are named as other public users of the call name them; the
    /// limits are *assumed*.
    #[must_use]
    pub fn company(
        self,
        name: &str,
        representative: &str,
        registration_number: &str,
        email: &str,
        phone: &str,
    ) -> Self {
        let company = Body::default()
            .text("name", name, 100)
            .text("representativeName", representative, 100)
            .digits("businessRegistrationNumber", registration_number, 10..=10)
            .text("email", email, 100)
            .digits("phone", phone, 8..=15);
        Self(self.0.object("company", &company))
    }

    /// A pair of the merchant's own, with the limits of [`PayoutRequest::metadata`].
    #[must_use]
    pub fn metadata(self, name: &str, value: &str) -> Self {
        Self(metadata(self.0, name, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payout(amount: i64) -> PayoutRequest {
        PayoutRequest::express("p-1", "seller-1", Decimal::from(amount))
    }

    #[test]
    fn a_payout_is_asked_for_under_toss_s_names() {
        let day = NaiveDate::from_ymd_opt(2026, 1, 2).unwrap();
        let asked = PayoutRequest::scheduled("p-1", "seller-1", Decimal::from(1_000), day)
            .description("판매대금")
            .metadata("shop", "1");
        assert_eq!(
            asked.0.value().unwrap(),
            json!({
                "refPayoutId": "p-1", "destination": "seller-1", "scheduleType": "SCHEDULED",
                "payoutDate": "2026-01-02", "amount": {"currency": "KRW", "value": 1_000},
                "transactionDescription": "판매대금", "metadata": {"shop": "1"},
            })
        );
    }

    #[test]
    fn payouts_and_sellers_beyond_the_documented_limits_are_refused() {
        assert!(payout(999_999_999).0.bytes().is_ok());
        for request in [payout(0), payout(1_000_000_000), payout(-1)] {
            assert!(request.0.bytes().is_err(), "{request:?}");
        }
        let many = (0..6).fold(payout(1), |request, pair| {
            request.metadata(&pair.to_string(), "")
        });
        assert!(many.0.bytes().is_err());
        let seller = |bank| SellerRequest::new("s", BusinessType::Individual, bank, "1", "김");
        assert!(seller("092").0.bytes().is_ok());
        assert!(seller("92").0.bytes().is_err());
        assert!(!format!("{:?}", seller("092")).contains("092"));
    }
}
