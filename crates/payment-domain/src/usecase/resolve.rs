//! Resolve: an operator settles a quarantined payment, and Toss is asked first.

use kernel::Money;

use super::PaymentService;
use super::orphan::orphan_look;
use super::settle::shortened;
use crate::model::{
    Change, Failure, FailureKind, GatewayPayment, GatewayStatus, Payment, PaymentFact,
    PaymentStatus, StockInstruction, Transaction, TransactionKind, Verdict, judge,
};
use crate::port::{Applied, LookUp};
use crate::receiver::{Resolution, ResolveCommand, ResolveError};

impl PaymentService {
    pub(super) async fn resolve_quarantined(
        &self,
        command: ResolveCommand,
    ) -> Result<(), ResolveError> {
        let ResolveCommand {
            order_id,
            to,
            reason,
        } = command;
        let payment = self.ports.payments.find(&order_id).await?;
        let payment = payment.ok_or_else(|| ResolveError::UnknownOrder(order_id.clone()))?;
        if payment.status != PaymentStatus::Quarantined {
            return Err(ResolveError::NotQuarantined(payment.status));
        }
        let truth = match self.find_at_toss(&payment).await {
            LookUp::Found(truth) => Some(truth),
            LookUp::Absent => None,
            LookUp::Unavailable { .. } => return Err(ResolveError::GatewaySilent),
        };
        let mut change = match to {
            Resolution::Done => self.resolved_as_done(&payment, truth.as_deref())?,
            Resolution::Failed => self.resolved_as_failed(&payment, truth.as_deref(), &reason)?,
        };
        change.history.note = Some(shortened(&reason));
        match self.ports.payments.apply(&change).await? {
            Applied::Yes => {}
            Applied::Stale => return Err(ResolveError::Changed),
        }
        if let Err(error) = self.deliver_messages_of(&order_id).await {
            tracing::warn!(%order_id, %error, "stock is told later, by the outbox");
        }
        Ok(())
    }

    /// Only what Toss shows as approved for this order and amount can be resolved as paid.
    fn resolved_as_done(
        &self,
        payment: &Payment,
        truth: Option<&GatewayPayment>,
    ) -> Result<Change, ResolveError> {
        let Some(truth) = truth.filter(|truth| judge(payment, truth) == Verdict::Approved) else {
            return Err(ResolveError::Contradicted(shown(truth)));
        };
        let now = self.ports.clock.now();
        let mut change = payment
            .change(PaymentFact::ResolvedAsDone, now)
            .map_err(|_| ResolveError::Changed)?;
        let approved_at = truth.approved_at.unwrap_or(now);
        change.after.method.clone_from(&truth.method);
        change.after.receipt_url.clone_from(&truth.receipt_url);
        change.after.approved_at = Some(approved_at);
        change.after.balance = payment.total;
        let missing = payment.total.won() - payment.balance.won();
        change.transaction = (missing != 0).then(|| Transaction {
            kind: TransactionKind::Approval,
            amount_won: missing,
            transaction_key: truth.transaction_key.clone(),
            reason: None,
            at: approved_at,
        });
        change.stock = Some(StockInstruction::Sell);
        Ok(change)
    }

    /// Only what Toss shows without any money left can be resolved as not paid.
    fn resolved_as_failed(
        &self,
        payment: &Payment,
        truth: Option<&GatewayPayment>,
        reason: &str,
    ) -> Result<Change, ResolveError> {
        if truth.is_some_and(|truth| {
            truth.order_id == payment.order_id.as_str() && may_hold_money(truth)
        }) {
            return Err(ResolveError::Contradicted(shown(truth)));
        }
        let now = self.ports.clock.now();
        let mut change = payment
            .change(PaymentFact::ResolvedAsFailed, now)
            .map_err(|_| ResolveError::Changed)?;
        let (code, message) = ("RESOLVED_BY_OPERATOR".to_owned(), shortened(reason));
        change.after.failure = Some(Failure {
            kind: FailureKind::Declined,
            code,
            message,
        });
        change.after.due_at = orphan_look(payment, now, &self.policy);
        if payment.balance > Money::ZERO {
            change.transaction = Some(Transaction {
                kind: TransactionKind::Cancel,
                amount_won: -payment.balance.won(),
                transaction_key: None,
                reason: Some(shortened(reason)),
                at: now,
            });
            change.after.balance = Money::ZERO;
        }
        change.stock = Some(StockInstruction::Release);
        Ok(change)
    }
}

/// Whether Toss shows money, or a status from which money can still come by itself.
fn may_hold_money(truth: &GatewayPayment) -> bool {
    match &truth.status {
        GatewayStatus::Done | GatewayStatus::PartialCanceled => truth.balance != Some(Money::ZERO),
        GatewayStatus::WaitingForDeposit => !truth.deposit_lapsed,
        GatewayStatus::Other(_) => true,
        GatewayStatus::Ready
        | GatewayStatus::InProgress
        | GatewayStatus::Canceled
        | GatewayStatus::Aborted
        | GatewayStatus::Expired => false,
    }
}

fn shown(truth: Option<&GatewayPayment>) -> String {
    truth.map_or_else(
        || "Toss shows no such payment".to_owned(),
        |truth| format!("Toss shows {:?} of order {}", truth.status, truth.order_id),
    )
}
