//! Finding out what became of a request whose answer was lost.

use std::time::Duration;

use rust_decimal::Decimal;

use super::TossClient;
use crate::{
    Answer, BillingRequest, Cancel, CancelRequest, CancelStatus, ConfirmRequest, Difference, Error,
    Payment, PaymentStatus,
};

/// How often a payment that Toss does not know is asked for: its index lags behind.
const CHECKS: u32 = 3;
/// The pause before the second check; doubles.
const PAUSE: Duration = Duration::from_secs(1);

/// What became of an approval.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Resolution {
    /// Approved as it was asked for.
    Approved(Box<Answer<Payment>>),
    /// The virtual account is issued; no money yet.
    AwaitingDeposit(Box<Answer<Payment>>),
    /// Not approved so far (`READY`, `IN_PROGRESS`). A request that was lost a moment ago may
    /// still be running: ask again, or repeat it with the **same** key. Toss expires it ten
    /// minutes after the buyer authenticated.
    Open(Box<Answer<Payment>>),
    /// Not approved and never will be (`ABORTED`, `EXPIRED`).
    Failed(Box<Answer<Payment>>),
    /// Approved, and since given back in part or whole.
    Returned(Box<Answer<Payment>>),
    /// Toss knows a payment, but of another order, amount or currency: call a person.
    Different {
        /// What differs first.
        difference: Difference,
        /// What Toss knows.
        answer: Box<Answer<Payment>>,
    },
    /// A status this crate does not know: call a person.
    Unclear(Box<Answer<Payment>>),
    /// Toss does not know it, also after some seconds. Repeat with the **same** key, or let the
    /// buyer begin anew; a request that is still on its way could yet arrive.
    Absent,
}

/// What became of a cancel.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum CancelResolution {
    /// The money is going back.
    Done(Box<Answer<Payment>>),
    /// Toss works on it: an asynchronous overseas cancel.
    Running(Box<Answer<Payment>>),
    /// It has not happened so far. A request that was lost a moment ago may still be running:
    /// repeat it with the **same** key.
    NotDone(Box<Answer<Payment>>),
    /// Toss gave up an asynchronous overseas cancel, and no money goes back. The **same** key would
    /// only replay its first answer: ask for it again with a new one.
    Aborted(Box<Answer<Payment>>),
    /// The balance changed in another way than was asked for: someone else cancels too, or the
    /// answer lacks what would tell. Call a person.
    Unclear(Box<Answer<Payment>>),
}

impl TossClient {
    /// Asks what became of a confirm, and decides. Moves no money.
    ///
    /// # Errors
    /// The error of a read that failed for another reason than an unknown payment; ask again.
    pub async fn resolve_confirm(
        &self,
        request: &ConfirmRequest,
        currency: &str,
    ) -> Result<Resolution, Error> {
        let answer = self
            .found(Some(request.payment_key()), request.order_id())
            .await?;
        Ok(answer.map_or(Resolution::Absent, |answer| {
            let difference = request.difference(&answer, currency);
            resolution(answer, difference)
        }))
    }

    /// Asks what became of a billing approval, by its order id, and decides. Moves no money.
    ///
    /// # Errors
    /// As for [`resolve_confirm`](Self::resolve_confirm).
    pub async fn resolve_billing(&self, request: &BillingRequest) -> Result<Resolution, Error> {
        self.resolve_order(request.order_id(), request.amount(), "KRW")
            .await
    }

    /// Asks what became of anything that makes a payment under an order id: key-in, virtual
    /// account, brandpay. Moves no money.
    ///
    /// # Errors
    /// As for [`resolve_confirm`](Self::resolve_confirm).
    pub async fn resolve_order(
        &self,
        order_id: &str,
        amount: Decimal,
        currency: &str,
    ) -> Result<Resolution, Error> {
        let answer = self.found(None, order_id).await?;
        Ok(answer.map_or(Resolution::Absent, |answer| {
            let difference = Difference::between(&answer, order_id, amount, currency);
            resolution(answer, difference)
        }))
    }

    /// Asks what became of a cancel, given the payment **as it was read before** the cancel was
    /// first sent, and decides. Moves no money.
    ///
    /// # Errors
    /// As for [`resolve_confirm`](Self::resolve_confirm).
    pub async fn resolve_cancel(
        &self,
        before: &Payment,
        request: &CancelRequest,
    ) -> Result<CancelResolution, Error> {
        let answer = Box::new(self.payment(&before.payment_key).await?);
        let wanted = request.cancel_amount().or(before.balance_amount);
        let is_new = |cancel: &&Cancel| {
            let same = |old: &Cancel| old.transaction_key == cancel.transaction_key;
            cancel.transaction_key.is_some() && !before.cancels().iter().any(same)
        };
        let ours = |cancel: &&Cancel| {
            let id = request.request_id();
            cancel.cancel_amount == wanted
                && id.is_none_or(|id| cancel.cancel_request_id.as_deref() == Some(id))
        };
        let found: Vec<_> = answer
            .cancels()
            .iter()
            .filter(is_new)
            .filter(ours)
            .collect();
        let unchanged =
            answer.balance_amount == before.balance_amount && answer.balance_amount.is_some();
        Ok(match found.as_slice() {
            [cancel] => match &cancel.cancel_status {
                None | Some(CancelStatus::Done) => CancelResolution::Done(answer),
                Some(CancelStatus::InProgress) => CancelResolution::Running(answer),
                Some(CancelStatus::Aborted) => CancelResolution::Aborted(answer),
                Some(CancelStatus::Other(_)) => CancelResolution::Unclear(answer),
            },
            // Two alike could be ours twice, or ours and another's.
            [_, _, ..] => CancelResolution::Unclear(answer),
            [] if request.cancel_amount().is_none() && answer.is_wholly_refunded() => {
                CancelResolution::Done(answer)
            }
            [] if unchanged => CancelResolution::NotDone(answer),
            [] => CancelResolution::Unclear(answer),
        })
    }

    /// `None` only after several checks, by key and by order.
    async fn found(
        &self,
        payment_key: Option<&str>,
        order_id: &str,
    ) -> Result<Option<Answer<Payment>>, Error> {
        let mut pause = PAUSE;
        for check in 1..=CHECKS {
            let by_key = match payment_key {
                Some(key) => known(self.payment(key).await)?,
                None => None,
            };
            if let Some(answer) = by_key {
                return Ok(Some(answer));
            }
            if let Some(answer) = known(self.payment_by_order(order_id).await)? {
                return Ok(Some(answer));
            }
            if check < CHECKS {
                self.shared.runtime.sleep(pause).await;
                pause *= 2;
            }
        }
        Ok(None)
    }
}

fn known(answer: Result<Answer<Payment>, Error>) -> Result<Option<Answer<Payment>>, Error> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(Error::Rejected(rejection)) if rejection.status == 404 => Ok(None),
        Err(error) => Err(error),
    }
}

fn resolution(answer: Answer<Payment>, difference: Option<Difference>) -> Resolution {
    let answer = Box::new(answer);
    if let Some(difference) = difference {
        return Resolution::Different { difference, answer };
    }
    match &answer.status {
        PaymentStatus::Done => Resolution::Approved(answer),
        PaymentStatus::WaitingForDeposit => Resolution::AwaitingDeposit(answer),
        PaymentStatus::Ready | PaymentStatus::InProgress => Resolution::Open(answer),
        PaymentStatus::Aborted | PaymentStatus::Expired => Resolution::Failed(answer),
        // An issued account that was cancelled before any deposit was never paid; its cancels
        // are empty then.
        PaymentStatus::Canceled | PaymentStatus::PartialCanceled => Resolution::Returned(answer),
        PaymentStatus::Other(_) => Resolution::Unclear(answer),
    }
}
