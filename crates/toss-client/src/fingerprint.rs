//! What a request asks for, in 32 bytes.

use std::{fmt, str::FromStr};

use ring::digest;

/// The SHA-256 of a request's path and body, as hex. It is not confidential, though who knows all
/// of a request can recognise it.
///
/// An idempotency key is bound to one: Toss ignores the body of a repetition and replays the
/// first answer, so a key that served one order must never be sent with another.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

/// The text is not 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a fingerprint is 64 hexadecimal digits")]
pub struct InvalidFingerprint;

impl Fingerprint {
    pub(crate) fn of(path: &str, body: &[u8]) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        // A path holds no NUL, so that no two pairs run into one text.
        context.update(path.as_bytes());
        context.update(&[0]);
        context.update(body);
        let mut bytes = [0; 32];
        bytes.copy_from_slice(context.finish().as_ref());
        Self(bytes)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

impl FromStr for Fingerprint {
    type Err = InvalidFingerprint;

    fn from_str(text: &str) -> Result<Self, InvalidFingerprint> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| InvalidFingerprint)?;
        Ok(Self(bytes))
    }
}
