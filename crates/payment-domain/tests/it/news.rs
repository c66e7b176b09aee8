//! What merchants are told: every change that concerns them, once it is committed, in order, with the
//! payment as it was. That no fault loses any is shown by `crash`, whose worlds listen.

use std::time::Duration;

use kernel::Fence;
use payment_domain::PaymentReceiver as _;
use payment_domain::model::{GatewayStatus, NewsKind, PaymentStatus};
use payment_domain::port::{News, PaymentRepository as _, RejectionKind};
use payment_domain::testing::order_id;

use crate::shop::{KEY, Shop, done, found, rejected};

impl Shop {
    fn told(&self) -> Vec<News> {
        self.listener.told(&order_id("order-000001"))
    }

    fn kinds(&self) -> Vec<NewsKind> {
        self.told().iter().map(|news| news.kind).collect()
    }
}

/// A shop that listens, with an order.
async fn listening() -> Shop {
    let shop = Shop::with_order().await;
    shop.listener.set_listening(true);
    shop
}

#[tokio::test]
async fn nothing_is_stored_for_merchants_while_nobody_listens() {
    let shop = Shop::with_virtual_account().await;
    assert_eq!(shop.messages().await, 0);
    let expired = Shop::with_order().await;
    expired.look().await;
    assert_eq!(expired.status().await, PaymentStatus::Expired);
    assert_eq!(expired.messages().await, 0);
}

#[tokio::test]
async fn a_paid_order_is_told_as_it_is_shown() {
    let shop = listening().await;
    let truth = shop.approved().await;
    shop.gateway.on_confirm(done(truth));
    let outcome = shop.confirm(KEY).await.unwrap();
    assert_eq!(shop.kinds(), [], "the buyer is answered first");
    let message = outcome.undelivered.unwrap();
    shop.service.deliver_message(&message).await.unwrap();
    let told = shop.told();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].kind, NewsKind::Done);
    assert_eq!(told[0].payment, shop.payment().await);
    assert_eq!(told[0].transactions, shop.transactions().await);
    assert_eq!(told[0].sequence, Fence::from_stored(3));
    assert_eq!(shop.messages().await, 0);
}

#[tokio::test]
async fn a_change_without_stock_takes_a_message_of_its_own() {
    let shop = listening().await;
    shop.look().await;
    assert_eq!(shop.messages().await, 1);
    assert_eq!(shop.service.deliver_due(10).await.unwrap(), 1);
    assert_eq!(
        (shop.kinds(), shop.messages().await),
        (vec![NewsKind::Expired], 0)
    );
    assert_eq!(shop.shelf.stock(), [10, 10]);
}

#[tokio::test]
async fn a_refused_key_is_nobody_s_news_and_a_decline_is() {
    let shop = listening().await;
    shop.gateway
        .on_confirm(rejected(RejectionKind::Configuration, "UNAUTHORIZED_KEY"));
    shop.confirm(KEY).await.unwrap_err();
    assert_eq!((shop.kinds(), shop.messages().await), (vec![], 0));
    shop.gateway
        .on_confirm(rejected(RejectionKind::Declined, "REJECT_CARD_PAYMENT"));
    shop.confirm(KEY).await.unwrap_err();
    assert_eq!(
        (shop.kinds(), shop.messages().await),
        (vec![NewsKind::Failed], 0)
    );
    assert!(shop.told()[0].payment.failure.is_some());
}

#[tokio::test]
async fn news_come_in_order_though_the_first_could_not_be_told() {
    let shop = listening().await;
    let issued = shop.shown(GatewayStatus::WaitingForDeposit).await;
    shop.gateway.on_confirm(done(issued));
    let waiting = shop.confirm(KEY).await.unwrap().undelivered.unwrap();
    shop.listener.set_broken(true);
    shop.service.deliver_message(&waiting).await.unwrap();
    assert_eq!((shop.kinds(), shop.messages().await), (vec![], 1));
    shop.listener.set_broken(false);

    let mut paid = shop.approved().await;
    paid.payment_key = KEY.into();
    shop.gateway.on_look(found(paid));
    shop.look().await;
    assert_eq!(shop.status().await, PaymentStatus::Done);
    // The deposit's message is delivered alone; the other one has just been put off.
    let messages = shop.payments.messages_of(&waiting.key.order_id).await;
    let last = messages.unwrap().pop().unwrap();
    shop.service.deliver_message(&last).await.unwrap();
    assert_eq!(shop.kinds(), [NewsKind::WaitingForDeposit, NewsKind::Done]);
    let told = shop.told();
    assert_eq!(told[0].payment.status, PaymentStatus::WaitingForDeposit);
    assert_eq!(told[0].payment.balance, kernel::Money::ZERO);
    assert_eq!(told[0].payment.approved_at, None);
    assert_eq!(told[0].transactions, []);
    assert!(told[1].payment.approved_at.is_some());
    assert_eq!(told[1].transactions.len(), 1);
    shop.clock.advance(Duration::from_mins(5));
    shop.service.deliver_due(10).await.unwrap();
    assert_eq!((shop.kinds().len(), shop.messages().await), (2, 0));
}

#[tokio::test]
async fn stock_that_cannot_be_told_keeps_no_news_back_nor_the_other_way_round() {
    for (shelf, listener) in [(true, false), (false, true)] {
        let shop = listening().await;
        let truth = shop.approved().await;
        shop.gateway.on_confirm(done(truth));
        shop.confirm(KEY).await.unwrap();
        shop.shelf.set_broken(shelf);
        shop.listener.set_broken(listener);
        assert_eq!(shop.service.deliver_due(10).await.unwrap(), 1);
        let sold = if shelf { vec![0, 0] } else { vec![3, 2] };
        let told = if listener {
            vec![]
        } else {
            vec![NewsKind::Done]
        };
        assert_eq!((shop.shelf.sold(), shop.kinds()), (sold, told));
        assert_eq!(shop.messages().await, 1);
        shop.shelf.set_broken(false);
        shop.listener.set_broken(false);
        shop.clock.advance(Duration::from_secs(1));
        assert_eq!(shop.service.deliver_due(10).await.unwrap(), 1);
        assert_eq!(shop.shelf.sold(), [3, 2]);
        assert_eq!(
            (shop.kinds(), shop.messages().await),
            (vec![NewsKind::Done], 0)
        );
    }
}
