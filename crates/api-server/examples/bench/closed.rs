//! A closed loop: so many clients, each of which asks again as soon as it is answered. It shows what
//! a server can carry.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use crate::program::Program;
use crate::sample::sorted_ms;
use crate::wire::Connection;
use crate::work::{Verdict, Work};

/// A server that has not answered every client twice by then does not work.
const LIMIT: Duration = Duration::from_secs(180);
/// How exactly the moments are met at which the processor time is read.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// How hard, and for how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) clients: usize,
    /// Answers of this first while do not count, nor the first answer to each client.
    pub(crate) warm: Duration,
    /// What is counted afterwards; longer if there is less than an answer for each client in it.
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

/// Good answers of one client: when, and after how long.
type Answered = Vec<(Instant, Duration)>;

/// What all clients of a loop know of one another.
struct Window {
    start: Instant,
    load: Load,
    answers: AtomicUsize,
    refused: AtomicU64,
    /// When counting began, and how many answers there had been.
    from: OnceLock<(Instant, usize)>,
    /// When it ended: the time was over, or a client found no work.
    until: OnceLock<Instant>,
}

impl Window {
    fn new(load: Load) -> Self {
        Self {
            start: Instant::now(),
            load,
            answers: AtomicUsize::new(0),
            refused: AtomicU64::new(0),
            from: OnceLock::new(),
            until: OnceLock::new(),
        }
    }

    /// Notes one more good answer, and opens or closes the window with it.
    fn note(&self, at: Instant) {
        let answers = self.answers.fetch_add(1, Ordering::Relaxed) + 1;
        let Load {
            clients,
            warm,
            measure,
        } = self.load;
        match self.from.get() {
            None if answers >= clients && at >= self.start + warm => {
                self.from.get_or_init(|| (at, answers));
            }
            Some((from, before)) if answers >= before + clients && at >= *from + measure => {
                self.close(at);
            }
            None | Some(_) => {}
        }
    }

    /// The first to close it says when.
    fn close(&self, at: Instant) {
        self.until.get_or_init(|| at);
    }

    fn is_over(&self) -> bool {
        self.until.get().is_some() || self.start.elapsed() > LIMIT
    }

    /// The processor time that the program used while the window was open.
    async fn watch(&self, program: &Program) -> anyhow::Result<Duration> {
        while self.from.get().is_none() && !self.is_over() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        let before = program.usage()?.cpu;
        while !self.is_over() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(program.usage()?.cpu.saturating_sub(before))
    }
}

/// Puts this load on the server at `port`, whose process is `program`.
///
/// # Errors
/// When an answer is wrong, the work ran out during the warm-up, or the server does not answer.
pub(crate) async fn run<W: Work>(
    port: u16,
    program: &Program,
    load: Load,
    work: &Arc<W>,
) -> anyhow::Result<Carried> {
    let window = Arc::new(Window::new(load));
    let clients = (0..load.clients).map(|_| {
        let (work, window) = (Arc::clone(work), Arc::clone(&window));
        tokio::spawn(async move { ask(port, &*work, &window).await })
    });
    let clients: Vec<_> = clients.collect();
    let cpu = window.watch(program).await?;
    let mut answered = Answered::new();
    for client in clients {
        answered.extend(client.await??);
    }
    let from = window.from.get();
    let (from, _) = *from.context("the work or the time was over before the warm-up was")?;
    let until = *window.until.get().context("hardly anything was answered")?;
    let counted = answered.iter().filter(|(at, _)| *at > from && *at <= until);
    let latencies_ms = sorted_ms(counted.map(|(_, took)| *took));
    let count = f64::from(u32::try_from(latencies_ms.len())?);
    if latencies_ms.is_empty() {
        bail!("the work ran out right after the warm-up");
    }
    Ok(Carried {
        per_second: count / until.duration_since(from).as_secs_f64(),
        latencies_ms,
        cpu_us: cpu.as_secs_f64() * 1e6 / count,
        refused: window.refused.load(Ordering::Relaxed),
    })
}

/// One client.
async fn ask<W: Work>(port: u16, work: &W, window: &Window) -> anyhow::Result<Answered> {
    let mut connection = Connection::open(port).await?;
    let mut answered = Answered::new();
    while !window.is_over() {
        let Some(request) = work.next() else {
            window.close(Instant::now());
            break;
        };
        let asked = Instant::now();
        let answer = connection.post(&request).await?;
        let at = Instant::now();
        match work.take(request.tag, &answer) {
            Verdict::Good => {
                answered.push((at, at.duration_since(asked)));
                window.note(at);
            }
            Verdict::Refused(_) => drop(window.refused.fetch_add(1, Ordering::Relaxed)),
            Verdict::Wrong(what) => {
                window.close(at);
                bail!("{what}");
            }
        }
    }
    Ok(answered)
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
                    Verdict::Refused(code) => bail!("refused: {code}"),
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
