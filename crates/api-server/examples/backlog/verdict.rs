//! Every payment against the bank's books, and every call that the bank received.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context as _;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use kernel::{Clock as _, SystemClock};
use payment_domain::model::PaymentStatus;
use toss_sandbox::Endpoint;

use crate::stage::{PRICE, Place, Stage};
use crate::strand::{Came, Stranded};

/// Payments read at once.
const AT_ONCE: usize = 16;
/// Breaks that are named.
const NAMED_MAX: usize = 20;

/// Returns the number of breaks.
pub(crate) async fn judge(
    place: &Place,
    stage: &Stage,
    stranded: &[Stranded],
    calls_before: usize,
) -> anyhow::Result<usize> {
    let mut breaks = Vec::new();
    compare_books(stage, stranded, &mut breaks).await?;
    let calls = count_calls(stage, stranded, calls_before, &mut breaks);
    place.tell(&format!("  {calls}"))?;
    if !stage.bank.invariants()?.holds {
        breaks.push("the bank's own books contradict each other".to_owned());
    }
    reconcile(place, stage, &mut breaks)?;
    for line in breaks.iter().take(NAMED_MAX) {
        place.tell(&format!("  BREAK {line}"))?;
    }
    place.tell(&format!("  {} breaks", breaks.len()))?;
    Ok(breaks.len())
}

/// Paid here is paid once at the bank, and what the bank never saw can be paid again.
async fn compare_books(
    stage: &Stage,
    stranded: &[Stranded],
    breaks: &mut Vec<String>,
) -> anyhow::Result<()> {
    let ledger = stage.bank.ledger();
    let ledger: BTreeMap<&str, (u32, u64)> = ledger
        .iter()
        .map(|row| (row.order_id.as_str(), (row.approvals, row.net)))
        .collect();
    let statuses: Vec<_> = stream::iter(stranded)
        .map(async |payment| {
            let found = stage.payments.find(&payment.order_id).await?;
            let found = found.context("a payment is gone")?;
            anyhow::Ok((payment, found.status, found.balance.won()))
        })
        .buffered(AT_ONCE)
        .try_collect()
        .await?;
    for (payment, status, balance) in statuses {
        let bank = ledger
            .get(payment.order_id.as_str())
            .copied()
            .unwrap_or_default();
        let sound = match payment.came {
            Came::Approved | Came::Held | Came::Claimed => {
                status == PaymentStatus::Done
                    && balance == i64::from(PRICE)
                    && bank == (1, u64::from(PRICE))
            }
            Came::NeverSeen => status == PaymentStatus::Ready && balance == 0 && bank == (0, 0),
        };
        if !sound {
            breaks.push(format!(
                "{} ({:?}): {status} here, {bank:?} there",
                payment.order_id, payment.came
            ));
        }
    }
    Ok(())
}

/// No attempt may have been sent twice, and what one look told must not have been asked again.
fn count_calls(
    stage: &Stage,
    stranded: &[Stranded],
    calls_before: usize,
    breaks: &mut Vec<String>,
) -> String {
    let calls = stage.bank.calls();
    let calls = calls.get(calls_before..).unwrap_or_default();
    let (mut reads, mut attempts) = (BTreeMap::new(), BTreeMap::new());
    for call in calls {
        let payment_key = call.payment_key.as_deref().unwrap_or_default();
        match call.endpoint {
            Endpoint::Confirm | Endpoint::Cancel => {
                let key = call.idempotency_key.as_deref().unwrap_or_default();
                *attempts.entry((payment_key, key)).or_insert(0_u32) += 1;
            }
            Endpoint::Get => *reads.entry(payment_key).or_insert(0_u32) += 1,
            // The server asks for nothing else that changes money.
            _ => {}
        }
    }
    for ((subject, key), times) in &attempts {
        if *times > 1 {
            breaks.push(format!("attempt {key} of {subject} was sent {times} times"));
        }
    }
    let mut repeated = 0;
    for payment in stranded {
        let read = reads.get(payment.payment_key.as_str());
        let read = read.copied().unwrap_or(0);
        let expected = if payment.came == Came::NeverSeen {
            2
        } else {
            1
        };
        repeated += u32::from(read != expected);
    }
    format!(
        "{} calls to the bank: {} attempts, none sent twice: {}; {} reads, {repeated} payments read \
         more or less often than needed",
        calls.len(),
        attempts.len(),
        attempts.values().all(|times| *times == 1),
        calls.len() - attempts.values().sum::<u32>() as usize,
    )
}

/// The server's own comparison, which also counts the stock.
fn reconcile(place: &Place, stage: &Stage, breaks: &mut Vec<String>) -> anyhow::Result<()> {
    let (now, hours) = (SystemClock.now(), Duration::from_hours(2));
    let mut command = stage.command(&[]);
    command.args(["reconcile", "--from", &(now - hours).to_rfc3339()]);
    let output = command
        .args(["--to", &(now + hours).to_rfc3339()])
        .output()?;
    let printed = String::from_utf8_lossy(&output.stdout);
    let last = printed.lines().rfind(|line| !line.trim().is_empty());
    place.tell(&format!(
        "  reconcile: exit status {}, {}",
        output.status.code().unwrap_or(-1),
        last.unwrap_or_default().trim()
    ))?;
    if !output.status.success() {
        breaks.push(format!(
            "reconcile: {printed}{}",
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    Ok(())
}
