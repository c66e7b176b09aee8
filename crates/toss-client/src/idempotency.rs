//! Idempotency keys: obtained before sending, so that the caller can store them first.

use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::{Arc, OnceLock},
};

use http::HeaderValue;

use crate::{Fingerprint, runtime};

/// The `Idempotency-Key` of one attempt.
///
/// Toss scopes it to the secret key, the method and the URL, **not to the body**, and keeps what
/// it answered, decoded 4xx included, for 15 days: reusing the key of one order for another
/// replays the first order's answer. Send the same key again only after *no answer* or
/// [`ErrorClass::RetrySameKey`](crate::ErrorClass::RetrySameKey); after any other answer ask
/// first, then use a new key.
///
/// A key is bound to the first request it is sent with, its clones too, and the client refuses
/// any other with [`Error::InvalidRequest`](crate::Error::InvalidRequest). Store
/// [`fingerprint`](Self::fingerprint) beside it, and [`bound_to`](Self::bound_to) keeps the bond
/// over a restart. Two keys are equal if their texts are.
#[derive(Clone)]
pub struct IdempotencyKey {
    text: String,
    bond: Arc<OnceLock<Fingerprint>>,
}

/// Why a text cannot be an idempotency key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidIdempotencyKey {
    /// Nothing was given.
    #[error("the idempotency key is empty")]
    Empty,
    /// Toss takes at most 300 characters (`INVALID_IDEMPOTENCY_KEY` above).
    #[error(
        "the idempotency key is longer than {} characters",
        IdempotencyKey::LEN_MAX
    )]
    TooLong,
    /// A space, control or non-ASCII character cannot travel in the header.
    #[error("the idempotency key holds a character that is not visible ASCII")]
    NotVisibleAscii,
}

impl IdempotencyKey {
    /// The longest key Toss takes, in characters.
    pub const LEN_MAX: usize = 300;

    /// Accepts 1 to 300 visible ASCII characters. Use something unguessable that is bound to
    /// one attempt, for instance a UUID or `{orderId}:{attempt}`.
    ///
    /// # Errors
    /// Says what is wrong with the text.
    pub fn parse(text: impl Into<String>) -> Result<Self, InvalidIdempotencyKey> {
        let text = text.into();
        if text.is_empty() {
            return Err(InvalidIdempotencyKey::Empty);
        }
        if text.len() > Self::LEN_MAX {
            return Err(InvalidIdempotencyKey::TooLong);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(InvalidIdempotencyKey::NotVisibleAscii);
        }
        Ok(Self {
            text,
            bond: Arc::default(),
        })
    }

    /// A new key of 128 random bits in hexadecimal, or `None` if the operating system has no
    /// randomness to give.
    pub fn generate() -> Option<Self> {
        let mut bytes = [0; 16];
        runtime::system_random(&mut bytes).then(|| Self {
            text: hex::encode(bytes),
            bond: Arc::default(),
        })
    }

    /// The key with the bond it had when it was stored.
    #[must_use]
    pub fn bound_to(self, fingerprint: Fingerprint) -> Self {
        Self {
            text: self.text,
            bond: Arc::new(OnceLock::from(fingerprint)),
        }
    }

    /// The request it is bound to; `None` until it was first used.
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        self.bond.get().copied()
    }

    /// Binds the key; `false` if it belongs to another request.
    pub(crate) fn bind(&self, fingerprint: Fingerprint) -> bool {
        *self.bond.get_or_init(|| fingerprint) == fingerprint
    }

    /// The key as it is sent.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// `None` cannot happen for a parsed key.
    pub(crate) fn header(&self) -> Option<HeaderValue> {
        HeaderValue::from_str(&self.text).ok()
    }
}

impl PartialEq for IdempotencyKey {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for IdempotencyKey {}

impl Hash for IdempotencyKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl fmt::Debug for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IdempotencyKey({})", self.text)
    }
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_to_three_hundred_visible_ascii_characters_are_a_key() {
        for text in ["a", "order-1:1", &"k".repeat(300)] {
            assert_eq!(IdempotencyKey::parse(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn anything_else_is_refused() {
        assert_eq!(IdempotencyKey::parse(""), Err(InvalidIdempotencyKey::Empty));
        assert_eq!(
            IdempotencyKey::parse("k".repeat(301)),
            Err(InvalidIdempotencyKey::TooLong)
        );
        for text in ["a b", "a\r\nX: y", "주문"] {
            assert_eq!(
                IdempotencyKey::parse(text),
                Err(InvalidIdempotencyKey::NotVisibleAscii)
            );
        }
    }

    #[test]
    fn a_key_and_its_clones_belong_to_one_request_also_after_a_restart() {
        let (one, other) = (Fingerprint::of("/a", b"{}"), Fingerprint::of("/a", b"[]"));
        let key = IdempotencyKey::parse("k").unwrap();
        assert_eq!(key.fingerprint(), None);
        assert!(key.clone().bind(one) && key.bind(one) && !key.bind(other));
        let stored = key.fingerprint().unwrap().to_string();
        let restored = IdempotencyKey::parse("k")
            .unwrap()
            .bound_to(stored.parse().unwrap());
        assert!(restored.bind(one) && !restored.bind(other));
        assert_eq!(restored, key);
    }

    #[test]
    fn generated_keys_are_valid_and_differ() {
        let (a, b) = (
            IdempotencyKey::generate().unwrap(),
            IdempotencyKey::generate().unwrap(),
        );
        assert_ne!(a, b);
        assert_eq!(IdempotencyKey::parse(a.as_str()).unwrap(), a);
    }
}
