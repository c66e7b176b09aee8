//! What happened, and what is printed of it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

/// What was done to the programs.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// SIGKILLs of servers at random moments.
    pub(crate) server_kills: u64,
    /// Deaths of servers at each failpoint.
    pub(crate) failpoint_deaths: BTreeMap<String, u64>,
    /// How often each failpoint was armed.
    pub(crate) armed: BTreeMap<String, u64>,
    pub(crate) server_pauses: u64,
    /// Servers that ended by themselves at the start, for want of a database.
    pub(crate) failed_starts: u64,
    pub(crate) mysql_kills: u64,
    pub(crate) mysql_pauses: u64,
    pub(crate) cuts: u64,
    pub(crate) silences: u64,
    /// From the end of a silence until the server, not restarted, was ready.
    pub(crate) after_silence: Vec<Duration>,
    /// From SIGKILL of a replication group's primary until every server had written again.
    pub(crate) after_primary_kill: Vec<Duration>,
    /// The same from a pause of all its threads.
    pub(crate) after_primary_pause: Vec<Duration>,
    pub(crate) bank_kills: u64,
    /// Faults injected into the bank, by kind: calls that each was to hit.
    pub(crate) bank_faults: BTreeMap<String, u64>,
    /// What must not happen, seen while it happened.
    pub(crate) breaks: Vec<String>,
}

impl Tally {
    /// Deaths of servers by SIGKILL.
    pub(crate) fn deaths(&self) -> u64 {
        self.server_kills + self.failpoint_deaths.values().sum::<u64>()
    }

    /// New primaries of a replication group.
    pub(crate) fn failovers(&self) -> usize {
        self.after_primary_kill.len() + self.after_primary_pause.len()
    }
}

/// Times, sorted.
#[derive(Debug, Default)]
pub(crate) struct Spread(Vec<Duration>);

impl Spread {
    pub(crate) fn of(mut times: Vec<Duration>) -> Self {
        times.sort();
        Self(times)
    }

    /// The time that this share (percent) of all does not exceed, by nearest rank.
    pub(crate) fn percentile(&self, percent: usize) -> Duration {
        let rank = (self.0.len() * percent).div_ceil(100).max(1);
        self.0.get(rank - 1).copied().unwrap_or_default()
    }

    fn line(&self) -> String {
        let [half, most, all] = [50, 99, 100].map(|percent| self.percentile(percent).as_secs_f64());
        let count = self.0.len();
        format!("{count} of them, p50 {half:.2} s, p99 {most:.2} s, max {all:.2} s")
    }

    fn json(&self) -> Value {
        let [half, most, all] = [50, 99, 100].map(|percent| self.percentile(percent).as_secs_f64());
        json!({"count": self.0.len(), "p50Seconds": half, "p99Seconds": most, "maxSeconds": all})
    }
}

/// The whole of a run.
pub(crate) struct Report {
    pub(crate) on_mysql: bool,
    pub(crate) settings: String,
    pub(crate) seed: u64,
    pub(crate) storm: Duration,
    pub(crate) tally: Tally,
    pub(crate) never_reached: Vec<String>,
    pub(crate) clients: Vec<(String, u64)>,
    pub(crate) orders: Vec<(String, u64)>,
    /// Orders undecided when the faults ended: from then until decided.
    pub(crate) after_faults: Spread,
    /// Orders whose client was last left without a certain answer: from then until decided.
    pub(crate) after_uncertainty: Spread,
    pub(crate) all_quiet: Duration,
    pub(crate) reconcile: (Option<i32>, String),
    pub(crate) breaks: Vec<String>,
}

impl Report {
    fn database(&self) -> &'static str {
        if self.on_mysql { "MySQL" } else { "SQLite" }
    }

    pub(crate) fn text(&self) -> String {
        let tally = &self.tally;
        let list = |rows: &[(String, u64)]| {
            let rows: Vec<_> = rows.iter().map(|(name, n)| format!("{name} {n}")).collect();
            rows.join(", ")
        };
        let faults: Vec<_> = tally.bank_faults.clone().into_iter().collect();
        let failpoints: u64 = tally.failpoint_deaths.values().sum();
        let mut lines = vec![
            format!("\nchaos on {}, seed {}", self.database(), self.seed),
            format!("settings        {}", self.settings),
            format!("faults lasted   {:.0} s", self.storm.as_secs_f64()),
            format!(
                "servers         {} SIGKILLs: {} at random, {failpoints} at failpoints; {} pauses, {} starts without a database",
                tally.deaths(),
                tally.server_kills,
                tally.server_pauses,
                tally.failed_starts
            ),
            format!(
                "sandbox         {} SIGKILLs; calls to be hit: {}",
                tally.bank_kills,
                list(&faults)
            ),
            format!("clients         {}", list(&self.clients)),
            format!("orders          {}", list(&self.orders)),
            format!(
                "time to decide  {} after the end of the faults, of orders undecided then",
                self.after_faults.line()
            ),
            format!(
                "                {} after the client's last uncertain answer",
                self.after_uncertainty.line()
            ),
            format!(
                "                everything decided and stock told {:.2} s after the end of the faults",
                self.all_quiet.as_secs_f64()
            ),
        ];
        if tally.failovers() > 0 {
            lines.splice(4..4, self.group_lines());
        } else if self.on_mysql {
            lines.splice(4..4, self.mysql_lines());
        }
        if !tally.armed.is_empty() {
            lines.extend(self.failpoint_lines());
        }
        let (status, output) = &self.reconcile;
        let status = status.map_or("a signal".to_owned(), |status| status.to_string());
        lines.push(format!("api-server reconcile ended with {status}:"));
        lines.extend(output.lines().map(|line| format!("  {line}")));
        lines.extend(
            self.breaks
                .iter()
                .take(50)
                .map(|what| format!("BREAK {what}")),
        );
        lines.push(format!("{} breaks", self.breaks.len()));
        lines.join("\n")
    }

    fn failpoint_lines(&self) -> Vec<String> {
        let mut lines = vec!["failpoint                          deaths  armed".to_owned()];
        for (point, armed) in &self.tally.armed {
            let deaths = self.tally.failpoint_deaths.get(point).unwrap_or(&0);
            lines.push(format!("  {point:<32} {deaths:>6} {armed:>6}"));
        }
        lines.push(match self.never_reached.as_slice() {
            [] => "every failpoint ended a server at least once".to_owned(),
            points => format!("no server ended at: {}", points.join(", ")),
        });
        lines
    }

    fn group_lines(&self) -> [String; 2] {
        let after = |times: &Vec<Duration>| Spread::of(times.clone()).line();
        let kills = after(&self.tally.after_primary_kill);
        let pauses = after(&self.tally.after_primary_pause);
        [
            format!("primary killed  {kills}, until every server had written again"),
            format!("primary paused  {pauses}"),
        ]
    }

    fn mysql_lines(&self) -> [String; 2] {
        let tally = &self.tally;
        let silence = Spread::of(tally.after_silence.clone()).line();
        [
            format!(
                "MySQL           {} SIGKILLs, {} pauses; network: {} cuts, {} silences",
                tally.mysql_kills, tally.mysql_pauses, tally.cuts, tally.silences
            ),
            format!("after a silence {silence}, until ready without a restart"),
        ]
    }

    pub(crate) fn json(&self) -> Value {
        let tally = &self.tally;
        let map = |rows: &[(String, u64)]| -> Value {
            rows.iter()
                .map(|(name, n)| (name.clone(), json!(n)))
                .collect::<serde_json::Map<_, _>>()
                .into()
        };
        json!({
            "database": self.database(), "seed": self.seed, "settings": self.settings,
            "faultsSeconds": self.storm.as_secs_f64(),
            "servers": {
                "sigkills": tally.deaths(), "atRandom": tally.server_kills,
                "atFailpoints": tally.failpoint_deaths, "armed": tally.armed,
                "pauses": tally.server_pauses, "failedStarts": tally.failed_starts,
            },
            "neverReached": self.never_reached,
            "group": {"afterKill": Spread::of(tally.after_primary_kill.clone()).json(),
                      "afterPause": Spread::of(tally.after_primary_pause.clone()).json()},
            "mysql": {"sigkills": tally.mysql_kills, "pauses": tally.mysql_pauses},
            "network": {"cuts": tally.cuts, "silences": tally.silences,
                        "afterSilence": Spread::of(tally.after_silence.clone()).json()},
            "sandbox": {"sigkills": tally.bank_kills, "faults": tally.bank_faults},
            "clients": map(&self.clients), "orders": map(&self.orders),
            "timeToDecide": {
                "afterFaults": self.after_faults.json(),
                "afterUncertainAnswer": self.after_uncertainty.json(),
                "allQuietSeconds": self.all_quiet.as_secs_f64(),
            },
            "reconcile": {"status": self.reconcile.0, "output": self.reconcile.1},
            "breaks": self.breaks,
        })
    }
}
