//! Cancels: the rules of the use case, and every fault at every step.

use std::task::{Context, Poll};

use futures::FutureExt;
use payment_domain::model::{
    CancelKey, CancelRefusalKind, CancelState, PaymentFact, PaymentStatus, Policy, RefundAccount,
    RestockLine, VirtualAccount,
};
use payment_domain::port::PaymentRepository;
use payment_domain::testing::{change, order_id};
use payment_domain::{
    CancelCommand, CancelError, CancelOutcome, PaymentReceiver, PaymentService, ReadError,
};

use crate::bank::Mishap;
use crate::faults::{Fault, Fuse};
use crate::shop::{KEY, line, won};
use crate::world::{World, confirm};

/// More port calls than any use case makes; a test fails when one makes as many.
const CALLS_MAX: u32 = 40;
/// What can go wrong with a cancel at the bank.
const MISHAPS: [Mishap; 9] = [
    Mishap::None,
    Mishap::AnswerLost,
    Mishap::NeverArrived,
    Mishap::NotSent,
    Mishap::UnclearAndApproved,
    Mishap::UnclearAndOpen,
    Mishap::UnclearTwice,
    Mishap::StillRunning,
    Mishap::Declined,
];

/// All that is left, without a key.
fn all() -> CancelCommand {
    CancelCommand {
        order_id: order_id("order-000001"),
        reason: "변심".into(),
        amount: None,
        refund_account: None,
        restock: None,
        key: None,
    }
}

fn part(amount: i64) -> CancelCommand {
    CancelCommand {
        amount: Some(won(amount)),
        ..all()
    }
}

fn keyed(command: CancelCommand, key: &str) -> CancelCommand {
    CancelCommand {
        key: Some(CancelKey {
            key: key.parse().unwrap(),
            fingerprint: format!("{:?}", command.amount),
        }),
        ..command
    }
}

fn pieces(product: i64, quantity: i64) -> RestockLine {
    let (product_id, quantity) = line(product, quantity);
    RestockLine {
        product_id,
        quantity,
    }
}

/// `order-000001` is paid and its stock sold; nothing goes wrong with the cancel.
async fn paid() -> (World, PaymentService) {
    let world = World::with_order(Mishap::None).await;
    let server = world.server(Fuse::sound());
    confirm(&server).unwrap().unwrap();
    world.heal().await;
    world.assert_settled("paid").await;
    (world, server)
}

fn shown(outcome: CancelOutcome) -> (PaymentStatus, i64, Vec<i64>, bool) {
    let view = outcome.view;
    let moved = view.transactions.iter().map(|moved| moved.amount_won);
    let balance = view.payment.balance.won();
    let moved = moved.collect();
    (view.payment.status, balance, moved, outcome.replayed)
}

#[tokio::test]
async fn parts_and_then_the_rest_leave_nothing_and_all_stock_goes_back_at_the_end() {
    let (world, server) = paid().await;
    let first = shown(server.cancel(part(10_000)).await.unwrap());
    let moved = vec![210_000, -10_000];
    assert_eq!(
        first,
        (PaymentStatus::PartialCanceled, 200_000, moved, false)
    );
    assert_eq!(world.shelf.sold(), [3, 2], "a part puts nothing back");
    server.cancel(part(20_000)).await.unwrap();
    let rest = shown(server.cancel(all()).await.unwrap());
    assert_eq!((rest.0, rest.1), (PaymentStatus::Canceled, 0));
    assert_eq!(world.shelf.stock(), [10, 10], "no money is left");
    assert_eq!(world.bank.net(), 0);
    world.assert_settled("canceled").await;
    let again = server.cancel(all()).await;
    assert!(matches!(
        again,
        Err(CancelError::NotCancelable(PaymentStatus::Canceled))
    ));
}

#[tokio::test]
async fn what_is_named_goes_back_and_never_more_than_was_sold() {
    let (world, server) = paid().await;
    let restocking = |amount, lines: Vec<RestockLine>| CancelCommand {
        restock: Some(lines),
        ..part(amount)
    };
    let one = restocking(50_000, vec![pieces(1, 1)]);
    server.cancel(one).await.unwrap();
    assert_eq!(world.shelf.sold(), [2, 2]);
    for lines in [
        vec![pieces(1, 3)],
        vec![pieces(3, 1)],
        vec![pieces(2, 1), pieces(2, 2)],
    ] {
        let refused = server.cancel(restocking(1_000, lines)).await;
        assert!(matches!(refused, Err(CancelError::Restock(_))));
    }
    let none = CancelCommand {
        restock: Some(Vec::new()),
        ..all()
    };
    server.cancel(none).await.unwrap();
    assert_eq!(world.shelf.sold(), [2, 2], "it was named: nothing");
    world.assert_settled("canceled").await;
}

#[tokio::test]
async fn a_cancel_that_fails_its_examination_writes_nothing_and_calls_nobody() {
    let (world, server) = paid().await;
    let before = world.payment().await;
    let refused = server.cancel(part(210_001)).await;
    assert!(matches!(refused, Err(CancelError::AmountExceeded(left)) if left == won(210_000)));
    let unknown = CancelCommand {
        order_id: order_id("order-unknown"),
        ..all()
    };
    let refused = server.cancel(unknown).await;
    assert!(matches!(refused, Err(CancelError::UnknownOrder(_))));
    assert_eq!(world.payment().await, before);
    assert_eq!(world.bank.cancels(), 0);

    let unpaid = World::with_order(Mishap::None).await;
    let refused = unpaid.server(Fuse::sound()).cancel(all()).await;
    assert!(matches!(
        refused,
        Err(CancelError::NotCancelable(PaymentStatus::Ready))
    ));
}

#[tokio::test]
async fn the_same_key_gets_the_same_answer_and_another_body_is_refused() {
    let (world, server) = paid().await;
    let first = server.cancel(keyed(part(10_000), "k-1")).await.unwrap();
    server.cancel(keyed(part(50_000), "k-2")).await.unwrap();
    let again = server.cancel(keyed(part(10_000), "k-1")).await.unwrap();
    assert!(again.replayed);
    assert_eq!(again.view.transactions, first.view.transactions);
    assert_eq!(again.view.payment.balance, first.view.payment.balance);
    assert_eq!(again.view.payment.status, first.view.payment.status);
    let other = server.cancel(keyed(part(20_000), "k-1")).await;
    assert!(matches!(other, Err(CancelError::KeyReused)));
    assert_eq!(world.bank.net(), 150_000);
    assert_eq!(world.payment().await.balance, won(150_000));
}

#[tokio::test]
async fn a_refusal_of_toss_moves_nothing_and_is_repeated_under_its_key() {
    let (world, server) = paid().await;
    world.bank.expect_cancel(Mishap::Declined);
    for _ in 0..2 {
        let refused = server.cancel(keyed(all(), "k-1")).await;
        let Err(CancelError::Refused(refusal)) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(refusal.code, "EXCEED_MAX_REFUND_DUE");
        assert_eq!(refusal.kind, CancelRefusalKind::NotCancelable);
    }
    world.assert_settled("refused").await;
    assert_eq!(world.bank.net(), 210_000);
    server.cancel(all()).await.unwrap();
    assert_eq!(world.bank.net(), 0);
}

#[tokio::test]
async fn a_virtual_account_s_money_needs_an_account_to_go_to_and_it_is_forgotten_afterwards() {
    let (world, server) = paid().await;
    let payment = world.payment().await;
    let mut issued = change(&payment, PaymentFact::LookStarted, payment.updated_at);
    issued.after.virtual_account = Some(VirtualAccount {
        bank_code: "20".into(),
        account_number: "X6505636518308".into(),
        due_date: None,
        customer_name: None,
    });
    world.payments.apply(&issued).await.unwrap();
    let refused = server.cancel(all()).await;
    assert!(matches!(refused, Err(CancelError::RefundAccountRequired)));
    let command = CancelCommand {
        refund_account: Some(RefundAccount {
            bank: "20".into(),
            account_number: "1234567890".into(),
            holder_name: "김토스".into(),
        }),
        ..all()
    };
    world.bank.expect_cancel(Mishap::AnswerLost);
    let undecided = server.cancel(command).await;
    assert!(matches!(undecided, Err(CancelError::Undecided)));
    let cancels = world.payments.cancels(&payment.order_id).await.unwrap();
    assert!(cancels[0].refund_account.is_some(), "it is sent again");
    assert!(!format!("{cancels:?}").contains("1234567890"));
    world.heal().await;
    let cancels = world.payments.cancels(&payment.order_id).await.unwrap();
    assert_eq!(cancels[0].state, CancelState::Done);
    assert_eq!(cancels[0].refund_account, None);
}

#[tokio::test]
async fn a_second_cancel_waits_for_the_first() {
    let (world, server) = paid().await;
    world.bank.expect_cancel(Mishap::NeverArrived);
    let lost = server.cancel(keyed(part(10_000), "k-1")).await;
    assert!(matches!(lost, Err(CancelError::Undecided)));
    for command in [part(20_000), keyed(part(10_000), "k-1")] {
        let running = server.cancel(command).await;
        assert!(matches!(running, Err(CancelError::Running)));
    }
    world.heal().await;
    let again = shown(server.cancel(keyed(part(10_000), "k-1")).await.unwrap());
    assert_eq!((again.1, again.3), (200_000, true));
    server.cancel(part(20_000)).await.unwrap();
    assert_eq!(world.bank.net(), 180_000);
    assert_eq!(world.bank.cancels(), 2);
}

#[tokio::test]
async fn money_that_went_back_at_the_counter_is_booked_and_not_taken_for_ours() {
    let (world, server) = paid().await;
    world.bank.give_back_at_the_counter(KEY, won(30_000));
    // Toss refuses what was counted on another balance; the books follow, and it is tried again.
    let undecided = server.cancel(part(10_000)).await;
    assert!(matches!(undecided, Err(CancelError::Undecided)));
    world.heal().await;
    world.assert_settled("healed").await;
    let payment = world.payment().await;
    assert_eq!(payment.balance, won(170_000));
    let id = &payment.order_id;
    let moved = world.payments.transactions(id).await.unwrap();
    let amounts: Vec<_> = moved.iter().map(|moved| moved.amount_won).collect();
    assert_eq!(amounts, [210_000, -30_000, -10_000]);

    world.bank.give_back_at_the_counter(KEY, won(170_000));
    server.recover_now(id).await.unwrap();
    world.heal().await;
    world.assert_settled("given back at the counter").await;
    assert_eq!(world.payment().await.status, PaymentStatus::Canceled);
}

#[tokio::test]
async fn the_same_amount_given_back_at_the_counter_is_not_ours() {
    let (world, server) = paid().await;
    world.bank.give_back_at_the_counter(KEY, won(10_000));
    let undecided = server.cancel(part(10_000)).await;
    assert!(matches!(undecided, Err(CancelError::Undecided)));
    world.heal().await;
    world.assert_settled("healed").await;
    assert_eq!(world.bank.cancels(), 2);
    assert_eq!(world.payment().await.balance, won(190_000));
}

#[tokio::test]
async fn a_cancel_that_is_overtaken_at_the_counter_ends_refused() {
    for (given_back, wanted) in [
        (&[210_000][..], part(10_000)),
        (&[210_000], all()),
        (&[150_000, 60_000], part(10_000)),
        (&[205_000], part(10_000)),
    ] {
        let (world, server) = paid().await;
        for amount in given_back {
            world.bank.give_back_at_the_counter(KEY, won(*amount));
        }
        let command = keyed(wanted, "k-1");
        let told = server.cancel(command.clone()).await;
        assert!(told.is_err(), "{given_back:?}: {told:?}");
        world.heal().await;
        world.assert_settled("overtaken").await;
        let id = order_id("order-000001");
        let cancels = world.payments.cancels(&id).await.unwrap();
        assert_eq!(cancels[0].state, CancelState::Refused, "{given_back:?}");
        assert_eq!(world.bank.cancels(), given_back.len());
        // And it says so whenever it is asked again.
        let again = server.cancel(command).await;
        let Err(CancelError::Refused(refusal)) = again else {
            panic!("{given_back:?}: {again:?}");
        };
        assert_eq!(refusal.kind, CancelRefusalKind::AmountExceeded);
    }
}

#[tokio::test]
async fn a_look_at_a_paid_order_changes_nothing_that_matters() {
    let (world, server) = paid().await;
    let before = world.payment().await;
    server.recover_now(&before.order_id).await.unwrap();
    let after = world.payment().await;
    let state = |payment: &payment_domain::model::Payment| (payment.status, payment.balance);
    assert_eq!(state(&after), state(&before));
    assert_eq!(after.due_at, None);
    world.assert_settled("looked at").await;
    let unknown = server.recover_now(&order_id("order-unknown")).await;
    assert!(matches!(unknown, Err(ReadError::UnknownOrder(_))));
}

/// Faults have ended: the cancel comes to its end, exactly once, as the bank says.
async fn assert_ended(world: &World, mishap: Mishap, amount: i64, when: &str) {
    world.heal().await;
    world.assert_settled(when).await;
    let payment = world.payment().await;
    let cancels = world.payments.cancels(&payment.order_id).await.unwrap();
    let asked = cancels.len();
    assert!(asked <= 1, "{when}");
    let expected = match (asked, mishap) {
        // It was never begun.
        (0, _) => 210_000,
        // The same, once the fault at another call has used the bank's refusal up.
        (_, Mishap::Declined) if cancels[0].state == CancelState::Refused => 210_000,
        (_, _) => 210_000 - amount,
    };
    assert_eq!(world.bank.net(), expected, "{when}");
    assert!(world.bank.cancels() <= 1, "given back twice, {when}");
}

#[tokio::test]
async fn a_cancel_survives_every_fault_at_every_call() {
    let mut worlds = 0;
    for amount in [50_000, 210_000] {
        for mishap in MISHAPS {
            for fault in Fault::ALL {
                for call in 0..=CALLS_MAX {
                    let when = format!("{amount} {mishap:?}, {fault:?} at call {call}");
                    let (world, _) = paid().await;
                    world.bank.expect_cancel(mishap);
                    let fuse = Fuse::at(call, fault);
                    let dying = world.server(fuse.clone());
                    let _ = dying.cancel(part(amount)).now_or_never();
                    world.assert_sound(&when).await;
                    assert_ended(&world, mishap, amount, &when).await;
                    worlds += 1;
                    if !fuse.has_struck() {
                        break;
                    }
                    assert!(call < CALLS_MAX, "the bound is too low");
                }
            }
        }
    }
    // The enumeration itself must not shrink unnoticed.
    assert!(worlds > 600, "{worlds} worlds");
}

#[tokio::test]
async fn a_second_fault_while_a_cancel_is_recovered_is_survived_too() {
    let mut worlds = 0;
    for mishap in MISHAPS {
        for fault in Fault::ALL {
            for next in 0..=CALLS_MAX {
                let when = format!("{mishap:?}, then {fault:?} at call {next}");
                let (world, _) = paid().await;
                world.bank.expect_cancel(mishap);
                // The server dies right after Toss was asked.
                let dying = world.server(Fuse::at(3, Fault::CrashAfter));
                let died = dying.cancel(part(50_000)).now_or_never().is_none();
                assert!(died, "{when}");
                world.clock.advance(Policy::default().lease);
                let fuse = Fuse::at(next, fault);
                let heir = world.server(fuse.clone());
                let _ = heir.recover(&order_id("order-000001")).now_or_never();
                let _ = heir.deliver_due(10).now_or_never();
                world.assert_sound(&when).await;
                assert_ended(&world, mishap, 50_000, &when).await;
                worlds += 1;
                if !fuse.has_struck() {
                    break;
                }
            }
        }
    }
    assert!(worlds > 300, "{worlds} worlds");
}

#[tokio::test]
async fn two_cancels_in_every_order_never_give_back_more_than_was_paid() {
    let waker = futures::task::noop_waker();
    for turns in 0..1024_u32 {
        let (world, _) = paid().await;
        let a = world.server(Fuse::pausing());
        let b = world.server(Fuse::pausing());
        let mut cancels = [a.cancel(part(150_000)), b.cancel(part(150_000))];
        let mut ended = [None, None];
        let mut context = Context::from_waker(&waker);
        for turn in 0..200 {
            let which = usize::from((turns >> (turn % 10)) & 1 == 1);
            if ended[which].is_none()
                && let Poll::Ready(outcome) = cancels[which].poll_unpin(&mut context)
            {
                ended[which] = Some(outcome.is_ok());
            }
        }
        let done = ended.iter().filter(|ended| **ended == Some(true));
        assert!(done.count() <= 1, "{turns:b}");
        drop(cancels);
        world.heal().await;
        world.assert_settled("both ended").await;
        assert_eq!(world.bank.net(), 60_000, "{turns:b}");
    }
}
