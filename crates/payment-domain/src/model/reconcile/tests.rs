use super::*;
use crate::testing::{gateway_payment, payment};

const SECOND: Duration = Duration::from_secs(1);

fn books(status: PaymentStatus) -> Books {
    let payment = payment();
    let paid = matches!(status, PaymentStatus::Done);
    let won = if paid { payment.total.won() } else { 0 };
    Books {
        order_id: payment.order_id,
        total: payment.total,
        balance: Money::from_won(won).unwrap(),
        status,
        fence: payment.fence,
        due_at: None,
        attempts: 1,
        payment_key: None,
        created_at: payment.created_at,
        updated_at: payment.updated_at,
        approved_won: won,
        moved_won: won,
        undelivered: None,
    }
}

fn there(status: GatewayStatus, balance: i64) -> There {
    let mut there = There::default();
    there.add(&GatewayPayment {
        status,
        balance: Money::from_won(balance).ok(),
        ..gateway_payment(&payment())
    });
    there
}

fn kind(books: &Books, there: &There) -> Option<FindingKind> {
    compare(books, there, &Listed::default()).map(|finding| finding.kind)
}

#[test]
fn kinds_survive_their_spelling() {
    for kind in FindingKind::ALL {
        assert_eq!(FindingKind::parse(kind.as_str()), Some(kind));
    }
    assert_eq!(FindingKind::parse("missing_here"), None);
}

#[test]
fn a_period_begins_before_it_ends_and_is_no_eternity() {
    let (from, day) = (payment().created_at, 86_400 * SECOND);
    assert!(Period::new(from, from + day).is_ok());
    assert!(Period::new(from, from).is_err());
    assert!(Period::new(from + day, from).is_err());
    assert!(Period::new(from, from + 93 * day).is_err());
}

#[test]
fn a_paid_order_needs_the_same_money_at_toss() {
    use FindingKind as K;
    let done = books(PaymentStatus::Done);
    for (there, expected) in [
        (there(GatewayStatus::Done, 210_000), None),
        (there(GatewayStatus::Canceled, 0), Some(K::Status)),
        (
            there(GatewayStatus::PartialCanceled, 10_000),
            Some(K::Status),
        ),
        (there(GatewayStatus::Aborted, 0), Some(K::MissingThere)),
        (there(GatewayStatus::InProgress, 0), Some(K::MissingThere)),
        (There::default(), Some(K::MissingThere)),
    ] {
        assert_eq!(kind(&done, &there), expected, "{there:?}");
    }
    let mut twice = there(GatewayStatus::Done, 210_000);
    twice.add(&gateway_payment(&payment()));
    assert_eq!(kind(&done, &twice), Some(K::Amount));
    let mut foreign = There::default();
    foreign.add(&GatewayPayment {
        currency: "USD".into(),
        ..gateway_payment(&payment())
    });
    assert_eq!(kind(&done, &foreign), Some(K::Amount));
}

#[test]
fn a_second_approval_that_only_the_list_knows_of_is_a_break() {
    let listed = Listed {
        approved_won: 420_000,
        ..Listed::default()
    };
    let there = there(GatewayStatus::Done, 210_000);
    let found = compare(&books(PaymentStatus::Done), &there, &listed);
    assert_eq!(found.map(|found| found.kind), Some(FindingKind::Amount));
}

#[test]
fn a_part_given_back_must_be_the_same_part() {
    let mut part = books(PaymentStatus::PartialCanceled);
    part.approved_won = 210_000;
    part.balance = Money::from_won(10_000).unwrap();
    let same = there(GatewayStatus::PartialCanceled, 10_000);
    assert_eq!(kind(&part, &same), None);
    let other = there(GatewayStatus::PartialCanceled, 20_000);
    assert_eq!(kind(&part, &other), Some(FindingKind::Amount));
}

#[test]
fn a_cancel_that_is_under_way_is_no_break() {
    let mut done = books(PaymentStatus::Done);
    done.due_at = Some(done.updated_at + SECOND);
    for there in [
        there(GatewayStatus::PartialCanceled, 10_000),
        there(GatewayStatus::Canceled, 0),
    ] {
        assert_eq!(kind(&done, &there), Some(FindingKind::Pending));
    }
    assert_eq!(kind(&done, &there(GatewayStatus::Done, 210_000)), None);
}

#[test]
fn money_for_an_unpaid_order_is_a_break_unless_toss_is_asked_again_anyway() {
    use PaymentStatus as S;
    let money = there(GatewayStatus::Done, 210_000);
    for status in [S::Failed, S::Expired] {
        let ended = books(status);
        assert_eq!(kind(&ended, &money), Some(FindingKind::MissingHere));
        assert_eq!(kind(&ended, &there(GatewayStatus::Canceled, 0)), None);
        let sought = Books {
            due_at: Some(ended.updated_at),
            ..ended
        };
        assert_eq!(kind(&sought, &money), Some(FindingKind::Pending));
    }
    let ready = books(S::Ready);
    assert_eq!(kind(&ready, &money), Some(FindingKind::Pending));
    let untried = Books {
        attempts: 0,
        ..ready
    };
    assert_eq!(kind(&untried, &money), Some(FindingKind::MissingHere));
}

#[test]
fn what_is_undecided_is_no_break() {
    use PaymentStatus as S;
    let money = there(GatewayStatus::Done, 210_000);
    for status in [
        S::InProgress,
        S::Unknown,
        S::Quarantined,
        S::WaitingForDeposit,
    ] {
        assert_eq!(kind(&books(status), &money), Some(FindingKind::Pending));
    }
    let waits = there(GatewayStatus::WaitingForDeposit, 0);
    assert_eq!(kind(&books(S::WaitingForDeposit), &waits), None);
}

#[test]
fn the_list_settles_what_is_plain_and_nothing_else() {
    use PaymentStatus as S;
    let listed = |approved_won, returned_won| Listed {
        approved_won,
        returned_won,
        unreadable: false,
    };
    for (status, listed, expected) in [
        (S::Done, Some(listed(210_000, 0)), true),
        (S::Done, Some(listed(420_000, 210_000)), false),
        (S::Done, Some(listed(210_000, 1)), false),
        (S::Done, None, false),
        (S::Failed, None, true),
        (S::Failed, Some(listed(210_000, 210_000)), true),
        (S::Failed, Some(listed(210_000, 0)), false),
        (S::Ready, None, true),
        (S::Unknown, None, false),
        (S::Quarantined, Some(listed(0, 0)), false),
    ] {
        let agrees = agrees_with_list(&books(status), listed.as_ref());
        assert_eq!(agrees, expected, "{status} {listed:?}");
    }
}

#[test]
fn stock_must_fit_its_payment() {
    use {PaymentStatus as S, StockState as T};
    for (status, fitting) in [
        (S::Done, &[T::Sold][..]),
        (S::PartialCanceled, &[T::Sold]),
        (S::Canceled, &[T::None, T::Sold, T::Released]),
        (S::Failed, &[T::None, T::Released]),
        (S::Expired, &[T::None, T::Released]),
        (S::Ready, &[T::None, T::Released]),
        (S::WaitingForDeposit, &[T::Held, T::Sold]),
    ] {
        for stock in [T::None, T::Held, T::Sold, T::Released] {
            let books = books(status);
            let found = compare_stock(&books, stock, books.updated_at);
            assert_eq!(
                found.is_none(),
                fitting.contains(&stock),
                "{status} {stock:?}"
            );
        }
    }
}

#[test]
fn an_instruction_on_its_way_is_pending_and_one_that_fails_is_a_break() {
    let mut done = books(PaymentStatus::Done);
    let kind = |books: &Books, seconds: u32| {
        let now = books.updated_at + seconds * SECOND;
        compare_stock(books, StockState::Held, now).map(|found| found.kind)
    };
    let message = Undelivered {
        due_at: done.updated_at,
        failures: 0,
    };
    done.undelivered = Some(message);
    assert_eq!(kind(&done, 1), Some(FindingKind::Pending));
    assert_eq!(kind(&done, 60), Some(FindingKind::Stock));
    done.undelivered = Some(Undelivered {
        failures: 1,
        ..message
    });
    assert_eq!(kind(&done, 1), Some(FindingKind::Stock));
}

#[test]
fn books_that_do_not_add_up_are_a_break() {
    let mut done = books(PaymentStatus::Done);
    assert_eq!(compare_books(&done), None);
    done.moved_won = 0;
    let found = compare_books(&done).unwrap();
    assert_eq!(found.kind, FindingKind::Amount);
    done.moved_won = 210_000;
    done.total = Money::from_won(1).unwrap();
    assert!(compare_books(&done).is_some());
}

#[test]
fn pieces_without_a_trace_are_a_break() {
    let sound = ProductPieces {
        product_id: kernel::ProductId::new(1).unwrap(),
        initial: 10,
        adjusted: -1,
        available: 5,
        held: 1,
        sold: 3,
    };
    assert_eq!(compare_pieces(&sound), None);
    let lost = ProductPieces { held: 0, ..sound };
    assert_eq!(compare_pieces(&lost).unwrap().kind, FindingKind::Stock);
}
