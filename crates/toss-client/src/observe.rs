//! A hook for metrics.

use std::{fmt, time::Duration};

use crate::{Endpoint, ErrorClass};

/// Hears of every attempt, for counters and histograms. Called on the caller's task: be quick,
/// and do not block.
pub trait Observer: fmt::Debug + Send + Sync {
    /// An attempt is over. One that was dropped is not reported.
    fn attempt(&self, attempt: &Attempt);
}

/// One attempt of one call. Holds nothing private.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attempt {
    /// The call.
    pub endpoint: Endpoint,
    /// Counted from 1.
    pub number: u32,
    /// From asking the limiter for a turn to the last byte.
    pub took: Duration,
    /// The HTTP status, where an answer began.
    pub status: Option<u16>,
    /// What its failure asks for; `None` for a 2xx.
    pub class: Option<ErrorClass>,
    /// Whether another attempt follows.
    pub repeats: bool,
}
