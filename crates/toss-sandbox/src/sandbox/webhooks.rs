//! Where events go, and which there are.

use std::{
    sync::{MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::Notify;

use super::Sandbox;
use crate::engine::WebhookRow;

impl Sandbox {
    /// From now on events are sent to an address, as Toss sends webhooks; none ends it, and what
    /// waits then stays. What happened before is not told. A
    /// [`RunningSandbox`](crate::RunningSandbox) sends; anyone else awaits
    /// [`Sandbox::send_webhooks`].
    pub fn send_webhooks_to(&self, url: Option<String>) {
        {
            let mut engine = self.engine();
            if url.is_some() {
                engine.want_webhooks();
            } else {
                engine.refuse_webhooks();
            }
        }
        *self.webhook_url_lock() = url;
        self.0.webhook_wakes.notify_one();
    }

    /// Sends events for as long as it is polled.
    pub async fn send_webhooks(&self) {
        crate::webhook::send_webhooks(self.clone()).await;
    }

    /// An event made up for a test: any name, any content, signed if Toss signs such events.
    pub fn send_webhook(&self, event: &str, data: &serde_json::Value) {
        self.done(self.act(|engine, now| engine.send_webhook(now, event, data)));
        self.0.webhook_wakes.notify_one();
    }

    /// Events that wait or are on their way, then those that ended lately; at most `limit` each.
    pub fn webhooks(&self, limit: usize) -> Vec<WebhookRow> {
        self.engine().webhooks(limit)
    }

    pub(crate) fn webhook_url(&self) -> Option<String> {
        self.webhook_url_lock().clone()
    }

    fn webhook_url_lock(&self) -> MutexGuard<'_, Option<String>> {
        self.0
            .webhook_url
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn webhook_wakes(&self) -> &Notify {
        &self.0.webhook_wakes
    }

    /// How long until there is something to send or to let lapse.
    pub(crate) fn next_webhook_in(&self) -> Option<Duration> {
        let now = self.now();
        let at = self.engine().next_webhook_at()?;
        Some((at - now).to_std().unwrap_or_default())
    }
}
