use std::time::Duration;

use async_trait::async_trait;
use chrono::{FixedOffset, NaiveDateTime};
use payment_domain::model::Period;
use payment_domain::port::{GatewayLedger, LedgerRow, LedgerUnavailable};
use toss_client::{Error, PaymentStatus, TossClient, Transaction, TransactionQuery};

use super::toss::signed_won;

/// Rows of one page; what `toss-client` says fits into an answer.
const ROWS: u16 = 1_000;
/// How often one page is asked for. Asking changes nothing at Toss.
const TRIES_MAX: u32 = 5;
/// The pause after the first try that failed; doubles. Toss names no pause for its 429.
const PAUSE: Duration = Duration::from_millis(500);
/// Korean time, in which Toss takes dates: nine hours before UTC, all year.
const KOREA_S: i32 = 9 * 3_600;

/// The list of movements is Toss's `/v1/transactions`.
pub struct TossLedger {
    client: TossClient,
}

impl TossLedger {
    /// A bridge to Toss through this client.
    pub fn new(client: TossClient) -> Self {
        Self { client }
    }
}

#[async_trait]
impl GatewayLedger for TossLedger {
    async fn page(
        &self,
        period: &Period,
        after: Option<&str>,
    ) -> Result<Vec<LedgerRow>, LedgerUnavailable> {
        let (start, end) = (korean(period.from())?, korean(period.to())?);
        let mut query = TransactionQuery::new(start, end).limit(ROWS);
        if let Some(after) = after {
            query = query.starting_after(after);
        }
        let mut pause = PAUSE;
        for _ in 1..TRIES_MAX {
            match self.client.transactions(&query).await {
                Ok(answer) => return Ok(answer.value.iter().map(ledger_row).collect()),
                Err(error) if may_pass(&error) => {
                    tracing::warn!(%error, "Toss's list of transactions is asked for again");
                }
                Err(error) => return Err(unavailable(&error)),
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        match self.client.transactions(&query).await {
            Ok(answer) => Ok(answer.value.iter().map(ledger_row).collect()),
            Err(error) => Err(unavailable(&error)),
        }
    }
}

fn unavailable(error: &Error) -> LedgerUnavailable {
    LedgerUnavailable {
        reason: error.to_string(),
    }
}

/// Whether asking again may help: silence, a gateway's page, too many requests, Toss's own fault.
fn may_pass(error: &Error) -> bool {
    match error {
        Error::Rejected(rejection) => rejection.status == 429 || rejection.status >= 500,
        Error::Undecodable { status, .. } => *status != 200,
        Error::InvalidRequest { .. } => false,
        _ => true,
    }
}

fn korean(at: kernel::Timestamp) -> Result<NaiveDateTime, LedgerUnavailable> {
    let korea = FixedOffset::east_opt(KOREA_S).ok_or_else(|| LedgerUnavailable {
        reason: "no Korean time".into(),
    })?;
    Ok(at.with_timezone(&korea).naive_local())
}

/// What a transaction of Toss's list moved.
///
/// A row tells by its status which way the money went: cancels are negative only in some versions
/// of Toss's API.
pub fn ledger_row(from: &Transaction) -> LedgerRow {
    let won = from.amount.and_then(signed_won);
    let in_won = from.currency.as_deref().is_none_or(|code| code == "KRW");
    let moved_won = match &from.status {
        Some(PaymentStatus::Canceled | PaymentStatus::PartialCanceled) => {
            won.map(|won| won.saturating_abs().saturating_neg())
        }
        Some(PaymentStatus::Done) | None => won,
        Some(PaymentStatus::Other(_)) => None,
        // Nothing has moved (yet), whatever the amount says.
        Some(_) => Some(0),
    };
    LedgerRow {
        transaction_key: from.transaction_key.clone(),
        order_id: from.order_id.clone(),
        moved_won: moved_won.filter(|won| in_won || *won == 0),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn moved(status: &str, amount: f64, currency: &str) -> Option<i64> {
        let transaction: Transaction = serde_json::from_value(json!({
            "transactionKey": "t-1", "orderId": "order-000001", "status": status,
            "amount": amount, "currency": currency,
        }))
        .unwrap();
        ledger_row(&transaction).moved_won
    }

    #[test]
    fn a_row_tells_by_its_status_which_way_money_went() {
        for (status, amount, expected) in [
            ("DONE", 1_000.0, Some(1_000)),
            ("CANCELED", 1_000.0, Some(-1_000)),
            ("CANCELED", -1_000.0, Some(-1_000)),
            ("PARTIAL_CANCELED", 400.0, Some(-400)),
            ("WAITING_FOR_DEPOSIT", 1_000.0, Some(0)),
            ("A_STATUS_OF_TOMORROW", 1_000.0, None),
            ("DONE", 0.5, None),
        ] {
            assert_eq!(moved(status, amount, "KRW"), expected, "{status} {amount}");
        }
        assert_eq!(moved("DONE", 10.0, "USD"), None);
    }

    #[test]
    fn dates_for_toss_are_korean_wall_clock_time() {
        let at = kernel::from_micros(1_767_571_200_000_000);
        let text = korean(at).unwrap().format("%Y-%m-%dT%H:%M:%S").to_string();
        assert_eq!(text, "2026-01-05T09:00:00");
    }
}
