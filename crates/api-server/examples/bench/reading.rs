//! What operators and clients read while the tables are large (R14): a server on ten million
//! payments against one on ten thousand, asked in turn by one client.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::Value;

use crate::mysql::{copied_order, copied_users};
use crate::plan::Plan;
use crate::round::Furnished;
use crate::sample::{Row, Side, quantile, sorted_ms};
use crate::stage::{API_KEY, Server};
use crate::wire::Connection;

/// Asked before the clock runs: connections open, statements prepared, the indexes' tops in memory.
const WARM_UP: usize = 300;
/// Asked of each kind in a round; a p99 is then the tenth slowest.
const ASKED: usize = 1_000;
/// Payments on a page.
const PAGE: usize = 20;

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// One payment.
    Payment,
    /// One payment's timeline.
    History,
    /// The newest payments.
    Newest,
    /// The newest before some moment.
    Before,
    /// The newest of one status.
    Status,
    /// The newest of one buyer.
    Buyer,
    /// The page after another, in the middle of the list.
    Deep,
}

const READS: [Kind; 2] = [Kind::Payment, Kind::History];
const LISTS: [Kind; 5] = [
    Kind::Newest,
    Kind::Before,
    Kind::Status,
    Kind::Buyer,
    Kind::Deep,
];

/// A server on tables with this many payments.
pub(crate) struct Library {
    server: Server,
    connection: Connection,
    payments: u64,
    /// When the oldest and the newest copy were made, in microseconds of Unix time.
    made: (i64, i64),
    /// Cursors of pages in the middle.
    cursors: Vec<String>,
    random: SmallRng,
}

impl Library {
    /// A server on the tables of this set, which hold `payments` copies.
    async fn open(set: &Furnished, payments: u64) -> anyhow::Result<Self> {
        let server = set.stage.start(true).await?;
        let connection = Connection::open(server.port).await?;
        let made = crate::mysql::copies_made(&set.stage.database_url).await?;
        let mut library = Self {
            server,
            connection,
            payments,
            made,
            cursors: Vec::new(),
            random: SmallRng::seed_from_u64(payments),
        };
        for _ in 0..64 {
            let page = library.ask(Kind::Before).await?;
            let cursor = page["data"]["nextCursor"].as_str();
            let cursor = cursor.context("a page in the middle that is the last one")?;
            library.cursors.push(cursor.to_owned());
        }
        for number in 0..WARM_UP {
            for kinds in [&READS[..], &LISTS[..]] {
                library.ask(kinds[number % kinds.len()]).await?;
            }
        }
        Ok(library)
    }

    fn path(&mut self, kind: Kind) -> String {
        let random = &mut self.random;
        // Not the first of all, so that every page is full.
        let number = random.random_range(self.payments / 100..self.payments);
        let order = copied_order(number);
        let list = "/api/v1/payments?size=20";
        match kind {
            Kind::Payment => format!("/api/v1/payments/{order}"),
            Kind::History => format!("/api/v1/payments/{order}/history"),
            Kind::Newest => list.to_owned(),
            Kind::Before => {
                let (first, last) = self.made;
                let moment = random.random_range(first + (last - first) / 100..last);
                let moment = chrono::DateTime::from_timestamp_micros(moment).unwrap_or_default();
                let moment = moment.format("%Y-%m-%dT%H:%M:%S%.6fZ");
                format!("{list}&to={moment}")
            }
            Kind::Status => format!("{list}&status=DONE"),
            Kind::Buyer => format!("{list}&userId={}", random.random_range(2..copied_users())),
            Kind::Deep => {
                let cursor = &self.cursors[random.random_range(0..self.cursors.len())];
                format!("{list}&cursor={cursor}")
            }
        }
    }

    async fn ask(&mut self, kind: Kind) -> anyhow::Result<Value> {
        let path = self.path(kind);
        let answer = self.connection.get(&path, API_KEY).await?;
        ensure!(answer.status == 200, "{path}: {}", answer.status);
        let body: Value = serde_json::from_slice(&answer.body)?;
        if LISTS.contains(&kind) {
            let items = body["data"]["items"].as_array().map_or(0, Vec::len);
            ensure!(items == PAGE, "{path}: a page of {items}");
        }
        Ok(body)
    }

    /// The p99 of these kinds, in turn, in milliseconds.
    async fn p99(&mut self, kinds: &[Kind]) -> anyhow::Result<f64> {
        let mut times: Vec<Duration> = Vec::new();
        for number in 0..ASKED * kinds.len() {
            let asked = Instant::now();
            self.ask(kinds[number % kinds.len()]).await?;
            times.push(asked.elapsed());
        }
        Ok(quantile(&sorted_ms(times.into_iter()), 990))
    }
}

/// R14: p99 of reads and of lists, the large tables ÷ the small ones.
#[expect(clippy::print_stdout, reason = "progress")]
pub(crate) async fn reading(
    plan: &Plan,
    large: (&Furnished, u64),
    small: (&Furnished, u64),
) -> anyhow::Result<Vec<Row>> {
    let names = [large.1.to_string(), small.1.to_string()];
    let mut libraries = [
        Library::open(large.0, large.1).await?,
        Library::open(small.0, small.1).await?,
    ];
    let what = [
        ("one payment, or its history", &READS[..]),
        ("a page of 20", &LISTS[..]),
    ];
    let mut rows = Vec::new();
    for (what, kinds) in what {
        let mut samples = [Vec::new(), Vec::new()];
        for pair in 0..plan.pairs {
            for side in [pair % 2, 1 - pair % 2] {
                let p99 = libraries[side].p99(kinds).await?;
                println!("  {}: {what}: p99 {p99:.2} ms", names[side]);
                samples[side].push(p99);
            }
        }
        let [many, few] = samples;
        rows.push(Row::ratio(
            "R14",
            format!("MySQL, one client, {what}"),
            format!("p99, {} payments in the tables ÷ {}", names[0], names[1]),
            Side::new(&names[0], "ms p99", many),
            Side::new(&names[1], "ms p99", few),
        ));
    }
    for library in libraries {
        library.server.end();
    }
    Ok(rows)
}
