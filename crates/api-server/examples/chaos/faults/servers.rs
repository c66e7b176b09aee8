//! Servers: SIGKILL at random moments and at failpoints, and pauses longer than a lease.

use std::process::ExitStatus;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rand::RngExt;

use super::Storm;
use crate::program::{Program, was_killed};
use crate::stage::Instance;

/// How long an armed life may go on without reaching its point.
const ARMED_FOR: Duration = Duration::from_secs(5);
/// How a server ends that does not start. Its settings are right, so it is the database that it
/// lacks.
const NO_DATABASE: i32 = 1;
/// Calls that a life makes seldom: their points are armed to strike at once.
const SELDOM: [&str; 12] = [
    "payments.attempt",
    "payments.look.",
    "payments.undecided",
    "payments.quarantine",
    "payments.orphan",
    "payments.attempts",
    "payments.transactions",
    "payments.message_failed",
    "products.release",
    "gateway.cancel",
    "gateway.look_up.",
    "gateway.look_up_order",
];

/// Kills until the storm is over, and starts again what is down.
pub(super) async fn kill(mut storm: Storm) -> anyhow::Result<()> {
    let mut points: Vec<(u32, String)> = api_server::failpoints::names()
        .into_iter()
        .map(|name| (0, name))
        .collect();
    let mut next = Instant::now();
    while !storm.is_over() {
        tokio::time::sleep(Duration::from_millis(25)).await;
        for index in 0..storm.stage.instances.len() {
            bury(&mut storm, index, &mut points);
            raise(&mut storm, index, &mut points)?;
        }
        if Instant::now() >= next {
            strike(&mut storm).await;
            next = Instant::now() + Duration::from_millis(storm.random.random_range(200..1200));
        }
    }
    Ok(())
}

/// Notes how a program ended by itself, and when it may come back. A failpoint whose life found no
/// database keeps its turn.
fn bury(storm: &mut Storm, index: usize, points: &mut [(u32, String)]) {
    let instance = &storm.stage.instances[index];
    let mut life = instance.life();
    let Some(status) = life.program.as_mut().and_then(Program::ended) else {
        return;
    };
    life.program = None;
    life.back_at = Instant::now() + Duration::from_millis(storm.random.random_range(0..400));
    let armed = life.armed.take();
    drop(life);
    if status.code() == Some(NO_DATABASE)
        && let Some(point) = &armed
        && let Some((turns, _)) = points.iter_mut().find(|(_, name)| name == point)
    {
        *turns = turns.saturating_sub(1);
        if let Some(armed) = storm.stage.tally().armed.get_mut(point) {
            *armed -= 1;
        }
    }
    note_death(storm, instance.port, armed, status);
}

fn note_death(storm: &Storm, port: u16, armed: Option<String>, status: ExitStatus) {
    let mut tally = storm.stage.tally();
    match armed {
        Some(point) if was_killed(status) => {
            *tally.failpoint_deaths.entry(point).or_default() += 1;
        }
        _ if status.code() == Some(NO_DATABASE) => tally.failed_starts += 1,
        _ => tally
            .breaks
            .push(format!("the server at {port} ended by itself: {status}")),
    }
}

/// Begins the next life of a server that is down, in half of all cases with a failpoint: the one
/// that was armed least often.
fn raise(storm: &mut Storm, index: usize, points: &mut [(u32, String)]) -> anyhow::Result<()> {
    let instance = &storm.stage.instances[index];
    {
        let life = instance.life();
        if life.program.is_some() || life.back_at > Instant::now() {
            return Ok(());
        }
    }
    let armed = if storm.random.random_bool(0.6) {
        let from = storm.random.random_range(0..points.len());
        points.rotate_left(from);
        points.iter_mut().min_by_key(|(armed, _)| *armed)
    } else {
        None
    };
    let armed = armed.map(|(armed, point)| {
        *armed += 1;
        let seldom = SELDOM.iter().any(|call| point.starts_with(call));
        (point.clone(), if seldom { 1.0 } else { 0.05 })
    });
    if let Some((point, _)) = &armed {
        let mut tally = storm.stage.tally();
        *tally.armed.entry(point.clone()).or_default() += 1;
    }
    storm.stage.start_server(instance, armed)
}

/// Kills or pauses a server, unless it is waiting for its failpoint.
async fn strike(storm: &mut Storm) {
    let index = storm.random.random_range(0..storm.stage.instances.len());
    let instance = &storm.stage.instances[index];
    if instance.spared.load(Ordering::SeqCst) {
        return;
    }
    let waits = {
        let life = instance.life();
        life.armed.is_some() && life.born.elapsed() < ARMED_FOR
    };
    if waits {
        return;
    }
    if storm.random.random_bool(0.1) {
        stand_still(storm, index).await;
        return;
    }
    let back = Duration::from_millis(storm.random.random_range(0..400));
    if kill_one(instance, back) {
        storm.stage.tally().server_kills += 1;
    }
}

fn kill_one(instance: &Instance, back: Duration) -> bool {
    let mut life = instance.life();
    let Some(program) = life.program.as_mut() else {
        return false;
    };
    if !program.kill() {
        // It died of something else just now: that is noted by whoever buries it.
        return false;
    }
    life.program = None;
    life.armed = None;
    life.back_at = Instant::now() + back;
    true
}

/// Stops a server in the middle of whatever it does, often for longer than its leases last.
async fn stand_still(storm: &mut Storm, index: usize) {
    let signal = |storm: &Storm, pause: bool| {
        let life = storm.stage.instances[index].life();
        if let Some(program) = &life.program {
            if pause {
                program.pause();
            } else {
                program.resume();
            }
        }
    };
    signal(storm, true);
    storm.stage.tally().server_pauses += 1;
    storm.pause(300..4000).await;
    signal(storm, false);
}
