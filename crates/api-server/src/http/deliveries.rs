//! `/api/v1/webhooks/deliveries`: what was sent to the merchant's servers, and what came of it.

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use webhook_domain::DeliveryFilter;
use webhook_domain::model::{Delivery, DeliveryState};

use super::auth::{Admin, Operator, Read};
use super::endpoints::id;
use super::envelope::{Data, ErrorEnvelope};
use super::wire::rfc3339;
use super::{Api, ApiError};

/// The most deliveries of one page.
const PAGE_MAX: u32 = 100;
/// Deliveries of a page that nobody sized.
const PAGE_DEFAULT: u32 = 20;

/// One event on its way to one endpoint.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeliveryBody {
    delivery_id: String,
    endpoint_id: String,
    /// The receiver's `webhook-id`.
    event_id: String,
    #[schema(example = "payment.done")]
    event_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_id: Option<String>,
    /// Later events of an order have higher ones.
    sequence: i64,
    /// `PENDING`, `DELIVERED` or `DEAD`.
    #[schema(example = "PENDING")]
    state: &'static str,
    /// How often it was begun to be sent.
    tries: u32,
    /// When it is sent next.
    #[serde(skip_serializing_if = "Option::is_none")]
    due_at: Option<String>,
    /// The last answer's HTTP status.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_status: Option<u16>,
    /// What went wrong last.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<String>,
    created_at: String,
    /// When it was delivered or given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<String>,
}

/// A page of deliveries.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeliveryPage {
    /// Newest first.
    items: Vec<DeliveryBody>,
    /// The `cursor` of the next page; `null` on the last.
    next_cursor: Option<String>,
}

/// Which deliveries.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(super) struct DeliveryQuery {
    /// Only those about this order.
    order_id: Option<String>,
    /// Only those to this endpoint.
    endpoint_id: Option<String>,
    /// `PENDING`, `DELIVERED` or `DEAD`.
    state: Option<String>,
    /// Where a page ended.
    cursor: Option<String>,
    /// 1 to 100, default 20.
    size: Option<u32>,
}

impl From<Delivery> for DeliveryBody {
    fn from(delivery: Delivery) -> Self {
        Self {
            delivery_id: delivery.id,
            endpoint_id: delivery.endpoint_id,
            event_id: delivery.event_id,
            event_type: delivery.event_type.as_str(),
            order_id: delivery.order_id.map(String::from),
            sequence: delivery.sequence,
            state: delivery.state.as_str(),
            tries: delivery.tries,
            due_at: delivery.due_at.map(rfc3339),
            last_status: delivery.last_status,
            last_error: delivery.last_error,
            created_at: rfc3339(delivery.created_at),
            ended_at: delivery.ended_at.map(rfc3339),
        }
    }
}

impl DeliveryQuery {
    fn filter(&self) -> Result<DeliveryFilter, ApiError> {
        let order_id = self.order_id.as_deref().map(|text| {
            text.parse()
                .map_err(|_| ApiError::invalid("orderId is not an order's id"))
        });
        let endpoint_id = self.endpoint_id.as_deref().map(|text| {
            id(text).map_err(|_| ApiError::invalid("endpointId is not an endpoint's id"))
        });
        let state = self.state.as_deref().map(|text| {
            DeliveryState::parse(text)
                .ok_or_else(|| ApiError::invalid("state must be PENDING, DELIVERED or DEAD"))
        });
        Ok(DeliveryFilter {
            order_id: order_id.transpose()?,
            endpoint_id: endpoint_id.transpose()?,
            state: state.transpose()?,
        })
    }
}

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/api/v1/webhooks/deliveries").route(web::get().to(list)))
        .service(
            web::resource("/api/v1/webhooks/deliveries/{deliveryId}/resend")
                .route(web::post().to(resend)),
        );
}

/// Lists what was sent to the merchant's servers, newest first.
#[utoipa::path(
    get, path = "/api/v1/webhooks/deliveries", tag = "webhooks", operation_id = "listWebhookDeliveries",
    params(DeliveryQuery), security(("operator" = ["read"])),
    responses(
        (status = 200, description = "The deliveries", body = Data<DeliveryPage>),
        (status = 400, description = "Malformed (E99001)", body = ErrorEnvelope),
        (status = 401, description = "No operator key (E99003)", body = ErrorEnvelope),
        (status = 503, description = "Unavailable (E99999)", body = ErrorEnvelope),
    )
)]
pub(super) async fn list(
    api: web::Data<Api>,
    _operator: Operator<Read>,
    query: Result<web::Query<DeliveryQuery>, actix_web::Error>,
) -> Result<HttpResponse, ApiError> {
    let query = query.map_err(|error| ApiError::invalid(error.to_string()))?;
    let size = query.size.unwrap_or(PAGE_DEFAULT);
    if !(1..=PAGE_MAX).contains(&size) {
        return Err(ApiError::invalid(format!("size must be 1 to {PAGE_MAX}")));
    }
    let filter = query.filter()?;
    let before = query.cursor.as_deref().map(|text| {
        id(text).map_err(|_| ApiError::invalid("cursor is not one that a page ended with"))
    });
    let before = before.transpose()?;
    let webhooks = api.webhooks.clone();
    let deliveries = api
        .on_main(async move { webhooks.deliveries(&filter, before.as_deref(), size).await })
        .await??;
    let is_full = deliveries.len() == size as usize;
    let next_cursor = deliveries.last().filter(|_| is_full);
    let next_cursor = next_cursor.map(|delivery| delivery.id.clone());
    let items = deliveries.into_iter().map(DeliveryBody::from).collect();
    Ok(HttpResponse::Ok().json(Data {
        data: DeliveryPage { items, next_cursor },
    }))
}

/// Has a delivery that was made or given up sent again, under the same `webhook-id`.
#[utoipa::path(
    post, path = "/api/v1/webhooks/deliveries/{deliveryId}/resend", tag = "webhooks", operation_id = "resendWebhookDelivery",
    params(("deliveryId" = String, Path, description = "The delivery's id")), security(("operator" = ["admin"])),
    responses(
        (status = 200, description = "The delivery, due again", body = Data<DeliveryBody>),
        (status = 400, description = "It is pending anyway (E99001)", body = ErrorEnvelope),
        (status = 401, description = "No operator key (E99003)", body = ErrorEnvelope),
        (status = 403, description = "The key's scope does not suffice (E99008)", body = ErrorEnvelope),
        (status = 404, description = "No such delivery (E99004)", body = ErrorEnvelope),
        (status = 503, description = "Unavailable (E99999)", body = ErrorEnvelope),
    )
)]
pub(super) async fn resend(
    api: web::Data<Api>,
    _operator: Operator<Admin>,
    path: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let (webhooks, id) = (api.webhooks.clone(), id(&path)?);
    let delivery = api
        .on_main(async move { webhooks.resend(&id).await })
        .await??;
    Ok(HttpResponse::Ok().json(Data {
        data: DeliveryBody::from(delivery),
    }))
}
