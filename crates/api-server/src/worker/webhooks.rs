//! Webhooks to merchants. Each endpoint has a pass of its own, so a slow or dead one delays no other.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use webhook_domain::WebhookReceiver;

use super::ticks;

/// Deliveries of one endpoint that are fetched at once.
const DELIVERIES: u32 = 16;
/// Old deliveries are forgotten with every so many-th look for endpoints.
const TIDY_EVERY: u32 = 60;
/// Batches of old deliveries that are forgotten then.
const TIDY_BATCHES: u32 = 20;

/// The endpoints that this instance works for, at most as many as there are.
type Running = Arc<Mutex<HashSet<String>>>;

/// Sends webhooks until `stop`; those that are being sent then are finished, as `tasks`.
pub async fn send_webhooks(
    webhooks: Arc<dyn WebhookReceiver>,
    interval: Duration,
    tasks: TaskTracker,
    stop: CancellationToken,
) {
    let running = Running::default();
    let mut ticks = ticks(interval);
    let mut looks = 0_u32;
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        match webhooks.look().await {
            Ok(endpoints) => {
                for id in endpoints {
                    begin(&webhooks, &running, id, &tasks, &stop);
                }
            }
            Err(error) => tracing::warn!(%error, "webhooks to merchants wait for the database"),
        }
        looks = looks.wrapping_add(1);
        if looks.is_multiple_of(TIDY_EVERY) {
            tidy(webhooks.as_ref(), &stop).await;
        }
    }
}

async fn tidy(webhooks: &dyn WebhookReceiver, stop: &CancellationToken) {
    for _ in 0..TIDY_BATCHES {
        match webhooks.tidy().await {
            Ok(0) => return,
            Ok(_) if stop.is_cancelled() => return,
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(%error, "old deliveries are kept for now");
                return;
            }
        }
    }
}

/// Works for one endpoint on a task of its own, until nothing is due.
fn begin(
    webhooks: &Arc<dyn WebhookReceiver>,
    running: &Running,
    id: String,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) {
    let Some(entry) = Entry::new(running, &id) else {
        return;
    };
    let (webhooks, stop) = (Arc::clone(webhooks), stop.clone());
    tasks.spawn(async move {
        let _entry = entry;
        while !stop.is_cancelled() {
            match webhooks.work(&id, DELIVERIES).await {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(endpoint = %id, %error, "its deliveries wait for the database");
                    return;
                }
            }
        }
    });
}

/// Keeps an endpoint among the running ones until it is dropped.
struct Entry {
    running: Running,
    id: String,
}

impl Entry {
    /// `None` when the endpoint is there already.
    fn new(running: &Running, id: &str) -> Option<Self> {
        locked(running).insert(id.to_owned()).then(|| Self {
            running: Arc::clone(running),
            id: id.to_owned(),
        })
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        locked(&self.running).remove(&self.id);
    }
}

fn locked(running: &Running) -> MutexGuard<'_, HashSet<String>> {
    running.lock().unwrap_or_else(PoisonError::into_inner)
}
