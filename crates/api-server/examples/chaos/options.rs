//! What to break, and for how long.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

#[derive(Debug, Clone, Parser)]
#[command(name = "chaos")]
pub(crate) struct Options {
    /// The server program, built with the feature `failpoints`.
    #[arg(long)]
    pub(crate) server: PathBuf,
    /// The sandbox program.
    #[arg(long)]
    pub(crate) sandbox: PathBuf,
    /// The servers' MySQL database, with its schema; by default a SQLite file that is removed
    /// afterwards.
    #[arg(long, requires = "mysql")]
    pub(crate) database_url: Option<String>,
    /// The container of MySQL, killed, paused and started again.
    #[arg(long, requires = "database_url", group = "mysql")]
    pub(crate) mysql_container: Option<String>,
    /// The containers of a replication group, whose primary is killed and paused and joins again;
    /// nothing else is broken then.
    #[arg(
        long,
        requires = "database_url",
        group = "mysql",
        value_delimiter = ','
    )]
    pub(crate) mysql_group: Vec<String>,
    /// How long faults last at least, in seconds.
    #[arg(long, default_value_t = 20)]
    pub(crate) seconds: u64,
    /// Faults also last until servers have died this often by SIGKILL.
    #[arg(long, default_value_t = 0)]
    pub(crate) kills: u64,
    /// Faults also last until this many confirms were answered.
    #[arg(long, default_value_t = 0)]
    pub(crate) confirms: u64,
    /// Faults also last until the group has had so many new primaries.
    #[arg(long, default_value_t = 0, requires = "mysql_group")]
    pub(crate) failovers: usize,
    /// Clients that buy, one order after the other.
    #[arg(long, default_value_t = 16)]
    pub(crate) clients: u64,
    /// Server instances.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=8))]
    pub(crate) servers: u16,
    /// Chooses victims and pauses. What the machine makes of them differs from run to run.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Also write the report to this file, as JSON.
    #[arg(long)]
    pub(crate) report: Option<PathBuf>,
}

impl Options {
    pub(crate) fn on_mysql(&self) -> bool {
        self.database_url.is_some()
    }

    pub(crate) fn faults_last(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}
