//! Limits per client address: of requests on the public routes, off unless it is set, and of wrong
//! operator keys, always on.

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

/// Wrong operator keys of one address that are answered 401 in a row; more are answered 429.
const WRONG_KEYS_BURST: NonZeroU32 = NonZeroU32::new(200).unwrap();

/// How many of them are forgiven a second.
const WRONG_KEYS_PER_SECOND: NonZeroU32 = NonZeroU32::new(10).unwrap();

/// Counts wrong operator keys per client address. A right key is not counted and never refused
/// here: behind a proxy all clients have one address, and one that tries keys must not lock out the
/// operators. What keeps keys from being guessed is their length.
#[derive(Clone)]
pub struct WrongKeys(RateLimiter);

impl Default for WrongKeys {
    fn default() -> Self {
        let quota = Quota::per_second(WRONG_KEYS_PER_SECOND).allow_burst(WRONG_KEYS_BURST);
        Self(RateLimiter::of(Some(quota)))
    }
}

impl WrongKeys {
    /// Counts one more wrong key of `address`; whether it stays within the limit.
    pub(super) fn allows(&self, address: IpAddr) -> bool {
        self.0.allows(address)
    }
}

/// Counts requests per client address.
#[derive(Clone)]
pub struct RateLimiter {
    governor: Option<Arc<DefaultKeyedRateLimiter<IpAddr>>>,
}

impl RateLimiter {
    /// Allows `per_second` requests of one address, in bursts of as many; `None` allows all.
    pub fn new(per_second: Option<u32>) -> Self {
        Self::of(per_second.and_then(NonZeroU32::new).map(Quota::per_second))
    }

    fn of(quota: Option<Quota>) -> Self {
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
