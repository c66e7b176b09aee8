//! `PUT /api/v1/users/{id}`

use actix_web::{HttpResponse, web};
use kernel::UserId;
use serde::{Deserialize, Serialize};
use user_domain::UserProfile;
use utoipa::ToSchema;

use super::auth::{Admin, Operator};
use super::body::Json;
use super::envelope::{Data, ErrorEnvelope};
use super::{Api, ApiError};

/// What the shop knows of a buyer.
#[derive(Deserialize, ToSchema)]
pub(super) struct PutUserRequest {
    /// 1 to 100 characters.
    username: String,
    /// At most 254 characters.
    email: String,
}

/// A buyer.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct UserResponse {
    user_id: i64,
    username: String,
    email: String,
}

pub(super) fn route(config: &mut web::ServiceConfig) {
    config.service(web::resource("/api/v1/users/{userId}").route(web::put().to(put)));
}

/// Creates a buyer or changes their profile.
#[utoipa::path(
    put, path = "/api/v1/users/{userId}", tag = "operators", operation_id = "putUser",
    params(("userId" = i64, Path, minimum = 1)),
    request_body = PutUserRequest, security(("operator" = ["admin"])),
    responses(
        (status = 200, description = "Stored", body = Data<UserResponse>),
        (status = 400, description = "Malformed (E99001)", body = ErrorEnvelope),
        (status = 401, description = "No operator key (E99003)", body = ErrorEnvelope),
        (status = 403, description = "The key's scope does not suffice (E99008)", body = ErrorEnvelope),
        (status = 413, description = "Body too large (E99006)", body = ErrorEnvelope),
        (status = 503, description = "Unavailable (E99999)", body = ErrorEnvelope),
    )
)]
pub(super) async fn put(
    api: web::Data<Api>,
    _operator: Operator<Admin>,
    id: web::Path<String>,
    Json(body): Json<PutUserRequest>,
) -> Result<HttpResponse, ApiError> {
    let malformed = || ApiError::invalid("userId must be a positive integer");
    let id = id
        .parse::<i64>()
        .ok()
        .and_then(|id| UserId::new(id).ok())
        .ok_or_else(malformed)?;
    let profile = UserProfile {
        username: body.username,
        email: body.email,
    };
    let users = api.users.clone();
    let user = api
        .on_main(async move { users.put(id, &profile).await })
        .await??;
    let UserProfile { username, email } = user.profile;
    Ok(HttpResponse::Ok().json(Data {
        data: UserResponse {
            user_id: user.id.get(),
            username,
            email,
        },
    }))
}
