//! Where confirms meet: each payment is confirmed by one task of its own, tracked until it ends,
//! and every request for it waits there for a bounded time. A browser that hangs up cancels
//! nothing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use kernel::{Clock, OrderId, PaymentKey};
use payment_domain::model::Payment;
use payment_domain::{ConfirmCommand, ConfirmError, ConfirmOutcome, Examined, PaymentReceiver};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

/// How often a confirm that runs on another instance is looked at.
const POLL: Duration = Duration::from_millis(100);
/// How often a confirm that was just begun is looked at, until it has claimed its payment.
const CLAIM_LOOK: Duration = Duration::from_millis(20);
/// How long a reader waits for the repair of a payment whose lease is over.
const REPAIR_WAIT: Duration = Duration::from_secs(2);

type Outcome = Result<ConfirmOutcome, ConfirmError>;
/// The outcome of a running confirm, for whoever waits for it. It wakes those who wait in a fixed
/// order, so that a simulated schedule can be repeated; a `watch` channel draws lots.
type Awaited = Shared<BoxFuture<'static, Outcome>>;

/// What a confirm request gets.
#[derive(Debug)]
pub struct Confirmed {
    /// The paid order.
    pub payment: Payment,
    /// Whether an earlier confirm had paid it before this request came.
    pub replayed: bool,
}

/// What a confirm request that does not wait gets.
#[derive(Debug)]
pub enum Accepted {
    /// An earlier confirm paid the order.
    Answered(Box<Confirmed>),
    /// The payment is claimed, and the confirm goes on by itself.
    Running,
}

/// Why a confirm request gets no paid order.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// The payment says no, or not yet.
    #[error(transparent)]
    Payment(#[from] ConfirmError),
    /// The same confirm is still running and this request's time is over.
    #[error("the same confirm is still running")]
    StillRunning,
    /// Too many confirms are running; nothing was begun.
    #[error("too many confirms are running")]
    Overloaded,
}

struct Running {
    payment_key: PaymentKey,
    outcome: Awaited,
}

/// Runs confirms and lets requests wait for them.
pub struct ConfirmDesk {
    payments: Arc<dyn PaymentReceiver>,
    running: Arc<Mutex<HashMap<OrderId, Running>>>,
    room: Arc<Semaphore>,
    tasks: TaskTracker,
    runtime: Handle,
    clock: Arc<dyn Clock>,
    wait: Duration,
}

impl ConfirmDesk {
    /// A desk whose tasks run on `runtime`, at most `in_flight_max` at once, and whose requests
    /// wait for `wait`.
    pub fn new(
        payments: Arc<dyn PaymentReceiver>,
        tasks: TaskTracker,
        runtime: Handle,
        clock: Arc<dyn Clock>,
        wait: Duration,
        in_flight_max: usize,
    ) -> Self {
        let room = Arc::new(Semaphore::new(in_flight_max.min(Semaphore::MAX_PERMITS)));
        Self {
            payments,
            running: Arc::default(),
            room,
            tasks,
            runtime,
            clock,
            wait,
        }
    }

    /// How many confirms run here.
    pub fn in_flight(&self) -> usize {
        self.running().len()
    }

    /// Examines the command, joins or begins its confirm, and waits for the outcome.
    pub async fn confirm(&self, command: &ConfirmCommand) -> Result<Confirmed, DeskError> {
        let deadline = Instant::now() + self.wait;
        let mut waited = false;
        loop {
            match self.payments.examine(command).await? {
                Examined::Answered(ConfirmOutcome { payment, .. }) => {
                    return Ok(Confirmed {
                        payment: *payment,
                        replayed: !waited,
                    });
                }
                Examined::Payable(payment) => {
                    let (outcome, began) = self.join_or_begin(*payment, &command.payment_key)?;
                    match await_outcome(outcome, deadline).await {
                        Some(Err(ConfirmError::LostClaim)) => {}
                        Some(outcome) => return Ok(confirmed(outcome?)),
                        None if began => return Err(ConfirmError::Undecided.into()),
                        None => return Err(DeskError::StillRunning),
                    }
                }
                examined @ (Examined::Running | Examined::Overdue(_)) => {
                    if let Some(outcome) = self.join(&command.order_id, &command.payment_key)? {
                        match await_outcome(outcome, deadline).await {
                            Some(Err(ConfirmError::LostClaim)) => {}
                            Some(outcome) => return Ok(confirmed(outcome?)),
                            None => return Err(DeskError::StillRunning),
                        }
                    } else if let Examined::Overdue(payment) = examined
                        && !self.repair(&payment).await
                    {
                        return Err(ConfirmError::Undecided.into());
                    }
                }
            }
            // It runs on another instance, ended between two looks, or was recovered.
            if Instant::now() + POLL >= deadline {
                return Err(DeskError::StillRunning);
            }
            waited = true;
            tokio::time::sleep(POLL).await;
        }
    }

    /// Examines the command and joins or begins its confirm like [`ConfirmDesk::confirm`], and
    /// returns as soon as the payment is claimed: what refuses without having written anything is
    /// still told.
    pub async fn accept(&self, command: &ConfirmCommand) -> Result<Accepted, DeskError> {
        let deadline = Instant::now() + self.wait;
        loop {
            match self.payments.examine(command).await? {
                Examined::Answered(ConfirmOutcome { payment, .. }) => {
                    let (payment, replayed) = (*payment, true);
                    let confirmed = Confirmed { payment, replayed };
                    return Ok(Accepted::Answered(Box::new(confirmed)));
                }
                Examined::Running => return Ok(Accepted::Running),
                Examined::Overdue(payment) => {
                    // Once is enough to begin the work, which goes on by itself.
                    let _begun = self.repair(&payment).now_or_never();
                    return Ok(Accepted::Running);
                }
                Examined::Payable(payment) => {
                    let (outcome, _) = self.join_or_begin(*payment, &command.payment_key)?;
                    match self.until_claimed(command, outcome, deadline).await {
                        Err(ConfirmError::LostClaim) if Instant::now() + POLL < deadline => {
                            tokio::time::sleep(POLL).await;
                        }
                        claimed => return Ok(claimed.map(|()| Accepted::Running)?),
                    }
                }
            }
        }
    }

    /// Waits until a confirm that runs here has claimed its payment, or tells why it never did.
    /// Nobody says when; the payment itself shows it.
    async fn until_claimed(
        &self,
        command: &ConfirmCommand,
        outcome: Awaited,
        deadline: Instant,
    ) -> Result<(), ConfirmError> {
        loop {
            let next_look = Instant::now() + CLAIM_LOOK;
            match await_outcome(outcome.clone(), next_look).await {
                Some(Err(error)) if wrote_nothing(&error) => return Err(error),
                Some(Ok(_) | Err(_)) => return Ok(()),
                None => {}
            }
            match self.payments.examine(command).await {
                Ok(Examined::Payable(_)) | Err(ConfirmError::Store(_)) => {}
                Ok(Examined::Running | Examined::Overdue(_) | Examined::Answered(_)) | Err(_) => {
                    return Ok(());
                }
            }
            if Instant::now() >= deadline {
                return Err(ConfirmError::Undecided);
            }
        }
    }

    /// Does a read payment's due work at once instead of waiting for the worker, and tells whether
    /// it is worth reading again. The work goes on when the wait is over.
    pub async fn repair(&self, payment: &Payment) -> bool {
        if !payment.is_due(self.clock.now()) || payment.status.is_final() {
            return false;
        }
        let (payments, order_id) = (Arc::clone(&self.payments), payment.order_id.clone());
        let task = async move {
            if let Err(error) = payments.recover(&order_id).await {
                tracing::warn!(%order_id, %error, "a due payment waits for the database");
            }
        };
        let task = self.tasks.spawn_on(task, &self.runtime);
        tokio::time::timeout(REPAIR_WAIT, task).await.is_ok()
    }

    fn running(&self) -> MutexGuard<'_, HashMap<OrderId, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn join(
        &self,
        order_id: &OrderId,
        payment_key: &PaymentKey,
    ) -> Result<Option<Awaited>, DeskError> {
        match self.running().get(order_id) {
            Some(running) if running.payment_key == *payment_key => {
                Ok(Some(running.outcome.clone()))
            }
            Some(_) => Err(ConfirmError::WrongPaymentKey.into()),
            None => Ok(None),
        }
    }

    fn join_or_begin(
        &self,
        payment: Payment,
        payment_key: &PaymentKey,
    ) -> Result<(Awaited, bool), DeskError> {
        let mut running = self.running();
        if let Some(entry) = running.get(&payment.order_id) {
            if entry.payment_key != *payment_key {
                return Err(ConfirmError::WrongPaymentKey.into());
            }
            return Ok((entry.outcome.clone(), false));
        }
        let permit = Arc::clone(&self.room)
            .try_acquire_owned()
            .map_err(|_| DeskError::Overloaded)?;
        let (publish, published) = oneshot::channel();
        // A task that died without an outcome (a panic) leaves its payment to recovery.
        let outcome = published
            .map(|outcome| outcome.unwrap_or(Err(ConfirmError::Undecided)))
            .boxed()
            .shared();
        let entry = Running {
            payment_key: payment_key.clone(),
            outcome: outcome.clone(),
        };
        running.insert(payment.order_id.clone(), entry);
        drop(running);
        self.begin(payment, payment_key.clone(), publish, permit);
        Ok((outcome, true))
    }

    /// One confirm on a task of its own. Whatever happens to it, it leaves the desk.
    fn begin(
        &self,
        payment: Payment,
        payment_key: PaymentKey,
        publish: oneshot::Sender<Outcome>,
        permit: OwnedSemaphorePermit,
    ) {
        let seat = Seat {
            running: Arc::clone(&self.running),
            order_id: payment.order_id.clone(),
        };
        let payments = Arc::clone(&self.payments);
        let task = async move {
            let _permit = permit;
            let outcome = payments.confirm(payment, payment_key).await;
            let sale = match &outcome {
                Ok(outcome) => outcome.undelivered.clone(),
                Err(_) => None,
            };
            // Nobody need be waiting any more.
            drop(publish.send(outcome));
            drop(seat);
            if let Some(sale) = sale
                && let Err(error) = payments.deliver_message(&sale).await
            {
                let order_id = sale.key.order_id;
                tracing::warn!(%order_id, %error, "stock is marked as sold later, by the outbox");
            }
        };
        self.tasks.spawn_on(task, &self.runtime);
    }
}

/// A running confirm's place at the desk, given up when the task ends, also by a panic.
struct Seat {
    running: Arc<Mutex<HashMap<OrderId, Running>>>,
    order_id: OrderId,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.order_id);
    }
}

fn confirmed(outcome: ConfirmOutcome) -> Confirmed {
    Confirmed {
        payment: *outcome.payment,
        replayed: false,
    }
}

/// Whether a confirm that ends so has left its payment as it was.
fn wrote_nothing(error: &ConfirmError) -> bool {
    match error {
        ConfirmError::UnknownOrder(_)
        | ConfirmError::WrongUser
        | ConfirmError::AmountDiffers
        | ConfirmError::NotPayable(_)
        | ConfirmError::GatewayClosed
        | ConfirmError::LostClaim
        | ConfirmError::Store(_) => true,
        ConfirmError::WrongPaymentKey
        | ConfirmError::StockShort(_)
        | ConfirmError::Declined { .. }
        | ConfirmError::Undecided
        | ConfirmError::Misconfigured { .. } => false,
    }
}

/// The outcome, or `None` when the time is over.
async fn await_outcome(outcome: Awaited, deadline: Instant) -> Option<Outcome> {
    tokio::time::timeout_at(deadline, outcome).await.ok()
}

#[cfg(test)]
mod tests {
    use kernel::SystemClock;
    use payment_domain::MockPaymentReceiver;
    use payment_domain::model::{OutboxKey, OutboxMessage, PaymentStatus, StockInstruction};
    use payment_domain::testing::{payment, payment_key};

    use super::*;

    fn command(key: &str) -> ConfirmCommand {
        let payment = payment();
        ConfirmCommand {
            user_id: payment.buyer.user_id,
            order_id: payment.order_id,
            amount: payment.total,
            payment_key: payment_key(key),
        }
    }

    /// What the confirm leaves to be told.
    fn sale() -> OutboxMessage {
        let payment = payment();
        OutboxMessage {
            key: OutboxKey {
                order_id: payment.order_id,
                fence: payment.fence,
            },
            instruction: StockInstruction::Sell,
            due_at: payment.created_at,
            failures: 0,
        }
    }

    /// A desk over a payment that every examination still finds payable, and that may be confirmed
    /// once.
    fn desk() -> ConfirmDesk {
        let mut payments = MockPaymentReceiver::new();
        payments
            .expect_examine()
            .returning(|_| Ok(Examined::Payable(Box::new(payment()))));
        payments.expect_confirm().times(1).returning(|payment, _| {
            let payment = Box::new(payment);
            let undelivered = Some(sale());
            Ok(ConfirmOutcome {
                payment,
                undelivered,
            })
        });
        payments
            .expect_deliver_message()
            .withf(|message| *message == sale())
            .returning(|_| Ok(()));
        ConfirmDesk::new(
            Arc::new(payments),
            TaskTracker::new(),
            Handle::current(),
            Arc::new(SystemClock),
            Duration::from_secs(30),
            10,
        )
    }

    #[tokio::test]
    async fn identical_confirms_that_come_at_once_run_once() {
        let (desk, command) = (desk(), command("key"));
        let both = futures::future::join(desk.confirm(&command), desk.confirm(&command));
        let (first, second) = both.await;
        assert_eq!(first.unwrap().payment, payment());
        assert_eq!(second.unwrap().payment, payment());
    }

    #[tokio::test]
    async fn a_confirm_with_another_key_does_not_join_the_running_one() {
        let (desk, one, two) = (desk(), command("one"), command("two"));
        let both = futures::future::join(desk.confirm(&one), desk.confirm(&two));
        let (first, second) = both.await;
        assert_eq!(first.unwrap().payment, payment());
        assert!(matches!(
            second,
            Err(DeskError::Payment(ConfirmError::WrongPaymentKey))
        ));
    }

    /// A desk over this receiver.
    fn desk_of(payments: MockPaymentReceiver) -> ConfirmDesk {
        ConfirmDesk::new(
            Arc::new(payments),
            TaskTracker::new(),
            Handle::current(),
            Arc::new(SystemClock),
            Duration::from_secs(30),
            10,
        )
    }

    #[tokio::test]
    async fn a_confirm_that_nobody_waits_for_is_accepted() {
        let (desk, command) = (desk(), command("key"));
        let accepted = desk.accept(&command).await;
        assert!(matches!(accepted, Ok(Accepted::Running)), "{accepted:?}");
    }

    #[tokio::test]
    async fn a_refusal_before_the_claim_is_told_to_those_who_do_not_wait() {
        for (refusal, told) in [
            (ConfirmError::GatewayClosed, true),
            (ConfirmError::NotPayable(PaymentStatus::Expired), true),
            (
                ConfirmError::StockShort(payment().lines[0].product_id),
                false,
            ),
            (ConfirmError::Undecided, false),
        ] {
            let mut payments = MockPaymentReceiver::new();
            payments
                .expect_examine()
                .returning(|_| Ok(Examined::Payable(Box::new(payment()))));
            let answer = refusal.clone();
            payments
                .expect_confirm()
                .times(1)
                .returning(move |_, _| Err(answer.clone()));
            let accepted = desk_of(payments).accept(&command("key")).await;
            assert_eq!(accepted.is_err(), told, "{refusal}: {accepted:?}");
        }
    }

    #[tokio::test]
    async fn whoever_does_not_wait_hears_of_an_earlier_success_at_once() {
        let mut payments = MockPaymentReceiver::new();
        payments.expect_examine().times(1).returning(|_| {
            Ok(Examined::Answered(ConfirmOutcome {
                payment: Box::new(payment()),
                undelivered: None,
            }))
        });
        let accepted = desk_of(payments).accept(&command("key")).await;
        assert!(matches!(accepted, Ok(Accepted::Answered(confirmed)) if confirmed.replayed));
    }
}
