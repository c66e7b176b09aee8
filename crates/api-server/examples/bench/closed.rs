//! A closed loop: so many clients, each of which asks again as soon as it is answered. It shows what
//! a server can carry.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use crate::program::Program;
use crate::sample::sorted_ms;
use crate::wire::Connection;
use crate::work::{Verdict, Work};

/// How hard, and for how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) clients: usize,
    /// Answers of this first while do not count.
    pub(crate) warm: Duration,
    pub(crate) measure: Duration,
}

/// What was answered after the warm-up.
#[derive(Debug)]
pub(crate) struct Carried {
    pub(crate) per_second: f64,
    /// Of every good answer, sorted.
    pub(crate) latencies_ms: Vec<f64>,
    /// Of the server for each good answer.
    pub(crate) cpu_us: f64,
    pub(crate) refused: u64,
}

/// Good answers of one client: when, since the start, and after how long.
type Answered = Vec<(Duration, Duration)>;

/// When the first client found no work, in microseconds since the start.
struct RanOut(AtomicU64);

/// Puts this load on the server at `port`, whose process is `program`.
///
/// # Errors
/// When an answer is wrong, or the work ran out long before the time was over.
pub(crate) async fn run<W: Work>(
    port: u16,
    program: &Program,
    load: Load,
    work: &Arc<W>,
) -> anyhow::Result<Carried> {
    let start = Instant::now();
    let end = start + load.warm + load.measure;
    let ran_out = Arc::new(RanOut(AtomicU64::new(u64::MAX)));
    let refused = Arc::new(AtomicU64::new(0));
    let clients: Vec<_> = (0..load.clients)
        .map(|_| {
            let (work, ran_out, refused) =
                (Arc::clone(work), Arc::clone(&ran_out), Arc::clone(&refused));
            tokio::spawn(async move {
                let mut connection = Connection::open(port).await?;
                let mut answered = Answered::new();
                while Instant::now() < end {
                    let Some(request) = work.next() else {
                        let at = u64::try_from(start.elapsed().as_micros())?;
                        ran_out.0.fetch_min(at, Ordering::Relaxed);
                        break;
                    };
                    let asked = Instant::now();
                    let answer = connection.post(&request).await?;
                    match work.take(request.tag, &answer) {
                        Verdict::Good => answered.push((start.elapsed(), asked.elapsed())),
                        Verdict::Refused => drop(refused.fetch_add(1, Ordering::Relaxed)),
                        Verdict::Wrong(what) => bail!("{what}"),
                    }
                }
                Ok(answered)
            })
        })
        .collect();
    let (before, after) = cpu_between(program, start + load.warm, end).await?;
    let mut answered = Answered::new();
    for client in clients {
        answered.extend(client.await?.context("a client")?);
    }
    let ran_out = Duration::from_micros(ran_out.0.load(Ordering::Relaxed));
    carried(load, &answered, ran_out, after.saturating_sub(before)).map(|carried| Carried {
        refused: refused.load(Ordering::Relaxed),
        ..carried
    })
}

/// The processor time that the program had used at these two moments.
async fn cpu_between(
    program: &Program,
    from: Instant,
    until: Instant,
) -> anyhow::Result<(Duration, Duration)> {
    tokio::time::sleep_until(from.into()).await;
    let before = program.usage()?.cpu;
    tokio::time::sleep_until(until.into()).await;
    Ok((before, program.usage()?.cpu))
}

/// Counts from the end of the warm-up until the time is over or the work ran out.
fn carried(
    load: Load,
    answered: &[(Duration, Duration)],
    ran_out: Duration,
    cpu: Duration,
) -> anyhow::Result<Carried> {
    let end = load.warm + load.measure;
    let until = ran_out.min(end);
    if until < load.warm + load.measure / 4 {
        bail!("the work ran out after {ran_out:?}");
    }
    let counted = answered.iter().filter(|(at, _)| *at >= load.warm);
    let within = counted.clone().filter(|(at, _)| *at <= until);
    let latencies_ms = sorted_ms(within.map(|(_, took)| *took));
    // The processor was watched until the very end, and so are the answers that it worked for.
    let worked_for = u32::try_from(counted.count())?;
    if latencies_ms.is_empty() {
        bail!("nothing was answered in {:?}", load.measure);
    }
    Ok(Carried {
        per_second: f64::from(u32::try_from(latencies_ms.len())?)
            / until.saturating_sub(load.warm).as_secs_f64(),
        latencies_ms,
        cpu_us: cpu.as_secs_f64() * 1e6 / f64::from(worked_for),
        refused: 0,
    })
}

/// Lets these clients do all the work there is.
///
/// # Errors
/// When an answer is anything but good.
pub(crate) async fn exhaust<W: Work>(
    port: u16,
    clients: usize,
    work: &Arc<W>,
) -> anyhow::Result<()> {
    let clients = (0..clients).map(|_| {
        let work = Arc::clone(work);
        tokio::spawn(async move {
            let mut connection = Connection::open(port).await?;
            while let Some(request) = work.next() {
                let answer = connection.post(&request).await?;
                match work.take(request.tag, &answer) {
                    Verdict::Good => {}
                    Verdict::Refused => bail!("refused"),
                    Verdict::Wrong(what) => bail!("{what}"),
                }
            }
            Ok(())
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await??;
    }
    Ok(())
}
