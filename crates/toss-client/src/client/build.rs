//! The settings of a client.

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, Uri};

use crate::{
    Cause, Observer, RateLimit, RetryPolicy, Runtime, SecretKey, TossClient, Transport,
    client::Shared, limit::Limiter, retry::RetryBudget,
};
#[cfg(feature = "rustls")]
use crate::{runtime::TokioRuntime, transport::http::ReqwestTransport};

const TOSS_BASE_URL: &str = "https://api.tosspayments.com";

/// Settings of a [`TossClient`].
#[derive(Debug, Clone)]
pub struct TossClientBuilder {
    key: SecretKey,
    base_url: String,
    encrypted: bool,
    #[cfg(feature = "rustls")]
    connect_timeout: Duration,
    attempt_timeout: Duration,
    retry: RetryPolicy,
    limit: Option<RateLimit>,
    observer: Option<Arc<dyn Observer>>,
}

/// Why a client could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The base URL is not `http(s)://host[:port][/path]`.
    #[error("the base URL is not of the form http(s)://host[:port][/path]")]
    BaseUrl,
    /// A time-out is zero.
    #[error("a time-out of zero would fail every call")]
    ZeroTimeout,
    /// A test code was asked for with a live key, which ignores it and would move money.
    #[error("a test code needs a test key")]
    TestCodeWithLiveKey,
    /// The test code is not visible ASCII.
    #[error("the test code is not visible ASCII")]
    TestCode,
    /// The HTTP client cannot start; for instance the system has no root certificates.
    #[error("the HTTP client cannot start")]
    Transport(#[source] Cause),
}

impl TossClientBuilder {
    pub(super) fn new(key: SecretKey) -> Self {
        Self {
            key,
            base_url: TOSS_BASE_URL.to_owned(),
            encrypted: true,
            #[cfg(feature = "rustls")]
            connect_timeout: Duration::from_secs(3),
            attempt_timeout: Duration::from_mins(1),
            retry: RetryPolicy::never(),
            limit: None,
            observer: None,
        }
    }

    /// Speaks to another server than Toss's, for instance a sandbox. Plain HTTP is meant for
    /// that alone: the secret key travels in every request.
    ///
    /// # Errors
    /// [`BuildError::BaseUrl`] unless it is `http(s)://host[:port][/path]`, without credentials,
    /// query and fragment.
    pub fn base_url(mut self, url: &str) -> Result<Self, BuildError> {
        let uri: Uri = url.parse().map_err(|_| BuildError::BaseUrl)?;
        let host = uri.authority().filter(|host| !host.as_str().contains('@'));
        if host.is_none() || url.contains(['?', '#']) {
            return Err(BuildError::BaseUrl);
        }
        self.encrypted = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(BuildError::BaseUrl),
        };
        url.trim_end_matches('/').clone_into(&mut self.base_url);
        Ok(self)
    }

    /// How long a connection may take to come about, TLS included; default 3 s. When it runs
    /// out, nothing was sent ([`Error::NotSent`](crate::Error::NotSent)).
    #[cfg(feature = "rustls")]
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long one attempt may take from first to last byte; default 60 s, the time Toss
    /// documents for its slowest calls. When it runs out, the outcome is unknown
    /// ([`Error::Unknown`](crate::Error::Unknown)), so keep it above the connect time-out.
    #[must_use]
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.attempt_timeout = timeout;
        self
    }

    /// How often a call is repeated where that is safe; default [`RetryPolicy::never`].
    #[must_use]
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// Holds requests back on this side; default none. A call waits for its turn within its
    /// attempt time-out, and is [`Error::NotSent`](crate::Error::NotSent) if it cannot have one.
    #[must_use]
    pub fn rate_limit(mut self, limit: RateLimit) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Reports every attempt to this observer.
    #[must_use]
    pub fn observer(mut self, observer: impl Observer + 'static) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }

    /// Makes the client; connects to nothing yet. It needs tokio's runtime when it is used.
    ///
    /// # Errors
    /// [`BuildError::ZeroTimeout`], or [`BuildError::Transport`] where TLS cannot be set up.
    #[cfg(feature = "rustls")]
    pub fn build(self) -> Result<TossClient, BuildError> {
        if self.connect_timeout.is_zero() {
            return Err(BuildError::ZeroTimeout);
        }
        let transport = ReqwestTransport::new(self.connect_timeout, self.encrypted)
            .map_err(BuildError::Transport)?;
        self.build_on(transport, TokioRuntime::default())
    }

    /// Makes the client over reqwest with settings of the caller's, for another TLS library, a
    /// client certificate, other roots or a resolver. HTTP/1.1, no redirects, no proxies, no retries
    /// of reqwest's own and the time-outs of this builder are set over whatever it was told, since
    /// [`Error`](crate::Error)s would be untrue otherwise. It needs tokio's runtime when it is used.
    ///
    /// The operating system's TLS library, with the feature `native-tls` of reqwest 0.13 switched on
    /// in the caller's manifest:
    ///
    /// ```text
    /// let http = reqwest::Client::builder().tls_backend_native();
    /// let client = TossClient::builder(key).build_over(http)?;
    /// ```
    ///
    /// # Errors
    /// [`BuildError::ZeroTimeout`], or [`BuildError::Transport`] where reqwest refuses the settings.
    #[cfg(feature = "rustls")]
    pub fn build_over(self, http: reqwest::ClientBuilder) -> Result<TossClient, BuildError> {
        if self.connect_timeout.is_zero() {
            return Err(BuildError::ZeroTimeout);
        }
        let transport =
            ReqwestTransport::over(http, self.connect_timeout).map_err(BuildError::Transport)?;
        self.build_on(transport, TokioRuntime::default())
    }

    /// Makes the client on another transport and runtime: another HTTP client, another TLS
    /// library, or the mocks of the feature `testing`.
    ///
    /// # Errors
    /// [`BuildError::ZeroTimeout`].
    pub fn build_on(
        self,
        transport: impl Transport + 'static,
        runtime: impl Runtime + 'static,
    ) -> Result<TossClient, BuildError> {
        if self.attempt_timeout.is_zero() {
            return Err(BuildError::ZeroTimeout);
        }
        if self.key.is_live() && !self.encrypted {
            tracing::warn!("a live secret key is sent without encryption");
        }
        let authorization = self
            .key
            .authorization()
            .ok_or_else(|| BuildError::Transport("the secret key cannot be a header".into()))?;
        Ok(TossClient {
            shared: Arc::new(Shared {
                transport: Box::new(transport),
                runtime: Box::new(runtime),
                base_url: self.base_url,
                budget: RetryBudget::full(),
                limiter: self.limit.map(Limiter::new),
                observer: self.observer,
            }),
            authorization,
            kind: self.key.kind(),
            live: self.key.is_live(),
            attempt_timeout: self.attempt_timeout,
            retry: self.retry,
            headers: HeaderMap::new(),
        })
    }
}
