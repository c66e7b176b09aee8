use async_trait::async_trait;
use kernel::{OrderId, StoreError, Timestamp};

/// What a webhook of Toss claims: a hint where to look, and no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Toss's transmission id, the same for every repetition of one event; or a digest of the body
    /// where there is none. 1 to 200 visible ASCII characters.
    pub id: String,
    /// The event's name, at most 64 characters.
    pub event_type: String,
    /// The order it claims to be about, if it names one that could be ours.
    pub order_id: Option<OrderId>,
    /// When it came.
    pub received_at: Timestamp,
}

/// Where a stored notice stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoticeState {
    /// Nobody has worked on it to the end yet.
    Received,
    /// It was worked on, or there was nothing to do.
    Done,
    /// It was given up: an operator may have it tried again.
    Dead,
}

impl NoticeState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Received, Self::Done, Self::Dead];

    /// The stored spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Received => "RECEIVED",
            Self::Done => "DONE",
            Self::Dead => "DEAD",
        }
    }

    /// The state with this stored spelling.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// A stored notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboxEntry {
    /// What came.
    pub notice: Notice,
    /// Where it stands.
    pub state: NoticeState,
    /// When to work on it next; `None` when nothing is to be done.
    pub due_at: Option<Timestamp>,
    /// How often it was tried in vain.
    pub tries: u32,
    /// What came of it, for people; at most 200 characters.
    pub note: Option<String>,
}

/// Whether a notice is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noticed {
    /// It is stored, and due at once.
    New,
    /// It came before; nothing changed.
    Known,
}

/// Where webhooks are kept until they are worked on. Every method is one transaction.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait Inbox: Send + Sync {
    /// Stores a notice that is due at once. MUST be idempotent by its id, also when many come at the
    /// same moment.
    async fn store(&self, notice: &Notice) -> Result<Noticed, StoreError>;

    /// Notices whose `due_at` is not after `now`, earliest first, at most `limit`.
    async fn due_notices(&self, now: Timestamp, limit: u32) -> Result<Vec<InboxEntry>, StoreError>;

    /// Makes a due notice due at `until` instead, for whoever works on it now, and tells whether it
    /// was still due as it is given: of many who take it at once MUST only one be told so.
    async fn take(&self, entry: &InboxEntry, until: Timestamp) -> Result<bool, StoreError>;

    /// Stores where a notice stands now: state, next time, tries and note.
    async fn settle(&self, entry: &InboxEntry) -> Result<(), StoreError>;

    /// Notices of this state with ids above `after`, lowest id first, at most `limit`.
    async fn notices(
        &self,
        state: NoticeState,
        after: Option<String>,
        limit: u32,
    ) -> Result<Vec<InboxEntry>, StoreError>;

    /// Makes a dead notice due at `now`, as if it had just come, and tells whether there is one.
    async fn redrive(&self, id: &str, now: Timestamp) -> Result<bool, StoreError>;

    /// Forgets notices that are done and came before `before`, at most `limit`, and returns how many.
    async fn forget(&self, before: Timestamp, limit: u32) -> Result<usize, StoreError>;
}
