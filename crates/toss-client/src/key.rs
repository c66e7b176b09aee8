//! The merchant's secret key.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::HeaderValue;
use secrecy::{ExposeSecret as _, SecretString};

/// A merchant's secret key, the only credential of the API. `Debug` shows its kind alone, and
/// its memory is wiped when dropped.
///
/// Toss hands out keys in pairs per merchant id: a payment that a page opened with a widget
/// client key must be confirmed with that pair's widget secret key, else Toss answers
/// `INVALID_API_KEY`.
#[derive(Clone)]
pub struct SecretKey(SecretString);

/// What a key may be used for, read from its prefix (documented by Toss under "API keys").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// `test_sk_`: API products, no real money.
    ApiTest,
    /// `live_sk_`: API products, real money.
    ApiLive,
    /// `test_gsk_`: payment widget, no real money.
    WidgetTest,
    /// `live_gsk_`: payment widget, real money.
    WidgetLive,
    /// Any other spelling; for instance another Toss-compatible server's own keys.
    Other,
}

/// Why a text is not a secret key. The text itself is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidSecretKey {
    /// Nothing was given.
    #[error("the secret key is empty")]
    Empty,
    /// A space, control or non-ASCII character: most often a copied line break.
    #[error("the secret key holds a character that is not visible ASCII")]
    NotVisibleAscii,
    /// A colon would end the user name of the Basic credentials early.
    #[error("the secret key holds a colon")]
    Colon,
}

impl SecretKey {
    /// Accepts any non-empty visible ASCII without a colon, so that keys of compatible servers
    /// and of kinds to come work too; [`kind`](Self::kind) tells what was recognised.
    ///
    /// # Errors
    /// Says which character class is wrong, without repeating the key.
    pub fn parse(text: &str) -> Result<Self, InvalidSecretKey> {
        if text.is_empty() {
            return Err(InvalidSecretKey::Empty);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(InvalidSecretKey::NotVisibleAscii);
        }
        if text.contains(':') {
            return Err(InvalidSecretKey::Colon);
        }
        Ok(Self(SecretString::from(text)))
    }

    /// What the key may be used for.
    pub fn kind(&self) -> KeyKind {
        let text = self.0.expose_secret();
        let kinds = [
            ("test_sk_", KeyKind::ApiTest),
            ("live_sk_", KeyKind::ApiLive),
            ("test_gsk_", KeyKind::WidgetTest),
            ("live_gsk_", KeyKind::WidgetLive),
        ];
        let found = kinds
            .into_iter()
            .find(|(prefix, _)| text.starts_with(prefix));
        found.map_or(KeyKind::Other, |(_, kind)| kind)
    }

    /// Whether real money moves under this key. A key of an unknown kind counts as live when it
    /// says so (`live_…`).
    pub fn is_live(&self) -> bool {
        self.0.expose_secret().starts_with("live_")
    }

    /// `Basic base64(key + ":")`: the password is empty, the colon is mandatory. `None` cannot
    /// happen for a parsed key.
    pub(crate) fn authorization(&self) -> Option<HeaderValue> {
        let credentials = STANDARD.encode(format!("{}:", self.0.expose_secret()));
        let mut value = HeaderValue::try_from(format!("Basic {credentials}")).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey({:?}, [redacted])", self.kind())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_tells_its_kind_and_whether_money_is_real() {
        let cases = [
            ("test_sk_abc", KeyKind::ApiTest, false),
            ("live_sk_abc", KeyKind::ApiLive, true),
            ("test_gsk_abc", KeyKind::WidgetTest, false),
            ("live_gsk_abc", KeyKind::WidgetLive, true),
            ("test_ck_abc", KeyKind::Other, false),
            ("live_xsk_abc", KeyKind::Other, true),
            ("sandbox", KeyKind::Other, false),
        ];
        for (text, kind, live) in cases {
            let key = SecretKey::parse(text).unwrap();
            assert_eq!((key.kind(), key.is_live()), (kind, live), "{text}");
        }
    }

    #[test]
    fn a_key_that_cannot_be_sent_is_refused() {
        assert_eq!(SecretKey::parse("").unwrap_err(), InvalidSecretKey::Empty);
        for text in ["test_sk_a\n", "test sk", "키", "\u{feff}test_sk_a"] {
            assert_eq!(
                SecretKey::parse(text).unwrap_err(),
                InvalidSecretKey::NotVisibleAscii
            );
        }
        assert_eq!(
            SecretKey::parse("user:pass").unwrap_err(),
            InvalidSecretKey::Colon
        );
    }

    #[test]
    fn the_credentials_are_the_key_and_a_colon_in_padded_base64() {
        let key = SecretKey::parse("test_gsk_docs_OaPz8L5KdmQXkzRz3y47BMw6").unwrap();
        let header = key.authorization().unwrap();
        assert_eq!(
            header.to_str().unwrap(),
            "Basic dGVzdF9nc2tfZG9jc19PYVB6OEw1S2RtUVhrelJ6M3k0N0JNdzY6"
        );
        assert!(header.is_sensitive());
    }

    #[test]
    fn debug_does_not_show_the_key() {
        let shown = format!("{:?}", SecretKey::parse("test_sk_hush").unwrap());
        assert_eq!(shown, "SecretKey(ApiTest, [redacted])");
    }
}
