//! After the faults: how long until every payment is decided.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use kernel::{Clock, OrderId, SystemClock, Timestamp};
use payment_domain::model::{Books, PaymentStatus};
use payment_domain::port::{Place, ReconcileRepository, Scope};

use crate::clients::Order;
use crate::report::Spread;
use crate::stage::Stage;

/// How long after the last fault everything must be decided. Payments whose looks failed again and
/// again wait longer from look to look.
const DECIDED_WITHIN: Duration = Duration::from_secs(180);
const PAGE: u32 = 500;

/// What the waiting came to.
pub(crate) struct Quiet {
    /// Of the orders that were undecided when the faults ended.
    pub(crate) after_faults: Spread,
    /// Until the last order was decided and the last stock instruction delivered.
    pub(crate) all: Duration,
    /// Every order as it is in the end.
    pub(crate) books: Vec<Books>,
}

pub(crate) fn is_undecided(status: PaymentStatus) -> bool {
    match status {
        PaymentStatus::InProgress | PaymentStatus::Unknown => true,
        PaymentStatus::Ready
        | PaymentStatus::WaitingForDeposit
        | PaymentStatus::Done
        | PaymentStatus::Failed
        | PaymentStatus::Expired
        | PaymentStatus::PartialCanceled
        | PaymentStatus::Canceled
        | PaymentStatus::Quarantined => false,
    }
}

/// Reads the database until everything is decided, or for as long as that may take. The servers
/// are not asked: a read of theirs hurries a decision.
pub(crate) async fn wait(stage: &Stage, faults_ended: Timestamp) -> anyhow::Result<Quiet> {
    let began = Instant::now();
    let books = stage.database().await?.books();
    let mut open: Vec<OrderId> = Vec::new();
    let mut times = Vec::new();
    for payment in all(stage, &books).await? {
        if is_undecided(payment.status) || payment.undelivered.is_some() {
            open.push(payment.order_id);
        }
    }
    // A decided order's stock may still wait.
    let mut decided = BTreeSet::new();
    while !open.is_empty() && began.elapsed() < DECIDED_WITHIN {
        let mut still_open = Vec::new();
        for part in open.chunks(PAGE as usize) {
            for payment in books.books(part).await? {
                let undecided = is_undecided(payment.status);
                let id = payment.order_id;
                if !undecided && decided.insert(id.clone()) {
                    let time = (payment.updated_at - faults_ended).to_std();
                    // Decided before the faults ended, with stock that was told later.
                    times.extend(time.ok());
                }
                if undecided || payment.undelivered.is_some() {
                    still_open.push(id);
                }
            }
        }
        open = still_open;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(Quiet {
        after_faults: Spread::of(times),
        all: (SystemClock.now() - faults_ended)
            .to_std()
            .unwrap_or_default(),
        books: all(stage, &books).await?,
    })
}

/// From the last uncertain answer of an order's client until it was decided, of all orders whose
/// clients never heard a certain one. An order that had been decided before that answer counts as
/// zero.
pub(crate) fn after_uncertainty(books: &[Books], seen: &BTreeMap<String, Order>) -> Spread {
    let times = books.iter().filter_map(|payment| {
        let order = seen.get(payment.order_id.as_str())?;
        let uncertain_at = order.uncertain_at.filter(|_| order.told.is_none())?;
        (!is_undecided(payment.status)).then(|| {
            (payment.updated_at - uncertain_at)
                .to_std()
                .unwrap_or_default()
        })
    });
    Spread::of(times.collect())
}

async fn all(stage: &Stage, books: &Arc<dyn ReconcileRepository>) -> anyhow::Result<Vec<Books>> {
    let scope = Scope {
        created_from: stage.began,
        changed_from: stage.began,
        until: SystemClock.now() + Duration::from_secs(1),
    };
    let mut all = Vec::new();
    let mut after: Option<Place> = None;
    loop {
        let page = books.walk(&scope, after.as_ref(), PAGE).await?;
        let Some(last) = page.last() else {
            return Ok(all);
        };
        after = Some(Place {
            created_at: last.created_at,
            order_id: last.order_id.clone(),
        });
        all.extend(page);
    }
}
