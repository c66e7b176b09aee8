//! What operators, and whoever watches a payment, may ask about it: a receiver of its own, because
//! none of it changes anything.

use std::sync::Arc;

use async_trait::async_trait;
use kernel::{Fence, Money, OrderId, StoreError, Timestamp};

use crate::model::{HistoryEntry, Records, Replayed};
use crate::port::{
    PaymentFilter, PaymentPage, PaymentRecord, PaymentRecords, PaymentSummary, Place,
};
use crate::receiver::ReadError;

/// What was recorded of a payment, and the payment that the records make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentHistory {
    /// What is, or was, to be paid.
    pub total: Money,
    /// The payment as the records make it; `None` when it was not there yet, or they make none.
    pub payment: Option<Replayed>,
    /// Why the records make no payment, or another one than is stored. Always a defect.
    pub problem: Option<String>,
    /// The records.
    pub records: Records,
}

/// Reads payments.
#[async_trait]
pub trait PaymentReader: Send + Sync {
    /// Payments that the filter covers, newest first, at most `limit`: the first ones, or those
    /// behind `after`.
    ///
    /// A payment keeps its place for good. One whose status comes to fit the filter, or ceases to,
    /// is listed if it fits when its page is read; none is listed twice, and none that fits all the
    /// while is missed. What is checked out meanwhile comes before the first page.
    async fn list(
        &self,
        filter: &PaymentFilter,
        after: Option<&Place>,
        limit: u32,
    ) -> Result<PaymentPage, StoreError>;

    /// All that was recorded of a payment, or only what had been by `at`.
    async fn history(
        &self,
        order_id: &OrderId,
        at: Option<Timestamp>,
    ) -> Result<PaymentHistory, ReadError>;

    /// A payment's latest change.
    async fn last_change(&self, order_id: &OrderId) -> Result<HistoryEntry, ReadError>;

    /// A payment's changes that lead to fences above `after`, oldest first, at most `limit`.
    async fn changes(
        &self,
        order_id: &OrderId,
        after: Fence,
        limit: u32,
    ) -> Result<Vec<HistoryEntry>, StoreError>;
}

/// The [`PaymentReader`] over a store.
pub struct RecordService {
    records: Arc<dyn PaymentRecords>,
}

impl RecordService {
    /// A reader of this store.
    pub fn new(records: Arc<dyn PaymentRecords>) -> Self {
        Self { records }
    }
}

#[async_trait]
impl PaymentReader for RecordService {
    async fn list(
        &self,
        filter: &PaymentFilter,
        after: Option<&Place>,
        limit: u32,
    ) -> Result<PaymentPage, StoreError> {
        self.records.page(filter, after, limit).await
    }

    async fn history(
        &self,
        order_id: &OrderId,
        at: Option<Timestamp>,
    ) -> Result<PaymentHistory, ReadError> {
        let record = self.records.record(order_id).await?;
        let PaymentRecord {
            payment: row,
            records,
        } = record.ok_or_else(|| ReadError::UnknownOrder(order_id.clone()))?;
        let records = match at {
            Some(at) => records.as_of(at),
            None => records,
        };
        let (payment, problem) = match records.replay() {
            Ok(payment) if at.is_some() => (payment, None),
            Ok(payment) => {
                let problem = difference(&row, payment.as_ref());
                (payment, problem)
            }
            Err(broken) => (None, Some(broken.to_string())),
        };
        if let Some(problem) = &problem {
            tracing::error!(%order_id, %problem, "a payment and its records do not agree");
        }
        Ok(PaymentHistory {
            total: row.total,
            payment,
            problem,
            records,
        })
    }

    async fn last_change(&self, order_id: &OrderId) -> Result<HistoryEntry, ReadError> {
        let last = self.records.last_change(order_id).await?;
        last.ok_or_else(|| ReadError::UnknownOrder(order_id.clone()))
    }

    async fn changes(
        &self,
        order_id: &OrderId,
        after: Fence,
        limit: u32,
    ) -> Result<Vec<HistoryEntry>, StoreError> {
        self.records.changes(order_id, after, limit).await
    }
}

/// How the row differs from the payment that its records make. The row may be older than they are.
fn difference(row: &PaymentSummary, replayed: Option<&Replayed>) -> Option<String> {
    let Some(replayed) = replayed else {
        return Some("nothing is recorded".to_owned());
    };
    let agrees = if row.fence == replayed.fence {
        (row.status, row.balance) == (replayed.status, replayed.balance)
    } else {
        row.fence < replayed.fence
    };
    (!agrees).then(|| {
        format!(
            "the row says {} at fence {} with a balance of {}, its records {} at fence {} with {}",
            row.status,
            row.fence.get(),
            row.balance,
            replayed.status,
            replayed.fence.get(),
            replayed.balance
        )
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::{PaymentFact, PaymentStatus};
    use crate::port::PaymentRepository as _;
    use crate::testing::{InMemoryPayments, change, order_id, payment};

    async fn claimed(
        spoil: impl Fn(&mut crate::model::Change),
    ) -> (Arc<InMemoryPayments>, RecordService) {
        let store = Arc::new(InMemoryPayments::new());
        let ready = payment();
        store.insert(&ready, None).await.unwrap();
        let mut claim = change(
            &ready,
            PaymentFact::Claimed,
            ready.created_at + Duration::from_secs(1),
        );
        spoil(&mut claim);
        store.apply(&claim).await.unwrap();
        let reader = RecordService::new(store.clone());
        (store, reader)
    }

    #[tokio::test]
    async fn a_history_is_told_as_of_any_moment() {
        let (_, reader) = claimed(|_| {}).await;
        let id = payment().order_id;
        let now = reader.history(&id, None).await.unwrap();
        assert_eq!((now.problem, now.records.history.len()), (None, 2));
        assert_eq!(
            now.payment.map(|payment| payment.status),
            Some(PaymentStatus::InProgress)
        );
        let then = reader
            .history(&id, Some(payment().created_at))
            .await
            .unwrap();
        assert_eq!((then.problem, then.records.history.len()), (None, 1));
        assert_eq!(
            then.payment.map(|payment| payment.status),
            Some(PaymentStatus::Ready)
        );
        let before = payment().created_at - Duration::from_secs(1);
        let before = reader.history(&id, Some(before)).await.unwrap();
        assert_eq!((before.payment, before.problem), (None, None));
        let nobody = reader.history(&order_id("order-nobody"), None).await;
        assert!(matches!(nobody, Err(ReadError::UnknownOrder(_))));
    }

    #[tokio::test]
    async fn a_row_that_its_records_do_not_make_is_told() {
        for spoil in [
            |change: &mut crate::model::Change| change.after.balance = change.after.total,
            |change: &mut crate::model::Change| change.after.status = PaymentStatus::Done,
            |change: &mut crate::model::Change| change.after.fence = change.after.fence.next(),
            |change: &mut crate::model::Change| change.history.fact = PaymentFact::Approved,
        ] {
            let (_, reader) = claimed(spoil).await;
            let history = reader.history(&payment().order_id, None).await.unwrap();
            assert!(history.problem.is_some(), "{history:?}");
        }
    }
}
