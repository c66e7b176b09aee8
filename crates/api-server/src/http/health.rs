//! `GET /health/live` and `GET /health/ready`

use actix_web::{HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::envelope::{Data, ErrorEnvelope};
use super::{Api, ApiError, Draining};

/// How the server is.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Health {
    /// Always `UP`.
    status: &'static str,
}

const UP: Data<Health> = Data {
    data: Health { status: "UP" },
};

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/health/live").route(web::get().to(live)))
        .service(web::resource("/health/ready").route(web::get().to(ready)));
}

/// Tells that the process runs.
#[utoipa::path(
    get, path = "/health/live", tag = "health", operation_id = "live",
    responses((status = 200, description = "It runs", body = Data<Health>))
)]
pub(super) async fn live() -> HttpResponse {
    HttpResponse::Ok().json(UP)
}

/// Tells whether requests can be served now.
#[utoipa::path(
    get, path = "/health/ready", tag = "health", operation_id = "ready",
    responses(
        (status = 200, description = "Everything answers", body = Data<Health>),
        (status = 503, description = "The part in `details.failing` does not: `database`, or \
         `draining` while the server is about to stop", body = ErrorEnvelope),
    )
)]
pub(super) async fn ready(
    api: web::Data<Api>,
    draining: web::Data<Draining>,
) -> Result<HttpResponse, ApiError> {
    if draining.has_begun() {
        return Err(ApiError::unavailable("draining"));
    }
    let database = api.database.clone();
    match api.on_main(async move { database.ping().await }).await? {
        Ok(()) => Ok(HttpResponse::Ok().json(UP)),
        Err(error) => {
            tracing::warn!(%error, "not ready: the database does not answer");
            Err(ApiError::unavailable("database"))
        }
    }
}
