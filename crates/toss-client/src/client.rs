//! The client: settings, calls, and the reading of answers.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, Uri};
use serde_json::Value;
use tracing::{Instrument as _, Span, field};

use crate::{
    Answer, CancelRequest, Cause, ConfirmRequest, ERROR_BODY_BYTES_MAX, Endpoint, Error,
    IdempotencyKey, Payment, RawBody, Rejection, SecretKey, Transaction, TransactionQuery,
    model::fields::Decode,
    request,
    transport::{Action, Call, Reply, Transport},
};

const TOSS_BASE_URL: &str = "https://api.tosspayments.com";
/// A rejection code is a short word; what is longer is not one.
const CODE_BYTES_MAX: usize = 200;

/// A client of the Toss Payments API. Cheap to clone; clones share their connections.
///
/// It sends each request once and never repeats one by itself. A future that is dropped closes
/// its connection, and the request may have been executed: treat that as [`Error::Unknown`].
#[derive(Debug, Clone)]
pub struct TossClient {
    transport: Transport,
    base_url: String,
    attempt_timeout: Duration,
    live: bool,
    headers: HeaderMap,
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

/// Settings of a [`TossClient`].
#[derive(Debug, Clone)]
pub struct TossClientBuilder {
    key: SecretKey,
    base_url: String,
    encrypted: bool,
    connect_timeout: Duration,
    attempt_timeout: Duration,
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
    /// out, nothing was sent ([`Error::NotSent`]).
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long one call may take from first to last byte; default 60 s, the time Toss documents
    /// for its slowest calls. When it runs out, the outcome is unknown ([`Error::Unknown`]), so
    /// keep it above the connect time-out.
    #[must_use]
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.attempt_timeout = timeout;
        self
    }

    /// Makes the client; connects to nothing yet.
    ///
    /// # Errors
    /// [`BuildError::ZeroTimeout`], or [`BuildError::Transport`] where TLS cannot be set up.
    pub fn build(self) -> Result<TossClient, BuildError> {
        if self.connect_timeout.is_zero() || self.attempt_timeout.is_zero() {
            return Err(BuildError::ZeroTimeout);
        }
        let live = self.key.is_live();
        if live && !self.encrypted {
            tracing::warn!("a live secret key is sent without encryption");
        }
        let authorization = self
            .key
            .authorization()
            .ok_or_else(|| BuildError::Transport("the secret key cannot be a header".into()))?;
        let transport = Transport::new(authorization, self.connect_timeout, self.encrypted)
            .map_err(BuildError::Transport)?;
        Ok(TossClient {
            transport,
            base_url: self.base_url,
            attempt_timeout: self.attempt_timeout,
            live,
            headers: HeaderMap::new(),
        })
    }
}

impl TossClient {
    /// Begins the settings of a client that acts with this key.
    pub fn builder(key: SecretKey) -> TossClientBuilder {
        TossClientBuilder {
            key,
            base_url: TOSS_BASE_URL.to_owned(),
            encrypted: true,
            connect_timeout: Duration::from_secs(3),
            attempt_timeout: Duration::from_mins(1),
        }
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

    /// The same client with another attempt time-out, for single calls.
    #[must_use]
    pub fn with_attempt_timeout(&self, timeout: Duration) -> Self {
        Self {
            attempt_timeout: timeout,
            ..self.clone()
        }
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
        Ok(self.with_header("tosspayments-test-code", value))
    }

    fn with_header(&self, name: &'static str, value: HeaderValue) -> Self {
        let mut client = self.clone();
        client.headers.insert(name, value);
        client
    }

    /// Asks Toss to approve a payment the buyer has authenticated. On success its status is
    /// `DONE`, or `WAITING_FOR_DEPOSIT` for a virtual account; **compare order id, amount and
    /// currency** with what was ordered before believing it.
    ///
    /// # Errors
    /// See [`Error`]; only [`Error::NotSent`] and final classes mean that no money moved.
    pub async fn confirm(
        &self,
        request: &ConfirmRequest,
        key: &IdempotencyKey,
    ) -> Result<Answer<Payment>, Error> {
        let endpoint = Endpoint::ConfirmPayment;
        request
            .check()
            .map_err(|reason| Error::InvalidRequest { endpoint, reason })?;
        let action = Action::Act {
            body: json(endpoint, request)?,
            key,
        };
        self.call(endpoint, "/v1/payments/confirm", action).await
    }

    /// Gives money back, in whole or in part. Whether all is back is told by the answer's
    /// `balanceAmount` being zero, not by its status.
    ///
    /// # Errors
    /// See [`Error`]; only [`Error::NotSent`] and final classes mean that no money moved.
    pub async fn cancel(
        &self,
        payment_key: &str,
        request: &CancelRequest,
        key: &IdempotencyKey,
    ) -> Result<Answer<Payment>, Error> {
        let endpoint = Endpoint::CancelPayment;
        let invalid = |reason| Error::InvalidRequest { endpoint, reason };
        let segment = request::payment_key_segment(payment_key).map_err(invalid)?;
        request.check().map_err(invalid)?;
        let action = Action::Act {
            body: json(endpoint, request)?,
            key,
        };
        self.call(endpoint, &format!("/v1/payments/{segment}/cancel"), action)
            .await
    }

    /// The payment with this key.
    ///
    /// # Errors
    /// `NOT_FOUND_PAYMENT` right after a lost confirm is no proof that nothing happened: ask
    /// again. Nothing moves money here, so any other error may simply be repeated.
    pub async fn payment(&self, payment_key: &str) -> Result<Answer<Payment>, Error> {
        let endpoint = Endpoint::GetPayment;
        let segment = request::payment_key_segment(payment_key)
            .map_err(|reason| Error::InvalidRequest { endpoint, reason })?;
        self.call(endpoint, &format!("/v1/payments/{segment}"), Action::Read)
            .await
    }

    /// The payment of this order.
    ///
    /// # Errors
    /// As for [`payment`](Self::payment).
    pub async fn payment_by_order(&self, order_id: &str) -> Result<Answer<Payment>, Error> {
        let endpoint = Endpoint::GetPaymentByOrder;
        let segment = request::order_id_segment(order_id)
            .map_err(|reason| Error::InvalidRequest { endpoint, reason })?;
        self.call(
            endpoint,
            &format!("/v1/payments/orders/{segment}"),
            Action::Read,
        )
        .await
    }

    /// One page of transactions, for reconciling. An empty page is the last.
    ///
    /// # Errors
    /// See [`Error`]; a page beyond [`ANSWER_BYTES_MAX`](crate::ANSWER_BYTES_MAX) is
    /// [`Error::Undecodable`].
    pub async fn transactions(
        &self,
        query: &TransactionQuery,
    ) -> Result<Answer<Vec<Transaction>>, Error> {
        let endpoint = Endpoint::ListTransactions;
        query
            .check()
            .map_err(|reason| Error::InvalidRequest { endpoint, reason })?;
        self.call(endpoint, &query.path(), Action::Read).await
    }

    async fn call<T: Decode>(
        &self,
        endpoint: Endpoint,
        path: &str,
        action: Action<'_>,
    ) -> Result<Answer<T>, Error> {
        let call = Call {
            endpoint,
            url: format!("{}{path}", self.base_url),
            action,
            headers: self.headers.clone(),
            timeout: self.attempt_timeout,
        };
        // Neither path nor body: both can name a payment.
        let span = tracing::debug_span!(
            "toss_call",
            endpoint = endpoint.as_str(),
            status = field::Empty,
            trace_id = field::Empty,
        );
        async {
            let reply = self.transport.send(call).await?;
            let span = Span::current();
            span.record("status", reply.status);
            span.record("trace_id", reply.trace_id.as_deref());
            read(endpoint, reply)
        }
        .instrument(span)
        .await
    }
}

fn json<T: serde::Serialize>(endpoint: Endpoint, request: &T) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(request).map_err(|error| Error::InvalidRequest {
        endpoint,
        reason: error.to_string(),
    })
}

/// A 2xx is the value or undecodable; anything else is a rejection or undecodable.
fn read<T: Decode>(endpoint: Endpoint, reply: Reply) -> Result<Answer<T>, Error> {
    if reply.too_large {
        let reason = format!("the body is larger than {} bytes", crate::ANSWER_BYTES_MAX);
        return Err(undecodable(endpoint, reply, reason));
    }
    if !(200..300).contains(&reply.status) {
        return Err(rejection(endpoint, reply));
    }
    let decoded = serde_json::from_slice::<Value>(&reply.body)
        .map_err(|_| "it is not JSON".to_owned())
        .and_then(|value| T::decode(value).map_err(|error| error.to_string()));
    match decoded {
        Ok(value) => Ok(Answer {
            value,
            http_status: reply.status,
            trace_id: reply.trace_id,
            body: RawBody::new(String::from_utf8_lossy(&reply.body)),
        }),
        Err(reason) => Err(undecodable(endpoint, reply, reason)),
    }
}

/// Version 1 puts `code` and `message` on top, version 2 under `error` with the `traceId` beside.
fn rejection(endpoint: Endpoint, reply: Reply) -> Error {
    let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let text = |at: &Value, name: &str| at.get(name).and_then(Value::as_str).map(str::to_owned);
    let error = body.get("error").unwrap_or(&body);
    match text(error, "code").filter(|code| !code.is_empty() && code.len() <= CODE_BYTES_MAX) {
        Some(code) => {
            let message = text(error, "message").unwrap_or_default();
            let mut rejection = Rejection::new(endpoint, reply.status, &code, &message);
            rejection.trace_id = reply.trace_id.or_else(|| text(&body, "traceId"));
            rejection.body = RawBody::bounded(&reply.body, ERROR_BODY_BYTES_MAX);
            Error::Rejected(rejection)
        }
        None => undecodable(endpoint, reply, "it holds no error code".to_owned()),
    }
}

fn undecodable(endpoint: Endpoint, reply: Reply, reason: String) -> Error {
    Error::Undecodable {
        endpoint,
        status: reply.status,
        reason,
        body: RawBody::bounded(&reply.body, ERROR_BODY_BYTES_MAX),
        trace_id: reply.trace_id,
    }
}
