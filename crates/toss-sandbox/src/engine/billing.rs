//! Billing keys: issued for a window's `authKey` or for a card, charged, deleted.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{
    Engine, Language,
    audit::fingerprint_of_unordered,
    change::{Change, Inconsistent},
    direct::{Card, CardBody, ChargeBody, check_email},
    errors::ApiError,
    method::{Kind, Terms},
    payment::{Payment, korean_time},
    request::parse,
};
use crate::config::ApiVersion;

/// Longest customer key that the server takes, whatever its characters (measured by others; the
/// documented rule is stricter).
const CUSTOMER_KEY_MAX: usize = 300;

/// A billing key as the bank keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BillingKey {
    /// Toss's key.
    pub billing_key: String,
    /// The merchant's key of the customer.
    pub customer_key: String,
    /// When the customer authenticated.
    pub at: DateTime<Utc>,
    /// The card's issuer.
    pub issuer_code: String,
    /// The card's number, masked.
    pub card_number: String,
    /// Whether every charge is refused with `NOT_SUPPORTED_CARD_TYPE`.
    pub unsupported: bool,
    /// Whether it was deleted.
    #[serde(default)]
    pub removed: bool,
}

/// The billing keys, and the one-time keys that stand for an authentication in the window.
#[derive(Debug, Default)]
pub(super) struct BillingBook {
    keys: HashMap<String, BillingKey>,
    /// By `authKey`: whose card it is, and which, until the key is used.
    authorised: HashMap<String, (String, Option<Card>)>,
}

impl BillingBook {
    /// Applies a change of billing; hands any other back.
    pub(super) fn apply(&mut self, change: Change) -> Result<Option<Change>, Inconsistent> {
        match change {
            Change::BillingAuthorised {
                auth_key,
                customer_key,
                card,
            } => {
                self.authorised.insert(auth_key, (customer_key, card));
                Ok(None)
            }
            Change::BillingIssued { key, auth_key } => {
                if let Some(auth_key) = auth_key
                    && self.authorised.remove(&auth_key).is_none()
                {
                    return Err(Inconsistent::new("use of authKey", &auth_key));
                }
                self.keys.insert(key.billing_key.clone(), *key);
                Ok(None)
            }
            Change::BillingRemoved { billing_key } => match self.keys.get_mut(&billing_key) {
                Some(key) if !key.removed => {
                    key.removed = true;
                    Ok(None)
                }
                Some(_) | None => Err(Inconsistent::new("removal of", &billing_key)),
            },
            other => Ok(Some(other)),
        }
    }

    pub(super) fn fingerprint(&self) -> u64 {
        fingerprint_of_unordered(&self.keys)
            .wrapping_add(fingerprint_of_unordered(&self.authorised))
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct IssueBody {
    auth_key: String,
    customer_key: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct IssueByCardBody {
    customer_key: String,
    customer_email: Option<String>,
    #[serde(flatten)]
    card: CardBody,
}

/// The Billing object; the fields are Toss's.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct BillingView<'a> {
    m_id: &'a str,
    customer_key: &'a str,
    authenticated_at: String,
    method: &'static str,
    billing_key: &'a str,
    card: BillingCardView<'a>,
    /// Dropped with version 2024-06-01, as is the next.
    #[serde(skip_serializing_if = "Option::is_none")]
    card_company: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    card_number: Option<&'a str>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct BillingCardView<'a> {
    issuer_code: &'a str,
    acquirer_code: &'a str,
    number: &'a str,
    card_type: &'static str,
    owner_type: &'static str,
}

impl Engine {
    /// A customer authenticates a card in the window; returns the `authKey` for it.
    pub(super) fn authorise_billing(&mut self, customer_key: &str, card: Option<Card>) -> String {
        let auth_key = self.random.key("bln_", 24);
        self.make(Change::BillingAuthorised {
            auth_key: auth_key.clone(),
            customer_key: customer_key.to_owned(),
            card,
        });
        auth_key
    }

    /// # Errors
    /// `NOT_FOUND_BILLING` for an `authKey` that is unknown or used (measured by others);
    /// `NOT_MATCHES_CUSTOMER_KEY`.
    pub(super) fn issue_billing(
        &mut self,
        now: DateTime<Utc>,
        body: &[u8],
        language: Language,
    ) -> Result<String, ApiError> {
        let body: IssueBody = parse(body)?;
        self.check_customer_key(&body.customer_key)?;
        let (customer_key, card) = self
            .billing
            .authorised
            .get(&body.auth_key)
            .ok_or_else(|| ApiError::new("NOT_FOUND_BILLING"))?;
        if *customer_key != body.customer_key {
            return Err(ApiError::new("NOT_MATCHES_CUSTOMER_KEY"));
        }
        let card = card.clone().unwrap_or_else(|| Card {
            issuer_code: "11".to_owned(),
            masked: "94100012****789*".to_owned(),
            unsupported: false,
            points: false,
        });
        Ok(self.book_billing(
            now,
            (body.customer_key, Some(body.auth_key)),
            card,
            language,
        ))
    }

    /// # Errors
    /// Those of the card's fields.
    pub(super) fn issue_billing_by_card(
        &mut self,
        now: DateTime<Utc>,
        body: &[u8],
        language: Language,
    ) -> Result<String, ApiError> {
        let body: IssueByCardBody = parse(body)?;
        self.check_customer_key(&body.customer_key)?;
        check_email(body.customer_email.as_deref())?;
        let card = body.card.checked(now)?;
        Ok(self.book_billing(now, (body.customer_key, None), card, language))
    }

    fn book_billing(
        &mut self,
        now: DateTime<Utc>,
        (customer_key, auth_key): (String, Option<String>),
        card: Card,
        language: Language,
    ) -> String {
        let key = BillingKey {
            billing_key: self.random.key("", 44),
            customer_key,
            at: now,
            issuer_code: card.issuer_code,
            card_number: card.masked,
            unsupported: card.unsupported,
            removed: false,
        };
        let view = self.billing_view(&key, language);
        self.make(Change::BillingIssued {
            key: Box::new(key),
            auth_key,
        });
        view
    }

    fn billing_view(&self, key: &BillingKey, language: Language) -> String {
        let old = self.version == ApiVersion::V2022_11_16;
        super::json(&BillingView {
            m_id: &self.merchant_id,
            customer_key: &key.customer_key,
            authenticated_at: korean_time(key.at),
            method: super::Method::card().name(language),
            billing_key: &key.billing_key,
            card: BillingCardView {
                issuer_code: &key.issuer_code,
                acquirer_code: &key.issuer_code,
                number: &key.card_number,
                card_type: "신용",
                owner_type: "개인",
            },
            card_company: old.then_some("국민"),
            card_number: old.then_some(key.card_number.as_str()),
        })
    }

    /// # Errors
    /// `INVALID_BILL_KEY_REQUEST` for an unknown key, `ALREADY_REMOVED_BILLING_KEY` for a deleted
    /// one, `NOT_MATCHES_CUSTOMER_KEY`; those of the body's fields; `DUPLICATED_ORDER_ID`.
    pub(super) fn charge_billing(
        &mut self,
        now: DateTime<Utc>,
        billing_key: &str,
        body: &[u8],
    ) -> Result<&Payment, ApiError> {
        let body: ChargeBody = parse(body)?;
        let key = self
            .billing
            .keys
            .get(billing_key)
            .ok_or_else(|| ApiError::new("INVALID_BILL_KEY_REQUEST"))?;
        if key.removed {
            return Err(ApiError::new("ALREADY_REMOVED_BILLING_KEY"));
        }
        if body.customer_key.as_ref() != Some(&key.customer_key) {
            return Err(ApiError::new("NOT_MATCHES_CUSTOMER_KEY"));
        }
        let card = Card {
            issuer_code: key.issuer_code.clone(),
            masked: key.card_number.clone(),
            unsupported: key.unsupported,
            points: false,
        };
        let terms = Terms {
            kind: Kind::Billing,
            customer_key: body.customer_key.clone(),
            ..Terms::default()
        };
        let new = body.checked(&card, terms)?;
        self.bank.charge(now, &mut self.random, new)
    }

    /// Deletes a key; the answer has no body.
    ///
    /// # Errors
    /// `NOT_FOUND_BILLING` for an unknown key; the configured code for one that was deleted.
    pub(super) fn remove_billing(&mut self, billing_key: &str) -> Result<String, ApiError> {
        let key = self
            .billing
            .keys
            .get(billing_key)
            .ok_or_else(|| ApiError::new("NOT_FOUND_BILLING"))?;
        if key.removed {
            let code = self.unknowns.repeated_billing_removal.as_deref();
            return code.map_or(Ok(String::new()), |code| Err(ApiError::new(code)));
        }
        self.make(Change::BillingRemoved {
            billing_key: billing_key.to_owned(),
        });
        Ok(String::new())
    }

    /// # Errors
    /// `INVALID_REQUEST` for an empty key; the configured code for one that is too long.
    pub(super) fn check_customer_key(&self, key: &str) -> Result<(), ApiError> {
        if key.chars().count() > CUSTOMER_KEY_MAX {
            return Err(ApiError::new(&self.unknowns.long_customer_key));
        }
        if key.is_empty() {
            return Err(ApiError::new("INVALID_REQUEST"));
        }
        Ok(())
    }

    /// Charges a card whose number the merchant sends.
    ///
    /// # Errors
    /// Those of the body's fields; `DUPLICATED_ORDER_ID`.
    pub(super) fn key_in(&mut self, now: DateTime<Utc>, body: &[u8]) -> Result<&Payment, ApiError> {
        let card: CardBody = parse(body)?;
        let charge: ChargeBody = parse(body)?;
        let card = card.checked(now)?;
        let new = charge.keyed_in(&card, Terms::default())?;
        self.bank.charge(now, &mut self.random, new)
    }
}
