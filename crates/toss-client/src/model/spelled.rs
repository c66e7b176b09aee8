//! Words that Toss spells in Korean or in English.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A set of words that come in several spellings.
pub trait Vocabulary: Sized {
    /// The word behind a spelling; an unknown one has a variant of its own.
    fn from_spelling(text: &str) -> Self;
}

/// A word as Toss spelled it (`카드`, or `Card` when asked in English) and what it means.
/// Serialises back verbatim.
#[derive(Clone, PartialEq, Eq)]
pub struct Spelled<K> {
    kind: K,
    text: String,
}

impl<K: Vocabulary> Spelled<K> {
    /// Reads a spelling; never fails.
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        Self {
            kind: K::from_spelling(&text),
            text,
        }
    }

    /// What it means.
    pub fn kind(&self) -> &K {
        &self.kind
    }

    /// As Toss spelled it.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl<K> fmt::Debug for Spelled<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

impl<K> fmt::Display for Spelled<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl<K> Serialize for Spelled<K> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.text)
    }
}

impl<'de, K: Vocabulary> Deserialize<'de> for Spelled<K> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(Self::new)
    }
}

/// Case, spaces, hyphens and underscores carry no meaning in the English spellings, and Toss
/// does not document them all: `Virtual account`, `VIRTUAL_ACCOUNT`.
pub(crate) fn plain(text: &str) -> String {
    let kept = text.chars().filter(|c| !matches!(c, ' ' | '-' | '_'));
    kept.flat_map(char::to_lowercase).collect()
}
