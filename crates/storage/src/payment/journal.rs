//! The rows that a change adds: attempts, history, money movements and outbox messages, and back.

use diesel::prelude::*;
use kernel::{Fence, Money, OrderId, PaymentKey, from_micros, micros};
use payment_domain::model::{
    Attempt, AttemptOutcome, AttemptPurpose, AttemptResult, Change, HistoryEntry, Movement,
    OutboxKey, OutboxMessage, PaymentFact, StockInstruction, Transaction, TransactionKind,
};

use super::rows::{count, moment, status};
use super::schema::{
    payment_attempt, payment_history, payment_outbox, payment_quarantine, payment_transaction,
};
use crate::error::Fault;

bulk!(HistoryRow => payment_history);
bulk!(TransactionRow => payment_transaction);
bulk!(OutboxRow => payment_outbox);
bulk!(QuarantineRow => payment_quarantine);
bulk!(
    AttemptRow => payment_attempt,
    key (payment_attempt::order_id, payment_attempt::attempt_no),
    changes [outcome, code, message, trace_id, finished_at]
);

/// What came of an attempt; `None` is NULL.
#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = payment_attempt, treat_none_as_null = true, treat_none_as_default_value = false)]
pub(super) struct AttemptEnd {
    outcome: Option<String>,
    code: Option<String>,
    message: Option<String>,
    trace_id: Option<String>,
    finished_at: Option<i64>,
}

impl AttemptEnd {
    pub(super) fn encode(result: Option<&AttemptResult>, finished_at: Option<i64>) -> Self {
        Self {
            outcome: result.map(|result| result.outcome.as_str().to_owned()),
            code: result.and_then(|result| result.code.clone()),
            message: result.and_then(|result| result.message.clone()),
            trace_id: result.and_then(|result| result.trace_id.clone()),
            finished_at,
        }
    }

    fn decode(self) -> Result<Option<AttemptResult>, Fault> {
        let Some(outcome) = self.outcome else {
            return Ok(None);
        };
        let outcome = AttemptOutcome::parse(&outcome)
            .ok_or_else(|| Fault::corrupt(format!("an attempt is {outcome}")))?;
        let Self {
            code,
            message,
            trace_id,
            ..
        } = self;
        Ok(Some(AttemptResult {
            outcome,
            code,
            message,
            trace_id,
        }))
    }
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = payment_attempt, treat_none_as_default_value = false)]
pub(super) struct AttemptRow {
    order_id: String,
    attempt_no: i64,
    purpose: String,
    payment_key: String,
    amount: i64,
    started_at: i64,
    #[diesel(embed)]
    end: AttemptEnd,
}

impl AttemptRow {
    pub(super) fn encode(order_id: &OrderId, attempt: &Attempt) -> Self {
        Self {
            order_id: order_id.to_string(),
            attempt_no: attempt.number.into(),
            purpose: attempt.purpose.as_str().to_owned(),
            payment_key: attempt.payment_key.as_str().to_owned(),
            amount: attempt.amount.won(),
            started_at: micros(attempt.started_at),
            end: AttemptEnd::encode(attempt.result.as_ref(), attempt.finished_at.map(micros)),
        }
    }

    /// Order and number.
    pub(super) fn key(&self) -> (String, i64) {
        (self.order_id.clone(), self.attempt_no)
    }

    /// The same attempt with this end.
    pub(super) fn ended(self, end: AttemptEnd) -> Self {
        Self { end, ..self }
    }

    pub(super) fn decode(self) -> Result<Attempt, Fault> {
        let purpose = AttemptPurpose::parse(&self.purpose)
            .ok_or_else(|| Fault::corrupt(format!("an attempt's purpose is {}", self.purpose)))?;
        Ok(Attempt {
            number: count(self.attempt_no)?,
            purpose,
            payment_key: PaymentKey::try_from(self.payment_key)?,
            amount: Money::from_won(self.amount)?,
            started_at: from_micros(self.started_at),
            finished_at: moment(self.end.finished_at),
            result: self.end.decode()?,
        })
    }
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = payment_history, treat_none_as_default_value = false)]
pub(super) struct HistoryRow {
    order_id: String,
    fence: i64,
    from_status: Option<String>,
    to_status: String,
    fact: String,
    note: Option<String>,
    changed_at: i64,
}

impl HistoryRow {
    pub(super) fn encode(order_id: &OrderId, entry: &HistoryEntry) -> Self {
        Self {
            order_id: order_id.to_string(),
            fence: entry.fence.get(),
            from_status: entry.from.map(|status| status.as_str().to_owned()),
            to_status: entry.to.as_str().to_owned(),
            fact: entry.fact.as_str().to_owned(),
            note: entry.note.clone(),
            changed_at: micros(entry.at),
        }
    }

    pub(super) fn decode(self) -> Result<HistoryEntry, Fault> {
        let fact = PaymentFact::parse(&self.fact)
            .ok_or_else(|| Fault::corrupt(format!("a fact is {}", self.fact)))?;
        Ok(HistoryEntry {
            fence: Fence::from_stored(self.fence),
            from: self.from_status.as_deref().map(status).transpose()?,
            to: status(&self.to_status)?,
            fact,
            at: from_micros(self.changed_at),
            note: self.note,
        })
    }
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = payment_transaction, treat_none_as_default_value = false)]
pub(super) struct TransactionRow {
    order_id: String,
    fence: i64,
    kind: String,
    amount: i64,
    transaction_key: Option<String>,
    reason: Option<String>,
    moved_at: i64,
}

impl TransactionRow {
    pub(super) fn encode(change: &Change, transaction: &Transaction) -> Self {
        Self {
            order_id: change.after.order_id.to_string(),
            fence: change.history.fence.get(),
            kind: transaction.kind.as_str().to_owned(),
            amount: transaction.amount_won,
            transaction_key: transaction.transaction_key.clone(),
            reason: transaction.reason.clone(),
            moved_at: micros(transaction.at),
        }
    }

    pub(super) fn decode(self) -> Result<Transaction, Fault> {
        let kind = TransactionKind::parse(&self.kind)
            .ok_or_else(|| Fault::corrupt(format!("a transaction is {}", self.kind)))?;
        Ok(Transaction {
            kind,
            amount_won: self.amount,
            transaction_key: self.transaction_key,
            reason: self.reason,
            at: from_micros(self.moved_at),
        })
    }

    /// With the change that recorded it.
    pub(super) fn decode_movement(self) -> Result<Movement, Fault> {
        Ok(Movement {
            fence: Fence::from_stored(self.fence),
            transaction: self.decode()?,
        })
    }
}

/// A payment that waits for a person.
#[derive(Insertable)]
#[diesel(table_name = payment_quarantine, treat_none_as_default_value = false)]
pub(super) struct QuarantineRow {
    order_id: String,
    quarantined_at: i64,
}

impl QuarantineRow {
    /// The payment of a change that puts it there.
    pub(super) fn encode(change: &Change) -> Self {
        Self {
            order_id: change.after.order_id.to_string(),
            quarantined_at: micros(change.history.at),
        }
    }
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = payment_outbox, treat_none_as_default_value = false)]
pub(super) struct OutboxRow {
    order_id: String,
    fence: i64,
    instruction: String,
    due_at: i64,
    failures: i64,
}

impl OutboxRow {
    /// The message of a change, due at the change's time.
    pub(super) fn encode(change: &Change, instruction: StockInstruction) -> Self {
        Self {
            order_id: change.after.order_id.to_string(),
            fence: change.history.fence.get(),
            instruction: instruction.as_str().to_owned(),
            due_at: micros(change.history.at),
            failures: 0,
        }
    }

    pub(super) fn decode(self) -> Result<OutboxMessage, Fault> {
        let instruction = StockInstruction::parse(&self.instruction)
            .ok_or_else(|| Fault::corrupt(format!("an instruction is {}", self.instruction)))?;
        let order_id = OrderId::try_from(self.order_id)?;
        Ok(OutboxMessage {
            key: OutboxKey {
                order_id,
                fence: Fence::from_stored(self.fence),
            },
            instruction,
            due_at: from_micros(self.due_at),
            failures: count(self.failures)?,
        })
    }
}
