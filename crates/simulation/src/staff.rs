//! Operators, who look early and settle what is quarantined, and readers, whose reads repair.

use std::collections::BTreeMap;
use std::sync::Arc;

use kernel::OrderId;
use payment_domain::model::PaymentStatus;
use payment_domain::{ReadError, Resolution, ResolveCommand, ResolveError};

use crate::browser::Browser;
use crate::process::{SERVERS, Server};
use crate::refunds::REFUNDED;
use crate::world::World;

/// The mark of an order that an operator had looked at, which may take over a look's lease.
pub(crate) const LOOKED_AT_EARLY: &str = "looked at early";
/// The mark of an order that an operator settles.
pub(crate) const BEING_RESOLVED: &str = "being resolved";
/// The mark of an order that is paid by virtual account.
pub(crate) const WITH_ACCOUNT: &str = "paid by virtual account";
/// How often an operator repeats a wish that met a fault, when all is quiet.
const TRIES_MAX: u32 = 20;

/// Some order, of those that were ever begun.
pub(crate) fn any_order(world: &World) -> Option<OrderId> {
    let orders = world.orders();
    let at = usize::try_from(world.below(orders.len() as u64)).ok()?;
    orders.into_iter().nth(at)
}

/// Looks at orders early, whatever their state, and settles what is quarantined.
pub(crate) async fn operator(world: Arc<World>) {
    let staff = Browser::new(&world, "operator".to_owned());
    for _ in 0..2 + world.below(6) {
        tokio::time::sleep(world.millis(300, 9_000)).await;
        let (Some(id), Some(server)) = (any_order(&world), world.slots.get(staff.pick_server()))
        else {
            continue;
        };
        let status = world.judge.payment(&id).map(|payment| payment.status);
        if status == Some(PaymentStatus::Quarantined) {
            let to = if world.chance(500) {
                Resolution::Done
            } else {
                Resolution::Failed
            };
            resolve(&world, &server, &id, to).await;
        } else {
            look_early(&world, &server, &id, status.is_some()).await;
        }
    }
}

async fn look_early(world: &World, server: &Server, id: &OrderId, is_stored: bool) {
    world.mark(id, LOOKED_AT_EARLY);
    let name = server.process.name();
    world.note(name, format_args!("an operator looks at {id}"));
    let asked = server.process.request(server.payments.recover_now(id));
    match asked.await {
        Some(Ok(())) => world.count("early looks by operators"),
        Some(Err(ReadError::UnknownOrder(_))) if is_stored => {
            world.convict(format!(
                "{id} is stored, and an operator is told that it is unknown"
            ));
        }
        Some(Err(ReadError::UnknownOrder(_) | ReadError::Store(_))) | None => {}
    }
}

/// Whether the payment is settled now.
async fn resolve(world: &World, server: &Server, id: &OrderId, to: Resolution) -> bool {
    world.mark(id, BEING_RESOLVED);
    let command = ResolveCommand {
        order_id: id.clone(),
        to,
        reason: "asked at the bank by telephone".to_owned(),
    };
    let answer = server.process.request(server.payments.resolve(command));
    let answer = answer.await;
    let name = server.process.name();
    world.note(name, format_args!("{id} resolved as {to:?}: {answer:?}"));
    let wanted = match to {
        Resolution::Done => PaymentStatus::Done,
        Resolution::Failed => PaymentStatus::Failed,
    };
    match answer {
        Some(Ok(())) => {
            world.count("quarantined payments that an operator settled");
            let status = world.judge.payment(id).map(|payment| payment.status);
            if status != Some(wanted) {
                world.convict(format!("{id} was resolved as {wanted} and is {status:?}"));
            }
            true
        }
        Some(Err(ResolveError::UnknownOrder(_))) => {
            world.convict(format!(
                "{id} is quarantined, and an operator is told it is unknown"
            ));
            false
        }
        Some(Err(
            ResolveError::NotQuarantined(_)
            | ResolveError::Contradicted(_)
            | ResolveError::GatewaySilent
            | ResolveError::Changed
            | ResolveError::Store(_),
        ))
        | None => false,
    }
}

/// When all is quiet an operator can settle whatever is quarantined, one way or the other, unless a
/// deposit is still possible.
pub(crate) async fn settle_the_quarantined(world: &Arc<World>) {
    for id in world.orders() {
        let quarantined = || {
            let payment = world.judge.payment(&id);
            payment.is_some_and(|payment| payment.status == PaymentStatus::Quarantined)
        };
        let mut tries = 0;
        while quarantined() && tries < TRIES_MAX {
            tries += 1;
            let Some(server) = world.slots.get(tries as usize % SERVERS) else {
                continue;
            };
            if !resolve(world, &server, &id, Resolution::Done).await {
                resolve(world, &server, &id, Resolution::Failed).await;
            }
        }
        // Toss refused to close the account, so a deposit may still come: until it comes or the
        // account lapses, neither word would be true.
        let may_be_deposited = world.is_marked(&id, WITH_ACCOUNT) && world.bank.row(&id).net == 0;
        if quarantined() && !may_be_deposited {
            world.convict(format!("no operator can settle {id}"));
        }
    }
}

/// Reads orders as `GET /api/v1/payments/{orderId}` does: what is due is repaired and read again.
/// What has ended once never changes.
pub(crate) async fn reader(world: Arc<World>, number: u64) {
    let browser = Browser::new(&world, format!("reader-{number}"));
    let mut ended: BTreeMap<OrderId, PaymentStatus> = BTreeMap::new();
    for _ in 0..4 + world.below(10) {
        tokio::time::sleep(world.millis(100, 5_000)).await;
        let (Some(id), Some(server)) = (any_order(&world), world.slots.get(browser.pick_server()))
        else {
            continue;
        };
        let Some(Ok(view)) = server.process.request(server.payments.read(&id)).await else {
            continue;
        };
        let mut payment = view.payment;
        let repaired = server.process.request(server.desk.repair(&payment)).await;
        if repaired == Some(true) {
            world.count("reads that repaired");
            if let Some(Ok(view)) = server.process.request(server.payments.read(&id)).await {
                payment = view.payment;
            }
        }
        let status = payment.status;
        if let Some(known) = ended.get(&id)
            && *known != status
            && !(*known == PaymentStatus::Done && world.is_marked(&id, REFUNDED))
        {
            world.convict(format!("{id} was read as {known}, then as {status}"));
        }
        let is_end = match status {
            PaymentStatus::Failed | PaymentStatus::Expired | PaymentStatus::Canceled => true,
            PaymentStatus::Done => !world.is_marked(&id, REFUNDED),
            PaymentStatus::Ready
            | PaymentStatus::InProgress
            | PaymentStatus::Unknown
            | PaymentStatus::WaitingForDeposit
            | PaymentStatus::PartialCanceled
            | PaymentStatus::Quarantined => false,
        };
        if is_end {
            ended.insert(id, status);
        }
    }
}
