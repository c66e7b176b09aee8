//! Idempotency keys: obtained before sending, so that the caller can store them first.

use std::fmt;

use http::HeaderValue;

/// The `Idempotency-Key` of one attempt.
///
/// Toss scopes it to the secret key, the method and the URL, **not to the body**, and keeps what
/// it answered, decoded 4xx included, for 15 days: reusing the key of one order for another
/// replays the first order's answer. Send the same key again only after *no answer* or
/// [`ErrorClass::RetrySameKey`](crate::ErrorClass::RetrySameKey); after any other answer ask
/// first, then use a new key.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(String);

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
        Ok(Self(text))
    }

    /// The key as it is sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `None` cannot happen for a parsed key.
    pub(crate) fn header(&self) -> Option<HeaderValue> {
        HeaderValue::from_str(&self.0).ok()
    }
}

impl fmt::Debug for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IdempotencyKey({})", self.0)
    }
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
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
}
