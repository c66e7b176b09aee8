//! `GET /openapi.json`, generated from the handlers.

use actix_web::{HttpResponse, web};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use super::{
    cancel, checkout, confirm, deliveries, endpoints, events, health, history, metrics, payment,
    payments, products, settle, users, webhooks,
};

/// The document.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Payment server",
        description = "Checkout and confirm of payments through Toss Payments. Every answer carries `x-request-id`; every failure has the error envelope, in Korean or, with `Accept-Language: en`, in English."
    ),
    paths(
        checkout::check_out,
        confirm::confirm,
        payment::read,
        payments::list,
        history::history,
        events::events,
        cancel::cancel,
        webhooks::receive,
        webhooks::list,
        webhooks::redrive,
        endpoints::register,
        endpoints::list,
        endpoints::read,
        endpoints::change,
        endpoints::remove,
        endpoints::rotate,
        endpoints::test,
        deliveries::list,
        deliveries::resend,
        settle::recover,
        settle::resolve,
        products::list,
        products::read,
        products::create,
        products::update,
        products::adjust,
        users::put,
        health::live,
        health::ready,
        metrics::metrics,
    ),
    modifiers(&OperatorKey)
)]
struct Document;

struct OperatorKey;

impl Modify for OperatorKey {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some(
                "An operator's key. What an operation names beside it is the scope that the key needs: `read`, `refund`, which includes `read`, or `admin`, which includes all.",
            ))
            .build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("operator", SecurityScheme::Http(bearer));
    }
}

/// The document as JSON.
///
/// # Errors
/// When it cannot be written, which is a bug.
pub fn document() -> Result<String, serde_json::Error> {
    Document::openapi().to_pretty_json()
}

pub(super) fn route(config: &mut web::ServiceConfig) {
    config.service(web::resource("/openapi.json").route(web::get().to(serve)));
}

async fn serve() -> Result<HttpResponse, super::ApiError> {
    let text = document().map_err(|error| super::ApiError::internal(&error))?;
    Ok(HttpResponse::Ok()
        .content_type("application/json")
        .body(text))
}
