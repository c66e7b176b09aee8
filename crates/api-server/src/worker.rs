//! Time-driven work: due payments are recovered, due outbox messages delivered, long pauses ended
//! when Toss is back. Several instances share the work through the database; none talks to another.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kernel::{OrderId, Randomness};
use payment_domain::port::DuePayment;
use payment_domain::{Notices, PaymentReceiver};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Interval, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Due outbox messages fetched at once.
const MESSAGES: u32 = 100;
/// Webhooks fetched at once.
const NOTICES: u32 = 32;
/// Old webhooks are forgotten with every so many-th look for new ones.
const TIDY_EVERY: u32 = 60;
/// Due payments fetched at once, for each one that is recovered at once. Instances fetch the same
/// payments and take them in an order drawn by lot: the more there are to choose from, the fewer
/// they choose alike.
const CANDIDATES_PER_PLACE: u32 = 32;

/// How fast the work is done.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// The pause between two passes over what is due.
    pub interval: Duration,
    /// Payments recovered at once, at least 1. They are recovered for longer than they use a
    /// database connection, so it may exceed the connections.
    pub concurrency: u32,
}

/// Recovers and delivers until `stop`; payments that are being recovered then are finished, as
/// `tasks`. None of these waits for another.
pub async fn run(
    payments: Arc<dyn PaymentReceiver>,
    randomness: Arc<dyn Randomness>,
    pace: Pace,
    tasks: TaskTracker,
    stop: CancellationToken,
) {
    let concurrency = pace.concurrency.max(1);
    let recovery = Recovery {
        payments: Arc::clone(&payments),
        randomness,
        candidates: concurrency.saturating_mul(CANDIDATES_PER_PLACE),
        room: Arc::new(Semaphore::new(concurrency as usize)),
        running: Arc::default(),
        tasks: tasks.clone(),
        stop: stop.clone(),
    };
    tokio::join!(
        async {
            let mut ticks = ticks(pace.interval);
            while stop.run_until_cancelled(ticks.tick()).await.is_some() {
                deliver_due(payments.as_ref(), &stop).await;
            }
        },
        async {
            let mut ticks = ticks(pace.interval);
            while stop.run_until_cancelled(ticks.tick()).await.is_some() {
                recovery.pass().await;
            }
        },
        async {
            let mut ticks = ticks(pace.interval);
            while stop.run_until_cancelled(ticks.tick()).await.is_some() {
                let payments = Arc::clone(&payments);
                // On a task of its own: the question to Toss may take seconds.
                let hastening = tasks.spawn(async move {
                    if let Err(error) = payments.hasten().await {
                        tracing::warn!(%error, "undecided payments sit out their pauses");
                    }
                });
                stop.run_until_cancelled(hastening).await;
            }
        }
    );
}

/// Works on webhooks of Toss until `stop`. What is at work then is left: nothing of it is lost, and
/// a silent Toss does not hold up the end.
pub async fn read_notices(notices: Arc<Notices>, interval: Duration, stop: CancellationToken) {
    let mut ticks = ticks(interval);
    let mut tidied = 0_u32;
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        loop {
            match stop.run_until_cancelled(notices.work(NOTICES)).await {
                Some(Ok(count)) if count >= NOTICES as usize => {}
                Some(Ok(_)) | None => break,
                Some(Err(error)) => {
                    tracing::warn!(%error, "webhooks wait for the database");
                    break;
                }
            }
        }
        tidied = tidied.wrapping_add(1);
        if tidied.is_multiple_of(TIDY_EVERY)
            && let Err(error) = notices.tidy().await
        {
            tracing::warn!(%error, "old webhooks are kept for now");
        }
    }
}

fn ticks(interval: Duration) -> Interval {
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

async fn deliver_due(payments: &dyn PaymentReceiver, stop: &CancellationToken) {
    while !stop.is_cancelled() {
        match payments.deliver_due(MESSAGES).await {
            Ok(tried) if tried >= MESSAGES as usize => {}
            Ok(_) => return,
            Err(error) => {
                tracing::warn!(%error, "outbox messages wait for the database");
                return;
            }
        }
    }
}

/// The orders that this instance is recovering, at most as many as it recovers at once.
type Running = Arc<Mutex<HashSet<OrderId>>>;

struct Recovery {
    payments: Arc<dyn PaymentReceiver>,
    randomness: Arc<dyn Randomness>,
    candidates: u32,
    room: Arc<Semaphore>,
    running: Running,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Recovery {
    /// Goes once through all that is due, however much, and begins the recovery of each payment.
    /// Every page is behind the one before, so a payment that does not move is met once per pass:
    /// it neither keeps the loop hot nor stands before the others.
    async fn pass(&self) {
        let mut after = None;
        loop {
            let mut page = match self.payments.due(after, self.candidates).await {
                Ok(page) => page,
                Err(error) => {
                    tracing::warn!(%error, "recovery waits for the database");
                    return;
                }
            };
            let is_last = page.len() < self.candidates as usize;
            after = page.last().cloned();
            shuffle(&mut page, self.randomness.as_ref());
            for DuePayment { order_id, .. } in page {
                let room = Arc::clone(&self.room).acquire_owned();
                let Some(Ok(permit)) = self.stop.run_until_cancelled(room).await else {
                    return;
                };
                self.begin(order_id, permit);
            }
            if is_last {
                return;
            }
        }
    }

    /// Recovers a payment on a task of its own: a slow or failing one stops no other.
    fn begin(&self, order_id: OrderId, permit: OwnedSemaphorePermit) {
        let Some(entry) = Entry::new(&self.running, &order_id) else {
            return;
        };
        let payments = Arc::clone(&self.payments);
        self.tasks.spawn(async move {
            let _held = (entry, permit);
            if let Err(error) = payments.recover(&order_id).await {
                tracing::warn!(%order_id, %error, "a due payment waits for the database");
            }
            if let Err(error) = payments.deliver(&order_id).await {
                tracing::warn!(%order_id, %error, "its outbox messages wait for the database");
            }
        });
    }
}

/// Keeps an order among the running ones until it is dropped.
struct Entry {
    running: Running,
    order_id: OrderId,
}

impl Entry {
    /// `None` when the order is there already.
    fn new(running: &Running, order_id: &OrderId) -> Option<Self> {
        locked(running).insert(order_id.clone()).then(|| Self {
            running: Arc::clone(running),
            order_id: order_id.clone(),
        })
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        locked(&self.running).remove(&self.order_id);
    }
}

fn locked(running: &Running) -> MutexGuard<'_, HashSet<OrderId>> {
    running.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Fisher and Yates: every order is equally likely.
fn shuffle<T>(items: &mut [T], randomness: &dyn Randomness) {
    for left in (2..=items.len()).rev() {
        let drawn = randomness.below(left as u64);
        items.swap(left - 1, usize::try_from(drawn).unwrap_or(0));
    }
}

mod webhooks;

pub use webhooks::send_webhooks;

#[cfg(test)]
mod tests;
