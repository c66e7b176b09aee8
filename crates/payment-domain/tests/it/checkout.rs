use std::sync::Arc;

use kernel::{Fence, ProductId, UserId};
use payment_domain::model::{PaymentFact, PaymentStatus, Policy};
use payment_domain::port::{
    CheckoutKey, MockPaymentGateway, MockPaymentRepository, NobodyListens, PaymentRepository,
};
use payment_domain::testing::{
    FixedRandomness, InMemoryPayments, ManualClock, NumberedIds, Shelf, buyer, order_id,
};
use payment_domain::{CheckoutCommand, CheckoutError, PaymentReceiver, PaymentService, Ports};

use crate::shop::{KEY, OneBuyer, Shop, done, line, order};

fn keyed(key: &str, fingerprint: &str) -> CheckoutCommand {
    let key = CheckoutKey {
        user_id: buyer().user_id,
        key: key.parse().unwrap(),
        fingerprint: fingerprint.repeat(64),
    };
    CheckoutCommand {
        key: Some(key),
        ..order()
    }
}

#[tokio::test]
async fn a_checkout_totals_its_lines_and_takes_no_stock() {
    let shop = Shop::new();
    let outcome = shop.service.check_out(order()).await.unwrap();
    assert!(!outcome.replayed);
    let payment = outcome.payment;
    assert_eq!(payment.total.won(), 210_000);
    assert_eq!(payment.balance.won(), 0);
    assert_eq!(payment.status, PaymentStatus::Ready);
    assert_eq!(payment.fence, Fence::FIRST);
    assert_eq!(payment.due_at, Some(payment.expires_at));
    let expiry = Policy::default().payment_expiry;
    assert_eq!(payment.expires_at, payment.created_at + expiry);
    assert_eq!(shop.payment().await, payment);
    assert_eq!(shop.facts().await, [PaymentFact::CheckedOut]);
    assert_eq!(shop.shelf.stock(), [10, 10]);
    assert!(shop.gateway.calls().is_empty());
}

/// A service whose repository and gateway must not be called.
fn refusing() -> PaymentService {
    let ports = Ports {
        payments: Arc::new(MockPaymentRepository::new()),
        records: Arc::new(InMemoryPayments::new()),
        news: Arc::new(NobodyListens),
        products: Arc::new(Shelf::with_stock(&[10, 1])),
        buyers: Arc::new(OneBuyer),
        gateway: Arc::new(MockPaymentGateway::new()),
        clock: Arc::new(ManualClock::default()),
        ids: Arc::new(NumberedIds::default()),
        randomness: Arc::new(FixedRandomness(0)),
    };
    PaymentService::new(ports, Policy::default())
}

#[tokio::test]
async fn a_stranger_s_checkout_is_refused_and_nothing_is_stored() {
    let stranger = UserId::new(2).unwrap();
    let command = CheckoutCommand {
        user_id: stranger,
        ..order()
    };
    let refused = refusing().check_out(command).await;
    assert!(matches!(refused, Err(CheckoutError::UnknownUser(id)) if id == stranger));
}

#[tokio::test]
async fn an_unknown_product_is_named_and_nothing_is_stored() {
    let command = CheckoutCommand {
        lines: vec![line(1, 1), line(77, 1)],
        ..order()
    };
    let refused = refusing().check_out(command).await;
    let unknown = ProductId::new(77).unwrap();
    assert!(matches!(refused, Err(CheckoutError::UnknownProduct(id)) if id == unknown));
}

#[tokio::test]
async fn an_order_that_cannot_be_filled_now_is_refused_and_nothing_is_stored() {
    let refused = refusing().check_out(order()).await;
    let short = ProductId::new(2).unwrap();
    assert!(matches!(refused, Err(CheckoutError::StockShort(id)) if id == short));
}

#[tokio::test]
async fn a_doubled_or_empty_order_is_refused_and_nothing_is_stored() {
    for lines in [vec![], vec![line(1, 1), line(1, 2)]] {
        let command = CheckoutCommand { lines, ..order() };
        let refused = refusing().check_out(command).await;
        assert!(matches!(refused, Err(CheckoutError::Refused(_))));
    }
}

#[tokio::test]
async fn the_last_pieces_can_be_ordered() {
    let shop = Shop::new();
    let command = CheckoutCommand {
        lines: vec![line(1, 10)],
        ..order()
    };
    assert!(shop.service.check_out(command).await.is_ok());
}

#[tokio::test]
async fn the_same_checkout_key_makes_one_order_and_the_same_answer() {
    let shop = Shop::new();
    let first = shop.service.check_out(keyed("key-1", "a")).await.unwrap();
    // What the shop could answer anew has changed meanwhile; the first answer has not.
    shop.shelf.set_broken(true);
    let again = shop.service.check_out(keyed("key-1", "a")).await.unwrap();
    assert!(!first.replayed && again.replayed);
    assert_eq!(again.payment, first.payment);
    let second = shop.payments.find(&order_id("order-000002")).await.unwrap();
    assert_eq!(second, None);
}

#[tokio::test]
async fn another_request_under_a_used_checkout_key_is_refused() {
    let shop = Shop::new();
    shop.service.check_out(keyed("key-1", "a")).await.unwrap();
    let other = shop.service.check_out(keyed("key-1", "b")).await;
    assert!(matches!(other, Err(CheckoutError::KeyReused)));
    let fresh = shop.service.check_out(keyed("key-2", "b")).await.unwrap();
    assert!(!fresh.replayed);
}

#[tokio::test]
async fn a_replayed_checkout_shows_the_order_as_it_was_then() {
    let shop = Shop::new();
    let first = shop.service.check_out(keyed("key-1", "a")).await.unwrap();
    let truth = shop.approved().await;
    shop.gateway.on_confirm(done(truth));
    shop.confirm(KEY).await.unwrap();
    assert_eq!(shop.status().await, PaymentStatus::Done);
    let again = shop.service.check_out(keyed("key-1", "a")).await.unwrap();
    assert_eq!(again.payment, first.payment);
}
