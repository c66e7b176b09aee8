//! Time-driven work: due payments are recovered, due outbox messages delivered. Several instances
//! share the work through the database; none talks to another.

use std::sync::Arc;
use std::time::Duration;

use payment_domain::PaymentReceiver;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Due payments fetched at once.
const BATCH: u32 = 100;
/// Payments recovered at once by one instance.
const AT_ONCE: usize = 32;

/// Runs both workers until `stop`; payments that are being recovered then are finished, as `tasks`.
pub async fn run(
    payments: Arc<dyn PaymentReceiver>,
    interval: Duration,
    tasks: TaskTracker,
    stop: CancellationToken,
) {
    let room = Arc::new(Semaphore::new(AT_ONCE));
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        deliver_due(payments.as_ref()).await;
        recover_due(&payments, &room, &tasks, &stop).await;
    }
}

async fn deliver_due(payments: &dyn PaymentReceiver) {
    loop {
        match payments.deliver_due(BATCH).await {
            Ok(tried) if tried >= BATCH as usize => {}
            Ok(_) => return,
            Err(error) => {
                tracing::warn!(%error, "outbox messages wait for the database");
                return;
            }
        }
    }
}

/// Recovers what is due, each payment on a task of its own: a slow or failing one stops no other.
async fn recover_due(
    payments: &Arc<dyn PaymentReceiver>,
    room: &Arc<Semaphore>,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) {
    let due = match payments.due(BATCH).await {
        Ok(due) => due,
        Err(error) => {
            tracing::warn!(%error, "recovery waits for the database");
            return;
        }
    };
    for order_id in due {
        let Some(Ok(permit)) = stop
            .run_until_cancelled(Arc::clone(room).acquire_owned())
            .await
        else {
            return;
        };
        let payments = Arc::clone(payments);
        tasks.spawn(async move {
            let _permit = permit;
            if let Err(error) = payments.recover(&order_id).await {
                tracing::warn!(%order_id, %error, "a due payment waits for the database");
            }
            if let Err(error) = payments.deliver(&order_id).await {
                tracing::warn!(%order_id, %error, "its outbox messages wait for the database");
            }
        });
    }
}
