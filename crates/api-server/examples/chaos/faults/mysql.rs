//! MySQL: SIGKILL and restart, and pauses of all its threads.

use anyhow::Context;
use rand::RngExt;

use super::{Storm, docker};

pub(super) async fn kill(mut storm: Storm) -> anyhow::Result<()> {
    let container = storm.stage.options.mysql_container.clone();
    let container = container.context("a container of MySQL")?;
    loop {
        storm.pause(5_000..15_000).await;
        if storm.is_over() {
            return Ok(());
        }
        if storm.random.random_bool(0.5) {
            docker(&["kill", "--signal", "KILL", &container]).await?;
            storm.stage.tally().mysql_kills += 1;
            storm.pause(0..2_000).await;
            docker(&["start", &container]).await?;
        } else {
            docker(&["pause", &container]).await?;
            storm.stage.tally().mysql_pauses += 1;
            storm.pause(200..5_000).await;
            docker(&["unpause", &container]).await?;
        }
    }
}
