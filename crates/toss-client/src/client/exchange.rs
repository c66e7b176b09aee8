//! From a call to its answer: checks, attempts, and what they add up to.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use tracing::{Instrument as _, Span, field};

use super::{TossClient, read};
use crate::{
    Answer, Attempt, Endpoint, Error, ErrorClass, Fingerprint, HttpReply, HttpRequest,
    IdempotencyKey, TransportError, UnknownReason, body::Body, model::fields::Decode,
};

/// One call, ready to go.
pub(super) struct Call<'a> {
    pub(super) endpoint: Endpoint,
    method: Method,
    path: String,
    body: Option<Vec<u8>>,
    key: Option<&'a IdempotencyKey>,
    /// What the key is bound to.
    fingerprint: Option<Fingerprint>,
    /// Besides credentials, key and content type.
    headers: Vec<(HeaderName, HeaderValue)>,
    #[cfg(feature = "payouts")]
    pub(super) seal: Option<&'a crate::SecurityKey>,
}

impl<'a> Call<'a> {
    fn new(endpoint: Endpoint, method: Method, path: String) -> Self {
        Self {
            endpoint,
            method,
            path,
            body: None,
            key: None,
            fingerprint: None,
            headers: Vec::new(),
            #[cfg(feature = "payouts")]
            seal: None,
        }
    }

    pub(super) fn read(endpoint: Endpoint, path: impl Into<String>) -> Self {
        Self::new(endpoint, Method::GET, path.into())
    }

    /// Toss does not say what an idempotency key does to a DELETE, so it has none and is repeated
    /// only if nothing was sent.
    pub(super) fn delete(endpoint: Endpoint, path: impl Into<String>) -> Self {
        Self::new(endpoint, Method::DELETE, path.into())
    }

    /// A POST; cannot be made without an idempotency key.
    pub(super) fn act(
        endpoint: Endpoint,
        path: impl Into<String>,
        body: Vec<u8>,
        key: &'a IdempotencyKey,
    ) -> Self {
        let mut call = Self::new(endpoint, Method::POST, path.into());
        call.fingerprint = Some(Fingerprint::of(&call.path, &body));
        call.body = Some(body);
        call.key = Some(key);
        call
    }

    /// A POST with this body.
    pub(super) fn post(
        endpoint: Endpoint,
        path: impl Into<String>,
        body: &Body,
        key: &'a IdempotencyKey,
    ) -> Result<Self, Error> {
        let bytes = body
            .bytes()
            .map_err(|reason| Error::InvalidRequest { endpoint, reason })?;
        Ok(Self::act(endpoint, path, bytes, key))
    }

    /// A POST that has no body, not even an empty object; the key is bound to the path.
    pub(super) fn bare_post(endpoint: Endpoint, path: String, key: &'a IdempotencyKey) -> Self {
        let mut call = Self::new(endpoint, Method::POST, path);
        call.fingerprint = Some(Fingerprint::of(&call.path, &[]));
        call.key = Some(key);
        call
    }

    /// The key is bound to this instead of to the body as it is sent.
    pub(super) fn bound_to(mut self, fingerprint: Fingerprint) -> Self {
        self.fingerprint = Some(fingerprint);
        self
    }

    #[cfg(any(feature = "brandpay", feature = "payouts"))]
    pub(super) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    fn is_read(&self) -> bool {
        self.method == Method::GET
    }

    fn invalid(&self, reason: impl Into<String>) -> Error {
        Error::InvalidRequest {
            endpoint: self.endpoint,
            reason: reason.into(),
        }
    }

    /// Whether another attempt is safe and may help.
    fn may_repeat(&self, error: &Error) -> bool {
        let overloaded = |status: u16| self.is_read() && (status == 429 || status >= 500);
        match error {
            Error::NotSent { .. } => true,
            Error::Unknown { .. } => self.is_read() || self.key.is_some(),
            Error::Rejected(rejection) => match rejection.class {
                ErrorClass::RetrySameKey => self.key.is_some() && rejection.status == 409,
                _ => overloaded(rejection.status),
            },
            Error::Undecodable { status, .. } => overloaded(*status),
            Error::InvalidRequest { .. } | Error::Mismatch { .. } => false,
        }
    }
}

impl TossClient {
    /// Makes the call and decodes its answer.
    pub(super) async fn call<T: Decode>(&self, call: Call<'_>) -> Result<Answer<T>, Error> {
        self.check(&call)?;
        let headers = self.headers_of(&call)?;
        // Neither path nor body: both can name a payment.
        let span = tracing::debug_span!(
            "toss_call",
            endpoint = call.endpoint.as_str(),
            attempts = field::Empty,
            status = field::Empty,
            trace_id = field::Empty,
        );
        async {
            let reply = self.attempts(&call, headers).await?;
            read::value(call.endpoint, reply)
        }
        .instrument(span)
        .await
    }

    fn check(&self, call: &Call<'_>) -> Result<(), Error> {
        if call.endpoint.needs_api_key() && self.kind.is_widget() {
            return Err(call.invalid("this call needs an API key, not a widget key"));
        }
        if let (Some(key), Some(fingerprint)) = (call.key, call.fingerprint)
            && !key.bind(fingerprint)
        {
            return Err(call.invalid("the idempotency key belongs to another request"));
        }
        Ok(())
    }

    fn headers_of(&self, call: &Call<'_>) -> Result<HeaderMap, Error> {
        let mut headers = self.headers.clone();
        headers.insert(header::AUTHORIZATION, self.authorization.clone());
        if call.body.is_some() {
            let json = HeaderValue::from_static("application/json");
            headers.insert(header::CONTENT_TYPE, json);
        }
        if let Some(key) = call.key {
            let key = key
                .header()
                .ok_or_else(|| call.invalid("the idempotency key cannot be a header"))?;
            headers.insert("idempotency-key", key);
        }
        for (name, value) in &call.headers {
            headers.insert(name.clone(), value.clone());
        }
        Ok(headers)
    }

    async fn attempts(&self, call: &Call<'_>, headers: HeaderMap) -> Result<HttpReply, Error> {
        let runtime = &self.shared.runtime;
        let deadline = self.retry.deadline_after(runtime.now());
        let mut lost = None;
        let mut number = 1;
        loop {
            let start = runtime.now();
            let outcome = self.attempt(call, &headers, number, deadline).await;
            let mut report = Attempt {
                endpoint: call.endpoint,
                number,
                took: runtime.now().saturating_sub(start),
                status: outcome
                    .as_ref()
                    .map_or_else(Error::http_status, |reply| Some(reply.status)),
                class: outcome.as_ref().err().map(Error::class),
                repeats: false,
            };
            let error = match outcome {
                Ok(reply) => {
                    self.shared.budget.give_back();
                    self.report(&report);
                    return Ok(reply);
                }
                Err(error) => error,
            };
            let pause = self.pause(call, &error, number, deadline);
            report.repeats = pause.is_some();
            self.report(&report);
            let Some(pause) = pause else {
                return Err(sum(lost, error));
            };
            if let Error::Unknown { reason, .. } = &error {
                lost.get_or_insert_with(|| reason.clone());
            }
            runtime.sleep(pause).await;
            number += 1;
        }
    }

    /// How long to wait before the next attempt; `None` if there is none.
    fn pause(
        &self,
        call: &Call<'_>,
        error: &Error,
        number: u32,
        deadline: Option<Duration>,
    ) -> Option<Duration> {
        if !self.retry.allows(number) || !call.may_repeat(error) {
            return None;
        }
        let mut random = [0; 8];
        // Without randomness the pause has no jitter, which is worse but not wrong.
        if !self.shared.runtime.fill_random(&mut random) {
            tracing::warn!("no randomness for the pause between two attempts");
        }
        let mut pause = self.retry.pause(number, u64::from_ne_bytes(random));
        if let Error::Rejected(rejection) = error {
            pause = pause.max(rejection.retry_after.unwrap_or_default());
        }
        let in_time = |deadline| self.shared.runtime.now().saturating_add(pause) < deadline;
        (deadline.is_none_or(in_time) && self.shared.budget.take()).then_some(pause)
    }

    async fn attempt(
        &self,
        call: &Call<'_>,
        headers: &HeaderMap,
        number: u32,
        deadline: Option<Duration>,
    ) -> Result<HttpReply, Error> {
        let runtime = &self.shared.runtime;
        let start = runtime.now();
        let left = |now: Duration| match deadline {
            Some(deadline) => self.attempt_timeout.min(deadline.saturating_sub(now)),
            None => self.attempt_timeout,
        };
        if let Some(limiter) = &self.shared.limiter {
            match limiter.turn(start, left(start)) {
                Ok(Duration::ZERO) => {}
                Ok(wait) => runtime.sleep(wait).await,
                Err(_) => return Err(not_sent(call.endpoint, "the client's own limit is reached")),
            }
        }
        let timeout = left(runtime.now());
        if timeout.is_zero() {
            return Err(not_sent(call.endpoint, "the time was over before sending"));
        }
        let request = self.request(call, headers, timeout)?;
        let outcome = self.shared.transport.send(request).await;
        let span = Span::current();
        span.record("attempts", number);
        let reply = outcome.map_err(|error| no_answer(call.endpoint, error))?;
        span.record("status", reply.status);
        span.record("trace_id", crate::answer::trace_id(&reply.headers));
        let reply = self.opened(call, reply);
        read::successful(call.endpoint, reply)
    }

    fn report(&self, attempt: &Attempt) {
        if let Some(observer) = &self.shared.observer {
            observer.attempt(attempt);
        }
    }

    fn request(
        &self,
        call: &Call<'_>,
        headers: &HeaderMap,
        timeout: Duration,
    ) -> Result<HttpRequest, Error> {
        Ok(HttpRequest {
            method: call.method.clone(),
            url: format!("{}{}", self.shared.base_url, call.path),
            headers: headers.clone(),
            body: self.sealed(call)?,
            timeout,
        })
    }
}

#[cfg(not(feature = "payouts"))]
impl TossClient {
    #[expect(clippy::unused_self, reason = "with payouts it is used")]
    #[expect(clippy::unnecessary_wraps, reason = "with payouts it can fail")]
    fn sealed(&self, call: &Call<'_>) -> Result<Option<Vec<u8>>, Error> {
        Ok(call.body.clone())
    }

    #[expect(clippy::unused_self, reason = "with payouts it is used")]
    fn opened(&self, _: &Call<'_>, reply: HttpReply) -> HttpReply {
        reply
    }
}

#[cfg(feature = "payouts")]
impl TossClient {
    fn sealed(&self, call: &Call<'_>) -> Result<Option<Vec<u8>>, Error> {
        let (Some(key), Some(body)) = (call.seal, &call.body) else {
            return Ok(call.body.clone());
        };
        let sealed = crate::jwe::seal(key, body, &*self.shared.runtime)
            .ok_or_else(|| not_sent(call.endpoint, "the body could not be encrypted"))?;
        Ok(Some(sealed.into_bytes()))
    }

    /// Errors are sometimes plain JSON although the request was encrypted; what cannot be
    /// decrypted stays as it is.
    #[expect(
        clippy::unused_self,
        reason = "its twin without payouts is called alike"
    )]
    fn opened(&self, call: &Call<'_>, mut reply: HttpReply) -> HttpReply {
        if let Some(plain) = call.seal.and_then(|key| crate::jwe::open(key, &reply.body)) {
            reply.body = plain;
        }
        reply
    }
}

fn not_sent(endpoint: Endpoint, reason: &str) -> Error {
    Error::NotSent {
        endpoint,
        reason: reason.to_owned(),
        source: None,
    }
}

fn no_answer(endpoint: Endpoint, error: TransportError) -> Error {
    match error {
        TransportError::NotSent { reason, source } => Error::NotSent {
            endpoint,
            reason,
            source,
        },
        TransportError::Lost { reason, source } => Error::Unknown {
            endpoint,
            reason,
            source,
        },
    }
}

/// What several attempts add up to. Once an answer was lost, only an error that Toss gives after
/// it has looked at the idempotency key ends the doubt; one that a later attempt met on its way
/// there says nothing about the earlier one.
fn sum(lost: Option<UnknownReason>, last: Error) -> Error {
    let Some(reason) = lost else { return last };
    let settled = match &last {
        Error::NotSent { .. } | Error::Undecodable { .. } => false,
        Error::Rejected(rejection) => {
            rejection.class != ErrorClass::Config && rejection.status != 429
        }
        Error::Unknown { .. } | Error::InvalidRequest { .. } | Error::Mismatch { .. } => true,
    };
    if settled {
        return last;
    }
    Error::Unknown {
        endpoint: last.endpoint(),
        reason,
        source: Some(Box::new(last)),
    }
}
