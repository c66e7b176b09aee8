//! An open loop: requests arrive by a fixed schedule, whether or not the earlier ones are answered.
//! Latency counts from the intended moment, so that a server that stalls cannot hide it by keeping
//! its clients from asking.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::bail;
use tokio::task::JoinSet;

use crate::sample::sorted_ms;
use crate::wire::Connection;
use crate::work::{Verdict, Work};

/// Who arrives when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Schedule {
    pub(crate) per_second: u32,
    pub(crate) lasts: Duration,
    /// How long answers are waited for after the last arrival; what comes later is dropped.
    pub(crate) patience: Duration,
    /// Where the count of answers per second begins.
    pub(crate) settles: Duration,
}

impl Schedule {
    pub(crate) fn arrivals(&self) -> usize {
        let arrivals = self.lasts.as_millis() * u128::from(self.per_second) / 1000;
        usize::try_from(arrivals).unwrap_or(usize::MAX)
    }
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Served {
    /// Good answers per second from [`Schedule::settles`] until the last arrival.
    pub(crate) per_second: f64,
    /// From the intended moment to the good answer, sorted.
    pub(crate) latencies_ms: Vec<f64>,
    /// Arrivals without a good answer, by what happened to them.
    pub(crate) drops: BTreeMap<String, usize>,
}

impl Served {
    pub(crate) fn dropped(&self) -> usize {
        self.drops.values().sum()
    }
}

enum End {
    Good { at: Duration, took: Duration },
    Dropped(String),
    Wrong(String),
}

/// Connections that nobody uses at this moment; the one used last is the first to be used again.
#[derive(Default)]
struct Idle(Mutex<Vec<Connection>>);

impl Idle {
    fn take(&self) -> Option<Connection> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn give(&self, connection: Connection) {
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push(connection);
    }
}

/// Lets the work arrive at the server at `port`.
///
/// # Errors
/// When an answer is wrong. A refusal, a broken connection and an answer too late are drops.
pub(crate) async fn run<W: Work>(
    port: u16,
    schedule: Schedule,
    work: &Arc<W>,
) -> anyhow::Result<Served> {
    let idle = Arc::new(Idle::default());
    let mut arrived = JoinSet::new();
    let start = Instant::now();
    let count = schedule.arrivals();
    for number in 0..count {
        let intended = start + Duration::from_secs_f64(gap(schedule.per_second) * as_f64(number));
        tokio::time::sleep_until(intended.into()).await;
        let (work, idle) = (Arc::clone(work), Arc::clone(&idle));
        arrived.spawn(async move { arrive(port, start, intended, &*work, &idle).await });
    }
    let given_up = start + schedule.lasts + schedule.patience;
    let (mut at, mut took, mut drops) = (Vec::new(), Vec::new(), BTreeMap::new());
    while let Ok(Some(end)) = tokio::time::timeout_at(given_up.into(), arrived.join_next()).await {
        match end? {
            End::Good {
                at: this_at,
                took: this_took,
            } => {
                at.push(this_at);
                took.push(this_took);
            }
            End::Dropped(why) => *drops.entry(why).or_default() += 1,
            End::Wrong(what) => bail!("{what}"),
        }
    }
    let unanswered = arrived.len();
    if unanswered > 0 {
        drops.insert("not answered in time".to_owned(), unanswered);
    }
    let counted = at
        .iter()
        .filter(|at| **at >= schedule.settles && **at <= schedule.lasts);
    let seconds = schedule
        .lasts
        .saturating_sub(schedule.settles)
        .as_secs_f64();
    Ok(Served {
        per_second: as_f64(counted.count()) / seconds,
        drops,
        latencies_ms: sorted_ms(took.into_iter()),
    })
}

fn gap(per_second: u32) -> f64 {
    1.0 / f64::from(per_second)
}

fn as_f64(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::MAX, f64::from)
}

async fn arrive<W: Work>(
    port: u16,
    start: Instant,
    intended: Instant,
    work: &W,
    idle: &Idle,
) -> End {
    let Some(request) = work.next() else {
        return End::Wrong("fewer orders than arrivals were prepared".to_owned());
    };
    let mut connection = match idle.take() {
        Some(connection) => connection,
        None => match Connection::open(port).await {
            Ok(connection) => connection,
            Err(_) => return End::Dropped("no connection".to_owned()),
        },
    };
    let Ok(answer) = connection.post(&request).await else {
        return End::Dropped("the connection broke".to_owned());
    };
    idle.give(connection);
    match work.take(request.tag, &answer) {
        Verdict::Good => End::Good {
            at: start.elapsed(),
            took: intended.elapsed(),
        },
        Verdict::Refused(code) => End::Dropped(format!("refused, {code}")),
        Verdict::Wrong(what) => End::Wrong(what),
    }
}
