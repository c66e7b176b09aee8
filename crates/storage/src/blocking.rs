use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use diesel_async::sync_connection_wrapper::SpawnBlocking;
use futures::FutureExt as _;
use futures::future::BoxFuture;

use crate::error::BoxError;

/// Runs SQLite's blocking work somewhere.
///
/// A value, not a type parameter, so that tests can decide where and when each statement runs
/// without a second kind of connection.
pub trait BlockingRunner: Send + Sync {
    /// Runs the job once. The future MUST NOT end well before the job has ended and was dropped; it
    /// ends with an error when the job did not run or panicked.
    fn run(&self, job: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, Result<(), BoxError>>;

    /// How long a statement may wait inside SQLite for another process's lock. A runner that works
    /// on the caller's own thread returns zero: storage then waits between its attempts instead.
    fn lock_wait(&self) -> Duration {
        Duration::from_secs(5)
    }
}

/// Runs the work on tokio's pool of blocking threads.
#[derive(Debug, Clone, Copy, Default)]
pub struct ThreadPool;

impl BlockingRunner for ThreadPool {
    fn run(&self, job: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, Result<(), BoxError>> {
        let task = tokio::task::spawn_blocking(job);
        async move { task.await.map_err(BoxError::from) }.boxed()
    }
}

/// Where SQLite's blocking work runs.
#[derive(Clone)]
pub struct Blocking(Arc<dyn BlockingRunner>);

impl Blocking {
    /// Work runs where this runner says.
    pub fn new(runner: Arc<dyn BlockingRunner>) -> Self {
        Self(runner)
    }

    pub(crate) fn lock_wait(&self) -> Duration {
        self.0.lock_wait()
    }
}

impl Default for Blocking {
    fn default() -> Self {
        Self(Arc::new(ThreadPool))
    }
}

impl fmt::Debug for Blocking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Blocking")
    }
}

impl SpawnBlocking for Blocking {
    fn spawn_blocking<'a, R>(
        &mut self,
        task: impl FnOnce() -> R + Send + 'static,
    ) -> BoxFuture<'a, Result<R, Box<dyn Error + Send + Sync + 'static>>>
    where
        R: Send + 'static,
    {
        let slot = Arc::new(Mutex::new(None));
        let filled = Arc::clone(&slot);
        let job = move || {
            let result = task();
            *filled.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
        };
        let done = self.0.run(Box::new(job));
        async move {
            done.await?;
            let result = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
            result.ok_or_else(|| "the runner dropped the job without running it".into())
        }
        .boxed()
    }

    fn get_runtime() -> Self {
        Self::default()
    }
}
