//! Recovery: every payment with something due is driven **forward** until it is decided.

use kernel::{OrderId, StoreError};

use super::PaymentService;
use super::confirm::request;
use super::disagree::book;
use super::orphan::{Search, orphan_look};
use crate::model::{
    AttemptPurpose, Change, GatewayPayment, Payment, PaymentFact, PaymentStatus, StockInstruction,
    Verdict, judge,
};
use crate::port::{Applied, HoldReply, LookUp};
use crate::receiver::{ConfirmError, ConfirmOutcome, ReadError};

/// How many looks in a row must find nothing before Toss is taken at its word: its first
/// `NOT_FOUND_PAYMENT` may only be late.
const ABSENCES_MIN: u32 = 2;

impl PaymentService {
    pub(super) async fn recover_payment(&self, order_id: &OrderId) -> Result<(), StoreError> {
        let Some(payment) = self.ports.payments.find(order_id).await? else {
            return Ok(());
        };
        if !payment.is_due(self.ports.clock.now()) {
            return Ok(());
        }
        match payment.status {
            PaymentStatus::Ready => self.expire(&payment).await,
            PaymentStatus::InProgress
            | PaymentStatus::Unknown
            | PaymentStatus::WaitingForDeposit => self.look_now(&payment).await,
            PaymentStatus::Failed | PaymentStatus::Expired => {
                self.seek_orphan(&payment, Search::Keys).await
            }
            PaymentStatus::Done | PaymentStatus::PartialCanceled => {
                self.recover_paid(&payment).await
            }
            PaymentStatus::Canceled | PaymentStatus::Quarantined => Ok(()),
        }
    }

    /// An operator's wish: look now, due or not, also at an order that has ended, for money that
    /// came after all. A confirm that still owns its lease is left alone; it asks Toss itself.
    pub(super) async fn recover_payment_now(&self, order_id: &OrderId) -> Result<(), ReadError> {
        let payment = self.ports.payments.find(order_id).await?;
        let payment = payment.ok_or_else(|| ReadError::UnknownOrder(order_id.clone()))?;
        match payment.status {
            PaymentStatus::Unknown | PaymentStatus::WaitingForDeposit => {
                self.look_now(&payment).await?;
            }
            PaymentStatus::Failed | PaymentStatus::Expired => {
                self.seek_orphan(&payment, Search::KeysAndOrder).await?;
            }
            // A cancel that owns its lease asks Toss itself; else Toss is asked what it gave back.
            PaymentStatus::Done | PaymentStatus::PartialCanceled => {
                let now = self.ports.clock.now();
                if payment.due_at.is_none_or(|due| due <= now) {
                    self.recover_paid(&payment).await?;
                }
            }
            PaymentStatus::Ready
            | PaymentStatus::InProgress
            | PaymentStatus::Canceled
            | PaymentStatus::Quarantined => self.recover_payment(order_id).await?,
        }
        Ok(())
    }

    /// Takes an undecided payment and asks Toss.
    async fn look_now(&self, payment: &Payment) -> Result<(), StoreError> {
        let waiting = payment.status == PaymentStatus::WaitingForDeposit;
        let looks = if waiting {
            payment.looks
        } else {
            payment.looks.saturating_add(1)
        };
        let Some(owned) = self
            .start_look(payment, PaymentFact::LookStarted, looks)
            .await?
        else {
            return Ok(());
        };
        let outcome = if waiting {
            self.poll_deposit(&owned).await
        } else {
            self.look(&owned).await
        };
        if let Err(ConfirmError::Store(error)) = outcome {
            tracing::warn!(%error, "recovery stopped halfway; the lease brings the payment back");
        }
        Ok(())
    }

    async fn expire(&self, payment: &Payment) -> Result<(), StoreError> {
        let now = self.ports.clock.now();
        let Ok(mut change) = payment.change(PaymentFact::CheckoutLapsed, now) else {
            return Ok(());
        };
        change.after.due_at = orphan_look(payment, now, &self.policy);
        let change = self.with_news(change);
        self.ports.payments.apply(&change).await.map(drop)
    }

    /// Takes the payment under a lease of recovery's own; `None` when someone else was faster.
    pub(super) async fn start_look(
        &self,
        payment: &Payment,
        fact: PaymentFact,
        looks: u32,
    ) -> Result<Option<Payment>, StoreError> {
        let now = self.ports.clock.now();
        let Ok(mut change) = payment.change(fact, now) else {
            return Ok(None);
        };
        change.after.looks = looks;
        change.after.due_at = Some(now + self.policy.lease);
        match self.ports.payments.apply(&change).await? {
            Applied::Yes => Ok(Some(change.after)),
            Applied::Stale => Ok(None),
        }
    }

    /// Asks Toss what became of the payment, and acts on the answer.
    async fn look(&self, payment: &Payment) -> Result<ConfirmOutcome, ConfirmError> {
        match self.find_at_toss(payment).await {
            LookUp::Found(truth) => self.act_on(payment, &truth).await,
            LookUp::Absent => {
                let mut payment = payment.clone();
                payment.absences += 1;
                if payment.absences >= ABSENCES_MIN && !self.is_being_undone(&payment).await? {
                    self.settle_never_seen(&payment, None).await
                } else {
                    self.settle_undecided(&payment, None, "Toss shows no such payment")
                        .await
                }
            }
            LookUp::Unavailable { reason } => self.settle_undecided(payment, None, &reason).await,
        }
    }

    /// By payment key, the exact question; by order id where Toss does not know the key. Another
    /// payment of the order counts only when money moved under it: a window that is open or dead
    /// says nothing about ours, which Toss may only be late to show.
    pub(super) async fn find_at_toss(&self, payment: &Payment) -> LookUp {
        let Some(key) = &payment.payment_key else {
            return self.ports.gateway.look_up_order(&payment.order_id).await;
        };
        match self.ports.gateway.look_up(key).await {
            LookUp::Absent => {}
            answer @ (LookUp::Found(_) | LookUp::Unavailable { .. }) => return answer,
        }
        match self.ports.gateway.look_up_order(&payment.order_id).await {
            LookUp::Found(other)
                if other.payment_key != key.as_str()
                    && matches!(
                        judge(payment, &other),
                        Verdict::Approvable | Verdict::Dead { .. }
                    ) =>
            {
                LookUp::Absent
            }
            answer => answer,
        }
    }

    async fn act_on(
        &self,
        payment: &Payment,
        truth: &GatewayPayment,
    ) -> Result<ConfirmOutcome, ConfirmError> {
        let seen = Payment {
            absences: 0,
            ..payment.clone()
        };
        let verdict = judge(&seen, truth);
        if self.is_being_undone(&seen).await? {
            return self.undo(&seen, truth, verdict).await;
        }
        match verdict {
            Verdict::Approved => self.settle_found(&seen, truth, PaymentFact::Approved).await,
            Verdict::DepositAwaited => {
                self.settle_found(&seen, truth, PaymentFact::DepositAwaited)
                    .await
            }
            Verdict::Approvable => self.approve_again(&seen).await,
            Verdict::Dead { code, message } => {
                self.settle_declined(&seen, None, &code, &message).await
            }
            Verdict::OtherOrder => self.settle_never_seen(&seen, None).await,
            Verdict::Disagreement(what) => {
                self.settle_disagreement(&seen, None, truth, &what).await
            }
            Verdict::Unreadable(status) => self.settle_undecided(&seen, None, &status).await,
        }
    }

    /// Toss approved while nobody waited for it. The stock may have gone back meanwhile, on Toss's
    /// own word that there was no payment, so it is held again before the order counts as paid; when
    /// it is gone, so is the order, and the money is given back.
    async fn settle_found(
        &self,
        payment: &Payment,
        truth: &GatewayPayment,
        fact: PaymentFact,
    ) -> Result<ConfirmOutcome, ConfirmError> {
        match self.hold_stock(payment).await? {
            HoldReply::Held => self.settle_paid(payment, None, truth, fact).await,
            HoldReply::Short(product_id) => {
                let what = format!("Toss approved, and product {product_id} is short of stock");
                self.settle_disagreement(payment, None, truth, &what).await
            }
            HoldReply::Superseded => Err(ConfirmError::Undecided),
        }
    }

    /// Toss has not approved yet and still can: take stock and ask, under the same key after
    /// silence, under a new one after a decoded error.
    async fn approve_again(&self, payment: &Payment) -> Result<ConfirmOutcome, ConfirmError> {
        let Some(payment_key) = payment.payment_key.clone() else {
            return self.settle_undecided(payment, None, "no payment key").await;
        };
        // Toss has just told the truth, so there is no reason to give up on it: what is sent now is
        // looked at once more, and Toss's own time limit ends this.
        let payment = Payment {
            looks: payment
                .looks
                .min(self.policy.recovery_limit.saturating_sub(1)),
            ..payment.clone()
        };
        let (payment, number) = self.attempt_for(&payment, AttemptPurpose::Confirm).await?;
        match self.hold_stock(&payment).await? {
            HoldReply::Held => {}
            HoldReply::Short(product_id) => {
                return self.settle_stock_short(&payment, number, product_id).await;
            }
            HoldReply::Superseded => return Err(ConfirmError::Undecided),
        }
        let answer = self
            .ports
            .gateway
            .confirm(&request(&payment, payment_key, number))
            .await;
        self.settle_answer(&payment, number, answer).await
    }

    /// The change that stores a new attempt; `None` when the payment has no key.
    pub(super) fn new_attempt(
        &self,
        payment: &Payment,
        purpose: AttemptPurpose,
    ) -> Result<Option<Change>, ConfirmError> {
        let Some(payment_key) = payment.payment_key.clone() else {
            return Ok(None);
        };
        let now = self.ports.clock.now();
        let mut change = self.change(payment, PaymentFact::AttemptStarted)?;
        change.after.due_at = Some(now + self.policy.lease);
        change.begin_attempt(purpose, payment_key, payment.total);
        Ok(Some(change))
    }

    /// Toss sends nothing when a virtual account lapses, so deposits are also polled for.
    async fn poll_deposit(&self, payment: &Payment) -> Result<ConfirmOutcome, ConfirmError> {
        let LookUp::Found(truth) = self.find_at_toss(payment).await else {
            return self.poll_later(payment).await;
        };
        match judge(payment, &truth) {
            Verdict::Approved => {
                self.settle_paid(payment, None, &truth, PaymentFact::Deposited)
                    .await
            }
            Verdict::Dead { .. } => {
                let mut change = self.change(payment, PaymentFact::DepositLapsed)?;
                change.stock = Some(StockInstruction::Release);
                self.store_settled(change, None).await
            }
            Verdict::Disagreement(what) => {
                let mut change = self.change(payment, PaymentFact::Quarantined)?;
                change.history.note = Some(what);
                book(&mut change, &truth);
                self.store_settled(change, None).await
            }
            Verdict::DepositAwaited
            | Verdict::Approvable
            | Verdict::OtherOrder
            | Verdict::Unreadable(_) => self.poll_later(payment).await,
        }
    }

    async fn poll_later(&self, payment: &Payment) -> Result<ConfirmOutcome, ConfirmError> {
        let mut change = self.change(payment, PaymentFact::AnswerMissing)?;
        change.after.due_at = Some(self.ports.clock.now() + self.policy.deposit_poll);
        self.store_settled(change, None).await
    }
}
