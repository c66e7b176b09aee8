//! Several changes of payments in one transaction.
//!
//! The payments are locked in the order of their ids and looked at; what each unit is to be told
//! follows in Rust, from the same condition as in the plain update; then all rows of all units that
//! hit are written, table by table.

use std::collections::{BTreeMap, BTreeSet};

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use kernel::{Fence, IdempotencyKey, OrderId, StoreError, UserId, micros};
use payment_domain::model::{AttemptChange, Change, OutboxKey, Payment, PaymentStatus};
use payment_domain::port::{Applied, CheckoutKey, Inserted};

use super::cancels::CancelRow;
use super::journal::{
    AttemptEnd, AttemptRow, HistoryRow, OutboxRow, QuarantineRow, TransactionRow,
};
use super::rows::{CheckoutKeyRow, LineRow, PaymentRow};
use super::schema::{
    checkout_idempotency, payment_attempt, payment_event, payment_outbox, payment_quarantine,
};
use super::write;
use crate::bulk::{Inserts, Replaces, Reused, keys};
use crate::database::Database;
use crate::error::{Fault, raced};
use crate::group::{Answers, Unit};
use crate::transaction::{End, Failed, Locked, Tries};

/// One call of the repository that writes.
pub(crate) enum PaymentUnit {
    Insert(Box<Payment>, Option<CheckoutKey>),
    Apply(Box<Change>),
    Delivered(OutboxKey),
}

/// What a [`PaymentUnit`] is told, by the same name.
#[derive(Debug)]
pub(crate) enum PaymentAnswer {
    Inserted(Inserted),
    Applied(Applied),
    Delivered,
}

impl PaymentAnswer {
    /// A unit was told what another kind of unit is told.
    pub(super) fn misplaced(self, action: &'static str) -> StoreError {
        Fault::corrupt(format!("the answer is {self:?}")).into_store_error(action)
    }
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum PaymentKey {
    Order(OrderId),
    Checkout(UserId, IdempotencyKey),
}

impl Unit for PaymentUnit {
    type Key = PaymentKey;
    type Answer = PaymentAnswer;

    fn keys(&self) -> Vec<PaymentKey> {
        match self {
            Self::Insert(payment, None) => vec![PaymentKey::Order(payment.order_id.clone())],
            Self::Insert(payment, Some(CheckoutKey { user_id, key, .. })) => vec![
                PaymentKey::Order(payment.order_id.clone()),
                PaymentKey::Checkout(*user_id, key.clone()),
            ],
            Self::Apply(change) => vec![PaymentKey::Order(change.after.order_id.clone())],
            Self::Delivered(message) => vec![PaymentKey::Order(message.order_id.clone())],
        }
    }

    fn action(&self) -> &'static str {
        match self {
            Self::Insert(..) => write::INSERT,
            Self::Apply(_) => write::APPLY,
            Self::Delivered(_) => write::DELIVERED,
        }
    }

    async fn alone(&self, database: &Database) -> Result<PaymentAnswer, StoreError> {
        match self {
            Self::Insert(payment, key) => write::insert(database, payment, key.as_ref())
                .await
                .map(PaymentAnswer::Inserted),
            Self::Apply(change) => write::apply(database, change)
                .await
                .map(PaymentAnswer::Applied),
            Self::Delivered(message) => write::delivered(database, message)
                .await
                .map(|()| PaymentAnswer::Delivered),
        }
    }

    async fn together(units: &[Self], database: &Database) -> Result<Answers<Self>, Failed> {
        let tries = Tries::shared(database, "store changes of several payments");
        with_tx!(tries, |connection| {
            let mut found = Found::default();
            let changed = orders(units, |unit| matches!(unit, Self::Apply(_)));
            if !changed.is_empty() {
                let query = payment_event::table
                    .filter(payment_event::order_id.eq_any(&changed))
                    .order(payment_event::order_id)
                    .select((
                        payment_event::order_id,
                        payment_event::status,
                        payment_event::fence,
                    ));
                let rows: Vec<(String, String, i64)> =
                    Reused(Locked(query)).get_results(connection).await?;
                let rows = rows.into_iter();
                found.payments = rows
                    .map(|(id, status, fence)| (id, (status, fence)))
                    .collect();
            }
            let ending = orders(units, Self::ends_an_attempt);
            if !ending.is_empty() {
                let query = payment_attempt::table
                    .filter(payment_attempt::order_id.eq_any(&ending))
                    .select(AttemptRow::as_select());
                let rows: Vec<AttemptRow> = Reused(query).load(connection).await?;
                found.attempts = rows.into_iter().map(|row| (row.key(), row)).collect();
            }
            let new = orders(units, |unit| matches!(unit, Self::Insert(..)));
            if !new.is_empty() {
                let (users, keys) = checkout_keys(units);
                let query = checkout_idempotency::table
                    .filter(checkout_idempotency::user_id.eq_any(&users))
                    .filter(checkout_idempotency::idempotency_key.eq_any(&keys))
                    .select(CheckoutKeyRow::as_select());
                let rows: Vec<CheckoutKeyRow> = Reused(query).load(connection).await?;
                found.checkouts = rows.into_iter().map(|row| (row.key(), row)).collect();
                let query = payment_event::table
                    .filter(payment_event::order_id.eq_any(&new))
                    .select(payment_event::order_id);
                let rows: Vec<String> = Reused(query).load(connection).await?;
                found.taken = rows.into_iter().collect();
            }
            let (answers, writes) = Writes::of(units, found);
            if writes.is_empty() {
                return Ok(End::RollBack(answers));
            }
            let Writes {
                resolved,
                delivered,
                ..
            } = &writes;
            if !resolved.is_empty() {
                let resolved = payment_quarantine::order_id.eq_any(keys(resolved));
                let rows = diesel::delete(payment_quarantine::table.filter(resolved));
                Reused(rows).execute(connection).await?;
            }
            for (fence, orders) in delivered {
                let messages = payment_outbox::table
                    .filter(payment_outbox::order_id.eq_any(keys(orders)))
                    .filter(payment_outbox::fence.eq(*fence));
                Reused(diesel::delete(messages)).execute(connection).await?;
            }
            writes.store(connection).await?;
            Ok(End::Commit(answers))
        })
    }
}

impl PaymentUnit {
    fn order_id(&self) -> &OrderId {
        match self {
            Self::Insert(payment, _) => &payment.order_id,
            Self::Apply(change) => &change.after.order_id,
            Self::Delivered(message) => &message.order_id,
        }
    }

    fn ends_an_attempt(&self) -> bool {
        match self {
            Self::Apply(change) => matches!(change.attempt, Some(AttemptChange::Finish { .. })),
            Self::Insert(..) | Self::Delivered(_) => false,
        }
    }
}

/// The ids of these units' orders, as a list of keys.
fn orders(units: &[PaymentUnit], mut which: impl FnMut(&PaymentUnit) -> bool) -> Vec<&str> {
    let chosen = units.iter().filter(|unit| which(unit));
    keys(chosen.map(|unit| unit.order_id().as_str()))
}

/// The users and the texts of all checkout keys; what is found by both is more than was asked for.
fn checkout_keys(units: &[PaymentUnit]) -> (Vec<i64>, Vec<&str>) {
    let asked = units.iter().filter_map(|unit| match unit {
        PaymentUnit::Insert(_, key) => key.as_ref(),
        PaymentUnit::Apply(_) | PaymentUnit::Delivered(_) => None,
    });
    let asked = asked.map(|key| (key.user_id.get(), key.key.as_str()));
    keys(asked).into_iter().unzip()
}

/// What was in the database.
#[derive(Default)]
struct Found {
    /// Status and fence of the payments that are to change.
    payments: BTreeMap<String, (String, i64)>,
    /// By order and number.
    attempts: BTreeMap<(String, i64), AttemptRow>,
    /// By user and key.
    checkouts: BTreeMap<(i64, String), CheckoutKeyRow>,
    /// Order ids that exist.
    taken: BTreeSet<String>,
}

/// All that the units of one transaction write.
#[derive(Default)]
struct Writes {
    checkouts: Vec<CheckoutKeyRow>,
    new: Vec<PaymentRow>,
    lines: Vec<LineRow>,
    changed: Vec<PaymentRow>,
    history: Vec<HistoryRow>,
    begun: Vec<AttemptRow>,
    ended: Vec<AttemptRow>,
    cancels: Vec<CancelRow>,
    quarantined: Vec<QuarantineRow>,
    /// Orders that leave the quarantine.
    resolved: Vec<String>,
    transactions: Vec<TransactionRow>,
    outbox: Vec<OutboxRow>,
    /// Orders whose message of this fence was delivered.
    delivered: BTreeMap<i64, Vec<String>>,
}

impl Writes {
    /// What each unit is told, and what all together write. A unit that fails writes nothing.
    fn of(units: &[PaymentUnit], mut found: Found) -> (Answers<PaymentUnit>, Self) {
        let mut writes = Self::default();
        let answers = units.iter().map(|unit| match unit {
            PaymentUnit::Insert(payment, key) => writes
                .insert(payment, key.as_ref(), &mut found)
                .map(PaymentAnswer::Inserted),
            PaymentUnit::Apply(change) => {
                writes.apply(change, &mut found).map(PaymentAnswer::Applied)
            }
            PaymentUnit::Delivered(OutboxKey { order_id, fence }) => {
                let orders = writes.delivered.entry(fence.get()).or_default();
                orders.push(order_id.to_string());
                Ok(PaymentAnswer::Delivered)
            }
        });
        let answers = answers.collect();
        (answers, writes)
    }

    fn insert(
        &mut self,
        payment: &Payment,
        key: Option<&CheckoutKey>,
        found: &mut Found,
    ) -> Result<Inserted, Fault> {
        let id = &payment.order_id;
        let key = key.map(|key| CheckoutKeyRow::encode(key, payment));
        if let Some(taken) = key
            .as_ref()
            .and_then(|key| found.checkouts.remove(&key.key()))
        {
            return taken.taken();
        }
        if found.taken.contains(id.as_str()) {
            return Err(Fault::corrupt(format!("order {id} exists")));
        }
        let event = PaymentRow::encode(payment)?;
        self.checkouts.extend(key);
        self.new.push(event);
        self.lines.extend(LineRow::encode_all(payment));
        self.history
            .push(HistoryRow::encode(id, &payment.checked_out_entry()));
        Ok(Inserted::Stored)
    }

    fn apply(&mut self, change: &Change, found: &mut Found) -> Result<Applied, Fault> {
        let id = &change.after.order_id;
        let is_as_expected = found
            .payments
            .get(id.as_str())
            .is_some_and(|(status, fence)| {
                status == change.expected_status.as_str()
                    && Fence::from_stored(*fence) == change.expected_fence
            });
        if !is_as_expected {
            return Ok(Applied::Stale);
        }
        let event = PaymentRow::encode(&change.after)?;
        let cancel = change.cancel.as_ref();
        let cancel = cancel
            .map(|cancel| CancelRow::encode(id, cancel))
            .transpose()?;
        match &change.attempt {
            None => {}
            Some(AttemptChange::Start(attempt)) => self.begun.push(AttemptRow::encode(id, attempt)),
            Some(AttemptChange::Finish { number, result }) => {
                let attempt = found.attempts.remove(&(id.to_string(), i64::from(*number)));
                let attempt = attempt
                    .ok_or_else(|| Fault::corrupt(format!("order {id} has no attempt {number}")))?;
                let end = AttemptEnd::encode(Some(result), Some(micros(change.history.at)));
                self.ended.push(attempt.ended(end));
            }
        }
        self.cancels.extend(cancel);
        self.changed.push(event);
        self.history.push(HistoryRow::encode(id, &change.history));
        let was_quarantined = change.expected_status == PaymentStatus::Quarantined;
        let is_quarantined = change.after.status == PaymentStatus::Quarantined;
        if is_quarantined && !was_quarantined {
            self.quarantined.push(QuarantineRow::encode(change));
        } else if was_quarantined && !is_quarantined {
            self.resolved.push(id.to_string());
        }
        let transaction = change.transaction.as_ref();
        self.transactions
            .extend(transaction.map(|moved| TransactionRow::encode(change, moved)));
        let instruction = change.stock;
        self.outbox
            .extend(instruction.map(|instruction| OutboxRow::encode(change, instruction)));
        Ok(Applied::Yes)
    }

    /// Each of the others comes with one of these.
    fn is_empty(&self) -> bool {
        self.new.is_empty() && self.changed.is_empty() && self.delivered.is_empty()
    }

    /// Keys of checkouts first: they are what two of them may both want.
    async fn store<C>(self, connection: &mut C) -> Result<(), Fault>
    where
        C: Inserts<CheckoutKeyRow>
            + Inserts<PaymentRow>
            + Inserts<LineRow>
            + Inserts<HistoryRow>
            + Inserts<AttemptRow>
            + Inserts<QuarantineRow>
            + Inserts<TransactionRow>
            + Inserts<OutboxRow>
            + Replaces<PaymentRow>
            + Replaces<AttemptRow>
            + Replaces<CancelRow>,
    {
        let mut checkouts = self.checkouts;
        checkouts.sort_by_key(CheckoutKeyRow::key);
        connection.insert_all(checkouts).await.map_err(raced)?;
        connection.insert_all(self.new).await?;
        connection.insert_all(self.lines).await?;
        connection.replace_all(self.changed).await?;
        connection.replace_all(self.ended).await?;
        connection.insert_all(self.begun).await?;
        connection.replace_all(self.cancels).await?;
        connection.insert_all(self.history).await?;
        connection.insert_all(self.quarantined).await?;
        connection.insert_all(self.transactions).await?;
        connection.insert_all(self.outbox).await?;
        Ok(())
    }
}
