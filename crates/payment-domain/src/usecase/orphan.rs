//! Orphans: money at Toss for an order that has failed or expired, however it came about (an
//! approval that was under way for longer than anybody waited, a second window). A last look after
//! the end finds it, and it is given back.

use kernel::{Money, PaymentKey, StoreError, Timestamp};

use super::PaymentService;
use super::settle::{Finished, finished};
use crate::model::{
    AttemptKey, AttemptOutcome, AttemptPurpose, GatewayPayment, GatewayStatus, Payment,
    PaymentFact, Policy, StockInstruction, Transaction, TransactionKind,
};
use crate::port::{Applied, CancelRequest, GatewayAnswer, LookUp};
use crate::receiver::ConfirmError;

/// When to take the last look at an order that ends now; never, if Toss was never asked about it.
pub(super) fn orphan_look(payment: &Payment, now: Timestamp, policy: &Policy) -> Option<Timestamp> {
    (payment.attempts > 0).then(|| now + policy.orphan_look)
}

/// By what Toss is asked about an ended order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Search {
    /// By every payment key that was ever sent for it: all that this program can have caused.
    Keys,
    /// Also by its order id, for money that came some other way.
    KeysAndOrder,
}

/// What Toss holds of an ended order's money.
enum Sought {
    Nothing,
    Money(Box<GatewayPayment>),
    Unanswered,
}

impl PaymentService {
    pub(super) async fn seek_orphan(
        &self,
        payment: &Payment,
        search: Search,
    ) -> Result<(), StoreError> {
        // An operator may look early. The look that was to come still comes: only it is late enough
        // that nothing can follow.
        let still_to_come = payment.due_at.filter(|due| *due > self.ports.clock.now());
        let looks = payment.looks.saturating_add(1);
        let Some(owned) = self
            .start_look(payment, PaymentFact::OrphanSought, looks)
            .await?
        else {
            return Ok(());
        };
        let outcome = match self.seek_at_toss(&owned, search).await? {
            Sought::Nothing => self.close_books(&owned, None, still_to_come).await,
            Sought::Unanswered => self.seek_later(&owned, None).await,
            Sought::Money(truth) => self.return_orphan(&owned, &truth, still_to_come).await,
        };
        if let Err(error) = outcome {
            tracing::warn!(order_id = %payment.order_id, %error, "the last look stopped halfway; it is repeated");
        }
        Ok(())
    }

    async fn seek_at_toss(&self, payment: &Payment, search: Search) -> Result<Sought, StoreError> {
        let attempts = self.ports.payments.attempts(&payment.order_id).await?;
        let mut keys: Vec<&PaymentKey> = Vec::new();
        for attempt in &attempts {
            if !keys.contains(&&attempt.payment_key) {
                keys.push(&attempt.payment_key);
            }
        }
        let mut sought = Sought::Nothing;
        let mut money = |answer| match answer {
            LookUp::Found(truth) if holds_money(payment, &truth) => Some(truth),
            LookUp::Found(_) | LookUp::Absent => None,
            LookUp::Unavailable { .. } => {
                sought = Sought::Unanswered;
                None
            }
        };
        for key in keys {
            if let Some(truth) = money(self.ports.gateway.look_up(key).await) {
                return Ok(Sought::Money(truth));
            }
        }
        if search == Search::KeysAndOrder {
            let answer = self.ports.gateway.look_up_order(&payment.order_id).await;
            if let Some(truth) = money(answer) {
                return Ok(Sought::Money(truth));
            }
        }
        Ok(sought)
    }

    /// Records what Toss took, gives it back, and records that.
    async fn return_orphan(
        &self,
        payment: &Payment,
        truth: &GatewayPayment,
        next_look: Option<Timestamp>,
    ) -> Result<(), ConfirmError> {
        let order_id = &payment.order_id;
        tracing::error!(%order_id, status = %payment.status, "Toss holds money for an ended order; it is given back");
        let Ok(payment_key) = truth.payment_key.parse::<PaymentKey>() else {
            return self.seek_later(payment, None).await;
        };
        let Some((owned, number)) = self.store_orphan(payment, truth, &payment_key).await? else {
            return Ok(());
        };
        let request = CancelRequest {
            order_id: order_id.clone(),
            payment_key,
            reason: "종료된 주문의 결제 자동 취소".into(),
            part: None,
            refund_account: None,
            key: AttemptKey::new(order_id, number),
        };
        match self.ports.gateway.cancel(&request).await {
            GatewayAnswer::Done { trace_id, .. } => {
                let result = finished(AttemptOutcome::Approved, None, None, trace_id);
                self.close_books(&owned, Some((number, result)), next_look)
                    .await
            }
            GatewayAnswer::Rejected(rejection) => {
                // It may be canceled already: the next look tells.
                let (code, message) = (rejection.code.as_str(), rejection.message.as_str());
                let trace_id = rejection.trace_id.clone();
                let result = finished(AttemptOutcome::Unclear, Some(code), Some(message), trace_id);
                self.seek_later(&owned, Some((number, result))).await
            }
            GatewayAnswer::Unknown { reason } => {
                let result = finished(AttemptOutcome::Silent, None, Some(&reason), None);
                self.seek_later(&owned, Some((number, result))).await
            }
            GatewayAnswer::NotSent { reason } => {
                let result = finished(AttemptOutcome::NotSent, None, Some(&reason), None);
                self.seek_later(&owned, Some((number, result))).await
            }
        }
    }

    /// The money on the books, and the attempt to cancel under: the last one while its key is
    /// reusable, else a new one. `None` when someone else was faster.
    async fn store_orphan(
        &self,
        payment: &Payment,
        truth: &GatewayPayment,
        payment_key: &PaymentKey,
    ) -> Result<Option<(Payment, u32)>, ConfirmError> {
        let now = self.ports.clock.now();
        let mut change = self.change(payment, PaymentFact::OrphanFound)?;
        change.after.due_at = Some(now + self.policy.lease);
        if payment.balance == Money::ZERO
            && let Some(amount) = truth.balance.or(truth.total)
        {
            change.after.balance = amount;
            change.transaction = Some(Transaction {
                kind: TransactionKind::Approval,
                amount_won: amount.won(),
                transaction_key: truth.transaction_key.clone(),
                reason: None,
                at: truth.approved_at.unwrap_or(now),
            });
        }
        let attempts = self.ports.payments.attempts(&payment.order_id).await?;
        let last = attempts
            .iter()
            .rev()
            .find(|attempt| attempt.purpose == AttemptPurpose::Cancel);
        let number = match last {
            Some(last) if last.key_is_reusable() && last.payment_key == *payment_key => last.number,
            Some(_) | None => {
                let amount = truth.balance.or(truth.total).unwrap_or(payment.total);
                change.begin_attempt(AttemptPurpose::Cancel, payment_key.clone(), amount)
            }
        };
        match self.ports.payments.apply(&change).await? {
            Applied::Yes => Ok(Some((change.after, number))),
            Applied::Stale => Ok(None),
        }
    }

    /// Toss holds nothing (any more): the balance goes to zero, and nothing is due but a look that
    /// is still to come. The stock is released once more: whatever became of the first instruction,
    /// an order that has ended holds nothing after its last look.
    async fn close_books(
        &self,
        payment: &Payment,
        attempt: Option<Finished>,
        next_look: Option<Timestamp>,
    ) -> Result<(), ConfirmError> {
        if payment.balance == Money::ZERO {
            let mut change = self.change(payment, PaymentFact::OrphanSought)?;
            change.after.due_at = next_look;
            change.stock = Some(StockInstruction::Release);
            return self.store(change, attempt).await.map(drop);
        }
        let mut change = self.change(payment, PaymentFact::OrphanReturned)?;
        change.transaction = Some(Transaction {
            kind: TransactionKind::Cancel,
            amount_won: -payment.balance.won(),
            transaction_key: None,
            reason: Some("종료된 주문의 결제 자동 취소".into()),
            at: self.ports.clock.now(),
        });
        change.after.balance = Money::ZERO;
        change.after.due_at = next_look;
        change.stock = Some(StockInstruction::Release);
        self.store(change, attempt).await.map(drop)
    }

    /// No answer yet: look again, as long as it takes, ever more seldom.
    async fn seek_later(
        &self,
        payment: &Payment,
        attempt: Option<Finished>,
    ) -> Result<(), ConfirmError> {
        let now = self.ports.clock.now();
        let mut change = self.change(payment, PaymentFact::OrphanSought)?;
        let next = self
            .policy
            .next_look(now, payment.looks, self.ports.randomness.as_ref());
        change.after.due_at = Some(next);
        self.store(change, attempt).await.map(drop)
    }
}

/// Whether Toss shows money of this order that was not given back.
pub(super) fn holds_money(payment: &Payment, truth: &GatewayPayment) -> bool {
    let moved = matches!(
        truth.status,
        GatewayStatus::Done | GatewayStatus::PartialCanceled
    );
    moved && truth.order_id == payment.order_id.as_str() && truth.balance != Some(Money::ZERO)
}
