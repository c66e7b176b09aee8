//! Several servers in one world, in every order of their steps, with stalls that outlive a lease.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use payment_domain::model::{GatewayStatus, PaymentStatus, Policy};
use payment_domain::testing::order_id;
use payment_domain::{ConfirmError, PaymentReceiver, PaymentService};

use crate::bank::Mishap;
use crate::faults::{Fault, Fuse};
use crate::shop::KEY;
use crate::world::{World, confirm, confirming};

type Step<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// One run of a use case that moves only when it is told to.
struct Actor<'a> {
    steps: Option<Step<'a>>,
}

impl<'a> Actor<'a> {
    fn new(steps: impl Future<Output = ()> + 'a) -> Self {
        let steps: Step<'a> = Box::pin(steps);
        Self { steps: Some(steps) }
    }

    fn confirm(server: &'a PaymentService, lost: &'a std::cell::Cell<u32>) -> Self {
        Self::new(async move {
            if let Err(ConfirmError::LostClaim) = confirming(server, KEY).await {
                lost.set(lost.get() + 1);
            }
        })
    }

    fn recover(server: &'a PaymentService) -> Self {
        Self::new(async move {
            server.recover(&order_id("order-000001")).await.unwrap();
        })
    }

    /// Moves by one port call; `false` when there is nothing left to do.
    fn step(&mut self) -> bool {
        let Some(steps) = &mut self.steps else {
            return false;
        };
        match steps.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending => true,
            Poll::Ready(()) => {
                self.steps = None;
                false
            }
        }
    }

    fn finish(&mut self) {
        while self.step() {}
    }
}

/// Moves two actors in the order that `schedule` says, bit by bit, then both to their end.
fn interleave(schedule: u32, a: &mut Actor<'_>, b: &mut Actor<'_>) {
    for bit in 0..12 {
        if schedule >> bit & 1 == 0 {
            a.step();
        } else {
            b.step();
        }
    }
    a.finish();
    b.finish();
}

#[tokio::test]
async fn two_confirms_at_once_make_one_approval_and_one_stock_change_in_any_order() {
    let mut lost_claims = 0;
    for mishap in [Mishap::None, Mishap::AnswerLost, Mishap::Declined] {
        for schedule in 0..1 << 12 {
            let world = World::with_order(mishap).await;
            let (left, right) = (world.server(Fuse::pausing()), world.server(Fuse::pausing()));
            let lost = std::cell::Cell::new(0);
            interleave(
                schedule,
                &mut Actor::confirm(&left, &lost),
                &mut Actor::confirm(&right, &lost),
            );
            assert!(lost.get() <= 1);
            lost_claims += lost.get();
            assert_eq!(world.bank.requests(), ["order-000001:1"], "{schedule:b}");
            world.assert_sound("after the race").await;
            world.heal().await;
            world.assert_settled("after the race").await;
        }
    }
    assert!(lost_claims > 0, "no schedule made a claim lose");
}

#[tokio::test]
async fn two_servers_that_recover_one_order_ask_toss_to_approve_it_once() {
    for (mishap, confirms) in [
        (Mishap::NeverArrived, 1),
        (Mishap::UnclearAndOpen, 2),
        (Mishap::AnswerLost, 1),
    ] {
        for schedule in 0..1 << 12 {
            let world = World::with_order(mishap).await;
            let _ = confirm(&world.server(Fuse::sound())).unwrap();
            world.clock.advance(Policy::default().lease);
            let (left, right) = (world.server(Fuse::pausing()), world.server(Fuse::pausing()));
            interleave(
                schedule,
                &mut Actor::recover(&left),
                &mut Actor::recover(&right),
            );
            let requests = world.bank.requests();
            assert_eq!(requests.len(), confirms, "{mishap:?} {schedule:b}");
            world.heal().await;
            world.assert_settled("after the race").await;
            assert_eq!(world.payment().await.status, PaymentStatus::Done);
        }
    }
}

#[tokio::test]
async fn a_confirm_that_wakes_after_recovery_took_over_changes_nothing() {
    for mishap in Mishap::ALL {
        for slept_at in 0..12 {
            for recovered in 0..16 {
                let when = format!("{mishap:?}, stalled at {slept_at}, woken at {recovered}");
                let world = World::with_order(mishap).await;
                let (slow, other) = (world.server(Fuse::pausing()), world.server(Fuse::pausing()));
                let lost = std::cell::Cell::new(0);
                let mut confirm = Actor::confirm(&slow, &lost);
                let mut recovery = Actor::recover(&other);
                for _ in 0..slept_at {
                    confirm.step();
                }
                world.clock.advance(Policy::default().lease);
                for _ in 0..recovered {
                    recovery.step();
                }
                confirm.finish();
                recovery.finish();
                world.assert_sound(&when).await;
                world.heal().await;
                world.assert_settled(&when).await;
            }
        }
    }
}

#[tokio::test]
async fn a_look_that_wakes_after_another_look_took_over_changes_nothing() {
    for mishap in Mishap::ALL {
        for slept_at in 0..12 {
            for looked in 0..16 {
                let when = format!("{mishap:?}, stalled at {slept_at}, woken at {looked}");
                let world = World::with_order(mishap).await;
                let _ = confirm(&world.server(Fuse::at(3, Fault::CrashBefore)));
                world.clock.advance(Policy::default().lease);
                let (slow, other) = (world.server(Fuse::pausing()), world.server(Fuse::pausing()));
                let (mut first, mut second) = (Actor::recover(&slow), Actor::recover(&other));
                for _ in 0..slept_at {
                    first.step();
                }
                world.clock.advance(Policy::default().lease);
                for _ in 0..looked {
                    second.step();
                }
                first.finish();
                second.finish();
                world.assert_sound(&when).await;
                world.heal().await;
                world.assert_settled(&when).await;
            }
        }
    }
}

#[tokio::test]
async fn a_hold_that_wakes_after_the_order_was_reopened_takes_no_stock() {
    let world = World::with_order(Mishap::None).await;
    // The buyer's browser names a key that Toss does not know; the server stalls before its hold.
    let slow = world.server(Fuse::pausing());
    let ready = world.payment().await;
    let wrong = payment_domain::testing::payment_key("tgen_unknown");
    let mut stalled = Actor::new(async {
        let late = slow.confirm(ready, wrong).await;
        assert!(matches!(late, Err(ConfirmError::Undecided)));
    });
    stalled.step();
    stalled.step();
    assert_eq!(world.payment().await.status, PaymentStatus::InProgress);
    world.heal().await;
    assert_eq!(world.payment().await.status, PaymentStatus::Ready);
    stalled.finish();
    world.assert_settled("after the late hold").await;
    assert_eq!(world.at_the_bank().await, Some(GatewayStatus::InProgress));
    assert!(world.bank.requests().is_empty());
}
