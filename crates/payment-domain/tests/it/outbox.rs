use std::time::Duration;

use kernel::Clock;
use payment_domain::PaymentReceiver;
use payment_domain::model::PaymentStatus;
use payment_domain::port::{PaymentRepository, RejectionKind};
use payment_domain::testing::order_id;

use crate::shop::{KEY, Shop, done, rejected};

#[tokio::test]
async fn a_failed_delivery_is_put_off_with_growing_pauses_and_comes_later() {
    let shop = Shop::with_order().await;
    let truth = shop.approved().await;
    shop.gateway.on_confirm(done(truth));
    shop.confirm(KEY).await.unwrap();
    shop.shelf.set_broken(true);
    let mut pauses = Vec::new();
    for failures in 1..=10 {
        assert_eq!(shop.service.deliver_due(10).await.unwrap(), 1);
        // Put off: nothing is due at this moment any more.
        assert_eq!(shop.service.deliver_due(10).await.unwrap(), 0);
        let id = order_id("order-000001");
        let message = shop.payments.messages_of(&id).await.unwrap().remove(0);
        assert_eq!(message.failures, failures);
        let pause = (message.due_at - shop.clock.now()).to_std().unwrap();
        pauses.push(pause);
        shop.clock.advance(pause);
    }
    let seconds: Vec<_> = pauses.iter().map(Duration::as_secs).collect();
    assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 60, 60, 60, 60]);

    shop.shelf.set_broken(false);
    assert_eq!(shop.service.deliver_due(10).await.unwrap(), 1);
    assert_eq!((shop.shelf.sold(), shop.messages().await), (vec![3, 2], 0));
    assert_eq!(shop.service.deliver_due(10).await.unwrap(), 0);
    assert_eq!(shop.status().await, PaymentStatus::Done);
}

/// A confirm with a key that Toss does not know, while the shelf cannot be reached.
async fn refused_key_with_a_late_release() -> Shop {
    let shop = Shop::with_order().await;
    // The stock was held; only its release fails.
    shop.gateway
        .on_confirm(rejected(RejectionKind::Configuration, "UNAUTHORIZED_KEY"));
    let world = crate::world::World::over(&shop);
    // Claim, hold, confirm, store: the fifth call is the release.
    let server = world.server(crate::faults::Fuse::at(4, crate::faults::Fault::FailBefore));
    let payment = shop.payment().await;
    let key = payment_domain::testing::payment_key(KEY);
    server.confirm(payment, key).await.unwrap_err();
    assert_eq!(shop.status().await, PaymentStatus::Ready);
    assert_eq!((shop.shelf.held(), shop.messages().await), (vec![3, 2], 1));
    shop
}

#[tokio::test]
async fn a_release_that_failed_comes_later() {
    let shop = refused_key_with_a_late_release().await;
    assert_eq!(shop.service.deliver_due(10).await.unwrap(), 0);
    shop.clock.advance(Duration::from_secs(1));
    assert_eq!(shop.service.deliver_due(10).await.unwrap(), 1);
    assert_eq!(
        (shop.shelf.stock(), shop.messages().await),
        (vec![10, 10], 0)
    );
}

#[tokio::test]
async fn a_late_release_spares_the_hold_of_a_later_confirm() {
    let shop = refused_key_with_a_late_release().await;
    // The release's second try is due before the sale, so it is delivered first.
    shop.clock.advance(Duration::from_mins(1));
    let truth = shop.approved().await;
    shop.gateway.on_confirm(done(truth));
    shop.confirm(KEY).await.unwrap();
    assert_eq!(shop.service.deliver_due(1).await.unwrap(), 1);
    assert_eq!(shop.shelf.held(), [3, 2]);
    assert_eq!(shop.service.deliver_due(10).await.unwrap(), 1);
    assert_eq!(
        (shop.shelf.stock(), shop.shelf.sold()),
        (vec![7, 8], vec![3, 2])
    );
}

#[tokio::test]
async fn one_order_s_messages_are_delivered_without_waiting_for_their_time() {
    let shop = refused_key_with_a_late_release().await;
    shop.service
        .deliver(&order_id("order-000001"))
        .await
        .unwrap();
    assert_eq!(
        (shop.shelf.stock(), shop.messages().await),
        (vec![10, 10], 0)
    );
}

#[tokio::test]
async fn a_batch_is_bounded() {
    let shop = refused_key_with_a_late_release().await;
    shop.clock.advance(Duration::from_secs(1));
    assert_eq!(shop.service.deliver_due(0).await.unwrap(), 0);
    assert_eq!(shop.messages().await, 1);
}

#[tokio::test]
async fn one_message_that_cannot_be_noted_does_not_stop_the_others() {
    let shop = Shop::with_order().await;
    for id in ["order-000001", "order-000002"] {
        if id == "order-000002" {
            shop.service.check_out(crate::shop::order()).await.unwrap();
        }
        let payment = shop.payments.find(&order_id(id)).await.unwrap().unwrap();
        let mut truth = shop.approved().await;
        truth.order_id = id.into();
        shop.gateway.on_confirm(done(truth));
        let key = payment_domain::testing::payment_key(KEY);
        shop.service.confirm(payment, key).await.unwrap();
    }
    let world = crate::world::World::over(&shop);
    // Read the messages, sell the first, and fail to note it.
    let server = world.server(crate::faults::Fuse::at(2, crate::faults::Fault::FailBefore));
    assert!(server.deliver_due(10).await.is_err());
    assert_eq!(shop.shelf.sold(), [6, 4]);
    assert_eq!(shop.messages().await, 1);
    assert_eq!(shop.service.deliver_due(10).await.unwrap(), 1);
    assert_eq!((shop.shelf.sold(), shop.messages().await), (vec![6, 4], 0));
}
