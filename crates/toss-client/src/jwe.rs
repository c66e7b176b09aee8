//! Encrypted bodies of payouts and sellers: compact JWE (RFC 7516), `alg` `dir`, `enc` `A256GCM`.
//!
//! Composed from ring's AES-GCM, which is in the tree through rustls: five dots and a header are
//! less than a JOSE library with its OpenSSL.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use chrono::{DateTime, FixedOffset};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use serde_json::{Value, json};

use crate::{Runtime, SecurityKey};

const TAG_BYTES: usize = 16;
/// Toss prints `iat` in Korean time; any offset is allowed.
const KOREA_S: i32 = 9 * 3_600;

/// Encrypts a body. `None` if there is no randomness or no time.
pub(crate) fn seal(key: &SecurityKey, plain: &[u8], runtime: &dyn Runtime) -> Option<String> {
    let (mut id, mut nonce) = ([0; 16], [0; NONCE_LEN]);
    if !runtime.fill_random(&mut id) || !runtime.fill_random(&mut nonce) {
        return None;
    }
    let at = DateTime::from_timestamp(runtime.unix_seconds(), 0)?
        .with_timezone(&FixedOffset::east_opt(KOREA_S)?);
    let header = json!({
        "alg": "dir",
        "enc": "A256GCM",
        "iat": at.format("%Y-%m-%dT%H:%M:%S%:z").to_string(),
        "nonce": uuid(id),
    });
    let header = BASE64.encode(header.to_string());
    let mut body = plain.to_vec();
    let aad = Aad::from(header.as_bytes());
    let tag = cipher(key)?
        .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), aad, &mut body)
        .ok()?;
    let [nonce, body, tag] = [&nonce[..], &body, tag.as_ref()].map(|part| BASE64.encode(part));
    Some(format!("{header}..{nonce}.{body}.{tag}"))
}

/// Decrypts a body. `None` if it is no JWE of this kind, or not one of this key.
pub(crate) fn open(key: &SecurityKey, sealed: &[u8]) -> Option<Vec<u8>> {
    let parts: Vec<_> = std::str::from_utf8(sealed)
        .ok()?
        .trim()
        .split('.')
        .collect();
    let [header, "", nonce, body, tag] = parts[..] else {
        return None;
    };
    let said: Value = serde_json::from_slice(&BASE64.decode(header).ok()?).ok()?;
    if said["alg"] != "dir" || said["enc"] != "A256GCM" {
        return None;
    }
    let nonce: [u8; NONCE_LEN] = BASE64.decode(nonce).ok()?.try_into().ok()?;
    let tag = BASE64
        .decode(tag)
        .ok()
        .filter(|tag| tag.len() == TAG_BYTES)?;
    let mut bytes = BASE64.decode(body).ok()?;
    bytes.extend(tag);
    let aad = Aad::from(header.as_bytes());
    let plain = cipher(key)?
        .open_in_place(Nonce::assume_unique_for_key(nonce), aad, &mut bytes)
        .ok()?;
    Some(plain.to_vec())
}

fn cipher(key: &SecurityKey) -> Option<LessSafeKey> {
    let key = UnboundKey::new(&AES_256_GCM, &key.bytes()).ok()?;
    Some(LessSafeKey::new(key))
}

/// The bytes as a UUID of version 4.
fn uuid(mut bytes: [u8; 16]) -> String {
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let text = hex::encode(bytes);
    format!(
        "{}-{}-{}-{}-{}",
        &text[..8],
        &text[8..12],
        &text[12..16],
        &text[16..20],
        &text[20..]
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::BoxFuture;

    /// A moment, and the same random byte throughout.
    #[derive(Debug)]
    struct Fixed(bool);

    impl Runtime for Fixed {
        fn now(&self) -> Duration {
            Duration::ZERO
        }

        fn sleep(&self, _: Duration) -> BoxFuture<'_, ()> {
            Box::pin(async {})
        }

        fn unix_seconds(&self) -> i64 {
            1_767_225_600
        }

        fn fill_random(&self, bytes: &mut [u8]) -> bool {
            bytes.fill(7);
            self.0
        }
    }

    fn key(digit: &str) -> SecurityKey {
        SecurityKey::parse(&digit.repeat(64)).unwrap()
    }

    #[test]
    fn a_body_is_sealed_as_toss_documents_it_and_opens_again() {
        let sealed = seal(&key("a"), b"{\"a\":1}", &Fixed(true)).unwrap();
        let parts: Vec<_> = sealed.split('.').collect();
        assert_eq!((parts.len(), parts[1]), (5, ""));
        let header: Value = serde_json::from_slice(&BASE64.decode(parts[0]).unwrap()).unwrap();
        assert_eq!(
            header,
            json!({
                "alg": "dir", "enc": "A256GCM", "iat": "2026-01-01T09:00:00+09:00",
                "nonce": "07070707-0707-4707-8707-070707070707",
            })
        );
        assert_eq!(open(&key("a"), sealed.as_bytes()).unwrap(), b"{\"a\":1}");
        assert_eq!(open(&key("b"), sealed.as_bytes()), None);
    }

    #[test]
    fn a_body_that_was_touched_does_not_open() {
        let sealed = seal(&key("a"), b"{\"amount\":1000}", &Fixed(true)).unwrap();
        for at in 0..sealed.len() {
            let mut bytes = sealed.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(open(&key("a"), &bytes), None, "{at}");
        }
        for text in ["", "a.b.c", "....", "{\"code\":\"X\"}"] {
            assert_eq!(open(&key("a"), text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn nothing_is_sealed_without_randomness() {
        assert_eq!(seal(&key("a"), b"{}", &Fixed(false)), None);
    }

    /// Sealed by another implementation (Python's `cryptography`, AES-256-GCM) with the key `00`
    /// to `1f`, the nonce `000102030405060708090a0b` and the header below.
    #[test]
    fn a_body_sealed_by_another_implementation_opens() {
        let bytes: Vec<u8> = (0..32).collect();
        let key = SecurityKey::parse(&hex::encode(bytes)).unwrap();
        let sealed = include_str!("../tests/fixtures/jwe_by_python.txt");
        let plain = open(&key, sealed.as_bytes()).unwrap();
        assert_eq!(
            plain,
            "{\"holderName\":\"김토스\",\"amount\":1000}".as_bytes()
        );
    }
}
