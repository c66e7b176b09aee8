//! Every fault at every port call of every use case; afterwards, once faults have ended, all the
//! promises hold.

use std::time::Duration;

use futures::FutureExt;
use payment_domain::model::{PaymentStatus, Policy};
use payment_domain::port::{CheckoutKey, PaymentRepository};
use payment_domain::testing::{buyer, order_id};
use payment_domain::{CheckoutCommand, PaymentReceiver};

use crate::bank::Mishap;
use crate::faults::{Fault, Fuse};
use crate::shop::order;
use crate::world::{World, confirm, confirming};

/// More port calls than any use case makes; a test fails when one makes as many.
const CALLS_MAX: u32 = 40;

/// How a payment must end when its buyer repeats the confirm until it is answered.
fn assert_end(mishap: Mishap, status: PaymentStatus, when: &str) {
    use PaymentStatus::{Done, Expired, Failed, Quarantined};
    let expected: &[_] = match mishap {
        Mishap::Declined => &[Failed],
        Mishap::DepositNever => &[Expired, Failed],
        Mishap::WrongAmount | Mishap::WrongAmountUnheard => &[Quarantined, Failed],
        _ => &[Done],
    };
    assert!(expected.contains(&status), "{status} {when}");
}

/// Faults have ended: workers work, the buyer repeats the confirm, and everything is decided.
async fn finish(world: &World, mishap: Mishap, when: &str) {
    world.heal().await;
    world.assert_settled(when).await;
    let server = world.server(Fuse::sound());
    for _ in 0..3 {
        let _ = confirm(&server).unwrap();
        world.heal().await;
        world.assert_settled(when).await;
    }
    let decided = world.payment().await;
    assert_end(mishap, decided.status, when);
    // Decided is decided: nothing that comes later changes it, the expiry included.
    world.lapse().await;
    let _ = confirm(&server).unwrap();
    assert_eq!(world.payment().await, decided, "{when}");
}

#[tokio::test]
async fn a_confirm_survives_every_fault_at_every_call() {
    for mishap in Mishap::ALL {
        for fault in Fault::ALL {
            for call in 0..=CALLS_MAX {
                let when = format!("{mishap:?}, {fault:?} at call {call}");
                let world = World::with_order(mishap).await;
                let fuse = Fuse::at(call, fault);
                let _ = confirm(&world.server(fuse.clone()));
                world.assert_sound(&when).await;
                finish(&world, mishap, &when).await;
                if !fuse.has_struck() {
                    break;
                }
                assert!(call < CALLS_MAX, "the bound is too low");
            }
        }
    }
}

#[tokio::test]
async fn a_confirm_whose_buyer_gives_up_ends_paid_or_free_but_never_between() {
    for mishap in Mishap::ALL {
        for fault in Fault::ALL {
            for call in 0..=CALLS_MAX {
                let when = format!("{mishap:?}, {fault:?} at call {call}");
                let world = World::with_order(mishap).await;
                let fuse = Fuse::at(call, fault);
                let _ = confirm(&world.server(fuse.clone()));
                world.heal().await;
                world.lapse().await;
                world.assert_settled(&when).await;
                let status = world.payment().await.status;
                assert_ne!(status, PaymentStatus::Ready, "{when}");
                if !mishap.disagrees() {
                    assert_ne!(status, PaymentStatus::Quarantined, "{when}");
                }
                if !fuse.has_struck() {
                    break;
                }
            }
        }
    }
}

#[tokio::test]
async fn a_buyer_who_pays_again_in_a_second_window_is_not_charged_twice() {
    const SECOND_WINDOW: &str = "tgen_second_window";
    for mishap in Mishap::ALL {
        for fault in Fault::ALL {
            for call in 0..=CALLS_MAX {
                let when = format!("{mishap:?}, {fault:?} at call {call}");
                let world = World::with_order(mishap).await;
                world.bank.open(&world.payment().await, SECOND_WINDOW);
                let fuse = Fuse::at(call, fault);
                let _ = confirm(&world.server(fuse.clone()));
                let sound = world.server(Fuse::sound());
                for _ in 0..3 {
                    let _ = confirming(&sound, SECOND_WINDOW).await;
                    world.assert_sound(&when).await;
                    recover_once(&world, Fuse::sound());
                }
                world.heal().await;
                world.assert_settled(&when).await;
                if !fuse.has_struck() {
                    break;
                }
            }
        }
    }
}

/// Runs `recover` and the outbox of a server once, at the moment when something is due.
fn recover_once(world: &World, fuse: std::sync::Arc<Fuse>) {
    let server = world.server(fuse);
    world.clock.advance(Policy::default().lease);
    let _ = server.recover(&order_id("order-000001")).now_or_never();
    let _ = server.deliver_due(10).now_or_never();
}

#[tokio::test]
async fn a_second_fault_during_recovery_is_survived_too() {
    let mut worlds = 0;
    for mishap in Mishap::ALL {
        for first in Fault::ALL {
            for second in Fault::ALL {
                worlds += pairs(mishap, first, second).await;
            }
        }
    }
    // The enumeration itself must not shrink unnoticed.
    assert!(worlds > 10_000, "{worlds} worlds");
}

/// `first` at every call of the confirm, then `second` at every call of the recovery; returns how
/// many worlds that were.
async fn pairs(mishap: Mishap, first: Fault, second: Fault) -> u32 {
    let mut worlds = 0;
    for call in 0..CALLS_MAX {
        let mut struck = true;
        for next in 0..CALLS_MAX {
            let when = format!("{mishap:?}, {first:?} at {call}, {second:?} at {next}");
            let world = World::with_order(mishap).await;
            let fuse = Fuse::at(call, first);
            let _ = confirm(&world.server(fuse.clone()));
            struck = fuse.has_struck();
            worlds += 1;
            let fuse = Fuse::at(next, second);
            recover_once(&world, fuse.clone());
            world.assert_sound(&when).await;
            finish(&world, mishap, &when).await;
            if !fuse.has_struck() {
                break;
            }
        }
        if !struck {
            break;
        }
    }
    worlds
}

#[tokio::test]
async fn a_checkout_that_is_repeated_after_any_fault_makes_one_order() {
    let command = || CheckoutCommand {
        key: Some(CheckoutKey {
            user_id: buyer().user_id,
            key: "key-1".parse().unwrap(),
            fingerprint: "a".repeat(64),
        }),
        ..order()
    };
    for fault in Fault::ALL {
        for call in 0..CALLS_MAX {
            let world = World::empty();
            let fuse = Fuse::at(call, fault);
            let server = world.server(fuse.clone());
            let first = server.check_out(command()).now_or_never();
            let sound = world.server(Fuse::sound());
            let again = sound.check_out(command()).await.unwrap();
            if let Some(Ok(first)) = first {
                assert_eq!(again.payment, first.payment, "{fault:?} at {call}");
            }
            let mut stored = 0;
            for number in 1..5 {
                let id = order_id(&format!("order-{number:06}"));
                stored += usize::from(world.payments.find(&id).await.unwrap().is_some());
            }
            assert_eq!(stored, 1, "{fault:?} at {call}");
            assert_eq!(world.shelf.stock(), [10, 10]);
            if !fuse.has_struck() {
                assert!(call > 0);
                break;
            }
        }
    }
}

#[tokio::test]
async fn an_expiry_survives_every_fault_at_every_call() {
    for fault in Fault::ALL {
        for call in 0..CALLS_MAX {
            let world = World::with_order(Mishap::None).await;
            world.clock.advance(Policy::default().payment_expiry);
            let fuse = Fuse::at(call, fault);
            recover_once(&world, fuse.clone());
            world.lapse().await;
            world.assert_settled("after the expiry").await;
            assert_eq!(world.payment().await.status, PaymentStatus::Expired);
            if !fuse.has_struck() {
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_payment_that_stays_unheard_through_a_long_outage_is_decided_soon_after_it() {
    let world = World::with_order(Mishap::None).await;
    // Find, claim, hold, approve: the server dies before it can store the approval.
    let died = confirm(&world.server(Fuse::at(4, Fault::CrashBefore)));
    assert!(died.is_none() && world.bank.approvals() == 1);
    // Recovery dies at its look, again and again, for as long as the outage lasts.
    for _ in 0..50 {
        recover_once(&world, Fuse::at(2, Fault::CrashBefore));
        world.assert_sound("during the outage").await;
        assert_eq!(world.payment().await.status, PaymentStatus::Unknown);
    }
    let ended = kernel::Clock::now(&*world.clock);
    world.heal().await;
    let lease = Policy::default().lease + Duration::from_secs(1);
    let last = world.payment().await.updated_at;
    assert!((last - ended).to_std().unwrap_or_default() <= lease);
    world.assert_settled("after the outage").await;
    assert_eq!(world.payment().await.status, PaymentStatus::Done);
    assert_eq!(world.bank.requests(), ["order-000001:1"]);
}

#[tokio::test]
async fn a_payment_that_was_not_sent_before_a_long_outage_is_paid_after_it() {
    let world = World::with_order(Mishap::AnswerLost).await;
    let died = confirm(&world.server(Fuse::at(3, Fault::CrashBefore)));
    assert!(died.is_none() && world.bank.approvals() == 0);
    for _ in 0..50 {
        recover_once(&world, Fuse::at(2, Fault::CrashBefore));
    }
    world.heal().await;
    world.assert_settled("after the outage").await;
    assert_eq!(world.payment().await.status, PaymentStatus::Done);
}
