//! Webhooks of Toss: stored first, worked on afterwards, given up to an operator at last.

use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, TryStreamExt as _};
use kernel::{Clock, StoreError};

use crate::port::{Inbox, InboxEntry, Notice, NoticeState, Noticed};
use crate::receiver::{Observed, PaymentReceiver};

/// How long whoever works on a notice has it for itself: longer than Toss's time-out.
const TAKEN: Duration = Duration::from_secs(120);
/// Notices worked on at once: one that Toss keeps waiting does not hold up the others.
const AT_ONCE: usize = 8;
/// The pause after the first try; doubles up to [`RETRY_MAX`].
const RETRY_MIN: Duration = Duration::from_secs(2);
/// The longest pause between two tries.
const RETRY_MAX: Duration = Duration::from_mins(10);
/// Tries before a notice is given up. Recovery looks at undecided payments anyway.
const TRIES_MAX: u32 = 12;
/// How long a notice is remembered after it came, so that a repetition is known. Toss repeats for
/// less than four days.
const REMEMBERED: Duration = Duration::from_hours(24 * 14);
/// Old notices forgotten at once.
const FORGOTTEN_AT_ONCE: u32 = 500;

/// Receives what Toss tells, and has payments look at Toss because of it.
pub struct Notices {
    inbox: Arc<dyn Inbox>,
    payments: Arc<dyn PaymentReceiver>,
    clock: Arc<dyn Clock>,
}

impl Notices {
    /// Notices of this inbox, for these payments.
    pub fn new(
        inbox: Arc<dyn Inbox>,
        payments: Arc<dyn PaymentReceiver>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            inbox,
            payments,
            clock,
        }
    }

    /// Stores a notice; nothing else.
    ///
    /// # Errors
    /// When the store fails: Toss is to send it again.
    pub async fn receive(&self, notice: &Notice) -> Result<Noticed, StoreError> {
        self.inbox.store(notice).await
    }

    /// Works on due notices, at most `limit`, and returns how many there were.
    ///
    /// # Errors
    /// When the store fails; what was begun is taken up again later.
    pub async fn work(&self, limit: u32) -> Result<usize, StoreError> {
        let due = self.inbox.due_notices(self.clock.now(), limit).await?;
        let count = due.len();
        stream::iter(due.into_iter().map(Ok))
            .try_for_each_concurrent(AT_ONCE, |entry| self.work_on(entry))
            .await?;
        Ok(count)
    }

    /// Takes a notice and works on it, unless somebody else has it.
    async fn work_on(&self, entry: InboxEntry) -> Result<(), StoreError> {
        let until = self.clock.now() + TAKEN;
        if self.inbox.take(&entry, until).await? {
            let settled = self.read(entry).await;
            self.inbox.settle(&settled).await?;
        }
        Ok(())
    }

    /// What becomes of one notice.
    async fn read(&self, entry: InboxEntry) -> InboxEntry {
        let Some(order_id) = &entry.notice.order_id else {
            return ended(entry, "it names no order");
        };
        match self.payments.observe(order_id).await {
            Ok(Observed::UnknownOrder) => ended(entry, "no such order"),
            Ok(Observed::Nothing) => ended(entry, "Toss shows nothing new"),
            Ok(Observed::Acted) => ended(entry, "the payment was looked at"),
            Ok(Observed::Unanswered) => self.again(entry, "Toss does not answer"),
            Err(error) => {
                tracing::warn!(%order_id, %error, "a webhook waits");
                self.again(entry, "the database failed")
            }
        }
    }

    fn again(&self, entry: InboxEntry, why: &str) -> InboxEntry {
        let tries = entry.tries + 1;
        let note = Some(why.to_owned());
        if tries >= TRIES_MAX {
            tracing::error!(id = %entry.notice.id, why, "a webhook is given up");
            return InboxEntry {
                state: NoticeState::Dead,
                due_at: None,
                tries,
                note,
                ..entry
            };
        }
        let pause = RETRY_MIN.saturating_mul(2_u32.saturating_pow(entry.tries.min(16)));
        InboxEntry {
            due_at: Some(self.clock.now() + pause.min(RETRY_MAX)),
            tries,
            note,
            ..entry
        }
    }

    /// Notices of this state with ids above `after`, lowest id first, at most `limit`.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn list(
        &self,
        state: NoticeState,
        after: Option<String>,
        limit: u32,
    ) -> Result<Vec<InboxEntry>, StoreError> {
        self.inbox.notices(state, after, limit).await
    }

    /// Has a dead notice worked on again; `false` when there is none with this id.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn redrive(&self, id: &str) -> Result<bool, StoreError> {
        self.inbox.redrive(id, self.clock.now()).await
    }

    /// Forgets old notices that are done, some at once, and returns how many.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn tidy(&self) -> Result<usize, StoreError> {
        let before = self.clock.now() - REMEMBERED;
        self.inbox.forget(before, FORGOTTEN_AT_ONCE).await
    }
}

fn ended(entry: InboxEntry, what: &str) -> InboxEntry {
    InboxEntry {
        state: NoticeState::Done,
        due_at: None,
        note: Some(what.to_owned()),
        ..entry
    }
}
