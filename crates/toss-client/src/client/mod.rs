//! The client: what every call has in common.

mod books;
mod build;
mod exchange;
mod pages;
mod payments;
mod products;
mod read;
mod resolve;

#[cfg(feature = "brandpay")]
mod brandpay;
#[cfg(feature = "payouts")]
mod payouts;

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, HeaderValue};

pub use build::{BuildError, TossClientBuilder};
pub use resolve::{CancelResolution, Resolution};

use crate::{
    KeyKind, Observer, RetryPolicy, Runtime, SecretKey, Transport, limit::Limiter,
    retry::RetryBudget,
};

const TEST_CODE_HEADER: &str = "tosspayments-test-code";

/// A client of the Toss Payments API. Cheap to clone; clones share their connections, limiter
/// and retry budget. The methods `with_…` and `in_language` make a clone with another setting,
/// for single calls.
///
/// By default it sends each request once; [`RetryPolicy`] says more. A future that is dropped
/// closes its connection, and the request may have been executed: treat that as
/// [`Error::Unknown`](crate::Error::Unknown).
#[derive(Debug, Clone)]
pub struct TossClient {
    shared: Arc<Shared>,
    authorization: HeaderValue,
    kind: KeyKind,
    live: bool,
    attempt_timeout: Duration,
    retry: RetryPolicy,
    headers: HeaderMap,
}

/// What the clones of a client have in common.
#[derive(Debug)]
struct Shared {
    transport: Box<dyn Transport>,
    runtime: Box<dyn Runtime>,
    base_url: String,
    budget: RetryBudget,
    limiter: Option<Limiter>,
    observer: Option<Arc<dyn Observer>>,
}

/// The language of Toss's messages and of values such as the method's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Language {
    /// Toss's default.
    Korean,
    /// `en-US`.
    English,
}

impl TossClient {
    /// Begins the settings of a client that acts with this key.
    pub fn builder(key: SecretKey) -> TossClientBuilder {
        TossClientBuilder::new(key)
    }

    /// The same client, answered in this language.
    #[must_use]
    pub fn in_language(&self, language: Language) -> Self {
        let tag = match language {
            Language::Korean => "ko-KR",
            Language::English => "en-US",
        };
        self.with_header("accept-language", HeaderValue::from_static(tag))
    }

    /// The same client with another attempt time-out.
    #[must_use]
    pub fn with_attempt_timeout(&self, timeout: Duration) -> Self {
        Self {
            attempt_timeout: timeout,
            ..self.clone()
        }
    }

    /// The same client with another retry policy.
    #[must_use]
    pub fn with_retry(&self, policy: RetryPolicy) -> Self {
        Self {
            retry: policy,
            ..self.clone()
        }
    }

    /// The same client acting with another key, for instance of another merchant id. A limiter
    /// stays shared.
    ///
    /// # Errors
    /// [`BuildError::TestCodeWithLiveKey`] if this client has a test code and the key is live.
    pub fn with_secret_key(&self, key: &SecretKey) -> Result<Self, BuildError> {
        if key.is_live() && self.headers.contains_key(TEST_CODE_HEADER) {
            return Err(BuildError::TestCodeWithLiveKey);
        }
        let authorization = key
            .authorization()
            .ok_or_else(|| BuildError::Transport("the secret key cannot be a header".into()))?;
        Ok(Self {
            authorization,
            kind: key.kind(),
            live: key.is_live(),
            ..self.clone()
        })
    }

    /// The same client, whose calls Toss's test environment answers with this error code
    /// (`TossPayments-Test-Code`), for instance `REJECT_CARD_PAYMENT`.
    ///
    /// # Errors
    /// [`BuildError::TestCodeWithLiveKey`]: a live key ignores the header and moves money.
    /// [`BuildError::TestCode`] if it is not visible ASCII.
    pub fn with_test_code(&self, code: &str) -> Result<Self, BuildError> {
        if self.live {
            return Err(BuildError::TestCodeWithLiveKey);
        }
        let value = HeaderValue::from_str(code).map_err(|_| BuildError::TestCode)?;
        Ok(self.with_header(TEST_CODE_HEADER, value))
    }

    fn with_header(&self, name: &'static str, value: HeaderValue) -> Self {
        let mut client = self.clone();
        client.headers.insert(name, value);
        client
    }
}
