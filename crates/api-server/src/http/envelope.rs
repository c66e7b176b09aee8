//! What every answer has in common: a request id, the error envelope in the client's language,
//! one line in the log.

use std::sync::Arc;
use std::time::Instant;

use actix_web::body::{BodySize, BoxBody, EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{ACCEPT_LANGUAGE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpResponse, web};
use kernel::IdGenerator;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::error::{ApiError, Code, Language};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// How long a client should wait before it tries again, in seconds.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("1");

/// A success.
#[derive(Debug, Serialize, ToSchema)]
pub struct Data<T> {
    /// What was asked for.
    pub data: T,
}

/// A failure.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorEnvelope {
    /// What is wrong.
    pub error: ErrorBody,
}

/// What is wrong.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ErrorBody {
    /// The contract's code, for example `E03004`.
    pub code: &'static str,
    /// For people: Korean, or English with `Accept-Language: en`.
    pub message: String,
    /// Whether the same request may succeed later.
    pub retryable: bool,
    /// The request's id, as in `x-request-id`.
    pub trace_id: String,
    /// Particulars for machines, by code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<Value>,
}

/// Makes request ids.
#[derive(Clone)]
pub struct RequestIds(pub Arc<dyn IdGenerator>);

/// The request's id, for handlers.
pub(super) struct RequestId(pub(super) String);

/// The middleware around every route.
pub async fn wrap<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B, BoxBody>>, Error> {
    let began = Instant::now();
    let id = request_id(&request);
    let language = language(request.headers());
    let method = request.method().clone();
    request.extensions_mut().insert(RequestId(id.clone()));

    let response = respond(next.call(request).await?, &id, language);
    let pattern = response
        .request()
        .match_pattern()
        .unwrap_or_else(|| "unmatched".to_owned());
    let (status, ms) = (response.status().as_u16(), began.elapsed().as_millis());
    tracing::info!(request_id = %id, %method, route = %pattern, status, ms, "answered");
    Ok(response)
}

fn respond<B: MessageBody + 'static>(
    response: ServiceResponse<B>,
    id: &str,
    language: Language,
) -> ServiceResponse<EitherBody<B, BoxBody>> {
    let mut response = match failure(&response) {
        Some(error) => {
            let (request, inner) = response.into_parts();
            let rendered = render(&error, id, language, inner.headers());
            ServiceResponse::new(request, rendered.map_into_right_body())
        }
        None => response.map_into_left_body(),
    };
    if let Ok(value) = HeaderValue::from_str(id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

/// The refusal behind an answer: ours, or the framework's own (unknown path, wrong method, …). The
/// sandbox's routes, which exist in embedded mode only, speak for themselves; an answer without a
/// body is not theirs.
fn failure<B: MessageBody>(response: &ServiceResponse<B>) -> Option<ApiError> {
    let status = response.status();
    if status.is_success() || status.is_redirection() || status.is_informational() {
        return None;
    }
    if let Some(error) = response.response().extensions().get::<ApiError>() {
        return Some(error.clone());
    }
    let path = response.request().path();
    let is_empty = matches!(
        response.response().body().size(),
        BodySize::None | BodySize::Sized(0)
    );
    if !is_empty && (path.starts_with("/sandbox") || path.starts_with("/v2/")) {
        return None;
    }
    Some(
        match status {
            StatusCode::NOT_FOUND => Code::NotFound,
            StatusCode::METHOD_NOT_ALLOWED => Code::MethodNotAllowed,
            StatusCode::PAYLOAD_TOO_LARGE => Code::PayloadTooLarge,
            status if status.is_client_error() => Code::InvalidInput,
            _ => Code::Internal,
        }
        .into(),
    )
}

fn render(error: &ApiError, id: &str, language: Language, inner: &HeaderMap) -> HttpResponse {
    let mut message = error.code.message(language).to_owned();
    if let Some(reason) = &error.reason {
        message = format!("{message} ({reason})");
    }
    let mut response = HttpResponse::build(error.status);
    if let Some(allowed) = inner.get(actix_web::http::header::ALLOW) {
        response.insert_header((actix_web::http::header::ALLOW, allowed.clone()));
    }
    if error.retryable {
        response.insert_header((RETRY_AFTER, RETRY_AFTER_SECONDS));
    }
    if error.status == StatusCode::UNAUTHORIZED {
        response.insert_header((actix_web::http::header::WWW_AUTHENTICATE, "Bearer"));
    }
    response.json(ErrorEnvelope {
        error: ErrorBody {
            code: error.code.as_str(),
            message,
            retryable: error.retryable,
            trace_id: id.to_owned(),
            details: error.details.clone(),
        },
    })
}

/// The client's own id if it is harmless in logs and headers, else a new one.
fn request_id(request: &ServiceRequest) -> String {
    let sent = request
        .headers()
        .get(REQUEST_ID)
        .and_then(|value| value.to_str().ok());
    match sent {
        Some(id) if is_harmless(id) => id.to_owned(),
        _ => request
            .app_data::<web::Data<RequestIds>>()
            .map_or_else(String::new, |ids| ids.0.token()),
    }
}

fn is_harmless(id: &str) -> bool {
    (1..=64).contains(&id.len())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

/// English when `Accept-Language` names it before Korean; Korean otherwise.
fn language(headers: &HeaderMap) -> Language {
    let wanted = headers
        .get(ACCEPT_LANGUAGE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("");
    for tag in wanted
        .split(',')
        .map(|tag| tag.split(';').next().unwrap_or("").trim())
    {
        match tag
            .split('-')
            .next()
            .map(str::to_ascii_lowercase)
            .as_deref()
        {
            Some("en") => return Language::English,
            Some("ko") => return Language::Korean,
            _ => {}
        }
    }
    Language::Korean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_known_language_wins() {
        for (header, expected) in [
            ("", Language::Korean),
            ("en", Language::English),
            ("en-US,en;q=0.9,ko;q=0.8", Language::English),
            ("ko-KR,ko;q=0.9,en;q=0.8", Language::Korean),
            ("fr, en", Language::English),
            ("*", Language::Korean),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_LANGUAGE, HeaderValue::from_static(header));
            assert_eq!(language(&headers), expected, "{header}");
        }
    }

    #[test]
    fn only_harmless_request_ids_are_taken_over() {
        assert!(is_harmless("a-Z_0.9"));
        for bad in ["", "a b", "a\"b", "한글", &"a".repeat(65)] {
            assert!(!is_harmless(bad), "{bad}");
        }
    }
}
