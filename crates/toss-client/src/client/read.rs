//! Reading answers.

use std::time::Duration;

use http::{HeaderMap, header};
use serde_json::Value;

use crate::{
    Answer, ERROR_BODY_BYTES_MAX, Endpoint, Error, HttpReply, RawBody, Rejection, answer::trace_id,
    model::fields::Decode,
};

/// A rejection code is a short word; what is longer is not one.
const CODE_BYTES_MAX: usize = 200;

/// A whole 2xx, or what it is instead.
pub(super) fn successful(endpoint: Endpoint, reply: HttpReply) -> Result<HttpReply, Error> {
    if reply.truncated {
        let reason = format!("the body is larger than {} bytes", crate::ANSWER_BYTES_MAX);
        return Err(undecodable(endpoint, &reply, reason));
    }
    if (200..300).contains(&reply.status) {
        Ok(reply)
    } else {
        Err(rejection(endpoint, &reply))
    }
}

/// What a 2xx holds. An empty body reads as `null`: the deletion of a billing key has none.
pub(super) fn value<T: Decode>(endpoint: Endpoint, reply: HttpReply) -> Result<Answer<T>, Error> {
    let json = if reply.body.is_empty() {
        Ok(Value::Null)
    } else {
        serde_json::from_slice::<Value>(&reply.body).map_err(|_| "it is not JSON".to_owned())
    };
    match json.and_then(|value| T::decode(value).map_err(|error| error.to_string())) {
        Ok(value) => Ok(Answer {
            value,
            http_status: reply.status,
            trace_id: trace_id(&reply.headers),
            body: RawBody::from_bytes(reply.body),
        }),
        Err(reason) => Err(undecodable(endpoint, &reply, reason)),
    }
}

/// Version 1 puts `code` and `message` on top, version 2 under `error` with the `traceId` beside.
fn rejection(endpoint: Endpoint, reply: &HttpReply) -> Error {
    let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let text = |at: &Value, name: &str| at.get(name).and_then(Value::as_str).map(str::to_owned);
    let error = body.get("error").unwrap_or(&body);
    match text(error, "code").filter(|code| !code.is_empty() && code.len() <= CODE_BYTES_MAX) {
        Some(code) => {
            let message = text(error, "message").unwrap_or_default();
            let mut rejection = Rejection::new(endpoint, reply.status, &code, &message);
            rejection.trace_id = trace_id(&reply.headers).or_else(|| text(&body, "traceId"));
            rejection.body = RawBody::bounded(&reply.body, ERROR_BODY_BYTES_MAX);
            rejection.retry_after = retry_after(&reply.headers);
            Error::Rejected(rejection)
        }
        None => undecodable(endpoint, reply, "it holds no error code".to_owned()),
    }
}

/// Seconds; the other form of the header, a date, is left out.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}

fn undecodable(endpoint: Endpoint, reply: &HttpReply, reason: String) -> Error {
    Error::Undecodable {
        endpoint,
        status: reply.status,
        reason,
        body: RawBody::bounded(&reply.body, ERROR_BODY_BYTES_MAX),
        trace_id: trace_id(&reply.headers),
    }
}
