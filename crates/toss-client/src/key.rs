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

impl KeyKind {
    pub(crate) fn is_widget(self) -> bool {
        match self {
            Self::WidgetTest | Self::WidgetLive => true,
            Self::ApiTest | Self::ApiLive | Self::Other => false,
        }
    }
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
    /// A client key (`…_ck_`, `…_gck_`) belongs into the browser; Toss takes it for nothing here.
    #[error("it is a client key, not a secret key")]
    ClientKey,
    /// The key is of another kind than was asked for.
    #[error("the secret key is of kind {found:?}, not {wanted:?}")]
    Kind {
        /// What the caller needs.
        wanted: KeyKind,
        /// What the prefix says.
        found: KeyKind,
    },
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
        if CLIENT_KEYS
            .iter()
            .any(|(prefix, _)| text.starts_with(prefix))
        {
            return Err(InvalidSecretKey::ClientKey);
        }
        Ok(Self(SecretString::from(text)))
    }

    /// As [`parse`](Self::parse), but of this kind alone: so that a live key in a test's settings
    /// ends the start, not a payment.
    ///
    /// # Errors
    /// Says what is wrong, without repeating the key.
    pub fn parse_kind(text: &str, wanted: KeyKind) -> Result<Self, InvalidSecretKey> {
        let key = Self::parse(text)?;
        let found = key.kind();
        if found == wanted {
            Ok(key)
        } else {
            Err(InvalidSecretKey::Kind { wanted, found })
        }
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

const CLIENT_KEYS: [(&str, KeyKind); 4] = [
    ("test_ck_", KeyKind::ApiTest),
    ("live_ck_", KeyKind::ApiLive),
    ("test_gck_", KeyKind::WidgetTest),
    ("live_gck_", KeyKind::WidgetLive),
];

/// A merchant's client key, which the browser shows to everyone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientKey {
    text: String,
    kind: KeyKind,
}

/// The text does not begin as a client key does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a client key begins with test_ck_, live_ck_, test_gck_ or live_gck_")]
pub struct InvalidClientKey;

impl ClientKey {
    /// Accepts visible ASCII with one of the documented prefixes; so a secret key, which must
    /// never reach a browser, is refused.
    ///
    /// # Errors
    /// [`InvalidClientKey`].
    pub fn parse(text: impl Into<String>) -> Result<Self, InvalidClientKey> {
        let text = text.into();
        let found = CLIENT_KEYS
            .iter()
            .find(|(prefix, _)| text.starts_with(prefix));
        match found {
            Some((_, kind)) if text.bytes().all(|byte| byte.is_ascii_graphic()) => {
                Ok(Self { text, kind: *kind })
            }
            _ => Err(InvalidClientKey),
        }
    }

    /// What the key may be used for.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The key as the browser needs it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether both keys are of one kind, as the two of a pair are. Whether they are of one
    /// merchant id only Toss knows (`INVALID_API_KEY`).
    pub fn goes_with(&self, secret: &SecretKey) -> bool {
        self.kind == secret.kind()
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

    #[test]
    fn a_client_key_is_no_secret_key_and_the_other_way_round() {
        let docs = "test_gck_docs_Ovk5rk1EwkEbP0W43n07xlzm";
        assert_eq!(
            SecretKey::parse(docs).unwrap_err(),
            InvalidSecretKey::ClientKey
        );
        let client = ClientKey::parse(docs).unwrap();
        assert!(client.goes_with(&SecretKey::parse("test_gsk_abc").unwrap()));
        assert!(!client.goes_with(&SecretKey::parse("test_sk_abc").unwrap()));
        for text in ["test_gsk_abc", "live_sk_abc", "", "test_ck_a b"] {
            assert!(ClientKey::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_key_of_another_kind_than_wanted_is_refused() {
        assert!(SecretKey::parse_kind("test_sk_a", KeyKind::ApiTest).is_ok());
        let wanted = KeyKind::WidgetTest;
        let found = KeyKind::WidgetLive;
        assert_eq!(
            SecretKey::parse_kind("live_gsk_a", wanted).unwrap_err(),
            InvalidSecretKey::Kind { wanted, found }
        );
    }
}
