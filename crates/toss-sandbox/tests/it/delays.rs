//! Faults that hold calls back, over a real socket.

use std::time::{Duration, Instant};

use toss_sandbox::Effect;

use crate::bench::{Bench, bytes_until_close, until};

const ORDER: &str = "order-0001";

#[tokio::test]
async fn delayed_calls_wait_side_by_side_and_hold_no_worker() {
    let bench = Bench::start().await;
    bench.inject(
        Effect::Delay {
            min_ms: 400,
            max_ms: 500,
        },
        None,
    );
    let keys: Vec<_> = (0..50)
        .map(|number| {
            let order_id = format!("order-{number:04}");
            (bench.sandbox.authenticate(&order_id, 1_000), order_id)
        })
        .collect();
    let before = Instant::now();
    let sends = keys
        .iter()
        .map(|(key, order_id)| bench.confirm(key, order_id, 1_000).send());
    for answer in futures::future::join_all(sends).await {
        assert_eq!(answer.unwrap().status(), 200);
    }
    let elapsed = before.elapsed();
    assert!(elapsed >= Duration::from_millis(400));
    // One after the other they would take 20 seconds.
    assert!(elapsed < Duration::from_secs(8), "{elapsed:?}");
}

#[tokio::test]
async fn a_delayed_call_is_carried_out_though_its_client_has_left() {
    let bench = Bench::start().await;
    let key = bench.sandbox.authenticate(ORDER, 1_000);
    bench.inject(
        Effect::Delay {
            min_ms: 300,
            max_ms: 300,
        },
        Some(1),
    );
    let stream = bench.raw_confirm(&key, ORDER, 1_000).await;
    bench
        .until("the call arrives", |sandbox| {
            sandbox.call_totals().confirm == 1
        })
        .await;
    drop(stream);
    assert_eq!(bench.status(&key), "IN_PROGRESS");
    bench
        .until("the approval", |sandbox| sandbox.ledger()[0].approvals == 1)
        .await;
}

#[tokio::test]
async fn a_delayed_call_is_carried_out_though_the_server_stops() {
    let bench = Bench::start().await;
    let key = bench.sandbox.authenticate(ORDER, 1_000);
    bench.inject(
        Effect::Delay {
            min_ms: 600_000,
            max_ms: 600_000,
        },
        Some(1),
    );
    let _stream = bench.raw_confirm(&key, ORDER, 1_000).await;
    bench
        .until("the call arrives", |sandbox| {
            sandbox.call_totals().confirm == 1
        })
        .await;
    let (sandbox, server) = (bench.sandbox.clone(), bench.server);
    server.stop().await;
    until(&sandbox, "the approval", |sandbox| {
        sandbox.ledger()[0].approvals == 1
    })
    .await;
}

#[tokio::test]
async fn a_delay_combines_with_a_reset() {
    let bench = Bench::start().await;
    let key = bench.sandbox.authenticate(ORDER, 1_000);
    bench.inject(
        Effect::Delay {
            min_ms: 100,
            max_ms: 100,
        },
        Some(1),
    );
    bench.inject(Effect::ApproveThenReset, Some(1));
    let before = Instant::now();
    let mut stream = bench.raw_confirm(&key, ORDER, 1_000).await;
    assert_eq!(bytes_until_close(&mut stream).await, b"");
    assert!(before.elapsed() >= Duration::from_millis(100));
    assert_eq!(bench.status(&key), "DONE");
}
