//! A disagreement: Toss approved something else than the order says. The money goes back, and a
//! person looks at it.

use kernel::{Money, StoreError};

use super::PaymentService;
use super::settle::{Finished, finished};
use crate::model::{
    Attempt, AttemptKey, AttemptOutcome, AttemptPurpose, Change, GatewayPayment, GatewayStatus,
    Payment, PaymentFact, Transaction, TransactionKind, Verdict,
};
use crate::port::{Applied, CancelRequest, GatewayAnswer, RejectionKind};
use crate::receiver::{ConfirmError, ConfirmOutcome};

impl PaymentService {
    /// Records what Toss took, gives it back under an attempt of its own, and quarantines the
    /// payment with the outcome. A crash in between is found by the next look.
    pub(super) async fn settle_disagreement(
        &self,
        payment: &Payment,
        attempt: Option<Finished>,
        truth: &GatewayPayment,
        what: &str,
    ) -> Result<ConfirmOutcome, ConfirmError> {
        tracing::error!(order_id = %payment.order_id, what, "Toss and the order disagree");
        let noted = self
            .note_disagreement(payment, attempt, truth, what)
            .await?;
        let (owner, number) = self.attempt_for(&noted, AttemptPurpose::Cancel).await?;
        let Ok(payment_key) = truth.payment_key.parse() else {
            return self
                .settle_undecided(&owner, None, "Toss shows an unreadable payment key")
                .await;
        };
        let request = CancelRequest {
            order_id: owner.order_id.clone(),
            payment_key,
            reason: "결제 금액 또는 주문 불일치".into(),
            part: None,
            refund_account: None,
            key: AttemptKey::new(&owner.order_id, number),
        };
        let answer = self.ports.gateway.cancel(&request).await;
        self.quarantine(&owner, number, answer, what).await
    }

    /// Whether a disagreement was seen earlier: its money is on the books, or its cancel was begun and
    /// may still reach Toss.
    pub(super) async fn is_being_undone(&self, payment: &Payment) -> Result<bool, StoreError> {
        if payment.balance > Money::ZERO {
            return Ok(true);
        }
        // The first attempt is always a confirm.
        if payment.attempts < 2 {
            return Ok(false);
        }
        let attempts = self.ports.payments.attempts(&payment.order_id).await?;
        let is_cancel = |attempt: &Attempt| attempt.purpose == AttemptPurpose::Cancel;
        Ok(attempts.iter().any(is_cancel))
    }

    /// Whatever Toss shows now of a payment that is being undone: the order is not paid and not
    /// payable before that money has gone back.
    pub(super) async fn undo(
        &self,
        payment: &Payment,
        truth: &GatewayPayment,
        verdict: Verdict,
    ) -> Result<ConfirmOutcome, ConfirmError> {
        let what = match verdict {
            Verdict::Dead { code, message } => {
                return self.settle_declined(payment, None, &code, &message).await;
            }
            Verdict::Unreadable(status) => {
                return self.settle_undecided(payment, None, &status).await;
            }
            Verdict::Disagreement(what) => what,
            // Another order's money is left alone.
            Verdict::OtherOrder if payment.balance == Money::ZERO => {
                let why = format!("Toss shows order {}", truth.order_id);
                return self.settle_undecided(payment, None, &why).await;
            }
            Verdict::OtherOrder => format!("Toss approved order {}", truth.order_id),
            Verdict::Approved | Verdict::DepositAwaited | Verdict::Approvable => {
                "Toss changed its account of a disagreement".to_owned()
            }
        };
        self.settle_disagreement(payment, None, truth, &what).await
    }

    /// UNKNOWN under our lease, with the money that Toss took on the books.
    async fn note_disagreement(
        &self,
        payment: &Payment,
        attempt: Option<Finished>,
        truth: &GatewayPayment,
        what: &str,
    ) -> Result<Payment, ConfirmError> {
        let now = self.ports.clock.now();
        let mut change = self.change(payment, PaymentFact::AnswerMissing)?;
        change.history.note = Some(what.to_owned());
        change.after.due_at = Some(now + self.policy.lease);
        book(&mut change, truth);
        let stored = self.store(change, attempt).await?;
        Ok(stored.payment)
    }

    async fn quarantine(
        &self,
        payment: &Payment,
        number: u32,
        answer: GatewayAnswer,
        what: &str,
    ) -> Result<ConfirmOutcome, ConfirmError> {
        let mut change = self.change(payment, PaymentFact::Quarantined)?;
        let (result, outcome) = match answer {
            GatewayAnswer::Done {
                payment: truth,
                trace_id,
            } => {
                if payment.balance > Money::ZERO {
                    change.transaction = Some(Transaction {
                        kind: TransactionKind::Cancel,
                        amount_won: -payment.balance.won(),
                        transaction_key: truth.transaction_key.clone(),
                        reason: Some(what.to_owned()),
                        at: self.ports.clock.now(),
                    });
                    change.after.balance = Money::ZERO;
                }
                (
                    finished(AttemptOutcome::Approved, None, None, trace_id),
                    "canceled at Toss".to_owned(),
                )
            }
            GatewayAnswer::Rejected(rejection) => {
                let (code, message) = (rejection.code.as_str(), rejection.message.as_str());
                let ended = |outcome| {
                    let trace_id = rejection.trace_id.clone();
                    finished(outcome, Some(code), Some(message), trace_id)
                };
                match rejection.kind {
                    RejectionKind::StillRunning => {
                        let ended = (number, ended(AttemptOutcome::Silent));
                        return self.settle_undecided(payment, Some(ended), what).await;
                    }
                    // It may have gone back already: the next look tells, before another cancel.
                    RejectionKind::Unclear | RejectionKind::AlreadyProcessed => {
                        let ended = (number, ended(AttemptOutcome::Unclear));
                        return self.settle_undecided(payment, Some(ended), what).await;
                    }
                    RejectionKind::Declined
                    | RejectionKind::UnknownPayment
                    | RejectionKind::Inconsistent
                    | RejectionKind::Configuration => (
                        ended(AttemptOutcome::Rejected),
                        format!("Toss refused to cancel: {code}"),
                    ),
                }
            }
            GatewayAnswer::Unknown { reason } | GatewayAnswer::NotSent { reason } => {
                // The next look finds the disagreement, or the cancel, again.
                let result = finished(AttemptOutcome::Silent, None, Some(&reason), None);
                return self
                    .settle_undecided(payment, Some((number, result)), what)
                    .await;
            }
        };
        change.history.note = Some(format!("{what}; {outcome}"));
        self.store_settled(change, Some((number, result))).await
    }

    /// The attempt to send under: the last one for this purpose while its key is reusable, else a
    /// new one, stored before anything is sent. Returns the payment with its present fence.
    pub(super) async fn attempt_for(
        &self,
        payment: &Payment,
        purpose: AttemptPurpose,
    ) -> Result<(Payment, u32), ConfirmError> {
        let attempts = self.ports.payments.attempts(&payment.order_id).await?;
        let last = attempts
            .iter()
            .rev()
            .find(|attempt| attempt.purpose == purpose);
        if let Some(last) = last
            && last.key_is_reusable()
            && Some(&last.payment_key) == payment.payment_key.as_ref()
        {
            return Ok((payment.clone(), last.number));
        }
        let Some(change) = self.new_attempt(payment, purpose)? else {
            return Err(ConfirmError::Undecided);
        };
        match self.ports.payments.apply(&change).await? {
            Applied::Yes => {
                let number = change.after.attempts;
                Ok((change.after, number))
            }
            Applied::Stale => Err(ConfirmError::Undecided),
        }
    }
}

/// Books the money that Toss took, once, whatever the order says.
pub(super) fn book(change: &mut Change, truth: &GatewayPayment) {
    let moved = matches!(
        truth.status,
        GatewayStatus::Done | GatewayStatus::PartialCanceled
    );
    if moved
        && change.after.balance == Money::ZERO
        && let Some(balance) = truth.balance.or(truth.total)
    {
        change.after.balance = balance;
        change.transaction = Some(Transaction {
            kind: TransactionKind::Approval,
            amount_won: balance.won(),
            transaction_key: truth.transaction_key.clone(),
            reason: None,
            at: truth.approved_at.unwrap_or(change.history.at),
        });
    }
}
