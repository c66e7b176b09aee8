//! Approving, asking, giving back.

use rust_decimal::Decimal;

use super::{TossClient, exchange::Call};
use crate::{
    Answer, CancelRequest, ConfirmRequest, Difference, Endpoint, Error, Fingerprint,
    IdempotencyKey, Payment, PaymentStatus, request,
};

pub(super) fn json<T: serde::Serialize>(endpoint: Endpoint, request: &T) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(request).map_err(|error| Error::InvalidRequest {
        endpoint,
        reason: error.to_string(),
    })
}

impl TossClient {
    /// Asks Toss to approve a payment the buyer has authenticated. On success its status is
    /// `DONE`, or `WAITING_FOR_DEPOSIT` for a virtual account; **compare order id, amount and
    /// currency** with what was ordered before believing it, or let
    /// [`confirm_checked`](Self::confirm_checked) do it.
    ///
    /// # Errors
    /// See [`Error`]; only [`Error::NotSent`] and final classes mean that no money moved.
    pub async fn confirm(
        &self,
        request: &ConfirmRequest,
        key: &IdempotencyKey,
    ) -> Result<Answer<Payment>, Error> {
        let endpoint = Endpoint::ConfirmPayment;
        request
            .check()
            .map_err(|reason| Error::InvalidRequest { endpoint, reason })?;
        let body = json(endpoint, request)?;
        self.call(Call::act(endpoint, ConfirmRequest::PATH, body, key))
            .await
    }

    /// As [`confirm`](Self::confirm), and `Ok` only if Toss answers about this payment, order and
    /// amount in this currency (`KRW`), approved or waiting for its deposit.
    ///
    /// # Errors
    /// [`Error::Mismatch`] holds what Toss executed instead: cancel it or call a person. An answer
    /// without a currency counts as KRW, the only one that versions before 1.4 knew.
    pub async fn confirm_checked(
        &self,
        request: &ConfirmRequest,
        currency: &str,
        key: &IdempotencyKey,
    ) -> Result<Answer<Payment>, Error> {
        let answer = self.confirm(request, key).await?;
        let confirmed = matches!(
            answer.status,
            PaymentStatus::Done | PaymentStatus::WaitingForDeposit
        );
        let difference = request
            .difference(&answer, currency)
            .or_else(|| (!confirmed).then(|| Difference::Status(answer.status.clone())));
        match difference {
            None => Ok(answer),
            Some(difference) => Err(Error::Mismatch {
                endpoint: Endpoint::ConfirmPayment,
                difference,
                answer: Box::new(answer),
            }),
        }
    }

    /// Gives money back, in whole or in part. Whether all is back is told by
    /// [`Payment::is_wholly_refunded`], not by its status.
    ///
    /// A partial cancel that does not say which balance it expects
    /// ([`CancelRequest::refundable_amount`]) first asks Toss for it, one read more, and sends
    /// what it saw: a cancel that crosses another is then refused instead of done twice.
    ///
    /// # Errors
    /// See [`Error`]; only [`Error::NotSent`] and final classes mean that no money moved. If the
    /// balance cannot be read, nothing was cancelled: [`Error::NotSent`].
    pub async fn cancel(
        &self,
        payment_key: &str,
        request: &CancelRequest,
        key: &IdempotencyKey,
    ) -> Result<Answer<Payment>, Error> {
        let endpoint = Endpoint::CancelPayment;
        let invalid = |reason| Error::InvalidRequest { endpoint, reason };
        let path = CancelRequest::path(payment_key).map_err(invalid)?;
        request.check().map_err(invalid)?;
        let body = json(endpoint, request)?;
        let fingerprint = Fingerprint::of(&path, &body);
        let body = if request.wants_balance() {
            let balance = self.balance(payment_key).await?;
            json(endpoint, &request.clone().refundable_amount(balance))?
        } else {
            body
        };
        self.call(Call::act(endpoint, path, body, key).bound_to(fingerprint))
            .await
    }

    /// What can still be cancelled.
    async fn balance(&self, payment_key: &str) -> Result<Decimal, Error> {
        let not_sent = |source: Option<Error>| Error::NotSent {
            endpoint: Endpoint::CancelPayment,
            reason: "the balance to send along could not be read".to_owned(),
            source: source.map(Into::into),
        };
        let payment = self.payment(payment_key).await;
        let payment = payment.map_err(|error| not_sent(Some(error)))?;
        payment.balance_amount.ok_or_else(|| not_sent(None))
    }

    /// The payment with this key.
    ///
    /// # Errors
    /// `NOT_FOUND_PAYMENT` right after a lost confirm is no proof that nothing happened: ask
    /// again. Nothing moves money here, so any other error may simply be repeated.
    pub async fn payment(&self, payment_key: &str) -> Result<Answer<Payment>, Error> {
        let endpoint = Endpoint::GetPayment;
        let segment = request::payment_key_segment(payment_key)
            .map_err(|reason| Error::InvalidRequest { endpoint, reason })?;
        self.call(Call::read(endpoint, format!("/v1/payments/{segment}")))
            .await
    }

    /// The payment of this order.
    ///
    /// # Errors
    /// As for [`payment`](Self::payment).
    pub async fn payment_by_order(&self, order_id: &str) -> Result<Answer<Payment>, Error> {
        let endpoint = Endpoint::GetPaymentByOrder;
        let segment = request::order_id_segment(order_id)
            .map_err(|reason| Error::InvalidRequest { endpoint, reason })?;
        let path = format!("/v1/payments/orders/{segment}");
        self.call(Call::read(endpoint, path)).await
    }
}
