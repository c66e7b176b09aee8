//! One HTTP exchange, and the answer to "did anything reach Toss?".
//!
//! # What may be sent twice
//! Nothing. Redirects and reqwest's own retries are off. One repetition remains below: hyper's
//! pool takes a fresh connection when a pooled one turns out to be closed, and it does so only
//! while the request still lies in the connection's queue, before a byte of it was written
//! (hyper-util `legacy::Client::send_request`, `TrySendError::Retryable`). A pooled connection
//! that breaks after that ends in [`TransportError::Lost`]. Tests hold both.

use std::{sync::Arc, time::Duration};

use http::{Method, header};
use reqwest::{Client, ClientBuilder, Response, redirect, retry};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use rustls_platform_verifier::BuilderVerifierExt as _;

use super::{HttpReply, HttpRequest, Transport, TransportError};
use crate::{ANSWER_BYTES_MAX, BoxFuture, Cause, UnknownReason, answer::trace_id};

/// Shorter than the 60 s and more after which load balancers close idle connections, so that a
/// request seldom meets one that is being closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);
const IDLE_CONNECTIONS_MAX: usize = 256;

/// The transport of this crate: reqwest over HTTP/1.1, rustls with ring.
#[derive(Debug, Clone)]
pub(crate) struct ReqwestTransport {
    http: Client,
}

impl ReqwestTransport {
    pub(crate) fn new(connect_timeout: Duration, encrypted: bool) -> Result<Self, Cause> {
        let http = Client::builder().tls_backend_preconfigured(tls(encrypted)?);
        Self::over(http, connect_timeout)
    }

    /// Over what the builder brings, but for the settings that decide what may be sent twice and
    /// what a failure means: those are always these.
    pub(crate) fn over(http: ClientBuilder, connect_timeout: Duration) -> Result<Self, Cause> {
        let http = http
            .http1_only()
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

    async fn exchange(&self, request: HttpRequest) -> Result<HttpReply, TransportError> {
        let bare_post = request.method == Method::POST && request.body.is_none();
        let mut builder = self
            .http
            .request(request.method, request.url)
            .header(header::ACCEPT, "application/json")
            .headers(request.headers)
            .timeout(request.timeout);
        if let Some(body) = request.body {
            builder = builder.body(body);
        }
        if bare_post {
            // hyper leaves it out, and proxies may then answer 411 (RFC 9110, section 8.6).
            builder = builder.header(header::CONTENT_LENGTH, "0");
        }
        let mut response = builder.send().await.map_err(no_answer)?;
        let status = response.status().as_u16();
        let headers = std::mem::take(response.headers_mut());
        match read_bounded(&mut response).await {
            Ok((body, truncated)) => Ok(HttpReply {
                status,
                headers,
                body,
                truncated,
            }),
            Err(error) => Err(TransportError::Lost {
                reason: UnknownReason::AnswerCutShort {
                    status,
                    trace_id: trace_id(&headers),
                },
                source: Some(Box::new(error.without_url())),
            }),
        }
    }
}

impl Transport for ReqwestTransport {
    fn send(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpReply, TransportError>> {
        Box::pin(self.exchange(request))
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
fn no_answer(error: reqwest::Error) -> TransportError {
    let error = error.without_url(); // the URL holds the payment key
    if error.is_builder() || error.is_connect() {
        let reason = if error.is_builder() {
            "the request could not be built"
        } else if error.is_timeout() {
            "connecting took too long"
        } else {
            "no connection"
        };
        return TransportError::NotSent {
            reason: reason.to_owned(),
            source: Some(Box::new(error)),
        };
    }
    let reason = if error.is_timeout() {
        UnknownReason::Timeout
    } else {
        UnknownReason::ConnectionLost
    };
    TransportError::Lost {
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
