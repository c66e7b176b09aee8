//! The client without `async`, for programs that have no runtime.

use std::{future::Future, sync::Arc};

use tokio::runtime::{Builder, Handle, Runtime};

use crate::{
    Answer, BuildError, CancelRequest, ConfirmRequest, Error, IdempotencyKey, Payment,
    TossClientBuilder,
};

/// A [`TossClient`](crate::TossClient) with one background thread of its own, which also keeps an
/// eye on idle connections. Cheap to clone.
///
/// Every call of the asynchronous client can be made with [`run`](Self::run); the most frequent
/// have a method. It may be used inside of an asynchronous runtime, though it blocks its thread.
#[derive(Debug, Clone)]
pub struct TossClient {
    client: crate::TossClient,
    handle: Handle,
    /// Ends with the last clone.
    _runtime: Arc<Owned>,
}

/// tokio panics when a runtime is dropped where blocking is not allowed; in the background it may.
#[derive(Debug)]
struct Owned(Option<Runtime>);

impl Drop for Owned {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl TossClient {
    /// Makes the client and starts its thread.
    ///
    /// # Errors
    /// As for [`TossClientBuilder::build`], and [`BuildError::Transport`] if no thread can be had.
    pub fn build(builder: TossClientBuilder) -> Result<Self, BuildError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("toss-client")
            .enable_all()
            .build()
            .map_err(|error| BuildError::Transport(Box::new(error)))?;
        let client = {
            let _inside = runtime.enter();
            builder.build()?
        };
        Ok(Self {
            client,
            handle: runtime.handle().clone(),
            _runtime: Arc::new(Owned(Some(runtime))),
        })
    }

    /// Makes any calls of the asynchronous client, and waits for what comes of them.
    ///
    /// ```no_run
    /// # fn ask(client: &toss_client::blocking::TossClient) -> Result<(), toss_client::Error> {
    /// let promotions = client.run(|toss| async move { toss.promotions().await })?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn run<T, F>(&self, calls: impl FnOnce(crate::TossClient) -> F) -> T
    where
        T: Send,
        F: Future<Output = T> + Send,
    {
        let calls = calls(self.client.clone());
        if Handle::try_current().is_err() {
            return self.handle.block_on(calls);
        }
        // Inside a runtime `block_on` would panic, so another thread waits.
        std::thread::scope(
            |scope| match scope.spawn(|| self.handle.block_on(calls)).join() {
                Ok(value) => value,
                Err(panic) => std::panic::resume_unwind(panic),
            },
        )
    }

    /// See [`TossClient::confirm`](crate::TossClient::confirm).
    ///
    /// # Errors
    /// As there.
    pub fn confirm(
        &self,
        request: &ConfirmRequest,
        key: &IdempotencyKey,
    ) -> Result<Answer<Payment>, Error> {
        self.run(|toss| async move { toss.confirm(request, key).await })
    }

    /// See [`TossClient::confirm_checked`](crate::TossClient::confirm_checked).
    ///
    /// # Errors
    /// As there.
    pub fn confirm_checked(
        &self,
        request: &ConfirmRequest,
        currency: &str,
        key: &IdempotencyKey,
    ) -> Result<Answer<Payment>, Error> {
        self.run(|toss| async move { toss.confirm_checked(request, currency, key).await })
    }

    /// See [`TossClient::cancel`](crate::TossClient::cancel).
    ///
    /// # Errors
    /// As there.
    pub fn cancel(
        &self,
        payment_key: &str,
        request: &CancelRequest,
        key: &IdempotencyKey,
    ) -> Result<Answer<Payment>, Error> {
        self.run(|toss| async move { toss.cancel(payment_key, request, key).await })
    }

    /// See [`TossClient::payment`](crate::TossClient::payment).
    ///
    /// # Errors
    /// As there.
    pub fn payment(&self, payment_key: &str) -> Result<Answer<Payment>, Error> {
        self.run(|toss| async move { toss.payment(payment_key).await })
    }

    /// See [`TossClient::payment_by_order`](crate::TossClient::payment_by_order).
    ///
    /// # Errors
    /// As there.
    pub fn payment_by_order(&self, order_id: &str) -> Result<Answer<Payment>, Error> {
        self.run(|toss| async move { toss.payment_by_order(order_id).await })
    }
}
