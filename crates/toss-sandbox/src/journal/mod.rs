//! The durable journal: what the engine changed is on disk before anybody is answered.
//!
//! A thread of its own writes. While it syncs one batch the next gathers, so concurrent requests
//! share a sync and a lone one waits for nothing but its own; there is no timer.

mod file;
mod line;

use std::{
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
};

use tokio::sync::watch;

use self::file::Index;
pub use self::file::JournalError;
use crate::engine::{Change, Inconsistent};

/// Most records that wait to be written; whoever brings one more waits for room.
const PENDING_MAX: usize = 100_000;

/// The journal has failed, as on a full disk: what was done is not safe, so nobody is told of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the sandbox's journal has failed; see its log")]
pub struct JournalFailure;

/// A journal that is being written.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    shared: Arc<Shared>,
    writer: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    /// Wakes the writer.
    work: Condvar,
    /// Wakes threads that wait for a record to be durable, or for room.
    settled: Condvar,
    /// Wakes tasks that wait for a record to be durable.
    progress: watch::Sender<Progress>,
}

#[derive(Debug)]
struct Queue {
    pending: Vec<Vec<Change>>,
    /// Number of the last record taken in.
    appended: u64,
    progress: Progress,
    index: Index,
    closing: bool,
}

#[derive(Debug, Clone, Copy)]
struct Progress {
    /// Number of the last record on disk.
    durable: u64,
    failed: bool,
}

impl Progress {
    /// Whether a record is durable; none while that is not decided.
    fn reached(self, seq: u64) -> Option<Result<(), JournalFailure>> {
        match self {
            Self { failed: true, .. } => Some(Err(JournalFailure)),
            Self { durable, .. } if durable >= seq => Some(Ok(())),
            Self { .. } => None,
        }
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(condition: &Condvar, queue: MutexGuard<'a, Queue>) -> MutexGuard<'a, Queue> {
        condition
            .wait(queue)
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn report(&self, progress: Progress) {
        self.progress.send_replace(progress);
        self.settled.notify_all();
    }

    fn fail(&self) {
        let progress = {
            let mut queue = self.queue();
            queue.progress.failed = true;
            queue.pending = Vec::new();
            queue.progress
        };
        self.report(progress);
    }
}

impl Journal {
    /// Opens a journal, hands everything in it to `apply`, and starts its writer.
    ///
    /// # Errors
    /// [`JournalError`].
    pub(crate) fn open(
        path: &Path,
        apply: impl FnMut(Change) -> Result<(), Inconsistent>,
    ) -> Result<Self, JournalError> {
        let (file, scan) = file::open(path, apply)?;
        let progress = Progress {
            durable: scan.records,
            failed: false,
        };
        let shared = Arc::new(Shared {
            queue: Mutex::new(Queue {
                pending: Vec::new(),
                appended: scan.records,
                progress,
                index: scan.index,
                closing: false,
            }),
            work: Condvar::new(),
            settled: Condvar::new(),
            progress: watch::Sender::new(progress),
        });
        let writer = Writer {
            shared: Arc::clone(&shared),
            file,
            written: scan.records,
            end: scan.end,
        };
        let thread = std::thread::Builder::new().name("sandbox-journal".to_owned());
        let writer = thread
            .spawn(|| writer.run())
            .map_err(|source| JournalError::Io {
                path: path.into(),
                source,
            })?;
        Ok(Self {
            path: path.into(),
            shared,
            writer: Some(writer),
        })
    }

    /// Takes a step's changes in, in the order of the calls. Returns the number of the last record
    /// so far: whoever has seen the state that it left must not speak before it is durable.
    pub(crate) fn append(&self, changes: Vec<Change>) -> u64 {
        let mut queue = self.shared.queue();
        if changes.is_empty() {
            return queue.appended;
        }
        while queue.pending.len() >= PENDING_MAX {
            queue = Shared::wait(&self.shared.settled, queue);
        }
        queue.appended += 1;
        // Nothing is written any more after a failure; the number is never reached.
        if !queue.progress.failed {
            queue.pending.push(changes);
            self.shared.work.notify_one();
        }
        queue.appended
    }

    /// Waits until a record is on disk.
    ///
    /// # Errors
    /// [`JournalFailure`] if it will not be.
    pub(crate) async fn durable(&self, seq: u64) -> Result<(), JournalFailure> {
        let mut progress = self.shared.progress.subscribe();
        let reached = progress
            .wait_for(|progress| progress.reached(seq).is_some())
            .await;
        match reached {
            Ok(progress) => progress.reached(seq).unwrap_or(Err(JournalFailure)),
            Err(_) => Err(JournalFailure),
        }
    }

    /// Like [`Journal::durable`], for callers without a runtime.
    ///
    /// # Errors
    /// [`JournalFailure`].
    pub(crate) fn durable_blocking(&self, seq: u64) -> Result<(), JournalFailure> {
        let mut queue = self.shared.queue();
        loop {
            if let Some(reached) = queue.progress.reached(seq) {
                return reached;
            }
            queue = Shared::wait(&self.shared.settled, queue);
        }
    }

    /// Returns when the journal has failed, which most never do.
    pub(crate) async fn failure(&self) {
        let mut progress = self.shared.progress.subscribe();
        // The sender lives as long as this handle, so the wait ends only by a failure.
        let _failed = progress.wait_for(|progress| progress.failed).await;
    }

    /// How many records are on disk.
    pub(crate) fn records(&self) -> u64 {
        self.shared.queue().progress.durable
    }

    /// Hands the first `records` records to `apply`; returns how many there were.
    ///
    /// # Errors
    /// [`JournalError`].
    pub(crate) fn replay(
        &self,
        records: u64,
        apply: impl FnMut(Change) -> Result<(), Inconsistent>,
    ) -> Result<u64, JournalError> {
        file::replay(&self.path, records, apply)
    }

    /// Hands durable records, from number `from` and at most `limit`, to `emit` as lines until it
    /// returns false.
    ///
    /// # Errors
    /// Those of reading.
    pub(crate) fn export(
        &self,
        from: u64,
        limit: u64,
        emit: impl FnMut(&[u8]) -> bool,
    ) -> io::Result<()> {
        let from = from.max(1);
        let (place, count) = {
            let queue = self.shared.queue();
            let left = (queue.progress.durable + 1).saturating_sub(from);
            (queue.index.place(from), left.min(limit))
        };
        file::export(&self.path, place, count, emit)
    }
}

impl Drop for Journal {
    /// Writes what is pending, then lets go of the file.
    fn drop(&mut self) {
        self.shared.queue().closing = true;
        self.shared.work.notify_one();
        if let Some(writer) = self.writer.take() {
            // A writer that panicked has failed the journal already.
            let _ended = writer.join();
        }
    }
}

struct Writer {
    shared: Arc<Shared>,
    file: File,
    written: u64,
    end: u64,
}

impl Writer {
    fn run(mut self) {
        // However this thread ends, nobody waits for it in vain.
        let _last_word = LastWord(Arc::clone(&self.shared));
        while let Some(batch) = self.next_batch() {
            if let Err(error) = self.write(&batch) {
                tracing::error!(%error, "the journal cannot be written; nothing is answered any more");
                break;
            }
        }
    }

    /// What has gathered; none when the journal is closed and all is written.
    fn next_batch(&self) -> Option<Vec<Vec<Change>>> {
        let mut queue = self.shared.queue();
        while queue.pending.is_empty() {
            if queue.closing {
                return None;
            }
            queue = Shared::wait(&self.shared.work, queue);
        }
        let batch = std::mem::take(&mut queue.pending);
        drop(queue);
        self.shared.settled.notify_all();
        Some(batch)
    }

    fn write(&mut self, batch: &[Vec<Change>]) -> io::Result<()> {
        let mut lines = Vec::new();
        let mut places = Vec::with_capacity(batch.len());
        for changes in batch {
            self.written += 1;
            places.push((self.written, self.end + lines.len() as u64));
            line::encode(&mut lines, self.written, changes)?;
        }
        self.file.write_all(&lines)?;
        self.file.sync_data()?;
        self.end += lines.len() as u64;
        let progress = {
            let mut queue = self.shared.queue();
            for (seq, offset) in places {
                queue.index.note(seq, offset);
            }
            queue.progress.durable = self.written;
            queue.progress
        };
        self.shared.report(progress);
        Ok(())
    }
}

struct LastWord(Arc<Shared>);

impl Drop for LastWord {
    fn drop(&mut self) {
        self.0.fail();
    }
}

#[cfg(test)]
mod tests;
