//! Paid payments that are due: a cancel that was left is driven to its end, and what went back
//! without this server is booked.

use kernel::{Money, StoreError};

use super::settle::returned_fact;
use super::{begin_attempt, legal};
use crate::model::{
    Cancel, GatewayCancel, Payment, PaymentFact, Transaction, TransactionKind, running_cancel,
    unbooked,
};
use crate::port::LookUp;
use crate::receiver::{CancelError, CancelOutcome};
use crate::usecase::PaymentService;
use crate::usecase::settle::shortened;

/// How long Toss keeps what it answered under an idempotency key, less a day.
const KEY_LIFE: chrono::Duration = chrono::Duration::days(14);

impl PaymentService {
    /// A payment that was paid, and is due: a cancel of it is under way, or its books and Toss's
    /// differ.
    pub(in crate::usecase) async fn recover_paid(
        &self,
        payment: &Payment,
    ) -> Result<(), StoreError> {
        let looks = payment.looks.saturating_add(1);
        let Some(owned) = self
            .start_look(payment, PaymentFact::LookStarted, looks)
            .await?
        else {
            return Ok(());
        };
        let cancels = self.ports.payments.cancels(&owned.order_id).await?;
        let outcome = match running_cancel(&cancels) {
            Some(cancel) => self.drive_cancel(&owned, cancel.clone()).await.map(drop),
            None => self.catch_up(&owned).await,
        };
        if let Err(CancelError::Store(error)) = outcome {
            tracing::warn!(%error, "recovery stopped halfway; the lease brings the payment back");
        }
        Ok(())
    }

    /// Under the same key while no decoded answer is bound to it: Toss then does it once, or says
    /// again what it did. Else Toss is looked at before there is a new attempt.
    async fn drive_cancel(
        &self,
        payment: &Payment,
        cancel: Cancel,
    ) -> Result<CancelOutcome, CancelError> {
        let Some(payment_key) = payment.payment_key.clone() else {
            return self
                .cancel_unanswered(payment, cancel, None, "no payment key")
                .await;
        };
        let attempts = self.ports.payments.attempts(&payment.order_id).await?;
        let last = attempts
            .into_iter()
            .find(|attempt| attempt.number == cancel.attempt);
        let now = self.ports.clock.now();
        if last.is_some_and(|last| last.key_is_reusable() && now - last.started_at < KEY_LIFE) {
            let answer = self.send_cancel(payment, &cancel, payment_key).await;
            return self.settle_cancel(payment, cancel, answer).await;
        }
        if !self.is_quiet(payment).await? {
            return self.settle_cancel_by_look(payment, cancel, None).await;
        }
        if payment.looks >= self.policy.recovery_limit || cancel.amount > payment.balance {
            return self
                .settle_not_executed(payment, cancel, None, "NOT_CANCELED")
                .await;
        }
        let mut change = legal(payment, PaymentFact::AttemptStarted, now)?;
        change.after.due_at = Some(now + self.policy.lease);
        let cancel = Cancel {
            attempt: payment.attempts + 1,
            ..cancel
        };
        begin_attempt(&mut change, &cancel, &payment_key, now);
        change.cancel = Some(Box::new(cancel.clone()));
        let Some(payment) = self.store_cancel(change, None).await? else {
            return Err(CancelError::Undecided);
        };
        let answer = self.send_cancel(&payment, &cancel, payment_key).await;
        self.settle_cancel(&payment, cancel, answer).await
    }

    /// Whether Toss shows for certain that nothing has happened that the books do not know.
    async fn is_quiet(&self, payment: &Payment) -> Result<bool, CancelError> {
        let LookUp::Found(truth) = self.find_paid(payment).await else {
            return Ok(false);
        };
        let booked = self.ports.payments.transactions(&payment.order_id).await?;
        Ok(unbooked(&truth.cancels, &booked).is_empty())
    }

    /// No cancel of ours runs: what Toss gave back on somebody else's word is booked, one movement
    /// after the other.
    async fn catch_up(&self, payment: &Payment) -> Result<(), CancelError> {
        let now = self.ports.clock.now();
        let new = match self.find_paid(payment).await {
            LookUp::Found(truth) => {
                let booked = self.ports.payments.transactions(&payment.order_id).await?;
                let new = unbooked(&truth.cancels, &booked);
                Some(new.first().map(|cancel| (*cancel).clone()))
            }
            LookUp::Absent | LookUp::Unavailable { .. } => None,
        };
        match new {
            Some(Some(foreign)) => self.book_foreign(payment, &foreign).await,
            Some(None) => {
                // Nothing is open any more.
                let mut change = legal(payment, PaymentFact::LookStarted, now)?;
                change.after.looks = 0;
                self.store_cancel(change, None).await.map(drop)
            }
            None => {
                let mut change = legal(payment, PaymentFact::LookStarted, now)?;
                let next =
                    self.policy
                        .next_look(now, payment.looks, self.ports.randomness.as_ref());
                change.after.due_at = Some(next);
                self.store_cancel(change, None).await.map(drop)
            }
        }
    }

    /// Money that went back without us, as at Toss's own console. Due again at once: there may be
    /// more.
    pub(super) async fn book_foreign(
        &self,
        payment: &Payment,
        foreign: &GatewayCancel,
    ) -> Result<(), CancelError> {
        let (order_id, now) = (&payment.order_id, self.ports.clock.now());
        let left = foreign
            .amount
            .and_then(|amount| payment.balance.checked_sub(amount));
        let (Some(amount), Some(left)) = (foreign.amount, left) else {
            tracing::error!(%order_id, "Toss shows a cancel that does not fit the books");
            let mut change = legal(payment, PaymentFact::LookStarted, now)?;
            change.history.note = Some("Toss shows a cancel that does not fit the books".into());
            change.after.due_at = Some(now + self.policy.recovery_backoff_max);
            return self.store_cancel(change, None).await.map(drop);
        };
        tracing::warn!(%order_id, %amount, "money went back without this server");
        let mut change = legal(payment, returned_fact(left), now)?;
        change.after.balance = left;
        change.after.due_at = (left > Money::ZERO).then_some(now);
        change.history.note = Some("canceled without this server".into());
        change.transaction = Some(Transaction {
            kind: TransactionKind::Cancel,
            amount_won: -amount.won(),
            transaction_key: foreign.transaction_key.clone(),
            reason: foreign.reason.as_deref().map(shortened),
            at: foreign.at.unwrap_or(now),
        });
        self.store_cancel(change, None).await.map(drop)
    }

    /// By the key it was paid with.
    pub(super) async fn find_paid(&self, payment: &Payment) -> LookUp {
        match &payment.payment_key {
            Some(key) => self.ports.gateway.look_up(key).await,
            None => self.ports.gateway.look_up_order(&payment.order_id).await,
        }
    }
}
