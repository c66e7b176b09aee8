//! `POST /api/v1/payments/{orderId}/recover` and `…/resolve`

use actix_web::{HttpResponse, web};
use kernel::OrderId;
use payment_domain::{Resolution, ResolveCommand};
use serde::Deserialize;
use utoipa::ToSchema;

use super::auth::{Admin, Operator};
use super::body::Json;
use super::envelope::{Data, ErrorEnvelope};
use super::payment::PaymentResponse;
use super::{Api, ApiError, Code};

/// The longest reason, in characters.
const REASON_CHARS_MAX: usize = 200;

/// How to settle a quarantined payment.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ResolveRequest {
    /// What became of it.
    to: ResolveTo,
    /// Why, 1 to 200 characters, for the history.
    reason: String,
}

/// What became of a quarantined payment.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum ResolveTo {
    /// It was paid.
    Done,
    /// It was not paid.
    Failed,
}

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/api/v1/payments/{orderId}/recover").route(web::post().to(recover)))
        .service(
            web::resource("/api/v1/payments/{orderId}/resolve").route(web::post().to(resolve)),
        );
}

/// Text that cannot be an order id names no order.
fn order_id(text: &str) -> Result<OrderId, ApiError> {
    text.parse().map_err(|_| Code::PaymentNotFound.into())
}

/// Asks Toss about an undecided payment now, and settles it.
#[utoipa::path(
    post, path = "/api/v1/payments/{orderId}/recover", tag = "operators", operation_id = "recoverPayment",
    params(("orderId" = String, Path, description = "The order's id")), security(("operator" = ["admin"])),
    responses(
        (status = 200, description = "The payment as it stands after the look", body = Data<PaymentResponse>),
        (status = 401, description = "No operator key (E99003)", body = ErrorEnvelope),
        (status = 403, description = "The key's scope does not suffice (E99008)", body = ErrorEnvelope),
        (status = 404, description = "Unknown order (E03001)", body = ErrorEnvelope),
        (status = 503, description = "Unavailable (E99999)", body = ErrorEnvelope),
    )
)]
pub(crate) async fn recover(
    api: web::Data<Api>,
    _operator: Operator<Admin>,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let id = order_id(&id)?;
    let payments = api.payments.clone();
    let view = api
        .on_main(async move {
            payments.recover_now(&id).await?;
            payments.read(&id).await
        })
        .await??;
    Ok(HttpResponse::Ok().json(Data {
        data: PaymentResponse::from(view),
    }))
}

/// Settles a quarantined payment. Toss is asked first; a contradiction is refused.
#[utoipa::path(
    post, path = "/api/v1/payments/{orderId}/resolve", tag = "operators", operation_id = "resolvePayment",
    params(("orderId" = String, Path, description = "The order's id")),
    request_body = ResolveRequest, security(("operator" = ["admin"])),
    responses(
        (status = 200, description = "The settled payment", body = Data<PaymentResponse>),
        (status = 400, description = "Malformed (E99001)", body = ErrorEnvelope),
        (status = 401, description = "No operator key (E99003)", body = ErrorEnvelope),
        (status = 403, description = "The key's scope does not suffice (E99008)", body = ErrorEnvelope),
        (status = 404, description = "Unknown order (E03001)", body = ErrorEnvelope),
        (status = 409, description = "Not quarantined (E03002), or Toss says otherwise (E03023)", body = ErrorEnvelope),
        (status = 413, description = "Body too large (E99006)", body = ErrorEnvelope),
        (status = 503, description = "Toss could not be asked (E03009), or unavailable (E99999)", body = ErrorEnvelope),
    )
)]
pub(crate) async fn resolve(
    api: web::Data<Api>,
    _operator: Operator<Admin>,
    id: web::Path<String>,
    Json(body): Json<ResolveRequest>,
) -> Result<HttpResponse, ApiError> {
    let id = order_id(&id)?;
    let reason = body.reason.trim().to_owned();
    if !(1..=REASON_CHARS_MAX).contains(&reason.chars().count()) {
        return Err(ApiError::invalid(format!(
            "reason must have 1 to {REASON_CHARS_MAX} characters"
        )));
    }
    let to = match body.to {
        ResolveTo::Done => Resolution::Done,
        ResolveTo::Failed => Resolution::Failed,
    };
    let command = ResolveCommand {
        order_id: id.clone(),
        to,
        reason,
    };
    let payments = api.payments.clone();
    api.on_main(async move { payments.resolve(command).await })
        .await??;
    let payments = api.payments.clone();
    let view = api
        .on_main(async move { payments.read(&id).await })
        .await??;
    Ok(HttpResponse::Ok().json(Data {
        data: PaymentResponse::from(view),
    }))
}
