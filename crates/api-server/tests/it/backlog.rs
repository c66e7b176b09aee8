//! Many payments that are undecided at once, and the servers that share them.

use futures::future::join_all;
use toss_sandbox::{Effect, Endpoint, Fault, Target};

use crate::stage::{Stage, UNHURRIED};

const ORDERS: u64 = 60;

pub(crate) async fn two_servers_share_a_backlog_and_ask_toss_once_per_payment(stage: &Stage) {
    // The first server never looks back.
    let first = stage.open(&["--recovery-interval=1h"]).await;
    let product = first.offer(1_000, 100).await;
    stage.sandbox.inject(Fault {
        target: Target {
            endpoint: Some(Endpoint::Confirm),
            order_id: None,
        },
        effect: Effect::ApproveThenReset,
        times: None,
    });
    let stuck = (0..ORDERS).map(async |_| {
        let order = first.check_out(1, &[(product, 1)]).await;
        let key = first.authenticate(&order);
        let refused = first.confirm(&order, &key).await;
        (order, refused)
    });
    let mut orders = Vec::new();
    // The breaker opens in between: what it refuses was not begun.
    for (order, refused) in join_all(stuck).await {
        refused.refused(503, "E03009");
        if !stage.calls(&order.id).is_empty() {
            orders.push(order);
        }
    }
    first.close().await;
    stage.sandbox.clear_faults();
    assert!(orders.len() >= 20, "only {} are undecided", orders.len());

    // More candidates than places, so that both have something to choose from.
    let mut flags = vec!["--recovery-concurrency=2"];
    flags.extend(UNHURRIED);
    let (one, _other) = tokio::join!(stage.open(&flags), stage.open(&flags));
    // A payment that is read while it is due is looked at for its reader: wait at the bank.
    crate::until("Toss was asked about every payment", async || {
        orders.iter().all(|order| stage.calls(&order.id).len() > 1)
    })
    .await;
    for order in &orders {
        one.eventually(order, "DONE").await;
        let calls = stage.calls(&order.id);
        let endpoints: Vec<_> = calls.iter().map(|call| call.endpoint).collect();
        assert_eq!(endpoints, [Endpoint::Confirm, Endpoint::Get], "{calls:?}");
    }
    assert_eq!(stage.approved_orders(), orders.len());
}
