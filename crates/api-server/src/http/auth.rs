//! The operators' key.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header::AUTHORIZATION;
use actix_web::{FromRequest, HttpRequest, web};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{Api, ApiError, Code};

/// The operators' key, kept as a digest only.
#[derive(Clone)]
pub struct ApiKey {
    digest: [u8; 32],
}

impl ApiKey {
    /// Keeps this key's digest.
    pub fn new(key: &SecretString) -> Self {
        Self {
            digest: Sha256::digest(key.expose_secret().as_bytes()).into(),
        }
    }

    /// Whether this is the key. Digests are compared in constant time, so neither length nor
    /// prefix of a wrong guess shows in the time it takes.
    fn matches(&self, guess: &str) -> bool {
        let guess: [u8; 32] = Sha256::digest(guess.as_bytes()).into();
        self.digest.ct_eq(&guess).into()
    }
}

/// Proof that the request carries the operators' key; an extractor.
pub(super) struct Operator(());

impl FromRequest for Operator {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let known = request.app_data::<web::Data<Api>>().is_some_and(|api| {
            let header = request
                .headers()
                .get(AUTHORIZATION)
                .and_then(|value| value.to_str().ok());
            header
                .and_then(|header| header.strip_prefix("Bearer "))
                .is_some_and(|key| api.api_key.matches(key))
        });
        ready(if known {
            Ok(Self(()))
        } else {
            Err(Code::Unauthorized.into())
        })
    }
}
