//! Real kills: server programs on one database, the sandbox with its durable journal as the bank,
//! and clients that retry. While they buy, servers are killed at random and at failpoints, MySQL is
//! killed and paused, its network is cut and goes silent, and the bank fails in its own ways. Then
//! comes quiet, and the verdict.
//!
//! Run it through `cargo xtask chaos`, which builds the programs and starts MySQL.

#![expect(clippy::print_stdout, reason = "its report")]

#[path = "../shared/child.rs"]
mod child;
mod clients;
mod faults;
mod judge;
mod options;
mod program;
mod quiet;
mod relay;
mod report;
mod stage;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::bail;
use clap::Parser;
use kernel::{Clock, SystemClock};

use crate::clients::{Client, Seen};
use crate::options::Options;
use crate::report::Report;
use crate::stage::{LIMITS, Stage};

/// How often progress is told.
const TELL_EVERY: Duration = Duration::from_secs(5);
/// How long the faults may last, however few kills and confirms there were.
const STORM_MAX: Duration = Duration::from_secs(30 * 60);

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> anyhow::Result<()> {
    drop(rustls::crypto::ring::default_provider().install_default());
    let stage = Arc::new(Stage::set(Options::parse()).await?);
    let products = stage.furnish().await?;
    let seen = Arc::new(Seen::default());
    let (closed, over) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
    let clients: Vec<_> = (0..stage.options.clients)
        .map(|number| {
            let (stage, seen) = (Arc::clone(&stage), Arc::clone(&seen));
            let closed = Arc::clone(&closed);
            tokio::spawn(async move {
                let client = Client {
                    stage: &stage,
                    seen: &seen,
                    stop: &closed,
                    products,
                    number,
                };
                client.buy().await;
            })
        })
        .collect();
    let mut faults = faults::begin(&stage, &over);
    let storm = watch(&stage, &seen, &mut faults).await;
    closed.store(true, Ordering::SeqCst);
    for client in clients {
        client.await?;
    }
    over.store(true, Ordering::SeqCst);
    while let Some(ended) = faults.join_next().await {
        ended??;
    }
    stage.database_is_up().await?;
    stage.calm()?;
    let report = judge(&stage, &seen, products, storm?).await?;
    println!("{}", report.text());
    if let Some(file) = &stage.options.report {
        std::fs::write(file, format!("{:#}\n", report.json()))?;
    }
    if !report.breaks.is_empty() {
        let logs = stage.keep_logs()?;
        bail!(
            "{} breaks; logs, journal and a SQLite database are in {}",
            report.breaks.len(),
            logs.display()
        );
    }
    Ok(())
}

/// Tells how far it is, until there was enough of everything; returns how long that took.
async fn watch(
    stage: &Stage,
    seen: &Seen,
    faults: &mut tokio::task::JoinSet<anyhow::Result<()>>,
) -> anyhow::Result<Duration> {
    let began = Instant::now();
    let mut told = began;
    loop {
        tokio::time::sleep(Duration::from_millis(200)).await;
        // No fault ends before it is told to, unless it failed.
        if let Some(ended) = faults.try_join_next() {
            ended??;
            bail!("a fault ended too early");
        }
        let (deaths, mysql, bank, breaks, failovers) = {
            let tally = stage.tally();
            let failovers = tally.failovers();
            let mysql = tally.mysql_kills + tally.mysql_pauses + failovers as u64;
            let (bank, breaks) = (tally.bank_kills, tally.breaks.len());
            (tally.deaths(), mysql, bank, breaks, failovers)
        };
        let confirms = seen.answered.load(Ordering::Relaxed);
        let lasted = began.elapsed();
        if told.elapsed() >= TELL_EVERY {
            told = Instant::now();
            println!(
                "{:>5.0} s: {deaths} servers killed, {mysql} strikes at MySQL, {bank} at the \
                 sandbox; {} orders, {confirms} confirms answered; {breaks} breaks",
                lasted.as_secs_f64(),
                seen.orders().len(),
            );
        }
        let options = &stage.options;
        let enough = deaths >= options.kills
            && confirms >= options.confirms
            && failovers >= options.failovers;
        if lasted > STORM_MAX && !enough {
            let what = format!(
                "{deaths} kills, {confirms} confirms or {failovers} failovers are fewer than asked for"
            );
            stage.tally().breaks.push(what);
            return Ok(lasted);
        }
        if enough && lasted >= options.faults_last() {
            return Ok(lasted);
        }
    }
}

async fn judge(
    stage: &Stage,
    seen: &Seen,
    products: [i64; 2],
    storm: Duration,
) -> anyhow::Result<Report> {
    let faults_ended = SystemClock.now();
    let quiet = quiet::wait(stage, faults_ended).await?;
    for instance in &stage.instances {
        stage.server_is_up(instance).await?;
    }
    let orders = seen.orders().clone();
    let mut breaks = std::mem::take(&mut stage.tally().breaks);
    breaks.extend(seen.told_breaks());
    breaks.extend(judge::compare(stage, &quiet.books, &orders, products).await?);
    let reconcile = judge::reconcile(stage).await?;
    if reconcile.0 != Some(0) {
        breaks.push("api-server reconcile does not agree".to_owned());
    }
    if !judge::bank_agrees_with_itself(stage).await? {
        breaks.push("the bank's own books contradict each other".to_owned());
    }
    let mut by_status: BTreeMap<String, u64> = BTreeMap::new();
    for payment in &quiet.books {
        *by_status.entry(payment.status.to_string()).or_default() += 1;
    }
    let tally = std::mem::take(&mut *stage.tally());
    let never_reached = api_server::failpoints::names()
        .into_iter()
        .filter(|point| !tally.failpoint_deaths.contains_key(point))
        .collect();
    let limits: Vec<_> = LIMITS
        .iter()
        .map(|(name, value)| format!("{name} {value}"))
        .collect();
    let options = &stage.options;
    Ok(Report {
        on_mysql: options.on_mysql(),
        settings: format!(
            "{} servers, {} clients; {}",
            options.servers,
            options.clients,
            limits.join(", ")
        ),
        seed: options.seed,
        storm,
        tally,
        never_reached,
        clients: seen.counts(),
        orders: by_status.into_iter().collect(),
        after_faults: quiet.after_faults,
        after_uncertainty: quiet::after_uncertainty(&quiet.books, &orders),
        all_quiet: quiet.all,
        reconcile,
        breaks,
    })
}
