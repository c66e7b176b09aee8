//! The journal without a sandbox: speed of reading, and the index.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use chrono::DateTime;

use super::Journal;
use crate::{
    DEFAULT_SECRET_KEY, SandboxConfig,
    engine::{ApiRequest, Engine, Findings, Method},
};

/// How much longer a record may take to be replayed in a journal ten times as long. Were replay
/// quadratic, it would be near ten.
const SLOWDOWN_MAX: u32 = 3;

/// Opens and confirms payments, two records each.
fn pay(engine: &mut Engine, journal: &Journal, payments: usize) -> u64 {
    let now = DateTime::UNIX_EPOCH;
    let mut seq = 0;
    for number in 0..payments {
        let order_id = format!("order-{number:06}");
        let key = engine.authenticate(now, &order_id, "name", 1_000, Method::card());
        journal.append(engine.take_changes());
        let mut request = ApiRequest::confirm(DEFAULT_SECRET_KEY, &key, &order_id, 1_000);
        request.idempotency_key = Some(order_id);
        engine.call(now, request);
        seq = journal.append(engine.take_changes());
    }
    seq
}

fn recording() -> Engine {
    let mut engine = Engine::new(&SandboxConfig::default());
    engine.record_changes();
    engine
}

/// The books that a journal brings back, and how long that took.
fn replayed(path: &Path, records: u64) -> (Engine, Duration) {
    let mut rebuilt = Engine::new(&SandboxConfig::default());
    let before = Instant::now();
    let journal = Journal::open(path, |change| rebuilt.apply(change)).unwrap();
    let took = before.elapsed();
    assert_eq!(journal.records(), records);
    (rebuilt, took)
}

#[test]
fn ten_thousand_records_are_replayed_at_the_pace_of_a_thousand() {
    let directory = tempfile::tempdir().unwrap();
    let (path, short) = (
        directory.path().join("journal"),
        directory.path().join("short"),
    );
    let mut engine = recording();
    let journal = Journal::open(&path, |change| engine.apply(change)).unwrap();
    let seq = pay(&mut engine, &journal, 5_000);
    journal.durable_blocking(seq).unwrap();
    drop(journal);
    let written = std::fs::read_to_string(&path).unwrap();
    let header_and_a_thousand: String = written.split_inclusive('\n').take(1_001).collect();
    std::fs::write(&short, header_and_a_thousand).unwrap();
    // The best of each, one by one in turn: whatever else the machine does slows both.
    let (mut best_short, mut best_long) = (Duration::MAX, Duration::MAX);
    for _ in 0..3 {
        best_short = best_short.min(replayed(&short, 1_000).1);
        let (rebuilt, took) = replayed(&path, 10_000);
        best_long = best_long.min(took);
        assert_eq!(
            engine.fingerprint().differences(&rebuilt.fingerprint()),
            Findings::default()
        );
    }
    println!("records replayed: 1,000 in {best_short:.2?}, 10,000 in {best_long:.2?}");
    assert!(
        best_long < best_short * 10 * SLOWDOWN_MAX,
        "{best_short:?} {best_long:?}"
    );
}

#[test]
fn any_range_of_records_can_be_exported() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal");
    let mut engine = recording();
    let journal = Journal::open(&path, |change| engine.apply(change)).unwrap();
    let seq = pay(&mut engine, &journal, 1_500);
    journal.durable_blocking(seq).unwrap();
    let numbers = |journal: &Journal, from, limit| {
        let mut seen = Vec::new();
        journal
            .export(from, limit, |line| {
                let line: serde_json::Value = serde_json::from_slice(line).unwrap();
                seen.push(line["seq"].as_u64().unwrap());
                true
            })
            .unwrap();
        seen
    };
    let check = |journal: &Journal| {
        for (from, limit, expected) in [
            (0, 2, vec![1, 2]),
            (1_023, 4, vec![1_023, 1_024, 1_025, 1_026]),
            (2_049, 1, vec![2_049]),
            (2_999, 9, vec![2_999, 3_000]),
            (3_001, 9, vec![]),
            (u64::MAX, u64::MAX, vec![]),
            (5, 0, vec![]),
        ] {
            assert_eq!(numbers(journal, from, limit), expected, "{from} {limit}");
        }
        assert_eq!(numbers(journal, 1, u64::MAX).len(), 3_000);
    };
    check(&journal);
    drop(journal);
    // The index of a journal that was read is that of one that was written.
    check(&Journal::open(&path, |_| Ok(())).unwrap());
}
