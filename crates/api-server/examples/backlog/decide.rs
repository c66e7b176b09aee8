//! How long a payment stays undecided after the fault that stranded it has ended.

use std::fmt;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use futures::{StreamExt as _, stream};
use kernel::OrderId;
use payment_domain::model::PaymentStatus;
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use toss_sandbox::{Effect, Endpoint};

use crate::stage::{PRICE, PRODUCTS, Place, Server, Stage};

const TOSS_TIMEOUT: Duration = Duration::from_secs(2);
const LEASE: Duration = Duration::from_secs(3);
const INTERVAL: Duration = Duration::from_millis(500);
/// What is promised from the end of a fault to the decision.
const BOUND: Duration = Duration::from_millis(3_000 + 3 * 500);
/// How long the bank and the database stay away.
const OUTAGE: Duration = Duration::from_secs(10);
const DATABASE_OUTAGE: Duration = Duration::from_secs(4);
/// How long the bank takes, so that a fault can fall into a confirm.
const CALL_MS: u64 = 300;
/// How often a payment is read until it is decided.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Confirms at once.
const AT_ONCE: usize = 10;
/// Only measurements that fail take longer.
const PATIENCE: Duration = Duration::from_secs(120);

/// How much to measure.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Payments that must have been undecided, for each kind of fault
    #[arg(long)]
    payments: usize,
    /// Chooses moments
    #[arg(long)]
    seed: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    ServerKilled,
    AnswerLost,
    TossHangs,
    ErrorAfterApproval,
    TossDown,
    DatabasePaused,
    DatabaseKilled,
}

impl Kind {
    const ALL: [Self; 7] = [
        Self::ServerKilled,
        Self::AnswerLost,
        Self::TossHangs,
        Self::ErrorAfterApproval,
        Self::TossDown,
        Self::DatabasePaused,
        Self::DatabaseKilled,
    ];

    fn needs_mysql(self) -> bool {
        matches!(self, Self::DatabasePaused | Self::DatabaseKilled)
    }

    /// What the bank does to a confirm, where that is the whole fault.
    fn effect(self) -> Option<Effect> {
        match self {
            Self::AnswerLost => Some(Effect::ApproveThenReset),
            Self::TossHangs => Some(Effect::ApproveThenSilence),
            Self::ErrorAfterApproval => Some(Effect::ApproveThenError {
                code: "FAILED_INTERNAL_SYSTEM_PROCESSING".to_owned(),
            }),
            Self::ServerKilled | Self::TossDown | Self::DatabasePaused | Self::DatabaseKilled => {
                None
            }
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ServerKilled => "server killed within a confirm, restarted",
            Self::AnswerLost => "Toss's answer lost",
            Self::TossHangs => "Toss silent beyond the time-out",
            Self::ErrorAfterApproval => "Toss answers 500 after approving",
            Self::TossDown => "Toss down for 10 s",
            Self::DatabasePaused => "MySQL paused for 4 s around the settlement",
            Self::DatabaseKilled => "MySQL killed and restarted around the settlement",
        })
    }
}

pub(crate) async fn run(place: &Place, options: &Options) -> anyhow::Result<()> {
    place.tell(&format!(
        "Toss time-out {TOSS_TIMEOUT:?}, lease {LEASE:?}, recovery interval and back-off {INTERVAL:?}; \
         bound {BOUND:?}"
    ))?;
    let stage = Arc::new(Stage::new(place, "decide").await?);
    let mut missed = 0;
    for kind in Kind::ALL {
        if kind.needs_mysql() && stage.mysql.is_none() {
            continue;
        }
        let mut waits = measure(&stage, kind, options).await?;
        waits.sort();
        let at = |percent: usize| waits[(waits.len() * percent).div_ceil(100).max(1) - 1];
        let late = waits.iter().filter(|wait| **wait > BOUND).count();
        missed += usize::from(at(99) > BOUND);
        place.tell(&format!(
            "  {kind}: {} payments; p50 {:.2} s, p99 {:.2} s, longest {:.2} s; {late} beyond the bound",
            waits.len(),
            at(50).as_secs_f64(),
            at(99).as_secs_f64(),
            at(100).as_secs_f64(),
        ))?;
    }
    ensure!(missed == 0, "{missed} kinds of faults miss the bound");
    Ok(())
}

fn settings() -> [(&'static str, String); 6] {
    let text = |duration: Duration| format!("{}ms", duration.as_millis());
    [
        ("TOSS_TIMEOUT", text(TOSS_TIMEOUT)),
        ("CONFIRM_LEASE", text(LEASE)),
        ("CONFIRM_WAIT", "10s".to_owned()),
        ("RECOVERY_INTERVAL", text(INTERVAL)),
        ("RECOVERY_BACKOFF", text(INTERVAL)),
        ("RECOVERY_LIMIT", "100".to_owned()),
    ]
}

/// Rounds of this fault, until enough payments were undecided at its end.
async fn measure(
    stage: &Arc<Stage>,
    kind: Kind,
    options: &Options,
) -> anyhow::Result<Vec<Duration>> {
    let mut server = stage.start(&settings()).await?;
    let products = stage.prepare(&server).await?;
    let mut random = SmallRng::seed_from_u64(options.seed);
    let mut waits = Vec::new();
    let began = Instant::now();
    while waits.len() < options.payments {
        ensure!(
            began.elapsed() < PATIENCE * 10,
            "{kind}: only {} payments became undecided",
            waits.len()
        );
        let orders = orders(stage, &server, &products).await?;
        let round = match kind.effect() {
            Some(effect) => lose_answers(stage, &server, &orders, effect).await?,
            None => break_once(stage, &mut server, &orders, kind, &mut random).await?,
        };
        waits.extend(round);
        stage.bank.clear_faults();
        println!("… {kind}: {} of {}", waits.len(), options.payments);
    }
    Ok(waits)
}

type Order = (OrderId, String);

async fn orders(stage: &Stage, server: &Server, products: &[i64]) -> anyhow::Result<Vec<Order>> {
    let mut orders = Vec::new();
    for number in 0..AT_ONCE {
        let order_id = stage.check_out(server, products[number % PRODUCTS]).await?;
        let key = stage.bank.authenticate(order_id.as_str(), u64::from(PRICE));
        orders.push((order_id, key));
    }
    Ok(orders)
}

/// Each payment has its own fault, which is over when its confirm was answered.
async fn lose_answers(
    stage: &Stage,
    server: &Server,
    orders: &[Order],
    effect: Effect,
) -> anyhow::Result<Vec<Duration>> {
    stage.fault(Some(Endpoint::Confirm), effect);
    let waits = stream::iter(orders).map(async |(order_id, key)| {
        let answered = stage.confirm(server.port, order_id, key).await;
        ensure!(answered != Some(200), "the fault had no effect");
        let ended = Instant::now();
        until_decided(stage, order_id, ended).await
    });
    let waits: Vec<anyhow::Result<Option<Duration>>> =
        waits.buffer_unordered(AT_ONCE).collect().await;
    let waits = waits.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
    Ok(waits.into_iter().flatten().collect())
}

/// One fault for all of them, at a random moment within their confirms.
async fn break_once(
    stage: &Arc<Stage>,
    server: &mut Server,
    orders: &[Order],
    kind: Kind,
    random: &mut SmallRng,
) -> anyhow::Result<Vec<Duration>> {
    stage.fault(
        Some(Endpoint::Confirm),
        Effect::Delay {
            min_ms: CALL_MS,
            max_ms: CALL_MS,
        },
    );
    let port = server.port;
    for order in orders {
        let (order_id, key) = order.clone();
        let start = Duration::from_millis(random.random_range(0..CALL_MS));
        let stage = Arc::clone(stage);
        // Nobody waits for the answer: it is the books that count.
        tokio::spawn(async move {
            tokio::time::sleep(start).await;
            stage.confirm(port, &order_id, &key).await
        });
    }
    let moment = Duration::from_millis(random.random_range(CALL_MS / 3..CALL_MS * 3 / 2));
    tokio::time::sleep(moment).await;
    cause(stage, server, kind).await?;
    let ended = Instant::now();
    let waits = stream::iter(orders).map(|(order_id, _)| until_decided(stage, order_id, ended));
    let waits: Vec<anyhow::Result<Option<Duration>>> =
        waits.buffer_unordered(AT_ONCE).collect().await;
    let waits = waits.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
    Ok(waits.into_iter().flatten().collect())
}

/// Returns when the fault has ended.
async fn cause(stage: &Stage, server: &mut Server, kind: Kind) -> anyhow::Result<()> {
    match kind {
        Kind::ServerKilled => {
            server.program.kill();
            *server = stage.start(&settings()).await?;
        }
        Kind::TossDown => {
            stage.fault(None, Effect::ResetWithoutApproval);
            tokio::time::sleep(OUTAGE).await;
            stage.bank.clear_faults();
        }
        Kind::DatabasePaused => {
            docker(stage, &["pause"])?;
            tokio::time::sleep(DATABASE_OUTAGE).await;
            docker(stage, &["unpause"])?;
        }
        Kind::DatabaseKilled => {
            docker(stage, &["kill", "--signal", "KILL"])?;
            docker(stage, &["start"])?;
            // Over when a connection works again.
            let began = Instant::now();
            while stage.sql("SELECT 1").is_err() {
                ensure!(began.elapsed() < PATIENCE, "MySQL did not come back");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        Kind::AnswerLost | Kind::TossHangs | Kind::ErrorAfterApproval => {
            bail!("{kind} is the bank's")
        }
    }
    Ok(())
}

fn docker(stage: &Stage, arguments: &[&str]) -> anyhow::Result<()> {
    let container = stage.mysql.as_deref().context("no MySQL")?;
    let status = Command::new("docker")
        .args(arguments)
        .arg(container)
        .stdout(Stdio::null())
        .status()?;
    ensure!(status.success(), "docker {} failed", arguments.join(" "));
    Ok(())
}

/// How long after `ended` the payment is decided; `None` if it was decided, or never begun, then.
/// The database is read, not the server, which would repair a payment that is read.
async fn until_decided(
    stage: &Stage,
    order_id: &OrderId,
    ended: Instant,
) -> anyhow::Result<Option<Duration>> {
    let mut was_undecided = false;
    loop {
        // The database may be down itself.
        let found = stage.payments.find(order_id).await.ok().flatten();
        let Some(payment) = found else {
            ensure!(ended.elapsed() < PATIENCE, "{order_id} cannot be read");
            tokio::time::sleep(LOOK_EVERY).await;
            continue;
        };
        match payment.status {
            PaymentStatus::InProgress | PaymentStatus::Unknown => was_undecided = true,
            PaymentStatus::Quarantined => bail!("{order_id} is quarantined"),
            PaymentStatus::Ready
            | PaymentStatus::WaitingForDeposit
            | PaymentStatus::Done
            | PaymentStatus::Failed
            | PaymentStatus::Expired
            | PaymentStatus::PartialCanceled
            | PaymentStatus::Canceled => return Ok(was_undecided.then(|| ended.elapsed())),
        }
        ensure!(
            ended.elapsed() < PATIENCE,
            "{order_id} stays {}",
            payment.status
        );
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
