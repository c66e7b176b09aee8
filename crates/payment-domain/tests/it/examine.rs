//! A confirm that fails its examination writes nothing and calls nobody.

use std::sync::Arc;

use kernel::{Clock as _, UserId};
use payment_domain::model::{Failure, FailureKind, Payment, PaymentStatus, Policy};
use payment_domain::port::{
    MockBuyerPort, MockPaymentGateway, MockPaymentRepository, MockProductPort, NobodyListens,
};
use payment_domain::testing::{
    FixedRandomness, InMemoryPayments, ManualClock, NumberedIds, payment, payment_key,
};
use payment_domain::{
    ConfirmCommand, ConfirmError, Examined, PaymentReceiver, PaymentService, Ports,
};

use crate::shop::{KEY, SECOND, claim, won};

/// What an examination finds, with a repository that answers one `find` and fails the test on any
/// other call, and with every other port forbidden.
async fn examine(
    stored: Option<Payment>,
    command: &ConfirmCommand,
) -> Result<Examined, ConfirmError> {
    examine_at(stored, command, Arc::new(ManualClock::default())).await
}

async fn examine_at(
    stored: Option<Payment>,
    command: &ConfirmCommand,
    clock: Arc<ManualClock>,
) -> Result<Examined, ConfirmError> {
    let mut payments = MockPaymentRepository::new();
    payments
        .expect_find()
        .times(1)
        .returning(move |_| Ok(stored.clone()));
    let ports = Ports {
        payments: Arc::new(payments),
        records: Arc::new(InMemoryPayments::new()),
        news: Arc::new(NobodyListens),
        products: Arc::new(MockProductPort::new()),
        buyers: Arc::new(MockBuyerPort::new()),
        gateway: Arc::new(MockPaymentGateway::new()),
        clock,
        ids: Arc::new(NumberedIds::default()),
        randomness: Arc::new(FixedRandomness(0)),
    };
    let service = PaymentService::new(ports, Policy::default());
    service.examine(command).await
}

/// A payment of that status; all but those that nobody has tried to pay carry `KEY`.
fn stored(status: PaymentStatus) -> Payment {
    let mut payment = payment();
    payment.status = status;
    payment.payment_key = match status {
        PaymentStatus::Ready | PaymentStatus::Expired => None,
        _ => Some(payment_key(KEY)),
    };
    payment.failure = (status == PaymentStatus::Failed).then(|| Failure {
        kind: FailureKind::Declined,
        code: "REJECT_CARD_COMPANY".into(),
        message: "거절".into(),
    });
    payment
}

#[tokio::test]
async fn an_unknown_order_is_refused() {
    let refused = examine(None, &claim(KEY)).await;
    assert!(matches!(refused, Err(ConfirmError::UnknownOrder(_))));
}

#[tokio::test]
async fn another_user_is_refused_in_every_status() {
    let command = ConfirmCommand {
        user_id: UserId::new(2).unwrap(),
        ..claim(KEY)
    };
    for status in PaymentStatus::ALL {
        let refused = examine(Some(stored(status)), &command).await;
        assert!(matches!(refused, Err(ConfirmError::WrongUser)), "{status}");
    }
}

#[tokio::test]
async fn another_amount_is_refused_in_every_status() {
    for amount in [1, 209_999, 210_001] {
        let command = ConfirmCommand {
            amount: won(amount),
            ..claim(KEY)
        };
        for status in PaymentStatus::ALL {
            let refused = examine(Some(stored(status)), &command).await;
            assert!(
                matches!(refused, Err(ConfirmError::AmountDiffers)),
                "{status}"
            );
        }
    }
}

#[tokio::test]
async fn a_stranger_s_guess_of_the_amount_is_told_nothing() {
    for amount in [210_000, 209_999] {
        let command = ConfirmCommand {
            user_id: UserId::new(2).unwrap(),
            amount: won(amount),
            ..claim(KEY)
        };
        let refused = examine(Some(stored(PaymentStatus::Ready)), &command).await;
        assert!(matches!(refused, Err(ConfirmError::WrongUser)), "{amount}");
    }
}

/// One word for what an examination found.
fn word(found: Result<Examined, ConfirmError>) -> String {
    match found {
        Ok(Examined::Payable(_)) => "payable".into(),
        Ok(Examined::Running) => "running".into(),
        Ok(Examined::Overdue(_)) => "overdue".into(),
        Ok(Examined::Answered(outcome)) => format!("answered {}", outcome.payment.status),
        Err(ConfirmError::WrongPaymentKey) => "wrong key".into(),
        Err(ConfirmError::NotPayable(status)) => format!("not payable {status}"),
        Err(ConfirmError::Declined { code, .. }) => format!("declined {code}"),
        Err(ConfirmError::Undecided) => "undecided".into(),
        Err(other) => format!("unexpected: {other}"),
    }
}

#[tokio::test]
async fn every_status_answers_its_own_key_and_another_key_as_the_contract_says() {
    use PaymentStatus as S;
    let table = [
        (S::Ready, "payable", "payable"),
        (S::InProgress, "running", "wrong key"),
        (S::Unknown, "undecided", "wrong key"),
        (
            S::WaitingForDeposit,
            "answered WAITING_FOR_DEPOSIT",
            "wrong key",
        ),
        (S::Done, "answered DONE", "wrong key"),
        (
            S::Failed,
            "declined REJECT_CARD_COMPANY",
            "not payable FAILED",
        ),
        (S::Expired, "not payable EXPIRED", "not payable EXPIRED"),
        (
            S::PartialCanceled,
            "not payable PARTIAL_CANCELED",
            "wrong key",
        ),
        (S::Canceled, "not payable CANCELED", "wrong key"),
        (S::Quarantined, "not payable QUARANTINED", "wrong key"),
    ];
    assert_eq!(table.map(|(status, ..)| status), PaymentStatus::ALL);
    for (status, same, other) in table {
        let found = examine(Some(stored(status)), &claim(KEY)).await;
        assert_eq!(word(found), same, "{status}, same key");
        let found = examine(Some(stored(status)), &claim("tgen_other")).await;
        assert_eq!(word(found), other, "{status}, other key");
    }
}

#[tokio::test]
async fn an_order_is_expired_by_the_clock_before_any_worker_says_so() {
    let clock = Arc::new(ManualClock::default());
    let expiry = Policy::default().payment_expiry;
    clock.advance(expiry.checked_sub(SECOND).unwrap());
    let ready = Some(stored(PaymentStatus::Ready));
    let found = examine_at(ready.clone(), &claim(KEY), clock.clone()).await;
    assert_eq!(word(found), "payable");
    clock.advance(SECOND);
    let found = examine_at(ready, &claim(KEY), clock).await;
    assert_eq!(word(found), "not payable EXPIRED");
}

#[tokio::test]
async fn a_confirm_that_nobody_works_on_any_more_is_overdue_and_only_for_its_own_key() {
    for status in [PaymentStatus::InProgress, PaymentStatus::Unknown] {
        let clock = Arc::new(ManualClock::default());
        let mut payment = stored(status);
        payment.due_at = Some(clock.now() + SECOND);
        let found = examine_at(Some(payment.clone()), &claim(KEY), clock.clone()).await;
        assert_ne!(word(found), "overdue", "{status}");
        clock.advance(SECOND);
        let found = examine_at(Some(payment.clone()), &claim(KEY), clock.clone()).await;
        assert_eq!(word(found), "overdue", "{status}");
        let found = examine_at(Some(payment), &claim("tgen_other"), clock).await;
        assert_eq!(word(found), "wrong key", "{status}");
    }
}
