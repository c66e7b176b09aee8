//! Slow approvals and a fixed schedule of arrivals (R5 to R8).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::mysql;
use crate::open::{self, Schedule, Served};
use crate::plan::Plan;
use crate::round::Furnished;
use crate::sample::{Row, Side, quantile};
use crate::stage::{Place, Server, Store};
use crate::work::Confirms;

/// Confirms before the first arrival that counts, or as many as will arrive.
const WARM_UP: usize = 200;
/// How long answers are waited for after the last arrival: as long as a client would.
const PATIENCE: Duration = Duration::from_secs(30);

/// How fast buyers come, and how long the gateway takes for an approval (drawn evenly).
#[derive(Debug, Clone, Copy)]
struct Crowd {
    per_second: u32,
    gateway_ms: (u32, u32),
}

impl Crowd {
    fn divided(self, divide: u32) -> Self {
        let (min, max) = self.gateway_ms;
        Self {
            per_second: (self.per_second / divide).max(1),
            gateway_ms: (min / divide, max / divide),
        }
    }

    fn case(self, store: Store) -> String {
        let (min, max) = self.gateway_ms;
        let gateway = if min == max {
            format!("{min} ms")
        } else {
            format!("{min}–{max} ms")
        };
        let per_second = self.per_second;
        format!("{}, {per_second}/s, gateway {gateway}", store.name())
    }

    /// The gateway's own time at this share (per thousand) of an even draw.
    fn gateway_quantile_ms(self, per_mille: u32) -> f64 {
        let (min, max) = self.gateway_ms;
        f64::from(min) + f64::from(max - min) * f64::from(per_mille) / 1000.0
    }

    fn schedule(self, plan: &Plan) -> Schedule {
        Schedule {
            per_second: self.per_second,
            lasts: plan.arrive_ms,
            patience: PATIENCE,
            settles: Duration::ZERO,
        }
    }
}

/// Our server under a crowd: what was served, and the most memory that was resident, in MiB.
async fn ours(set: &Furnished, crowd: Crowd, schedule: Schedule) -> anyhow::Result<(Served, f64)> {
    set.stage.delay_approvals(0, 0);
    let warm_up = WARM_UP.min(schedule.arrivals());
    let mut orders = set.prepare(schedule.arrivals() + warm_up).await?;
    let rest = orders.split_off(warm_up);
    let server = set.stage.start(true).await?;
    set.warm_up(&server, orders).await?;
    let confirms = Arc::new(Confirms::new(rest));
    let served = serve(set, &server, crowd, schedule, &confirms).await?;
    set.stage.note_paid(confirms.paid());
    let resident_kib = server.program.usage()?.resident_max_kib;
    server.end();
    Ok((served, f64::from(u32::try_from(resident_kib)?) / 1024.0))
}

async fn serve(
    set: &Furnished,
    server: &Server,
    crowd: Crowd,
    schedule: Schedule,
    confirms: &Arc<Confirms>,
) -> anyhow::Result<Served> {
    let (min, max) = crowd.gateway_ms;
    set.stage.delay_approvals(min.into(), max.into());
    let served = open::run(server.port, schedule, confirms).await?;
    set.stage.delay_approvals(0, 0);
    Ok(served)
}

/// Baseline (b) under the same crowd. What was answered as paid is checked here, because its rows
/// are not our server's.
async fn in_transaction(
    set: &Furnished,
    pool: u32,
    crowd: Crowd,
    schedule: Schedule,
) -> anyhow::Result<Served> {
    let orders = set.prepare(schedule.arrivals()).await?;
    let pool = pool.to_string();
    let stage = &set.stage;
    let arguments = ["in-transaction", "--pool", &pool];
    let database = ["--database-url", &stage.database_url];
    let bank = ["--bank-url", &stage.bank_url];
    let key = ["--secret-key", stage.bank.secret_key()];
    let arguments = [&arguments[..], &database, &bank, &key].concat();
    let server = stage.baseline(&arguments).await?;
    let confirms = Arc::new(Confirms::new(orders));
    let served = serve(set, &server, crowd, schedule, &confirms).await?;
    server.end();
    let done: BTreeSet<String> = mysql::done(&stage.database_url)
        .await?
        .into_iter()
        .collect();
    stage.compare(&confirms.paid(), &done)?;
    Ok(served)
}

/// R5: as many connections as the server has, and a gateway that takes its time.
#[expect(clippy::print_stdout, reason = "progress")]
pub(crate) async fn against_in_transaction(place: &Place, plan: &Plan) -> anyhow::Result<Vec<Row>> {
    if place.mysql.is_none() || !plan.wants(&["R5"]) {
        return Ok(Vec::new());
    }
    let mut rows = Vec::new();
    for gateway_ms in [1000, 3000] {
        let crowd = Crowd {
            per_second: 300,
            gateway_ms: (gateway_ms, gateway_ms),
        };
        let crowd = crowd.divided(plan.divide);
        let set = Furnished::new(place, Store::MySql, "bench_held").await?;
        let schedule = whole_delays(crowd, plan);
        let (mut ours_per_second, mut theirs_per_second) = (Vec::new(), Vec::new());
        for pair in 0..plan.pairs {
            // What waits at the end is answered before the server goes, so that no later run
            // recovers it.
            let patient = Schedule {
                patience: PATIENCE,
                ..schedule
            };
            let (served, _) = ours(&set, crowd, patient).await?;
            let theirs = in_transaction(&set, place.pool, crowd, schedule).await?;
            println!(
                "  {} of {}: {:.1}/s served, {:.2}/s by the outside call in a transaction",
                pair + 1,
                plan.pairs,
                served.per_second,
                theirs.per_second
            );
            ours_per_second.push(served.per_second);
            theirs_per_second.push(theirs.per_second);
        }
        set.end(place).await?;
        rows.push(Row::ratio(
            "R5",
            format!("{}, pool {}", crowd.case(Store::MySql), place.pool),
            "confirms served per second, ours ÷ Toss called inside the transaction (b)",
            Side::new("ours", "confirms/s", ours_per_second),
            Side::new("(b)", "confirms/s", theirs_per_second),
        ));
    }
    Ok(rows)
}

/// A schedule whose counted part is a whole number of the gateway's delays, and begins and ends
/// between two: a server whose connections all wait for the gateway answers in bursts.
fn whole_delays(crowd: Crowd, plan: &Plan) -> Schedule {
    let delay = Duration::from_millis(crowd.gateway_ms.0.into());
    let fit = plan.arrive_ms.as_millis() / delay.as_millis().max(1);
    let counted = u32::try_from(fit).unwrap_or(u32::MAX).clamp(2, 1000);
    let settles = delay * 3 / 2;
    Schedule {
        per_second: crowd.per_second,
        lasts: settles + delay * counted,
        patience: Duration::ZERO,
        settles,
    }
}

/// R6, R7 and R8: what a crowd sees of our server.
pub(crate) async fn crowds(place: &Place, plan: &Plan) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (id, per_second, gateway_ms) in [
        ("R6", 100, (2000, 3500)),
        ("R7", 1000, (2000, 3500)),
        ("R8", 50, (1000, 1000)),
    ] {
        let crowd = Crowd {
            per_second,
            gateway_ms,
        };
        if plan.wants(&[id]) {
            rows.extend(seen(place, plan, id, crowd.divided(plan.divide)).await?);
        }
    }
    Ok(rows)
}

/// What clients and the operator of a server see of one crowd.
#[expect(clippy::print_stdout, reason = "progress")]
async fn seen(
    place: &Place,
    plan: &Plan,
    id: &'static str,
    crowd: Crowd,
) -> anyhow::Result<Vec<Row>> {
    let store = place.store();
    let set = Furnished::new(place, store, "bench_crowd").await?;
    let (mut drops, mut resident_mib) = (Vec::new(), Vec::new());
    // Above the gateway's own, at each of these shares per thousand.
    let shares: [usize; 3] = [500, 950, 990];
    let mut above: [Vec<f64>; 3] = Default::default();
    for run in 0..plan.pairs {
        let (served, mib) = ours(&set, crowd, crowd.schedule(plan)).await?;
        drops.push(f64::from(u32::try_from(served.dropped())?));
        resident_mib.push(mib);
        for (above, share) in above.iter_mut().zip(shares) {
            let gateway = crowd.gateway_quantile_ms(u32::try_from(share)?);
            above.push(quantile(&served.latencies_ms, share) - gateway);
        }
        println!(
            "  {id} {} of {}: {} dropped of {}, {:.1} / {:.1} / {:.1} ms above the gateway's \
             p50 / p95 / p99, {mib:.0} MiB {:?}",
            run + 1,
            plan.pairs,
            served.dropped(),
            crowd.schedule(plan).arrivals(),
            above[0][run],
            above[1][run],
            above[2][run],
            served.drops,
        );
    }
    set.end(place).await?;
    let case = crowd.case(store);
    let row = |what, unit, samples| Row::plain(id, case.clone(), what, unit, samples);
    let [p50, p95, p99] = above;
    let lost = "arrivals without a receipt";
    Ok(match id {
        "R6" => vec![
            row(lost, "dropped", drops),
            row("p95 − the gateway's p95", "ms", p95),
        ],
        "R7" => vec![
            row(lost, "dropped", drops).beside(Side::new("p99 − the gateway's p99", "ms", p99)),
            row("most memory resident (VmHWM)", "MiB", resident_mib),
        ],
        _ => vec![
            row("p50 − the gateway's delay", "ms", p50),
            row("p99 − the gateway's delay", "ms", p99).beside(Side::new(lost, "dropped", drops)),
        ],
    })
}
