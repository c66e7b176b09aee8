//! News for merchants: committed with their cause in the outbox, handed over when that is delivered.

use kernel::{Fence, Money, OrderId, StoreError};

use super::PaymentService;
use crate::model::{
    Change, HistoryEntry, NewsKind, OutboxKey, Payment, PaymentStatus, Records, StockInstruction,
    TransactionKind, replay,
};
use crate::port::News;

impl PaymentService {
    /// A change that merchants are told takes a message with it, if anybody listens and it has none
    /// for the stock's sake.
    pub(super) fn with_news(&self, mut change: Change) -> Change {
        if change.stock.is_none()
            && NewsKind::of(&change.history).is_some()
            && self.ports.news.is_awaited()
        {
            change.stock = Some(StockInstruction::Keep);
        }
        change
    }

    /// Hands over what the change of this message tells, and before it what earlier changes of the
    /// payment tell and still lies in the outbox: whoever listens gets it in order.
    pub(super) async fn announce(&self, key: &OutboxKey) -> Result<(), StoreError> {
        if !self.ports.news.is_awaited() {
            return Ok(());
        }
        let order_id = &key.order_id;
        // The records are read later than the payment, so they are not older.
        let payment = self.ports.payments.find(order_id).await?;
        let record = self.ports.records.record(order_id).await?;
        let (Some(payment), Some(record)) = (payment, record) else {
            return Err(missing(order_id, key.fence));
        };
        let records = &record.records;
        let Some(entry) = entry(records, key.fence) else {
            return Err(missing(order_id, key.fence));
        };
        if NewsKind::of(entry).is_none() {
            return Ok(());
        }
        if entry.from.is_some_and(may_have_been_told) {
            let messages = self.ports.payments.messages_of(order_id).await?;
            let earlier = messages.iter().map(|message| message.key.fence);
            for fence in earlier.filter(|fence| *fence < key.fence) {
                self.tell(&payment, records, fence).await?;
            }
        }
        self.tell(&payment, records, key.fence).await
    }

    async fn tell(
        &self,
        payment: &Payment,
        records: &Records,
        fence: Fence,
    ) -> Result<(), StoreError> {
        match news(payment, records, fence) {
            Some(news) => self.ports.news.tell(&news).await,
            None => Ok(()),
        }
    }
}

/// Whether a payment that leaves this status can have been told of before.
fn may_have_been_told(from: PaymentStatus) -> bool {
    match from {
        PaymentStatus::Ready | PaymentStatus::InProgress | PaymentStatus::Unknown => false,
        PaymentStatus::WaitingForDeposit
        | PaymentStatus::Done
        | PaymentStatus::Failed
        | PaymentStatus::Expired
        | PaymentStatus::PartialCanceled
        | PaymentStatus::Canceled
        | PaymentStatus::Quarantined => true,
    }
}

fn entry(records: &Records, fence: Fence) -> Option<&HistoryEntry> {
    records.history.iter().find(|entry| entry.fence == fence)
}

/// What the change with this fence tells: the payment as it was right after it. Status, balance and
/// movements are exact; of a payment that has changed since, what has come since is left out.
fn news(payment: &Payment, records: &Records, fence: Fence) -> Option<News> {
    let entry = entry(records, fence)?;
    let kind = NewsKind::of(entry)?;
    let moved: Vec<_> = records
        .movements
        .iter()
        .filter(|moved| moved.fence <= fence)
        .cloned()
        .collect();
    let mut then = payment.clone();
    if payment.fence != fence {
        let history: Vec<_> = records
            .history
            .iter()
            .filter(|entry| entry.fence <= fence)
            .cloned()
            .collect();
        let replayed = replay(&history, &moved).ok().flatten();
        then.balance = replayed.map_or(Money::ZERO, |replayed| replayed.balance);
        then.status = entry.to;
        then.fence = fence;
        then.updated_at = entry.at;
        then.failure = then.failure.filter(|_| entry.to == PaymentStatus::Failed);
        let was_approved = moved
            .iter()
            .any(|moved| moved.transaction.kind == TransactionKind::Approval);
        then.approved_at = then.approved_at.filter(|_| was_approved);
    }
    Some(News {
        kind,
        sequence: fence,
        at: entry.at,
        payment: then,
        transactions: moved.into_iter().map(|moved| moved.transaction).collect(),
    })
}

fn missing(order_id: &OrderId, fence: Fence) -> StoreError {
    StoreError::Corrupt {
        action: "tell of a payment",
        source: format!("order {order_id} has no change with fence {}", fence.get()).into(),
    }
}
