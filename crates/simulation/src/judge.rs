//! The invariants. Safety is judged after every write and after everything the bank does, the rest
//! when all is quiet. The judge reads what is committed, through a connection of its own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use kernel::{Fence, Money, OrderId, ProductId, SellerId, StoreError, UserId, from_micros};
use payment_domain::model::{
    CancelState, HistoryEntry, Payment, PaymentFact, PaymentStatus, running_cancel, still_sold,
};
use payment_domain::port::PaymentRepository;
use product_domain::model::{NewProduct, ReservationState, Stock};
use product_domain::{Adjustment, ProductRepository};
use storage::{Blocking, BlockingRunner, BoxError, Database, DatabaseSettings};
use user_domain::UserProfile;

use crate::line::DISAGREES;
use crate::refunds::REFUNDED;
use crate::staff::LOOKED_AT_EARLY;
use crate::terms::{Bank, LEASE};
use crate::world::World;

/// Price in won and pieces of the products on sale: few, so that they run out.
pub(crate) const PRODUCTS: [(i64, i64); 2] = [(50_000, 3), (30_000, 4)];
/// The buyers.
pub(crate) const USERS: [i64; 2] = [1, 2];

/// The marks that clients leave on an order.
pub(crate) const ANSWERED_PAID: &str = "answered as paid";
pub(crate) const ANSWERED_FAILED: &str = "answered as failed";
/// An ended order for which the bank approved late.
const ORPHAN: &str = "ended, and approved late";
/// An order that only impostors ever try to confirm.
pub(crate) const PROBE: &str = "a probe";

type Ruling = Result<(), String>;

/// Works at once, on the caller's thread.
struct AtOnce;

impl BlockingRunner for AtOnce {
    fn run(&self, job: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, Result<(), BoxError>> {
        job();
        futures::future::ready(Ok(())).boxed()
    }

    fn lock_wait(&self) -> Duration {
        Duration::ZERO
    }
}

/// Connects without any point: for the judge and for the template.
pub(crate) async fn connect(settings: &DatabaseSettings) -> anyhow::Result<Database> {
    Ok(Database::connect_with(settings, Blocking::new(Arc::new(AtOnce))).await?)
}

/// Stores the products and buyers of every schedule.
pub(crate) async fn furnish(database: &Database) -> anyhow::Result<()> {
    let now = from_micros(0);
    for (won, stock) in PRODUCTS {
        let product = NewProduct {
            name: format!("상품 {won}"),
            description: String::new(),
            price: Money::from_won(won)?,
            stock: Stock::new(stock)?,
            seller_id: SellerId::new(2)?,
        };
        database.products().insert(&product, now).await?;
    }
    for id in USERS {
        let profile = UserProfile {
            username: format!("user-{id}"),
            email: "user@shop.example".to_owned(),
        };
        let key = format!("customer-{id}");
        database
            .users()
            .put(UserId::new(id)?, &profile, &key, now)
            .await?;
    }
    Ok(())
}

pub(crate) struct Judge {
    database: Database,
    payments: Arc<dyn PaymentRepository>,
    products: Arc<dyn ProductRepository>,
}

impl Judge {
    pub(crate) fn new(database: &Database) -> Self {
        Self {
            database: database.clone(),
            payments: database.payments(),
            products: database.products(),
        }
    }

    /// The database, without any point.
    pub(crate) fn database(&self) -> &Database {
        &self.database
    }

    /// Safety, after a port has written something of an order.
    pub(crate) fn after_a_write(&self, world: &World, port: &str, order_id: &OrderId) {
        let ruling = match port {
            "hold" | "release" | "sell" | "restock" => self.stock_adds_up(world),
            "apply" | "insert" => self.order_is_sound(world, order_id),
            _ => Ok(()),
        };
        if let Err(violation) = ruling {
            world.convict(violation);
        }
    }

    /// Safety, after the bank has worked.
    pub(crate) fn after_the_bank(&self, world: &World, order_id: &OrderId) {
        let ruling = match see(self.payments.find(order_id)) {
            Ok(Some(payment)) => bank_agrees(world, &payment),
            Ok(None) => Ok(()),
            Err(violation) => Err(violation),
        };
        if let Err(violation) = ruling {
            world.convict(violation);
        }
    }

    fn order_is_sound(&self, world: &World, order_id: &OrderId) -> Ruling {
        let Some(payment) = see(self.payments.find(order_id))? else {
            return Ok(());
        };
        let history = see(self.payments.history(order_id))?;
        replays(&payment, &history)?;
        if !world.is_marked(order_id, LOOKED_AT_EARLY) {
            respects_leases(order_id, &history)?;
        }
        let transactions = see(self.payments.transactions(order_id))?;
        let sum: i64 = transactions.iter().map(|moved| moved.amount_won).sum();
        if sum != payment.balance.won() {
            let balance = payment.balance;
            return Err(format!(
                "{order_id}: balance {balance}, transactions sum up to {sum}"
            ));
        }
        if matches!(
            payment.status,
            PaymentStatus::Done | PaymentStatus::PartialCanceled
        ) {
            let state = self.reservation(order_id)?;
            let has_stock = matches!(state, Some(ReservationState::Held | ReservationState::Sold));
            if !has_stock {
                return Err(format!("{order_id} is paid and its stock is {state:?}"));
            }
        }
        bank_agrees(world, &payment)
    }

    fn reservation(&self, order_id: &OrderId) -> Result<Option<ReservationState>, String> {
        let reservation = see(self.products.reservation(order_id))?;
        Ok(reservation.map(|reservation| reservation.state))
    }

    /// Initial stock = available + held + sold, none negative.
    fn stock_adds_up(&self, world: &World) -> Ruling {
        let mut taken: BTreeMap<ProductId, i64> = BTreeMap::new();
        for order_id in world.orders() {
            let Some(reservation) = see(self.products.reservation(&order_id))? else {
                continue;
            };
            if reservation.state == ReservationState::Released {
                continue;
            }
            for line in reservation.lines {
                *taken.entry(line.product_id).or_default() += i64::from(line.quantity);
            }
        }
        for product in see(self.products.list(None, 10))? {
            let id = product.id.get();
            let initial = usize::try_from(id - 1).ok().and_then(|at| PRODUCTS.get(at));
            let (available, taken) = (
                product.stock.get(),
                taken.get(&product.id).copied().unwrap_or(0),
            );
            if available < 0 || initial.map(|(_, stock)| *stock) != Some(available + taken) {
                return Err(format!(
                    "product {id}: {available} available and {taken} held or sold"
                ));
            }
        }
        Ok(())
    }

    /// Whether every payment is decided and every message delivered; the first that is not.
    pub(crate) fn undecided(&self, world: &World) -> Option<String> {
        for order_id in world.orders() {
            let payment = match see(self.payments.find(&order_id)) {
                Ok(Some(payment)) => payment,
                Ok(None) => continue,
                Err(violation) => return Some(violation),
            };
            let has_money = world.bank.row(&order_id).net > 0;
            let is_late = world.terms.bank == Bank::Late;
            match payment.status {
                PaymentStatus::InProgress | PaymentStatus::Unknown => {
                    return Some(format!("{order_id} is still {}", payment.status));
                }
                PaymentStatus::WaitingForDeposit if has_money => {
                    return Some(format!("{order_id} has not seen its deposit"));
                }
                PaymentStatus::Ready if has_money => {
                    return Some(format!("{order_id} is payable, and was approved late"));
                }
                PaymentStatus::Failed | PaymentStatus::Expired
                    if is_late && payment.due_at.is_some() =>
                {
                    let status = payment.status;
                    return Some(format!("{order_id} is {status} without its last look"));
                }
                PaymentStatus::Done | PaymentStatus::PartialCanceled
                    if payment.due_at.is_some() =>
                {
                    return Some(format!("{order_id} has a cancel under way"));
                }
                PaymentStatus::Ready
                | PaymentStatus::WaitingForDeposit
                | PaymentStatus::Done
                | PaymentStatus::Failed
                | PaymentStatus::Expired
                | PaymentStatus::PartialCanceled
                | PaymentStatus::Canceled
                | PaymentStatus::Quarantined => {}
            }
            match see(self.payments.messages_of(&order_id)) {
                Ok(messages) if messages.is_empty() => {}
                Ok(_) => return Some(format!("{order_id} has undelivered messages")),
                Err(violation) => return Some(violation),
            }
        }
        None
    }

    /// Everything, when all is quiet.
    pub(crate) fn final_ruling(&self, world: &World) -> Ruling {
        self.stock_adds_up(world)?;
        for order_id in world.orders() {
            self.order_is_sound(world, &order_id)?;
            let Some(payment) = see(self.payments.find(&order_id))? else {
                continue;
            };
            if !world.is_known_to_a_client(&order_id) {
                return Err(format!("{order_id} is stored and no checkout leads to it"));
            }
            self.order_is_settled(world, &payment)?;
        }
        Ok(())
    }

    fn order_is_settled(&self, world: &World, payment: &Payment) -> Ruling {
        let (id, status) = (&payment.order_id, payment.status);
        let row = world.bank.row(id);
        let (net, balance) = (row.net, payment.balance.won().unsigned_abs());
        if net != balance {
            return Err(format!(
                "{id} is {status}: balance {balance}, at the bank {net}"
            ));
        }
        let stock = self.reservation(id)?;
        let (held, sold) = (Some(ReservationState::Held), Some(ReservationState::Sold));
        let fits = match status {
            PaymentStatus::Done | PaymentStatus::PartialCanceled | PaymentStatus::Canceled => {
                self.goes_back_as_told(payment)?;
                stock == sold
            }
            PaymentStatus::WaitingForDeposit => stock == held,
            PaymentStatus::Quarantined => stock != sold,
            _ => stock != held && stock != sold,
        };
        if !fits {
            return Err(format!("{id} is {status} and its stock is {stock:?}"));
        }
        let quarantined = status == PaymentStatus::Quarantined;
        if quarantined && !world.is_marked(id, DISAGREES) && !self.came_too_late(world, id)? {
            return Err(format!("{id} is QUARANTINED and nothing ever disagreed"));
        }
        let paid = match status {
            PaymentStatus::Done | PaymentStatus::WaitingForDeposit => true,
            PaymentStatus::PartialCanceled | PaymentStatus::Canceled => {
                world.is_marked(id, REFUNDED)
            }
            PaymentStatus::Ready
            | PaymentStatus::InProgress
            | PaymentStatus::Unknown
            | PaymentStatus::Failed
            | PaymentStatus::Expired
            | PaymentStatus::Quarantined => false,
        };
        if world.is_marked(id, ANSWERED_PAID) && !paid {
            return Err(format!("{id} was answered as paid and is {status}"));
        }
        if world.is_marked(id, ANSWERED_FAILED) && status != PaymentStatus::Failed {
            return Err(format!("{id} was answered as failed and is {status}"));
        }
        // An operator's look is recorded, and asks the bank.
        if world.is_marked(id, PROBE) && !world.is_marked(id, LOOKED_AT_EARLY) {
            let attempts = see(self.payments.attempts(id))?.len();
            let calls = world.bank.calls(id);
            let last = match status {
                PaymentStatus::Expired => Fence::FIRST.next(),
                _ => Fence::FIRST,
            };
            if payment.fence != last || attempts + calls as usize > 0 {
                return Err(format!(
                    "{id} was only ever refused and is {status} after {attempts} attempts and \
                     {calls} calls"
                ));
            }
        }
        Ok(())
    }

    /// No cancel is open, each that is done gave back what it was to, and the pieces that are still
    /// sold are those that no cancel put back.
    fn goes_back_as_told(&self, payment: &Payment) -> Ruling {
        let id = &payment.order_id;
        let cancels = see(self.payments.cancels(id))?;
        if running_cancel(&cancels).is_some() {
            return Err(format!("{id} has a cancel that nobody works on"));
        }
        let given_back: i64 = cancels
            .iter()
            .filter(|cancel| cancel.state == CancelState::Done)
            .map(|cancel| cancel.amount.won())
            .sum();
        if payment.total.won() - given_back != payment.balance.won() {
            return Err(format!(
                "{id}: cancels gave back {given_back} won, and {} are left of {}",
                payment.balance, payment.total
            ));
        }
        let reservation = see(self.products.reservation(id))?;
        let kept = reservation.map_or_else(Vec::new, |reservation| reservation.lines);
        let kept = kept
            .iter()
            .map(|line| (line.product_id, line.quantity.get()))
            .collect();
        let left = still_sold(payment, &cancels);
        if left == kept {
            Ok(())
        } else {
            Err(format!("{id}: {left:?} should be sold, and {kept:?} are"))
        }
    }

    /// Whether a late bank denied the order until its stock was given back, and approved when
    /// somebody else had it.
    fn came_too_late(&self, world: &World, id: &OrderId) -> Result<bool, String> {
        let history = see(self.payments.history(id))?;
        let is_short = |note: &String| note.contains("short of stock");
        let late = history
            .iter()
            .filter_map(|entry| entry.note.as_ref())
            .any(is_short);
        if late {
            world.count("late approvals given back because the stock was gone");
        }
        Ok(late && world.terms.bank == Bank::Late)
    }

    /// The payment as it stands.
    pub(crate) fn payment(&self, order_id: &OrderId) -> Option<Payment> {
        see(self.payments.find(order_id)).ok().flatten()
    }

    /// How many orders are in each status, for the trace.
    pub(crate) fn tally(&self, world: &World) -> BTreeMap<PaymentStatus, u32> {
        let mut tally = BTreeMap::new();
        for order_id in world.orders() {
            if let Ok(Some(payment)) = see(self.payments.find(&order_id)) {
                *tally.entry(payment.status).or_default() += 1;
            }
        }
        tally
    }

    /// For a mutant: a piece of stock appears from nowhere.
    pub(crate) fn return_a_piece_too_many(&self) {
        if let Ok(product_id) = ProductId::new(1) {
            let adjustment = Adjustment {
                product_id,
                delta: 1,
                reason: "returned twice".to_owned(),
            };
            // While another connection writes this fails, and the mutant stays unnoticed once.
            drop(see(self.products.adjust(&adjustment, from_micros(0))));
        }
    }
}

/// The outcome of a call that never waits.
///
/// Without tokio's budget: it would make a call wait that has been ready many times in a row.
fn see<T>(call: impl Future<Output = Result<T, StoreError>>) -> Result<T, String> {
    match tokio::task::unconstrained(call).now_or_never() {
        Some(Ok(value)) => Ok(value),
        Some(Err(error)) => Err(format!("the judge cannot read: {error}")),
        None => Err("the judge had to wait for the database".to_owned()),
    }
}

fn bank_agrees(world: &World, payment: &Payment) -> Ruling {
    let (id, status) = (&payment.order_id, payment.status);
    let row = world.bank.row(id);
    if row.approvals > 1 {
        return Err(format!("{id} was charged {} times", row.approvals));
    }
    let total = payment.total.won().unsigned_abs();
    let agrees = match status {
        // While a cancel is under way the bank may have given back what our books do not know yet.
        PaymentStatus::Done | PaymentStatus::PartialCanceled if payment.due_at.is_some() => {
            row.net <= payment.balance.won().unsigned_abs()
        }
        PaymentStatus::Done => row.net == total,
        PaymentStatus::PartialCanceled => row.net == payment.balance.won().unsigned_abs(),
        // Where the bank is late an ended order may have money for as long as a look is to come.
        PaymentStatus::Failed | PaymentStatus::Expired
            if world.terms.bank == Bank::Late && payment.due_at.is_some() =>
        {
            if row.net > 0 && !world.is_marked(id, ORPHAN) {
                world.mark(id, ORPHAN);
                world.count("ended orders with money at the bank");
            }
            true
        }
        PaymentStatus::Failed | PaymentStatus::Expired | PaymentStatus::Canceled => row.net == 0,
        PaymentStatus::Ready
        | PaymentStatus::InProgress
        | PaymentStatus::Unknown
        | PaymentStatus::WaitingForDeposit
        | PaymentStatus::Quarantined => true,
    };
    if agrees {
        Ok(())
    } else {
        Err(format!("{id} is {status} and the bank has {} won", row.net))
    }
}

/// The history leads, by the state machine's rules, from the checkout to the row.
fn replays(payment: &Payment, history: &[HistoryEntry]) -> Ruling {
    let id = &payment.order_id;
    let mut status: Option<PaymentStatus> = None;
    for (entry, fence) in history.iter().zip(1_i64..) {
        let legal = match status {
            None => entry.fact == PaymentFact::CheckedOut && entry.to == PaymentStatus::Ready,
            Some(from) => entry.fact.apply(from) == Ok(entry.to),
        };
        if !legal || entry.from != status || entry.fence.get() != fence {
            return Err(format!(
                "{id}: {} at fence {} does not follow from {status:?}",
                entry.fact,
                entry.fence.get()
            ));
        }
        status = Some(entry.to);
    }
    let last = history.last().map(|entry| entry.fence);
    if status == Some(payment.status) && last == Some(payment.fence) {
        Ok(())
    } else {
        let (row, fence) = (payment.status, payment.fence.get());
        Err(format!(
            "{id} is {row} at fence {fence}, its history ends in {status:?}"
        ))
    }
}

/// Nobody takes a payment over whose lease still runs. An operator's early look may cut a look
/// short, and is left out.
fn respects_leases(id: &OrderId, history: &[HistoryEntry]) -> Ruling {
    for pair in history.windows(2) {
        let took_a_lease = matches!(
            pair[0].fact,
            PaymentFact::Claimed
                | PaymentFact::CancelClaimed
                | PaymentFact::LookStarted
                | PaymentFact::AttemptStarted
        );
        let ends = pair[0].at + LEASE;
        if took_a_lease && pair[1].fact == PaymentFact::LookStarted && pair[1].at < ends {
            let fence = pair[1].fence.get();
            return Err(format!(
                "{id}: a lease that still ran was taken over at fence {fence}"
            ));
        }
    }
    Ok(())
}
