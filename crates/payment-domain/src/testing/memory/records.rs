use std::cmp::Reverse;

use async_trait::async_trait;
use kernel::StoreError;

use super::InMemoryPayments;
use crate::model::Payment;
use crate::port::{PaymentFilter, PaymentPage, PaymentRecords, PaymentSummary, Place};

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
}
