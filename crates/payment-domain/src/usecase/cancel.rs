//! Cancel: store the wish, ask Toss, store what came of it. One cancel of a payment runs at a time,
//! and what it left undecided is driven forward by recovery: under the same key after silence, and
//! by what Toss shows after a decoded error.

mod drive;
mod settle;

use kernel::{PaymentKey, StoreError, Timestamp};

use super::PaymentService;
use crate::model::{
    AttemptKey, AttemptPurpose, Cancel, CancelKey, CancelState, Change, Payment, PaymentFact,
    PaymentStatus, as_canceled, restock_lines, running_cancel,
};
use crate::port::{Applied, CancelPart, CancelRequest, GatewayAnswer};
use crate::receiver::{CancelCommand, CancelError, CancelOutcome, PaymentView};

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
        let same = |key: &CancelKey| Some(key) == command.key.as_ref();
        if !earlier.key.as_ref().is_some_and(same) {
            return Err(CancelError::KeyReused);
        }
        match (earlier.state, earlier.balance_after, &earlier.refusal) {
            (CancelState::Requested, ..) => Err(CancelError::Running),
            (CancelState::Refused, _, Some(refusal)) => Err(CancelError::Refused(refusal.clone())),
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
        change.begin_attempt(AttemptPurpose::Cancel, payment_key.clone(), wish.amount);
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

fn legal(payment: &Payment, fact: PaymentFact, now: Timestamp) -> Result<Change, CancelError> {
    payment.change(fact, now).map_err(|illegal| {
        tracing::error!(order_id = %payment.order_id, %illegal, "refused to record");
        CancelError::Undecided
    })
}
