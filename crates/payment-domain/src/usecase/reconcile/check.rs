//! One order, with Toss asked about it; and what can safely be done about what is found.

use kernel::{OrderId, StoreError};

use super::ReconcilePorts;
use crate::model::{
    AttemptPurpose, Books, Finding, FindingKind, Listed, PaymentStatus, StockState, There, compare,
    compare_books, compare_stock,
};
use crate::port::{Found, LookUp};
use crate::receiver::ReadError;

/// How often an order that changes under our eyes is looked at again.
const LOOKS_MAX: u32 = 3;

/// What one look at an order found.
#[derive(Default)]
struct Seen {
    /// The books at that time; `None` when there are none.
    books: Option<Books>,
    stock: Option<StockState>,
    /// Between the payment and Toss.
    money: Option<Finding>,
    /// Inside the payment's books.
    sums: Option<Finding>,
    /// Between the payment and its stock.
    pieces: Option<Finding>,
}

impl Seen {
    fn findings(&self) -> [Option<&Finding>; 3] {
        [
            self.money.as_ref(),
            self.sums.as_ref(),
            self.pieces.as_ref(),
        ]
    }
}

/// Checks one order, mends it if wished, and tells what was found.
pub(super) async fn check(
    ports: &ReconcilePorts,
    order_id: &OrderId,
    listed: Listed,
    mends: bool,
) -> Result<Vec<Found>, StoreError> {
    let before = look(ports, order_id, &listed).await?;
    let action = if mends {
        mend(ports, &before).await
    } else {
        None
    };
    let Some(action) = action else {
        let found = before.findings().into_iter().flatten();
        return Ok(found.map(|finding| told(order_id, finding)).collect());
    };
    let after = look(ports, order_id, &listed).await?;
    let status = after.books.as_ref().map(|books| books.status);
    let now = status.map_or_else(String::new, |status| format!("; now {status}"));
    let mut found = Vec::new();
    for (before, after) in before.findings().into_iter().zip(after.findings()) {
        let Some(finding) = before.or(after) else {
            continue;
        };
        found.push(Found {
            action: Some(format!("{action}{now}")),
            mended: after.is_none(),
            ..told(order_id, finding)
        });
    }
    Ok(found)
}

fn told(order_id: &OrderId, finding: &Finding) -> Found {
    Found {
        kind: finding.kind,
        order_id: Some(order_id.to_string()),
        product_id: None,
        detail: finding.detail.clone(),
        action: None,
        mended: false,
    }
}

/// Compares one order with Toss's word. A payment that moves meanwhile is looked at again: half of
/// it before and half of it after a change is no finding.
async fn look(
    ports: &ReconcilePorts,
    order_id: &OrderId,
    listed: &Listed,
) -> Result<Seen, StoreError> {
    let ids = std::slice::from_ref(order_id);
    for _ in 0..LOOKS_MAX {
        let Some(books) = ports.books.books(ids).await?.pop() else {
            return Ok(Seen::default());
        };
        let states = ports.stock.states(ids).await?;
        let stock = states.first().map_or(StockState::None, |(_, state)| *state);
        let there = ask(ports, &books, listed).await?;
        let still = ports.books.books(ids).await?;
        if still.first().map(|still| still.fence) != Some(books.fence) {
            continue;
        }
        let money = match there {
            Ok(there) => compare(&books, &there, listed),
            Err(reason) => Some(unasked(&books, &reason)),
        };
        return Ok(Seen {
            money,
            sums: compare_books(&books),
            pieces: compare_stock(&books, stock, ports.clock.now()),
            stock: Some(stock),
            books: Some(books),
        });
    }
    let detail = "it keeps changing while it is looked at";
    Ok(Seen {
        money: Some(Finding::new(FindingKind::Pending, detail)),
        ..Seen::default()
    })
}

/// What Toss shows under every payment key that was ever sent for this order, and by the order id
/// where there is no key or the list shows more than the keys do. The inner error is Toss's silence.
async fn ask(
    ports: &ReconcilePorts,
    books: &Books,
    listed: &Listed,
) -> Result<Result<There, String>, StoreError> {
    let order_id = &books.order_id;
    let mut keys: Vec<_> = books.payment_key.iter().cloned().collect();
    if books.attempts > 0 {
        for attempt in ports.payments.attempts(order_id).await? {
            let sent = attempt.purpose == AttemptPurpose::Confirm;
            if sent && !keys.contains(&attempt.payment_key) {
                keys.push(attempt.payment_key);
            }
        }
    }
    let mut there = There::default();
    for key in &keys {
        match ports.gateway.look_up(key).await {
            LookUp::Found(payment) if payment.order_id == order_id.as_str() => there.add(&payment),
            LookUp::Found(_) | LookUp::Absent => {}
            LookUp::Unavailable { reason } => return Ok(Err(reason)),
        }
    }
    if there.status.is_none() || listed.approved_won > there.approved_won {
        match ports.gateway.look_up_order(order_id).await {
            LookUp::Found(payment)
                if keys.iter().all(|key| key.as_str() != payment.payment_key) =>
            {
                there.add(&payment);
            }
            LookUp::Found(_) | LookUp::Absent => {}
            LookUp::Unavailable { reason } => return Ok(Err(reason)),
        }
    }
    Ok(Ok(there))
}

fn unasked(books: &Books, reason: &str) -> Finding {
    let kind = match books.status {
        PaymentStatus::InProgress
        | PaymentStatus::Unknown
        | PaymentStatus::WaitingForDeposit
        | PaymentStatus::Quarantined => FindingKind::Pending,
        PaymentStatus::Ready
        | PaymentStatus::Done
        | PaymentStatus::Failed
        | PaymentStatus::Expired
        | PaymentStatus::PartialCanceled
        | PaymentStatus::Canceled => FindingKind::Unasked,
    };
    Finding::new(kind, format!("{} here; {reason}", books.status))
}

/// Does what is safe about what was found, and tells what it did: has Toss asked again, and the
/// state machine decide; or delivers stock instructions again, which changes nothing when they were
/// delivered before.
async fn mend(ports: &ReconcilePorts, seen: &Seen) -> Option<String> {
    let books = seen.books.as_ref()?;
    let is_part = books.status == PaymentStatus::PartialCanceled;
    let is_paid = is_part || books.status == PaymentStatus::Done;
    let asks = seen
        .money
        .as_ref()
        .is_some_and(|finding| match finding.kind {
            FindingKind::Pending | FindingKind::MissingHere => true,
            // Money that went back without this server is booked by a look.
            FindingKind::Status => is_paid,
            FindingKind::Amount => is_part,
            FindingKind::MissingThere | FindingKind::Stock | FindingKind::Unasked => false,
        });
    // A quarantined payment is an operator's to resolve.
    if asks && books.status != PaymentStatus::Quarantined {
        return Some(match recover(ports, books).await {
            Ok(()) => "recovery ran".to_owned(),
            Err(error) => format!("recovery failed: {error}"),
        });
    }
    seen.pieces.as_ref()?;
    Some(match tell_stock(ports, books, seen.stock).await {
        Ok(()) => "the stock was told again".to_owned(),
        Err(error) => format!("the stock was not told: {error}"),
    })
}

/// Has Toss asked again, and tells the stock what came of it.
async fn recover(ports: &ReconcilePorts, books: &Books) -> Result<(), ReadError> {
    let order_id = &books.order_id;
    ports.receiver.recover_now(order_id).await?;
    if books.status == PaymentStatus::Ready {
        // It may have expired just now; only then is an order looked for that was never confirmed.
        ports.receiver.recover_now(order_id).await?;
    }
    Ok(ports.receiver.deliver(order_id).await?)
}

/// Delivers what waits in the outbox, and once more what an ended payment says of stock that is
/// still held: its message was delivered and did not take.
async fn tell_stock(
    ports: &ReconcilePorts,
    books: &Books,
    stock: Option<StockState>,
) -> Result<(), StoreError> {
    let order_id = &books.order_id;
    ports.receiver.deliver(order_id).await?;
    if stock != Some(StockState::Held) {
        return Ok(());
    }
    match books.status {
        PaymentStatus::Done | PaymentStatus::PartialCanceled => ports.products.sell(order_id).await,
        // A confirm that claims the payment meanwhile holds under a higher fence, and keeps it.
        PaymentStatus::Ready
        | PaymentStatus::Failed
        | PaymentStatus::Expired
        | PaymentStatus::Canceled => ports.products.release(order_id, books.fence).await,
        PaymentStatus::InProgress
        | PaymentStatus::Unknown
        | PaymentStatus::WaitingForDeposit
        | PaymentStatus::Quarantined => Ok(()),
    }
}
