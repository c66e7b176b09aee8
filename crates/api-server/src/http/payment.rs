//! `GET /api/v1/payments/{orderId}`

use actix_web::{HttpResponse, web};
use kernel::OrderId;
use payment_domain::model::{Transaction, TransactionKind};
use payment_domain::{PaymentView, ReadError};
use serde::Serialize;
use utoipa::ToSchema;

use super::envelope::{Data, ErrorEnvelope};
use super::wire::rfc3339;
use super::{Api, ApiError, Code};

/// A payment as it stands. It holds no personal data: knowing the order id is the right to read it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PaymentResponse {
    order_id: String,
    order_name: String,
    /// `READY`, `IN_PROGRESS`, `UNKNOWN`, `WAITING_FOR_DEPOSIT`, `DONE`, `FAILED`, `EXPIRED`,
    /// `PARTIAL_CANCELED`, `CANCELED` or `QUARANTINED`.
    #[schema(example = "DONE")]
    status: &'static str,
    /// In won.
    total_amount: i64,
    /// What was paid and not given back, in won.
    balance_amount: i64,
    /// Always `KRW`.
    currency: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    payment_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<String>,
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    approved_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    receipt_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    virtual_account: Option<DepositAccount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<FailureBody>,
    orders: Vec<OrderLineBody>,
    cancels: Vec<CancelBody>,
}

/// Where to deposit, without the buyer's name.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DepositAccount {
    bank_code: String,
    account_number: String,
    due_date: Option<String>,
}

/// Why a payment failed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FailureBody {
    /// Toss's code, or `ORDERED_PRODUCT_STOCK_NOT_ENOUGH`.
    code: String,
    message: String,
}

/// One line of the order.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OrderLineBody {
    product_id: i64,
    quantity: u16,
    /// In won.
    amount: i64,
    /// The payment's status.
    status: &'static str,
}

/// Money that went back.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CancelBody {
    /// In won, above zero.
    amount: i64,
    reason: Option<String>,
    canceled_at: String,
}

impl From<PaymentView> for PaymentResponse {
    fn from(
        PaymentView {
            payment,
            transactions,
        }: PaymentView,
    ) -> Self {
        let status = payment.status.as_str();
        let cancels = transactions
            .into_iter()
            .filter(|moved| moved.kind == TransactionKind::Cancel);
        Self {
            order_id: payment.order_id.to_string(),
            order_name: payment.order_name,
            status,
            total_amount: payment.total.won(),
            balance_amount: payment.balance.won(),
            currency: "KRW",
            payment_key: payment.payment_key.map(String::from),
            method: payment.method,
            created_at: rfc3339(payment.created_at),
            approved_at: payment.approved_at.map(rfc3339),
            expires_at: Some(rfc3339(payment.expires_at)),
            receipt_url: payment.receipt_url,
            virtual_account: payment.virtual_account.as_ref().map(DepositAccount::from),
            failure: payment.failure.map(|failure| FailureBody {
                code: failure.code,
                message: failure.message,
            }),
            orders: payment
                .lines
                .iter()
                .map(|line| OrderLineBody {
                    product_id: line.product_id.get(),
                    quantity: line.quantity.get(),
                    amount: line.amount.won(),
                    status,
                })
                .collect(),
            cancels: cancels.map(CancelBody::from).collect(),
        }
    }
}

impl From<&payment_domain::model::VirtualAccount> for DepositAccount {
    fn from(account: &payment_domain::model::VirtualAccount) -> Self {
        Self {
            bank_code: account.bank_code.clone(),
            account_number: account.account_number.clone(),
            due_date: account.due_date.map(rfc3339),
        }
    }
}

impl From<Transaction> for CancelBody {
    fn from(moved: Transaction) -> Self {
        Self {
            amount: -moved.amount_won,
            reason: moved.reason,
            canceled_at: rfc3339(moved.at),
        }
    }
}

pub(super) fn route(config: &mut web::ServiceConfig) {
    config.service(web::resource("/api/v1/payments/{orderId}").route(web::get().to(read)));
}

/// Reads a payment.
#[utoipa::path(
    get, path = "/api/v1/payments/{orderId}", tag = "payments", operation_id = "readPayment",
    params(("orderId" = String, Path, description = "The order's id")),
    responses(
        (status = 200, description = "The payment", body = Data<PaymentResponse>),
        (status = 404, description = "Unknown order (E03001)", body = ErrorEnvelope),
        (status = 503, description = "Unavailable (E99999)", body = ErrorEnvelope),
    )
)]
pub(super) async fn read(
    api: web::Data<Api>,
    order_id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    // Text that cannot be an order id names no order.
    let order_id: OrderId = order_id
        .parse()
        .map_err(|_| ApiError::from(Code::PaymentNotFound))?;
    let (payments, desk) = (api.payments.clone(), api.desk.clone());
    let view = api
        .on_main(async move {
            let view = payments.read(&order_id).await?;
            if !desk.repair(&view.payment).await {
                return Ok(view);
            }
            payments.read(&order_id).await
        })
        .await?;
    let view = view.map_err(|error: ReadError| ApiError::from(error))?;
    Ok(HttpResponse::Ok().json(Data {
        data: PaymentResponse::from(view),
    }))
}
