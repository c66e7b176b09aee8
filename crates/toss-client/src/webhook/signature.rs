//! Signatures of signed events: `v1:<base64>,v1:<base64>`, HMAC-SHA256 over
//! `{body}:{transmission time}` (documented).
//!
//! Whether the key is the security key's text or the bytes it spells is not documented; one public
//! client decodes it. Both are tried. An attacker gains nothing from the second.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderValue};
use ring::hmac;

use super::{ID_HEADER, SIGNATURE_HEADER, TIME_HEADER};
use crate::SecurityKey;

/// Signatures of one header that are looked at: one a key, and two keys while one is replaced.
const SIGNATURES_MAX: usize = 8;

/// What of a security key the signature is made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyEncoding {
    /// The 64 characters.
    Text,
    /// The 32 bytes they spell.
    Bytes,
}

fn hmac_key(key: &SecurityKey, encoding: KeyEncoding) -> hmac::Key {
    match encoding {
        KeyEncoding::Text => hmac::Key::new(hmac::HMAC_SHA256, key.text().as_bytes()),
        KeyEncoding::Bytes => hmac::Key::new(hmac::HMAC_SHA256, &key.bytes()),
    }
}

fn message(body: &[u8], time: &str) -> Vec<u8> {
    [body, b":", time.as_bytes()].concat()
}

/// Whether any signature is of any key; each is compared in constant time.
pub(super) fn matches(keys: &[SecurityKey], header: &str, body: &[u8], time: &str) -> bool {
    let message = message(body, time);
    let signatures: Vec<Vec<u8>> = header
        .split(',')
        .take(SIGNATURES_MAX)
        .filter_map(|part| STANDARD.decode(part.trim().strip_prefix("v1:")?).ok())
        .collect();
    keys.iter().any(|key| {
        [KeyEncoding::Bytes, KeyEncoding::Text]
            .into_iter()
            .any(|encoding| {
                let key = hmac_key(key, encoding);
                signatures
                    .iter()
                    .any(|signature| hmac::verify(&key, &message, signature).is_ok())
            })
    })
}

/// Signs as Toss does, for tests of one's own receiver.
#[derive(Debug, Clone)]
pub struct Signer {
    key: SecurityKey,
    encoding: KeyEncoding,
}

impl Signer {
    /// Signs with this key.
    pub fn new(key: SecurityKey, encoding: KeyEncoding) -> Self {
        Self { key, encoding }
    }

    /// The header value for this body and transmission time.
    pub fn sign(&self, body: &[u8], time: &str) -> String {
        let key = hmac_key(&self.key, self.encoding);
        let tag = hmac::sign(&key, &message(body, time));
        format!("v1:{}", STANDARD.encode(tag))
    }

    /// The headers of a delivery of this body; texts that cannot be headers are left out.
    pub fn headers(&self, id: &str, body: &[u8], time: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let signature = self.sign(body, time);
        for (name, text) in [
            (ID_HEADER, id),
            (TIME_HEADER, time),
            (SIGNATURE_HEADER, signature.as_str()),
        ] {
            if let Ok(value) = HeaderValue::from_str(text) {
                headers.insert(name, value);
            }
        }
        headers
    }
}
