//! Streams that tell of a payment's changes as they happen.
//!
//! Servers share nothing but the database, and the change may be made by another one: so each stream
//! looks at the payment's history twice a second, which is one read along its primary key. A stream
//! is a tracked task on the main runtime; its reader hears from it through a short queue.

use std::sync::Arc;
use std::time::Duration;

use actix_web::web::Bytes;
use kernel::{Fence, OrderId};
use payment_domain::model::{HistoryEntry, PaymentStatus};
use payment_domain::{PaymentReader, ReadError};
use serde_json::json;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How often a stream looks for changes.
const POLL: Duration = Duration::from_millis(500);
/// The longest silence on a stream: proxies cut what is silent for a minute.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How long a stream may last; its reader opens another one then.
const LIFE_MAX: Duration = Duration::from_mins(30);
/// Changes of one look; more wait for the next.
const CHANGES_MAX: u32 = 100;
/// Pieces that wait for a reader. One that takes none of them is given up.
const QUEUE_MAX: usize = 16;
/// How soon an `EventSource` opens another stream, in milliseconds, when one ends.
const RETRY: &str = "retry: 2000\n";

/// Opens streams, a bounded number at once.
pub struct EventStreams {
    reader: Arc<dyn PaymentReader>,
    room: Arc<Semaphore>,
    tasks: TaskTracker,
    runtime: Handle,
    stop: CancellationToken,
}

/// What whoever asks for a stream gets.
#[derive(Debug)]
pub enum Opened {
    /// The stream, piece by piece.
    Stream(mpsc::Receiver<Bytes>),
    /// The payment is settled, and the reader has heard so.
    NothingMore,
}

/// Why there is no stream.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// Too many streams are open.
    #[error("too many event streams are open")]
    Full,
    /// The payment cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Whether a stream ends here: what comes next, if anything, is nobody's wait any more.
const fn ends_stream(status: PaymentStatus) -> bool {
    match status {
        PaymentStatus::Done
        | PaymentStatus::Failed
        | PaymentStatus::Expired
        | PaymentStatus::Canceled
        | PaymentStatus::PartialCanceled => true,
        PaymentStatus::Ready
        | PaymentStatus::InProgress
        | PaymentStatus::Unknown
        | PaymentStatus::WaitingForDeposit
        | PaymentStatus::Quarantined => false,
    }
}

impl EventStreams {
    /// At most `streams_max` streams at once, on `runtime`; all end when `stop` says so.
    pub fn new(
        reader: Arc<dyn PaymentReader>,
        tasks: TaskTracker,
        runtime: Handle,
        stop: CancellationToken,
        streams_max: usize,
    ) -> Self {
        let room = Arc::new(Semaphore::new(streams_max.min(Semaphore::MAX_PERMITS)));
        Self {
            reader,
            room,
            tasks,
            runtime,
            stop,
        }
    }

    /// A stream of this payment's statuses: the present one and those to come, or for a reader that
    /// has heard of all changes up to `heard` those since.
    ///
    /// # Errors
    /// When there is no such payment or no room.
    pub async fn open(
        &self,
        order_id: OrderId,
        heard: Option<Fence>,
    ) -> Result<Opened, StreamError> {
        let permit = Arc::clone(&self.room)
            .try_acquire_owned()
            .map_err(|_| StreamError::Full)?;
        let present = self.reader.last_change(&order_id).await?;
        let mut told = present.clone();
        let mut waiting = Some(present);
        if let Some(heard) = heard {
            // With the change that the reader heard of last: its status was told.
            let before = Fence::from_stored(heard.get().saturating_sub(1));
            let changes = self.reader.changes(&order_id, before, CHANGES_MAX).await;
            let changes = changes.map_err(ReadError::from)?;
            if let Some((last, since)) = changes.split_first()
                && last.fence == heard
            {
                if ends_stream(last.to) && since.iter().all(|change| change.to == last.to) {
                    return Ok(Opened::NothingMore);
                }
                told = last.clone();
                waiting = None;
            }
        }
        let (sender, receiver) = mpsc::channel(QUEUE_MAX);
        let stream = Stream {
            reader: Arc::clone(&self.reader),
            order_id,
            fence: told.fence,
            status: told.to,
            sender,
            _permit: permit,
        };
        let task = stream.run(waiting, self.stop.clone());
        self.tasks.spawn_on(task, &self.runtime);
        Ok(Opened::Stream(receiver))
    }
}

/// One stream: what its reader has been told, and where to tell more.
struct Stream {
    reader: Arc<dyn PaymentReader>,
    order_id: OrderId,
    fence: Fence,
    status: PaymentStatus,
    sender: mpsc::Sender<Bytes>,
    _permit: OwnedSemaphorePermit,
}

impl Stream {
    async fn run(mut self, first: Option<HistoryEntry>, stop: CancellationToken) {
        let deadline = Instant::now() + LIFE_MAX;
        let mut news = RETRY.to_owned();
        if let Some(present) = first {
            news.push_str(&self.event(&present));
        }
        let mut told_at = Instant::now();
        loop {
            news.push_str(&self.changes().await);
            if news.is_empty() && told_at.elapsed() >= HEARTBEAT {
                news.push_str(":\n\n");
            }
            if !news.is_empty() {
                let piece = Bytes::from(std::mem::take(&mut news));
                if self.sender.try_send(piece).is_err() {
                    return;
                }
                told_at = Instant::now();
            }
            if ends_stream(self.status) || Instant::now() >= deadline {
                return;
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.sender.closed() => return,
                () = tokio::time::sleep(POLL) => {}
            }
        }
    }

    /// The events since the last look. A store that does not answer is asked again at the next.
    async fn changes(&mut self) -> String {
        let changes = self.reader.changes(&self.order_id, self.fence, CHANGES_MAX);
        let mut events = String::new();
        for change in changes.await.unwrap_or_default() {
            self.fence = change.fence;
            if change.to != self.status {
                self.status = change.to;
                events.push_str(&self.event(&change));
            }
        }
        events
    }

    fn event(&self, change: &HistoryEntry) -> String {
        let data = json!({
            "orderId": self.order_id.as_str(),
            "status": change.to.as_str(),
            "at": crate::http::rfc3339(change.at),
        });
        format!(
            "event: status\nid: {}\ndata: {data}\n\n",
            change.fence.get()
        )
    }
}

#[cfg(test)]
mod tests;
