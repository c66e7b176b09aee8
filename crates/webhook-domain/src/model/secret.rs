use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use kernel::Randomness;
use ring::hmac;

const PREFIX: &str = "whsec_";
/// Bytes of a new secret. The specification takes 24 to 64.
const BYTES: usize = 32;
/// The least and most bytes of a secret (Standard Webhooks, "Signature scheme").
const BYTES_ALLOWED: std::ops::RangeInclusive<usize> = 24..=64;

/// This text is no signing secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a secret is whsec_ and the Base64 of 24 to 64 bytes")]
pub struct InvalidSecret;

/// The key that an endpoint's events are signed with, in the spelling that its owner gets.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningSecret {
    text: String,
    key: Vec<u8>,
}

impl SigningSecret {
    /// A new secret of 32 random bytes.
    pub fn random(randomness: &dyn Randomness) -> Self {
        let mut key = Vec::with_capacity(BYTES);
        while key.len() < BYTES {
            key.extend_from_slice(&randomness.next_u64().to_le_bytes());
        }
        let text = format!("{PREFIX}{}", STANDARD.encode(&key));
        Self { text, key }
    }

    /// Reads a secret: `whsec_` and the Base64 of 24 to 64 bytes.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn parse(text: &str) -> Result<Self, InvalidSecret> {
        let encoded = text.strip_prefix(PREFIX).ok_or(InvalidSecret)?;
        let key = STANDARD.decode(encoded).map_err(|_| InvalidSecret)?;
        if !BYTES_ALLOWED.contains(&key.len()) {
            return Err(InvalidSecret);
        }
        let text = text.to_owned();
        Ok(Self { text, key })
    }

    /// The text, for its owner and the store alone.
    pub fn expose(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret(redacted)")
    }
}

/// The `webhook-signature` of this body: one signature for each secret, separated by spaces.
/// `timestamp` is in seconds since 1970-01-01T00:00:00Z.
pub fn sign<'a>(
    secrets: impl IntoIterator<Item = &'a SigningSecret>,
    id: &str,
    timestamp: i64,
    body: &str,
) -> String {
    let content = format!("{id}.{timestamp}.{body}");
    let signatures = secrets.into_iter().map(|secret| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &secret.key);
        let tag = hmac::sign(&key, content.as_bytes());
        format!("v1,{}", STANDARD.encode(tag))
    });
    signatures.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use kernel::SystemRandomness;

    use super::*;

    /// The example of the specification's own libraries.
    #[test]
    fn a_signature_is_the_specification_s() {
        let secret = SigningSecret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
        let body = r#"{"test": 2432232314}"#;
        let expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(sign([&secret], id, 1_614_265_330, body), expected);
        for (other, at, text) in [
            ("msg_other", 1_614_265_330, body),
            (id, 1_614_265_331, body),
            (id, 1_614_265_330, "{}"),
        ] {
            assert_ne!(sign([&secret], other, at, text), expected);
        }
    }

    #[test]
    fn two_secrets_give_two_signatures_the_new_one_first() {
        let [old, new] = [(); 2].map(|()| SigningSecret::random(&SystemRandomness));
        let both = sign([&new, &old], "evt_1", 1, "{}");
        let each = [&new, &old].map(|secret| sign([secret], "evt_1", 1, "{}"));
        assert_eq!(both, each.join(" "));
        assert_ne!(each[0], each[1]);
    }

    #[test]
    fn a_new_secret_reads_back_and_never_shows() {
        let secret = SigningSecret::random(&SystemRandomness);
        assert_eq!(SigningSecret::parse(secret.expose()), Ok(secret.clone()));
        assert_ne!(secret, SigningSecret::random(&SystemRandomness));
        assert_eq!(format!("{secret:?}"), "SigningSecret(redacted)");
    }

    #[test]
    fn odd_secrets_are_refused() {
        let short = format!("whsec_{}", STANDARD.encode([1; 23]));
        let long = format!("whsec_{}", STANDARD.encode([1; 65]));
        for odd in [
            "",
            "whsec_",
            "whsec_!!!!",
            &short,
            &long,
            &STANDARD.encode([1; 32]),
        ] {
            assert_eq!(SigningSecret::parse(odd), Err(InvalidSecret), "{odd}");
        }
    }
}
