//! Brandpay: terms, tokens, methods.

use std::time::Duration;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::{
    Extra, Sensitive,
    model::{
        fields::{Decode, DecodeError, Fields},
        page::list,
    },
};

/// What lets a customer's own calls be made: who has it can see and remove the customer's methods.
///
/// `Debug` shows neither token. Serialising shows both, as for every [`Sensitive`] text, because a
/// stored token must be whole: what is written is as confidential as the answer it came from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", try_from = "Map<String, Value>")]
#[non_exhaustive]
pub struct AccessToken {
    /// Goes into the calls.
    pub access_token: Sensitive,
    /// Brings the next one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<Sensitive>,
    /// How long it lasts from its issue on, in whole seconds. Store that moment beside it.
    #[serde(
        serialize_with = "whole_seconds",
        skip_serializing_if = "Option::is_none"
    )]
    pub expires_in: Option<Duration>,
    /// Fields this crate does not know (`tokenType`), and known ones of an unexpected shape.
    #[serde(flatten)]
    pub extra: Extra,
}

#[expect(clippy::ref_option, reason = "serde hands a field over so")]
fn whole_seconds<S: Serializer>(time: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
    time.map(|time| time.as_secs()).serialize(to)
}

impl AccessToken {
    /// A token that was stored.
    pub fn new(access_token: impl Into<String>) -> Self {
        Self {
            access_token: Sensitive::new(access_token),
            refresh_token: None,
            expires_in: None,
            extra: Extra::default(),
        }
    }
}

impl TryFrom<Map<String, Value>> for AccessToken {
    type Error = DecodeError;

    fn try_from(fields: Map<String, Value>) -> Result<Self, DecodeError> {
        let mut fields = Fields::new(fields);
        Ok(Self {
            access_token: fields.required("accessToken")?,
            refresh_token: fields.optional("refreshToken"),
            expires_in: fields.optional("expiresIn").map(Duration::from_secs),
            extra: fields.rest(),
        })
    }
}

impl Decode for AccessToken {
    fn decode(value: Value) -> Result<Self, DecodeError> {
        match value {
            Value::Object(fields) => fields.try_into(),
            _ => Err(DecodeError::Shape("object")),
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_token_is_stored_whole_and_never_shown() {
        let answer = json!({"accessToken": "hush-a", "refreshToken": "hush-r",
                            "tokenType": "bearer", "expiresIn": 2_592_000});
        let token = AccessToken::decode(answer.clone()).unwrap();
        assert_eq!(token.expires_in, Some(Duration::from_hours(30 * 24)));
        assert_eq!(serde_json::to_value(&token).unwrap(), answer);
        assert_eq!(
            serde_json::from_value::<AccessToken>(answer).unwrap(),
            token
        );
        let shown = format!("{token:?} {:#?}", AccessToken::new("hush-n"));
        assert!(shown.contains("[redacted]") && !shown.contains("hush"));
    }

    #[test]
    fn a_token_survives_odd_fields_beside_it() {
        let odd = json!({"accessToken": "a", "refreshToken": 1, "expiresIn": "soon"});
        let token = AccessToken::decode(odd.clone()).unwrap();
        assert_eq!(
            (token.refresh_token.as_ref(), token.expires_in),
            (None, None)
        );
        assert_eq!(serde_json::to_value(&token).unwrap(), odd);
        assert!(AccessToken::decode(json!({"refreshToken": "r"})).is_err());
    }
}
