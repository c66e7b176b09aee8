use std::cmp::Reverse;

use async_trait::async_trait;
use kernel::{Fence, OrderId, StoreError};

use super::InMemoryPayments;
use crate::model::{HistoryEntry, Movement, Payment, Records};
use crate::port::{
    PaymentFilter, PaymentPage, PaymentRecord, PaymentRecords, PaymentSummary, Place,
};

fn summary(payment: &Payment) -> PaymentSummary {
    PaymentSummary {
        order_id: payment.order_id.clone(),
        order_name: payment.order_name.clone(),
        user_id: payment.buyer.user_id,
        total: payment.total,
        balance: payment.balance,
        status: payment.status,
        fence: payment.fence,
        payment_key: payment.payment_key.clone(),
        method: payment.method.clone(),
        created_at: payment.created_at,
        approved_at: payment.approved_at,
        updated_at: payment.updated_at,
    }
}

#[async_trait]
impl PaymentRecords for InMemoryPayments {
    async fn page(
        &self,
        filter: &PaymentFilter,
        after: Option<&Place>,
        limit: u32,
    ) -> Result<PaymentPage, StoreError> {
        let tables = self.tables();
        let listed = tables.payments.values().map(summary);
        let mut payments: Vec<_> = listed
            .filter(|payment| filter.covers(payment))
            .filter(|payment| after.is_none_or(|after| payment.place() < *after))
            .collect();
        payments.sort_by_key(|payment| Reverse(payment.place()));
        let is_all = payments.len() <= limit as usize;
        payments.truncate(limit as usize);
        let last = payments.last().map(PaymentSummary::place);
        let next = last.filter(|_| !is_all);
        Ok(PaymentPage { payments, next })
    }

    async fn record(&self, order_id: &OrderId) -> Result<Option<PaymentRecord>, StoreError> {
        let tables = self.tables();
        let Some(payment) = tables.payments.get(order_id).map(summary) else {
            return Ok(None);
        };
        let transactions = tables.transactions.get(order_id).into_iter().flatten();
        let fences = tables.moved_at.get(order_id).into_iter().flatten();
        let movements = fences.zip(transactions).map(|(fence, moved)| Movement {
            fence: *fence,
            transaction: moved.clone(),
        });
        let records = Records {
            history: tables.history.get(order_id).cloned().unwrap_or_default(),
            attempts: tables.attempts.get(order_id).cloned().unwrap_or_default(),
            movements: movements.collect(),
        };
        Ok(Some(PaymentRecord { payment, records }))
    }

    async fn last_change(&self, order_id: &OrderId) -> Result<Option<HistoryEntry>, StoreError> {
        let tables = self.tables();
        let history = tables.history.get(order_id);
        Ok(history.and_then(|history| history.last()).cloned())
    }

    async fn changes(
        &self,
        order_id: &OrderId,
        after: Fence,
        limit: u32,
    ) -> Result<Vec<HistoryEntry>, StoreError> {
        let tables = self.tables();
        let history = tables.history.get(order_id).into_iter().flatten();
        let later = history.filter(|entry| entry.fence > after);
        Ok(later.take(limit as usize).cloned().collect())
    }
}
