//! A hint that something happened at Toss. Toss is asked, and only what it answers counts; a hint
//! that tells nothing new writes nothing.

use kernel::{Money, OrderId, StoreError};

use super::PaymentService;
use super::orphan::holds_money;
use crate::model::{GatewayPayment, Payment, PaymentStatus, Verdict, judge, unbooked};
use crate::port::LookUp;
use crate::receiver::{Observed, ReadError};

impl PaymentService {
    pub(super) async fn observe_payment(&self, order_id: &OrderId) -> Result<Observed, StoreError> {
        let Some(payment) = self.ports.payments.find(order_id).await? else {
            return Ok(Observed::UnknownOrder);
        };
        match payment.status {
            // Nothing was asked of Toss yet, or whoever owns the confirm asks by itself; the end of
            // the one is no more to change, and the other is a person's to settle.
            PaymentStatus::Ready
            | PaymentStatus::InProgress
            | PaymentStatus::Canceled
            | PaymentStatus::Quarantined => return Ok(Observed::Nothing),
            PaymentStatus::Unknown
            | PaymentStatus::WaitingForDeposit
            | PaymentStatus::Done
            | PaymentStatus::PartialCanceled
            | PaymentStatus::Failed
            | PaymentStatus::Expired => {}
        }
        let truth = match self.find_at_toss(&payment).await {
            LookUp::Found(truth) => truth,
            LookUp::Absent => return Ok(Observed::Nothing),
            LookUp::Unavailable { .. } => return Ok(Observed::Unanswered),
        };
        if !self.is_news(&payment, &truth).await? {
            return Ok(Observed::Nothing);
        }
        match self.recover_payment_now(order_id).await {
            Ok(()) => Ok(Observed::Acted),
            Err(ReadError::UnknownOrder(_)) => Ok(Observed::UnknownOrder),
            Err(ReadError::Store(error)) => Err(error),
        }
    }

    /// Whether Toss shows what a look would act on.
    async fn is_news(&self, payment: &Payment, truth: &GatewayPayment) -> Result<bool, StoreError> {
        Ok(match payment.status {
            PaymentStatus::Unknown => match judge(payment, truth) {
                Verdict::Approved
                | Verdict::DepositAwaited
                | Verdict::Dead { .. }
                | Verdict::Disagreement(_) => true,
                Verdict::Approvable | Verdict::OtherOrder | Verdict::Unreadable(_) => false,
            },
            PaymentStatus::WaitingForDeposit => match judge(payment, truth) {
                Verdict::Approved | Verdict::Dead { .. } | Verdict::Disagreement(_) => true,
                Verdict::DepositAwaited
                | Verdict::Approvable
                | Verdict::OtherOrder
                | Verdict::Unreadable(_) => false,
            },
            PaymentStatus::Done | PaymentStatus::PartialCanceled => {
                let booked = self.ports.payments.transactions(&payment.order_id).await?;
                !unbooked(&truth.cancels, &booked).is_empty()
            }
            PaymentStatus::Failed | PaymentStatus::Expired => {
                holds_money(payment, truth) || payment.balance > Money::ZERO
            }
            PaymentStatus::Ready
            | PaymentStatus::InProgress
            | PaymentStatus::Canceled
            | PaymentStatus::Quarantined => false,
        })
    }
}
