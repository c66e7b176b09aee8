//! How a buyer pays, and on which terms.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{currency::Currency, errors::Language, promotions::Discount};

/// How the buyer pays.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Method {
    /// A card, by the issuer's two-character code.
    Card {
        /// Toss's issuer code, such as `11` for KB.
        issuer_code: String,
    },
    /// A wallet with its own money.
    EasyPay {
        /// Toss's Korean name of the wallet, such as `토스페이`.
        provider: String,
    },
    /// A bank account made for this one payment.
    VirtualAccount {
        /// Toss's two-digit bank code, such as `20` for Woori.
        bank_code: String,
        /// Who is expected to pay in.
        customer_name: String,
    },
    /// A transfer out of the buyer's account.
    Transfer {
        /// Toss's two-digit bank code.
        bank_code: String,
    },
    /// The buyer's phone bill.
    MobilePhone {
        /// The buyer's number, digits alone.
        customer_mobile_phone: String,
    },
    /// A gift certificate.
    GiftCertificate {
        /// Of which kind.
        kind: GiftCertificate,
    },
    /// A wallet abroad.
    ForeignEasyPay {
        /// The wallet as the browser script names it, such as `PAYPAL`.
        provider: String,
    },
}

/// Kinds of gift certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum GiftCertificate {
    /// 문화상품권.
    Culture,
    /// 도서문화상품권.
    Book,
    /// 게임문화상품권.
    Game,
}

impl Method {
    /// KB card: the method of a payment that nobody chose one for.
    pub fn card() -> Self {
        Self::Card {
            issuer_code: "11".to_owned(),
        }
    }

    pub(super) fn name(&self, language: Language) -> &'static str {
        let (korean, english) = match self {
            Self::Card { .. } => ("카드", "Card"),
            Self::EasyPay { .. } => ("간편결제", "Easy pay"),
            Self::VirtualAccount { .. } => ("가상계좌", "Virtual account"),
            Self::Transfer { .. } => ("계좌이체", "Transfer"),
            Self::MobilePhone { .. } => ("휴대폰", "Mobile phone"),
            // What merchants were answered; the list of methods does not have it any more.
            Self::ForeignEasyPay { .. } => ("해외간편결제", "Foreign easy pay"),
            Self::GiftCertificate { kind } => match kind {
                GiftCertificate::Culture => ("문화상품권", "Culture gift certificate"),
                GiftCertificate::Book => ("도서문화상품권", "Book gift certificate"),
                GiftCertificate::Game => ("게임문화상품권", "Game gift certificate"),
            },
        };
        match language {
            Language::Korean => korean,
            Language::English => english,
        }
    }

    /// Least amount in won: 100 by card, 200 from an account (Toss, `BELOW_MINIMUM_AMOUNT`);
    /// what other methods need is not documented and taken to be 100.
    pub(super) fn minimum(&self) -> u64 {
        match self {
            Self::VirtualAccount { .. } | Self::Transfer { .. } => 200,
            Self::Card { .. }
            | Self::EasyPay { .. }
            | Self::MobilePhone { .. }
            | Self::GiftCertificate { .. }
            | Self::ForeignEasyPay { .. } => 100,
        }
    }
}

/// Which of Toss's products a payment was made with: `type` of the Payment object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Kind {
    /// A payment that the buyer authenticated, or whose card the merchant sent.
    #[default]
    Normal,
    /// A charge of a billing key.
    Billing,
    /// A payment with brandpay.
    Brandpay,
}

/// What a payment has beyond what every payment has. Most have nothing of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Terms {
    /// Which product it was made with.
    #[serde(skip_serializing_if = "is_default")]
    pub kind: Kind,
    /// Opened with the widget's client key: only the widget's secret key may confirm it.
    #[serde(skip_serializing_if = "is_default")]
    pub widget: bool,
    /// What it is made in.
    #[serde(skip_serializing_if = "is_default")]
    pub currency: Currency,
    /// The buyer's country, if it is not Korea.
    #[serde(skip_serializing_if = "is_default")]
    pub country: Option<String>,
    /// The merchant's key of the buyer.
    #[serde(skip_serializing_if = "is_default")]
    pub customer_key: Option<String>,
    /// Held by Toss until the buyer has the goods.
    #[serde(skip_serializing_if = "is_default")]
    pub escrow: bool,
    /// What the merchant wants back with the payment.
    #[serde(skip_serializing_if = "is_default")]
    pub metadata: BTreeMap<String, String>,
    /// Months of the card's installments; 0 is all at once.
    #[serde(skip_serializing_if = "is_default")]
    pub installment_months: u8,
    /// The card's number, masked.
    #[serde(skip_serializing_if = "is_default")]
    pub card_number: Option<String>,
    /// What of it is no sale, such as a deposit for a cup (`taxExemptionAmount`), in the smallest
    /// unit of the currency.
    #[serde(skip_serializing_if = "is_default")]
    pub tax_exemption: u64,
    /// When a virtual account stops taking its deposit, if that was said.
    #[serde(skip_serializing_if = "is_default")]
    pub due_at: Option<DateTime<Utc>>,
    /// For how many hours a virtual account takes its deposit, if that was said.
    #[serde(skip_serializing_if = "is_default")]
    pub valid_hours: Option<u32>,
    /// The cash receipt that the buyer asked for, as Toss names its type.
    #[serde(skip_serializing_if = "is_default")]
    pub cash_receipt: Option<String>,
    /// The merchant's name of a fixed virtual account.
    #[serde(skip_serializing_if = "is_default")]
    pub account_key: Option<String>,
    /// Whether the page lets the buyer use the card's points: it asks for it, forbids it, or says
    /// nothing.
    #[serde(skip_serializing_if = "is_default")]
    pub card_points_wanted: Option<bool>,
    /// Whether the card's points are used.
    #[serde(skip_serializing_if = "is_default")]
    pub card_points: bool,
    /// Card companies of which the merchant pays the interest of these installments.
    #[serde(skip_serializing_if = "is_default")]
    pub merchant_pays_interest: Vec<String>,
    /// The card's instant discount that the page asked for.
    #[serde(skip_serializing_if = "is_default")]
    pub discount: Option<Discount>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Terms {
    /// Nothing where there is nothing, so that a plain payment costs no memory for it.
    pub(super) fn boxed(self) -> Option<Box<Self>> {
        (self != Self::default()).then(|| Box::new(self))
    }
}
