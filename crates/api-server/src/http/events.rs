//! `GET /api/v1/payments/{orderId}/events`

use std::convert::Infallible;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName};
use actix_web::{HttpRequest, HttpResponse, web};
use kernel::{Fence, OrderId};

use super::envelope::ErrorEnvelope;
use super::{Api, ApiError, Code};
use crate::event_streams::{Opened, StreamError};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Tells nginx and its kin to pass on what comes at once.
const ACCEL_BUFFERING: (HeaderName, &str) = (HeaderName::from_static("x-accel-buffering"), "no");

impl From<StreamError> for ApiError {
    fn from(error: StreamError) -> Self {
        match error {
            StreamError::Full => Self::unavailable("events"),
            StreamError::Read(error) => error.into(),
        }
    }
}

/// Of what change the reader heard last. What is none of our ids is as good as none.
fn heard(request: &HttpRequest) -> Option<Fence> {
    let id = request.headers().get(LAST_EVENT_ID)?.to_str().ok()?;
    let number: i64 = id.trim().parse().ok()?;
    (number > 0).then(|| Fence::from_stored(number))
}

pub(super) fn route(config: &mut web::ServiceConfig) {
    config.service(web::resource("/api/v1/payments/{orderId}/events").route(web::get().to(events)));
}

/// Follows a payment's status.
///
/// Server-sent events: one `status` event per change, the present status first, each with the number
/// of the change as `id` and `{"orderId","status","at"}` as data. The stream ends when the payment is
/// settled (`DONE`, `FAILED`, `EXPIRED`, `CANCELED`, `PARTIAL_CANCELED`), after half an hour, or when
/// the server stops; with `Last-Event-ID` another one, of any server, goes on where it ended, or says
/// 204 when nothing more is to come, at which an `EventSource` rests.
#[utoipa::path(
    get, path = "/api/v1/payments/{orderId}/events", tag = "payments", operation_id = "followPayment",
    params(
        ("orderId" = String, Path, description = "The order's id"),
        ("Last-Event-ID" = Option<String>, Header, description = "The `id` of the last event that was heard"),
    ),
    responses(
        (status = 200, description = "The events", body = String, content_type = "text/event-stream"),
        (status = 204, description = "The payment is settled, and the reader has heard so"),
        (status = 404, description = "Unknown order (E03001)", body = ErrorEnvelope),
        (status = 503, description = "Unavailable, or too many streams are open (E99999)", body = ErrorEnvelope),
    )
)]
pub(super) async fn events(
    api: web::Data<Api>,
    request: HttpRequest,
    order_id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    // Text that cannot be an order id names no order.
    let order_id: OrderId = order_id
        .parse()
        .map_err(|_| ApiError::from(Code::PaymentNotFound))?;
    let heard = heard(&request);
    let streams = api.events.clone();
    let opened = api
        .on_main(async move { streams.open(order_id, heard).await })
        .await??;
    let pieces = match opened {
        Opened::NothingMore => return Ok(HttpResponse::NoContent().finish()),
        Opened::Stream(pieces) => pieces,
    };
    let body = futures::stream::unfold(pieces, async |mut pieces| {
        let piece = pieces.recv().await?;
        Some((Ok::<_, Infallible>(piece), pieces))
    });
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/event-stream; charset=utf-8"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header(ACCEL_BUFFERING)
        .streaming(body))
}
