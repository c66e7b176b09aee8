//! A replication group of MySQL: SIGKILL and pause of its primary, and its return.

use std::time::{Duration, Instant};

use anyhow::bail;
use rand::RngExt;

use super::{Storm, docker};

/// How long the group may take to have a primary, or a member to be back.
const BACK_WITHIN: Duration = Duration::from_secs(120);
/// A member that was paused joins again by itself; after so long it is helped.
const HELP_AFTER: Duration = Duration::from_secs(30);

const PRIMARY: &str = "SELECT member_host FROM performance_schema.replication_group_members \
     WHERE member_role = 'PRIMARY' AND member_state = 'ONLINE'";
const MY_STATE: &str = "SELECT member_state FROM performance_schema.replication_group_members \
     WHERE member_id = @@server_uuid";

/// Strikes the primary, waits until every server has written again, and brings the member back.
pub(super) async fn fail_over(mut storm: Storm) -> anyhow::Result<()> {
    let members = storm.stage.options.mysql_group.clone();
    loop {
        storm.pause(3_000..6_000).await;
        if storm.is_over() {
            return Ok(());
        }
        let primary = primary(&members).await?;
        let is_kill = storm.random.random_bool(0.6);
        let struck = Instant::now();
        docker(&[if is_kill { "kill" } else { "pause" }, &primary]).await?;
        storm.stage.servers_write().await?;
        {
            let mut tally = storm.stage.tally();
            if is_kill {
                tally.after_primary_kill.push(struck.elapsed());
            } else {
                tally.after_primary_pause.push(struck.elapsed());
            }
        }
        if is_kill {
            docker(&["start", &primary]).await?;
        } else {
            docker(&["unpause", &primary]).await?;
        }
        rejoin(&primary, is_kill).await?;
    }
}

/// The container of the primary; a member's host is its container's name.
async fn primary(members: &[String]) -> anyhow::Result<String> {
    let began = Instant::now();
    while began.elapsed() < BACK_WITHIN {
        for member in members {
            if let Some(host) = ask(member, PRIMARY).await
                && members.contains(&host)
            {
                return Ok(host);
            }
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    bail!("the group has no primary")
}

async fn rejoin(member: &str, was_killed: bool) -> anyhow::Result<()> {
    let began = Instant::now();
    let mut helped = false;
    while began.elapsed() < BACK_WITHIN {
        tokio::time::sleep(Duration::from_millis(300)).await;
        match ask(member, MY_STATE).await.as_deref() {
            // It does not answer yet.
            None => {}
            Some("ONLINE") => return Ok(()),
            Some("RECOVERING") => {}
            Some(_) if !helped && (was_killed || began.elapsed() > HELP_AFTER) => {
                let _stopped = ask(member, "STOP GROUP_REPLICATION").await;
                helped = ask(member, "START GROUP_REPLICATION").await.is_some();
            }
            Some(_) => {}
        }
    }
    bail!("{member} did not join the group again")
}

/// What this member's MySQL says; `None` when it says nothing.
async fn ask(member: &str, question: &str) -> Option<String> {
    let mysql = ["exec", member, "mysql", "-uroot", "-NBe", question];
    let answer = docker(&mysql);
    tokio::time::timeout(BACK_WITHIN, answer).await.ok()?.ok()
}
