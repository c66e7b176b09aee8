//! Stuck payments, as a crash leaves them. Some are made by a real crash: confirms wait for a silent
//! bank, and the server is killed. On MySQL these are then copied row by row, with order ids,
//! payment keys and payments at the bank of their own, because a hundred thousand real confirms
//! would take longer than everything else.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::bail;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use kernel::{IdGenerator as _, OrderId, SystemClock, SystemIds, SystemRandomness};
use toss_sandbox::{Effect, Endpoint};

use crate::stage::{PRICE, PRODUCTS, STOCK, Stage};

/// How many payments are stranded by a real crash on MySQL, and copied from there on.
const REAL_MAX: usize = 100;
/// How many a real crash may strand at once.
pub(crate) const REAL_LIMIT: usize = 2_000;
/// How long the real confirms own their payments.
const LEASE: Duration = Duration::from_secs(21);
/// Requests to the bank at once.
const AT_ONCE: usize = 64;
/// Rows of one INSERT.
const ROWS: usize = 1_000;

/// How far a payment's confirm had come when the server died.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Came {
    /// Toss approved; the answer was lost.
    Approved,
    /// The stock was held; the request did not reach Toss.
    Held,
    /// Claimed, and nothing else.
    Claimed,
    /// Toss was asked about a payment key that it does not know.
    NeverSeen,
}

impl Came {
    /// Of twenty payments: fourteen approved, three held, two claimed, one never seen.
    fn of(number: usize) -> Self {
        match number % 20 {
            0..=13 => Self::Approved,
            14..=16 => Self::Held,
            17 | 18 => Self::Claimed,
            _ => Self::NeverSeen,
        }
    }
}

/// One of them.
pub(crate) struct Stranded {
    pub(crate) order_id: OrderId,
    pub(crate) payment_key: String,
    pub(crate) came: Came,
}

/// Strands `count` payments and waits until their leases are over.
pub(crate) async fn strand(stage: &Stage, count: usize) -> anyhow::Result<Vec<Stranded>> {
    let real = if stage.mysql.is_some() {
        count.min(REAL_MAX)
    } else {
        count
    };
    if real > REAL_LIMIT {
        bail!("at most {REAL_LIMIT} payments on SQLite, where none are copied");
    }
    let mut stranded = crash(stage, real).await?;
    let crashed = Instant::now();
    if count > real {
        let copies = copies(stage, &stranded, count);
        copy_rows(stage, &stranded, &copies)?;
        stranded.extend(copies);
    }
    println!("… {} payments at the bank", stranded.len());
    let approved = stranded
        .iter()
        .filter(|payment| payment.came == Came::Approved);
    stream::iter(approved)
        .map(|payment| stage.approve_at_bank(&payment.order_id, &payment.payment_key))
        .buffer_unordered(AT_ONCE)
        .try_collect::<Vec<_>>()
        .await?;
    tokio::time::sleep_until((crashed + LEASE).into()).await;
    Ok(stranded)
}

/// Lets this many confirms wait for the bank, and kills the server.
async fn crash(stage: &Stage, count: usize) -> anyhow::Result<Vec<Stranded>> {
    let lease = format!("{}s", LEASE.as_secs());
    let settings = [
        ("TOSS_TIMEOUT", "20s".to_owned()),
        ("CONFIRM_LEASE", lease),
        ("RUST_LOG", "off".to_owned()),
    ];
    let mut server = stage.start(&settings).await?;
    let products = stage.prepare(&server).await?;
    stage.fault(Some(Endpoint::Confirm), Effect::SilenceWithoutApproval);
    let mut stranded = Vec::with_capacity(count);
    for number in 0..count {
        let order_id = stage
            .check_out(&server, products[number % PRODUCTS])
            .await?;
        // A real crash stops where it stops: here always before Toss's answer.
        let came = match Came::of(number) {
            Came::Claimed => Came::Held,
            came => came,
        };
        let payment_key = match came {
            Came::NeverSeen => format!("tgen_neverseen{number:08}"),
            Came::Approved | Came::Held | Came::Claimed => {
                stage.bank.authenticate(order_id.as_str(), u64::from(PRICE))
            }
        };
        stranded.push(Stranded {
            order_id,
            payment_key,
            came,
        });
    }
    let confirms = stranded
        .iter()
        .map(|payment| stage.confirm(server.port, &payment.order_id, &payment.payment_key));
    let kill = async {
        while stage.bank.call_totals().confirm < count as u64 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        server.program.kill();
    };
    let (_unheard, ()) = tokio::join!(futures::future::join_all(confirms), kill);
    stage.bank.clear_faults();
    Ok(stranded)
}

/// The copies: each with an order id and a payment of its own.
fn copies(stage: &Stage, real: &[Stranded], count: usize) -> Vec<Stranded> {
    let ids = SystemIds::new(Arc::new(SystemClock), Arc::new(SystemRandomness));
    (real.len()..count)
        .map(|number| {
            let order_id = ids.order_id();
            let came = Came::of(number);
            let payment_key = match came {
                Came::NeverSeen => format!("tgen_neverseen{number:08}"),
                Came::Approved | Came::Held | Came::Claimed => {
                    stage.bank.authenticate(order_id.as_str(), u64::from(PRICE))
                }
            };
            Stranded {
                order_id,
                payment_key,
                came,
            }
        })
        .collect()
}

/// Copies every row of the real payments, and takes the stock that the copies hold.
fn copy_rows(stage: &Stage, real: &[Stranded], copies: &[Stranded]) -> anyhow::Result<()> {
    let mut sql = String::from(
        "SET SESSION innodb_lock_wait_timeout = 5;
         CREATE TABLE backlog_copy (number BIGINT PRIMARY KEY,
             source VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
             order_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
             payment_key VARCHAR(200) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
             held BOOLEAN NOT NULL);\n",
    );
    for (chunk, first) in copies.chunks(ROWS).zip((0..).step_by(ROWS)) {
        sql.push_str("INSERT INTO backlog_copy VALUES ");
        for (number, copy) in (first..).zip(chunk) {
            let (comma, source) = (
                if number == first { "" } else { "," },
                &real[number % real.len()],
            );
            write!(
                sql,
                "{comma}({number},'{}','{}','{}',{})",
                source.order_id,
                copy.order_id,
                copy.payment_key,
                copy.came != Came::Claimed
            )?;
        }
        sql.push_str(";\n");
    }
    stage.sql(&sql)?;
    for (table, only_held) in [
        ("payment_event", false),
        ("payment_order", false),
        ("payment_attempt", false),
        ("payment_history", false),
        ("stock_reservation", true),
        ("stock_reservation_line", true),
    ] {
        let columns = stage.sql(&format!(
            "SELECT column_name FROM information_schema.columns
             WHERE table_schema = DATABASE() AND table_name = '{table}' ORDER BY ordinal_position"
        ))?;
        let columns: Vec<&str> = columns.lines().collect();
        let values = columns.iter().map(|column| match *column {
            "order_id" | "payment_key" => format!("copy.{column}"),
            // One after the other, as they came.
            "due_at" => "source.due_at + copy.number".to_owned(),
            column => format!("source.{column}"),
        });
        let values = values.collect::<Vec<_>>().join(", ");
        let held = if only_held { "WHERE copy.held" } else { "" };
        stage.sql(&format!(
            "INSERT INTO {table} ({}) SELECT {values} FROM backlog_copy copy
             JOIN {table} source ON source.order_id = copy.source {held}",
            columns.join(", ")
        ))?;
        println!("… {table}");
    }
    stage.sql(&format!(
        "UPDATE product SET stock = {STOCK} - (SELECT COALESCE(SUM(quantity), 0)
             FROM stock_reservation_line line WHERE line.product_id = product.product_id);
         DROP TABLE backlog_copy;
         ANALYZE TABLE payment_event, payment_order, payment_attempt, payment_history;"
    ))?;
    Ok(())
}
