//! What Toss tells of, and in which words.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::{
    Engine, Language,
    bank::Bank,
    change::Change,
    method::{Kind, Method},
    outbox::News,
    payment::{CONFIRM_LIFE, Payment, Status, WINDOW_LIFE},
    view::CancelView,
    writing,
};

/// What has happened to payments since it was last asked, and when unfinished ones lapse. Kept
/// only if somebody wants to hear of it.
#[derive(Debug, Default)]
pub(super) struct Chronicle {
    wanted: bool,
    happened: Vec<Happening>,
    /// When a payment may lapse; whether it does is asked then.
    lapses: BinaryHeap<Reverse<(DateTime<Utc>, usize)>>,
}

#[derive(Debug)]
enum Happening {
    /// The payment's status changed.
    Payment(String),
    /// A deposit arrived or was taken back.
    Deposit(String),
    /// A cancel of a payment was decided on: by its transaction.
    Cancel(String, String),
    /// A billing key was deleted.
    BillingRemoved(String),
}

impl Chronicle {
    /// Notes a change that is about to be applied.
    pub(super) fn hear(&mut self, change: &Change, payments: &HashMap<String, usize>) {
        if !self.wanted {
            return;
        }
        match change {
            Change::Approved { payment_key, .. }
            | Change::Declined { payment_key, .. }
            | Change::Expired { payment_key }
            | Change::Deposited { payment_key, .. }
            | Change::Canceled { payment_key, .. } => {
                self.happened.push(Happening::Payment(payment_key.clone()));
            }
            Change::CancelDecided {
                payment_key,
                transaction_key,
                done,
                ..
            } => {
                if *done {
                    let payment = payment_key.clone();
                    self.happened.push(Happening::Payment(payment));
                }
                let (payment, cancel) = (payment_key.clone(), transaction_key.clone());
                self.happened.push(Happening::Cancel(payment, cancel));
            }
            Change::DepositReversed { payment_key, .. } => {
                self.happened.push(Happening::Deposit(payment_key.clone()));
            }
            Change::Opened(opening) => {
                // It gets the next index.
                let lapse = (opening.at + WINDOW_LIFE, payments.len());
                self.lapses.push(Reverse(lapse));
            }
            Change::Authenticated {
                payment_key, at, ..
            } => {
                let index = payments.get(payment_key);
                self.lapses
                    .extend(index.map(|index| Reverse((*at + CONFIRM_LIFE, *index))));
            }
            Change::BillingRemoved { billing_key } => {
                let key = billing_key.clone();
                self.happened.push(Happening::BillingRemoved(key));
            }
            _ => {}
        }
    }
}

impl Bank {
    /// From now on what happens is noted.
    pub(super) fn want_news(&mut self) {
        self.chronicle.wanted = true;
        let open = self.payments.iter().enumerate();
        let open = open
            .filter(|(_, payment)| matches!(payment.status, Status::Ready | Status::InProgress));
        self.chronicle.lapses = open
            .map(|(index, payment)| Reverse((payment.requested_at, index)))
            .collect();
    }

    /// Lets every payment lapse whose time has come.
    pub(super) fn elapse(&mut self, now: DateTime<Utc>) {
        self.decide_cancels(now);
        while let Some(Reverse((at, index))) = self.chronicle.lapses.peek().copied() {
            if at > now {
                break;
            }
            self.chronicle.lapses.pop();
            self.lapse(now, index);
            let Some(payment) = self.payments.get(index) else {
                continue;
            };
            let deadline = match payment.status {
                Status::Ready => payment.requested_at + WINDOW_LIFE,
                Status::InProgress => {
                    payment.authenticated_at.unwrap_or(payment.requested_at) + CONFIRM_LIFE
                }
                Status::WaitingForDeposit
                | Status::Done
                | Status::Canceled
                | Status::PartialCanceled
                | Status::Aborted
                | Status::Expired => continue,
            };
            self.chronicle.lapses.push(Reverse((deadline, index)));
        }
    }

    /// When a payment may lapse next.
    pub(super) fn next_lapse(&self) -> Option<DateTime<Utc>> {
        self.chronicle.lapses.peek().map(|Reverse((at, _))| *at)
    }
}

impl Engine {
    /// The events for what has happened since this was last called.
    pub(super) fn news(&mut self, now: DateTime<Utc>) -> Vec<News> {
        let mut news: Vec<_> = std::mem::take(&mut self.announced);
        for happening in std::mem::take(&mut self.bank.chronicle.happened) {
            match happening {
                Happening::Payment(key) => {
                    if let Some(index) = self.bank.by_key.get(&key) {
                        let payment = &self.bank.payments[*index];
                        news.extend(self.payment_news(now, payment));
                        news.extend(deposit_news(now, payment));
                    }
                }
                Happening::Deposit(key) => {
                    if let Some(index) = self.bank.by_key.get(&key) {
                        news.extend(deposit_news(now, &self.bank.payments[*index]));
                    }
                }
                Happening::Cancel(key, transaction_key) => {
                    news.extend(self.cancel_news(now, &key, &transaction_key));
                }
                Happening::BillingRemoved(key) => {
                    let data = json!({ "billingKey": key });
                    news.push(self.told(now, "BILLING_DELETED", &data));
                }
            }
        }
        news
    }

    /// `PAYMENT_STATUS_CHANGED`; not for billing (Toss, webhook page).
    fn payment_news(&self, now: DateTime<Utc>, payment: &Payment) -> Option<News> {
        if payment.terms().kind == Kind::Billing {
            return None;
        }
        let view = payment.view(now, writing!(self, Language::Korean));
        let body = super::json(&json!({
            "eventType": "PAYMENT_STATUS_CHANGED",
            "createdAt": event_time(now),
            "data": view,
        }));
        Some(News {
            event: "PAYMENT_STATUS_CHANGED",
            order_id: Some(payment.order_id.clone()),
            body,
        })
    }

    /// `CANCEL_STATUS_CHANGED`, of wallets abroad alone: the Cancel object (Toss, webhook page).
    fn cancel_news(&self, now: DateTime<Utc>, key: &str, transaction_key: &str) -> Option<News> {
        let payment = self.bank.booked(key).ok()?;
        let mut cancels = payment.cancels.iter();
        let done = cancels.find(|cancel| cancel.transaction_key == transaction_key);
        let view = match done {
            Some(cancel) => CancelView::of(payment, cancel),
            None => CancelView::underway(payment, payment.find_underway(transaction_key)?),
        };
        let event = "CANCEL_STATUS_CHANGED";
        let body = json!({ "eventType": event, "createdAt": event_time(now), "data": view });
        Some(News {
            event,
            order_id: Some(payment.order_id.clone()),
            body: body.to_string(),
        })
    }

    /// An event of one of the two envelopes: v1, or v2 for names such as `payout.changed`.
    pub(super) fn envelope(&mut self, now: DateTime<Utc>, event: &str, data: &Value) -> String {
        let envelope = match event.split_once('.') {
            Some((entity, _)) => json!({
                "eventType": event,
                "createdAt": event_time(now),
                "version": self.version.name(),
                "eventId": self.outbox.random.key("evt_", 24),
                "entityType": entity,
                "entityBody": data,
            }),
            None => json!({ "eventType": event, "createdAt": event_time(now), "data": data }),
        };
        envelope.to_string()
    }

    /// An event about no order.
    pub(super) fn told(&mut self, now: DateTime<Utc>, event: &'static str, data: &Value) -> News {
        News {
            event,
            order_id: None,
            body: self.envelope(now, event, data),
        }
    }
}

/// `DEPOSIT_CALLBACK`: flat, with the payment's secret, without the name of the event.
fn deposit_news(now: DateTime<Utc>, payment: &Payment) -> Option<News> {
    // An account that was never issued has nothing to tell.
    payment.due_at?;
    let Method::VirtualAccount { .. } = payment.method else {
        return None;
    };
    let body = json!({
        "createdAt": event_time(now),
        "secret": payment.secret,
        "status": payment.status,
        "transactionKey": payment.last_transaction_key,
        "orderId": payment.order_id,
    });
    Some(News {
        event: "DEPOSIT_CALLBACK",
        order_id: Some(payment.order_id.clone()),
        body: body.to_string(),
    })
}

/// Korean time with microseconds and without an offset, as events print it (seen by others).
fn event_time(time: DateTime<Utc>) -> String {
    (time + TimeDelta::hours(9))
        .format("%Y-%m-%dT%H:%M:%S%.6f")
        .to_string()
}
