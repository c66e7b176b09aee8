//! Time, sleep and randomness, injected so that tests decide them.

use std::{fmt, future::Future, pin::Pin, time::Duration};

use ring::rand::{SecureRandom as _, SystemRandom};

/// A boxed future, as the object-safe traits of this crate return it.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Where a client takes time and chance from.
pub trait Runtime: fmt::Debug + Send + Sync {
    /// Time since some fixed start; MUST never go back.
    fn now(&self) -> Duration;

    /// Ends after this long; dropping it ends it early.
    fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()>;

    /// Seconds since 1970-01-01 UTC; goes into the `iat` of an encrypted body.
    fn unix_seconds(&self) -> i64;

    /// Fills the buffer with bytes that nobody can guess; `false` if there are none. Jitter,
    /// nonces and initialisation vectors come from here: a repeated vector breaks the encryption.
    fn fill_random(&self, bytes: &mut [u8]) -> bool;
}

/// Bytes of the operating system's generator; `false` if it fails.
pub(crate) fn system_random(bytes: &mut [u8]) -> bool {
    SystemRandom::new().fill(bytes).is_ok()
}

/// The seconds of the system's clock; zero before 1970.
#[cfg(feature = "rustls")]
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the clock; everything else is given a `Runtime`"
)]
fn system_seconds() -> i64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| {
            i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
        })
}

/// tokio's timers, the system's clock and generator.
#[cfg(feature = "rustls")]
#[derive(Debug)]
pub struct TokioRuntime {
    start: tokio::time::Instant,
}

#[cfg(feature = "rustls")]
impl Default for TokioRuntime {
    fn default() -> Self {
        Self {
            start: tokio::time::Instant::now(),
        }
    }
}

#[cfg(feature = "rustls")]
impl Runtime for TokioRuntime {
    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()> {
        Box::pin(tokio::time::sleep(duration))
    }

    fn unix_seconds(&self) -> i64 {
        system_seconds()
    }

    fn fill_random(&self, bytes: &mut [u8]) -> bool {
        system_random(bytes)
    }
}
