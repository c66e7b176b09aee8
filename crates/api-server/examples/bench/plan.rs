//! What is measured, how often and for how long.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::closed::Load;

#[derive(Debug, Args)]
pub(crate) struct Plan {
    /// The server program.
    #[arg(long)]
    pub(crate) server: PathBuf,
    /// A database of a MySQL server on which this user may make others; without it, SQLite alone.
    #[arg(long)]
    pub(crate) mysql_url: Option<String>,
    /// Where the rows go, as JSON.
    #[arg(long)]
    pub(crate) raw: PathBuf,
    /// Only these: R1, R2, …, and E.
    #[arg(long, value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// How often both sides of a ratio are measured, in turn.
    #[arg(long)]
    pub(crate) pairs: usize,
    /// Clients of a closed loop.
    #[arg(long)]
    pub(crate) clients: usize,
    /// Database connections of one server.
    #[arg(long)]
    pub(crate) pool: u32,
    /// Not counted, at the beginning of each closed loop.
    #[arg(long, value_parser = parse_ms)]
    pub(crate) warm_ms: Duration,
    /// Counted, of each closed loop.
    #[arg(long, value_parser = parse_ms)]
    pub(crate) measure_ms: Duration,
    /// How long requests arrive in an open loop.
    #[arg(long, value_parser = parse_ms)]
    pub(crate) arrive_ms: Duration,
    /// Divides the rates of arrival and the gateway's delays.
    #[arg(long)]
    pub(crate) divide: u32,
    /// Payments in the large tables of R11, half of those of R14; 0 leaves both out.
    #[arg(long)]
    pub(crate) rows: u64,
}

fn parse_ms(text: &str) -> Result<Duration, std::num::ParseIntError> {
    text.parse().map(Duration::from_millis)
}

impl Plan {
    /// Whether one of these is to be measured.
    pub(crate) fn wants(&self, ids: &[&str]) -> bool {
        let named = |id: &&str| self.only.iter().any(|only| only.eq_ignore_ascii_case(id));
        self.only.is_empty() || ids.iter().any(named)
    }

    pub(crate) fn load(&self, clients: usize) -> Load {
        Load {
            clients,
            warm: self.warm_ms,
            measure: self.measure_ms,
        }
    }
}
