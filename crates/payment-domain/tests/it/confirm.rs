use futures::FutureExt;
use kernel::{Fence, ProductId};
use payment_domain::model::{
    AttemptOutcome, AttemptPurpose, FailureKind, GatewayStatus, PaymentFact, PaymentStatus, Policy,
    TransactionKind, VirtualAccount,
};
use payment_domain::port::{LookUp, PaymentRepository, RejectionKind};
use payment_domain::testing::{order_id, payment_key};
use payment_domain::{CheckoutCommand, ConfirmError, Examined, PaymentReceiver};

use crate::shop::{KEY, SECOND, Shop, claim, done, found, line, lost, order, rejected, won};

#[tokio::test]
async fn an_approval_is_stored_with_attempt_history_and_money_and_sells_the_stock() {
    use PaymentFact::{Approved, CheckedOut, Claimed};

    let shop = Shop::with_order().await;
    let truth = shop.approved().await;
    shop.gateway.on_confirm(done(truth.clone()));
    let outcome = shop.confirm(KEY).await.unwrap();

    let payment = shop.payment().await;
    assert_eq!(*outcome.payment, payment);
    assert_eq!(payment.status, PaymentStatus::Done);
    assert_eq!((payment.balance, payment.due_at), (payment.total, None));
    assert_eq!(payment.payment_key, Some(payment_key(KEY)));
    assert_eq!(payment.approved_at, truth.approved_at);
    assert_eq!(
        (payment.method, payment.receipt_url),
        (truth.method, truth.receipt_url)
    );
    assert_eq!(payment.gateway_secret.unwrap().expose(), "ps_secret");

    assert_eq!(shop.facts().await, [CheckedOut, Claimed, Approved]);
    assert_eq!(payment.fence, Fence::from_stored(3));
    let attempts = shop.attempts().await;
    let [attempt] = &attempts[..] else {
        panic!("one attempt, not {attempts:?}")
    };
    assert_eq!(
        (attempt.number, attempt.purpose),
        (1, AttemptPurpose::Confirm)
    );
    assert_eq!(attempt.amount, won(210_000));
    let result = attempt.result.clone().unwrap();
    assert_eq!(result.outcome, AttemptOutcome::Approved);
    assert_eq!(result.trace_id.as_deref(), Some("trace-1"));
    let transactions = shop.transactions().await;
    assert_eq!(shop.movements().await, [210_000]);
    assert_eq!(transactions[0].kind, TransactionKind::Approval);
    assert_eq!(transactions[0].transaction_key.as_deref(), Some("txn-1"));
    assert_eq!(shop.gateway.calls(), ["confirm order-000001:1"]);

    assert_eq!((shop.shelf.held(), shop.messages().await), (vec![3, 2], 1));
    let sale = outcome.undelivered.unwrap();
    let stored = shop.payments.messages_of(&order_id("order-000001")).await;
    assert_eq!(stored.unwrap(), std::slice::from_ref(&sale));
    shop.service.deliver_message(&sale).await.unwrap();
    assert!(shop.shelf.is_sold(&order_id("order-000001")));
    assert_eq!((shop.shelf.stock(), shop.messages().await), (vec![7, 8], 0));
}

#[tokio::test]
async fn the_claim_is_stored_under_a_lease_before_toss_is_asked() {
    let shop = Shop::with_order().await;
    let asked_at = kernel::Clock::now(&*shop.clock);
    shop.shelf.set_broken(true);
    assert!(matches!(
        shop.confirm(KEY).await,
        Err(ConfirmError::Undecided)
    ));
    let history = shop.history().await;
    assert_eq!(history[1].fact, PaymentFact::Claimed);
    assert_eq!(shop.attempts().await[0].started_at, asked_at);
    assert!(shop.gateway.calls().is_empty());
}

#[tokio::test]
async fn a_repeated_confirm_gets_the_first_answer_without_asking_toss_again() {
    let shop = Shop::with_order().await;
    let truth = shop.approved().await;
    shop.gateway.on_confirm(done(truth));
    let first = shop.confirm(KEY).await.unwrap();
    let again = shop.confirm(KEY).await.unwrap();
    assert_eq!(again.payment, first.payment);
    // What the first one left to be told is told once.
    assert_eq!(
        (first.undelivered.is_some(), again.undelivered),
        (true, None)
    );
    assert!(matches!(
        shop.confirm("tgen_other").await,
        Err(ConfirmError::WrongPaymentKey)
    ));
    assert_eq!(shop.gateway.calls().len(), 1);
}

#[tokio::test]
async fn a_decline_fails_the_order_frees_its_stock_and_stays_the_answer() {
    let shop = Shop::with_order().await;
    let decline = rejected(RejectionKind::Declined, "REJECT_CARD_COMPANY");
    shop.gateway.on_confirm(decline);
    for _ in 0..2 {
        let refused = shop.confirm(KEY).await;
        let Err(ConfirmError::Declined { code, message }) = refused else {
            panic!("declined, not {refused:?}")
        };
        assert_eq!(
            (&code[..], &message[..]),
            ("REJECT_CARD_COMPANY", "거절 사유")
        );
    }
    assert_eq!(shop.status().await, PaymentStatus::Failed);
    assert_eq!(shop.outcomes().await, [Some(AttemptOutcome::Rejected)]);
    assert_eq!(
        (shop.shelf.stock(), shop.messages().await),
        (vec![10, 10], 0)
    );
    assert!(shop.transactions().await.is_empty());
    assert_eq!(shop.gateway.calls().len(), 1);
}

#[tokio::test]
async fn a_short_stock_fails_the_order_and_toss_is_never_asked() {
    let shop = Shop::with_order().await;
    // Another order takes nearly everything between this one's checkout and its confirm.
    let big = CheckoutCommand {
        lines: vec![line(2, 9)],
        ..order()
    };
    let other = shop.service.check_out(big).await.unwrap().payment;
    shop.service
        .confirm(other, payment_key("tgen_big"))
        .await
        .unwrap_err();
    let short = ProductId::new(2).unwrap();
    for _ in 0..2 {
        let refused = shop.confirm(KEY).await;
        assert!(matches!(refused, Err(ConfirmError::StockShort(id)) if id == short));
    }
    let payment = shop.payment().await;
    assert_eq!(payment.status, PaymentStatus::Failed);
    assert_eq!(
        payment.failure.unwrap().kind,
        FailureKind::StockShort(short)
    );
    assert_eq!(shop.shelf.stock(), [10, 1]);
    assert_eq!(shop.outcomes().await, [Some(AttemptOutcome::NotSent)]);
    assert_eq!(shop.gateway.calls(), ["confirm order-000002:1"]);
}

#[tokio::test]
async fn a_stranger_s_key_leaves_the_order_payable_and_the_right_key_pays_it() {
    let shop = Shop::with_order().await;
    shop.gateway
        .on_confirm(rejected(RejectionKind::UnknownPayment, "NOT_FOUND_PAYMENT"));
    shop.gateway.on_look(LookUp::Absent);
    let refused = shop.confirm("tgen_guess").await;
    assert!(matches!(refused, Err(ConfirmError::WrongPaymentKey)));
    let payment = shop.payment().await;
    assert_eq!(
        (payment.status, payment.payment_key),
        (PaymentStatus::Ready, None)
    );
    assert_eq!(payment.due_at, Some(payment.expires_at));
    assert_eq!(shop.shelf.stock(), [10, 10]);

    let truth = shop.approved().await;
    shop.gateway.on_confirm(done(truth));
    let paid = shop.confirm(KEY).await.unwrap().payment;
    assert_eq!((paid.status, paid.attempts), (PaymentStatus::Done, 2));
    assert!(paid.fence > payment.fence);
    assert_eq!(shop.shelf.held(), [3, 2]);
    let calls = shop.gateway.calls();
    assert_eq!(calls[2], "confirm order-000001:2");
    // A release that comes late, as a redelivery may, must spare the new hold.
    let late =
        payment_domain::port::ProductPort::release(&*shop.shelf, &paid.order_id, payment.fence);
    late.await.unwrap();
    assert_eq!(shop.shelf.held(), [3, 2]);
}

#[tokio::test]
async fn the_key_of_another_order_is_refused_and_the_order_stays_payable() {
    for kind in [RejectionKind::Inconsistent, RejectionKind::AlreadyProcessed] {
        let shop = Shop::with_order().await;
        let mut other = shop.approved().await;
        other.order_id = "order-999999".into();
        shop.gateway.on_confirm(rejected(kind, "NOT_MATCHES"));
        shop.gateway.on_look(found(other));
        let refused = shop.confirm(KEY).await;
        assert!(
            matches!(refused, Err(ConfirmError::WrongPaymentKey)),
            "{kind:?}"
        );
        assert_eq!(shop.status().await, PaymentStatus::Ready);
        assert_eq!(shop.shelf.stock(), [10, 10]);
        assert!(shop.transactions().await.is_empty());
    }
}

#[tokio::test]
async fn a_key_that_was_opened_for_another_amount_is_refused() {
    let shop = Shop::with_order().await;
    let mut cheap = shop.shown(GatewayStatus::InProgress).await;
    cheap.total = Some(won(1_000));
    shop.gateway
        .on_confirm(rejected(RejectionKind::Inconsistent, "INVALID_REQUEST"));
    shop.gateway.on_look(found(cheap));
    assert!(matches!(
        shop.confirm(KEY).await,
        Err(ConfirmError::WrongPaymentKey)
    ));
    assert_eq!(shop.status().await, PaymentStatus::Ready);
}

#[tokio::test]
async fn refused_credentials_leave_the_order_payable() {
    let shop = Shop::with_order().await;
    shop.gateway
        .on_confirm(rejected(RejectionKind::Configuration, "UNAUTHORIZED_KEY"));
    let refused = shop.confirm(KEY).await;
    assert!(
        matches!(refused, Err(ConfirmError::Misconfigured { code }) if code == "UNAUTHORIZED_KEY")
    );
    assert_eq!(shop.status().await, PaymentStatus::Ready);
    assert_eq!(shop.shelf.stock(), [10, 10]);
    let truth = shop.approved().await;
    shop.gateway.on_confirm(done(truth));
    assert!(shop.confirm(KEY).await.is_ok());
    assert_eq!(shop.gateway.calls()[1], "confirm order-000001:2");
}

#[tokio::test]
async fn every_uncertain_answer_leaves_the_payment_unknown_with_a_look_due_and_its_stock_held() {
    let not_sent = payment_domain::port::GatewayAnswer::NotSent {
        reason: "connection refused".into(),
    };
    let table = [
        (
            rejected(RejectionKind::Unclear, "PROVIDER_ERROR"),
            AttemptOutcome::Unclear,
        ),
        (
            rejected(RejectionKind::StillRunning, "IDEMPOTENT_REQUEST_PROCESSING"),
            AttemptOutcome::Silent,
        ),
        (lost(), AttemptOutcome::Silent),
        (not_sent, AttemptOutcome::NotSent),
    ];
    for (answer, noted) in table {
        let shop = Shop::with_order().await;
        shop.gateway.on_confirm(answer);
        assert!(
            matches!(shop.confirm(KEY).await, Err(ConfirmError::Undecided)),
            "{noted:?}"
        );
        let payment = shop.payment().await;
        assert_eq!(payment.status, PaymentStatus::Unknown);
        let pause = (payment.due_at.unwrap() - payment.updated_at)
            .to_std()
            .unwrap();
        assert!(pause >= SECOND && pause <= Policy::default().recovery_backoff);
        assert_eq!(shop.outcomes().await, [Some(noted)]);
        assert_eq!(shop.shelf.held(), [3, 2]);
        assert!(shop.transactions().await.is_empty());
        // The buyer's repeat joins what is undecided; it asks nobody.
        assert!(matches!(
            shop.confirm(KEY).await,
            Err(ConfirmError::Undecided)
        ));
        assert_eq!(shop.gateway.calls(), ["confirm order-000001:1"]);
    }
}

#[tokio::test]
async fn already_processed_is_settled_by_what_toss_shows() {
    let shop = Shop::with_order().await;
    let truth = shop.approved().await;
    shop.gateway.on_confirm(rejected(
        RejectionKind::AlreadyProcessed,
        "ALREADY_PROCESSED_PAYMENT",
    ));
    shop.gateway.on_look(found(truth));
    assert!(shop.confirm(KEY).await.is_ok());
    assert_eq!(shop.movements().await, [210_000]);
    assert_eq!(
        shop.gateway.calls(),
        ["confirm order-000001:1", "look tgen_key"]
    );
}

#[tokio::test]
async fn already_processed_proves_nothing_when_toss_shows_the_payment_as_aborted() {
    let shop = Shop::with_order().await;
    let aborted = shop.shown(GatewayStatus::Aborted).await;
    shop.gateway.on_confirm(rejected(
        RejectionKind::AlreadyProcessed,
        "ALREADY_PROCESSED_PAYMENT",
    ));
    shop.gateway.on_look(found(aborted));
    assert!(matches!(
        shop.confirm(KEY).await,
        Err(ConfirmError::Declined { .. })
    ));
    assert_eq!(shop.status().await, PaymentStatus::Failed);
    assert_eq!(shop.shelf.stock(), [10, 10]);
    assert!(shop.transactions().await.is_empty());
}

#[tokio::test]
async fn already_processed_without_a_look_decides_nothing() {
    for look in [
        LookUp::Absent,
        LookUp::Unavailable {
            reason: "503".into(),
        },
    ] {
        let shop = Shop::with_order().await;
        shop.gateway.on_confirm(rejected(
            RejectionKind::AlreadyProcessed,
            "ALREADY_PROCESSED_PAYMENT",
        ));
        shop.gateway.on_look(look);
        assert!(matches!(
            shop.confirm(KEY).await,
            Err(ConfirmError::Undecided)
        ));
        assert_eq!(shop.status().await, PaymentStatus::Unknown);
    }
}

#[tokio::test]
async fn a_virtual_account_waits_for_its_deposit_with_a_poll_due() {
    let shop = Shop::with_order().await;
    let mut issued = shop.shown(GatewayStatus::WaitingForDeposit).await;
    let account = VirtualAccount {
        bank_code: "20".into(),
        account_number: "X6505636518308".into(),
        due_date: None,
        customer_name: None,
    };
    issued.virtual_account = Some(account.clone());
    shop.gateway.on_confirm(done(issued));
    let waiting = shop.confirm(KEY).await.unwrap().payment;
    assert_eq!(waiting.status, PaymentStatus::WaitingForDeposit);
    assert_eq!(waiting.virtual_account, Some(account));
    assert_eq!((waiting.approved_at, waiting.balance.won()), (None, 0));
    let poll = Policy::default().deposit_poll;
    assert_eq!(waiting.due_at, Some(waiting.updated_at + poll));
    assert_eq!((shop.shelf.held(), shop.messages().await), (vec![3, 2], 0));
    assert!(shop.transactions().await.is_empty());
}

#[tokio::test]
async fn a_failing_stock_leaves_the_payment_unknown_and_recovery_finishes_it() {
    let shop = Shop::with_order().await;
    shop.shelf.set_broken(true);
    assert!(matches!(
        shop.confirm(KEY).await,
        Err(ConfirmError::Undecided)
    ));
    assert_eq!(shop.status().await, PaymentStatus::Unknown);
    assert_eq!(shop.outcomes().await, [Some(AttemptOutcome::NotSent)]);
    assert!(shop.gateway.calls().is_empty());

    shop.shelf.set_broken(false);
    let (open, truth) = (
        shop.shown(GatewayStatus::InProgress).await,
        shop.approved().await,
    );
    shop.gateway.on_look(found(open));
    shop.gateway.on_confirm(done(truth));
    shop.look().await;
    assert_eq!(shop.status().await, PaymentStatus::Done);
    assert_eq!(shop.shelf.held(), [3, 2]);
    assert_eq!(
        shop.gateway.calls(),
        ["look tgen_key", "confirm order-000001:1"]
    );
}

#[tokio::test]
async fn of_two_claims_one_is_lost_and_toss_is_asked_once() {
    let shop = Shop::with_order().await;
    let truth = shop.approved().await;
    shop.gateway.on_confirm(done(truth));
    let (first, second) = (shop.payment().await, shop.payment().await);
    assert!(shop.service.confirm(first, payment_key(KEY)).await.is_ok());
    let late = shop
        .service
        .confirm(second, payment_key("tgen_other"))
        .await;
    assert!(matches!(late, Err(ConfirmError::LostClaim)));
    assert_eq!(shop.gateway.calls(), ["confirm order-000001:1"]);
    assert_eq!(shop.payment().await.payment_key, Some(payment_key(KEY)));
    assert_eq!(shop.shelf.held(), [3, 2]);
}

#[tokio::test]
async fn a_claim_after_the_buyer_s_time_is_refused_and_writes_nothing() {
    let shop = Shop::with_order().await;
    let command = claim(KEY);
    let Ok(Examined::Payable(payment)) = shop.service.examine(&command).await else {
        panic!("payable")
    };
    shop.clock.advance(Policy::default().payment_expiry);
    let late = shop
        .service
        .confirm(*payment, command.payment_key)
        .now_or_never();
    let expired = PaymentStatus::Expired;
    assert!(matches!(late, Some(Err(ConfirmError::NotPayable(status))) if status == expired));
    assert_eq!(shop.facts().await, [PaymentFact::CheckedOut]);
    assert!(shop.gateway.calls().is_empty());
}

#[tokio::test]
async fn a_read_shows_the_payment_and_its_money() {
    let shop = Shop::with_order().await;
    let truth = shop.approved().await;
    shop.gateway.on_confirm(done(truth));
    shop.confirm(KEY).await.unwrap();
    let view = shop.service.read(&order_id("order-000001")).await.unwrap();
    assert_eq!(view.payment, shop.payment().await);
    assert_eq!(view.transactions, shop.transactions().await);
    assert!(shop.service.read(&order_id("order-000009")).await.is_err());
    let nobody = shop.payments.find(&order_id("order-000009")).await.unwrap();
    assert_eq!(nobody, None);
}
