//! Webhooks: which events are owed to the merchant, when they are sent, and when they are sent
//! again. They are kept in `outbox.rs`; sending itself is the shell's.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::{Engine, change::Change, outbox::News};

/// Minutes after which an event that was not taken is sent again (Toss, webhook page).
pub const RETRY_AFTER_MINUTES: [i64; 7] = [1, 4, 16, 64, 256, 1_024, 4_096];

/// Most events that wait to be sent; beyond it the one that waits longest is given up.
const OPEN_MAX: usize = 100_000;

/// One attempt to send an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transmission {
    /// `tosspayments-webhook-transmission-id`: stays the same when it is sent again.
    pub id: String,
    /// `tosspayments-webhook-transmission-retried-count`.
    pub retried: u32,
    /// The body.
    pub body: Arc<str>,
    /// Whether it carries a signature.
    pub signed: bool,
}

/// How an event stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum WebhookState {
    /// Waits to be sent, for the first time or again.
    Waiting,
    /// Is on its way.
    Sending,
    /// Was answered 200 in time.
    Delivered,
    /// Was sent eight times in vain.
    GivenUp,
    /// Lost by a fault: never sent.
    Lost,
}

/// An event, as `GET /sandbox/webhooks` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WebhookRow {
    /// `tosspayments-webhook-transmission-id`.
    pub id: String,
    /// Toss's name of the event.
    pub event: String,
    /// The order it is about, if any.
    pub order_id: Option<String>,
    /// How it stands.
    pub state: WebhookState,
    /// How often it was sent in vain.
    pub retried: u32,
    /// What the merchant answered last; none if nothing.
    pub status: Option<u16>,
    /// When it is sent next, while it waits.
    pub due_at: Option<DateTime<Utc>>,
}

impl Engine {
    /// From now on events are kept for the merchant and handed out by
    /// [`Engine::due_webhooks`]; payments lapse when their time comes, not when they are next
    /// looked at.
    pub fn want_webhooks(&mut self) {
        if !self.outbox.wanted {
            self.outbox.wanted = true;
            self.bank.want_news();
        }
    }

    /// From now on nothing is kept for the merchant; what waits stays.
    pub fn refuse_webhooks(&mut self) {
        self.outbox.wanted = false;
    }

    /// Turns what has happened since it was last called into events, and lets time do its work.
    /// Call it after every step, in the same breath. Returns whether there is anything new.
    pub fn announce(&mut self, now: DateTime<Utc>) -> bool {
        if !self.outbox.wanted {
            return false;
        }
        let before = self.outbox.next;
        self.bank.elapse(now);
        self.elapse_payouts(now);
        for news in self.news(now) {
            self.queue_news(now, news);
        }
        self.outbox.next > before
    }

    fn queue_news(&mut self, now: DateTime<Utc>, news: News) {
        let affliction = self.faults.strike_webhook(now, news.order_id.as_deref());
        if affliction.lost {
            let row = WebhookRow {
                id: self.outbox.random.key("whtrans_", 24),
                event: news.event.to_owned(),
                order_id: news.order_id,
                state: WebhookState::Lost,
                retried: 0,
                status: None,
                due_at: None,
            };
            self.outbox.end(row);
            return;
        }
        let delay_ms: u64 = affliction
            .delays
            .iter()
            .map(|(min, max)| self.outbox.random.between(*min, *max))
            .sum();
        let due_at = now + TimeDelta::milliseconds(i64::try_from(delay_ms).unwrap_or(0));
        // A doubled event has a transmission id of its own: only its content tells.
        for _ in 0..=affliction.copies {
            if self.outbox.open.len() >= OPEN_MAX {
                self.give_up_oldest();
            }
            let id = self.outbox.random.key("whtrans_", 24);
            self.make(Change::WebhookQueued {
                id,
                event: news.event.to_owned(),
                order_id: news.order_id.clone(),
                body: news.body.clone(),
                signed: is_signed(news.event),
                due_at,
            });
        }
    }

    fn give_up_oldest(&mut self) {
        if let Some(id) = self.outbox.ids.values().next().cloned() {
            self.end_webhook(&id, WebhookState::GivenUp, None);
        }
    }

    /// An event that the merchant makes up for a test: any name, any content.
    pub fn send_webhook(&mut self, now: DateTime<Utc>, event: &str, data: &serde_json::Value) {
        let id = self.outbox.random.key("whtrans_", 24);
        let body = self.envelope(now, event, data);
        self.make(Change::WebhookQueued {
            id,
            event: event.to_owned(),
            order_id: None,
            body,
            signed: is_signed(event),
            due_at: now,
        });
    }

    /// Events whose time has come, oldest first, at most `max`; each is on its way until
    /// [`Engine::webhook_tried`] tells what became of it.
    pub fn due_webhooks(&mut self, now: DateTime<Utc>, max: usize) -> Vec<Transmission> {
        let outbox = &mut self.outbox;
        let numbers: Vec<_> = outbox
            .due
            .range(..=(now, u64::MAX))
            .take(max)
            .copied()
            .collect();
        let mut due = Vec::with_capacity(numbers.len());
        for (due_at, number) in numbers {
            outbox.due.remove(&(due_at, number));
            if let (Some(open), Some(id)) = (outbox.open.get_mut(&number), outbox.ids.get(&number))
            {
                open.sending = true;
                due.push(Transmission {
                    id: id.clone(),
                    retried: open.retried,
                    body: Arc::clone(&open.body),
                    signed: open.signed,
                });
            }
        }
        due
    }

    /// When there is something to send or to let lapse next.
    pub fn next_webhook_at(&self) -> Option<DateTime<Utc>> {
        let due = self.outbox.due.first().map(|(due_at, _)| *due_at);
        let lapse = self.bank.next_lapse().filter(|_| self.outbox.wanted);
        let payout = self.next_payout_at().filter(|_| self.outbox.wanted);
        let decision = self.bank.next_decision().map(|(due, _)| due);
        let decision = decision.filter(|_| self.outbox.wanted);
        [due, lapse, payout, decision].into_iter().flatten().min()
    }

    /// What became of a transmission: the status answered within ten seconds, if any. Anything
    /// but 200 has it sent again, up to seven times.
    pub fn webhook_tried(&mut self, now: DateTime<Utc>, id: &str, status: Option<u16>) {
        let Some(number) = self.outbox.numbers.get(id).copied() else {
            return;
        };
        let Some(open) = self.outbox.open.get(&number).filter(|open| open.sending) else {
            return;
        };
        if status == Some(200) {
            self.end_webhook(id, WebhookState::Delivered, status);
            return;
        }
        if let Some(status) = status {
            self.outbox.statuses.insert(number, status);
        }
        let retried = usize::try_from(open.retried).unwrap_or(usize::MAX);
        match RETRY_AFTER_MINUTES.get(retried) {
            Some(minutes) => {
                let scale = i64::from(self.webhook_time_scale.max(1));
                let wait = TimeDelta::milliseconds((minutes * 60_000) / scale);
                self.make(Change::WebhookTried {
                    id: id.to_owned(),
                    again_at: Some(now + wait),
                });
            }
            None => self.end_webhook(id, WebhookState::GivenUp, status),
        }
    }

    fn end_webhook(&mut self, id: &str, state: WebhookState, status: Option<u16>) {
        let number = self.outbox.numbers.get(id).copied();
        if let Some((number, open)) =
            number.and_then(|number| Some((number, self.outbox.open.get(&number)?)))
        {
            let row = WebhookRow {
                state,
                status: status.or(self.outbox.statuses.get(&number).copied()),
                due_at: None,
                ..self.outbox.row(number, open)
            };
            self.outbox.end(row);
        }
        self.make(Change::WebhookTried {
            id: id.to_owned(),
            again_at: None,
        });
    }

    /// Events that wait or are on their way, then those that ended lately; at most `limit` each.
    pub fn webhooks(&self, limit: usize) -> Vec<WebhookRow> {
        let open = self.outbox.open.iter();
        let open = open.map(|(number, open)| self.outbox.row(*number, open));
        let ended = self.outbox.ended.iter().rev().cloned();
        open.take(limit).chain(ended.take(limit)).collect()
    }
}

/// Only events of payouts and sellers are signed (Toss, webhook page).
fn is_signed(event: &str) -> bool {
    matches!(event, "payout.changed" | "seller.changed")
}
