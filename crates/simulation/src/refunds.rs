//! Operators who give money back, in part and whole, and ask again until they know.

use std::sync::Arc;

use kernel::{Money, OrderId};
use payment_domain::model::{CancelKey, PaymentStatus, RefundAccount};
use payment_domain::{CancelCommand, CancelError, CancelOutcome};

use crate::browser::Browser;
use crate::staff::{WITH_ACCOUNT, any_order};
use crate::world::World;

/// The mark of an order whose money was to go back, all of it or a part.
pub(crate) const REFUNDED: &str = "refunded";
/// How often a cancel is repeated that has no certain answer.
const TRIES_MAX: u32 = 30;

/// Gives back money of paid orders.
pub(crate) async fn refunder(world: Arc<World>) {
    let staff = Browser::new(&world, "refunder".to_owned());
    for number in 0..2 + world.below(6) {
        tokio::time::sleep(world.millis(300, 9_000)).await;
        let Some(id) = any_order(&world) else {
            continue;
        };
        let paid = world.judge.payment(&id).is_some_and(|payment| {
            matches!(
                payment.status,
                PaymentStatus::Done | PaymentStatus::PartialCanceled
            )
        });
        if !paid && world.chance(900) {
            continue;
        }
        let amount = match world.below(4) {
            0 => None,
            1 => Money::from_won(50_000).ok(),
            _ => Money::from_won(10_000).ok(),
        };
        give_back(&world, &staff, &id, amount, number).await;
    }
}

/// A part, and then the rest.
pub(crate) async fn scripted(world: &Arc<World>, id: &OrderId) {
    let staff = Browser::new(world, "refunder".to_owned());
    give_back(world, &staff, id, Money::from_won(10_000).ok(), 0).await;
    give_back(world, &staff, id, None, 1).await;
}

/// One wish under one key, until it has a certain answer; the same answer whenever there are two.
async fn give_back(
    world: &Arc<World>,
    staff: &Browser,
    id: &OrderId,
    amount: Option<Money>,
    number: u64,
) {
    world.mark(id, REFUNDED);
    let Some(command) = wish(world, id, amount, number) else {
        return;
    };
    let mut first: Option<CancelOutcome> = None;
    for _ in 0..TRIES_MAX {
        let Some(server) = world.slots.get(staff.pick_server()) else {
            staff.pause().await;
            continue;
        };
        let name = server.process.name();
        let is_stored = world.judge.payment(id).is_some();
        let asked = server
            .process
            .request(server.payments.cancel(command.clone()));
        let answer = asked.await;
        match answer {
            Some(Ok(outcome)) => {
                let left = outcome.view.payment.balance;
                world.note(name, format_args!("{id}: canceled, {left} left"));
                match &first {
                    None => {
                        world.count("cancels that gave money back");
                        first = Some(outcome);
                    }
                    Some(earlier) => {
                        let same = earlier.view.transactions == outcome.view.transactions
                            && earlier.view.payment.status == outcome.view.payment.status;
                        if !same || !outcome.replayed {
                            world.convict(format!("{id}: the same cancel had two answers"));
                        }
                        return;
                    }
                }
            }
            // Its checkout is still on the way.
            Some(Err(CancelError::UnknownOrder(_))) if !is_stored => return,
            Some(Err(CancelError::UnknownOrder(_) | CancelError::KeyReused)) => {
                world.convict(format!("{id}: a cancel was told {answer:?}"));
                return;
            }
            Some(Err(
                CancelError::NotCancelable(_)
                | CancelError::AmountExceeded(_)
                | CancelError::RefundAccountRequired
                | CancelError::Restock(_)
                | CancelError::Refused(_),
            )) => {
                world.note(name, format_args!("{id}: not canceled, {answer:?}"));
                if first.is_some() {
                    world.convict(format!("{id}: canceled, and then told {answer:?}"));
                }
                return;
            }
            Some(Err(
                CancelError::Running
                | CancelError::GatewayClosed
                | CancelError::Undecided
                | CancelError::Store(_),
            ))
            | None => {
                world.count("cancels without a certain answer");
            }
        }
        staff.pause().await;
    }
}

/// What is asked for.
fn wish(world: &World, id: &OrderId, amount: Option<Money>, number: u64) -> Option<CancelCommand> {
    let refund_account = world.is_marked(id, WITH_ACCOUNT).then(|| RefundAccount {
        bank: "20".to_owned(),
        account_number: "1002123456789".to_owned(),
        holder_name: "박토스".to_owned(),
    });
    let key = format!("refund-{number}").parse().ok()?;
    Some(CancelCommand {
        order_id: id.clone(),
        reason: format!("고객 변심 {number}"),
        amount,
        refund_account,
        restock: None,
        key: Some(CancelKey {
            key,
            fingerprint: format!("{:?}", amount.map(Money::won)),
        }),
    })
}
