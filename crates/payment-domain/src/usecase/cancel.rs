//! Cancel: store the wish, ask Toss, store what came of it. One cancel of a payment runs at a time,
//! and what it left undecided is driven forward by recovery: under the same key after silence, and
//! by what Toss shows after a decoded error.

use kernel::{Money, PaymentKey, StoreError, Timestamp};

use super::PaymentService;
use super::settle::{Finished, finished, shortened};
use crate::model::{
    Attempt, AttemptChange, AttemptKey, AttemptOutcome, AttemptPurpose, Cancel, CancelRefusal,
    CancelRefusalKind, CancelState, Change, GatewayCancel, GatewayPayment, Payment, PaymentFact,
    PaymentStatus, StockInstruction, Transaction, TransactionKind, as_canceled, restock_lines,
    running_cancel, unbooked,
};
use crate::port::{
    Applied, CancelPart, CancelRequest, GatewayAnswer, GatewayRejection, LookUp, RejectionKind,
};
use crate::receiver::{CancelCommand, CancelError, CancelOutcome, PaymentView};

/// How long Toss keeps what it answered under an idempotency key, less a day.
const KEY_LIFE: chrono::Duration = chrono::Duration::days(14);

impl PaymentService {
    pub(super) async fn cancel_payment(
        &self,
        command: CancelCommand,
    ) -> Result<CancelOutcome, CancelError> {
        let payment = self.ports.payments.find(&command.order_id).await?;
        let payment = payment.ok_or_else(|| CancelError::UnknownOrder(command.order_id.clone()))?;
        let cancels = self.ports.payments.cancels(&command.order_id).await?;
        if let Some(earlier) = asked_before(&cancels, &command) {
            return self.repeat(payment, earlier, &command).await;
        }
        if running_cancel(&cancels).is_some() {
            return Err(CancelError::Running);
        }
        let (wish, payment_key) = examine(&payment, &cancels, &command, self.ports.clock.now())?;
        if !self.ports.gateway.admits() {
            return Err(CancelError::GatewayClosed);
        }
        let claimed = self.claim_cancel(&payment, &wish, &payment_key).await?;
        let attempt = self.send_cancel(&claimed, &wish, payment_key).await;
        self.settle_cancel(&claimed, wish, attempt).await
    }

    /// The same request again: the same answer, or wait for the first one.
    async fn repeat(
        &self,
        payment: Payment,
        earlier: &Cancel,
        command: &CancelCommand,
    ) -> Result<CancelOutcome, CancelError> {
        let same = |key: &crate::model::CancelKey| Some(key) == command.key.as_ref();
        if !earlier.key.as_ref().is_some_and(same) {
            return Err(CancelError::KeyReused);
        }
        match (earlier.state, earlier.balance_after, &earlier.refusal) {
            (CancelState::Requested, ..) => Err(CancelError::Running),
            (CancelState::Refused, _, Some(refusal)) => Err(refused(refusal.clone())),
            (CancelState::Done, Some(balance_after), _) => {
                let moved = self.ports.payments.transactions(&payment.order_id).await?;
                let (payment, transactions) = as_canceled(payment, moved, balance_after);
                Ok(CancelOutcome {
                    view: PaymentView {
                        payment,
                        transactions,
                    },
                    replayed: true,
                })
            }
            (CancelState::Refused | CancelState::Done, ..) => {
                Err(CancelError::from(StoreError::Corrupt {
                    action: "repeat a cancel",
                    source: "an ended cancel without its end".into(),
                }))
            }
        }
    }

    /// The wish and its attempt's key are stored, under a lease, before anything is sent.
    async fn claim_cancel(
        &self,
        payment: &Payment,
        wish: &Cancel,
        payment_key: &PaymentKey,
    ) -> Result<Payment, CancelError> {
        let now = self.ports.clock.now();
        let mut change = legal(payment, PaymentFact::CancelClaimed, now)?;
        change.after.looks = 0;
        change.after.due_at = Some(now + self.policy.lease);
        begin_attempt(&mut change, wish, payment_key, now);
        change.cancel = Some(Box::new(wish.clone()));
        match self.ports.payments.apply(&change).await? {
            Applied::Yes => Ok(change.after),
            Applied::Stale => Err(CancelError::Running),
        }
    }

    async fn send_cancel(
        &self,
        payment: &Payment,
        cancel: &Cancel,
        payment_key: PaymentKey,
    ) -> GatewayAnswer {
        let is_all = payment.balance == payment.total && cancel.amount == payment.balance;
        let part = (!is_all).then_some(CancelPart {
            amount: cancel.amount,
            balance: payment.balance,
        });
        let request = CancelRequest {
            order_id: payment.order_id.clone(),
            payment_key,
            reason: cancel.reason.clone(),
            part,
            refund_account: cancel.refund_account.clone(),
            key: AttemptKey::new(&payment.order_id, cancel.attempt),
        };
        self.ports.gateway.cancel(&request).await
    }

    async fn settle_cancel(
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

    /// What does Toss show? A cancel that our books do not know, of this amount and for this
    /// reason, is ours; one that is not ours is booked for itself.
    async fn settle_cancel_by_look(
        &self,
        payment: &Payment,
        cancel: Cancel,
        rejection: Option<&GatewayRejection>,
    ) -> Result<CancelOutcome, CancelError> {
        let why = rejection.map_or("no answer", |rejection| rejection.code.as_str());
        let truth = match self.find_paid(payment).await {
            LookUp::Found(truth) => truth,
            LookUp::Absent => {
                return self
                    .cancel_unanswered(payment, cancel, None, "Toss shows no such payment")
                    .await;
            }
            LookUp::Unavailable { reason } => {
                return self.cancel_unanswered(payment, cancel, None, &reason).await;
            }
        };
        let booked = self.ports.payments.transactions(&payment.order_id).await?;
        let new = unbooked(&truth.cancels, &booked);
        let is_ours = |shown: &&&GatewayCancel| {
            shown.amount == Some(cancel.amount)
                && shown.reason.as_deref() == Some(cancel.reason.as_str())
        };
        if let Some(ours) = new.iter().find(is_ours) {
            return self.settle_returned(payment, cancel, None, ours).await;
        }
        if let Some(foreign) = new.first() {
            self.book_foreign(payment, foreign).await?;
            return Err(CancelError::Undecided);
        }
        self.settle_not_executed(payment, cancel, rejection, why)
            .await
    }

    /// Toss shows that the cancel did not happen.
    async fn settle_not_executed(
        &self,
        payment: &Payment,
        cancel: Cancel,
        rejection: Option<&GatewayRejection>,
        why: &str,
    ) -> Result<CancelOutcome, CancelError> {
        if cancel.amount > payment.balance {
            let kind = CancelRefusalKind::AmountExceeded;
            let refusal = refusal(kind, why, "less is left than was to go back");
            return self.settle_refused(payment, cancel, None, refusal).await;
        }
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
        let message = change.message();
        let stored = self.store_cancel(change, attempt).await?;
        let Some(payment) = stored else {
            return Err(CancelError::Undecided);
        };
        if let Some(restock) = message
            && let Err(error) = self.deliver_one(&restock).await
        {
            tracing::warn!(order_id = %payment.order_id, %error, "stock goes back later, by the outbox");
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
            Some(_) => Err(refused(refusal)),
            None => Err(CancelError::Undecided),
        }
    }

    /// Open until the next look. However many there were: Toss alone can say that no money went
    /// back, so a cancel never ends by itself.
    async fn cancel_unanswered(
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
    async fn store_cancel(
        &self,
        mut change: Change,
        attempt: Option<Finished>,
    ) -> Result<Option<Payment>, CancelError> {
        if let Some((number, result)) = attempt {
            change.attempt = Some(AttemptChange::Finish { number, result });
        }
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

    /// A payment that was paid, and is due: a cancel of it is under way, or its books and Toss's
    /// differ.
    pub(super) async fn recover_paid(&self, payment: &Payment) -> Result<(), StoreError> {
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
    pub(super) async fn catch_up(&self, payment: &Payment) -> Result<(), CancelError> {
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
    async fn book_foreign(
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
    async fn find_paid(&self, payment: &Payment) -> LookUp {
        match &payment.payment_key {
            Some(key) => self.ports.gateway.look_up(key).await,
            None => self.ports.gateway.look_up_order(&payment.order_id).await,
        }
    }
}

fn asked_before<'a>(cancels: &'a [Cancel], command: &CancelCommand) -> Option<&'a Cancel> {
    let wanted = command.key.as_ref()?;
    cancels
        .iter()
        .find(|cancel| cancel.key.as_ref().is_some_and(|key| key.key == wanted.key))
}

/// A request that fails here writes nothing and calls nobody.
fn examine(
    payment: &Payment,
    cancels: &[Cancel],
    command: &CancelCommand,
    now: Timestamp,
) -> Result<(Cancel, PaymentKey), CancelError> {
    match payment.status {
        PaymentStatus::Done | PaymentStatus::PartialCanceled => {}
        PaymentStatus::Ready
        | PaymentStatus::InProgress
        | PaymentStatus::Unknown
        | PaymentStatus::WaitingForDeposit
        | PaymentStatus::Failed
        | PaymentStatus::Expired
        | PaymentStatus::Canceled
        | PaymentStatus::Quarantined => {
            return Err(CancelError::NotCancelable(payment.status));
        }
    }
    let Some(payment_key) = payment.payment_key.clone() else {
        return Err(CancelError::NotCancelable(payment.status));
    };
    let amount = command.amount.unwrap_or(payment.balance);
    if amount > payment.balance {
        return Err(CancelError::AmountExceeded(payment.balance));
    }
    if payment.virtual_account.is_some() && command.refund_account.is_none() {
        return Err(CancelError::RefundAccountRequired);
    }
    let restock = restock_lines(payment, cancels, amount, command.restock.as_deref())?;
    let number = cancels.iter().map(|cancel| cancel.number).max();
    let wish = Cancel {
        number: number.unwrap_or(0) + 1,
        amount,
        reason: command.reason.clone(),
        refund_account: command.refund_account.clone(),
        restock,
        key: command.key.clone(),
        attempt: payment.attempts + 1,
        state: CancelState::Requested,
        ended_fence: None,
        balance_after: None,
        refusal: None,
        requested_at: now,
    };
    Ok((wish, payment_key))
}

fn begin_attempt(change: &mut Change, cancel: &Cancel, payment_key: &PaymentKey, now: Timestamp) {
    change.after.attempts = cancel.attempt;
    change.attempt = Some(AttemptChange::Start(Attempt {
        number: cancel.attempt,
        purpose: AttemptPurpose::Cancel,
        payment_key: payment_key.clone(),
        amount: cancel.amount,
        started_at: now,
        result: None,
        finished_at: None,
    }));
}

fn legal(payment: &Payment, fact: PaymentFact, now: Timestamp) -> Result<Change, CancelError> {
    payment.change(fact, now).map_err(|illegal| {
        tracing::error!(order_id = %payment.order_id, %illegal, "refused to record");
        CancelError::Undecided
    })
}

/// The balance decides: Toss itself calls a payment partly canceled whose parts add up to all.
fn returned_fact(left: Money) -> PaymentFact {
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

fn refusal(kind: CancelRefusalKind, code: &str, message: &str) -> CancelRefusal {
    CancelRefusal {
        kind,
        code: code.to_owned(),
        message: shortened(message),
    }
}

fn refused(refusal: CancelRefusal) -> CancelError {
    CancelError::Refused(refusal)
}
