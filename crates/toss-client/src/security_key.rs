//! The merchant's security key (보안 키).

use std::fmt;

use secrecy::{ExposeSecret as _, SecretString};

/// The key that signs webhooks and encrypts payouts: 64 hexadecimal digits from the developer
/// center. After it was reissued, the old one works for seven more days (documented). `Debug`
/// shows nothing of it.
#[derive(Clone)]
pub struct SecurityKey(SecretString);

/// The text is not 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a security key is 64 hexadecimal digits")]
pub struct InvalidSecurityKey;

impl SecurityKey {
    /// Reads the developer center's text.
    ///
    /// # Errors
    /// [`InvalidSecurityKey`].
    pub fn parse(text: &str) -> Result<Self, InvalidSecurityKey> {
        let good = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if good {
            Ok(Self(SecretString::from(text)))
        } else {
            Err(InvalidSecurityKey)
        }
    }

    pub(crate) fn text(&self) -> &str {
        self.0.expose_secret()
    }

    /// Zeroes cannot come out: the text was checked.
    pub(crate) fn bytes(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        let _ = hex::decode_to_slice(self.text(), &mut bytes);
        bytes
    }
}

impl fmt::Debug for SecurityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecurityKey([redacted])")
    }
}
