//! The books against the bank's, by the real reconciliation, when all is quiet.

use std::sync::{Arc, Mutex, PoisonError};

use api_server::bridge::{Products, ledger_row};
use async_trait::async_trait;
use chrono::{TimeDelta, Timelike as _};
use kernel::Clock as _;
use payment_domain::model::{FindingKind, Period};
use payment_domain::port::{Found, GatewayLedger, LedgerRow, LedgerUnavailable, Totals};
use payment_domain::{ReconcileObserver, ReconcilePorts, ReconcileWish, Reconciler};
use product_domain::ProductService;
use toss_client::Transaction;

use crate::line::Line;
use crate::process::SERVERS;
use crate::world::World;

/// Korean time is nine hours before UTC.
const KOREA_H: i64 = 9;

/// The bank's list of transactions, read as Toss's is.
struct List(Arc<World>);

#[async_trait]
impl GatewayLedger for List {
    async fn page(
        &self,
        period: &Period,
        after: Option<&str>,
    ) -> Result<Vec<LedgerRow>, LedgerUnavailable> {
        let korean = |at: kernel::Timestamp| {
            let at = at + TimeDelta::hours(KOREA_H);
            at.format("%Y-%m-%dT%H:%M:%S").to_string()
        };
        let mut query = format!(
            "startDate={}&endDate={}",
            korean(period.from()),
            korean(period.to())
        );
        if let Some(after) = after {
            query = format!("{query}&startingAfter={after}");
        }
        let unreadable = |reason: String| LedgerUnavailable { reason };
        let body = self.0.bank.transactions(&self.0, &query);
        let body = body.ok_or_else(|| unreadable("the list was refused".to_owned()))?;
        let rows: Vec<Transaction> =
            serde_json::from_str(&body).map_err(|error| unreadable(error.to_string()))?;
        Ok(rows.iter().map(ledger_row).collect())
    }
}

/// Keeps the breaks that were found.
#[derive(Default)]
struct Findings {
    breaks: Mutex<Vec<String>>,
}

impl ReconcileObserver for Findings {
    fn found(&self, found: &Found) {
        let is_break = found.kind.is_break() || found.kind == FindingKind::Unasked;
        if is_break {
            let mut all = self.breaks.lock().unwrap_or_else(PoisonError::into_inner);
            all.push(format!("{found:?}"));
        }
    }

    fn progress(&self, _totals: &Totals) {}
}

/// Reconciles everything since the schedule began: no break, and no order without an answer.
pub(crate) async fn reconcile(world: &Arc<World>) {
    let Some(server) = (0..SERVERS).find_map(|index| world.slots.get(index)) else {
        return world.convict("no server is up when all is quiet".to_owned());
    };
    let (clock, database) = (Arc::clone(world), world.judge.database());
    let products = ProductService::new(database.products(), Arc::clone(&clock) as _);
    let products = Arc::new(Products::new(Arc::new(products)));
    let reconciler = Reconciler::new(ReconcilePorts {
        books: database.books(),
        payments: database.payments(),
        receiver: server.payments,
        gateway: Arc::new(Line::new(world, &server.process)),
        ledger: Arc::new(List(Arc::clone(world))),
        stock: Arc::clone(&products) as _,
        products,
        clock,
        ids: Arc::clone(world) as _,
    });
    let now = world.now();
    let end = now.with_nanosecond(0).unwrap_or(now) + TimeDelta::seconds(1);
    let begin = end - TimeDelta::hours(1);
    let Ok(period) = Period::new(begin, end) else {
        return world.convict("the schedule took more than a season".to_owned());
    };
    let wish = ReconcileWish {
        period,
        mends: false,
    };
    let findings = Findings::default();
    let totals = match reconciler.run(wish, &findings).await {
        Ok(run) => run.totals,
        Err(error) => return world.convict(format!("the books were not compared: {error}")),
    };
    world.count("books compared with the bank's");
    world.note("auditor", format_args!("{totals:?}"));
    let breaks = findings.breaks.lock();
    let breaks = breaks.unwrap_or_else(PoisonError::into_inner);
    if !breaks.is_empty() {
        world.convict(format!("the books and the bank differ: {breaks:?}"));
    }
}
