//! `POST /api/v1/payments/checkout`

use actix_web::{HttpRequest, HttpResponse, web};
use kernel::{IdempotencyKey, ProductId, Quantity, UserId};
use payment_domain::model::{Payment, PaymentStatus};
use payment_domain::port::CheckoutKey;
use payment_domain::{CheckoutCommand, CheckoutOutcome};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::body::Json;
use super::envelope::{Data, ErrorEnvelope};
use super::wire::rfc3339;
use super::{Api, ApiError};

/// Says that an earlier request got this answer first.
pub(super) const IDEMPOTENCY_REPLAYED: &str = "Idempotency-Replayed";

/// What a buyer wants to order.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct CheckoutRequest {
    /// Who orders.
    #[schema(value_type = i64, minimum = 1, example = 1)]
    user_id: UserId,
    /// 1 to 100 lines; product ids are unique.
    #[schema(min_items = 1, max_items = 100)]
    ordered_product_list: Vec<OrderedProduct>,
}

/// One line of an order.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct OrderedProduct {
    /// Which product.
    #[schema(value_type = i64, minimum = 1, example = 1)]
    product_id: ProductId,
    /// How many pieces.
    #[schema(value_type = i64, minimum = 1, maximum = 999, example = 3)]
    quantity: Quantity,
}

/// A checked-out order.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct CheckoutResponse {
    /// The order's id for Toss's window and for the confirm.
    order_id: String,
    /// The name for Toss's window.
    #[schema(example = "코튼 티셔츠 외 1건")]
    order_name: String,
    /// What is to be paid, in won.
    #[schema(example = 210_000)]
    total_amount: i64,
    /// Always `KRW`.
    currency: &'static str,
    /// Always `READY`.
    status: &'static str,
    /// The buyer's customer key at Toss.
    customer_key: String,
    /// Until when the order can be confirmed.
    expires_at: String,
}

impl From<&Payment> for CheckoutResponse {
    fn from(payment: &Payment) -> Self {
        Self {
            order_id: payment.order_id.to_string(),
            order_name: payment.order_name.clone(),
            total_amount: payment.total.won(),
            currency: "KRW",
            // A replay is the first answer, whatever has become of the order since.
            status: PaymentStatus::Ready.as_str(),
            customer_key: payment.buyer.customer_key.clone(),
            expires_at: rfc3339(payment.expires_at),
        }
    }
}

pub(super) fn route(config: &mut web::ServiceConfig) {
    config.service(web::resource("/api/v1/payments/checkout").route(web::post().to(check_out)));
}

/// Checks out an order.
///
/// Stores an order that can be paid for half an hour. Stock is not taken yet, but an order that
/// cannot be filled now is refused.
#[utoipa::path(
    post, path = "/api/v1/payments/checkout", tag = "payments", operation_id = "checkout",
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters, scoped to the user")),
    request_body = CheckoutRequest,
    responses(
        (status = 200, description = "Checked out", body = Data<CheckoutResponse>),
        (status = 400, description = "Malformed (E99001)", body = ErrorEnvelope),
        (status = 404, description = "Unknown user (E02001) or product (E01003)", body = ErrorEnvelope),
        (status = 409, description = "Stock short (E03013)", body = ErrorEnvelope),
        (status = 413, description = "Body too large (E99006)", body = ErrorEnvelope),
        (status = 422, description = "Idempotency key reused (E03018)", body = ErrorEnvelope),
        (status = 503, description = "Unavailable (E99999)", body = ErrorEnvelope),
    )
)]
pub(super) async fn check_out(
    api: web::Data<Api>,
    request: HttpRequest,
    Json(body): Json<CheckoutRequest>,
) -> Result<HttpResponse, ApiError> {
    let key = idempotency_key(&request)?.map(|key| checkout_key(key, &body));
    let lines = body
        .ordered_product_list
        .iter()
        .map(|line| (line.product_id, line.quantity))
        .collect();
    let command = CheckoutCommand {
        user_id: body.user_id,
        lines,
        key,
    };
    let payments = api.payments.clone();
    let CheckoutOutcome { payment, replayed } = api
        .on_main(async move { payments.check_out(command).await })
        .await??;
    let mut response = HttpResponse::Ok();
    if replayed {
        response.insert_header((IDEMPOTENCY_REPLAYED, "true"));
    }
    Ok(response.json(Data {
        data: CheckoutResponse::from(&payment),
    }))
}

pub(super) fn idempotency_key(request: &HttpRequest) -> Result<Option<IdempotencyKey>, ApiError> {
    let Some(value) = request.headers().get("Idempotency-Key") else {
        return Ok(None);
    };
    let text = value.to_str().unwrap_or("");
    let key = text
        .parse::<IdempotencyKey>()
        .map_err(|error| ApiError::invalid(error.to_string()))?;
    Ok(Some(key))
}

/// The key with a digest of the request's meaning, so that white space does not matter.
fn checkout_key(key: IdempotencyKey, body: &CheckoutRequest) -> CheckoutKey {
    let mut digest = Sha256::new();
    digest.update(body.user_id.get().to_be_bytes());
    for line in &body.ordered_product_list {
        digest.update(line.product_id.get().to_be_bytes());
        digest.update(line.quantity.get().to_be_bytes());
    }
    CheckoutKey {
        user_id: body.user_id,
        key,
        fingerprint: hex::encode(digest.finalize()),
    }
}
