//! Confirm: verify what the browser claims, claim the payment, take stock, have Toss approve while
//! nothing of ours is held open, store what came of it.

use kernel::{PaymentKey, StoreError, Timestamp};

use super::PaymentService;
use crate::model::{
    AttemptKey, AttemptOutcome, AttemptPurpose, AttemptResult, Change, FailureKind, Payment,
    PaymentFact, PaymentStatus, Policy,
};
use crate::port::{Applied, ConfirmRequest, HoldReply, HoldRequest};
use crate::receiver::{ConfirmCommand, ConfirmError, ConfirmOutcome, Examined};

impl PaymentService {
    /// A request that fails here has written nothing and called nobody: a stranger's wrong guess
    /// must not hurt the buyer's order.
    pub(super) async fn examine_claim(
        &self,
        command: &ConfirmCommand,
    ) -> Result<Examined, ConfirmError> {
        let payment = self.ports.payments.find(&command.order_id).await?;
        let payment =
            payment.ok_or_else(|| ConfirmError::UnknownOrder(command.order_id.clone()))?;
        examine(payment, command, self.ports.clock.now())
    }

    pub(super) async fn confirm_payment(
        &self,
        payment: Payment,
        payment_key: PaymentKey,
    ) -> Result<ConfirmOutcome, ConfirmError> {
        let now = self.ports.clock.now();
        if payment.is_lapsed(now) {
            return Err(ConfirmError::NotPayable(PaymentStatus::Expired));
        }
        if !self.ports.gateway.admits() {
            return Err(ConfirmError::GatewayClosed);
        }
        let claim = claim(&payment, payment_key.clone(), now, &self.policy)
            .ok_or(ConfirmError::LostClaim)?;
        match self.ports.payments.apply(&claim).await? {
            Applied::Yes => {}
            Applied::Stale => return Err(ConfirmError::LostClaim),
        }
        let claimed = claim.after;
        let number = claimed.attempts;

        match self.hold_stock(&claimed).await {
            Ok(HoldReply::Held) => {}
            Ok(HoldReply::Short(product_id)) => {
                return Box::pin(self.settle_stock_short(&claimed, number, product_id)).await;
            }
            Ok(HoldReply::Superseded) => return Err(ConfirmError::Undecided),
            Err(error) => {
                tracing::error!(order_id = %claimed.order_id, %error, "stock could not be held");
                let unsent = Some(not_sent(number, &error));
                return Box::pin(self.settle_undecided(&claimed, unsent, "stock not held")).await;
            }
        }

        let answer = self
            .ports
            .gateway
            .confirm(&request(&claimed, payment_key, number))
            .await;
        // Thousands of confirms wait for Toss at once: what comes after takes memory only then.
        Box::pin(self.settle_answer(&claimed, number, answer)).await
    }

    /// Takes the payment's stock under its present fence.
    pub(super) async fn hold_stock(&self, payment: &Payment) -> Result<HoldReply, StoreError> {
        let lines = payment
            .lines
            .iter()
            .map(|line| (line.product_id, line.quantity))
            .collect();
        let (order_id, fence) = (payment.order_id.clone(), payment.fence);
        self.ports
            .products
            .hold(&HoldRequest {
                order_id,
                fence,
                lines,
            })
            .await
    }
}

/// What Toss is asked under a payment's `number`th attempt.
pub(super) fn request(payment: &Payment, payment_key: PaymentKey, number: u32) -> ConfirmRequest {
    ConfirmRequest {
        order_id: payment.order_id.clone(),
        payment_key,
        amount: payment.total,
        key: AttemptKey::new(&payment.order_id, number),
    }
}

fn not_sent(number: u32, error: &StoreError) -> (u32, AttemptResult) {
    let outcome = AttemptOutcome::NotSent;
    (
        number,
        AttemptResult {
            outcome,
            code: None,
            message: Some(error.to_string()),
            trace_id: None,
        },
    )
}

fn examine(
    payment: Payment,
    command: &ConfirmCommand,
    now: Timestamp,
) -> Result<Examined, ConfirmError> {
    if payment.buyer.user_id != command.user_id {
        return Err(ConfirmError::WrongUser);
    }
    if payment.total != command.amount {
        return Err(ConfirmError::AmountDiffers);
    }
    let same_key = payment.payment_key.as_ref() == Some(&command.payment_key);
    match payment.status {
        PaymentStatus::Ready if payment.is_lapsed(now) => {
            Err(ConfirmError::NotPayable(PaymentStatus::Expired))
        }
        PaymentStatus::Ready => Ok(Examined::Payable(Box::new(payment))),
        PaymentStatus::Expired => Err(ConfirmError::NotPayable(payment.status)),
        PaymentStatus::Failed if same_key => Err(first_failure(&payment)),
        PaymentStatus::Failed => Err(ConfirmError::NotPayable(payment.status)),
        _ if !same_key => Err(ConfirmError::WrongPaymentKey),
        PaymentStatus::InProgress | PaymentStatus::Unknown if payment.is_due(now) => {
            Ok(Examined::Overdue(Box::new(payment)))
        }
        PaymentStatus::InProgress => Ok(Examined::Running),
        PaymentStatus::Unknown => Err(ConfirmError::Undecided),
        PaymentStatus::Done | PaymentStatus::WaitingForDeposit => {
            Ok(Examined::Answered(ConfirmOutcome {
                payment: Box::new(payment),
                undelivered: None,
            }))
        }
        PaymentStatus::PartialCanceled | PaymentStatus::Canceled | PaymentStatus::Quarantined => {
            Err(ConfirmError::NotPayable(payment.status))
        }
    }
}

/// A repeated confirm gets the first one's answer, also when that was a refusal.
pub(super) fn first_failure(payment: &Payment) -> ConfirmError {
    match &payment.failure {
        Some(failure) => match failure.kind {
            FailureKind::StockShort(product_id) => ConfirmError::StockShort(product_id),
            FailureKind::Declined => {
                let (code, message) = (failure.code.clone(), failure.message.clone());
                ConfirmError::Declined { code, message }
            }
        },
        None => ConfirmError::NotPayable(payment.status),
    }
}

/// `READY` → `IN_PROGRESS` under a lease, with the attempt's key stored before anything is sent.
fn claim(
    payment: &Payment,
    payment_key: PaymentKey,
    now: Timestamp,
    policy: &Policy,
) -> Option<Change> {
    let mut change = payment.change(PaymentFact::Claimed, now).ok()?;
    change.after.payment_key = Some(payment_key.clone());
    change.after.looks = 0;
    change.after.absences = 0;
    change.after.due_at = Some(now + policy.lease);
    change.begin_attempt(AttemptPurpose::Confirm, payment_key, payment.total);
    Some(change)
}
