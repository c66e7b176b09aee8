//! A limit of requests per client address on the public routes, off unless it is set.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;

use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, ResponseError, web};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter as Governor};

use super::{ApiError, Code};

/// Addresses remembered before idle ones are forgotten.
const ADDRESSES_MAX: usize = 100_000;

/// Counts requests per client address.
#[derive(Clone)]
pub struct RateLimiter {
    governor: Option<Arc<DefaultKeyedRateLimiter<IpAddr>>>,
}

impl RateLimiter {
    /// Allows `per_second` requests of one address, in bursts of as many; `None` allows all.
    pub fn new(per_second: Option<u32>) -> Self {
        let quota = per_second.and_then(NonZeroU32::new).map(Quota::per_second);
        Self {
            governor: quota.map(|quota| Arc::new(Governor::keyed(quota))),
        }
    }

    fn allows(&self, address: IpAddr) -> bool {
        let Some(governor) = &self.governor else {
            return true;
        };
        if governor.len() > ADDRESSES_MAX {
            governor.retain_recent();
        }
        governor.check_key(&address).is_ok()
    }
}

/// The middleware. It looks at the socket's address only: forwarded addresses can be made up.
pub async fn limit<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B, BoxBody>>, Error> {
    let limited = request.path().starts_with("/api/");
    let limiter = request.app_data::<web::Data<RateLimiter>>();
    let allowed = match (limited, limiter, request.peer_addr()) {
        (true, Some(limiter), Some(peer)) => limiter.allows(peer.ip()),
        _ => true,
    };
    if allowed {
        return next
            .call(request)
            .await
            .map(ServiceResponse::map_into_left_body);
    }
    let refusal = ApiError::from(Code::TooManyRequests).error_response();
    Ok(request.into_response(refusal).map_into_right_body())
}
