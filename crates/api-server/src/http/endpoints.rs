//! `/api/v1/webhooks/endpoints`: the merchant's servers that are told.

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use webhook_domain::model::{Endpoint, EndpointPatch, EndpointState, EventType, NewEndpoint};

use super::auth::{Admin, Operator, Read};
use super::body::Json;
use super::deliveries::DeliveryBody;
use super::envelope::{Data, ErrorEnvelope};
use super::wire::rfc3339;
use super::{Api, ApiError, Code};

/// The longest id that is looked for.
const ID_CHARS_MAX: usize = 64;

/// An endpoint to register.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct EndpointRequest {
    /// Where events are sent: `https`, at most 2,000 characters.
    #[schema(example = "https://shop.example.com/webhooks/payments")]
    url: String,
    /// Which types it wants; all when left out or empty.
    #[serde(default)]
    #[schema(example = json!(["payment.done", "payment.canceled"]))]
    types: Vec<String>,
    /// For people, at most 200 characters.
    #[serde(default)]
    description: String,
    /// Whether it is told from the first.
    #[serde(default = "on")]
    enabled: bool,
}

const fn on() -> bool {
    true
}

/// A change of an endpoint. What is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct EndpointPatchRequest {
    url: Option<String>,
    /// Empty for all.
    types: Option<Vec<String>>,
    description: Option<String>,
    enabled: Option<bool>,
}

/// A registered endpoint.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct EndpointBody {
    endpoint_id: String,
    url: String,
    /// Empty for all.
    types: Vec<&'static str>,
    description: String,
    enabled: bool,
    /// `ENABLED`, `DISABLED`, or `GONE` after it answered 410.
    #[schema(example = "ENABLED")]
    state: &'static str,
    /// What events are signed with. Shown when it is made, and never again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    secret: Option<String>,
    /// Until when the secret before signs besides.
    #[serde(skip_serializing_if = "Option::is_none")]
    old_secret_valid_until: Option<String>,
    created_at: String,
    updated_at: String,
}

/// All endpoints.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EndpointList {
    /// Oldest first, at most 20.
    items: Vec<EndpointBody>,
}

/// Says that an endpoint is removed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EndpointRemoved {
    /// Always `true`.
    removed: bool,
}

impl From<Endpoint> for EndpointBody {
    fn from(endpoint: Endpoint) -> Self {
        Self {
            endpoint_id: endpoint.id,
            url: endpoint.url,
            types: endpoint.types.iter().map(|each| each.as_str()).collect(),
            description: endpoint.description,
            enabled: endpoint.state == EndpointState::Enabled,
            state: endpoint.state.as_str(),
            secret: None,
            old_secret_valid_until: endpoint.old_secret.map(|(_, until)| rfc3339(until)),
            created_at: rfc3339(endpoint.created_at),
            updated_at: rfc3339(endpoint.updated_at),
        }
    }
}

impl EndpointBody {
    /// With the secret, for the one who has just asked for it.
    fn with_secret(endpoint: Endpoint) -> Self {
        let secret = endpoint.secret.expose().to_owned();
        Self {
            secret: Some(secret),
            ..Self::from(endpoint)
        }
    }
}

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(
            web::resource("/api/v1/webhooks/endpoints")
                .route(web::post().to(register))
                .route(web::get().to(list)),
        )
        .service(
            web::resource("/api/v1/webhooks/endpoints/{endpointId}")
                .route(web::get().to(read))
                .route(web::patch().to(change))
                .route(web::delete().to(remove)),
        )
        .service(
            web::resource("/api/v1/webhooks/endpoints/{endpointId}/rotate-secret")
                .route(web::post().to(rotate)),
        )
        .service(
            web::resource("/api/v1/webhooks/endpoints/{endpointId}/test")
                .route(web::post().to(test)),
        );
}

/// Text that cannot be an id names nothing.
pub(super) fn id(text: &str) -> Result<String, ApiError> {
    let fits = (1..=ID_CHARS_MAX).contains(&text.len());
    if fits && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(text.to_owned());
    }
    Err(Code::NotFound.into())
}

fn types(names: &[String]) -> Result<Vec<EventType>, ApiError> {
    let parsed = names.iter().map(|name| {
        EventType::parse(name)
            .ok_or_else(|| ApiError::invalid("types names a type that does not exist"))
    });
    parsed.collect()
}

fn answer<T: Serialize>(data: T) -> HttpResponse {
    HttpResponse::Ok().json(Data { data })
}

/// Registers a server that is told. The answer shows its secret, once.
#[utoipa::path(
    post, path = "/api/v1/webhooks/endpoints", tag = "webhooks", operation_id = "registerWebhookEndpoint",
    request_body = EndpointRequest, security(("operator" = ["admin"])),
    responses(
        (status = 200, description = "The endpoint, with its secret", body = Data<EndpointBody>),
        (status = 400, description = "Malformed, a URL that must not be called, or one endpoint too many (E99001)", body = ErrorEnvelope),
        (status = 401, description = "No operator key (E99003)", body = ErrorEnvelope),
        (status = 403, description = "The key's scope does not suffice (E99008)", body = ErrorEnvelope),
        (status = 413, description = "Body too large (E99006)", body = ErrorEnvelope),
        (status = 503, description = "Unavailable (E99999)", body = ErrorEnvelope),
    )
)]
pub(super) async fn register(
    api: web::Data<Api>,
    _operator: Operator<Admin>,
    body: Json<EndpointRequest>,
) -> Result<HttpResponse, ApiError> {
    let EndpointRequest {
        url,
        types: names,
        description,
        enabled,
    } = body.0;
    let types = types(&names)?;
    let new = NewEndpoint {
        url,
        types,
        description,
        enabled,
    };
    let webhooks = api.webhooks.clone();
    let endpoint = api
        .on_main(async move { webhooks.register(new).await })
        .await??;
    Ok(answer(EndpointBody::with_secret(endpoint)))
}

/// Lists the servers that are told.
#[utoipa::path(
    get, path = "/api/v1/webhooks/endpoints", tag = "webhooks", operation_id = "listWebhookEndpoints",
    security(("operator" = ["read"])),
    responses(
        (status = 200, description = "The endpoints, without secrets", body = Data<EndpointList>),
        (status = 401, description = "No operator key (E99003)", body = ErrorEnvelope),
        (status = 503, description = "Unavailable (E99999)", body = ErrorEnvelope),
    )
)]
pub(super) async fn list(
    api: web::Data<Api>,
    _operator: Operator<Read>,
) -> Result<HttpResponse, ApiError> {
    let webhooks = api.webhooks.clone();
    let endpoints = api
        .on_main(async move { webhooks.endpoints().await })
        .await??;
    let items = endpoints.into_iter().map(EndpointBody::from).collect();
    Ok(answer(EndpointList { items }))
}

/// Reads one.
#[utoipa::path(
    get, path = "/api/v1/webhooks/endpoints/{endpointId}", tag = "webhooks", operation_id = "readWebhookEndpoint",
    params(("endpointId" = String, Path, description = "The endpoint's id")), security(("operator" = ["read"])),
    responses(
        (status = 200, description = "The endpoint, without its secret", body = Data<EndpointBody>),
        (status = 401, description = "No operator key (E99003)", body = ErrorEnvelope),
        (status = 404, description = "No such endpoint (E99004)", body = ErrorEnvelope),
        (status = 503, description = "Unavailable (E99999)", body = ErrorEnvelope),
    )
)]
pub(super) async fn read(
    api: web::Data<Api>,
    _operator: Operator<Read>,
    path: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let (webhooks, id) = (api.webhooks.clone(), id(&path)?);
    let endpoint = api
        .on_main(async move { webhooks.endpoint(&id).await })
        .await??;
    Ok(answer(EndpointBody::from(endpoint)))
}

/// Changes one, turns it off or on again.
#[utoipa::path(
    patch, path = "/api/v1/webhooks/endpoints/{endpointId}", tag = "webhooks", operation_id = "changeWebhookEndpoint",
    params(("endpointId" = String, Path, description = "The endpoint's id")),
    request_body = EndpointPatchRequest, security(("operator" = ["admin"])),
    responses(
        (status = 200, description = "The endpoint, without its secret", body = Data<EndpointBody>),
        (status = 400, description = "Malformed, or a URL that must not be called (E99001)", body = ErrorEnvelope),
        (status = 401, description = "No operator key (E99003)", body = ErrorEnvelope),
        (status = 403, description = "The key's scope does not suffice (E99008)", body = ErrorEnvelope),
        (status = 404, description = "No such endpoint (E99004)", body = ErrorEnvelope),
        (status = 413, description = "Body too large (E99006)", body = ErrorEnvelope),
        (status = 503, description = "Unavailable (E99999)", body = ErrorEnvelope),
    )
)]
pub(super) async fn change(
    api: web::Data<Api>,
    _operator: Operator<Admin>,
    path: web::Path<String>,
    body: Json<EndpointPatchRequest>,
) -> Result<HttpResponse, ApiError> {
    let EndpointPatchRequest {
        url,
        types: names,
        description,
        enabled,
    } = body.0;
    let patch = EndpointPatch {
        url,
        types: names.as_deref().map(types).transpose()?,
        description,
        enabled,
    };
    let (webhooks, id) = (api.webhooks.clone(), id(&path)?);
    let endpoint = api
        .on_main(async move { webhooks.change(&id, &patch).await })
        .await??;
    Ok(answer(EndpointBody::from(endpoint)))
}

/// Removes one, with all that was to be sent to it.
#[utoipa::path(
    delete, path = "/api/v1/webhooks/endpoints/{endpointId}", tag = "webhooks", operation_id = "removeWebhookEndpoint",
    params(("endpointId" = String, Path, description = "The endpoint's id")), security(("operator" = ["admin"])),
    responses(
        (status = 200, description = "It is removed", body = Data<EndpointRemoved>),
        (status = 401, description = "No operator key (E99003)", body = ErrorEnvelope),
        (status = 403, description = "The key's scope does not suffice (E99008)", body = ErrorEnvelope),
        (status = 404, description = "No such endpoint (E99004)", body = ErrorEnvelope),
        (status = 503, description = "Unavailable (E99999)", body = ErrorEnvelope),
    )
)]
pub(super) async fn remove(
    api: web::Data<Api>,
    _operator: Operator<Admin>,
    path: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let (webhooks, id) = (api.webhooks.clone(), id(&path)?);
    api.on_main(async move { webhooks.remove(&id).await })
        .await??;
    Ok(answer(EndpointRemoved { removed: true }))
}

/// Gives one a new secret, which the answer shows, once. For 24 hours events are signed with the one
/// before as well.
#[utoipa::path(
    post, path = "/api/v1/webhooks/endpoints/{endpointId}/rotate-secret", tag = "webhooks", operation_id = "rotateWebhookSecret",
    params(("endpointId" = String, Path, description = "The endpoint's id")), security(("operator" = ["admin"])),
    responses(
        (status = 200, description = "The endpoint, with its new secret", body = Data<EndpointBody>),
        (status = 401, description = "No operator key (E99003)", body = ErrorEnvelope),
        (status = 403, description = "The key's scope does not suffice (E99008)", body = ErrorEnvelope),
        (status = 404, description = "No such endpoint (E99004)", body = ErrorEnvelope),
        (status = 503, description = "Unavailable (E99999)", body = ErrorEnvelope),
    )
)]
pub(super) async fn rotate(
    api: web::Data<Api>,
    _operator: Operator<Admin>,
    path: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let (webhooks, id) = (api.webhooks.clone(), id(&path)?);
    let endpoint = api
        .on_main(async move { webhooks.rotate(&id).await })
        .await??;
    Ok(answer(EndpointBody::with_secret(endpoint)))
}

/// Has an event of type `webhook.test` sent to one, whatever types it chose.
#[utoipa::path(
    post, path = "/api/v1/webhooks/endpoints/{endpointId}/test", tag = "webhooks", operation_id = "testWebhookEndpoint",
    params(("endpointId" = String, Path, description = "The endpoint's id")), security(("operator" = ["admin"])),
    responses(
        (status = 200, description = "The delivery, on its way", body = Data<DeliveryBody>),
        (status = 400, description = "The endpoint is off (E99001)", body = ErrorEnvelope),
        (status = 401, description = "No operator key (E99003)", body = ErrorEnvelope),
        (status = 403, description = "The key's scope does not suffice (E99008)", body = ErrorEnvelope),
        (status = 404, description = "No such endpoint (E99004)", body = ErrorEnvelope),
        (status = 503, description = "Unavailable (E99999)", body = ErrorEnvelope),
    )
)]
pub(super) async fn test(
    api: web::Data<Api>,
    _operator: Operator<Admin>,
    path: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let (webhooks, id) = (api.webhooks.clone(), id(&path)?);
    let delivery = api
        .on_main(async move { webhooks.test(&id).await })
        .await??;
    Ok(answer(DeliveryBody::from(delivery)))
}
