//! Many buyers at once.

use std::time::{Duration, Instant};

use futures::StreamExt as _;
use futures::future::join_all;
use futures::stream;

use crate::shop::{Answer, Order, Shop};
use crate::stage::Stage;

const ORDERS: usize = 1_000;
const AT_ONCE: usize = 32;

/// A thousand orders of one piece, checked out and then confirmed, 32 at a time.
async fn rush(shop: &Shop, product: i64) -> Vec<(Order, Answer)> {
    let orders: Vec<_> = stream::iter(0..ORDERS)
        .map(async |_| shop.check_out(1, &[(product, 1)]).await)
        .buffer_unordered(AT_ONCE)
        .collect::<Vec<_>>()
        .await;
    stream::iter(orders)
        .map(async |order| {
            let key = shop.authenticate(&order);
            let answer = shop.confirm(&order, &key).await;
            (order, answer)
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await
}

pub(crate) async fn a_thousand_orders_empty_a_stock_of_a_thousand(stage: &Stage) {
    let shop = stage
        .open(&[
            "--toss-timeout=30s",
            "--confirm-lease=60s",
            "--confirm-wait=50s",
        ])
        .await;
    let product = shop.offer(1_000, 1_000).await;
    for (_, answer) in rush(&shop, product).await {
        answer.data();
    }
    assert_eq!(shop.stock(product).await, 0);
    assert_eq!(stage.approved_orders(), ORDERS);
}

pub(crate) async fn the_last_fifty_of_a_thousand_orders_find_no_stock(stage: &Stage) {
    let shop = stage
        .open(&[
            "--toss-timeout=30s",
            "--confirm-lease=60s",
            "--confirm-wait=50s",
        ])
        .await;
    let product = shop.offer(1_000, 950).await;
    let mut short = Vec::new();
    for (order, answer) in rush(&shop, product).await {
        if answer.status == 200 {
            answer.data();
        } else {
            answer.refused(409, "E03013");
            short.push(order);
        }
    }
    assert_eq!(short.len(), 50);
    assert_eq!(shop.stock(product).await, 0);
    assert_eq!(stage.approved_orders(), 950);
    for order in &short {
        assert_eq!(shop.status(order).await, "FAILED");
        assert_eq!(stage.booked(&order.id).approvals, 0);
    }
}

pub(crate) async fn waiting_for_toss_holds_no_database_connection(stage: &Stage) {
    let shop = stage
        .open(&[
            "--database-pool-size=2",
            "--toss-timeout=30s",
            "--confirm-lease=60s",
            "--confirm-wait=50s",
        ])
        .await;
    let orders = join_all((0..50).map(|_| shop.check_out(1, &[(1, 1)]))).await;
    stage.slow_confirms(Duration::from_secs(2));
    let began = Instant::now();
    let confirms = orders
        .iter()
        .map(async |order| shop.confirm(order, &shop.authenticate(order)).await);
    for answer in join_all(confirms).await {
        answer.data();
    }
    // Two connections that were held while Toss works would take 50 / 2 × 2 s.
    let took = began.elapsed();
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert_eq!((stage.approved_orders(), shop.stock(1).await), (50, 9));
}
