//! Paid payments that are due: a cancel that was left is driven to its end, and what went back
//! without this server is booked.

use kernel::{Money, StoreError};

use super::legal;
use super::settle::{overtaken, returned_fact};
use crate::model::{
    AttemptPurpose, Cancel, CancelRefusal, GatewayCancel, Payment, PaymentFact, Transaction,
    TransactionKind, running_cancel, unbooked,
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
        let news = match self.news(payment).await? {
            Ok(news) => news,
            Err(why) => return self.cancel_unanswered(payment, cancel, None, &why).await,
        };
        let is_open = news.is_empty() && cancel.amount <= payment.balance;
        if !is_open || payment.looks >= self.policy.recovery_limit {
            return self.settle_by_news(payment, cancel, &news, None).await;
        }
        let mut change = legal(payment, PaymentFact::AttemptStarted, now)?;
        change.after.due_at = Some(now + self.policy.lease);
        let attempt =
            change.begin_attempt(AttemptPurpose::Cancel, payment_key.clone(), cancel.amount);
        let cancel = Cancel { attempt, ..cancel };
        change.cancel = Some(Box::new(cancel.clone()));
        let Some(payment) = self.store_cancel(change, None).await? else {
            return Err(CancelError::Undecided);
        };
        let answer = self.send_cancel(&payment, &cancel, payment_key).await;
        self.settle_cancel(&payment, cancel, answer).await
    }

    /// The cancels that Toss shows and the books do not know, oldest first; or why Toss cannot tell.
    pub(super) async fn news(
        &self,
        payment: &Payment,
    ) -> Result<Result<Vec<GatewayCancel>, String>, StoreError> {
        let Some(payment_key) = &payment.payment_key else {
            return Ok(Err("no payment key".to_owned()));
        };
        let truth = match self.ports.gateway.look_up(payment_key).await {
            LookUp::Found(truth) => truth,
            LookUp::Absent => return Ok(Err("Toss shows no such payment".to_owned())),
            LookUp::Unavailable { reason } => return Ok(Err(reason)),
        };
        let booked = self.ports.payments.transactions(&payment.order_id).await?;
        let news = unbooked(&truth.cancels, &booked).into_iter().cloned();
        Ok(Ok(news.collect()))
    }

    /// No cancel of ours runs: what Toss gave back on somebody else's word is booked, one movement
    /// after the other.
    async fn catch_up(&self, payment: &Payment) -> Result<(), CancelError> {
        let now = self.ports.clock.now();
        let mut change = legal(payment, PaymentFact::LookStarted, now)?;
        if let Ok(news) = self.news(payment).await? {
            if let Some(foreign) = news.first() {
                return self.book_foreign(payment, foreign, None).await.map(drop);
            }
            // Nothing is open any more.
            change.after.looks = 0;
        } else {
            let (looks, randomness) = (payment.looks, self.ports.randomness.as_ref());
            change.after.due_at = Some(self.policy.next_look(now, looks, randomness));
        }
        self.store_cancel(change, None).await.map(drop)
    }

    /// Money that went back without us, as at Toss's own console. Due again at once, if there can be
    /// more. A cancel of ours that is open for more than what is left ends with it, and why is
    /// returned.
    pub(super) async fn book_foreign(
        &self,
        payment: &Payment,
        foreign: &GatewayCancel,
        open: Option<Cancel>,
    ) -> Result<Option<CancelRefusal>, CancelError> {
        let (order_id, now) = (&payment.order_id, self.ports.clock.now());
        let left = foreign
            .amount
            .and_then(|amount| payment.balance.checked_sub(amount));
        let (Some(amount), Some(left)) = (foreign.amount, left) else {
            tracing::error!(%order_id, "Toss shows a cancel that does not fit the books");
            let mut change = legal(payment, PaymentFact::LookStarted, now)?;
            change.history.note = Some("Toss shows a cancel that does not fit the books".into());
            change.after.due_at = Some(now + self.policy.recovery_backoff_max);
            return self.store_cancel(change, None).await.map(|_| None);
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
        let refusal = match open {
            Some(cancel) if cancel.amount > left => {
                let refusal = overtaken();
                let fence = change.history.fence;
                change.cancel = Some(Box::new(cancel.refused(fence, refusal.clone())));
                Some(refusal)
            }
            Some(_) | None => None,
        };
        let stored = self.store_cancel(change, None).await?;
        Ok(stored.and(refusal))
    }
}
