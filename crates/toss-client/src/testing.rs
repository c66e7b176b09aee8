//! A transport that plays a script, and a runtime whose time stands still until it is slept on.
//!
//! For tests of code that uses a [`TossClient`](crate::TossClient): no sockets, no waiting.
//!
//! ```
//! # use toss_client::{testing::{ManualRuntime, MockTransport, Play}, *};
//! # async fn test() -> Result<(), Box<dyn std::error::Error>> {
//! let transport = MockTransport::new([Play::reset(), Play::answer(200, "{…}")]);
//! let client = TossClient::builder(SecretKey::parse("test_sk_1")?)
//!     .retry(RetryPolicy::standard())
//!     .build_on(transport.clone(), ManualRuntime::default())?;
//! // … call what is to be tested, then look at what was sent:
//! assert_eq!(transport.sent().len(), 2);
//! # Ok(())
//! # }
//! ```

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use http::{HeaderName, HeaderValue};

use crate::{BoxFuture, HttpReply, HttpRequest, Runtime, Transport, TransportError, UnknownReason};

/// What the transport does with one request.
#[derive(Debug)]
pub enum Play {
    /// Answers.
    Reply(HttpReply),
    /// Fails.
    Fail(TransportError),
}

impl Play {
    /// Answers with this status and body.
    pub fn answer(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::Reply(HttpReply::new(status, body))
    }

    /// Answers with one of Toss's errors, in the form of version 1.
    pub fn rejection(status: u16, code: &str, message: &str) -> Self {
        let body = serde_json::json!({"code": code, "message": message});
        Self::answer(status, body.to_string())
    }

    /// The same answer with a header more; one that cannot be a header is left out.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: &str) -> Self {
        if let (Self::Reply(reply), Ok(value)) = (&mut self, HeaderValue::from_str(value)) {
            reply.headers.append(HeaderName::from_static(name), value);
        }
        self
    }

    /// No connection comes about.
    pub fn refused() -> Self {
        Self::Fail(TransportError::NotSent {
            reason: "no connection".to_owned(),
            source: None,
        })
    }

    /// The connection breaks after the request was sent.
    pub fn reset() -> Self {
        Self::lost(UnknownReason::ConnectionLost)
    }

    /// No answer comes in time.
    pub fn timeout() -> Self {
        Self::lost(UnknownReason::Timeout)
    }

    fn lost(reason: UnknownReason) -> Self {
        Self::Fail(TransportError::Lost {
            reason,
            source: None,
        })
    }
}

/// Plays its script, one [`Play`] per request, and remembers the requests. After the script every
/// request is [`Play::refused`]. Clones share script and memory.
#[derive(Debug, Clone, Default)]
pub struct MockTransport(Arc<Mutex<Stage>>);

#[derive(Debug, Default)]
struct Stage {
    script: VecDeque<Play>,
    sent: Vec<HttpRequest>,
}

impl MockTransport {
    /// A transport with this script.
    pub fn new(script: impl IntoIterator<Item = Play>) -> Self {
        let transport = Self::default();
        transport.stage().script.extend(script);
        transport
    }

    /// The requests so far, in order.
    pub fn sent(&self) -> Vec<HttpRequest> {
        self.stage().sent.clone()
    }

    /// Adds to the end of the script.
    pub fn then(&self, play: Play) {
        self.stage().script.push_back(play);
    }

    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Transport for MockTransport {
    fn send(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpReply, TransportError>> {
        let mut stage = self.stage();
        stage.sent.push(request);
        let play = stage.script.pop_front().unwrap_or_else(Play::refused);
        Box::pin(async move {
            match play {
                Play::Reply(reply) => Ok(reply),
                Play::Fail(error) => Err(error),
            }
        })
    }
}

/// Time that only moves when someone sleeps, at once; and random numbers that are all the same.
/// Clones share their time.
#[derive(Debug, Clone)]
pub struct ManualRuntime {
    clock: Arc<Mutex<ManualClock>>,
    random: u8,
}

#[derive(Debug, Default)]
struct ManualClock {
    now: Duration,
    sleeps: Vec<Duration>,
}

impl Default for ManualRuntime {
    fn default() -> Self {
        Self::with_random(0)
    }
}

impl ManualRuntime {
    /// A runtime all of whose random bytes are this one.
    pub fn with_random(byte: u8) -> Self {
        Self {
            clock: Arc::default(),
            random: byte,
        }
    }

    /// Lets time pass.
    pub fn advance(&self, duration: Duration) {
        self.clock().now += duration;
    }

    /// How long was slept so far, sleep by sleep.
    pub fn sleeps(&self) -> Vec<Duration> {
        self.clock().sleeps.clone()
    }

    fn clock(&self) -> MutexGuard<'_, ManualClock> {
        self.clock.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Runtime for ManualRuntime {
    fn now(&self) -> Duration {
        self.clock().now
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let mut clock = self.clock();
            clock.now += duration;
            clock.sleeps.push(duration);
        })
    }

    /// 2026-01-01 in UTC, plus what has passed.
    fn unix_seconds(&self) -> i64 {
        1_767_225_600 + i64::try_from(self.now().as_secs()).unwrap_or_default()
    }

    fn fill_random(&self, bytes: &mut [u8]) -> bool {
        bytes.fill(self.random);
        true
    }
}
