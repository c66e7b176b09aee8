//! The events that are owed to the merchant, and those that ended lately.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::Arc,
};

use chrono::{DateTime, Utc};

use super::{
    audit::fingerprint_of_unordered,
    change::{Change, Inconsistent},
    random::Random,
    webhooks::{WebhookRow, WebhookState},
};

/// Sets the stream of webhooks apart from all others.
const STREAM: u64 = 0x7765_6268_6f6f_6b73;

/// Most ended events that are remembered.
const ENDED_MAX: usize = 1_000;

/// An event that is owed to the merchant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Open {
    pub(super) event: String,
    pub(super) order_id: Option<String>,
    pub(super) body: Arc<str>,
    pub(super) signed: bool,
    /// How often it was sent in vain.
    pub(super) retried: u32,
    pub(super) due_at: DateTime<Utc>,
    pub(super) sending: bool,
}

/// The events that wait, by number in the order in which they arose, and those that ended lately.
#[derive(Debug)]
pub(super) struct Outbox {
    /// Whether anybody listens; until then nothing is kept.
    pub(super) wanted: bool,
    pub(super) open: BTreeMap<u64, Open>,
    pub(super) numbers: HashMap<String, u64>,
    pub(super) ids: BTreeMap<u64, String>,
    pub(super) due: BTreeSet<(DateTime<Utc>, u64)>,
    pub(super) next: u64,
    pub(super) ended: VecDeque<WebhookRow>,
    pub(super) statuses: HashMap<u64, u16>,
    /// A stream of its own, so that webhooks change no key or id of anything else.
    pub(super) random: Random,
}

/// What has happened that Toss tells of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct News {
    pub(super) event: &'static str,
    pub(super) order_id: Option<String>,
    pub(super) body: String,
}

impl Outbox {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            wanted: false,
            open: BTreeMap::new(),
            numbers: HashMap::new(),
            ids: BTreeMap::new(),
            due: BTreeSet::new(),
            next: 0,
            ended: VecDeque::new(),
            statuses: HashMap::new(),
            random: Random::new(seed ^ STREAM),
        }
    }

    /// Goes on with another stream.
    pub(super) fn reseed(&mut self, seed: u64) {
        self.random = Random::new(seed ^ STREAM);
    }

    /// Applies a change of webhooks; hands any other back.
    pub(super) fn apply(&mut self, change: Change) -> Result<Option<Change>, Inconsistent> {
        match change {
            Change::WebhookQueued {
                id,
                event,
                order_id,
                body,
                signed,
                due_at,
            } => {
                if self.numbers.contains_key(&id) {
                    return Err(Inconsistent::new("webhook", &id));
                }
                let number = self.next;
                self.next += 1;
                self.numbers.insert(id.clone(), number);
                self.ids.insert(number, id);
                self.due.insert((due_at, number));
                let open = Open {
                    event,
                    order_id,
                    body: body.into(),
                    signed,
                    retried: 0,
                    due_at,
                    sending: false,
                };
                self.open.insert(number, open);
                Ok(None)
            }
            Change::WebhookTried { id, again_at } => {
                let Some(number) = self.numbers.get(&id).copied() else {
                    return Err(Inconsistent::new("attempt of webhook", &id));
                };
                self.tried(number, again_at);
                Ok(None)
            }
            other => Ok(Some(other)),
        }
    }

    fn tried(&mut self, number: u64, again_at: Option<DateTime<Utc>>) {
        match (self.open.get_mut(&number), again_at) {
            (Some(open), Some(again_at)) => {
                self.due.remove(&(open.due_at, number));
                open.retried += 1;
                open.due_at = again_at;
                open.sending = false;
                self.due.insert((again_at, number));
            }
            (Some(open), None) => {
                self.due.remove(&(open.due_at, number));
                self.open.remove(&number);
                if let Some(id) = self.ids.remove(&number) {
                    self.numbers.remove(&id);
                }
                self.statuses.remove(&number);
            }
            (None, _) => {}
        }
    }

    pub(super) fn end(&mut self, row: WebhookRow) {
        if self.ended.len() == ENDED_MAX {
            self.ended.pop_front();
        }
        self.ended.push_back(row);
    }

    /// The same for the same events that are still owed.
    pub(super) fn fingerprint(&self) -> u64 {
        fingerprint_of_unordered(self.open.iter().map(|(number, open)| {
            let id = self.ids.get(number);
            (id, &open.event, &open.body, open.retried, open.due_at)
        }))
    }

    pub(super) fn row(&self, number: u64, open: &Open) -> WebhookRow {
        WebhookRow {
            id: self.ids.get(&number).cloned().unwrap_or_default(),
            event: open.event.clone(),
            order_id: open.order_id.clone(),
            state: if open.sending {
                WebhookState::Sending
            } else {
                WebhookState::Waiting
            },
            retried: open.retried,
            status: self.statuses.get(&number).copied(),
            due_at: Some(open.due_at),
        }
    }
}
