//! Runs one schedule from an empty shop to silence, and judges it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use storage::{DatabaseSettings, DatabaseUrl};
use tokio::runtime::{Builder, Runtime};

use crate::audit::reconcile;
use crate::client::{AtWork, ask_again, follow_the_script, open_the_shop};
use crate::judge::{Judge, connect, furnish};
use crate::plan::{Plan, Schedule};
use crate::process::{SERVERS, Slots, start};
use crate::staff::settle_the_quarantined;
use crate::world::World;

/// How often the judge asks whether all is quiet.
const GLANCE: Duration = Duration::from_secs(1);
/// How long clients may go on after everything is decided.
const ANSWERED_WITHIN: Duration = Duration::from_secs(120);
/// No schedule may take longer, in virtual time.
const SCHEDULE_MAX: Duration = Duration::from_secs(600);
/// How often a pool is looked at before a connection in use counts as leaked; longer than a stall.
const IDLE_LOOKS: u32 = 40;
/// Connections of each server.
const POOL_SIZE: usize = 4;

/// What came of a schedule.
#[derive(Debug, Clone)]
pub struct Report {
    /// Digest of the whole trace: the same schedule always has the same.
    pub digest: u64,
    /// Lines of the trace.
    pub events: u64,
    /// Points counted, for [`Plan::Script`].
    pub points: u64,
    /// How often each kind of fault, refusal and repair happened.
    pub happened: BTreeMap<&'static str, u64>,
    /// The first broken invariant.
    pub violation: Option<String>,
    /// The trace, if it was to be kept.
    pub trace: Vec<String>,
    /// Virtual time from the last fault until everything was decided.
    pub decided_after: Duration,
    /// Virtual time that the schedule took.
    pub took: Duration,
    /// Orders by their last status, as text.
    pub tally: String,
}

/// A migrated and furnished database, and the folder in which schedules get copies of it.
pub struct Stage {
    folder: PathBuf,
    template: Vec<u8>,
}

impl Stage {
    /// Makes the template, in memory-backed storage where there is some.
    ///
    /// # Errors
    /// When no folder can be made or the migration fails.
    pub fn new() -> anyhow::Result<Self> {
        static STAGES: AtomicU64 = AtomicU64::new(0);
        let shared_memory = Path::new("/dev/shm");
        let parent = if shared_memory.is_dir() {
            shared_memory.to_owned()
        } else {
            std::env::temp_dir()
        };
        let number = STAGES.fetch_add(1, Ordering::SeqCst);
        let name = format!("payment-simulation-{}-{number}", std::process::id());
        let folder = parent.join(name);
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("no folder {}", folder.display()))?;
        let path = folder.join("template.db");
        let made = runtime()?.block_on(async {
            let database = connect(&settings(&path)).await?;
            database.migrate().await?;
            furnish(&database).await
        });
        let mut stage = Self {
            folder,
            template: Vec::new(),
        };
        made.context("the template could not be made")?;
        stage.template = std::fs::read(&path)?;
        Ok(stage)
    }

    /// Runs a schedule.
    ///
    /// # Errors
    /// When the database file cannot be written or the runtime cannot be built; a broken invariant
    /// is no error but the report's `violation`.
    pub fn run(&self, schedule: &Schedule) -> anyhow::Result<Report> {
        let path = self.folder.join("schedule.db");
        std::fs::write(&path, &self.template)?;
        for suffix in ["-wal", "-shm"] {
            let mut beside = path.clone().into_os_string();
            beside.push(suffix);
            // Only there when a schedule was broken off.
            drop(std::fs::remove_file(beside));
        }
        runtime()?.block_on(perform(&path, schedule))
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // What is left in shared memory costs memory, no more.
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

/// One thread, and a clock that stands still while anything can run. A new one for each schedule:
/// whatever still waits when a schedule ends goes with it.
fn runtime() -> std::io::Result<Runtime> {
    Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
}

fn settings(path: &Path) -> DatabaseSettings {
    let mut settings = DatabaseSettings::new(DatabaseUrl::sqlite(path));
    settings.pool_size = POOL_SIZE;
    settings
}

async fn perform(path: &Path, schedule: &Schedule) -> anyhow::Result<Report> {
    let settings = settings(path);
    let judge = Judge::new(&connect(&settings).await?);
    let world = World::new(schedule.clone(), judge, Slots::new(settings));
    for index in 0..SERVERS {
        start(&world, index).await;
    }
    let at_work = Arc::new(AtWork::default());
    match &schedule.plan {
        Plan::Random => open_the_shop(&world, &at_work),
        Plan::Script { mishap, .. } => follow_the_script(&world, &at_work, *mishap),
    }
    let decided_after = quiet(&world, &at_work).await;
    world.calm();
    if world.violation().is_none() {
        expect_idle_pools(&world).await;
    }
    if world.violation().is_none() {
        close_the_day(&world).await;
    }
    let tally = format!("{:?}", world.judge.tally(&world));
    world.note("judge", format_args!("{tally}"));
    if world.slots.shared_writes() > 0 {
        world.count("schedules with writes that shared a transaction");
    }
    world.slots.clear();
    let took = world.elapsed();
    let happened = world.happened();
    let violation = world.violation();
    let (digest, events, points, trace) = world.finish();
    Ok(Report {
        digest,
        events,
        points,
        happened,
        violation,
        trace,
        decided_after,
        took,
        tally,
    })
}

/// When all is quiet: every invariant, the same confirms again, the books against the bank's, and
/// once more when an operator has settled what was quarantined.
async fn close_the_day(world: &Arc<World>) {
    let rule = || match world.judge.final_ruling(world) {
        Ok(()) => true,
        Err(violation) => {
            world.convict(violation);
            false
        }
    };
    if !rule() {
        return;
    }
    ask_again(world).await;
    if world.violation().is_some() {
        return;
    }
    settle_the_quarantined(world).await;
    if rule() {
        reconcile(world).await;
    }
}

/// Whatever still stalls goes on after a while; a connection that is in use even then has leaked.
async fn expect_idle_pools(world: &World) {
    for _ in 0..IDLE_LOOKS {
        if world.slots.connections_in_use() == 0 {
            return;
        }
        // Not in step with the workers.
        tokio::time::sleep(Duration::from_millis(777)).await;
    }
    world.convict("a connection is in use and nothing is done".to_owned());
}

/// Waits until nothing moves any more, and returns how long after the last fault everything was
/// decided.
async fn quiet(world: &Arc<World>, at_work: &AtWork) -> Duration {
    let mut decided_at = None;
    loop {
        tokio::time::sleep(GLANCE).await;
        if world.violation().is_some() {
            return Duration::ZERO;
        }
        let (now, calm) = (world.elapsed(), world.disturbed_until());
        if now > SCHEDULE_MAX {
            world.convict("never quiet".to_owned());
            return Duration::ZERO;
        }
        if now < calm || (world.is_stormy() && !at_work.is_over()) {
            continue;
        }
        let undecided = world.judge.undecided(world);
        match &undecided {
            Some(_) => decided_at = None,
            None => {
                decided_at.get_or_insert(now);
            }
        }
        let waited = now.saturating_sub(calm);
        match undecided {
            None if at_work.is_over() => {
                return decided_at.unwrap_or(now).saturating_sub(calm);
            }
            None if !world.is_stormy() && waited > ANSWERED_WITHIN => {
                world.convict("a client never got a certain answer".to_owned());
            }
            Some(what) if !world.is_stormy() && waited > world.terms.decided_within() => {
                world.convict(format!("{what} {waited:?} after the last fault"));
            }
            Some(_) | None => {}
        }
    }
}
