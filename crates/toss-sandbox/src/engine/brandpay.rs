//! Brandpay, as far as a server meets it: terms, access tokens, a customer's methods, payments.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Engine, Method, Ticket,
    audit::fingerprint_of_unordered,
    brandpay_methods::{CARD_NUMBER, methods_view},
    change::{Change, Inconsistent},
    direct::{Card, ChargeBody},
    errors::ApiError,
    method::{Kind, Terms},
    payment::korean_time,
    promotions::promotions,
    query::Query,
    request::{ConfirmBody, parse},
};
use crate::endpoint::Endpoint;

/// Seconds for which an access token holds. Not documented with a number that was seen; assumed.
const TOKEN_LIFE_S: u32 = 2_592_000;

/// A customer of brandpay as the bank keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BrandpayCustomer {
    /// The merchant's key of the customer.
    pub customer_key: String,
    /// What the customer pays with.
    pub methods: Vec<BrandpayMethod>,
    /// When the customer agreed to the terms.
    pub at: DateTime<Utc>,
    /// Whether the customer was removed.
    #[serde(default)]
    pub removed: bool,
}

/// A card or an account of a customer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BrandpayMethod {
    /// Toss's key.
    pub key: String,
    /// Whether it is a card; otherwise an account.
    pub card: bool,
    /// Whether it was removed.
    #[serde(default)]
    pub removed: bool,
}

/// Customers, and the codes and tokens that stand for them.
#[derive(Debug, Default)]
pub(super) struct BrandpayBook {
    customers: HashMap<String, BrandpayCustomer>,
    /// Customer keys by one-time code, access token or refresh token.
    passes: HashMap<String, String>,
}

impl BrandpayBook {
    /// Applies a change of brandpay; hands any other back.
    pub(super) fn apply(&mut self, change: Change) -> Result<Option<Change>, Inconsistent> {
        match change {
            Change::BrandpayKept(customer) => {
                if customer.removed {
                    let key = &customer.customer_key;
                    self.passes.retain(|_, holder| holder != key);
                }
                self.customers
                    .insert(customer.customer_key.clone(), *customer);
            }
            Change::BrandpayPassed {
                customer_key,
                used,
                issued,
            } => {
                if let Some(used) = used
                    && self.passes.remove(&used).is_none()
                {
                    return Err(Inconsistent::new("use of code", &used));
                }
                for pass in issued {
                    self.passes.insert(pass, customer_key.clone());
                }
            }
            other => return Ok(Some(other)),
        }
        Ok(None)
    }

    /// Whether an access token stands for a customer.
    pub(super) fn knows(&self, token: &str) -> bool {
        token.starts_with("at_") && self.passes.contains_key(token)
    }

    pub(super) fn fingerprint(&self) -> u64 {
        fingerprint_of_unordered(&self.customers)
            .wrapping_add(fingerprint_of_unordered(&self.passes))
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AgreeBody {
    customer_key: String,
    #[serde(default)]
    scope: Vec<String>,
    #[serde(default)]
    terms_id: Vec<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct TokenBody {
    grant_type: String,
    customer_key: String,
    code: Option<String>,
    refresh_token: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct CustomerBody {
    customer_key: String,
    method_key: Option<String>,
}

/// Calls that a customer's access token may make.
pub(super) fn takes_token(endpoint: Endpoint) -> bool {
    matches!(
        endpoint,
        Endpoint::BrandpayMethods
            | Endpoint::RemoveBrandpayCard
            | Endpoint::RemoveBrandpayAccount
            | Endpoint::RemoveBrandpayCustomer
    )
}

impl Engine {
    /// Does the work of a call of brandpay.
    pub(super) fn execute_brandpay(
        &mut self,
        now: DateTime<Utc>,
        ticket: &Ticket,
    ) -> Result<String, ApiError> {
        let request = &ticket.request;
        let body = &request.body;
        match request.endpoint {
            Endpoint::BrandpayTerms => self.brandpay_terms(&request.subject),
            Endpoint::AgreeBrandpayTerms => self.agree_brandpay(now, body),
            Endpoint::BrandpayToken => self.brandpay_token(body),
            Endpoint::BrandpayMethods => {
                let customer = self.bearer(ticket)?;
                Ok(methods_view(customer).to_string())
            }
            Endpoint::BrandpayMethodsOf => {
                let customer = self.brandpay_customer(&request.subject)?;
                Ok(methods_view(customer).to_string())
            }
            Endpoint::RemoveBrandpayCard => self.remove_brandpay_method(now, ticket, true),
            Endpoint::RemoveBrandpayAccount => self.remove_brandpay_method(now, ticket, false),
            Endpoint::RemoveBrandpayCustomer => self.remove_brandpay_customer(now, ticket),
            Endpoint::ConfirmBrandpay => self.confirm_brandpay(now, ticket),
            Endpoint::PayBrandpay => self.pay_brandpay(now, ticket),
            Endpoint::BrandpayCardPromotions => Ok(promotions(request.language(), false)),
            Endpoint::BrandpayBankPromotions => Ok(promotions(request.language(), true)),
            _ => Err(ApiError::new("NOT_FOUND")),
        }
    }

    fn brandpay_customer(&self, key: &str) -> Result<&BrandpayCustomer, ApiError> {
        let customer = self.brandpay.customers.get(key);
        customer
            .filter(|customer| !customer.removed)
            .ok_or_else(|| ApiError::new("NOT_FOUND"))
    }

    /// The customer whose access token the request carries.
    pub(super) fn bearer(&self, ticket: &Ticket) -> Result<&BrandpayCustomer, ApiError> {
        let header = ticket.request.authorization.as_deref().unwrap_or_default();
        let token = header.split_once(' ').map_or("", |(_, token)| token.trim());
        let key = self.brandpay.passes.get(token);
        let key = key.ok_or_else(|| ApiError::new("UNAUTHORIZED_KEY"))?;
        self.brandpay_customer(key)
    }

    fn brandpay_terms(&self, query: &str) -> Result<String, ApiError> {
        let query = Query::new(query);
        let key = query.get("customerKey").unwrap_or_default();
        self.check_customer_key(&key)?;
        let agreed = self.brandpay_customer(&key).is_ok();
        let term = |id: u32, title: &str, required: bool| {
            json!({
                "id": id, "title": title, "version": "1.0", "status": "REGISTERED",
                "url": format!("{}/sandbox/terms/{id}", self.base_url),
                "required": required, "agreed": agreed,
            })
        };
        let terms = [
            term(1, "전자금융거래 기본약관", true),
            term(2, "개인정보 수집 및 이용 동의", true),
            term(3, "혜택 알림 동의", false),
        ];
        Ok(super::json(&terms))
    }

    fn agree_brandpay(&mut self, now: DateTime<Utc>, body: &[u8]) -> Result<String, ApiError> {
        let body: AgreeBody = parse(body)?;
        self.check_customer_key(&body.customer_key)?;
        if body.scope.is_empty() || body.terms_id.is_empty() {
            return Err(ApiError::new("INVALID_REQUEST"));
        }
        if self.brandpay_customer(&body.customer_key).is_err() {
            let method = |random: &mut super::Random, card| BrandpayMethod {
                key: random.key("m_", 20),
                card,
                removed: false,
            };
            let customer = BrandpayCustomer {
                customer_key: body.customer_key.clone(),
                methods: [true, false]
                    .map(|card| method(&mut self.random, card))
                    .to_vec(),
                at: now,
                removed: false,
            };
            self.make(Change::BrandpayKept(Box::new(customer)));
            self.tell_customer(now, &body.customer_key, "CREATED");
        }
        let code = self.random.key("code_", 24);
        self.make(Change::BrandpayPassed {
            customer_key: body.customer_key,
            used: None,
            issued: vec![code.clone()],
        });
        Ok(json!({ "code": code }).to_string())
    }

    pub(super) fn tell_customer(&mut self, now: DateTime<Utc>, customer_key: &str, status: &str) {
        if self.outbox.wanted {
            let changed_at = korean_time(now);
            let data =
                json!({ "customerKey": customer_key, "status": status, "changedAt": changed_at });
            let news = self.told(now, "CUSTOMER_STATUS_CHANGED", &data);
            self.announced.push(news);
        }
    }

    /// # Errors
    /// `INVALID_REQUEST` for another grant; `UNAUTHORIZED_KEY` for a code or token that is
    /// unknown, used, or another customer's (assumed).
    fn brandpay_token(&mut self, body: &[u8]) -> Result<String, ApiError> {
        let body: TokenBody = parse(body)?;
        let pass = match body.grant_type.as_str() {
            "AuthorizationCode" => body.code.filter(|code| code.starts_with("code_")),
            "RefreshToken" => body.refresh_token.filter(|token| token.starts_with("rt_")),
            _ => return Err(ApiError::new("INVALID_REQUEST")),
        };
        let pass = pass.ok_or_else(|| ApiError::new("UNAUTHORIZED_KEY"))?;
        if self.brandpay.passes.get(&pass) != Some(&body.customer_key) {
            return Err(ApiError::new("UNAUTHORIZED_KEY"));
        }
        let access = self.random.key("at_", 40);
        let refresh = self.random.key("rt_", 40);
        self.make(Change::BrandpayPassed {
            customer_key: body.customer_key,
            used: Some(pass),
            issued: vec![access.clone(), refresh.clone()],
        });
        let answer = json!({
            "accessToken": access, "refreshToken": refresh, "tokenType": "bearer",
            "expiresIn": TOKEN_LIFE_S,
        });
        Ok(answer.to_string())
    }

    /// # Errors
    /// Those of a confirm; `NOT_MATCHES_CUSTOMER_KEY`.
    fn confirm_brandpay(
        &mut self,
        now: DateTime<Utc>,
        ticket: &Ticket,
    ) -> Result<String, ApiError> {
        let customer: CustomerBody = parse(&ticket.request.body)?;
        let body: ConfirmBody = parse(&ticket.request.body)?;
        let payment = self
            .bank
            .match_confirm(now, &body, &self.mismatch, ticket.widget)?;
        let holder = &payment.terms().customer_key;
        if holder
            .as_ref()
            .is_some_and(|key| *key != customer.customer_key)
        {
            return Err(ApiError::new("NOT_MATCHES_CUSTOMER_KEY"));
        }
        self.bank
            .confirm(now, &mut self.random, &body, &self.mismatch, ticket.widget)?;
        self.payment_body(now, ticket, &body.payment_key)
    }

    /// # Errors
    /// `NOT_FOUND`, `NOT_FOUND_METHOD`; those of a charge.
    fn pay_brandpay(&mut self, now: DateTime<Utc>, ticket: &Ticket) -> Result<String, ApiError> {
        let wanted: CustomerBody = parse(&ticket.request.body)?;
        let charge: ChargeBody = parse(&ticket.request.body)?;
        let customer = self.brandpay_customer(&wanted.customer_key)?;
        let mut methods = customer.methods.iter();
        let method = methods
            .find(|method| Some(&method.key) == wanted.method_key.as_ref() && !method.removed)
            .ok_or_else(|| ApiError::new("NOT_FOUND_METHOD"))?;
        let by_card = method.card;
        let card = Card {
            issuer_code: "11".to_owned(),
            masked: CARD_NUMBER.to_owned(),
            unsupported: false,
            points: false,
        };
        let terms = Terms {
            kind: Kind::Brandpay,
            customer_key: Some(wanted.customer_key),
            ..Terms::default()
        };
        let mut new = charge.checked(&card, terms)?;
        if !by_card {
            new.method = Method::Transfer {
                bank_code: "20".to_owned(),
            };
            new.terms.card_number = None;
        }
        let key = self.bank.charge(now, &mut self.random, new)?.key.clone();
        self.payment_body(now, ticket, &key)
    }
}
