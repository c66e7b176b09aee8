//! Buyers, who check out, authenticate at the bank and confirm, and strangers who try what they
//! should not.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use kernel::{Money, OrderId, PaymentKey, UserId};
use payment_domain::ConfirmCommand;
use payment_domain::model::{Payment, PaymentStatus};

use crate::browser::{Browser, Told};
use crate::judge::{PROBE, PRODUCTS, USERS};
use crate::plan::Mishap;
use crate::process::SERVERS;
use crate::refunds::{self, refunder};
use crate::staff::{WITH_ACCOUNT, operator, reader};
use crate::terms::Bank;
use crate::world::World;

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

/// The buyer authenticates at the bank; returns what the browser then claims.
fn authenticate(
    world: &World,
    payment: &Payment,
    won: i64,
    with_account: bool,
) -> Option<ConfirmCommand> {
    let id = &payment.order_id;
    if with_account {
        world.mark(id, WITH_ACCOUNT);
    }
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
            at_work,
            buyer(Arc::clone(world), Arc::clone(at_work), number),
        );
    }
    if world.chance(400) {
        spawn(at_work, stranger(Arc::clone(world)));
    }
    for _ in 0..world.below(3) {
        spawn(at_work, assassin(Arc::clone(world)));
    }
    if world.chance(500) {
        spawn(at_work, operator(Arc::clone(world)));
    }
    if world.chance(600) {
        spawn(at_work, refunder(Arc::clone(world)));
    }
    for number in 0..world.below(3) {
        spawn(at_work, reader(Arc::clone(world), number));
    }
}

/// Starts the clients of a script.
pub(crate) fn follow_the_script(world: &Arc<World>, at_work: &Arc<AtWork>, mishap: Mishap) {
    spawn(at_work, scripted(Arc::clone(world), mishap));
}

fn spawn(at_work: &Arc<AtWork>, client: impl Future<Output = ()> + Send + 'static) {
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
    // Money in a virtual account cannot be given back without the buyer's own account number.
    let with_account = world.terms.bank == Bank::Prompt && world.chance(150);
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
        spawn(&at_work, async move {
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
        let status = world
            .judge
            .payment(&command.order_id)
            .map(|payment| payment.status);
        if status == Some(PaymentStatus::Quarantined) {
            // The shop shows no account for it.
            return;
        }
        if world.bank.deposit(&world, command.payment_key.as_str()) {
            let id = &command.order_id;
            world.note("bank", format_args!("{id}: the deposit arrives"));
            world.count("deposits");
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
        world.count("processes that were killed");
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
    if mishap.is_of_a_cancel() {
        refunds::scripted(&world, &payment.order_id).await;
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
