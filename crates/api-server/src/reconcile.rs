//! The command `reconcile`: composes what it needs, runs the use case, and tells of it.

use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail};
use kernel::{Clock, Timestamp};
use payment_domain::model::Period;
use payment_domain::port::{Found, Run, Totals};
use payment_domain::{ReconcileObserver, ReconcilePorts, ReconcileWish, Reconciler};
use secrecy::ExposeSecret;
use serde_json::json;
use storage::Database;
use tokio::time::Instant;

use crate::bridge::{Products, Toss, TossLedger};
use crate::config::{ReconcileArgs, Settings};
use crate::wiring::{self, System};

/// What is younger may still be under way: Toss lists transactions with a delay, and a confirm takes
/// its time.
const SETTLING: Duration = Duration::from_mins(10);
/// How long a period is unless told otherwise.
const DAY: Duration = Duration::from_hours(24);
/// How often progress is told.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// What a reconciliation comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Everything agrees.
    Agrees,
    /// Something differed, mended or not.
    Breaks,
    /// Not everything could be compared, and what could be agrees.
    Unknown,
}

impl Verdict {
    fn of(totals: &Totals) -> Self {
        if totals.breaks > 0 {
            Self::Breaks
        } else if totals.unasked > 0 {
            Self::Unknown
        } else {
            Self::Agrees
        }
    }

    /// The exit status: 0, 1 or 2.
    pub const fn exit_status(self) -> u8 {
        match self {
            Self::Agrees => 0,
            Self::Breaks => 1,
            Self::Unknown => 2,
        }
    }
}

/// Reconciles, and prints to `out`; progress goes to standard error.
///
/// # Errors
/// With one clear line when a setting, the database or Toss does not work.
pub async fn run(
    settings: Settings,
    args: ReconcileArgs,
    out: &mut (dyn Write + Send),
) -> anyhow::Result<Verdict> {
    let settings = settings.validated_without_operators()?;
    let Some(key) = &settings.toss_secret_key else {
        bail!(
            "reconcile needs TOSS_SECRET_KEY: without it the built-in sandbox takes Toss's place, \
             whose books are inside the server that runs it"
        );
    };
    let (clock, ids, randomness) = wiring::system_ids();
    let period = period(args, clock.as_ref())?;
    let database = wiring::open_database(&settings, ids.as_ref(), clock.now()).await?;
    let base_url = settings.toss_base_url.as_deref();
    let client = wiring::toss_client(key.expose_secret(), base_url, &settings)?;
    let system = System {
        clock: Arc::clone(&clock),
        ids: Arc::clone(&ids),
        randomness,
    };
    let webhooks = wiring::webhooks(&database, &system, &settings).await?;
    let domains = wiring::domains(&database, client.clone(), &webhooks, system, &settings);
    let products = Arc::new(Products::new(domains.products));
    let reconciler = Reconciler::new(ReconcilePorts {
        books: database.books(),
        payments: database.payments(),
        receiver: domains.payments,
        gateway: Arc::new(Toss::new(client.clone())),
        ledger: Arc::new(TossLedger::new(client)),
        stock: products.clone(),
        products,
        clock,
        ids,
    });
    let teller = Teller::new(args.json, out);
    let wish = ReconcileWish {
        period,
        mends: args.fix,
    };
    teller.begin(&period, &database);
    let run = reconciler.run(wish, &teller).await?;
    teller
        .end(&run)
        .context("the result could not be printed")?;
    Ok(Verdict::of(&run.totals))
}

fn period(args: ReconcileArgs, clock: &dyn Clock) -> anyhow::Result<Period> {
    let to = args.to.unwrap_or_else(|| clock.now() - SETTLING);
    let from = args.from.unwrap_or_else(|| to - DAY);
    Period::new(from, to).with_context(|| format!("--from {from} --to {to}"))
}

/// Prints findings as they come, and says every second how far it is.
struct Teller<'a> {
    json: bool,
    began: Instant,
    state: Mutex<Told<'a>>,
}

struct Told<'a> {
    out: &'a mut (dyn Write + Send),
    /// Findings so far: the table's head comes with the first.
    lines: u64,
    next: Instant,
    /// The first time that printing failed; what follows is not printed.
    failed: Option<std::io::Error>,
}

impl<'a> Teller<'a> {
    fn new(json: bool, out: &'a mut (dyn Write + Send)) -> Self {
        let now = Instant::now();
        let state = Mutex::new(Told {
            out,
            lines: 0,
            next: now + TELL_EVERY,
            failed: None,
        });
        Self {
            json,
            began: now,
            state,
        }
    }

    fn state(&self) -> MutexGuard<'_, Told<'a>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, period: &Period, database: &Database) {
        let store = if database.is_sqlite() {
            "SQLite"
        } else {
            "MySQL"
        };
        let (from, to) = (period.from(), period.to());
        tracing::info!(%from, %to, store, json = self.json, "reconciling");
    }

    fn end(&self, run: &Run) -> std::io::Result<()> {
        let seconds = self.began.elapsed().as_secs_f64();
        let mut told = self.state();
        if let Some(error) = told.failed.take() {
            return Err(error);
        }
        let Totals {
            payments,
            transactions,
            products,
            breaks,
            pending,
            unasked,
            mended,
        } = run.totals;
        let (from, to) = (run.period.from(), run.period.to());
        if self.json {
            let line = json!({
                "type": "run", "runId": run.id, "from": stamp(from), "to": stamp(to),
                "fix": run.mends, "payments": payments, "transactions": transactions,
                "products": products, "breaks": breaks, "pending": pending, "unasked": unasked,
                "mended": mended, "seconds": seconds,
            });
            return writeln!(told.out, "{line}");
        }
        if told.lines > 0 {
            writeln!(told.out)?;
        }
        writeln!(told.out, "{} to {}, run {}", stamp(from), stamp(to), run.id)?;
        writeln!(
            told.out,
            "{payments} payments, {transactions} transactions at Toss and {products} products \
             compared in {seconds:.1} s"
        )?;
        writeln!(
            told.out,
            "{breaks} breaks, {pending} pending, {unasked} unasked, {mended} mended"
        )
    }
}

impl ReconcileObserver for Teller<'_> {
    fn found(&self, found: &Found) {
        let mut told = self.state();
        if told.failed.is_some() {
            return;
        }
        let is_first = told.lines == 0;
        told.lines += 1;
        let printed = if self.json {
            print_json(told.out, found)
        } else {
            print_row(told.out, found, is_first)
        };
        told.failed = printed.err();
    }

    fn progress(&self, totals: &Totals) {
        let mut told = self.state();
        let now = Instant::now();
        if now < told.next {
            return;
        }
        told.next = now + TELL_EVERY;
        let seconds = self.began.elapsed().as_secs().max(1);
        let rate = totals.payments / seconds;
        eprintln!(
            "{} payments compared ({rate}/s), {} transactions read, {} breaks",
            totals.payments, totals.transactions, totals.breaks
        );
    }
}

fn stamp(at: Timestamp) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
}

fn print_json(out: &mut (dyn Write + Send), found: &Found) -> std::io::Result<()> {
    let kind = if found.kind.is_break() {
        "break"
    } else {
        "note"
    };
    let line = json!({
        "type": kind, "kind": found.kind.as_str(), "orderId": found.order_id,
        "productId": found.product_id.map(kernel::ProductId::get), "detail": found.detail,
        "action": found.action, "mended": found.mended,
    });
    writeln!(out, "{line}")
}

fn print_row(out: &mut (dyn Write + Send), found: &Found, is_first: bool) -> std::io::Result<()> {
    if is_first {
        writeln!(out, "{:<13}  {:<38}  DETAIL", "KIND", "ORDER OR PRODUCT")?;
    }
    let subject = match (&found.order_id, found.product_id) {
        // Toss's spelling of a foreign order may hold anything.
        (Some(order_id), _) => order_id.escape_default().to_string(),
        (None, Some(product_id)) => format!("product {product_id}"),
        (None, None) => "-".to_owned(),
    };
    let kind = found.kind.as_str();
    write!(out, "{kind:<13}  {subject:<38}  {}", found.detail)?;
    match (&found.action, found.mended) {
        (Some(action), true) => writeln!(out, " [mended: {action}]"),
        (Some(action), false) => writeln!(out, " [not mended: {action}]"),
        (None, _) => writeln!(out),
    }
}
