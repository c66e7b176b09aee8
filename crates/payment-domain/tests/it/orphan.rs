//! Money that shows at Toss after the order has ended.

use payment_domain::model::{
    AttemptOutcome, GatewayPayment, GatewayStatus, PaymentFact, PaymentStatus, Policy,
};
use payment_domain::port::{LookUp, PaymentRepository as _, RejectionKind};
use payment_domain::testing::{order_id, payment_key};
use payment_domain::{CheckoutCommand, PaymentReceiver};

use crate::shop::{KEY, SECOND, Shop, done, found, line, lost, order, rejected, won};

/// Toss declined, the order is FAILED, and its last look is to come.
async fn declined() -> Shop {
    let shop = Shop::with_order().await;
    shop.gateway
        .on_confirm(rejected(RejectionKind::Declined, "REJECT_CARD_PAYMENT"));
    assert!(shop.confirm(KEY).await.is_err());
    assert_eq!(shop.status().await, PaymentStatus::Failed);
    shop
}

async fn canceled(shop: &Shop) -> GatewayPayment {
    GatewayPayment {
        status: GatewayStatus::Canceled,
        balance: Some(won(0)),
        ..shop.approved().await
    }
}

#[tokio::test]
async fn the_last_look_comes_once_and_finds_nothing() {
    let shop = declined().await;
    let due = shop.payment().await.due_at.unwrap();
    assert!(due >= shop.payment().await.updated_at + Policy::default().orphan_look);
    let aborted = shop.shown(GatewayStatus::Aborted).await;
    shop.gateway.on_look(found(aborted));
    shop.look().await;
    let payment = shop.payment().await;
    assert_eq!(
        (payment.status, payment.due_at),
        (PaymentStatus::Failed, None)
    );
    assert!(shop.transactions().await.is_empty());
}

#[tokio::test]
async fn the_last_look_frees_stock_whose_release_was_lost() {
    let shop = Shop::with_unheard_confirm().await;
    shop.shelf.set_broken(true);
    let aborted = shop.shown(GatewayStatus::Aborted).await;
    shop.gateway.on_look(found(aborted.clone()));
    shop.look().await;
    assert_eq!(shop.status().await, PaymentStatus::Failed);
    // As if a database had been brought back from a backup: nobody will deliver it.
    let order_id = shop.payment().await.order_id;
    for message in shop.payments.messages_of(&order_id).await.unwrap() {
        shop.payments.message_delivered(&message.key).await.unwrap();
    }
    shop.shelf.set_broken(false);
    assert_eq!(shop.shelf.held(), [3, 2]);

    shop.gateway.on_look(found(aborted));
    shop.look().await;
    assert_eq!(shop.shelf.held(), [0, 0]);
    assert_eq!(
        (shop.messages().await, shop.payment().await.due_at),
        (0, None)
    );
}

#[tokio::test]
async fn an_order_that_never_reached_toss_needs_no_last_look() {
    let shop = Shop::with_order().await;
    shop.look().await;
    let payment = shop.payment().await;
    assert_eq!(
        (payment.status, payment.due_at),
        (PaymentStatus::Expired, None)
    );
    assert!(shop.gateway.calls().is_empty());
}

/// The claim that recovery took over may only stall before its hold, and ask Toss afterwards.
#[tokio::test]
async fn an_order_for_which_recovery_finds_no_stock_gets_its_last_look() {
    let shop = Shop::with_order().await;
    shop.shelf.set_broken(true);
    shop.confirm(KEY).await.unwrap_err();
    shop.shelf.set_broken(false);
    let big = CheckoutCommand {
        lines: vec![line(2, 9)],
        ..order()
    };
    let other = shop.service.check_out(big).await.unwrap().payment;
    let taken = shop.service.confirm(other, payment_key("tgen_big")).await;
    taken.unwrap_err();
    shop.wait_until_due().await;
    let open = shop.shown(GatewayStatus::InProgress).await;
    shop.gateway.on_look(found(open));
    let id = order_id("order-000001");
    shop.service.recover(&id).await.unwrap();
    let payment = shop.payment().await;
    assert_eq!(payment.status, PaymentStatus::Failed);
    let last_look = payment.updated_at + Policy::default().orphan_look;
    assert_eq!(payment.due_at, Some(last_look));
}

#[tokio::test]
async fn money_for_a_failed_order_goes_back_and_is_on_the_books() {
    let shop = declined().await;
    let truth = shop.approved().await;
    shop.gateway.on_look(found(truth));
    shop.gateway.on_cancel(done(canceled(&shop).await));
    shop.look().await;
    let payment = shop.payment().await;
    assert_eq!(
        (payment.status, payment.due_at),
        (PaymentStatus::Failed, None)
    );
    assert_eq!(payment.balance.won(), 0);
    assert_eq!(shop.movements().await, [210_000, -210_000]);
    assert_eq!(
        shop.facts().await.last(),
        Some(&PaymentFact::OrphanReturned)
    );
    assert_eq!(shop.shelf.stock(), [10, 10]);
    let calls = shop.gateway.calls();
    assert_eq!(calls.last().unwrap(), "cancel order-000001:2");
}

#[tokio::test]
async fn money_for_an_expired_order_that_was_reopened_goes_back() {
    let shop = Shop::with_unheard_confirm().await;
    for _ in 0..2 {
        shop.gateway.on_look(LookUp::Absent);
        shop.gateway.on_order_look(LookUp::Absent);
        shop.look().await;
    }
    assert_eq!(shop.status().await, PaymentStatus::Ready);
    shop.look().await;
    assert_eq!(shop.status().await, PaymentStatus::Expired);
    // The confirm that nobody heard of was only slow.
    shop.gateway.on_look(found(shop.approved().await));
    shop.gateway.on_cancel(done(canceled(&shop).await));
    shop.look().await;
    assert_eq!(shop.status().await, PaymentStatus::Expired);
    assert_eq!(shop.movements().await, [210_000, -210_000]);
}

#[tokio::test]
async fn money_under_an_earlier_key_of_the_order_goes_back() {
    let shop = Shop::with_unheard_confirm().await;
    for _ in 0..2 {
        shop.gateway.on_look(LookUp::Absent);
        shop.gateway.on_order_look(LookUp::Absent);
        shop.look().await;
    }
    // The buyer tries again in a second window, and that card is declined.
    shop.gateway
        .on_confirm(rejected(RejectionKind::Declined, "REJECT_CARD_PAYMENT"));
    assert!(shop.confirm("tgen_second_window").await.is_err());
    assert_eq!(shop.status().await, PaymentStatus::Failed);
    let before = shop.gateway.calls().len();
    shop.gateway.on_look(found(shop.approved().await));
    shop.gateway.on_cancel(done(canceled(&shop).await));
    shop.look().await;
    assert_eq!(
        shop.gateway.calls()[before..],
        [format!("look {KEY}"), "cancel order-000001:3".to_owned()]
    );
    assert_eq!(shop.movements().await, [210_000, -210_000]);
}

#[tokio::test]
async fn an_unheard_cancel_of_an_orphan_is_sent_again_under_its_key() {
    let shop = declined().await;
    shop.gateway.on_look(found(shop.approved().await));
    shop.gateway.on_cancel(lost());
    shop.look().await;
    assert_eq!(shop.payment().await.balance.won(), 210_000);
    shop.gateway.on_look(found(shop.approved().await));
    shop.gateway.on_cancel(done(canceled(&shop).await));
    shop.look().await;
    assert_eq!(shop.movements().await, [210_000, -210_000]);
    let cancels: Vec<_> = shop
        .gateway
        .calls()
        .into_iter()
        .filter(|call| call.starts_with("cancel"))
        .collect();
    assert_eq!(cancels, ["cancel order-000001:2", "cancel order-000001:2"]);
}

#[tokio::test]
async fn an_orphan_that_toss_has_canceled_already_closes_the_books() {
    let shop = declined().await;
    shop.gateway.on_look(found(shop.approved().await));
    shop.gateway.on_cancel(rejected(
        RejectionKind::AlreadyProcessed,
        "ALREADY_CANCELED_PAYMENT",
    ));
    shop.look().await;
    shop.gateway.on_look(found(canceled(&shop).await));
    shop.look().await;
    assert_eq!(shop.movements().await, [210_000, -210_000]);
    assert_eq!(shop.payment().await.due_at, None);
    assert_eq!(
        shop.outcomes().await.last(),
        Some(&Some(AttemptOutcome::Unclear))
    );
}

#[tokio::test]
async fn a_silent_toss_is_asked_until_it_answers() {
    let shop = declined().await;
    for _ in 0..60 {
        shop.look().await;
        assert_eq!(shop.status().await, PaymentStatus::Failed);
        assert!(shop.payment().await.due_at.is_some());
    }
    let aborted = shop.shown(GatewayStatus::Aborted).await;
    shop.gateway.on_look(found(aborted));
    shop.look().await;
    assert_eq!(shop.payment().await.due_at, None);
}

#[tokio::test]
async fn an_operator_s_look_at_an_undecided_payment_needs_no_due_time() {
    let shop = Shop::with_unheard_confirm().await;
    shop.gateway.on_look(found(shop.approved().await));
    shop.clock.advance(SECOND / 1000);
    let id = shop.payment().await.order_id;
    shop.service.recover_now(&id).await.unwrap();
    assert_eq!(shop.status().await, PaymentStatus::Done);
}

#[tokio::test]
async fn a_closed_gateway_takes_no_confirm_and_nothing_is_claimed() {
    let shop = Shop::with_order().await;
    let before = shop.payment().await;
    shop.gateway.set_closed(true);
    let refused = shop.confirm(KEY).await;
    assert!(matches!(
        refused,
        Err(payment_domain::ConfirmError::GatewayClosed)
    ));
    assert_eq!(shop.payment().await, before);
    assert!(shop.gateway.calls().is_empty());
    shop.gateway.set_closed(false);
    shop.gateway.on_confirm(done(shop.approved().await));
    assert!(shop.confirm(KEY).await.is_ok());
}

#[tokio::test]
async fn an_early_look_does_not_replace_the_last_one() {
    let shop = declined().await;
    let due = shop.payment().await.due_at;
    let id = shop.payment().await.order_id;
    let aborted = shop.shown(GatewayStatus::Aborted).await;
    shop.gateway.on_look(found(aborted.clone()));
    shop.gateway.on_order_look(LookUp::Absent);
    shop.service.recover_now(&id).await.unwrap();
    assert_eq!(shop.payment().await.due_at, due);

    shop.gateway.on_look(found(shop.approved().await));
    shop.gateway.on_cancel(done(canceled(&shop).await));
    shop.service.recover_now(&id).await.unwrap();
    assert_eq!(shop.movements().await, [210_000, -210_000]);
    assert_eq!(shop.payment().await.due_at, due);

    shop.gateway.on_look(found(aborted));
    shop.look().await;
    assert_eq!(shop.payment().await.due_at, None);
}
