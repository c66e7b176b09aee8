//! How fast servers decide a backlog, and what it costs them.

use std::time::{Duration, Instant};

use anyhow::bail;
use clap::Args;
use kernel::{Clock as _, SystemClock};
use toss_sandbox::Effect;

use crate::program::Usage;
use crate::stage::{Place, Server, Stage};
use crate::strand::{Came, Stranded, strand};
use crate::verdict;

/// How long a backlog may take before the measurement is given up.
const PATIENCE: Duration = Duration::from_hours(1);
/// How often the database is asked whether anything is left.
const ASK_EVERY: Duration = Duration::from_millis(200);
/// How often progress is told.
const TELL_EVERY: Duration = Duration::from_secs(5);

/// What to drain.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Stuck payments
    #[arg(long)]
    payments: usize,
    /// How long the bank takes for every call, in milliseconds
    #[arg(long)]
    gateway_delay_ms: u64,
    /// Servers that share the work: a measurement for each number
    #[arg(long, value_delimiter = ',')]
    instances: Vec<usize>,
    /// Payments that one server recovers at once
    #[arg(long)]
    concurrency: u32,
    /// Database connections of one server
    #[arg(long)]
    pool: u32,
}

pub(crate) async fn run(place: &Place, options: &Options) -> anyhow::Result<()> {
    let mut times = Vec::new();
    for &instances in &options.instances {
        times.push((instances, drain(place, options, instances).await?));
    }
    if let Some((_, one)) = times.iter().find(|(instances, _)| *instances == 1) {
        for (instances, time) in times.iter().filter(|(instances, _)| *instances > 1) {
            let share = time.as_secs_f64() / one.as_secs_f64();
            place.tell(&format!(
                "{instances} instances need {share:.2} of one's time"
            ))?;
        }
    }
    Ok(())
}

async fn drain(place: &Place, options: &Options, instances: usize) -> anyhow::Result<Duration> {
    let stage = Stage::new(place, &format!("backlog_{instances}")).await?;
    let stranded = strand(&stage, options.payments).await?;
    place.tell(&format!(
        "{} payments stuck ({} approved, {} held, {} claimed, {} never seen by the bank); \
         {instances} instance(s), {} at once, {} connections, {} ms per call to the bank",
        stranded.len(),
        share(&stranded, Came::Approved),
        share(&stranded, Came::Held),
        share(&stranded, Came::Claimed),
        share(&stranded, Came::NeverSeen),
        options.concurrency,
        options.pool,
        options.gateway_delay_ms
    ))?;
    if stage.mysql.is_some() {
        stage.sql("TRUNCATE performance_schema.events_statements_summary_by_digest")?;
    }
    if options.gateway_delay_ms > 0 {
        let (min_ms, max_ms) = (options.gateway_delay_ms, options.gateway_delay_ms);
        stage.fault(None, Effect::Delay { min_ms, max_ms });
    }
    let calls_before = stage.bank.calls().len();
    let settings = [
        ("RECOVERY_CONCURRENCY", options.concurrency.to_string()),
        ("DATABASE_POOL_SIZE", options.pool.to_string()),
        ("RECOVERY_INTERVAL", "1s".to_owned()),
        ("RECOVERY_BACKOFF", "1s".to_owned()),
        ("TOSS_TIMEOUT", "20s".to_owned()),
        ("CONFIRM_LEASE", "30s".to_owned()),
    ];
    let began = Instant::now();
    let mut servers = Vec::new();
    for _ in 0..instances {
        servers.push(stage.start(&settings).await?);
    }
    wait_until_decided(&stage, began).await?;
    let took = began.elapsed();
    tell_usage(place, &servers, stranded.len(), took)?;
    if stage.mysql.is_some() {
        tell_statements(place, &stage, stranded.len())?;
    }
    drop(servers);
    stage.bank.clear_faults();
    let breaks = verdict::judge(place, &stage, &stranded, calls_before).await?;
    if breaks > 0 {
        bail!("{breaks} breaks");
    }
    Ok(took)
}

fn share(stranded: &[Stranded], came: Came) -> usize {
    let alike = stranded.iter().filter(|payment| payment.came == came);
    alike.count()
}

/// Until no payment has anything due before its buyer's time is over, and no message waits.
async fn wait_until_decided(stage: &Stage, began: Instant) -> anyhow::Result<()> {
    let mut told = Instant::now();
    loop {
        let soon = SystemClock.now() + Duration::from_hours(1);
        let due = stage.payments.due(soon, None, 1).await?;
        if due.is_empty() && stage.payments.due_messages(soon, 1).await?.is_empty() {
            return Ok(());
        }
        if began.elapsed() > PATIENCE {
            bail!("still undecided: {due:?}");
        }
        if told.elapsed() > TELL_EVERY {
            told = Instant::now();
            let calls = stage.bank.call_totals();
            println!(
                "… {:.0} s: {} reads, {} confirms at the bank",
                began.elapsed().as_secs_f64(),
                calls.get + calls.get_by_order,
                calls.confirm
            );
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

fn tell_usage(
    place: &Place,
    servers: &[Server],
    payments: usize,
    took: Duration,
) -> anyhow::Result<()> {
    let rate = f64::from(u32::try_from(payments)?) / took.as_secs_f64();
    place.tell(&format!(
        "  decided in {:.1} s, {rate:.0} per second",
        took.as_secs_f64()
    ))?;
    for server in servers {
        let Usage {
            resident_max_kib,
            cpu,
        } = server.program.usage()?;
        place.tell(&format!(
            "  a server: at most {} MiB resident, {:.1} s of CPU",
            resident_max_kib.div_ceil(1024),
            cpu.as_secs_f64()
        ))?;
    }
    Ok(())
}

/// Statements per payment (preparing and forgetting one counts too), and what instances did in vain: a conditional update that hit nothing is
/// a claim that another instance won.
fn tell_statements(place: &Place, stage: &Stage, payments: usize) -> anyhow::Result<()> {
    let database = &stage.database_name;
    let counted = stage.sql(&format!(
        "SELECT COALESCE(SUM(count_star), 0),
                COALESCE(SUM(IF(digest_text LIKE 'COMMIT%', count_star, 0)), 0),
                COALESCE(SUM(IF(digest_text LIKE 'EXECUTE UPDATE `payment_event`%', count_star, 0)), 0),
                COALESCE(SUM(IF(digest_text LIKE 'EXECUTE UPDATE `payment_event`%', sum_rows_affected, 0)), 0),
                COALESCE(SUM(IF(digest_text LIKE 'EXECUTE SELECT%`payment_event` . `due_at` <= %', count_star, 0)), 0)
         FROM performance_schema.events_statements_summary_by_digest
         WHERE schema_name = '{database}'"
    ))?;
    let numbers: Vec<u64> = counted
        .split_whitespace()
        .map(str::parse)
        .collect::<Result<_, _>>()?;
    let [statements, commits, updates, hits, pages] = numbers[..] else {
        bail!("{counted}");
    };
    let payments = f64::from(u32::try_from(payments)?);
    let per_payment = |count: u64| anyhow::Ok(f64::from(u32::try_from(count)?) / payments);
    place.tell(&format!(
        "  {:.1} statements and {:.2} commits per payment; {} of {updates} claims and settlements lost; \
         due payments listed {pages} times, by the measurement too",
        per_payment(statements)?,
        per_payment(commits)?,
        updates - hits
    ))
}
