//! `POST /api/v1/webhooks/toss`, and what operators see of it.

use actix_web::{HttpRequest, HttpResponse, web};
use http::{HeaderMap, HeaderName, HeaderValue};
use payment_domain::port::{InboxEntry, Notice, NoticeState};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use toss_client::webhook::{Received, Verifier};
use utoipa::{IntoParams, ToSchema};

use super::auth::{Admin, Operator, Read};
use super::envelope::{Data, ErrorEnvelope};
use super::wire::rfc3339;
use super::{Api, ApiError, Code};

/// What is read of Toss's headers.
const HEADERS: [&str; 4] = [
    "tosspayments-webhook-transmission-id",
    "tosspayments-webhook-transmission-time",
    "tosspayments-webhook-transmission-retried-count",
    "tosspayments-webhook-signature",
];
/// The longest id that is stored as it came.
const ID_CHARS_MAX: usize = 200;
/// The longest name of an event that is kept.
const EVENT_TYPE_CHARS_MAX: usize = 64;
/// The most webhooks of one page.
const PAGE_MAX: u32 = 100;

/// Says that a webhook is stored.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct WebhookReceipt {
    /// Always `true`.
    stored: bool,
}

/// A stored webhook, without its body: what it claims is only a hint.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct WebhookBody {
    id: String,
    event_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_id: Option<String>,
    received_at: String,
    /// `RECEIVED`, `DONE` or `DEAD`.
    #[schema(example = "DEAD")]
    state: &'static str,
    /// How often it was tried in vain.
    tries: u32,
    /// What came of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

/// A page of webhooks.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct WebhookPage {
    items: Vec<WebhookBody>,
    /// The `after` of the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_after: Option<String>,
}

/// Which webhooks.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct WebhookQuery {
    /// `DEAD` (the default), `RECEIVED` or `DONE`.
    state: Option<String>,
    /// Those with ids above this one.
    after: Option<String>,
    /// 1 to 100, default 20.
    size: Option<u32>,
}

impl From<InboxEntry> for WebhookBody {
    fn from(entry: InboxEntry) -> Self {
        Self {
            id: entry.notice.id,
            event_type: entry.notice.event_type,
            order_id: entry.notice.order_id.map(|id| id.to_string()),
            received_at: rfc3339(entry.notice.received_at),
            state: entry.state.as_str(),
            tries: entry.tries,
            note: entry.note,
        }
    }
}

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(
            web::resource("/api/v1/webhooks/toss")
                .route(web::post().to(receive))
                .route(web::get().to(list)),
        )
        .service(
            web::resource("/api/v1/webhooks/toss/{webhookId}/redrive")
                .route(web::post().to(redrive)),
        );
}

/// Stores an event of Toss, to be worked on afterwards.
///
/// Whatever it says is only a hint: Toss is asked before anything changes, so a forged event changes
/// nothing.
#[utoipa::path(
    post, path = "/api/v1/webhooks/toss", tag = "webhooks", operation_id = "receiveTossWebhook",
    request_body(content = String, content_type = "application/json", description = "The event, as Toss sends it"),
    responses(
        (status = 200, description = "Stored", body = Data<WebhookReceipt>),
        (status = 400, description = "No JSON object (E99001)", body = ErrorEnvelope),
        (status = 413, description = "Body too large (E99006)", body = ErrorEnvelope),
        (status = 503, description = "Unavailable (E99999): Toss sends it again", body = ErrorEnvelope),
    )
)]
pub(super) async fn receive(
    api: web::Data<Api>,
    request: HttpRequest,
    body: Result<web::Bytes, actix_web::Error>,
) -> Result<HttpResponse, ApiError> {
    let body = body.map_err(|error| {
        if error.as_response_error().status_code().as_u16() == 413 {
            Code::PayloadTooLarge.into()
        } else {
            ApiError::invalid("the body could not be read")
        }
    })?;
    let notice = notice(&body, &headers(&request), api.clock.now())?;
    let notices = api.notices.clone();
    api.on_main(async move { notices.receive(&notice).await })
        .await??;
    Ok(HttpResponse::Ok().json(Data {
        data: WebhookReceipt { stored: true },
    }))
}

/// The headers that matter, in the client's words.
fn headers(request: &HttpRequest) -> HeaderMap {
    let named = HEADERS.into_iter().filter_map(|name| {
        let value = request.headers().get(name)?;
        let value = HeaderValue::from_bytes(value.as_bytes()).ok()?;
        Some((HeaderName::from_static(name), value))
    });
    named.collect()
}

fn notice(
    body: &[u8],
    headers: &HeaderMap,
    received_at: kernel::Timestamp,
) -> Result<Notice, ApiError> {
    // Without keys: payment events are never signed, and those that are concern no payment.
    let delivery = Verifier::new([])
        .parse(body, headers)
        .map_err(|error| ApiError::invalid(error.to_string()))?;
    let fits = |id: &String| {
        (1..=ID_CHARS_MAX).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
    };
    // Repetitions of an event without an id have the same body.
    let id = delivery
        .id
        .filter(fits)
        .unwrap_or_else(|| format!("sha256:{}", hex::encode(Sha256::digest(body))));
    let (event_type, order_id) = match &delivery.received {
        Received::Unverified(event) => (event.event_type(), event.order_id()),
        Received::Verified(_) => ("", None),
    };
    Ok(Notice {
        id,
        event_type: event_type.chars().take(EVENT_TYPE_CHARS_MAX).collect(),
        order_id: order_id.and_then(|id| id.parse().ok()),
        received_at,
    })
}

/// Lists stored webhooks, by default those that were given up.
#[utoipa::path(
    get, path = "/api/v1/webhooks/toss", tag = "webhooks", operation_id = "listTossWebhooks",
    params(WebhookQuery), security(("operator" = ["read"])),
    responses(
        (status = 200, description = "Webhooks, by id", body = Data<WebhookPage>),
        (status = 400, description = "Malformed (E99001)", body = ErrorEnvelope),
        (status = 401, description = "No operator key (E99003)", body = ErrorEnvelope),
        (status = 503, description = "Unavailable (E99999)", body = ErrorEnvelope),
    )
)]
pub(super) async fn list(
    api: web::Data<Api>,
    _operator: Operator<Read>,
    query: Result<web::Query<WebhookQuery>, actix_web::Error>,
) -> Result<HttpResponse, ApiError> {
    let query = query.map_err(|error| ApiError::invalid(error.to_string()))?;
    let WebhookQuery { state, after, size } = query.into_inner();
    let state = state.as_deref().unwrap_or("DEAD");
    let state = NoticeState::parse(state)
        .ok_or_else(|| ApiError::invalid("state must be DEAD, RECEIVED or DONE"))?;
    let size = size.unwrap_or(20);
    if !(1..=PAGE_MAX).contains(&size) {
        return Err(ApiError::invalid(format!("size must be 1 to {PAGE_MAX}")));
    }
    let notices = api.notices.clone();
    let entries = api
        .on_main(async move { notices.list(state, after, size).await })
        .await??;
    let is_full = entries.len() == size as usize;
    let next_after = entries
        .last()
        .filter(|_| is_full)
        .map(|entry| entry.notice.id.clone());
    let items = entries.into_iter().map(WebhookBody::from).collect();
    Ok(HttpResponse::Ok().json(Data {
        data: WebhookPage { items, next_after },
    }))
}

/// Has a webhook that was given up worked on again.
#[utoipa::path(
    post, path = "/api/v1/webhooks/toss/{webhookId}/redrive", tag = "webhooks", operation_id = "redriveTossWebhook",
    params(("webhookId" = String, Path, description = "The webhook's id")), security(("operator" = ["admin"])),
    responses(
        (status = 200, description = "It is due again", body = Data<WebhookReceipt>),
        (status = 401, description = "No operator key (E99003)", body = ErrorEnvelope),
        (status = 403, description = "The key's scope does not suffice (E99008)", body = ErrorEnvelope),
        (status = 404, description = "No such webhook that was given up (E99004)", body = ErrorEnvelope),
        (status = 503, description = "Unavailable (E99999)", body = ErrorEnvelope),
    )
)]
pub(super) async fn redrive(
    api: web::Data<Api>,
    _operator: Operator<Admin>,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let (notices, id) = (api.notices.clone(), id.into_inner());
    let found = api
        .on_main(async move { notices.redrive(&id).await })
        .await??;
    if !found {
        return Err(Code::NotFound.into());
    }
    Ok(HttpResponse::Ok().json(Data {
        data: WebhookReceipt { stored: true },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str, id: Option<&str>) -> Result<Notice, ApiError> {
        let mut headers = HeaderMap::new();
        if let Some(id) = id.and_then(|id| HeaderValue::from_str(id).ok()) {
            headers.insert(HEADERS[0], id);
        }
        notice(body.as_bytes(), &headers, kernel::from_micros(0))
    }

    #[test]
    fn an_event_is_known_by_its_id_or_by_its_body() {
        let body = r#"{"eventType":"PAYMENT_STATUS_CHANGED","data":{"orderId":"order-000001","paymentKey":"k","status":"DONE","totalAmount":1}}"#;
        let named = read(body, Some("whtrans_1")).unwrap();
        assert_eq!(named.id, "whtrans_1");
        assert_eq!(named.event_type, "PAYMENT_STATUS_CHANGED");
        assert_eq!(named.order_id.unwrap().as_str(), "order-000001");
        let bare = read(body, None).unwrap();
        assert!(bare.id.starts_with("sha256:"), "{}", bare.id);
        assert_eq!(bare.id, read(body, Some("two words")).unwrap().id);
        assert_ne!(bare.id, read(r#"{"a":1}"#, None).unwrap().id);
    }

    #[test]
    fn a_deposit_names_its_order_and_anything_else_none() {
        let deposit = r#"{"createdAt":"2026-11-24T00:00:00+09:00","secret":"s","status":"DONE","orderId":"order-000002"}"#;
        let read_ = read(deposit, None).unwrap();
        assert_eq!(read_.event_type, "DEPOSIT_CALLBACK");
        assert_eq!(read_.order_id.unwrap().as_str(), "order-000002");
        for odd in [
            "{}",
            r#"{"eventType":"SOMETHING_NEW","data":{}}"#,
            r#"{"eventType":"PAYMENT_STATUS_CHANGED","data":{"orderId":"'; DROP"}}"#,
        ] {
            assert_eq!(read(odd, None).unwrap().order_id, None, "{odd}");
        }
        for broken in ["", "[]", "1", "{", "\u{0}"] {
            assert!(read(broken, None).is_err(), "{broken}");
        }
    }
}
