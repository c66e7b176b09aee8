//! What a successful call brings back.

use std::{fmt, ops::Deref};

use http::HeaderMap;

const TRACE_ID_HEADER: &str = "x-tosspayments-trace-id";

/// A replayed answer carries the first call's id and its own.
pub(crate) fn trace_id(headers: &HeaderMap) -> Option<String> {
    let ids: Vec<_> = headers
        .get_all(TRACE_ID_HEADER)
        .iter()
        .filter_map(|id| id.to_str().ok())
        .collect();
    (!ids.is_empty()).then(|| ids.join(", "))
}

/// A decoded answer, with what an audit needs beside it. It dereferences to the value.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Answer<T> {
    /// The decoded value.
    pub value: T,
    /// The HTTP status, 200 to 299. Not called `status`, which through `Deref` is the payment's.
    pub http_status: u16,
    /// Toss's `x-tosspayments-trace-id`, which its support asks for. An answer replayed for an
    /// idempotency key carries two, separated by `, `.
    pub trace_id: Option<String>,
    /// The body as it came: **confidential**, mask it before it is stored or shown.
    pub body: RawBody,
}

impl<T> Answer<T> {
    /// The same answer around another value.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Answer<U> {
        Answer {
            value: change(self.value),
            http_status: self.http_status,
            trace_id: self.trace_id,
            body: self.body,
        }
    }
}

impl<T> Deref for Answer<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// The text of an answer. It can hold names, account numbers and callback secrets, so `Debug`
/// shows only its length.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct RawBody(String);

impl RawBody {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text itself.
    pub fn into_string(self) -> String {
        self.0
    }

    /// The text; what is not UTF-8 is replaced by U+FFFD.
    pub(crate) fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(
            String::from_utf8(bytes)
                .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()),
        )
    }

    /// The longest valid beginning of `bytes` within `len_max` bytes; what is not UTF-8 is
    /// replaced by U+FFFD.
    pub(crate) fn bounded(bytes: &[u8], len_max: usize) -> Self {
        let mut text = String::from_utf8_lossy(&bytes[..bytes.len().min(len_max)]).into_owned();
        text.truncate(text.floor_char_boundary(len_max));
        Self(text)
    }
}

impl fmt::Debug for RawBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RawBody({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bounded_body_is_never_longer_than_its_bound() {
        let text = "가나다라".repeat(10);
        for len_max in 0..text.len() {
            assert!(RawBody::bounded(text.as_bytes(), len_max).as_str().len() <= len_max);
        }
        assert_eq!(RawBody::bounded(b"ok\xff", 16).as_str(), "ok\u{fffd}");
    }
}
