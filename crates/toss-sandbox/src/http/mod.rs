//! The HTTP face of the engine.

mod api;
mod books;
mod browser;
mod control;
pub(crate) mod socket;
mod trouble;

use actix_web::{
    HttpRequest, HttpResponse, ResponseError,
    http::StatusCode,
    http::header::{ACCEPT_LANGUAGE, CACHE_CONTROL, HeaderName, HeaderValue},
    web::{self, ServiceConfig},
};

use crate::{
    JournalFailure, Sandbox,
    engine::{ApiError, Language, error_body},
};

/// Largest body taken, in bytes: many times what the API's longest request has.
const BODY_MAX: usize = 262_144;

/// Every answer of Toss's carries one.
const TRACE_ID: HeaderName = HeaderName::from_static("x-tosspayments-trace-id");

/// Mounts `/v1/…` and `/v2/…`.
pub(crate) fn mount_api(config: &mut ServiceConfig, sandbox: &Sandbox) {
    for resource in api::resources(sandbox) {
        config.service(resource);
    }
    let rest = web::scope("/v1")
        .app_data(web::Data::new(sandbox.clone()))
        .default_service(web::to(not_found));
    config.service(rest);
}

/// Mounts `/v2/standard` and `/sandbox/…`.
pub(crate) fn mount_browser(config: &mut ServiceConfig, sandbox: &Sandbox) {
    let windows = web::resource("/windows")
        .route(web::post().to(browser::open_window))
        .route(web::method(actix_web::http::Method::OPTIONS).to(browser::preflight));
    let window = web::resource("/window/{id}")
        .route(web::get().to(browser::show_window))
        .route(web::post().to(browser::finish_window));
    let faults = web::resource("/faults")
        .route(web::get().to(trouble::faults))
        .route(web::post().to(trouble::inject))
        .route(web::delete().to(trouble::clear_faults));
    let webhooks = web::resource("/webhooks")
        .route(web::get().to(trouble::webhooks))
        .route(web::post().to(trouble::send_event))
        .route(web::put().to(trouble::send_to));
    let payments = web::resource("/payments")
        .route(web::get().to(control::payments))
        .route(web::post().to(control::authenticate));
    let scope = web::scope("/sandbox")
        .app_data(web::Data::new(sandbox.clone()))
        .app_data(web::PayloadConfig::new(BODY_MAX))
        .route("", web::get().to(browser::console))
        .route("/console.js", web::get().to(browser::console_script))
        .service(windows)
        .service(window)
        .route("/windows/{id}", web::get().to(browser::outcome))
        .route("/receipts/{payment_key}", web::get().to(browser::receipt))
        .service(faults)
        .service(webhooks)
        .route("/faults/{id}", web::delete().to(trouble::end_fault))
        .service(payments)
        .route(
            "/payments/{payment_key}/deposit",
            web::post().to(control::deposit),
        )
        .route(
            "/payments/{payment_key}/deposit-error",
            web::post().to(control::reverse_deposit),
        )
        .route(
            "/payments/{payment_key}/abort-cancel",
            web::post().to(control::abort_cancel),
        )
        .route(
            "/payments/{payment_key}/expire",
            web::post().to(control::expire),
        )
        .route(
            "/sellers/{id}/review",
            web::post().to(control::review_seller),
        )
        .route("/ledger", web::get().to(control::ledger))
        .route("/journal", web::get().to(books::journal))
        .route("/invariants", web::get().to(books::invariants))
        .route("/calls", web::get().to(control::calls))
        .route("/calls/{number}", web::get().to(control::exchange))
        .route("/clock", web::post().to(control::advance_clock))
        .default_service(web::to(not_found));
    config.service(scope);
    config.route("/v2/standard", web::get().to(browser::script));
}

/// Answers an unknown path or method.
pub(crate) async fn not_found(request: HttpRequest) -> HttpResponse {
    error_response(&request, &ApiError::new("NOT_FOUND"))
}

/// Nothing may be told of what is not on disk. The code is one after which a client must ask what
/// happened, which is all that can be said.
impl ResponseError for JournalFailure {
    fn status_code(&self) -> StatusCode {
        StatusCode::INTERNAL_SERVER_ERROR
    }

    fn error_response(&self) -> HttpResponse {
        let error = ApiError::with_fallback("FAILED_INTERNAL_SYSTEM_PROCESSING", 500);
        json_response(500, error_body(&error, Language::Korean))
    }
}

/// An error in Toss's shape.
fn error_response(request: &HttpRequest, error: &ApiError) -> HttpResponse {
    let mut response = json_response(error.status, error_body(error, header_language(request)));
    let trace_id = request
        .app_data::<web::Data<Sandbox>>()
        .map(|sandbox| sandbox.engine().trace_id());
    if let Some(Ok(value)) = trace_id.map(HeaderValue::try_from) {
        response.headers_mut().insert(TRACE_ID, value);
    }
    response
}

fn json_response(status: u16, body: impl Into<String>) -> HttpResponse {
    HttpResponse::build(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
        .content_type("application/json;charset=UTF-8")
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(body.into())
}

fn header_language(request: &HttpRequest) -> Language {
    Language::from_header(header(request, &ACCEPT_LANGUAGE).as_deref())
}

/// A header's value; bytes that are no text are replaced, never an error.
fn header(request: &HttpRequest, name: &HeaderName) -> Option<String> {
    let value = request.headers().get(name)?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}
