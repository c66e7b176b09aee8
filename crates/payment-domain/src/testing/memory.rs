mod reconcile;
mod records;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use kernel::{Fence, IdempotencyKey, OrderId, StoreError, Timestamp, UserId};

use crate::model::{
    Attempt, AttemptChange, Cancel, Change, HistoryEntry, OutboxKey, OutboxMessage, Payment,
    PaymentStatus, Transaction,
};
use crate::port::{
    Applied, CheckoutKey, DuePayment, Found, Inserted, PaymentRepository, Run, Vitals,
};

#[derive(Default)]
struct Tables {
    payments: BTreeMap<OrderId, Payment>,
    keys: BTreeMap<(UserId, String), (OrderId, String)>,
    attempts: BTreeMap<OrderId, Vec<Attempt>>,
    cancels: BTreeMap<(OrderId, u32), Cancel>,
    history: BTreeMap<OrderId, Vec<HistoryEntry>>,
    transactions: BTreeMap<OrderId, Vec<Transaction>>,
    /// The fences of the changes that recorded these transactions, in their order.
    moved_at: BTreeMap<OrderId, Vec<Fence>>,
    outbox: BTreeMap<OutboxKey, OutboxMessage>,
    runs: BTreeMap<String, Run>,
    breaks: BTreeMap<(String, u64), Found>,
}

/// A repository in memory that keeps the port's whole contract.
#[derive(Default)]
pub struct InMemoryPayments {
    tables: Mutex<Tables>,
}

impl InMemoryPayments {
    /// An empty repository.
    pub fn new() -> Self {
        Self::default()
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl PaymentRepository for InMemoryPayments {
    async fn insert<'a>(
        &self,
        payment: &Payment,
        key: Option<&'a CheckoutKey>,
    ) -> Result<Inserted, StoreError> {
        let mut tables = self.tables();
        let id = payment.order_id.clone();
        if let Some(key) = key {
            let slot = (key.user_id, key.key.to_string());
            if let Some((order_id, fingerprint)) = tables.keys.get(&slot).cloned() {
                return Ok(Inserted::KeyTaken {
                    order_id,
                    fingerprint,
                });
            }
        }
        if tables.payments.contains_key(&id) {
            let source = format!("order {id} exists").into();
            return Err(StoreError::Corrupt {
                action: "store a payment",
                source,
            });
        }
        if let Some(key) = key {
            let slot = (key.user_id, key.key.to_string());
            let asked = (id.clone(), key.fingerprint.clone());
            tables.keys.insert(slot, asked);
        }
        tables
            .history
            .insert(id.clone(), vec![payment.checked_out_entry()]);
        tables.payments.insert(id, payment.clone());
        Ok(Inserted::Stored)
    }

    async fn find_checkout(
        &self,
        user_id: UserId,
        key: &IdempotencyKey,
    ) -> Result<Option<(OrderId, String)>, StoreError> {
        Ok(self.tables().keys.get(&(user_id, key.to_string())).cloned())
    }

    async fn find(&self, order_id: &OrderId) -> Result<Option<Payment>, StoreError> {
        Ok(self.tables().payments.get(order_id).cloned())
    }

    async fn apply(&self, change: &Change) -> Result<Applied, StoreError> {
        let mut tables = self.tables();
        let id = change.after.order_id.clone();
        let ends_nothing = |number: u32| {
            let attempts = tables.attempts.get(&id);
            !attempts.is_some_and(|all| all.iter().any(|attempt| attempt.number == number))
        };
        let impossible = match &change.attempt {
            Some(AttemptChange::Finish { number, .. }) => ends_nothing(*number),
            Some(AttemptChange::Start(_)) | None => false,
        };
        match tables.payments.get_mut(&id) {
            Some(stored)
                if stored.status == change.expected_status
                    && stored.fence == change.expected_fence =>
            {
                if impossible {
                    let source = format!("order {id} has no such attempt").into();
                    return Err(StoreError::Corrupt {
                        action: "store a change",
                        source,
                    });
                }
                stored.clone_from(&change.after);
            }
            Some(_) | None => return Ok(Applied::Stale),
        }
        tables
            .history
            .entry(id.clone())
            .or_default()
            .push(change.history.clone());
        match &change.attempt {
            Some(AttemptChange::Start(attempt)) => {
                tables
                    .attempts
                    .entry(id.clone())
                    .or_default()
                    .push(attempt.clone());
            }
            Some(AttemptChange::Finish { number, result }) => {
                let attempts = tables.attempts.entry(id.clone()).or_default();
                if let Some(attempt) = attempts
                    .iter_mut()
                    .find(|attempt| attempt.number == *number)
                {
                    attempt.result = Some(result.clone());
                    attempt.finished_at = Some(change.history.at);
                }
            }
            None => {}
        }
        if let Some(cancel) = &change.cancel {
            let key = (id.clone(), cancel.number);
            tables.cancels.insert(key, Cancel::clone(cancel));
        }
        if let Some(transaction) = &change.transaction {
            let fences = tables.moved_at.entry(id.clone()).or_default();
            fences.push(change.history.fence);
            tables
                .transactions
                .entry(id.clone())
                .or_default()
                .push(transaction.clone());
        }
        if let Some(instruction) = change.stock {
            let key = OutboxKey {
                order_id: id,
                fence: change.history.fence,
            };
            let due_at = change.history.at;
            let message = OutboxMessage {
                key: key.clone(),
                instruction,
                due_at,
                failures: 0,
            };
            tables.outbox.insert(key, message);
        }
        Ok(Applied::Yes)
    }

    async fn due(
        &self,
        now: Timestamp,
        after: Option<DuePayment>,
        limit: u32,
    ) -> Result<Vec<DuePayment>, StoreError> {
        let tables = self.tables();
        let mut due: Vec<_> = tables
            .payments
            .values()
            .filter(|payment| payment.is_due(now))
            .filter_map(|payment| {
                Some(DuePayment {
                    due_at: payment.due_at?,
                    order_id: payment.order_id.clone(),
                })
            })
            .filter(|due| after.as_ref().is_none_or(|after| due > after))
            .collect();
        due.sort();
        due.truncate(limit as usize);
        Ok(due)
    }

    async fn hasten(
        &self,
        longer_than: Duration,
        now: Timestamp,
        limit: u32,
    ) -> Result<usize, StoreError> {
        let mut tables = self.tables();
        let waiting = tables.payments.values_mut().filter(|payment| {
            payment.status == PaymentStatus::Unknown
                && payment
                    .due_at
                    .is_some_and(|due| due > now && due > payment.updated_at + longer_than)
        });
        let mut hastened = 0;
        for payment in waiting.take(limit as usize) {
            payment.due_at = Some(now);
            hastened += 1;
        }
        Ok(hastened)
    }

    async fn vitals(&self, now: Timestamp) -> Result<Vitals, StoreError> {
        let tables = self.tables();
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let due = || {
            tables
                .payments
                .values()
                .filter(move |payment| payment.is_due(now))
        };
        let messages = || {
            tables
                .outbox
                .values()
                .filter(move |message| message.due_at <= now)
        };
        let quarantined = tables
            .payments
            .values()
            .filter(|payment| payment.status == PaymentStatus::Quarantined);
        Ok(Vitals {
            quarantined: count(quarantined.count()),
            due: count(due().count()),
            oldest_due: due().filter_map(|payment| payment.due_at).min(),
            messages_due: count(messages().count()),
            oldest_message: messages().map(|message| message.due_at).min(),
        })
    }

    async fn attempts(&self, order_id: &OrderId) -> Result<Vec<Attempt>, StoreError> {
        Ok(self
            .tables()
            .attempts
            .get(order_id)
            .cloned()
            .unwrap_or_default())
    }

    async fn cancels(&self, order_id: &OrderId) -> Result<Vec<Cancel>, StoreError> {
        let tables = self.tables();
        let all = tables.cancels.iter();
        let of_order = all.filter(|((id, _), _)| id == order_id);
        Ok(of_order.map(|(_, cancel)| cancel.clone()).collect())
    }

    async fn history(&self, order_id: &OrderId) -> Result<Vec<HistoryEntry>, StoreError> {
        Ok(self
            .tables()
            .history
            .get(order_id)
            .cloned()
            .unwrap_or_default())
    }

    async fn transactions(&self, order_id: &OrderId) -> Result<Vec<Transaction>, StoreError> {
        Ok(self
            .tables()
            .transactions
            .get(order_id)
            .cloned()
            .unwrap_or_default())
    }

    async fn due_messages(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<OutboxMessage>, StoreError> {
        let tables = self.tables();
        let mut due: Vec<_> = tables
            .outbox
            .values()
            .filter(|message| message.due_at <= now)
            .cloned()
            .collect();
        due.sort_by(|a, b| (a.due_at, &a.key).cmp(&(b.due_at, &b.key)));
        due.truncate(limit as usize);
        Ok(due)
    }

    async fn messages_of(&self, order_id: &OrderId) -> Result<Vec<OutboxMessage>, StoreError> {
        let tables = self.tables();
        Ok(tables
            .outbox
            .values()
            .filter(|message| message.key.order_id == *order_id)
            .cloned()
            .collect())
    }

    async fn message_delivered(&self, key: &OutboxKey) -> Result<(), StoreError> {
        self.tables().outbox.remove(key);
        Ok(())
    }

    async fn message_failed(&self, key: &OutboxKey, retry_at: Timestamp) -> Result<(), StoreError> {
        if let Some(message) = self.tables().outbox.get_mut(key) {
            message.due_at = retry_at;
            message.failures += 1;
        }
        Ok(())
    }
}
