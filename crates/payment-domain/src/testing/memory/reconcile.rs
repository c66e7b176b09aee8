use async_trait::async_trait;
use kernel::{OrderId, StoreError};

use super::{InMemoryPayments, Tables};
use crate::model::{Books, Payment, Undelivered};
use crate::port::{Found, Place, ReconcileRepository, Run, Scope};

fn books(tables: &Tables, payment: &Payment) -> Books {
    let id = &payment.order_id;
    let moved = tables.transactions.get(id).into_iter().flatten();
    let moved: Vec<_> = moved.map(|transaction| transaction.amount_won).collect();
    let mut waiting = tables
        .outbox
        .values()
        .filter(|message| message.key.order_id == *id);
    Books {
        order_id: id.clone(),
        total: payment.total,
        balance: payment.balance,
        status: payment.status,
        fence: payment.fence,
        due_at: payment.due_at,
        attempts: payment.attempts,
        payment_key: payment.payment_key.clone(),
        created_at: payment.created_at,
        updated_at: payment.updated_at,
        approved_won: moved.iter().filter(|won| **won > 0).sum(),
        moved_won: moved.iter().sum(),
        undelivered: waiting.next().map(|message| Undelivered {
            due_at: message.due_at,
            failures: message.failures,
        }),
    }
}

#[async_trait]
impl ReconcileRepository for InMemoryPayments {
    async fn walk(
        &self,
        scope: &Scope,
        after: Option<&Place>,
        limit: u32,
    ) -> Result<Vec<Books>, StoreError> {
        let tables = self.tables();
        let all = tables.payments.values();
        let mut page: Vec<_> = all
            .map(|payment| books(&tables, payment))
            .filter(|books| scope.covers(books))
            .map(|books| {
                let place = Place {
                    created_at: books.created_at,
                    order_id: books.order_id.clone(),
                };
                (place, books)
            })
            .filter(|(place, _)| after.is_none_or(|after| place > after))
            .collect();
        page.sort_by(|(a, _), (b, _)| a.cmp(b));
        let page = page.into_iter().take(limit as usize);
        Ok(page.map(|(_, books)| books).collect())
    }

    async fn books(&self, order_ids: &[OrderId]) -> Result<Vec<Books>, StoreError> {
        let tables = self.tables();
        let known = order_ids.iter().filter_map(|id| tables.payments.get(id));
        Ok(known.map(|payment| books(&tables, payment)).collect())
    }

    async fn begin_run(&self, run: &Run) -> Result<(), StoreError> {
        self.tables().runs.insert(run.id.clone(), run.clone());
        Ok(())
    }

    async fn add_breaks(
        &self,
        run_id: &str,
        first: u64,
        breaks: &[Found],
    ) -> Result<(), StoreError> {
        let mut tables = self.tables();
        for (number, found) in (first..).zip(breaks) {
            let key = (run_id.to_owned(), number);
            tables.breaks.insert(key, found.clone());
        }
        Ok(())
    }

    async fn end_run(&self, run: &Run) -> Result<(), StoreError> {
        self.tables().runs.insert(run.id.clone(), run.clone());
        Ok(())
    }

    async fn run(&self, run_id: &str) -> Result<Option<Run>, StoreError> {
        Ok(self.tables().runs.get(run_id).cloned())
    }

    async fn breaks(&self, run_id: &str, first: u64, limit: u32) -> Result<Vec<Found>, StoreError> {
        let tables = self.tables();
        let from = (run_id.to_owned(), first);
        let breaks = tables.breaks.range(from..);
        let own = breaks.take_while(|((run, _), _)| run == run_id);
        Ok(own
            .take(limit as usize)
            .map(|(_, found)| found.clone())
            .collect())
    }
}
