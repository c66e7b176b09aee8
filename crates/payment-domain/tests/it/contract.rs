//! The fakes keep the contracts of the ports that they stand for.

use std::sync::Arc;

use kernel::Fence;
use payment_domain::port::{HoldReply, HoldRequest, ProductPort};
use payment_domain::testing::{InMemoryPayments, Shelf, contract, order_id, quoted};

#[tokio::test]
async fn the_fake_keeps_the_repository_s_contract() {
    contract::all(Arc::new(InMemoryPayments::new())).await;
}

#[tokio::test]
async fn the_fake_keeps_the_contract_of_records() {
    let fake = Arc::new(InMemoryPayments::new());
    contract::records::all(fake.clone(), fake).await;
}

fn hold(fence: i64, pieces: i64) -> HoldRequest {
    let line = quoted(1, 50_000, pieces);
    HoldRequest {
        order_id: order_id("order-000001"),
        fence: Fence::from_stored(fence),
        lines: vec![(line.product_id, line.quantity)],
    }
}

async fn release(shelf: &Shelf, fence: i64) {
    let order_id = order_id("order-000001");
    let fence = Fence::from_stored(fence);
    shelf.release(&order_id, fence).await.unwrap();
}

#[tokio::test]
async fn a_hold_is_taken_once_however_often_it_is_asked_for() {
    let shelf = Shelf::with_stock(&[5]);
    for _ in 0..3 {
        assert_eq!(shelf.hold(&hold(2, 3)).await.unwrap(), HoldReply::Held);
    }
    assert_eq!((shelf.stock(), shelf.held()), (vec![2], vec![3]));
    for _ in 0..3 {
        shelf.sell(&order_id("order-000001")).await.unwrap();
    }
    release(&shelf, 9).await;
    assert_eq!((shelf.stock(), shelf.sold()), (vec![2], vec![3]));
}

#[tokio::test]
async fn a_release_leaves_a_tombstone_that_only_a_later_hold_passes() {
    let shelf = Shelf::with_stock(&[5]);
    release(&shelf, 4).await;
    for late in [2, 3, 4] {
        let reply = shelf.hold(&hold(late, 3)).await.unwrap();
        assert_eq!(reply, HoldReply::Superseded, "fence {late}");
    }
    assert_eq!(shelf.stock(), [5]);
    assert_eq!(shelf.hold(&hold(5, 3)).await.unwrap(), HoldReply::Held);
}

#[tokio::test]
async fn a_late_release_spares_a_hold_of_a_higher_fence() {
    let shelf = Shelf::with_stock(&[5]);
    shelf.hold(&hold(2, 3)).await.unwrap();
    // The same order takes its stock again under a higher fence before the release arrives.
    shelf.hold(&hold(7, 3)).await.unwrap();
    release(&shelf, 6).await;
    assert_eq!(shelf.held(), [3]);
    release(&shelf, 8).await;
    release(&shelf, 8).await;
    assert_eq!((shelf.stock(), shelf.held()), (vec![5], vec![0]));
}

#[tokio::test]
async fn a_short_hold_takes_nothing_at_all() {
    let shelf = Shelf::with_stock(&[5, 1]);
    let mut request = hold(2, 3);
    let other = quoted(2, 30_000, 2);
    request.lines.push((other.product_id, other.quantity));
    let reply = shelf.hold(&request).await.unwrap();
    assert_eq!(reply, HoldReply::Short(other.product_id));
    assert_eq!(shelf.stock(), [5, 1]);
}
