//! Deliberate bugs, put between the use cases and their ports: what the judge must catch.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use std::time::Duration;

use async_trait::async_trait;
use kernel::{
    Fence, IdempotencyKey, Money, OrderId, PaymentKey, ProductId, StoreError, Timestamp, UserId,
};
use payment_domain::model::{
    Attempt, AttemptKey, Cancel, Change, Failure, FailureKind, HistoryEntry, OutboxKey,
    OutboxMessage, Payment, PaymentFact, PaymentStatus, RestockLine, StockInstruction, Transaction,
};
use payment_domain::port::{
    Applied, CancelRequest, CheckoutKey, ConfirmRequest, DuePayment, GatewayAnswer,
    GatewayRejection, HoldReply, HoldRequest, Inserted, LookUp, PaymentGateway, PaymentRepository,
    PricedProduct, ProductPort, RejectionKind, Vitals,
};
use payment_domain::{ConfirmError, ConfirmOutcome, Ports};

use crate::staff::BEING_RESOLVED;
use crate::world::World;

/// A deliberate bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mutant {
    /// A stale change is stored all the same: the update has no predicate.
    NoFence,
    /// A claim or look makes nothing due: after a crash nobody comes back.
    NoLease,
    /// A lease that is over at once.
    LeaseTooShort,
    /// An undecided payment is failed after two looks.
    UnknownToFailed,
    /// A new idempotency key with every request, at a bank that charges once per key.
    NewKeyAfterSilence,
    /// One idempotency key per order for good, also after a decoded error.
    OneKeyForever,
    /// Stock goes back when the outcome is not known yet.
    ReleaseBeforeSettle,
    /// A release takes back stock that was held after it.
    ReleaseIgnoresFence,
    /// A repeated release gives a piece back again.
    ReleaseTwice,
    /// A late hold ignores the tombstone.
    NoTombstone,
    /// Stock is never taken.
    HoldSkipped,
    /// No message is written for the stock.
    OutboxForgotten,
    /// Whatever amount the buyer authenticated is taken for the order's.
    IgnoreAmount,
    /// A lost answer counts as a decline.
    SilenceIsDecline,
    /// An error that leaves all open counts as a decline.
    UnclearIsDecline,
    /// The first look that finds nothing is believed.
    AbsentAtOnce,
    /// An approval books no money.
    NoTransaction,
    /// The gateway is asked while a repository call is open.
    AskInsideTransaction,
    /// The bank is asked about an order before the request is checked.
    AskBeforeCheck,
    /// The breaker is asked after the claim, not before.
    BreakerAfterClaim,
    /// Nobody looks at an ended order again.
    NoOrphanLook,
    /// An operator's word is taken without asking the bank.
    ResolveUnasked,
    /// A checkout is stored without its idempotency key.
    CheckoutKeyForgotten,
}

impl Mutant {
    /// Every mutant.
    pub const ALL: [Self; 23] = [
        Self::NoFence,
        Self::NoLease,
        Self::LeaseTooShort,
        Self::UnknownToFailed,
        Self::NewKeyAfterSilence,
        Self::OneKeyForever,
        Self::ReleaseBeforeSettle,
        Self::ReleaseIgnoresFence,
        Self::ReleaseTwice,
        Self::NoTombstone,
        Self::HoldSkipped,
        Self::OutboxForgotten,
        Self::IgnoreAmount,
        Self::SilenceIsDecline,
        Self::UnclearIsDecline,
        Self::AbsentAtOnce,
        Self::NoTransaction,
        Self::AskInsideTransaction,
        Self::AskBeforeCheck,
        Self::BreakerAfterClaim,
        Self::NoOrphanLook,
        Self::ResolveUnasked,
        Self::CheckoutKeyForgotten,
    ];
}

impl FromStr for Mutant {
    type Err = UnknownMutant;

    fn from_str(text: &str) -> Result<Self, UnknownMutant> {
        let mut all = Self::ALL.into_iter();
        all.find(|mutant| mutant.to_string() == text)
            .ok_or(UnknownMutant)
    }
}

/// No mutant has this name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownMutant;

impl fmt::Display for UnknownMutant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the mutants are {:?}", Mutant::ALL)
    }
}

impl std::error::Error for UnknownMutant {}

impl fmt::Display for Mutant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Puts the schedule's bug into these ports.
pub(crate) fn infect(world: &Arc<World>, ports: Ports) -> Ports {
    let Some(mutant) = world.schedule.mutant else {
        return ports;
    };
    let infected = Arc::new(Infected {
        world: Arc::clone(world),
        mutant,
        sound: ports.clone(),
        released: Mutex::default(),
    });
    Ports {
        payments: Arc::clone(&infected) as _,
        products: Arc::clone(&infected) as _,
        gateway: infected,
        ..ports
    }
}

/// What a confirm answers, with the schedule's bug in it.
pub(crate) fn answer(
    world: &World,
    order_id: &OrderId,
    outcome: Result<ConfirmOutcome, ConfirmError>,
) -> Result<ConfirmOutcome, ConfirmError> {
    match outcome {
        Err(ConfirmError::Undecided) if world.is_marked(order_id, SHUT_OUT) => {
            Err(ConfirmError::GatewayClosed)
        }
        outcome => outcome,
    }
}

/// The mark of an order that was claimed while the breaker was open.
const SHUT_OUT: &str = "claimed while the breaker was open";

struct Infected {
    world: Arc<World>,
    mutant: Mutant,
    sound: Ports,
    released: Mutex<BTreeSet<OrderId>>,
}

impl Infected {
    fn is_taken_at_their_word(&self, order_id: &OrderId) -> bool {
        self.mutant == Mutant::ResolveUnasked && self.world.is_marked(order_id, BEING_RESOLVED)
    }

    /// The change with the bug in it.
    fn twisted(&self, change: &Change) -> Change {
        let mut change = change.clone();
        let fact = change.history.fact;
        let takes_a_lease = matches!(
            fact,
            PaymentFact::Claimed | PaymentFact::LookStarted | PaymentFact::AttemptStarted
        );
        match self.mutant {
            Mutant::NoLease if takes_a_lease => change.after.due_at = None,
            Mutant::LeaseTooShort if takes_a_lease => {
                change.after.due_at = Some(change.history.at);
            }
            Mutant::UnknownToFailed
                if fact == PaymentFact::AnswerMissing && change.after.looks >= 2 =>
            {
                become_fact(&mut change, PaymentFact::Declined, PaymentStatus::Failed);
                change.after.due_at = None;
                change.after.failure = Some(Failure {
                    kind: FailureKind::Declined,
                    code: "GAVE_UP".to_owned(),
                    message: String::new(),
                });
            }
            Mutant::AbsentAtOnce
                if fact == PaymentFact::AnswerMissing && change.after.absences == 1 =>
            {
                become_fact(&mut change, PaymentFact::NeverSeen, PaymentStatus::Ready);
                change.after.payment_key = None;
                change.after.looks = 0;
                change.after.absences = 0;
                change.after.due_at = Some(change.after.expires_at);
            }
            Mutant::OutboxForgotten => change.stock = None,
            Mutant::NoTransaction => change.transaction = None,
            Mutant::NoOrphanLook
                if matches!(
                    change.after.status,
                    PaymentStatus::Failed | PaymentStatus::Expired
                ) =>
            {
                change.after.due_at = None;
            }
            _ => {}
        }
        change
    }
}

fn become_fact(change: &mut Change, fact: PaymentFact, to: PaymentStatus) {
    change.history.fact = fact;
    change.history.to = to;
    change.after.status = to;
    change.stock = Some(StockInstruction::Release);
}

fn declined() -> GatewayAnswer {
    GatewayAnswer::Rejected(GatewayRejection {
        kind: RejectionKind::Declined,
        code: "TAKEN_FOR_A_DECLINE".to_owned(),
        message: String::new(),
        trace_id: None,
    })
}

#[async_trait]
impl PaymentRepository for Infected {
    async fn insert<'a>(
        &self,
        payment: &Payment,
        key: Option<&'a CheckoutKey>,
    ) -> Result<Inserted, StoreError> {
        let key = key.filter(|_| self.mutant != Mutant::CheckoutKeyForgotten);
        self.sound.payments.insert(payment, key).await
    }

    async fn find_checkout(
        &self,
        user_id: UserId,
        key: &IdempotencyKey,
    ) -> Result<Option<(OrderId, String)>, StoreError> {
        self.sound.payments.find_checkout(user_id, key).await
    }

    async fn find(&self, order_id: &OrderId) -> Result<Option<Payment>, StoreError> {
        let found = self.sound.payments.find(order_id).await?;
        if self.mutant == Mutant::AskBeforeCheck
            && let Some(payment) = &found
            && payment.status == PaymentStatus::Ready
            && self.world.is_marked(order_id, crate::judge::PROBE)
        {
            // Whoever asks, the order is touched.
            let call = crate::bank::Call::look(order_id);
            crate::bank::carry(
                Arc::clone(&self.world),
                call,
                None,
                std::time::Duration::ZERO,
                None,
                None,
            )
            .await;
        }
        Ok(found)
    }

    async fn apply(&self, change: &Change) -> Result<Applied, StoreError> {
        let payments = &self.sound.payments;
        let change = self.twisted(change);
        let id = &change.after.order_id;
        if self.mutant == Mutant::AskInsideTransaction {
            let inside = self.world.enter("apply");
            drop(self.sound.gateway.look_up_order(id).await);
            drop(inside);
        }
        if self.mutant == Mutant::ReleaseBeforeSettle
            && change.history.fact == PaymentFact::AnswerMissing
        {
            self.sound.products.release(id, change.after.fence).await?;
        }
        let applied = payments.apply(&change).await?;
        if self.mutant != Mutant::NoFence || applied == Applied::Yes {
            return Ok(applied);
        }
        let Some(current) = payments.find(id).await? else {
            return Ok(applied);
        };
        let mut forced = change;
        forced.expected_status = current.status;
        forced.expected_fence = current.fence;
        forced.after.fence = current.fence.next();
        forced.history.fence = forced.after.fence;
        forced.history.from = Some(current.status);
        payments.apply(&forced).await
    }

    async fn due(
        &self,
        now: Timestamp,
        after: Option<DuePayment>,
        limit: u32,
    ) -> Result<Vec<DuePayment>, StoreError> {
        self.sound.payments.due(now, after, limit).await
    }

    async fn hasten(
        &self,
        longer_than: Duration,
        now: Timestamp,
        limit: u32,
    ) -> Result<usize, StoreError> {
        self.sound.payments.hasten(longer_than, now, limit).await
    }

    async fn vitals(&self, now: Timestamp) -> Result<Vitals, StoreError> {
        self.sound.payments.vitals(now).await
    }

    async fn attempts(&self, order_id: &OrderId) -> Result<Vec<Attempt>, StoreError> {
        self.sound.payments.attempts(order_id).await
    }

    async fn cancels(&self, order_id: &OrderId) -> Result<Vec<Cancel>, StoreError> {
        self.sound.payments.cancels(order_id).await
    }

    async fn history(&self, order_id: &OrderId) -> Result<Vec<HistoryEntry>, StoreError> {
        self.sound.payments.history(order_id).await
    }

    async fn transactions(&self, order_id: &OrderId) -> Result<Vec<Transaction>, StoreError> {
        self.sound.payments.transactions(order_id).await
    }

    async fn due_messages(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<OutboxMessage>, StoreError> {
        self.sound.payments.due_messages(now, limit).await
    }

    async fn messages_of(&self, order_id: &OrderId) -> Result<Vec<OutboxMessage>, StoreError> {
        self.sound.payments.messages_of(order_id).await
    }

    async fn message_delivered(&self, key: &OutboxKey) -> Result<(), StoreError> {
        self.sound.payments.message_delivered(key).await
    }

    async fn message_failed(&self, key: &OutboxKey, retry_at: Timestamp) -> Result<(), StoreError> {
        self.sound.payments.message_failed(key, retry_at).await
    }
}

#[async_trait]
impl ProductPort for Infected {
    async fn price(&self, ids: &[ProductId]) -> Result<Vec<PricedProduct>, StoreError> {
        self.sound.products.price(ids).await
    }

    async fn hold(&self, request: &HoldRequest) -> Result<HoldReply, StoreError> {
        let mut request = request.clone();
        match self.mutant {
            Mutant::HoldSkipped => return Ok(HoldReply::Held),
            Mutant::NoTombstone => {
                request.fence = Fence::from_stored(request.fence.get() + 1_000);
            }
            _ => {}
        }
        self.sound.products.hold(&request).await
    }

    async fn release(&self, order_id: &OrderId, fence: Fence) -> Result<(), StoreError> {
        let fence = if self.mutant == Mutant::ReleaseIgnoresFence {
            Fence::from_stored(fence.get() + 1_000)
        } else {
            fence
        };
        self.sound.products.release(order_id, fence).await?;
        let mut released = self.released.lock().unwrap_or_else(PoisonError::into_inner);
        if !released.insert(order_id.clone()) && self.mutant == Mutant::ReleaseTwice {
            self.world.judge.return_a_piece_too_many();
        }
        Ok(())
    }

    async fn restock(
        &self,
        order_id: &OrderId,
        fence: Fence,
        lines: &[RestockLine],
    ) -> Result<(), StoreError> {
        self.sound.products.restock(order_id, fence, lines).await
    }

    async fn sell(&self, order_id: &OrderId) -> Result<(), StoreError> {
        self.sound.products.sell(order_id).await
    }
}

#[async_trait]
impl PaymentGateway for Infected {
    fn admits(&self) -> bool {
        self.mutant == Mutant::BreakerAfterClaim || self.sound.gateway.admits()
    }

    async fn is_back(&self) -> bool {
        self.sound.gateway.is_back().await
    }

    async fn confirm(&self, request: &ConfirmRequest) -> GatewayAnswer {
        if self.mutant == Mutant::BreakerAfterClaim && !self.sound.gateway.admits() {
            self.world.mark(&request.order_id, SHUT_OUT);
            let reason = "the breaker is open".to_owned();
            return GatewayAnswer::NotSent { reason };
        }
        let mut request = request.clone();
        let total = request.amount;
        match self.mutant {
            Mutant::NewKeyAfterSilence => {
                let fresh = u32::try_from(self.world.below(1 << 30)).unwrap_or(0);
                request.key = AttemptKey::new(&request.order_id, fresh);
            }
            Mutant::OneKeyForever => request.key = AttemptKey::new(&request.order_id, 1),
            Mutant::IgnoreAmount => {
                let key = request.payment_key.as_str();
                let shown = self.world.bank.amount(&self.world, key);
                let shown = shown.and_then(|won| i64::try_from(won).ok());
                if let Some(amount) = shown.and_then(|won| Money::from_won(won).ok()) {
                    request.amount = amount;
                }
            }
            _ => {}
        }
        match (self.mutant, self.sound.gateway.confirm(&request).await) {
            (Mutant::SilenceIsDecline, GatewayAnswer::Unknown { .. }) => declined(),
            (Mutant::UnclearIsDecline, GatewayAnswer::Rejected(rejection))
                if rejection.kind == RejectionKind::Unclear =>
            {
                declined()
            }
            (
                Mutant::IgnoreAmount,
                GatewayAnswer::Done {
                    mut payment,
                    trace_id,
                },
            ) => {
                payment.total = Some(total);
                GatewayAnswer::Done { payment, trace_id }
            }
            (_, answer) => answer,
        }
    }

    async fn cancel(&self, request: &CancelRequest) -> GatewayAnswer {
        self.sound.gateway.cancel(request).await
    }

    async fn look_up(&self, payment_key: &PaymentKey) -> LookUp {
        let order_id = self.world.order_of_key(payment_key);
        if self.is_taken_at_their_word(&order_id) {
            return LookUp::Absent;
        }
        self.sound.gateway.look_up(payment_key).await
    }

    async fn look_up_order(&self, order_id: &OrderId) -> LookUp {
        if self.is_taken_at_their_word(order_id) {
            return LookUp::Absent;
        }
        self.sound.gateway.look_up_order(order_id).await
    }
}
