//! What an answer to a cancel means, and the one fenced change that stores it.

use kernel::Money;

use super::legal;
use crate::model::{
    AttemptChange, AttemptOutcome, Cancel, CancelRefusal, CancelRefusalKind, Change, GatewayCancel,
    GatewayPayment, Payment, PaymentFact, StockInstruction, Transaction, TransactionKind,
};
use crate::port::{Applied, GatewayAnswer, GatewayRejection, RejectionKind};
use crate::receiver::{CancelError, CancelOutcome, PaymentView};
use crate::usecase::PaymentService;
use crate::usecase::settle::{Finished, finished, shortened};

impl PaymentService {
    pub(super) async fn settle_cancel(
        &self,
        payment: &Payment,
        cancel: Cancel,
        answer: GatewayAnswer,
    ) -> Result<CancelOutcome, CancelError> {
        let number = cancel.attempt;
        match answer {
            GatewayAnswer::Done {
                payment: truth,
                trace_id,
            } => {
                let left = payment.balance.checked_sub(cancel.amount);
                if let Some(shown) = last_cancel(&truth)
                    && shown.amount == Some(cancel.amount)
                    && left.is_some()
                    && truth.balance == left
                {
                    let result = finished(AttemptOutcome::Approved, None, None, trace_id);
                    return self
                        .settle_returned(payment, cancel, Some((number, result)), &shown)
                        .await;
                }
                // It was done, and not as it was asked, or not alone: the whole list tells more.
                tracing::error!(order_id = %payment.order_id, balance = ?truth.balance,
                    "Toss and the books disagree on what is left");
                let result = finished(AttemptOutcome::Unclear, None, None, trace_id);
                let noted = self
                    .note_attempt(payment, &cancel, Some((number, result)))
                    .await?;
                let Some(owned) = noted else {
                    return Err(CancelError::Undecided);
                };
                self.settle_cancel_by_look(&owned, cancel, None).await
            }
            GatewayAnswer::Unknown { reason } => {
                let result = finished(AttemptOutcome::Silent, None, Some(&reason), None);
                self.cancel_unanswered(payment, cancel, Some((number, result)), &reason)
                    .await
            }
            GatewayAnswer::NotSent { reason } => {
                let result = finished(AttemptOutcome::NotSent, None, Some(&reason), None);
                self.cancel_unanswered(payment, cancel, Some((number, result)), &reason)
                    .await
            }
            GatewayAnswer::Rejected(rejection) => {
                self.settle_cancel_rejection(payment, cancel, rejection)
                    .await
            }
        }
    }

    async fn settle_cancel_rejection(
        &self,
        payment: &Payment,
        cancel: Cancel,
        rejection: GatewayRejection,
    ) -> Result<CancelOutcome, CancelError> {
        let ended = |outcome| {
            let (code, message) = (rejection.code.as_str(), rejection.message.as_str());
            let trace_id = rejection.trace_id.clone();
            let result = finished(outcome, Some(code), Some(message), trace_id);
            Some((cancel.attempt, result))
        };
        match rejection.kind {
            RejectionKind::StillRunning => {
                let attempt = ended(AttemptOutcome::Silent);
                self.cancel_unanswered(payment, cancel, attempt, &rejection.code)
                    .await
            }
            RejectionKind::Configuration => {
                let attempt = ended(AttemptOutcome::Rejected);
                let kind = CancelRefusalKind::Configuration;
                let refusal = refusal(kind, &rejection.code, &rejection.message);
                self.settle_refused(payment, cancel, attempt, refusal).await
            }
            // Refused for good, but for one case: what the amount is compared with may have moved.
            RejectionKind::Declined if rejection.code != "NOT_MATCHES_REFUNDABLE_AMOUNT" => {
                let attempt = ended(AttemptOutcome::Rejected);
                let kind = CancelRefusalKind::of_code(&rejection.code);
                let refusal = refusal(kind, &rejection.code, &rejection.message);
                self.settle_refused(payment, cancel, attempt, refusal).await
            }
            RejectionKind::Declined
            | RejectionKind::UnknownPayment
            | RejectionKind::Inconsistent
            | RejectionKind::AlreadyProcessed
            | RejectionKind::Unclear => {
                let attempt = ended(AttemptOutcome::Unclear);
                let Some(owned) = self.note_attempt(payment, &cancel, attempt).await? else {
                    return Err(CancelError::Undecided);
                };
                self.settle_cancel_by_look(&owned, cancel, Some(&rejection))
                    .await
            }
        }
    }

    /// The key is spent: that must be known before anything else is tried.
    async fn note_attempt(
        &self,
        payment: &Payment,
        cancel: &Cancel,
        attempt: Option<Finished>,
    ) -> Result<Option<Payment>, CancelError> {
        let now = self.ports.clock.now();
        let mut change = legal(payment, PaymentFact::CancelUnanswered, now)?;
        change.after.due_at = Some(now + self.policy.lease);
        change.cancel = Some(Box::new(cancel.clone()));
        self.store_cancel(change, attempt).await
    }

    /// What does Toss show?
    async fn settle_cancel_by_look(
        &self,
        payment: &Payment,
        cancel: Cancel,
        rejection: Option<&GatewayRejection>,
    ) -> Result<CancelOutcome, CancelError> {
        match self.news(payment).await? {
            Ok(news) => self.settle_by_news(payment, cancel, &news, rejection).await,
            Err(why) => self.cancel_unanswered(payment, cancel, None, &why).await,
        }
    }

    /// A cancel that our books do not know, of this amount and for this reason, is ours; one that is
    /// not ours is booked for itself.
    pub(super) async fn settle_by_news(
        &self,
        payment: &Payment,
        cancel: Cancel,
        news: &[GatewayCancel],
        rejection: Option<&GatewayRejection>,
    ) -> Result<CancelOutcome, CancelError> {
        let is_ours = |shown: &&GatewayCancel| {
            shown.amount == Some(cancel.amount)
                && shown.reason.as_deref() == Some(cancel.reason.as_str())
        };
        if let Some(ours) = news.iter().find(is_ours) {
            return self.settle_returned(payment, cancel, None, ours).await;
        }
        if let Some(foreign) = news.first() {
            let refusal = self.book_foreign(payment, foreign, Some(cancel)).await?;
            return Err(refusal.map_or(CancelError::Undecided, CancelError::Refused));
        }
        self.settle_not_executed(payment, cancel, rejection).await
    }

    /// Toss shows that the cancel did not happen.
    async fn settle_not_executed(
        &self,
        payment: &Payment,
        cancel: Cancel,
        rejection: Option<&GatewayRejection>,
    ) -> Result<CancelOutcome, CancelError> {
        if cancel.amount > payment.balance {
            return self
                .settle_refused(payment, cancel, None, overtaken())
                .await;
        }
        let why = rejection.map_or("NOT_CANCELED", |rejection| rejection.code.as_str());
        let is_final = match rejection.map(|rejection| rejection.kind) {
            Some(
                RejectionKind::UnknownPayment
                | RejectionKind::Inconsistent
                | RejectionKind::AlreadyProcessed
                | RejectionKind::Declined,
            ) => true,
            Some(
                RejectionKind::Configuration | RejectionKind::StillRunning | RejectionKind::Unclear,
            )
            | None => payment.looks >= self.policy.recovery_limit,
        };
        if is_final {
            let message = rejection.map_or("Toss did not do it", |rejection| &rejection.message);
            let refusal = refusal(CancelRefusalKind::of_code(why), why, message);
            return self.settle_refused(payment, cancel, None, refusal).await;
        }
        self.cancel_unanswered(payment, cancel, None, why).await
    }

    /// The money is back.
    async fn settle_returned(
        &self,
        payment: &Payment,
        cancel: Cancel,
        attempt: Option<Finished>,
        shown: &GatewayCancel,
    ) -> Result<CancelOutcome, CancelError> {
        let now = self.ports.clock.now();
        let Some(left) = payment.balance.checked_sub(cancel.amount) else {
            tracing::error!(order_id = %payment.order_id, "more went back than the books say was left");
            return self
                .cancel_unanswered(payment, cancel, attempt, "more went back than was left")
                .await;
        };
        let mut change = legal(payment, returned_fact(left), now)?;
        change.after.balance = left;
        change.after.looks = 0;
        change.transaction = Some(Transaction {
            kind: TransactionKind::Cancel,
            amount_won: -cancel.amount.won(),
            transaction_key: shown.transaction_key.clone(),
            reason: Some(cancel.reason.clone()),
            at: shown.at.unwrap_or(now),
        });
        if !cancel.restock.is_empty() {
            change.stock = Some(StockInstruction::Restock);
        }
        let fence = change.history.fence;
        change.cancel = Some(Box::new(cancel.done(fence, left)));
        let change = self.with_news(change);
        let message = change.message();
        let stored = self.store_cancel(change, attempt).await?;
        let Some(payment) = stored else {
            return Err(CancelError::Undecided);
        };
        if let Some(message) = message
            && let Err(error) = self.deliver_one(&message).await
        {
            tracing::warn!(order_id = %payment.order_id, %error, "a cancel's message goes later, by the outbox");
        }
        let transactions = self.ports.payments.transactions(&payment.order_id).await?;
        Ok(CancelOutcome {
            view: PaymentView {
                payment,
                transactions,
            },
            replayed: false,
        })
    }

    async fn settle_refused(
        &self,
        payment: &Payment,
        cancel: Cancel,
        attempt: Option<Finished>,
        refusal: CancelRefusal,
    ) -> Result<CancelOutcome, CancelError> {
        let mut change = legal(payment, PaymentFact::CancelRefused, self.ports.clock.now())?;
        change.after.looks = 0;
        change.history.note = Some(refusal.code.clone());
        let fence = change.history.fence;
        change.cancel = Some(Box::new(cancel.refused(fence, refusal.clone())));
        match self.store_cancel(change, attempt).await? {
            Some(_) => Err(CancelError::Refused(refusal)),
            None => Err(CancelError::Undecided),
        }
    }

    /// Open until the next look. However many there were: Toss alone can say that no money went
    /// back, so a cancel never ends by itself.
    pub(super) async fn cancel_unanswered(
        &self,
        payment: &Payment,
        cancel: Cancel,
        attempt: Option<Finished>,
        why: &str,
    ) -> Result<CancelOutcome, CancelError> {
        let now = self.ports.clock.now();
        let (order_id, looks) = (&payment.order_id, payment.looks);
        if looks >= self.policy.recovery_limit {
            tracing::error!(%order_id, why, looks, "a cancel is still undecided");
        } else {
            tracing::warn!(%order_id, why, looks, "a cancel is not decided yet");
        }
        let mut change = legal(payment, PaymentFact::CancelUnanswered, now)?;
        change.history.note = Some(shortened(why));
        let next = self
            .policy
            .next_look(now, looks, self.ports.randomness.as_ref());
        change.after.due_at = Some(next);
        change.cancel = Some(Box::new(cancel));
        self.store_cancel(change, attempt).await?;
        Err(CancelError::Undecided)
    }

    /// Stores a change of a cancel; `None` when somebody else moved the payment, or the store cannot
    /// tell: the lease runs out, and recovery goes on.
    pub(super) async fn store_cancel(
        &self,
        mut change: Change,
        attempt: Option<Finished>,
    ) -> Result<Option<Payment>, CancelError> {
        if let Some((number, result)) = attempt {
            change.attempt = Some(AttemptChange::Finish { number, result });
        }
        let change = self.with_news(change);
        let order_id = &change.after.order_id;
        match self.ports.payments.apply(&change).await {
            Ok(Applied::Yes) => Ok(Some(change.after)),
            Ok(Applied::Stale) => {
                tracing::warn!(%order_id, "another worker moved the payment first");
                Ok(None)
            }
            Err(error) => {
                tracing::error!(%order_id, %error, "a cancel's outcome could not be stored; recovery goes on");
                Ok(None)
            }
        }
    }
}

/// The balance decides: Toss itself calls a payment partly canceled whose parts add up to all.
pub(super) fn returned_fact(left: Money) -> PaymentFact {
    if left == Money::ZERO {
        PaymentFact::CanceledInFull
    } else {
        PaymentFact::CanceledInPart
    }
}

/// The cancel that this answer is about: the one under the last transaction's key.
fn last_cancel(truth: &GatewayPayment) -> Option<GatewayCancel> {
    let mut cancels = truth.cancels.iter();
    let by_key = cancels
        .clone()
        .find(|cancel| cancel.transaction_key == truth.transaction_key);
    by_key.or_else(|| cancels.next_back()).cloned()
}

/// Less is left than was to go back: money went back some other way meanwhile.
pub(super) fn overtaken() -> CancelRefusal {
    let message = "less is left than was to go back";
    refusal(CancelRefusalKind::AmountExceeded, "OVERTAKEN", message)
}

fn refusal(kind: CancelRefusalKind, code: &str, message: &str) -> CancelRefusal {
    CancelRefusal {
        kind,
        code: code.to_owned(),
        message: shortened(message),
    }
}
