//! Who asks, and whether they may. A handler names the scope that it needs in its parameters, as
//! `Operator<Read>`, `Operator<Refund>` or `Operator<Admin>`.

use std::future::{Ready, ready};
use std::marker::PhantomData;

use actix_web::dev::Payload;
use actix_web::http::header::AUTHORIZATION;
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};
use kernel::OrderId;

use super::envelope::RequestId;
use super::rate_limit::WrongKeys;
use super::{Api, ApiError, Code};
use crate::keys::{Holder, Scope};

/// Proof that the request carries an operator's key of scope `S`; an extractor.
pub(super) struct Operator<S>(PhantomData<S>);

/// A scope in a handler's parameters.
pub(super) trait Required {
    /// The scope.
    const SCOPE: Scope;
}

/// [`Scope::Read`].
pub(super) struct Read;
/// [`Scope::Refund`].
pub(super) struct Refund;
/// [`Scope::Admin`].
pub(super) struct Admin;

impl Required for Read {
    const SCOPE: Scope = Scope::Read;
}

impl Required for Refund {
    const SCOPE: Scope = Scope::Refund;
}

impl Required for Admin {
    const SCOPE: Scope = Scope::Admin;
}

impl<S: Required> FromRequest for Operator<S> {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(admit(request, S::SCOPE).map(|()| Self(PhantomData)))
    }
}

/// Refuses who may not, and leaves in the log who it was. That is written before anything is done:
/// the line of the answer is missing when the client hangs up.
fn admit(request: &HttpRequest, needed: Scope) -> Result<(), ApiError> {
    let holder = holder(request).ok_or_else(|| stranger(request))?;
    let is_admitted = holder.scope >= needed;
    let order_id = request.match_info().get("orderId");
    let order_id = order_id.and_then(|text| text.parse::<OrderId>().ok());
    let extensions = request.extensions();
    tracing::info!(
        operator = &*holder.name,
        admitted = is_admitted,
        request_id = extensions.get::<RequestId>().map(|id| id.0.as_str()),
        method = %request.method(),
        route = request.match_pattern(),
        order_id = order_id.as_ref().map(OrderId::as_str),
        "an operator asks"
    );
    if is_admitted {
        Ok(())
    } else {
        Err(Code::Forbidden.into())
    }
}

/// How to refuse a request whose key is wrong or missing. Only a wrong one is counted.
fn stranger(request: &HttpRequest) -> Code {
    let wrong_keys = request.app_data::<web::Data<WrongKeys>>();
    match (wrong_keys, request.peer_addr()) {
        (Some(wrong_keys), Some(peer))
            if request.headers().contains_key(AUTHORIZATION) && !wrong_keys.allows(peer.ip()) =>
        {
            Code::TooManyRequests
        }
        _ => Code::Unauthorized,
    }
}

fn holder(request: &HttpRequest) -> Option<Holder> {
    let api = request.app_data::<web::Data<Api>>()?;
    let header = request.headers().get(AUTHORIZATION)?;
    let key = header.to_str().ok()?.strip_prefix("Bearer ")?;
    api.keys.holder(key)
}
