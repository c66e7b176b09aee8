//! Promotions: what card companies give, and what payments get of it. The offers are made up;
//! their fields are Toss's.

use serde::{Deserialize, Serialize};

use super::{
    Currency, Language,
    method::{Method, Terms},
    payment::{Cancel, Payment},
};

/// The card company that has offers.
const ISSUER: &str = "61";

/// The code with which a page asks for the card's instant discount.
const DISCOUNT_CODE: &str = "sandbox-61-1000";

/// The discount, in won.
const DISCOUNT: u64 = 1_000;

/// Least and greatest amount that has the discount, in won.
const DISCOUNTED: (u64, u64) = (30_000, 1_000_000_000);

/// Months of installments for which the card company takes no interest.
const FREE_MONTHS: [u8; 2] = [2, 3];

/// Least amount in free installments, in won.
const FREE_MIN: u64 = 50_000;

/// Least amount that can be paid with the card's points, in won.
const POINTS_MIN: u64 = 1_000;

/// A card's instant discount that a page asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Discount {
    /// Whose cards have it.
    pub issuer_code: String,
    /// In won.
    pub amount: u64,
}

impl Discount {
    /// The offer of a code; none for an amount that it is not for. What Toss answers to a code
    /// that nobody offers is not known: it is as good as none.
    pub(super) fn of(code: &str, amount: u64, currency: Currency) -> Option<Self> {
        let (least, most) = DISCOUNTED;
        let suits = currency == Currency::Krw && (least..=most).contains(&amount);
        (suits && code == DISCOUNT_CODE).then(|| Self {
            issuer_code: ISSUER.to_owned(),
            amount: DISCOUNT,
        })
    }
}

/// Who pays the interest of a card's installments: `interestPayer`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum InterestPayer {
    Buyer,
    CardCompany,
    Merchant,
}

/// Whether a card's points may be used.
pub(super) fn takes_points(method: &Method, amount: u64, currency: Currency) -> bool {
    matches!(method, Method::Card { issuer_code } if issuer_code == ISSUER)
        && currency == Currency::Krw
        && amount >= POINTS_MIN
}

impl Payment {
    /// The card company of a card payment.
    fn issuer(&self) -> Option<&str> {
        match &self.method {
            Method::Card { issuer_code } => Some(issuer_code),
            Method::EasyPay { .. }
            | Method::VirtualAccount { .. }
            | Method::Transfer { .. }
            | Method::MobilePhone { .. }
            | Method::GiftCertificate { .. }
            | Method::ForeignEasyPay { .. } => None,
        }
    }

    /// The card's instant discount, in won; the amount of the payment includes it.
    pub(super) fn discount(&self) -> u64 {
        let offer = self.terms().discount.as_ref();
        let offer = offer.filter(|offer| {
            self.authenticated_at.is_some() && self.issuer() == Some(&offer.issuer_code)
        });
        offer.map_or(0, |offer| offer.amount)
    }

    /// What of the discount a cancel takes back: the first cancel all of it (assumed, from the
    /// rule that no part smaller than the discount can be cancelled).
    pub(super) fn discount_returned(&self, cancel: &Cancel) -> u64 {
        let first = self.cancels.first();
        let first = first.is_some_and(|first| first.transaction_key == cancel.transaction_key);
        if first { self.discount() } else { 0 }
    }

    /// Whether a cancel of so much is too small to take the discount back.
    pub(super) fn is_below_discount(&self, amount: u64) -> bool {
        self.cancels.is_empty() && amount < self.discount() && amount < self.balance
    }

    /// Who pays the interest; nobody if there are no installments.
    pub(super) fn interest_payer(&self) -> Option<InterestPayer> {
        let Terms {
            installment_months,
            merchant_pays_interest,
            ..
        } = self.terms();
        let issuer = self.issuer()?;
        if *installment_months == 0 {
            None
        } else if merchant_pays_interest.iter().any(|code| code == issuer) {
            Some(InterestPayer::Merchant)
        } else if issuer == ISSUER
            && FREE_MONTHS.contains(installment_months)
            && self.amount >= FREE_MIN
        {
            Some(InterestPayer::CardCompany)
        } else {
            Some(InterestPayer::Buyer)
        }
    }
}

/// `GET /v1/promotions` and, without banks, `GET /v1/promotions/card`.
pub(super) fn promotions(language: Language, with_banks: bool) -> String {
    let (event, bank_event) = match language {
        Language::Korean => ("즉시할인 행사", "계좌 즉시할인 행사"),
        Language::English => ("Instant discount", "Instant account discount"),
    };
    let mut offers = serde_json::json!({
        "discountCards": [{
            "discountCode": DISCOUNT_CODE,
            "issuerCode": ISSUER,
            "discountAmount": DISCOUNT,
            "balance": 10_000_000,
            "discountName": event,
            "dueDate": "2099-12-31",
            "minimumPaymentAmount": DISCOUNTED.0,
            "maximumPaymentAmount": DISCOUNTED.1,
            "currency": "KRW",
        }],
        "interestFreeCards": [{
            "issuerCode": ISSUER,
            "dueDate": "2099-12-31",
            "installmentFreeMonths": FREE_MONTHS,
            "minimumPaymentAmount": FREE_MIN,
            "currency": "KRW",
        }],
        "pointCards": [{ "issuerCode": ISSUER, "minimumPaymentAmount": POINTS_MIN }],
    });
    if with_banks {
        offers["discountBanks"] = serde_json::json!([{
            "discountCode": "sandbox-20-500",
            "bankCode": "20",
            "discountAmount": 500,
            "balance": 10_000_000,
            "discountName": bank_event,
            "dueDate": "2099-12-31",
            "minimumPaymentAmount": 10_000,
            "maximumPaymentAmount": 1_000_000_000,
            "currency": "KRW",
        }]);
    }
    offers.to_string()
}
