//! What was answered as paid is paid: here, and once at the bank.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, ensure};
use kernel::OrderId;
use payment_domain::model::PaymentStatus;
use storage::{Database, DatabaseSettings, DatabaseUrl};

use crate::stage::Stage;
use crate::work::Order;

/// Orders read at once.
const PAGE: usize = 1_000;

impl Stage {
    /// Keeps these for [`Stage::verify`].
    pub(crate) fn note_paid(&self, orders: Vec<Order>) {
        let paid = self.paid.lock();
        let mut paid = paid.unwrap_or_else(std::sync::PoisonError::into_inner);
        paid.extend(orders);
    }

    /// Compares every order that was answered as paid with the database and with the bank, and
    /// returns how many there were.
    pub(crate) async fn verify(&self) -> anyhow::Result<usize> {
        let paid = self.paid.lock();
        let paid = paid.map_or_else(|paid| paid.into_inner().clone(), |paid| paid.clone());
        let url = DatabaseUrl::parse(&self.database_url)?;
        let books = Database::connect(&DatabaseSettings::new(url))
            .await?
            .books();
        let mut done = BTreeSet::new();
        for page in paid.chunks(PAGE) {
            let ids: Vec<OrderId> = page
                .iter()
                .map(|order| order.order_id.parse())
                .collect::<Result<_, _>>()?;
            let found = books.books(&ids).await?;
            let found = found
                .into_iter()
                .filter(|payment| payment.status == PaymentStatus::Done);
            done.extend(found.map(|payment| payment.order_id.as_str().to_owned()));
        }
        self.compare(&paid, &done)
    }

    /// Holds the orders that were answered as paid against those that are DONE, and the bank.
    pub(crate) fn compare(&self, paid: &[Order], done: &BTreeSet<String>) -> anyhow::Result<usize> {
        let ledger = self.bank.ledger();
        let ledger: BTreeMap<&str, (u32, u64)> = ledger
            .iter()
            .map(|row| (row.order_id.as_str(), (row.approvals, row.net)))
            .collect();
        for order in paid {
            let id = &order.order_id;
            ensure!(done.contains(id), "{id} was answered as paid and is not");
            let (approvals, net) = *ledger
                .get(id.as_str())
                .with_context(|| format!("{id} is paid, and the bank knows nothing of it"))?;
            ensure!(
                approvals == 1 && net == order.total_amount,
                "{id} was approved {approvals} times for {net} won"
            );
        }
        Ok(paid.len())
    }
}
