//! Settling: what an answer of Toss means, and the one fenced change that stores it.

use kernel::{PaymentKey, ProductId};

use super::PaymentService;
use super::confirm::first_failure;
use super::orphan::orphan_look;
use crate::model::{
    AttemptChange, AttemptOutcome, AttemptResult, Change, Failure, FailureKind, GatewayPayment,
    GatewaySecret, OutboxMessage, Payment, PaymentFact, PaymentStatus, StockInstruction,
    Transaction, TransactionKind, Verdict, judge,
};
use crate::port::{Applied, GatewayAnswer, GatewayRejection, LookUp, RejectionKind};
use crate::receiver::{ConfirmError, ConfirmOutcome};

/// An attempt's number and what came of it.
pub(super) type Finished = (u32, AttemptResult);

/// How many characters of Toss's messages are kept (Toss sends at most 510).
const MESSAGE_CHARS_MAX: usize = 510;

impl PaymentService {
    /// Decides an attempt by Toss's answer, asking Toss once more where the code alone does not
    /// tell.
    pub(super) async fn settle_answer(
        &self,
        payment: &Payment,
        number: u32,
        answer: GatewayAnswer,
    ) -> Result<ConfirmOutcome, ConfirmError> {
        match answer {
            GatewayAnswer::Done {
                payment: truth,
                trace_id,
            } => {
                let result = finished(AttemptOutcome::Approved, None, None, trace_id);
                self.settle_truth(payment, (number, result), &truth, None)
                    .await
            }
            GatewayAnswer::Rejected(rejection) => {
                self.settle_rejection(payment, number, rejection).await
            }
            GatewayAnswer::Unknown { reason } => {
                let result = finished(AttemptOutcome::Silent, None, Some(&reason), None);
                self.settle_undecided(payment, Some((number, result)), &reason)
                    .await
            }
            GatewayAnswer::NotSent { reason } => {
                let result = finished(AttemptOutcome::NotSent, None, Some(&reason), None);
                self.settle_undecided(payment, Some((number, result)), &reason)
                    .await
            }
        }
    }

    async fn settle_rejection(
        &self,
        payment: &Payment,
        number: u32,
        rejection: GatewayRejection,
    ) -> Result<ConfirmOutcome, ConfirmError> {
        let outcome = match rejection.kind {
            RejectionKind::Declined | RejectionKind::Configuration => AttemptOutcome::Rejected,
            RejectionKind::StillRunning => AttemptOutcome::Silent,
            RejectionKind::UnknownPayment
            | RejectionKind::Inconsistent
            | RejectionKind::AlreadyProcessed
            | RejectionKind::Unclear => AttemptOutcome::Unclear,
        };
        let (code, message) = (
            Some(rejection.code.as_str()),
            Some(rejection.message.as_str()),
        );
        let attempt = (
            number,
            finished(outcome, code, message, rejection.trace_id.clone()),
        );
        match rejection.kind {
            RejectionKind::Declined => {
                self.settle_declined(payment, Some(attempt), &rejection.code, &rejection.message)
                    .await
            }
            RejectionKind::Configuration => {
                self.settle_misconfigured(payment, attempt, &rejection)
                    .await
            }
            RejectionKind::StillRunning | RejectionKind::Unclear => {
                self.settle_undecided(payment, Some(attempt), &rejection.code)
                    .await
            }
            RejectionKind::UnknownPayment
            | RejectionKind::Inconsistent
            | RejectionKind::AlreadyProcessed => {
                self.settle_by_look(payment, attempt, &rejection).await
            }
        }
    }

    /// The code does not say enough: what does Toss show under this payment key?
    async fn settle_by_look(
        &self,
        payment: &Payment,
        attempt: Finished,
        rejection: &GatewayRejection,
    ) -> Result<ConfirmOutcome, ConfirmError> {
        let Some(key) = payment.payment_key.clone() else {
            return self
                .settle_undecided(payment, Some(attempt), "no payment key")
                .await;
        };
        match self.ports.gateway.look_up(&key).await {
            LookUp::Found(truth) => {
                self.settle_truth(payment, attempt, &truth, Some(rejection))
                    .await
            }
            LookUp::Absent if rejection.kind != RejectionKind::AlreadyProcessed => {
                self.settle_key_refused(payment, attempt).await
            }
            LookUp::Absent => {
                self.settle_undecided(payment, Some(attempt), &rejection.code)
                    .await
            }
            LookUp::Unavailable { reason } => {
                self.settle_undecided(payment, Some(attempt), &reason).await
            }
        }
    }

    /// Decides by what Toss shows; `rejection` is the code that made us look, if one did.
    async fn settle_truth(
        &self,
        payment: &Payment,
        attempt: Finished,
        truth: &GatewayPayment,
        rejection: Option<&GatewayRejection>,
    ) -> Result<ConfirmOutcome, ConfirmError> {
        match judge(payment, truth) {
            Verdict::Approved => {
                self.settle_paid(payment, Some(attempt), truth, PaymentFact::Approved)
                    .await
            }
            Verdict::DepositAwaited => {
                self.settle_paid(payment, Some(attempt), truth, PaymentFact::DepositAwaited)
                    .await
            }
            Verdict::Dead { code, message } => {
                let code = rejection.map_or(code, |rejection| rejection.code.clone());
                let message = rejection.map_or(message, |rejection| rejection.message.clone());
                self.settle_declined(payment, Some(attempt), &code, &message)
                    .await
            }
            Verdict::Disagreement(what) => {
                self.settle_disagreement(payment, Some(attempt), truth, &what)
                    .await
            }
            Verdict::OtherOrder if rejection.is_some() => {
                self.settle_key_refused(payment, attempt).await
            }
            // Toss approved under this key, and shows another order: money moved wrongly.
            Verdict::OtherOrder if is_ours(payment, truth) => {
                let what = format!("Toss approved order {}", truth.order_id);
                self.settle_disagreement(payment, Some(attempt), truth, &what)
                    .await
            }
            // Not the payment that we asked for: another order's money is left alone.
            Verdict::OtherOrder => {
                let why = format!("Toss answered for order {}", truth.order_id);
                self.settle_undecided(payment, Some(attempt), &why).await
            }
            Verdict::Approvable => match rejection {
                Some(rejection) if rejection.kind == RejectionKind::Inconsistent => {
                    if truth.total == Some(payment.total) {
                        self.settle_misconfigured(payment, attempt, rejection).await
                    } else {
                        self.settle_key_refused(payment, attempt).await
                    }
                }
                Some(_) | None => {
                    self.settle_undecided(payment, Some(attempt), "still approvable")
                        .await
                }
            },
            Verdict::Unreadable(status) => {
                self.settle_undecided(payment, Some(attempt), &status).await
            }
        }
    }

    /// `DONE`, or `WAITING_FOR_DEPOSIT`, with everything a reader wants to know.
    pub(super) async fn settle_paid(
        &self,
        payment: &Payment,
        attempt: Option<Finished>,
        truth: &GatewayPayment,
        fact: PaymentFact,
    ) -> Result<ConfirmOutcome, ConfirmError> {
        let now = self.ports.clock.now();
        let mut change = self.change(payment, fact)?;
        if let Ok(key) = truth.payment_key.parse::<PaymentKey>() {
            change.after.payment_key = Some(key);
        }
        change.after.method.clone_from(&truth.method);
        change.after.receipt_url.clone_from(&truth.receipt_url);
        change
            .after
            .virtual_account
            .clone_from(&truth.virtual_account);
        if let Some(secret) = &truth.secret {
            change.after.gateway_secret = Some(GatewaySecret::new(secret.clone()));
        }
        if change.after.status == PaymentStatus::Done {
            let approved_at = truth.approved_at.unwrap_or(now);
            change.after.approved_at = Some(approved_at);
            change.after.balance = payment.total;
            change.transaction = Some(Transaction {
                kind: TransactionKind::Approval,
                amount_won: payment.total.won(),
                transaction_key: truth.transaction_key.clone(),
                reason: None,
                at: approved_at,
            });
            change.stock = Some(StockInstruction::Sell);
        } else {
            change.after.due_at = Some(now + self.policy.deposit_poll);
        }
        self.store_settled(change, attempt).await
    }

    /// FAILED by Toss's word; the stock goes back.
    pub(super) async fn settle_declined(
        &self,
        payment: &Payment,
        attempt: Option<Finished>,
        code: &str,
        message: &str,
    ) -> Result<ConfirmOutcome, ConfirmError> {
        let mut change = self.change(payment, PaymentFact::Declined)?;
        let (code, message) = (code.to_owned(), shortened(message));
        change.after.failure = Some(Failure {
            kind: FailureKind::Declined,
            code,
            message,
        });
        change.after.due_at = orphan_look(payment, self.ports.clock.now(), &self.policy);
        change.stock = Some(StockInstruction::Release);
        if payment.balance.won() > 0 {
            // A disagreement was recorded as money in, and Toss shows that it went back since.
            change.transaction = Some(Transaction {
                kind: TransactionKind::Cancel,
                amount_won: -payment.balance.won(),
                transaction_key: None,
                reason: Some("Toss shows the payment as canceled".into()),
                at: self.ports.clock.now(),
            });
            change.after.balance = kernel::Money::ZERO;
        }
        self.store_settled(change, attempt).await
    }

    /// FAILED because a product ran out; Toss was not asked under this attempt.
    pub(super) async fn settle_stock_short(
        &self,
        payment: &Payment,
        number: u32,
        product_id: ProductId,
    ) -> Result<ConfirmOutcome, ConfirmError> {
        let mut change = self.change(payment, PaymentFact::StockShort)?;
        change.after.failure = Some(Failure {
            kind: FailureKind::StockShort(product_id),
            code: "ORDERED_PRODUCT_STOCK_NOT_ENOUGH".into(),
            message: format!("product {product_id} is short of stock"),
        });
        change.stock = Some(StockInstruction::Release);
        // Only the first claim, under its own lease, can be sure that nobody else asks. A claim that
        // recovery took over may have stopped right before its hold: stock that comes back meanwhile
        // lets it go on, and Toss approve.
        if number > 1 || payment.status != PaymentStatus::InProgress {
            change.after.due_at = orphan_look(payment, self.ports.clock.now(), &self.policy);
        }
        let result = finished(AttemptOutcome::NotSent, None, Some("stock short"), None);
        self.store_settled(change, Some((number, result))).await
    }

    /// The key is not this order's: the order is payable again, its stock is free.
    async fn settle_key_refused(
        &self,
        payment: &Payment,
        attempt: Finished,
    ) -> Result<ConfirmOutcome, ConfirmError> {
        if payment.status != PaymentStatus::InProgress {
            return self.settle_never_seen(payment, Some(attempt)).await;
        }
        self.store_reopened(payment, attempt, PaymentFact::KeyRefused)
            .await?;
        Err(ConfirmError::WrongPaymentKey)
    }

    /// Our own credentials or contract are refused: nothing was charged, the order is payable
    /// again. A payment that recovery drives stays undecided instead: an earlier attempt may count.
    async fn settle_misconfigured(
        &self,
        payment: &Payment,
        attempt: Finished,
        rejection: &GatewayRejection,
    ) -> Result<ConfirmOutcome, ConfirmError> {
        let order_id = &payment.order_id;
        tracing::error!(%order_id, code = %rejection.code, "Toss refuses our credentials or configuration");
        if payment.status != PaymentStatus::InProgress {
            return self
                .settle_undecided(payment, Some(attempt), &rejection.code)
                .await;
        }
        self.store_reopened(payment, attempt, PaymentFact::CredentialsRefused)
            .await?;
        Err(ConfirmError::Misconfigured {
            code: rejection.code.clone(),
        })
    }

    /// Toss has no such payment: READY again, or EXPIRED when the buyer's time is over.
    pub(super) async fn settle_never_seen(
        &self,
        payment: &Payment,
        attempt: Option<Finished>,
    ) -> Result<ConfirmOutcome, ConfirmError> {
        if payment.is_lapsed(self.ports.clock.now()) {
            let mut change = self.change(payment, PaymentFact::NeverSeenAndLapsed)?;
            change.after.due_at = orphan_look(payment, self.ports.clock.now(), &self.policy);
            change.stock = Some(StockInstruction::Release);
            return self.store_settled(change, attempt).await;
        }
        let mut change = self.change(payment, PaymentFact::NeverSeen)?;
        reopen(&mut change);
        self.store_settled(change, attempt).await
    }

    async fn store_reopened(
        &self,
        payment: &Payment,
        attempt: Finished,
        fact: PaymentFact,
    ) -> Result<(), ConfirmError> {
        let mut change = self.change(payment, fact)?;
        reopen(&mut change);
        self.store(change, Some(attempt)).await.map(drop)
    }

    /// UNKNOWN until the next look; QUARANTINED when the looks are used up.
    pub(super) async fn settle_undecided(
        &self,
        payment: &Payment,
        attempt: Option<Finished>,
        why: &str,
    ) -> Result<ConfirmOutcome, ConfirmError> {
        let exhausted = payment.looks >= self.policy.recovery_limit;
        let fact = if exhausted {
            PaymentFact::Quarantined
        } else {
            PaymentFact::AnswerMissing
        };
        let mut change = self.change(payment, fact)?;
        change.history.note = Some(shortened(why));
        if exhausted {
            tracing::error!(order_id = %payment.order_id, why, looks = payment.looks, "payment quarantined");
        } else {
            let now = self.ports.clock.now();
            let next = self
                .policy
                .next_look(now, payment.looks, self.ports.randomness.as_ref());
            change.after.due_at = Some(next);
            tracing::warn!(order_id = %payment.order_id, why, looks = payment.looks, "outcome not known yet");
        }
        self.store_settled(change, attempt).await
    }

    /// Builds the change, or gives the payment up to whoever moved it meanwhile.
    pub(super) fn change(
        &self,
        payment: &Payment,
        fact: PaymentFact,
    ) -> Result<Change, ConfirmError> {
        payment
            .change(fact, self.ports.clock.now())
            .map_err(|illegal| {
                tracing::error!(order_id = %payment.order_id, %illegal, "refused to record");
                ConfirmError::Undecided
            })
    }

    /// Stores a settlement and tells what a confirm answers for it.
    pub(super) async fn store_settled(
        &self,
        change: Change,
        attempt: Option<Finished>,
    ) -> Result<ConfirmOutcome, ConfirmError> {
        told(self.store(change, attempt).await?)
    }

    /// Stores a change with the end of its attempt, and returns stock at once if it frees some.
    /// After a store failure or a lost fence the outcome is not ours to tell: the lease runs out,
    /// and recovery asks Toss.
    pub(super) async fn store(
        &self,
        mut change: Change,
        attempt: Option<Finished>,
    ) -> Result<Stored, ConfirmError> {
        change.attempt = attempt.map(|(number, result)| AttemptChange::Finish { number, result });
        let change = self.with_news(change);
        let order_id = &change.after.order_id;
        match self.ports.payments.apply(&change).await {
            Ok(Applied::Yes) => {}
            Ok(Applied::Stale) => {
                tracing::warn!(%order_id, "another worker moved the payment first");
                return Err(ConfirmError::Undecided);
            }
            Err(error) => {
                tracing::error!(%order_id, %error, "an outcome could not be stored; recovery will ask Toss");
                return Err(ConfirmError::Undecided);
            }
        }
        let mut undelivered = change.message();
        if let Some(release) =
            undelivered.take_if(|message| message.instruction == StockInstruction::Release)
            && let Err(error) = self.deliver_one(&release).await
        {
            tracing::warn!(%order_id, %error, "stock goes back later, by the outbox");
        }
        Ok(Stored {
            payment: change.after,
            undelivered,
        })
    }
}

/// What a stored change leaves.
pub(super) struct Stored {
    pub(super) payment: Payment,
    /// Its message, if that may wait until the buyer has been answered.
    undelivered: Option<OutboxMessage>,
}

/// What a confirm answers for a payment that has just been stored like this.
fn told(stored: Stored) -> Result<ConfirmOutcome, ConfirmError> {
    let payment = stored.payment;
    match payment.status {
        PaymentStatus::Done | PaymentStatus::WaitingForDeposit => Ok(ConfirmOutcome {
            payment: Box::new(payment),
            undelivered: stored.undelivered,
        }),
        PaymentStatus::Failed => Err(first_failure(&payment)),
        PaymentStatus::Unknown | PaymentStatus::InProgress => Err(ConfirmError::Undecided),
        PaymentStatus::Ready
        | PaymentStatus::Expired
        | PaymentStatus::PartialCanceled
        | PaymentStatus::Canceled
        | PaymentStatus::Quarantined => Err(ConfirmError::NotPayable(payment.status)),
    }
}

/// Whether this is the payment that the confirm named.
fn is_ours(payment: &Payment, truth: &GatewayPayment) -> bool {
    let key = payment.payment_key.as_ref();
    key.is_some_and(|key| key.as_str() == truth.payment_key)
}

/// READY again: no key, no looks, the old expiry, and the stock free.
fn reopen(change: &mut Change) {
    change.after.payment_key = None;
    change.after.looks = 0;
    change.after.absences = 0;
    change.after.due_at = Some(change.after.expires_at);
    change.stock = Some(StockInstruction::Release);
}

pub(super) fn finished(
    outcome: AttemptOutcome,
    code: Option<&str>,
    message: Option<&str>,
    trace_id: Option<String>,
) -> AttemptResult {
    AttemptResult {
        outcome,
        code: code.map(ToOwned::to_owned),
        message: message.map(shortened),
        trace_id,
    }
}

pub(super) fn shortened(text: &str) -> String {
    text.chars().take(MESSAGE_CHARS_MAX).collect()
}
