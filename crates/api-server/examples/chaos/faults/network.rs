//! The network between one server and MySQL: cut, or silent.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rand::RngExt;
use tokio::task::JoinSet;

use super::Storm;
use crate::relay::Line;
use crate::stage::Stage;

/// How long after a silence a server may take to be ready again, without a restart. Its statements
/// give up after 20 s; MySQL may be down in between.
const RECOVERED_WITHIN: Duration = Duration::from_secs(60);

pub(super) async fn cut(mut storm: Storm) -> anyhow::Result<()> {
    let mut watchers = JoinSet::new();
    let mut round = 0_u32;
    while !storm.is_over() {
        storm.pause(3_000..9_000).await;
        let index = storm.random.random_range(0..storm.stage.instances.len());
        let stage = Arc::clone(&storm.stage);
        let instance = &stage.instances[index];
        let Some(relay) = &instance.relay else {
            break;
        };
        // A server that has not recovered yet is left alone.
        if storm.is_over() || instance.spared.load(Ordering::SeqCst) {
            continue;
        }
        round += 1;
        if round % 3 == 2 {
            instance.spared.store(true, Ordering::SeqCst);
            let life = instance.life().number;
            relay.set(Line::Silent);
            stage.tally().silences += 1;
            storm.pause(1_000..4_000).await;
            relay.set(Line::Up);
            watchers.spawn(watch(Arc::clone(&stage), index, life));
        } else {
            relay.set(Line::Cut);
            stage.tally().cuts += 1;
            storm.pause(50..3_000).await;
            relay.set(Line::Up);
        }
    }
    watchers.join_all().await;
    Ok(())
}

/// Waits until a server is ready after a silence, in the same life.
async fn watch(stage: Arc<Stage>, index: usize, life: u32) {
    let instance = &stage.instances[index];
    let ready = format!("http://127.0.0.1:{}/health/ready", instance.port);
    let began = Instant::now();
    loop {
        let same = {
            let mut now = instance.life();
            let number = now.number;
            let program = now.program.as_mut();
            number == life && program.is_some_and(|program| program.ended().is_none())
        };
        if !same {
            break;
        }
        if stage.get(&ready).await.is_some() {
            stage.tally().after_silence.push(began.elapsed());
            break;
        }
        if began.elapsed() > RECOVERED_WITHIN {
            let port = instance.port;
            let what = format!("the server at {port} was not ready a minute after a silence");
            stage.tally().breaks.push(what);
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    instance.spared.store(false, Ordering::SeqCst);
}
