//! Brandpay: terms, tokens, methods.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Extra, Sensitive,
    model::{
        books::list,
        fields::{Decode, DecodeError},
    },
};

/// What lets a customer's own calls be made. `Debug` shows neither token.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct AccessToken {
    /// Goes into the calls.
    pub access_token: Sensitive,
    /// Brings the next one.
    pub refresh_token: Option<Sensitive>,
    /// How long it lasts.
    pub expires_in: Option<Duration>,
}

impl AccessToken {
    /// A token that was stored.
    pub fn new(access_token: impl Into<String>) -> Self {
        Self {
            access_token: Sensitive::new(access_token),
            refresh_token: None,
            expires_in: None,
        }
    }
}

impl Decode for AccessToken {
    fn decode(value: Value) -> Result<Self, DecodeError> {
        let fields = Extra::with_texts(value, &["accessToken"])?;
        Ok(Self {
            access_token: Sensitive::new(fields.text("accessToken").unwrap_or_default()),
            refresh_token: fields.text("refreshToken").map(Sensitive::new),
            expires_in: fields.read("expiresIn").map(Duration::from_secs),
        })
    }
}

/// One of the terms a customer agrees to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BrandpayTerm(Extra);

impl BrandpayTerm {
    /// Its id, which [`agree_brandpay_terms`](crate::TossClient::agree_brandpay_terms) takes: a
    /// number, also if it comes as text.
    pub fn id(&self) -> Option<u64> {
        match self.0.get("id")? {
            Value::String(text) => text.parse().ok(),
            id => id.as_u64(),
        }
    }

    /// Its title.
    pub fn title(&self) -> Option<&str> {
        self.0.text("title")
    }

    /// Whether the customer must agree.
    pub fn required(&self) -> Option<bool> {
        self.0.read("required")
    }

    /// Everything Toss sent.
    pub fn fields(&self) -> &Extra {
        &self.0
    }
}

impl Decode for BrandpayTerm {
    fn decode(value: Value) -> Result<Self, DecodeError> {
        Extra::with_texts(value, &[]).map(Self)
    }
}

impl Decode for Vec<BrandpayTerm> {
    fn decode(value: Value) -> Result<Self, DecodeError> {
        list(value)
    }
}

/// A customer's registered cards and accounts. Masked, but still about a person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BrandpayMethods(Extra);

impl BrandpayMethods {
    /// The cards; each has a `methodKey`.
    pub fn cards(&self) -> Vec<Extra> {
        self.0.objects("cards").collect()
    }

    /// The accounts; each has a `methodKey`.
    pub fn accounts(&self) -> Vec<Extra> {
        self.0.objects("accounts").collect()
    }

    /// Everything Toss sent.
    pub fn fields(&self) -> &Extra {
        &self.0
    }
}

impl Decode for BrandpayMethods {
    fn decode(value: Value) -> Result<Self, DecodeError> {
        Extra::with_texts(value, &[]).map(Self)
    }
}
