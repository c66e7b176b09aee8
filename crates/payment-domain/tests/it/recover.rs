use futures::FutureExt;
use kernel::ProductId;
use payment_domain::model::{AttemptOutcome, GatewayStatus, PaymentFact, PaymentStatus, Policy};
use payment_domain::port::{LookUp, PaymentRepository, RejectionKind};
use payment_domain::testing::{order_id, payment_key};
use payment_domain::{ConfirmError, PaymentReceiver};

use crate::shop::{KEY, SECOND, Shop, done, found, lost, rejected};

/// Toss shows neither the payment key nor the order.
fn nothing_found(shop: &Shop) {
    shop.gateway.on_look(LookUp::Absent);
    shop.gateway.on_order_look(LookUp::Absent);
}

#[tokio::test]
async fn an_approval_whose_answer_was_lost_is_found_without_a_second_confirm() {
    let shop = Shop::with_unheard_confirm().await;
    let truth = shop.approved().await;
    shop.gateway.on_look(found(truth));
    shop.look().await;
    assert_eq!(shop.status().await, PaymentStatus::Done);
    assert_eq!(shop.movements().await, [210_000]);
    assert_eq!(
        shop.gateway.calls(),
        ["confirm order-000001:1", "look tgen_key"]
    );
    shop.service.deliver_due(10).await.unwrap();
    assert!(shop.shelf.is_sold(&order_id("order-000001")));
}

#[tokio::test]
async fn after_silence_the_same_key_is_sent_again() {
    let shop = Shop::with_unheard_confirm().await;
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
        "confirm order-000001:1",
    ];
    assert_eq!(shop.gateway.calls(), expected);
    assert_eq!(shop.outcomes().await, [Some(AttemptOutcome::Approved)]);
}

#[tokio::test]
async fn after_a_decoded_error_a_new_key_is_sent_and_only_after_a_look() {
    use AttemptOutcome::{Approved, Unclear};

    let shop = Shop::with_order().await;
    let provider = || rejected(RejectionKind::Unclear, "PROVIDER_ERROR");
    shop.gateway.on_confirm(provider());
    shop.confirm(KEY).await.unwrap_err();
    let open = shop.shown(GatewayStatus::InProgress).await;
    shop.gateway.on_look(found(open.clone()));
    shop.gateway.on_confirm(provider());
    shop.look().await;
    assert_eq!(shop.status().await, PaymentStatus::Unknown);
    let truth = shop.approved().await;
    shop.gateway.on_look(found(open));
    shop.gateway.on_confirm(done(truth));
    shop.look().await;
    assert_eq!(shop.status().await, PaymentStatus::Done);
    let expected = [
        "confirm order-000001:1",
        "look tgen_key",
        "confirm order-000001:2",
        "look tgen_key",
        "confirm order-000001:3",
    ];
    assert_eq!(shop.gateway.calls(), expected);
    assert_eq!(
        shop.outcomes().await,
        [Some(Unclear), Some(Unclear), Some(Approved)]
    );
}

#[tokio::test]
async fn what_toss_shows_as_dead_fails_and_frees_the_stock() {
    for status in [
        GatewayStatus::Aborted,
        GatewayStatus::Expired,
        GatewayStatus::Canceled,
    ] {
        let shop = Shop::with_unheard_confirm().await;
        let mut dead = shop.shown(status.clone()).await;
        dead.failure = Some(("PAY_PROCESS_ABORTED".into(), "중단".into()));
        shop.gateway.on_look(found(dead));
        shop.look().await;
        let payment = shop.payment().await;
        assert_eq!(payment.status, PaymentStatus::Failed, "{status:?}");
        assert_eq!(payment.failure.unwrap().code, "PAY_PROCESS_ABORTED");
        assert!(payment.due_at.is_some(), "one last look is to come");
        assert_eq!(shop.shelf.stock(), [10, 10]);
    }
}

#[tokio::test]
async fn one_absence_proves_nothing_and_the_second_reopens_the_order() {
    let shop = Shop::with_unheard_confirm().await;
    nothing_found(&shop);
    shop.look().await;
    let payment = shop.payment().await;
    assert_eq!(
        (payment.status, payment.absences),
        (PaymentStatus::Unknown, 1)
    );
    assert_eq!(shop.shelf.held(), [3, 2]);

    nothing_found(&shop);
    shop.look().await;
    let payment = shop.payment().await;
    assert_eq!(
        (payment.status, payment.payment_key),
        (PaymentStatus::Ready, None)
    );
    assert_eq!((payment.looks, payment.absences), (0, 0));
    assert_eq!(payment.due_at, Some(payment.expires_at));
    assert_eq!(shop.shelf.stock(), [10, 10]);

    let truth = shop.approved().await;
    shop.gateway.on_confirm(done(truth));
    assert!(shop.confirm(KEY).await.is_ok());
    let calls = shop.gateway.calls();
    assert_eq!(calls.last().unwrap(), "confirm order-000001:2");
}

#[tokio::test]
async fn an_order_without_payments_is_no_absence_while_the_key_is_unanswered() {
    let shop = Shop::with_unheard_confirm().await;
    for _ in 0..3 {
        shop.gateway.on_order_look(LookUp::Absent);
        shop.look().await;
        let payment = shop.payment().await;
        assert_eq!(
            (payment.status, payment.absences),
            (PaymentStatus::Unknown, 0)
        );
    }
}

#[tokio::test]
async fn what_toss_never_saw_expires_when_the_buyer_s_time_is_over() {
    let shop = Shop::with_unheard_confirm().await;
    nothing_found(&shop);
    shop.look().await;
    shop.clock.advance(Policy::default().payment_expiry);
    nothing_found(&shop);
    shop.look().await;
    let payment = shop.payment().await;
    assert_eq!(payment.status, PaymentStatus::Expired);
    // One last look is still to come: the confirm that was sent may only be slow.
    assert_eq!(
        payment.due_at,
        Some(payment.updated_at + Policy::default().orphan_look)
    );
    assert_eq!(shop.shelf.stock(), [10, 10]);
}

#[tokio::test]
async fn a_payment_that_was_seen_in_between_is_not_absent_twice() {
    let shop = Shop::with_unheard_confirm().await;
    nothing_found(&shop);
    shop.look().await;
    let open = shop.shown(GatewayStatus::InProgress).await;
    shop.gateway.on_look(found(open));
    shop.gateway.on_confirm(lost());
    shop.look().await;
    assert_eq!(shop.payment().await.absences, 0);
    nothing_found(&shop);
    shop.look().await;
    assert_eq!(shop.status().await, PaymentStatus::Unknown);
    assert_eq!(shop.payment().await.absences, 1);
}

#[tokio::test]
async fn a_dead_payment_under_another_key_says_nothing_about_ours() {
    for status in [GatewayStatus::Aborted, GatewayStatus::Expired] {
        let shop = Shop::with_unheard_confirm().await;
        // The buyer closed a first window; Toss does not show the second payment yet.
        let mut closed = shop.shown(status).await;
        closed.payment_key = "tgen_first_window".into();
        shop.gateway.on_look(LookUp::Absent);
        shop.gateway.on_order_look(found(closed));
        shop.look().await;
        assert_eq!(shop.status().await, PaymentStatus::Unknown);
        let truth = shop.approved().await;
        shop.gateway.on_look(found(truth));
        shop.look().await;
        assert_eq!(shop.status().await, PaymentStatus::Done);
    }
}

#[tokio::test]
async fn an_order_that_is_open_under_another_key_only_becomes_payable_again() {
    let shop = Shop::with_unheard_confirm().await;
    for _ in 0..2 {
        assert_eq!(shop.status().await, PaymentStatus::Unknown);
        let mut open = shop.shown(GatewayStatus::InProgress).await;
        open.payment_key = "tgen_other_window".into();
        shop.gateway.on_look(LookUp::Absent);
        shop.gateway.on_order_look(found(open));
        shop.look().await;
    }
    assert_eq!(shop.status().await, PaymentStatus::Ready);
    assert_eq!(shop.shelf.stock(), [10, 10]);
}

#[tokio::test]
async fn an_order_that_was_paid_under_another_key_is_paid() {
    let shop = Shop::with_unheard_confirm().await;
    let mut truth = shop.approved().await;
    truth.payment_key = "tgen_other_window".into();
    shop.gateway.on_look(LookUp::Absent);
    shop.gateway.on_order_look(found(truth));
    shop.look().await;
    let payment = shop.payment().await;
    assert_eq!(payment.status, PaymentStatus::Done);
    assert_eq!(payment.payment_key, Some(payment_key("tgen_other_window")));
}

#[tokio::test]
async fn silence_backs_off_and_ends_in_quarantine_but_never_in_failure() {
    let shop = Shop::with_unheard_confirm().await;
    let policy = Policy::default();
    let mut pauses = Vec::new();
    for look in 1..=50 {
        let before = shop.payment().await;
        if before.status == PaymentStatus::Quarantined {
            assert_eq!((before.due_at, before.looks), (None, policy.recovery_limit));
            assert_eq!(look, policy.recovery_limit + 1);
            shop.clock.advance(policy.lease * 100);
            assert!(shop.service.due(None, 10).await.unwrap().is_empty());
            shop.service
                .recover(&order_id("order-000001"))
                .await
                .unwrap();
            assert_eq!(shop.payment().await, before);
            break;
        }
        assert_eq!(before.status, PaymentStatus::Unknown, "look {look}");
        pauses.push(
            (before.due_at.unwrap() - before.updated_at)
                .to_std()
                .unwrap(),
        );
        shop.look().await;
    }
    assert_eq!(shop.status().await, PaymentStatus::Quarantined);
    assert!(pauses.is_sorted(), "{pauses:?}");
    assert!(pauses[0] < 3 * SECOND && pauses[19] >= policy.recovery_backoff_max / 2);
    assert!(
        pauses
            .iter()
            .all(|pause| *pause <= policy.recovery_backoff_max)
    );
    // The money may have moved: the goods stay with the order.
    assert_eq!(shop.shelf.held(), [3, 2]);
    assert!(
        shop.history()
            .await
            .iter()
            .all(|entry| entry.to != PaymentStatus::Failed)
    );
}

#[tokio::test]
async fn what_is_sent_at_the_last_look_is_looked_at_once_more() {
    let shop = Shop::with_unheard_confirm().await;
    for _ in 1..Policy::default().recovery_limit {
        shop.look().await;
    }
    let open = shop.shown(GatewayStatus::InProgress).await;
    shop.gateway.on_look(found(open));
    shop.gateway.on_confirm(lost());
    shop.look().await;
    assert_eq!(shop.status().await, PaymentStatus::Unknown);
    let truth = shop.approved().await;
    shop.gateway.on_look(found(truth));
    shop.look().await;
    assert_eq!(shop.status().await, PaymentStatus::Done);
}

#[tokio::test]
async fn a_status_that_nobody_knows_is_looked_at_again() {
    let shop = Shop::with_unheard_confirm().await;
    let odd = shop.shown(GatewayStatus::Other("PAUSED".into())).await;
    shop.gateway.on_look(found(odd));
    shop.look().await;
    assert_eq!(shop.status().await, PaymentStatus::Unknown);
    let note = shop.history().await.last().unwrap().note.clone();
    assert_eq!(note.as_deref(), Some("PAUSED"));
}

#[tokio::test]
async fn refused_credentials_during_recovery_leave_the_payment_undecided() {
    let shop = Shop::with_unheard_confirm().await;
    let open = shop.shown(GatewayStatus::InProgress).await;
    shop.gateway.on_look(found(open));
    shop.gateway
        .on_confirm(rejected(RejectionKind::Configuration, "UNAUTHORIZED_KEY"));
    shop.look().await;
    assert_eq!(shop.status().await, PaymentStatus::Unknown);
    assert_eq!(shop.shelf.held(), [3, 2]);
}

#[tokio::test]
async fn nobody_touches_a_running_confirm_before_its_lease_is_over() {
    let shop = Shop::with_order().await;
    let claimed = stop_after_claim(&shop).await;
    shop.clock
        .advance(Policy::default().lease.checked_sub(SECOND).unwrap());
    assert!(shop.service.due(None, 10).await.unwrap().is_empty());
    shop.service
        .recover(&order_id("order-000001"))
        .await
        .unwrap();
    assert_eq!(shop.payment().await, claimed);
    assert!(shop.gateway.calls().is_empty());
}

/// A server dies right after its claim was stored.
async fn stop_after_claim(shop: &Shop) -> payment_domain::model::Payment {
    let world = crate::world::World::over(shop);
    let crash = crate::faults::Fuse::at(0, crate::faults::Fault::CrashAfter);
    let server = world.server(crash);
    let payment = shop.payment().await;
    let died = server.confirm(payment, payment_key(KEY)).now_or_never();
    assert!(died.is_none());
    let claimed = shop.payment().await;
    assert_eq!(claimed.status, PaymentStatus::InProgress);
    assert_eq!(shop.outcomes().await, [None]);
    claimed
}

#[tokio::test]
async fn a_confirm_that_died_after_its_claim_is_driven_forward() {
    use PaymentFact::{Approved, CheckedOut, Claimed, LookStarted};

    let shop = Shop::with_order().await;
    stop_after_claim(&shop).await;
    let (open, truth) = (
        shop.shown(GatewayStatus::InProgress).await,
        shop.approved().await,
    );
    shop.gateway.on_look(found(open));
    shop.gateway.on_confirm(done(truth));
    shop.look().await;
    assert_eq!(shop.status().await, PaymentStatus::Done);
    assert_eq!(shop.shelf.held(), [3, 2]);
    // Nobody heard an answer to the first key, so it is sent (again).
    assert_eq!(
        shop.gateway.calls(),
        ["look tgen_key", "confirm order-000001:1"]
    );
    assert_eq!(
        shop.facts().await,
        [CheckedOut, Claimed, LookStarted, Approved]
    );
}

#[tokio::test]
async fn an_approval_that_is_found_takes_the_stock_that_no_longer_waits_for_it() {
    let shop = Shop::with_order().await;
    stop_after_claim(&shop).await;
    let truth = shop.approved().await;
    shop.gateway.on_look(found(truth));
    shop.look().await;
    assert_eq!(shop.status().await, PaymentStatus::Done);
    assert_eq!(shop.shelf.held(), [3, 2]);
    shop.service.deliver_due(10).await.unwrap();
    assert!(shop.shelf.is_sold(&order_id("order-000001")));
}

#[tokio::test]
async fn an_approval_that_is_found_when_the_stock_is_gone_is_given_back() {
    let shop = Shop::with_order().await;
    stop_after_claim(&shop).await;
    for _ in 0..8 {
        shop.shelf.lose_a_piece(ProductId::new(1).unwrap());
    }
    let truth = shop.approved().await;
    shop.gateway.on_look(found(truth.clone()));
    shop.gateway.on_cancel(done(truth));
    shop.look().await;
    assert_eq!(shop.status().await, PaymentStatus::Quarantined);
    assert_eq!(shop.movements().await, [210_000, -210_000]);
    assert_eq!(shop.shelf.held(), [0, 0]);
    let note = shop.history().await.last().unwrap().note.clone();
    let said = "Toss approved, and product 1 is short of stock; canceled at Toss";
    assert_eq!(note.as_deref(), Some(said));
}

#[tokio::test]
async fn an_order_that_nobody_pays_expires() {
    let shop = Shop::with_order().await;
    shop.look().await;
    let payment = shop.payment().await;
    assert_eq!(
        (payment.status, payment.due_at),
        (PaymentStatus::Expired, None)
    );
    assert!(shop.gateway.calls().is_empty());
    let late = shop.confirm(KEY).await;
    let expired = PaymentStatus::Expired;
    assert!(matches!(late, Err(ConfirmError::NotPayable(status)) if status == expired));
}

#[tokio::test]
async fn a_deposit_that_toss_shows_pays_the_order() {
    let shop = Shop::with_virtual_account().await;
    let truth = shop.approved().await;
    shop.gateway.on_look(found(truth));
    shop.look().await;
    let payment = shop.payment().await;
    assert_eq!(
        (payment.status, payment.balance),
        (PaymentStatus::Done, payment.total)
    );
    assert_eq!(shop.movements().await, [210_000]);
    assert_eq!(*shop.facts().await.last().unwrap(), PaymentFact::Deposited);
    shop.service.deliver_due(10).await.unwrap();
    assert_eq!(shop.shelf.sold(), [3, 2]);
}

#[tokio::test]
async fn a_virtual_account_that_lapses_expires_the_order_and_frees_its_stock() {
    let shop = Shop::with_virtual_account().await;
    let mut lapsed = shop.shown(GatewayStatus::WaitingForDeposit).await;
    lapsed.deposit_lapsed = true;
    shop.gateway.on_look(found(lapsed));
    shop.look().await;
    assert_eq!(shop.status().await, PaymentStatus::Expired);
    assert_eq!(shop.shelf.stock(), [10, 10]);
}

#[tokio::test]
async fn a_deposit_is_polled_for_however_long_toss_is_silent_or_waits() {
    let shop = Shop::with_virtual_account().await;
    for poll in 0..50 {
        match poll % 3 {
            0 => {
                let waiting = shop.shown(GatewayStatus::WaitingForDeposit).await;
                shop.gateway.on_look(found(waiting));
            }
            1 => nothing_found(&shop),
            _ => {}
        }
        shop.look().await;
        let payment = shop.payment().await;
        assert_eq!(payment.status, PaymentStatus::WaitingForDeposit);
        let next = payment.updated_at + Policy::default().deposit_poll;
        assert_eq!(payment.due_at, Some(next));
    }
    assert_eq!(shop.shelf.held(), [3, 2]);
}

#[tokio::test]
async fn a_wrong_deposit_is_booked_and_quarantined() {
    let shop = Shop::with_virtual_account().await;
    let mut wrong = shop.approved().await;
    wrong.total = Some(crate::shop::won(1_000));
    wrong.balance = wrong.total;
    shop.gateway.on_look(found(wrong));
    shop.look().await;
    assert_eq!(shop.status().await, PaymentStatus::Quarantined);
    assert_eq!(shop.movements().await, [1_000]);
    assert_eq!(shop.payment().await.balance.won(), 1_000);
    assert_eq!(shop.shelf.held(), [3, 2]);
}

#[tokio::test]
async fn a_dead_payment_under_another_key_does_not_end_a_virtual_account() {
    let shop = Shop::with_virtual_account().await;
    let mut closed = shop.shown(GatewayStatus::Aborted).await;
    closed.payment_key = "tgen_first_window".into();
    shop.gateway.on_look(LookUp::Absent);
    shop.gateway.on_order_look(found(closed));
    shop.look().await;
    assert_eq!(shop.status().await, PaymentStatus::WaitingForDeposit);
}

#[tokio::test]
async fn recovering_an_unknown_order_is_nothing() {
    let shop = Shop::new();
    let nobody = order_id("order-000009");
    shop.service.recover(&nobody).await.unwrap();
    assert_eq!(shop.payments.find(&nobody).await.unwrap(), None);
}
