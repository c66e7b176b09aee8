//! An operator settles a quarantined payment; Toss is asked first.

use payment_domain::model::{GatewayPayment, GatewayStatus, PaymentFact, PaymentStatus, Policy};
use payment_domain::port::LookUp;
use payment_domain::{PaymentReceiver, Resolution, ResolveCommand, ResolveError};

use crate::shop::{Shop, found, won};

/// All looks were silent.
async fn quarantined() -> Shop {
    let shop = Shop::with_unheard_confirm().await;
    for _ in 0..Policy::default().recovery_limit {
        shop.look().await;
    }
    assert_eq!(shop.status().await, PaymentStatus::Quarantined);
    shop
}

async fn resolve(shop: &Shop, to: Resolution) -> Result<(), ResolveError> {
    let order_id = shop.payment().await.order_id;
    let reason = "확인함".to_owned();
    shop.service
        .resolve(ResolveCommand {
            order_id,
            to,
            reason,
        })
        .await
}

#[tokio::test]
async fn a_payment_that_toss_shows_as_paid_can_be_resolved_as_done_only() {
    let shop = quarantined().await;
    for _ in 0..2 {
        shop.gateway.on_look(found(shop.approved().await));
    }
    let refused = resolve(&shop, Resolution::Failed).await;
    assert!(matches!(refused, Err(ResolveError::Contradicted(_))));
    assert_eq!(shop.status().await, PaymentStatus::Quarantined);
    resolve(&shop, Resolution::Done).await.unwrap();
    let payment = shop.payment().await;
    assert_eq!(
        (payment.status, payment.balance),
        (PaymentStatus::Done, payment.total)
    );
    assert_eq!(shop.movements().await, [210_000]);
    assert!(shop.shelf.is_sold(&payment.order_id));
    let history = shop.history().await;
    let last = history.last().unwrap();
    assert_eq!(
        (last.fact, last.note.as_deref()),
        (PaymentFact::ResolvedAsDone, Some("확인함"))
    );
}

#[tokio::test]
async fn a_payment_that_toss_shows_without_money_can_be_resolved_as_failed_only() {
    for truth in [
        GatewayStatus::Aborted,
        GatewayStatus::Expired,
        GatewayStatus::Canceled,
    ] {
        let shop = quarantined().await;
        let shown = GatewayPayment {
            balance: Some(won(0)),
            ..shop.shown(truth).await
        };
        for _ in 0..2 {
            shop.gateway.on_look(found(shown.clone()));
        }
        let refused = resolve(&shop, Resolution::Done).await;
        assert!(matches!(refused, Err(ResolveError::Contradicted(_))));
        resolve(&shop, Resolution::Failed).await.unwrap();
        assert_eq!(shop.status().await, PaymentStatus::Failed);
        assert_eq!(shop.shelf.stock(), [10, 10]);
    }
}

#[tokio::test]
async fn a_payment_that_toss_does_not_know_can_be_resolved_as_failed_only() {
    let shop = quarantined().await;
    for _ in 0..2 {
        shop.gateway.on_look(LookUp::Absent);
        shop.gateway.on_order_look(LookUp::Absent);
    }
    assert!(matches!(
        resolve(&shop, Resolution::Done).await,
        Err(ResolveError::Contradicted(_))
    ));
    resolve(&shop, Resolution::Failed).await.unwrap();
    assert_eq!(shop.status().await, PaymentStatus::Failed);
}

#[tokio::test]
async fn without_toss_s_answer_nothing_is_resolved() {
    let shop = quarantined().await;
    for to in [Resolution::Done, Resolution::Failed] {
        assert!(matches!(
            resolve(&shop, to).await,
            Err(ResolveError::GatewaySilent)
        ));
    }
    assert_eq!(shop.status().await, PaymentStatus::Quarantined);
}

#[tokio::test]
async fn only_quarantined_payments_are_resolved() {
    let shop = Shop::with_order().await;
    let refused = resolve(&shop, Resolution::Failed).await;
    assert!(matches!(
        refused,
        Err(ResolveError::NotQuarantined(PaymentStatus::Ready))
    ));
    assert!(shop.gateway.calls().is_empty());
}
