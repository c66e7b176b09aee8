//! Toss approved something else than the order says.

use payment_domain::model::{
    AttemptOutcome, AttemptPurpose, GatewayPayment, GatewayStatus, PaymentStatus, TransactionKind,
};
use payment_domain::port::{GatewayAnswer, LookUp, RejectionKind};

use crate::shop::{KEY, Shop, done, found, lost, rejected, won};

/// Toss took 21 000 won instead of 210 000.
async fn wrong(shop: &Shop) -> GatewayPayment {
    let mut truth = shop.approved().await;
    truth.total = Some(won(21_000));
    truth.balance = Some(won(21_000));
    truth
}

fn canceled(truth: &GatewayPayment) -> GatewayAnswer {
    done(GatewayPayment {
        status: GatewayStatus::Canceled,
        balance: Some(won(0)),
        ..truth.clone()
    })
}

#[tokio::test]
async fn a_wrong_amount_goes_back_and_the_payment_is_quarantined() {
    let shop = Shop::with_order().await;
    let truth = wrong(&shop).await;
    shop.gateway.on_confirm(done(truth.clone()));
    shop.gateway.on_cancel(canceled(&truth));
    assert!(shop.confirm(KEY).await.is_err());
    let payment = shop.payment().await;
    assert_eq!(payment.status, PaymentStatus::Quarantined);
    assert_eq!((payment.balance.won(), payment.due_at), (0, None));
    assert_eq!(shop.movements().await, [21_000, -21_000]);
    assert_eq!(shop.transactions().await[1].kind, TransactionKind::Cancel);
    let attempts = shop.attempts().await;
    let purposes: Vec<_> = attempts.iter().map(|attempt| attempt.purpose).collect();
    assert_eq!(purposes, [AttemptPurpose::Confirm, AttemptPurpose::Cancel]);
    assert_eq!(
        shop.gateway.calls(),
        ["confirm order-000001:1", "cancel order-000001:2"]
    );
    assert!(shop.confirm(KEY).await.is_err());
}

#[tokio::test]
async fn another_currency_and_an_unreadable_amount_are_disagreements_too() {
    let usd = |mut truth: GatewayPayment| {
        truth.currency = "USD".into();
        truth
    };
    let unreadable = |mut truth: GatewayPayment| {
        (truth.total, truth.balance) = (None, None);
        truth
    };
    let cases: [fn(GatewayPayment) -> GatewayPayment; 2] = [usd, unreadable];
    for case in cases {
        let shop = Shop::with_order().await;
        let truth = case(shop.approved().await);
        shop.gateway.on_confirm(done(truth.clone()));
        shop.gateway.on_cancel(canceled(&truth));
        assert!(shop.confirm(KEY).await.is_err());
        let payment = shop.payment().await;
        assert_eq!(payment.status, PaymentStatus::Quarantined);
        let sum: i64 = shop.movements().await.iter().sum();
        assert_eq!((sum, payment.balance.won()), (0, 0));
    }
}

#[tokio::test]
async fn a_lost_cancel_is_sent_again_under_its_own_key_and_booked_once() {
    let shop = Shop::with_order().await;
    let truth = wrong(&shop).await;
    shop.gateway.on_confirm(done(truth.clone()));
    shop.gateway.on_cancel(lost());
    assert!(shop.confirm(KEY).await.is_err());
    assert_eq!(shop.status().await, PaymentStatus::Unknown);
    assert_eq!(shop.movements().await, [21_000]);

    shop.gateway.on_look(found(truth.clone()));
    shop.gateway.on_cancel(canceled(&truth));
    shop.look().await;
    assert_eq!(shop.status().await, PaymentStatus::Quarantined);
    assert_eq!(shop.movements().await, [21_000, -21_000]);
    let expected = [
        "confirm order-000001:1",
        "cancel order-000001:2",
        "look tgen_key",
        "cancel order-000001:2",
    ];
    assert_eq!(shop.gateway.calls(), expected);
}

#[tokio::test]
async fn an_account_whose_cancel_is_on_its_way_is_not_awaited_whatever_toss_shows_now() {
    let shop = Shop::with_order().await;
    let agreed = shop.shown(GatewayStatus::WaitingForDeposit).await;
    let mut wrong = agreed.clone();
    wrong.total = Some(won(21_000));
    shop.gateway.on_confirm(done(wrong));
    shop.gateway.on_cancel(lost());
    assert!(shop.confirm(KEY).await.is_err());
    // An account holds no money, so the books do not show that it is being closed.
    assert_eq!(shop.payment().await.balance.won(), 0);

    shop.gateway.on_look(LookUp::Absent);
    shop.gateway.on_order_look(LookUp::Absent);
    shop.look().await;
    shop.gateway.on_look(LookUp::Absent);
    shop.gateway.on_order_look(LookUp::Absent);
    shop.look().await;
    assert_eq!(shop.status().await, PaymentStatus::Unknown);

    shop.gateway.on_look(found(agreed.clone()));
    shop.gateway.on_cancel(canceled(&agreed));
    shop.look().await;
    assert_eq!(shop.status().await, PaymentStatus::Quarantined);
    let calls = shop.gateway.calls();
    assert_eq!(calls.last().unwrap(), "cancel order-000001:2");
}

#[tokio::test]
async fn a_cancel_that_happened_unheard_is_found_and_booked() {
    let shop = Shop::with_order().await;
    let truth = wrong(&shop).await;
    shop.gateway.on_confirm(done(truth.clone()));
    shop.gateway.on_cancel(lost());
    assert!(shop.confirm(KEY).await.is_err());
    shop.gateway.on_look(found(GatewayPayment {
        status: GatewayStatus::Canceled,
        ..truth
    }));
    shop.look().await;
    let payment = shop.payment().await;
    assert_eq!(
        (payment.status, payment.balance.won()),
        (PaymentStatus::Failed, 0)
    );
    assert_eq!(shop.movements().await, [21_000, -21_000]);
    assert_eq!(shop.shelf.stock(), [10, 10]);
}

#[tokio::test]
async fn a_cancel_that_toss_leaves_open_is_looked_at_and_tried_again() {
    for (kind, number) in [
        (RejectionKind::StillRunning, 2),
        (RejectionKind::Unclear, 3),
        (RejectionKind::AlreadyProcessed, 3),
    ] {
        let shop = Shop::with_order().await;
        let truth = wrong(&shop).await;
        shop.gateway.on_confirm(done(truth.clone()));
        shop.gateway.on_cancel(rejected(kind, "PROVIDER_ERROR"));
        assert!(shop.confirm(KEY).await.is_err());
        assert_eq!(shop.status().await, PaymentStatus::Unknown, "{kind:?}");
        shop.gateway.on_look(found(truth.clone()));
        shop.gateway.on_cancel(canceled(&truth));
        shop.look().await;
        assert_eq!(shop.status().await, PaymentStatus::Quarantined);
        assert_eq!(shop.movements().await, [21_000, -21_000]);
        let calls = shop.gateway.calls();
        assert_eq!(
            *calls.last().unwrap(),
            format!("cancel order-000001:{number}")
        );
    }
}

#[tokio::test]
async fn a_cancel_that_toss_refuses_is_quarantined_with_the_money_on_the_books() {
    let shop = Shop::with_order().await;
    let truth = wrong(&shop).await;
    shop.gateway.on_confirm(done(truth));
    shop.gateway
        .on_cancel(rejected(RejectionKind::Declined, "NOT_CANCELABLE_PAYMENT"));
    assert!(shop.confirm(KEY).await.is_err());
    let payment = shop.payment().await;
    assert_eq!(
        (payment.status, payment.balance.won()),
        (PaymentStatus::Quarantined, 21_000)
    );
    assert_eq!(shop.outcomes().await[0], Some(AttemptOutcome::Approved));
}

#[tokio::test]
async fn a_virtual_account_of_the_wrong_amount_books_no_money() {
    let shop = Shop::with_order().await;
    let mut issued = shop.shown(GatewayStatus::WaitingForDeposit).await;
    issued.total = Some(won(21_000));
    shop.gateway.on_confirm(done(issued.clone()));
    shop.gateway.on_cancel(canceled(&issued));
    assert!(shop.confirm(KEY).await.is_err());
    assert_eq!(shop.status().await, PaymentStatus::Quarantined);
    assert_eq!(shop.payment().await.balance.won(), 0);
    assert!(shop.movements().await.is_empty());
}

#[tokio::test]
async fn an_order_whose_money_is_still_on_the_books_is_never_payable_again() {
    let shop = Shop::with_order().await;
    let mut other = shop.approved().await;
    other.order_id = "order-999999".into();
    shop.gateway.on_confirm(done(other.clone()));
    shop.gateway.on_cancel(lost());
    assert!(shop.confirm(KEY).await.is_err());
    assert_eq!(shop.movements().await, [210_000]);
    shop.gateway.on_look(found(other.clone()));
    shop.gateway.on_cancel(canceled(&other));
    shop.look().await;
    let payment = shop.payment().await;
    assert_eq!(
        (payment.status, payment.balance.won()),
        (PaymentStatus::Quarantined, 0)
    );
    assert_eq!(shop.movements().await, [210_000, -210_000]);
}

#[tokio::test]
async fn an_answer_about_another_payment_cancels_nobody_s_money() {
    let shop = Shop::with_order().await;
    let mut other = shop.approved().await;
    other.order_id = "order-999999".into();
    other.payment_key = "tgen_somebody_else".into();
    shop.gateway.on_confirm(done(other));
    assert!(shop.confirm(KEY).await.is_err());
    assert_eq!(shop.status().await, PaymentStatus::Unknown);
    assert!(shop.movements().await.is_empty());

    let (open, truth) = (
        shop.shown(GatewayStatus::InProgress).await,
        shop.approved().await,
    );
    shop.gateway.on_look(found(open));
    shop.gateway.on_confirm(done(truth));
    shop.look().await;
    assert_eq!(shop.status().await, PaymentStatus::Done);
    let expected = [
        "confirm order-000001:1",
        "look tgen_key",
        "confirm order-000001:2",
    ];
    assert_eq!(shop.gateway.calls(), expected);
}
