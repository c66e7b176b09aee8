//! The seam between the client and the network.

#[cfg(feature = "rustls")]
pub(crate) mod http;

use std::{fmt, time::Duration};

use ::http::{HeaderMap, Method};

use crate::{BoxFuture, Cause, UnknownReason};

/// One HTTP exchange. Bring your own to use another HTTP client or TLS library.
pub trait Transport: fmt::Debug + Send + Sync {
    /// Sends the request once and reads the whole answer, whatever its status.
    ///
    /// Money depends on these: it MUST NOT repeat a request of which a byte may have been
    /// written, MUST NOT follow redirects, MUST give up after `request.timeout`, MUST read at most
    /// [`ANSWER_BYTES_MAX`](crate::ANSWER_BYTES_MAX) of the body, and MUST return
    /// [`TransportError::NotSent`] only if nothing can have reached Toss.
    fn send(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpReply, TransportError>>;
}

/// What is to be sent. `Debug` shows neither address, nor headers, nor body.
#[derive(Clone)]
#[non_exhaustive]
pub struct HttpRequest {
    /// GET, POST or DELETE.
    pub method: Method,
    /// The whole address; it can hold a payment key.
    pub url: String,
    /// Credentials, idempotency key and the rest.
    pub headers: HeaderMap,
    /// JSON, or a compact JWE; `None` for a call without one.
    pub body: Option<Vec<u8>>,
    /// From the first byte to the last.
    pub timeout: Duration,
}

impl fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpRequest")
            .field("method", &self.method)
            .field("body_bytes", &self.body.as_ref().map(Vec::len))
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// A whole answer. `Debug` does not show its body.
#[derive(Clone)]
pub struct HttpReply {
    /// The HTTP status.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// At most [`ANSWER_BYTES_MAX`](crate::ANSWER_BYTES_MAX) of its body.
    pub body: Vec<u8>,
    /// Whether the body went on beyond that.
    pub truncated: bool,
}

impl HttpReply {
    /// A whole answer without headers.
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: HeaderMap::new(),
            body: body.into(),
            truncated: false,
        }
    }
}

impl fmt::Debug for HttpReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpReply")
            .field("status", &self.status)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// Why there is no whole answer.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// Nothing reached Toss: no connection came about.
    #[error("nothing was sent: {reason}")]
    NotSent {
        /// What prevented it, without address, key or body.
        reason: String,
        /// The transport's own error.
        #[source]
        source: Option<Cause>,
    },
    /// Something was or may have been sent.
    #[error("the answer was lost: {reason}")]
    Lost {
        /// How.
        reason: UnknownReason,
        /// The transport's own error.
        #[source]
        source: Option<Cause>,
    },
}
