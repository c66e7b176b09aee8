//! Where cancels wait for one another. Each runs in a tracked task of its own: an operator who hangs
//! up ends nothing.

use std::sync::Arc;
use std::time::Duration;

use payment_domain::{CancelCommand, CancelError, CancelOutcome, PaymentReceiver};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

/// How often a cancel that waits for another one asks again.
const POLL: Duration = Duration::from_millis(50);
/// Requests that run or wait at once.
const REQUESTS_MAX: usize = 256;

/// Why a cancel request gets no refunded payment.
#[derive(Debug, thiserror::Error)]
pub enum CancelDeskError {
    /// The payment says no, or not yet.
    #[error(transparent)]
    Payment(#[from] CancelError),
    /// Another cancel of the payment is still running and this request's time is over.
    #[error("a cancel of the payment is still running")]
    StillRunning,
    /// Too many cancels run or wait; nothing was begun.
    #[error("too many cancels are running")]
    Overloaded,
    /// The task that ran it died; recovery looks after what it began.
    #[error("the cancel's task died")]
    Died(#[source] tokio::task::JoinError),
}

/// Runs cancels, one after the other for each payment.
pub struct CancelDesk {
    payments: Arc<dyn PaymentReceiver>,
    room: Semaphore,
    tasks: TaskTracker,
    runtime: Handle,
    wait: Duration,
}

impl CancelDesk {
    /// A desk whose tasks run on `runtime`, and whose requests wait for `wait`.
    pub fn new(
        payments: Arc<dyn PaymentReceiver>,
        tasks: TaskTracker,
        runtime: Handle,
        wait: Duration,
    ) -> Self {
        let room = Semaphore::new(REQUESTS_MAX);
        Self {
            payments,
            room,
            tasks,
            runtime,
            wait,
        }
    }

    /// Cancels, once no other cancel of the payment is running.
    pub async fn cancel(&self, command: CancelCommand) -> Result<CancelOutcome, CancelDeskError> {
        let Ok(_permit) = self.room.try_acquire() else {
            return Err(CancelDeskError::Overloaded);
        };
        let deadline = Instant::now() + self.wait;
        loop {
            let (payments, command) = (Arc::clone(&self.payments), command.clone());
            let task = async move { payments.cancel(command).await };
            let task = self.tasks.spawn_on(task, &self.runtime);
            match task.await.map_err(CancelDeskError::Died)? {
                Ok(outcome) => return Ok(outcome),
                Err(CancelError::Running) if Instant::now() + POLL < deadline => {
                    tokio::time::sleep(POLL).await;
                }
                Err(CancelError::Running) => return Err(CancelDeskError::StillRunning),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use payment_domain::MockPaymentReceiver;
    use payment_domain::testing::order_id;

    use super::*;

    fn command() -> CancelCommand {
        CancelCommand {
            order_id: order_id("order-000001"),
            reason: "변심".into(),
            amount: None,
            refund_account: None,
            restock: None,
            key: None,
        }
    }

    fn desk(payments: MockPaymentReceiver) -> CancelDesk {
        let wait = Duration::from_secs(1);
        CancelDesk::new(
            Arc::new(payments),
            TaskTracker::new(),
            Handle::current(),
            wait,
        )
    }

    #[tokio::test(start_paused = true)]
    async fn a_cancel_waits_for_another_one_and_then_tells_what_became_of_itself() {
        let mut payments = MockPaymentReceiver::new();
        let asked = AtomicU32::new(0);
        payments.expect_cancel().times(4).returning(move |_| {
            Err(match asked.fetch_add(1, Ordering::SeqCst) {
                0..=2 => CancelError::Running,
                _ => CancelError::GatewayClosed,
            })
        });
        let told = desk(payments).cancel(command()).await;
        let closed = matches!(
            told,
            Err(CancelDeskError::Payment(CancelError::GatewayClosed))
        );
        assert!(closed, "{told:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_wait_for_another_cancel_ends() {
        let mut payments = MockPaymentReceiver::new();
        payments
            .expect_cancel()
            .returning(|_| Err(CancelError::Running));
        let told = desk(payments).cancel(command()).await;
        assert!(
            matches!(told, Err(CancelDeskError::StillRunning)),
            "{told:?}"
        );
    }
}
