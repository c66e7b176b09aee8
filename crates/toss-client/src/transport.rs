//! One HTTP exchange, and the answer to "did anything reach Toss?".
//!
//! # What may be sent twice
//! Nothing. Redirects and reqwest's own retries are off. One repetition remains below: hyper's
//! pool takes a fresh connection when a pooled one turns out to be closed, and it does so only
//! while the request still lies in the connection's queue, before a byte of it was written
//! (hyper-util `legacy::Client::send_request`, `TrySendError::Retryable`). A pooled connection
//! that breaks after that ends in [`Error::Unknown`]. Tests hold both.

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, HeaderValue, header};
use reqwest::{Client, RequestBuilder, Response, redirect, retry};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use rustls_platform_verifier::BuilderVerifierExt as _;

use crate::{ANSWER_BYTES_MAX, Cause, Endpoint, Error, IdempotencyKey, UnknownReason};

const TRACE_ID_HEADER: &str = "x-tosspayments-trace-id";
/// Shorter than the 60 s and more after which load balancers close idle connections, so that a
/// request seldom meets one that is being closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);
const IDLE_CONNECTIONS_MAX: usize = 256;

/// One call, ready to go.
pub(crate) struct Call<'a> {
    pub(crate) endpoint: Endpoint,
    pub(crate) url: String,
    pub(crate) action: Action<'a>,
    pub(crate) headers: HeaderMap,
    pub(crate) timeout: Duration,
}

/// A POST cannot be made without an idempotency key.
pub(crate) enum Action<'a> {
    Read,
    Act {
        body: Vec<u8>,
        key: &'a IdempotencyKey,
    },
}

/// A whole answer.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) trace_id: Option<String>,
    pub(crate) body: Vec<u8>,
    /// Whether the body went on beyond [`ANSWER_BYTES_MAX`].
    pub(crate) too_large: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Transport {
    http: Client,
}

impl Transport {
    pub(crate) fn new(
        authorization: HeaderValue,
        connect_timeout: Duration,
        encrypted: bool,
    ) -> Result<Self, Cause> {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, authorization);
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        let http = Client::builder()
            .tls_backend_preconfigured(tls(encrypted)?)
            .default_headers(headers)
            .user_agent(concat!("toss-client/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(connect_timeout)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .referer(false)
            .no_proxy()
            .build()?;
        Ok(Self { http })
    }

    pub(crate) async fn send(&self, call: Call<'_>) -> Result<Reply, Error> {
        let endpoint = call.endpoint;
        let request = self.request(call)?;
        let mut response = request
            .send()
            .await
            .map_err(|error| no_answer(endpoint, error))?;
        let status = response.status().as_u16();
        let trace_id = trace_id(response.headers());
        match read_bounded(&mut response).await {
            Ok((body, too_large)) => Ok(Reply {
                status,
                trace_id,
                body,
                too_large,
            }),
            Err(error) => Err(Error::Unknown {
                endpoint,
                reason: UnknownReason::AnswerCutShort { status, trace_id },
                source: Some(Box::new(error.without_url())),
            }),
        }
    }

    fn request(&self, call: Call<'_>) -> Result<RequestBuilder, Error> {
        let request = match call.action {
            Action::Read => self.http.get(call.url),
            Action::Act { body, key } => {
                let Some(key) = key.header() else {
                    return Err(Error::InvalidRequest {
                        endpoint: call.endpoint,
                        reason: "the idempotency key cannot be a header".to_owned(),
                    });
                };
                self.http
                    .post(call.url)
                    .header(header::CONTENT_TYPE, "application/json")
                    .header("idempotency-key", key)
                    .body(body)
            }
        };
        Ok(request.headers(call.headers).timeout(call.timeout))
    }
}

/// rustls with ring, whatever provider the process has or has not installed. The system's
/// certificate roots are loaded only where they will be used: a container without any can still
/// speak plain HTTP to a sandbox.
fn tls(encrypted: bool) -> Result<ClientConfig, Cause> {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(rustls::DEFAULT_VERSIONS)?;
    Ok(if encrypted {
        config.with_platform_verifier()?.with_no_client_auth()
    } else {
        config
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth()
    })
}

/// Only an error of connecting proves that nothing was sent. Everything else may have been
/// executed, also a time-out that ran out early in the exchange.
fn no_answer(endpoint: Endpoint, error: reqwest::Error) -> Error {
    let error = error.without_url(); // the URL holds the payment key
    if error.is_builder() || error.is_connect() {
        let reason = if error.is_builder() {
            "the request could not be built"
        } else if error.is_timeout() {
            "connecting took too long"
        } else {
            "no connection"
        };
        return Error::NotSent {
            endpoint,
            reason: reason.to_owned(),
            source: Some(Box::new(error)),
        };
    }
    let reason = if error.is_timeout() {
        UnknownReason::Timeout
    } else {
        UnknownReason::ConnectionLost
    };
    Error::Unknown {
        endpoint,
        reason,
        source: Some(Box::new(error)),
    }
}

async fn read_bounded(response: &mut Response) -> Result<(Vec<u8>, bool), reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        let room = ANSWER_BYTES_MAX - body.len();
        if chunk.len() > room {
            body.extend_from_slice(&chunk[..room]);
            return Ok((body, true));
        }
        body.extend_from_slice(&chunk);
    }
    Ok((body, false))
}

/// A replayed answer carries the first call's id and its own.
fn trace_id(headers: &HeaderMap) -> Option<String> {
    let ids: Vec<_> = headers
        .get_all(TRACE_ID_HEADER)
        .iter()
        .filter_map(|id| id.to_str().ok())
        .collect();
    (!ids.is_empty()).then(|| ids.join(", "))
}
