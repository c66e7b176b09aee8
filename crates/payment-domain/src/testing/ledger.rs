use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use kernel::OrderId;

use crate::model::Period;
use crate::port::{GatewayLedger, LedgerRow, LedgerUnavailable};

/// Toss's list as a test writes it, the same for every period. Its pages are two rows long, so that
/// nobody takes the first page for the whole.
#[derive(Default)]
pub struct ScriptedLedger {
    rows: Mutex<Vec<LedgerRow>>,
}

impl ScriptedLedger {
    /// Adds a movement of so many won; negative for a cancel.
    pub fn moved(&self, order_id: &OrderId, won: i64) {
        self.add(Some(order_id.as_str()), Some(won));
    }

    /// Adds any row.
    pub fn add(&self, order_id: Option<&str>, moved_won: Option<i64>) {
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction_key = format!("txn-{}", rows.len() + 1);
        rows.push(LedgerRow {
            transaction_key,
            order_id: order_id.map(ToOwned::to_owned),
            moved_won,
        });
    }
}

#[async_trait]
impl GatewayLedger for ScriptedLedger {
    async fn page(
        &self,
        _period: &Period,
        after: Option<&str>,
    ) -> Result<Vec<LedgerRow>, LedgerUnavailable> {
        let rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let first = match after {
            None => 0,
            Some(key) => {
                let place = rows.iter().position(|row| row.transaction_key == key);
                let place = place.ok_or_else(|| LedgerUnavailable {
                    reason: format!("there is no transaction {key}"),
                })?;
                place + 1
            }
        };
        Ok(rows.iter().skip(first).take(2).cloned().collect())
    }
}
