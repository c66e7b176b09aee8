//! `POST /api/v1/payments/confirm`

use actix_web::{HttpResponse, web};
use kernel::{OrderId, PaymentKey, UserId};
use payment_domain::ConfirmCommand;
use payment_domain::model::{Payment, VirtualAccount};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body::Json;
use super::checkout::IDEMPOTENCY_REPLAYED;
use super::envelope::{Data, ErrorEnvelope};
use super::wire::{Won, rfc3339};
use super::{Api, ApiError};
use crate::confirm_desk::Confirmed;

/// What the buyer's browser brought back from Toss's window.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConfirmRequest {
    /// Who ordered.
    #[schema(value_type = i64, minimum = 1, example = 1)]
    user_id: UserId,
    /// Which order.
    #[schema(value_type = String, min_length = 6, max_length = 64)]
    order_id: OrderId,
    /// The amount that was authenticated, in won.
    amount: Won,
    /// Toss's key of the payment.
    #[schema(value_type = String, min_length = 1, max_length = 200)]
    payment_key: PaymentKey,
}

/// A paid order, or one that waits for a deposit.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConfirmResponse {
    order_id: String,
    /// In won.
    #[schema(example = 210_000)]
    amount: i64,
    /// `DONE`, or `WAITING_FOR_DEPOSIT` for a virtual account.
    status: &'static str,
    payment_key: Option<String>,
    /// In Toss's words.
    #[schema(example = "카드")]
    method: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    approved_at: Option<String>,
    receipt_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    virtual_account: Option<VirtualAccountBody>,
}

/// Where to deposit.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct VirtualAccountBody {
    /// Toss's bank code.
    bank_code: String,
    account_number: String,
    due_date: Option<String>,
    customer_name: Option<String>,
}

impl From<&VirtualAccount> for VirtualAccountBody {
    fn from(account: &VirtualAccount) -> Self {
        Self {
            bank_code: account.bank_code.clone(),
            account_number: account.account_number.clone(),
            due_date: account.due_date.map(rfc3339),
            customer_name: account.customer_name.clone(),
        }
    }
}

impl From<&Payment> for ConfirmResponse {
    fn from(payment: &Payment) -> Self {
        Self {
            order_id: payment.order_id.to_string(),
            amount: payment.total.won(),
            status: payment.status.as_str(),
            payment_key: payment.payment_key.as_ref().map(ToString::to_string),
            method: payment.method.clone(),
            approved_at: payment.approved_at.map(rfc3339),
            receipt_url: payment.receipt_url.clone(),
            virtual_account: payment
                .virtual_account
                .as_ref()
                .map(VirtualAccountBody::from),
        }
    }
}

pub(super) fn route(config: &mut web::ServiceConfig) {
    config.service(web::resource("/api/v1/payments/confirm").route(web::post().to(confirm)));
}

/// Confirms an order.
///
/// Verifies order, buyer, amount and payment key, takes the stock, and has Toss approve. The same
/// confirm again gets the same answer; nothing is charged twice. A client that hangs up cancels
/// nothing.
#[utoipa::path(
    post, path = "/api/v1/payments/confirm", tag = "payments", operation_id = "confirm",
    request_body = ConfirmRequest,
    responses(
        (status = 200, description = "Paid, or waiting for a deposit", body = Data<ConfirmResponse>),
        (status = 400, description = "Malformed (E99001), another user's order (E03004), another amount (E03006), another payment key (E03005)", body = ErrorEnvelope),
        (status = 402, description = "Declined by Toss (E03010)", body = ErrorEnvelope),
        (status = 404, description = "Unknown order (E03001)", body = ErrorEnvelope),
        (status = 409, description = "Not payable in its state (E03002), stock short (E03013), still running (E03017)", body = ErrorEnvelope),
        (status = 413, description = "Body too large (E99006)", body = ErrorEnvelope),
        (status = 502, description = "Toss refuses the shop's configuration (E03019)", body = ErrorEnvelope),
        (status = 503, description = "Outcome not known yet (E03009)", body = ErrorEnvelope),
    )
)]
pub(super) async fn confirm(
    api: web::Data<Api>,
    Json(body): Json<ConfirmRequest>,
) -> Result<HttpResponse, ApiError> {
    let command = ConfirmCommand {
        user_id: body.user_id,
        order_id: body.order_id,
        amount: body.amount.0,
        payment_key: body.payment_key,
    };
    let desk = api.desk.clone();
    let Confirmed { payment, replayed } = api
        .on_main(async move { desk.confirm(&command).await })
        .await??;
    let mut response = HttpResponse::Ok();
    if replayed {
        response.insert_header((IDEMPOTENCY_REPLAYED, "true"));
    }
    Ok(response.json(Data {
        data: ConfirmResponse::from(&payment),
    }))
}
