//! Request bodies: JSON, bounded, and every way of being wrong is a clear refusal.

use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::{FromRequest, HttpRequest, web};
use serde::de::DeserializeOwned;

use super::{ApiError, Code};

/// A JSON body of type `T`; an extractor.
pub(super) struct Json<T>(pub T);

impl<T: DeserializeOwned> FromRequest for Json<T> {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let is_json = is_json(request);
        let bytes = web::Bytes::from_request(request, payload);
        Box::pin(async move {
            if !is_json {
                return Err(ApiError::invalid(
                    "the Content-Type must be application/json",
                ));
            }
            let bytes = bytes.await.map_err(|error| {
                if error.as_response_error().status_code() == StatusCode::PAYLOAD_TOO_LARGE {
                    Code::PayloadTooLarge.into()
                } else {
                    ApiError::invalid("the body could not be read")
                }
            })?;
            let body = serde_json::from_slice(&bytes)
                .map_err(|error| ApiError::invalid(error.to_string()))?;
            Ok(Self(body))
        })
    }
}

/// Whether the body claims to be JSON. A missing claim is taken as one.
fn is_json(request: &HttpRequest) -> bool {
    let Some(value) = request.headers().get(CONTENT_TYPE) else {
        return true;
    };
    let essence = value
        .to_str()
        .unwrap_or("")
        .split(';')
        .next()
        .unwrap_or("")
        .trim();
    essence.eq_ignore_ascii_case("application/json")
}
