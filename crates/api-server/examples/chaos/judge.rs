//! The verdict: our own comparison of every order with the bank's books, `api-server reconcile`,
//! and the bank's examination of itself.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use kernel::{Clock, SystemClock};
use payment_domain::model::{Books, PaymentStatus};

use crate::clients::{Order, Told};
use crate::quiet::is_undecided;
use crate::stage::{PRICE, STOCKS, Stage};

/// Rows of one page of the bank's ledger.
const PAGE: usize = 5_000;

/// What the bank has of an order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct AtBank {
    approvals: i64,
    net_won: i64,
}

/// Every order against the bank's books and against what its client was told, and the stock against
/// what was sold. Returns the breaks.
pub(crate) async fn compare(
    stage: &Stage,
    books: &[Books],
    seen: &BTreeMap<String, Order>,
    products: [i64; 2],
) -> anyhow::Result<Vec<String>> {
    let mut breaks = Vec::new();
    let mut ledger = ledger(stage).await?;
    let mut taken = [0, 0];
    let mut unseen: BTreeMap<&str, &Order> = seen
        .iter()
        .map(|(id, order)| (id.as_str(), order))
        .collect();
    for payment in books {
        let id = payment.order_id.as_str();
        let at_bank = ledger.remove(id).unwrap_or_default();
        let order = unseen.remove(id);
        let told = order.and_then(|order| order.told);
        breaks.extend(wrong(payment, at_bank, told).map(|what| {
            let AtBank { approvals, net_won } = at_bank;
            let status = payment.status;
            format!("{id}: {what}; {status} here, {approvals} approvals and {net_won} won there")
        }));
        // A quarantined order keeps its stock until an operator says what becomes of it.
        if matches!(
            payment.status,
            PaymentStatus::Done | PaymentStatus::Quarantined
        ) {
            match order {
                Some(order) => taken[order.product] += 1,
                None => breaks.push(format!("{id}: confirmed, and no client knows of it")),
            }
        }
    }
    let lost = unseen
        .keys()
        .map(|id| format!("{id}: a client has it, and it is not stored"));
    breaks.extend(lost);
    let strange = ledger.iter().filter(|(_, at_bank)| at_bank.net_won != 0);
    breaks.extend(strange.map(|(id, _)| format!("{id}: money at the bank, and it is not stored")));
    for ((id, stock), taken) in products.into_iter().zip(STOCKS).zip(taken) {
        let port = stage.instances[0].port;
        let product = format!("http://127.0.0.1:{port}/api/v1/products/{id}");
        let product = stage.get(&product).await.context("a product")?;
        let left = product["data"]["stock"].as_i64().context("a stock")?;
        if stock - left != taken {
            let gone = stock - left;
            breaks.push(format!(
                "product {id}: {gone} pieces gone, {taken} paid or quarantined"
            ));
        }
    }
    Ok(breaks)
}

/// What is wrong with an order, if anything.
fn wrong(payment: &Books, at_bank: AtBank, told: Option<Told>) -> Option<&'static str> {
    let paid = payment.status == PaymentStatus::Done;
    if is_undecided(payment.status) {
        return Some("not decided in time");
    }
    if payment.undelivered.is_some() {
        return Some("its stock was not told in time");
    }
    if at_bank.approvals > 1 {
        return Some("charged more than once");
    }
    if paid && at_bank.net_won != PRICE {
        return Some("paid here and not there");
    }
    if !paid && at_bank.net_won != 0 {
        return Some("money there and not paid here");
    }
    match told {
        Some(Told::Paid) if !paid => Some("its client was told that it is paid"),
        Some(Told::Failed) if payment.status != PaymentStatus::Failed => {
            Some("its client was told that it failed")
        }
        Some(_) | None => None,
    }
}

async fn ledger(stage: &Stage) -> anyhow::Result<BTreeMap<String, AtBank>> {
    let mut ledger = BTreeMap::new();
    for offset in (0..).step_by(PAGE) {
        let url = format!("{}/sandbox/ledger?offset={offset}&limit={PAGE}", stage.bank);
        let page = stage.get(&url).await.context("the bank's ledger")?;
        let rows = page["rows"].as_array().context("rows")?;
        for row in rows {
            let order = row["orderId"].as_str().context("an order id")?.to_owned();
            let at_bank = AtBank {
                approvals: row["approvals"].as_i64().context("approvals")?,
                net_won: row["net"].as_i64().context("net")?,
            };
            ledger.insert(order, at_bank);
        }
        if rows.len() < PAGE {
            break;
        }
    }
    Ok(ledger)
}

/// Runs the program's own comparison over the whole run: its exit status, and what it said.
pub(crate) async fn reconcile(stage: &Stage) -> anyhow::Result<(Option<i32>, String)> {
    // What happened in this very moment belongs to the period too.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut command = stage.program(None);
    command.args(["reconcile", "--from", &stage.began.to_rfc3339()]);
    command.args(["--to", &SystemClock.now().to_rfc3339()]);
    let output = tokio::task::spawn_blocking(move || command.output()).await??;
    let mut told = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        told.push_str(&String::from_utf8_lossy(&output.stderr));
    }
    Ok((output.status.code(), told))
}

/// Whether the bank's books agree with themselves and with its journal.
pub(crate) async fn bank_agrees_with_itself(stage: &Stage) -> anyhow::Result<bool> {
    let url = format!("{}/sandbox/invariants", stage.bank);
    // It replays the whole journal.
    let asked = stage.http.get(url).timeout(Duration::from_secs(120));
    Ok(asked.send().await?.status().is_success())
}
