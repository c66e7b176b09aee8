//! A browser: checks out, confirms, hangs up, and asks again until it has a certain answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use api_server::{Confirmed, DeskError};
use kernel::{OrderId, ProductId, Quantity, UserId};
use payment_domain::model::{Payment, PaymentStatus};
use payment_domain::port::CheckoutKey;
use payment_domain::{CheckoutCommand, CheckoutError, ConfirmCommand, ConfirmError};

use crate::judge::{ANSWERED_FAILED, ANSWERED_PAID};
use crate::process::{SERVERS, Server};
use crate::terms::Bank;
use crate::world::World;

/// How often a buyer whose key is refused, or whose shop is misconfigured, tries again.
const TRIES_MAX: u32 = 12;
/// The same in a script, whose every step is a point to crash at.
const SCRIPTED_TRIES_MAX: u32 = 2;

/// Everything that came of one confirm request, as far as a client can act on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
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

pub(crate) struct Browser {
    world: Arc<World>,
    name: String,
    /// The server that a script's browser uses first.
    next_server: AtomicUsize,
}

impl Browser {
    pub(crate) fn new(world: &Arc<World>, name: String) -> Self {
        Self {
            world: Arc::clone(world),
            name,
            next_server: AtomicUsize::new(0),
        }
    }

    /// By lot, or in turns under a script.
    pub(crate) fn pick_server(&self) -> usize {
        if self.world.mishap().is_some() {
            self.next_server.fetch_add(1, Ordering::SeqCst) % SERVERS
        } else {
            usize::try_from(self.world.below(SERVERS as u64)).unwrap_or(0)
        }
    }

    pub(crate) async fn pause(&self) {
        let pause = if self.world.mishap().is_some() {
            Duration::from_millis(700)
        } else {
            self.world.millis(200, 3_000)
        };
        tokio::time::sleep(pause).await;
    }

    /// Checks out until there is an answer. The key makes it one order.
    pub(crate) async fn check_out(&self, user: i64, lines: &[(i64, i64)]) -> Option<Payment> {
        let command = checkout(user, lines, &self.name)?;
        loop {
            let Some(server) = self.world.slots.get(self.pick_server()) else {
                self.pause().await;
                continue;
            };
            let asked = server.payments.check_out(command.clone());
            match server.process.request(asked).await {
                Some(Ok(outcome)) => {
                    self.note_order(&outcome.payment);
                    if self.world.chance(200) {
                        self.check_out_again(&server, &command).await;
                    }
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

    /// The same key always leads to the same order.
    fn note_order(&self, payment: &Payment) {
        let (world, id) = (&self.world, &payment.order_id);
        world.note(&self.name, format_args!("has checked out {id}"));
        if let Some(first) = world.checked_out(&self.name, id) {
            world.convict(format!("one key was answered with {first}, then with {id}"));
        }
    }

    /// Repeats an answered checkout, or sends another one under its key.
    async fn check_out_again(&self, server: &Server, command: &CheckoutCommand) {
        let mut again = command.clone();
        let differs = self.world.chance(500);
        if let Some(key) = &mut again.key
            && differs
        {
            key.fingerprint = "d".repeat(64);
        }
        let answer = server.process.request(server.payments.check_out(again));
        match answer.await {
            Some(Ok(outcome)) if !differs => {
                self.world.count("checkouts repeated under their key");
                self.note_order(&outcome.payment);
                if !outcome.replayed {
                    self.world
                        .convict("a repeated checkout is no replay".to_owned());
                }
            }
            Some(Err(CheckoutError::KeyReused)) if differs => {
                self.world.count("other checkouts refused under a used key");
            }
            Some(Err(CheckoutError::Store(_))) | None => {}
            Some(answer) => {
                let violation = format!("a checkout under a used key was told {answer:?}");
                self.world.convict(violation);
            }
        }
    }

    /// One confirm request; the browser may hang up.
    pub(crate) async fn confirm_once(&self, command: &ConfirmCommand) -> Told {
        let (world, id) = (&self.world, &command.order_id);
        let Some(server) = world.slots.get(self.pick_server()) else {
            return Told::Later;
        };
        let patience = if world.chance(world.rates().hang_up) {
            world.millis(0, 3_000)
        } else {
            Duration::from_secs(60)
        };
        world.admit(id);
        let asked = server.process.request(server.desk.confirm(command));
        let answer = match tokio::time::timeout(patience, asked).await {
            Ok(Some(answer)) => answer,
            Ok(None) => {
                world.note(&self.name, format_args!("lost the server over {id}"));
                return Told::Later;
            }
            Err(_) => {
                world.note(&self.name, format_args!("hangs up over {id}"));
                world.count("clients that hung up");
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
            Err(error) => {
                world.note(&self.name, format_args!("{id}: {error}"));
                if let Some(what) = turned_away(&error) {
                    world.count(what);
                    self.expect_nothing_begun(id);
                }
            }
        }
        told
    }

    /// A request that is turned away has written nothing and called nobody.
    fn expect_nothing_begun(&self, order_id: &OrderId) {
        let world = &self.world;
        let attempts = world
            .judge
            .payment(order_id)
            .map_or(0, |payment| payment.attempts);
        if world.turn_away(order_id) && attempts > 0 {
            world.convict(format!(
                "every confirm of {order_id} was turned away, and it has {attempts} attempts"
            ));
        }
    }

    /// Confirms until there is a certain answer.
    pub(crate) async fn pay(&self, command: &ConfirmCommand) {
        let (world, id) = (&self.world, &command.order_id);
        let mut refusals = 0;
        let is_scripted = world.mishap().is_some();
        let tries_max = if is_scripted {
            SCRIPTED_TRIES_MAX
        } else {
            TRIES_MAX
        };
        // Orders that nobody asks about any more are what a late bank's approvals hurt.
        let per_mille = match world.terms.bank {
            Bank::Prompt => 150,
            Bank::Late => 600,
        };
        let gives_up = !is_scripted && world.chance(per_mille);
        loop {
            match self.confirm_once(command).await {
                Told::Paid => return world.mark(id, ANSWERED_PAID),
                Told::Failed => return world.mark(id, ANSWERED_FAILED),
                Told::Over => return,
                Told::Refused => {
                    refusals += 1;
                    if refusals == tries_max {
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

/// What kind of refusal this is, if it came before anything was begun.
fn turned_away(error: &DeskError) -> Option<&'static str> {
    match error {
        DeskError::Overloaded => Some("confirms turned away for want of room"),
        DeskError::Payment(ConfirmError::GatewayClosed) => {
            Some("confirms turned away by the breaker")
        }
        DeskError::Payment(ConfirmError::WrongUser | ConfirmError::AmountDiffers) => {
            Some("strangers' confirms refused")
        }
        DeskError::Payment(_) | DeskError::StillRunning => None,
    }
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
