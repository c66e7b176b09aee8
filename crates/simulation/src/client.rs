//! Buyers and their browsers: they check out, authenticate at the bank, confirm, hang up, and ask
//! again until they have a certain answer. And strangers who try what they should not.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use api_server::{Confirmed, DeskError};
use kernel::{Money, OrderId, PaymentKey, ProductId, Quantity, UserId};
use payment_domain::model::{Payment, PaymentStatus};
use payment_domain::port::CheckoutKey;
use payment_domain::{CheckoutCommand, CheckoutError, ConfirmCommand, ConfirmError};

use crate::judge::{ANSWERED_FAILED, ANSWERED_PAID, PROBE, PRODUCTS, USERS};
use crate::plan::Mishap;
use crate::process::SERVERS;
use crate::world::World;

/// How often a buyer whose key is refused, or whose shop is misconfigured, tries again.
const TRIES_MAX: u32 = 12;

/// Clients that are still at work.
#[derive(Default)]
pub(crate) struct AtWork(AtomicUsize);

impl AtWork {
    pub(crate) fn is_over(&self) -> bool {
        self.0.load(Ordering::SeqCst) == 0
    }

    fn begin(self: &Arc<Self>) -> Shift {
        self.0.fetch_add(1, Ordering::SeqCst);
        Shift(Arc::clone(self))
    }
}

struct Shift(Arc<AtWork>);

impl Drop for Shift {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Everything that came of one confirm request, as far as a client can act on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    /// Paid, or a virtual account was issued.
    Paid,
    /// Declined, or stock was short: this order will never be paid.
    Failed,
    /// The order cannot be paid any more, or never could by this client.
    Over,
    /// The payment key is refused, or the shop is misconfigured: again, a few times.
    Refused,
    /// Not known yet, or nobody answered: again.
    Later,
}

struct Browser {
    world: Arc<World>,
    name: String,
    /// The server that a script's browser uses first.
    next_server: AtomicUsize,
}

impl Browser {
    fn new(world: &Arc<World>, name: String) -> Self {
        Self {
            world: Arc::clone(world),
            name,
            next_server: AtomicUsize::new(0),
        }
    }

    /// By lot, or in turns under a script.
    fn pick_server(&self) -> usize {
        if self.world.mishap().is_some() {
            self.next_server.fetch_add(1, Ordering::SeqCst) % SERVERS
        } else {
            usize::try_from(self.world.below(SERVERS as u64)).unwrap_or(0)
        }
    }

    async fn pause(&self) {
        let pause = if self.world.mishap().is_some() {
            Duration::from_millis(700)
        } else {
            self.world.millis(200, 3_000)
        };
        tokio::time::sleep(pause).await;
    }

    /// Checks out until there is an answer. The key makes it one order.
    async fn check_out(&self, user: i64, lines: &[(i64, i64)]) -> Option<Payment> {
        let command = checkout(user, lines, &self.name)?;
        loop {
            let Some(server) = self.world.slots.get(self.pick_server()) else {
                self.pause().await;
                continue;
            };
            let asked = server.payments.check_out(command.clone());
            match server.process.request(asked).await {
                Some(Ok(outcome)) => {
                    let id = &outcome.payment.order_id;
                    self.world
                        .note(&self.name, format_args!("has checked out {id}"));
                    return Some(outcome.payment);
                }
                Some(Err(CheckoutError::StockShort(_))) => return None,
                Some(Err(CheckoutError::Store(_))) | None => {}
                Some(Err(error)) => {
                    self.world
                        .convict(format!("a good checkout was refused: {error}"));
                    return None;
                }
            }
            self.pause().await;
        }
    }

    /// One confirm request; the browser may hang up.
    async fn confirm_once(&self, command: &ConfirmCommand) -> Told {
        let (world, id) = (&self.world, &command.order_id);
        let Some(server) = world.slots.get(self.pick_server()) else {
            return Told::Later;
        };
        let patience = if world.chance(world.rates().hang_up) {
            world.millis(0, 3_000)
        } else {
            Duration::from_secs(60)
        };
        let asked = server.process.request(server.desk.confirm(command));
        let answer = match tokio::time::timeout(patience, asked).await {
            Ok(Some(answer)) => answer,
            Ok(None) => {
                world.note(&self.name, format_args!("lost the server over {id}"));
                return Told::Later;
            }
            Err(_) => {
                world.note(&self.name, format_args!("hangs up over {id}"));
                return Told::Later;
            }
        };
        let told = told(&answer);
        match answer {
            Ok(confirmed) => {
                let (status, replayed) = (confirmed.payment.status, confirmed.replayed);
                world.note(
                    &self.name,
                    format_args!("{id}: {status}, replayed {replayed}"),
                );
            }
            Err(error) => world.note(&self.name, format_args!("{id}: {error}")),
        }
        told
    }

    /// Confirms until there is a certain answer.
    async fn pay(&self, command: &ConfirmCommand) {
        let (world, id) = (&self.world, &command.order_id);
        let mut refusals = 0;
        let gives_up = world.mishap().is_none() && world.chance(150);
        loop {
            match self.confirm_once(command).await {
                Told::Paid => return world.mark(id, ANSWERED_PAID),
                Told::Failed => return world.mark(id, ANSWERED_FAILED),
                Told::Over => return,
                Told::Refused => {
                    refusals += 1;
                    if refusals == TRIES_MAX {
                        return;
                    }
                }
                Told::Later if gives_up => return,
                Told::Later => {}
            }
            self.pause().await;
        }
    }
}

fn checkout(user: i64, lines: &[(i64, i64)], name: &str) -> Option<CheckoutCommand> {
    let user_id = UserId::new(user).ok()?;
    let lines = lines
        .iter()
        .map(|(id, pieces)| Some((ProductId::new(*id).ok()?, Quantity::new(*pieces).ok()?)))
        .collect::<Option<_>>()?;
    let key = CheckoutKey {
        user_id,
        key: name.parse().ok()?,
        fingerprint: "f".repeat(64),
    };
    Some(CheckoutCommand {
        user_id,
        lines,
        key: Some(key),
    })
}

fn told(answer: &Result<Confirmed, DeskError>) -> Told {
    let error = match answer {
        Ok(_) => return Told::Paid,
        Err(DeskError::StillRunning | DeskError::Overloaded) => return Told::Later,
        Err(DeskError::Payment(error)) => error,
    };
    match error {
        ConfirmError::Declined { .. } | ConfirmError::StockShort(_) => Told::Failed,
        ConfirmError::NotPayable(PaymentStatus::Ready) => Told::Later,
        ConfirmError::UnknownOrder(_)
        | ConfirmError::WrongUser
        | ConfirmError::AmountDiffers
        | ConfirmError::NotPayable(_) => Told::Over,
        ConfirmError::WrongPaymentKey | ConfirmError::Misconfigured { .. } => Told::Refused,
        ConfirmError::Undecided
        | ConfirmError::GatewayClosed
        | ConfirmError::LostClaim
        | ConfirmError::Store(_) => Told::Later,
    }
}

/// The buyer authenticates at the bank; returns what the browser then claims.
fn authenticate(
    world: &World,
    payment: &Payment,
    won: i64,
    with_account: bool,
) -> Option<ConfirmCommand> {
    let id = &payment.order_id;
    let key = world
        .bank
        .authenticate(world, id, won.unsigned_abs(), with_account);
    let payment_key: PaymentKey = key.parse().ok()?;
    world.opened(&payment_key, id);
    world.note("bank", format_args!("{id} authenticated for {won} won"));
    Some(ConfirmCommand {
        user_id: payment.buyer.user_id,
        order_id: id.clone(),
        amount: payment.total,
        payment_key,
    })
}

/// Starts the clients of a random schedule.
pub(crate) fn open_the_shop(world: &Arc<World>, at_work: &Arc<AtWork>) {
    for number in 0..2 + world.below(3) {
        spawn(
            world,
            at_work,
            buyer(Arc::clone(world), Arc::clone(at_work), number),
        );
    }
    if world.chance(400) {
        spawn(world, at_work, stranger(Arc::clone(world)));
    }
    for _ in 0..world.below(3) {
        spawn(world, at_work, assassin(Arc::clone(world)));
    }
}

/// Starts the clients of a script.
pub(crate) fn follow_the_script(world: &Arc<World>, at_work: &Arc<AtWork>, mishap: Mishap) {
    spawn(world, at_work, scripted(Arc::clone(world), mishap));
}

fn spawn(
    _world: &Arc<World>,
    at_work: &Arc<AtWork>,
    client: impl Future<Output = ()> + Send + 'static,
) {
    let shift = at_work.begin();
    tokio::spawn(async move {
        client.await;
        drop(shift);
    });
}

async fn buyer(world: Arc<World>, at_work: Arc<AtWork>, number: u64) {
    tokio::time::sleep(world.millis(0, 8_000)).await;
    let browser = Browser::new(&world, format!("buyer-{number}"));
    let user = USERS[usize::try_from(number).unwrap_or(0) % USERS.len()];
    let mut lines = vec![(1, 1 + i64::from(world.chance(300)))];
    if world.chance(500) {
        lines.push((2, 1 + i64::from(world.chance(300))));
    }
    if world.chance(300) {
        lines.reverse();
    }
    let Some(payment) = browser.check_out(user, &lines).await else {
        return;
    };
    let with_account = world.chance(150);
    let tampers = world.chance(60);
    let won = payment.total.won() - i64::from(tampers);
    let Some(command) = authenticate(&world, &payment, won, with_account) else {
        return;
    };
    if world.chance(50) {
        // The buyer never comes back.
        return;
    }
    if world.chance(600) {
        let (world, command) = (Arc::clone(&world), command.clone());
        let second = Browser::new(&world, format!("tab-{number}"));
        let late = world.millis(0, 6_000);
        spawn(&world, &at_work, async move {
            tokio::time::sleep(late).await;
            second.pay(&command).await;
        });
    }
    if world.chance(120) {
        // Another window's key is sent for this order, by mistake or on purpose.
        let mut wrong = command.clone();
        let other = world.bank.authenticate(&world, &elsewhere(), 1_000, false);
        if let Ok(key) = other.parse() {
            wrong.payment_key = key;
            world.opened(&wrong.payment_key, &elsewhere());
            browser.confirm_once(&wrong).await;
        }
    }
    browser.pay(&command).await;
    if with_account && world.chance(700) {
        tokio::time::sleep(world.millis(1_000, 15_000)).await;
        if world.bank.deposit(&world, command.payment_key.as_str()) {
            let id = &command.order_id;
            world.note("bank", format_args!("{id}: the deposit arrives"));
            world.disturb(Duration::ZERO);
        }
    }
}

/// An order of another shop.
#[expect(clippy::expect_used, reason = "the text follows the rule of order ids")]
fn elsewhere() -> OrderId {
    "order-of-another-shop".parse().expect("a valid order id")
}

/// Tries to confirm an order that is not theirs, and to pay less: refused, without any effect.
async fn stranger(world: Arc<World>) {
    let browser = Browser::new(&world, "stranger".to_owned());
    let Some(payment) = browser.check_out(USERS[0], &[(2, 1)]).await else {
        return;
    };
    let id = payment.order_id.clone();
    world.mark(&id, PROBE);
    let Some(command) = authenticate(&world, &payment, payment.total.won(), false) else {
        return;
    };
    for _ in 0..6 {
        tokio::time::sleep(world.millis(100, 6_000)).await;
        let mut wrong = command.clone();
        if world.chance(500) {
            wrong.user_id = UserId::new(USERS[1]).unwrap_or(wrong.user_id);
        } else {
            wrong.amount = Money::from_won(1).unwrap_or(wrong.amount);
        }
        let told = browser.confirm_once(&wrong).await;
        if !matches!(told, Told::Over | Told::Later) {
            world.convict(format!("a stranger's confirm of {id} was told {told:?}"));
        }
    }
}

/// Kills a server at some moment, whatever it is doing.
async fn assassin(world: Arc<World>) {
    tokio::time::sleep(world.millis(0, 28_000)).await;
    let victim = usize::try_from(world.below(SERVERS as u64)).unwrap_or(0);
    if let Some(server) = world.slots.get(victim) {
        world.note(server.process.name(), format_args!("is killed"));
        world.kill(&server.process);
    }
}

async fn scripted(world: Arc<World>, mishap: Mishap) {
    let everything = PRODUCTS.map(|(_, stock)| stock);
    let (first, second) = if mishap == Mishap::StockShort {
        (everything[0], everything[1])
    } else {
        (1, 2)
    };
    let lines = [(1, first), (2, second)];
    let browser = Browser::new(&world, "buyer-0".to_owned());
    let Some(payment) = browser.check_out(USERS[0], &lines).await else {
        return;
    };
    let rival = if mishap == Mishap::StockShort {
        let rival = Browser::new(&world, "buyer-1".to_owned());
        rival.check_out(USERS[1], &lines).await
    } else {
        None
    };
    if let Some(rival) = rival
        && let Some(command) = authenticate(&world, &rival, rival.total.won(), false)
    {
        browser.pay(&command).await;
    }
    let tampers = i64::from(mishap == Mishap::Tampered);
    let won = payment.total.won() - tampers;
    if let Some(command) = authenticate(&world, &payment, won, false) {
        browser.pay(&command).await;
    }
}

/// When all is quiet the same confirm gets the same answer.
pub(crate) async fn ask_again(world: &Arc<World>) {
    let browser = Browser::new(world, "auditor".to_owned());
    for (order_id, payment_key) in world.keys() {
        let Some(payment) = world.judge.payment(&order_id) else {
            continue;
        };
        if payment.status == PaymentStatus::Ready
            || payment.payment_key.as_ref() != Some(&payment_key)
        {
            continue;
        }
        let command = ConfirmCommand {
            user_id: payment.buyer.user_id,
            order_id: order_id.clone(),
            amount: payment.total,
            payment_key,
        };
        let mut told = Told::Later;
        for _ in 0..SERVERS * 10 {
            told = browser.confirm_once(&command).await;
            if told != Told::Later {
                break;
            }
            browser.pause().await;
        }
        let fits = match payment.status {
            PaymentStatus::Done | PaymentStatus::WaitingForDeposit => told == Told::Paid,
            PaymentStatus::Failed => told == Told::Failed,
            _ => told == Told::Over,
        };
        if !fits {
            let status = payment.status;
            world.convict(format!(
                "{order_id} is {status}, and the same confirm again is told {told:?}"
            ));
        }
    }
}
