//! When Toss answers again after a long silence, undecided payments do not sit out their pauses.

use std::sync::Arc;

use kernel::{Clock as _, StoreError};
use payment_domain::model::{PaymentStatus, Policy};
use payment_domain::port::{
    MockBuyerPort, MockPaymentGateway, MockPaymentRepository, MockProductPort, NobodyListens,
};
use payment_domain::testing::{FixedRandomness, InMemoryPayments, ManualClock, NumberedIds};
use payment_domain::{PaymentReceiver, PaymentService, Ports};

use crate::shop::{Shop, found};

#[tokio::test]
async fn an_undecided_payment_is_looked_at_as_soon_as_toss_answers_again() {
    let shop = Shop::with_unheard_confirm().await;
    let lease = Policy::default().lease;
    while shop.payment().await.due_at.unwrap() <= shop.clock.now() + lease {
        shop.look().await;
    }
    assert_eq!(shop.service.hasten().await.unwrap(), 0, "Toss is silent");

    shop.gateway.set_back();
    assert_eq!(shop.service.hasten().await.unwrap(), 1);
    let due = shop.service.due(None, 10).await.unwrap();
    assert_eq!(due.len(), 1);
    let approved = shop.approved().await;
    shop.gateway.on_look(found(approved));
    shop.service.recover(&due[0].order_id).await.unwrap();
    assert_eq!(shop.status().await, PaymentStatus::Done);
    assert_eq!(shop.service.hasten().await.unwrap(), 0, "told once");
}

#[tokio::test]
async fn whoever_is_at_work_under_a_lease_is_not_disturbed() {
    let shop = Shop::with_unheard_confirm().await;
    let before = shop.payment().await;
    shop.gateway.set_back();
    assert_eq!(shop.service.hasten().await.unwrap(), 0);
    assert_eq!(shop.payment().await, before);
}

#[tokio::test]
async fn a_store_that_fails_then_is_asked_again() {
    let mut gateway = MockPaymentGateway::new();
    let mut told = false;
    gateway
        .expect_is_back()
        .returning(move || !std::mem::replace(&mut told, true));
    let mut payments = MockPaymentRepository::new();
    let mut asked = 0;
    payments
        .expect_hasten()
        .times(3)
        .returning(move |_, _, limit| {
            asked += 1;
            match asked {
                1 => Err(StoreError::Unavailable {
                    action: "hasten",
                    source: "down".into(),
                }),
                // More than one transaction's worth.
                2 => Ok(limit as usize),
                _ => Ok(7),
            }
        });
    let ports = Ports {
        payments: Arc::new(payments),
        records: Arc::new(InMemoryPayments::new()),
        news: Arc::new(NobodyListens),
        products: Arc::new(MockProductPort::new()),
        buyers: Arc::new(MockBuyerPort::new()),
        gateway: Arc::new(gateway),
        clock: Arc::new(ManualClock::default()),
        ids: Arc::new(NumberedIds::default()),
        randomness: Arc::new(FixedRandomness(0)),
    };
    let service = PaymentService::new(ports, Policy::default());
    assert!(service.hasten().await.is_err());
    assert_eq!(service.hasten().await.unwrap(), 507);
    assert_eq!(service.hasten().await.unwrap(), 0);
}
