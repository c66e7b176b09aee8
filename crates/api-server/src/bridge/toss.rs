use async_trait::async_trait;
use chrono::Utc;
use kernel::{Money, OrderId, PaymentKey};
use payment_domain::model::{GatewayCancel, GatewayPayment, GatewayStatus, VirtualAccount};
use payment_domain::port::{
    CancelRequest, ConfirmRequest, GatewayAnswer, GatewayRejection, LookUp, PaymentGateway,
    RejectionKind,
};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use toss_client::{
    CancelStatus, Error, ErrorClass, IdempotencyKey, Payment, PaymentStatus, RefundReceiveAccount,
    Rejection, TossClient,
};

/// Payment's gateway is Toss Payments.
pub struct Toss {
    client: TossClient,
}

impl Toss {
    /// A bridge to Toss through this client, which must not retry on its own.
    pub fn new(client: TossClient) -> Self {
        Self { client }
    }
}

#[async_trait]
impl PaymentGateway for Toss {
    /// Whoever counts silences stands in front of this.
    async fn is_back(&self) -> bool {
        false
    }

    async fn confirm(&self, request: &ConfirmRequest) -> GatewayAnswer {
        let key = match IdempotencyKey::parse(request.key.as_str()) {
            Ok(key) => key,
            Err(error) => {
                return GatewayAnswer::NotSent {
                    reason: error.to_string(),
                };
            }
        };
        let (payment_key, order_id) = (request.payment_key.as_str(), request.order_id.as_str());
        let wish = toss_client::ConfirmRequest::new(payment_key, order_id, won(request.amount));
        moved(self.client.confirm(&wish, &key).await)
    }

    async fn cancel(&self, request: &CancelRequest) -> GatewayAnswer {
        let key = match IdempotencyKey::parse(request.key.as_str()) {
            Ok(key) => key,
            Err(error) => {
                return GatewayAnswer::NotSent {
                    reason: error.to_string(),
                };
            }
        };
        let mut wish = toss_client::CancelRequest::new(request.reason.as_str());
        if let Some(part) = request.part {
            // Toss refuses when it sees another balance than ours.
            wish = wish
                .amount(won(part.amount))
                .refundable_amount(won(part.balance));
        }
        if let Some(account) = &request.refund_account {
            wish = wish.refund_receive_account(RefundReceiveAccount::new(
                account.bank.as_str(),
                account.account_number.as_str(),
                account.holder_name.as_str(),
            ));
        }
        moved(
            self.client
                .cancel(request.payment_key.as_str(), &wish, &key)
                .await,
        )
    }

    async fn look_up(&self, payment_key: &PaymentKey) -> LookUp {
        seen(self.client.payment(payment_key.as_str()).await)
    }

    async fn look_up_order(&self, order_id: &OrderId) -> LookUp {
        seen(self.client.payment_by_order(order_id.as_str()).await)
    }
}

type Answered = Result<toss_client::Answer<Payment>, Error>;

/// What came of a request that moves money.
fn moved(answer: Answered) -> GatewayAnswer {
    match answer {
        Ok(answer) => GatewayAnswer::Done {
            payment: Box::new(payment(&answer.value)),
            trace_id: answer.trace_id,
        },
        Err(Error::Rejected(rejection)) => GatewayAnswer::Rejected(rejected(&rejection)),
        Err(error @ (Error::NotSent { .. } | Error::InvalidRequest { .. })) => {
            GatewayAnswer::NotSent {
                reason: error.to_string(),
            }
        }
        // A 2xx that cannot be read was executed; anything else may have been.
        Err(error) => GatewayAnswer::Unknown {
            reason: error.to_string(),
        },
    }
}

/// What came of a question.
fn seen(answer: Answered) -> LookUp {
    match answer {
        Ok(answer) => LookUp::Found(Box::new(payment(&answer.value))),
        Err(Error::Rejected(rejection)) if rejection.status == 404 => LookUp::Absent,
        Err(error) => LookUp::Unavailable {
            reason: error.to_string(),
        },
    }
}

/// What Toss's error means to a payment.
pub fn rejected(rejection: &Rejection) -> GatewayRejection {
    GatewayRejection {
        kind: kind(rejection),
        code: rejection.code.as_str().to_owned(),
        message: rejection.message.clone(),
        trace_id: rejection.trace_id.clone(),
    }
}

/// Classes come from `toss-client`; a few codes mean more to a payment than their class says.
fn kind(rejection: &Rejection) -> RejectionKind {
    match rejection.code.as_str() {
        "NOT_FOUND_PAYMENT" | "NOT_FOUND_PAYMENT_SESSION" | "NOT_FOUND" => {
            return RejectionKind::UnknownPayment;
        }
        // Reported for a key, order or amount that do not belong together, and for contracts.
        "FORBIDDEN_REQUEST" | "INVALID_REQUEST" | "INVALID_PAYMENT_KEY" => {
            return RejectionKind::Inconsistent;
        }
        _ => {}
    }
    match rejection.class {
        ErrorClass::UserFixable | ErrorClass::Terminal => RejectionKind::Declined,
        ErrorClass::Config => RejectionKind::Configuration,
        ErrorClass::DoneEquivalent => RejectionKind::AlreadyProcessed,
        ErrorClass::RetrySameKey => RejectionKind::StillRunning,
        ErrorClass::QueryFirst | ErrorClass::RetryWait => RejectionKind::Unclear,
    }
}

/// Toss's picture of a payment, in the domain's words.
pub fn payment(from: &Payment) -> GatewayPayment {
    let account = from.virtual_account.as_ref();
    GatewayPayment {
        order_id: from.order_id.clone(),
        payment_key: from.payment_key.clone(),
        status: status(&from.status),
        total: whole_won(from.total_amount),
        balance: from.balance_amount.and_then(whole_won),
        currency: from.currency.clone().unwrap_or_else(|| "KRW".to_owned()),
        method: from
            .method
            .as_ref()
            .map(|method| method.as_str().to_owned()),
        approved_at: moment(from.approved_at.as_ref()),
        receipt_url: from.receipt_url().map(ToOwned::to_owned),
        virtual_account: account.map(|account| VirtualAccount {
            bank_code: account.bank_code.clone().unwrap_or_default(),
            account_number: exposed(account.account_number.as_ref()).unwrap_or_default(),
            due_date: moment(account.due_date.as_ref()),
            customer_name: exposed(account.customer_name.as_ref()),
        }),
        deposit_lapsed: account.is_some_and(|account| account.expired == Some(true)),
        secret: exposed(from.secret.as_ref()),
        transaction_key: from.last_transaction_key.clone(),
        cancels: from.cancels().iter().filter_map(cancel).collect(),
        failure: from.failure.as_ref().map(|failure| {
            (
                failure.code.clone().unwrap_or_default(),
                failure.message.clone().unwrap_or_default(),
            )
        }),
    }
}

/// A cancel that moved money, or may have: one that Toss has broken off has not.
fn cancel(from: &toss_client::Cancel) -> Option<GatewayCancel> {
    let is_aborted = from.cancel_status == Some(CancelStatus::Aborted);
    (!is_aborted).then(|| GatewayCancel {
        transaction_key: from.transaction_key.clone(),
        amount: from.cancel_amount.and_then(whole_won),
        reason: from.cancel_reason.clone(),
        at: moment(from.canceled_at.as_ref()),
    })
}

fn status(from: &PaymentStatus) -> GatewayStatus {
    match from {
        PaymentStatus::Ready => GatewayStatus::Ready,
        PaymentStatus::InProgress => GatewayStatus::InProgress,
        PaymentStatus::WaitingForDeposit => GatewayStatus::WaitingForDeposit,
        PaymentStatus::Done => GatewayStatus::Done,
        PaymentStatus::Canceled => GatewayStatus::Canceled,
        PaymentStatus::PartialCanceled => GatewayStatus::PartialCanceled,
        PaymentStatus::Aborted => GatewayStatus::Aborted,
        PaymentStatus::Expired => GatewayStatus::Expired,
        other => GatewayStatus::Other(other.as_str().to_owned()),
    }
}

fn exposed(text: Option<&toss_client::Sensitive>) -> Option<String> {
    text.map(|text| text.expose().to_owned())
}

fn moment(at: Option<&toss_client::Timestamp>) -> Option<kernel::Timestamp> {
    let at = at?.at()?.with_timezone(&Utc);
    Some(kernel::from_micros(kernel::micros(at)))
}

fn won(amount: Money) -> Decimal {
    Decimal::from(amount.won())
}

/// A whole number of won in range, or nothing: an amount that is not one never agrees.
fn whole_won(amount: Decimal) -> Option<Money> {
    signed_won(amount).and_then(|won| Money::from_won(won).ok())
}

/// A whole number of won of either sign, or nothing.
pub(super) fn signed_won(amount: Decimal) -> Option<i64> {
    amount.is_integer().then(|| amount.to_i64()).flatten()
}

#[cfg(test)]
mod tests {
    use toss_client::Endpoint;

    use super::*;

    fn confirm_kind(status: u16, code: &str) -> RejectionKind {
        kind(&Rejection::new(
            Endpoint::ConfirmPayment,
            status,
            code,
            "말",
        ))
    }

    #[test]
    fn codes_of_confirm_become_what_a_payment_must_do() {
        for (status, code, expected) in [
            (403, "REJECT_CARD_PAYMENT", RejectionKind::Declined),
            (400, "INVALID_CARD_LOST_OR_STOLEN", RejectionKind::Declined),
            (400, "PAY_PROCESS_ABORTED", RejectionKind::Declined),
            (400, "PROVIDER_ERROR", RejectionKind::Unclear),
            (
                500,
                "FAILED_PAYMENT_INTERNAL_SYSTEM_PROCESSING",
                RejectionKind::Unclear,
            ),
            (403, "A_CODE_OF_TOMORROW", RejectionKind::Unclear),
            (429, "TOO_MANY_REQUESTS", RejectionKind::Unclear),
            (
                400,
                "ALREADY_PROCESSED_PAYMENT",
                RejectionKind::AlreadyProcessed,
            ),
            (
                409,
                "IDEMPOTENT_REQUEST_PROCESSING",
                RejectionKind::StillRunning,
            ),
            (401, "UNAUTHORIZED_KEY", RejectionKind::Configuration),
            (400, "INVALID_API_KEY", RejectionKind::Configuration),
            (404, "NOT_FOUND_PAYMENT", RejectionKind::UnknownPayment),
            (
                404,
                "NOT_FOUND_PAYMENT_SESSION",
                RejectionKind::UnknownPayment,
            ),
            (403, "FORBIDDEN_REQUEST", RejectionKind::Inconsistent),
        ] {
            assert_eq!(confirm_kind(status, code), expected, "{code}");
        }
    }

    #[test]
    fn only_a_payment_that_toss_does_not_know_is_absent() {
        let answer = |status, code| {
            let rejection = Rejection::new(Endpoint::GetPayment, status, code, "말");
            seen(Err(Error::Rejected(rejection)))
        };
        assert_eq!(answer(404, "NOT_FOUND_PAYMENT"), LookUp::Absent);
        for (status, code) in [
            (400, "INVALID_REQUEST"),
            (401, "UNAUTHORIZED_KEY"),
            (403, "FORBIDDEN_REQUEST"),
            (429, "TOO_MANY_REQUESTS"),
            (500, "FAILED_INTERNAL_SYSTEM_PROCESSING"),
        ] {
            let unavailable = matches!(answer(status, code), LookUp::Unavailable { .. });
            assert!(unavailable, "{status} {code}");
        }
    }

    #[test]
    fn fractions_and_huge_amounts_are_no_won() {
        assert_eq!(
            whole_won(Decimal::new(21_000_000, 2)),
            Money::from_won(210_000).ok()
        );
        assert_eq!(whole_won(Decimal::new(125, 2)), None);
        assert_eq!(whole_won(Decimal::MAX), None);
        assert_eq!(whole_won(Decimal::NEGATIVE_ONE), None);
    }
}
