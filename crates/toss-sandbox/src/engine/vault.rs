//! The encryption of payouts and sellers: compact JWE with `alg` dir and `enc` A256GCM under the
//! security key (Toss, ENCRYPTION mode).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use serde::Deserialize;
use serde_json::json;

use super::{errors::ApiError, payment::korean_time, random::Random};

/// Encrypts and decrypts with the security key.
#[derive(Debug)]
pub(super) struct Vault(Option<LessSafeKey>);

#[derive(Debug, Deserialize)]
struct Head {
    alg: String,
    enc: String,
    iat: String,
    nonce: String,
}

/// Length of the tag of GCM in bytes.
const TAG: usize = 16;

impl Vault {
    /// A key that is not 64 hexadecimal digits opens nothing.
    pub(super) fn new(security_key: &str) -> Self {
        let bytes = hex::decode(security_key).ok();
        let key = bytes.and_then(|bytes| UnboundKey::new(&AES_256_GCM, &bytes).ok());
        Self(key.map(LessSafeKey::new))
    }

    /// What is in a compact JWE.
    ///
    /// # Errors
    /// `INVALID_ENCRYPTION` (assumed; Toss's code is not documented) for anything that is no JWE
    /// of this kind, was made with another key, or lacks `iat` or `nonce`.
    pub(super) fn open(&self, text: &[u8]) -> Result<Vec<u8>, ApiError> {
        self.opened(text)
            .ok_or_else(|| ApiError::new("INVALID_ENCRYPTION"))
    }

    fn opened(&self, text: &[u8]) -> Option<Vec<u8>> {
        let text = std::str::from_utf8(text).ok()?.trim();
        let parts: Vec<_> = text.split('.').collect();
        let [head, "", nonce, cipher, tag] = parts.as_slice() else {
            return None;
        };
        let read = |part: &str| URL_SAFE_NO_PAD.decode(part).ok();
        let header: Head = serde_json::from_slice(&read(head)?).ok()?;
        let dated = DateTime::parse_from_rfc3339(&header.iat).is_ok();
        if header.alg != "dir" || header.enc != "A256GCM" || !dated || header.nonce.is_empty() {
            return None;
        }
        let nonce = Nonce::try_assume_unique_for_key(&read(nonce)?).ok()?;
        let mut sealed = read(cipher)?;
        sealed.extend(read(tag)?);
        let aad = Aad::from(head.as_bytes());
        let plain = self
            .0
            .as_ref()?
            .open_in_place(nonce, aad, &mut sealed)
            .ok()?;
        Some(plain.to_vec())
    }

    /// A compact JWE; the text itself if there is no key.
    pub(super) fn seal(&self, now: DateTime<Utc>, random: &mut Random, text: String) -> String {
        let Some(key) = &self.0 else {
            return text;
        };
        let head = json!({
            "alg": "dir",
            "enc": "A256GCM",
            "iat": korean_time(now),
            "nonce": random.trace_id(),
        });
        let head = URL_SAFE_NO_PAD.encode(head.to_string());
        let nonce: [u8; NONCE_LEN] = random.bytes();
        let mut sealed = text.clone().into_bytes();
        let aad = Aad::from(head.as_bytes());
        let nonce_used = Nonce::assume_unique_for_key(nonce);
        if key
            .seal_in_place_append_tag(nonce_used, aad, &mut sealed)
            .is_err()
        {
            return text;
        }
        let (cipher, tag) = sealed.split_at(sealed.len() - TAG);
        let write = |part: &[u8]| URL_SAFE_NO_PAD.encode(part);
        format!("{head}..{}.{}.{}", write(&nonce), write(cipher), write(tag))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_is_opened_and_nothing_else_is() {
        let vault = Vault::new(crate::DEFAULT_SECURITY_KEY);
        let mut random = Random::new(1);
        let sealed = vault.seal(DateTime::UNIX_EPOCH, &mut random, "[1]".to_owned());
        assert_eq!(sealed.split('.').count(), 5);
        assert_eq!(vault.open(sealed.as_bytes()).unwrap(), b"[1]");
        let other = Vault::new(&"0".repeat(64));
        assert!(other.open(sealed.as_bytes()).is_err());
        for at in 0..sealed.len() {
            let mut bad = sealed.clone().into_bytes();
            bad[at] = if bad[at] == b'A' { b'B' } else { b'A' };
            // The last character of a part may hold bits that nobody reads.
            let opened = vault.open(&bad);
            assert!(opened.is_err() || opened.unwrap() == b"[1]", "{at}");
        }
        for bad in ["", "....", "a.b.c", "{}"] {
            assert!(vault.open(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_example_of_rfc_7516_s_shape_with_another_algorithm_is_refused() {
        let vault = Vault::new(crate::DEFAULT_SECURITY_KEY);
        let head = URL_SAFE_NO_PAD.encode(r#"{"alg":"RSA-OAEP","enc":"A256GCM"}"#);
        assert!(vault.open(format!("{head}..a.b.c").as_bytes()).is_err());
    }
}
