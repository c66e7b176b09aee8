//! `/v1/…` and `/v2/…`: carries calls to the engine and its deliveries back.

use std::time::Duration;

use actix_web::{
    Error, HttpRequest, HttpResponse, HttpResponseBuilder, Resource, Route,
    http::{
        StatusCode,
        header::{ACCEPT_LANGUAGE, AUTHORIZATION, CACHE_CONTROL, HeaderName, HeaderValue},
    },
    web::{self, Bytes, Data},
};
use futures::{StreamExt as _, stream};

use super::{BODY_MAX, TRACE_ID, header, socket};
use crate::{
    Endpoint, JournalFailure, Sandbox,
    engine::{Answer, ApiRequest, Content, Delivery, Pace, Reception, Step},
    sandbox::Done,
};

/// Longest that a silenced call is kept open.
const SILENCE_MAX: Duration = Duration::from_mins(10);

/// In how many pieces a slow body comes.
const SLOW_PIECES: usize = 20;

/// Between the half of a body that is sent and the end of its connection.
const HALF_BODY_PAUSE: Duration = Duration::from_millis(20);

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const SECURITY_MODE: HeaderName = HeaderName::from_static("tosspayments-api-security-mode");
const FAULT: HeaderName = HeaderName::from_static("sandbox-fault");
const TEST_CODE: HeaderName = HeaderName::from_static("tosspayments-test-code");

type Body = Result<Bytes, Error>;
type Response = Result<HttpResponse, JournalFailure>;

/// The resources of all calls, one per path.
pub(super) fn resources(sandbox: &Sandbox) -> Vec<Resource> {
    let mut templates: Vec<&'static str> = Vec::new();
    for endpoint in Endpoint::ALL {
        if !templates.contains(&endpoint.template()) {
            templates.push(endpoint.template());
        }
    }
    let resource = |template: &&'static str| {
        let mut resource = web::resource(*template).app_data(web::PayloadConfig::new(BODY_MAX));
        for endpoint in Endpoint::ALL {
            if endpoint.template() == *template {
                resource = resource.route(route(sandbox, endpoint));
            }
        }
        resource
            .app_data(Data::new(sandbox.clone()))
            .default_service(web::to(super::not_found))
    };
    templates.iter().map(resource).collect()
}

fn route(sandbox: &Sandbox, endpoint: Endpoint) -> Route {
    let sandbox = sandbox.clone();
    let handler = move |request: HttpRequest, body: Body| {
        let sandbox = sandbox.clone();
        async move { call(&sandbox, endpoint, &request, body).await }
    };
    let method = match endpoint.method() {
        "POST" => web::post(),
        "DELETE" => web::delete(),
        _ => web::get(),
    };
    method.to(handler)
}

async fn call(
    sandbox: &Sandbox,
    endpoint: Endpoint,
    request: &HttpRequest,
    body: Body,
) -> Response {
    let subject = match request.match_info().get("subject") {
        Some(subject) => subject.to_owned(),
        None => request.query_string().to_owned(),
    };
    let api_request = ApiRequest {
        endpoint,
        path: request.path().to_owned(),
        subject,
        authorization: header(request, &AUTHORIZATION),
        accept_language: header(request, &ACCEPT_LANGUAGE),
        idempotency_key: header(request, &IDEMPOTENCY_KEY),
        test_code: header(request, &TEST_CODE),
        security_mode: header(request, &SECURITY_MODE),
        fault: header(request, &FAULT),
        // A body too large or cut off is as malformed as an empty one.
        body: body.unwrap_or_default().to_vec(),
    };
    let received = sandbox.act(|engine, now| engine.receive(now, api_request));
    let delay = received.peek().delay;
    let done = if delay.is_zero() {
        received.then(|reception| proceed(sandbox, reception.step))
    } else {
        wait_and_proceed(sandbox.clone(), received).await
    };
    let delivery = sandbox.told(done).await?;
    Ok(deliver(request, delivery).await)
}

fn proceed(sandbox: &Sandbox, step: Step) -> Done<Delivery> {
    match step {
        Step::Deliver(delivery) => sandbox.act(|_, _| delivery),
        Step::Work(ticket) => sandbox.act(|engine, now| engine.perform(now, *ticket)),
    }
}

/// Waits in a task of its own: a handler is dropped when its client leaves, but a bank that has
/// taken a request in finishes it all the same.
async fn wait_and_proceed(sandbox: Sandbox, received: Done<Reception>) -> Done<Delivery> {
    let delay = received.peek().delay;
    let mut in_hand = InHand {
        sandbox: sandbox.clone(),
        received: Some(received),
    };
    let work = tokio::spawn(async move {
        tokio::time::sleep(delay).await;
        in_hand.finish()
    });
    match work.await {
        Ok(Some(done)) => done,
        Ok(None) | Err(_) => sandbox.act(|_, _| Delivery::Reset),
    }
}

/// A step that is taken even if the server stops during the wait; otherwise its idempotency key
/// would stay taken by a request that nobody carries out any more.
struct InHand {
    sandbox: Sandbox,
    received: Option<Done<Reception>>,
}

impl InHand {
    fn finish(&mut self) -> Option<Done<Delivery>> {
        let received = self.received.take()?;
        Some(received.then(|reception| proceed(&self.sandbox, reception.step)))
    }
}

impl Drop for InHand {
    fn drop(&mut self) {
        // Nobody is left to hear the answer.
        let _unheard = self.finish();
    }
}

async fn deliver(request: &HttpRequest, delivery: Delivery) -> HttpResponse {
    match delivery {
        Delivery::Answer(answer) => respond(&answer),
        Delivery::Silence => {
            tokio::time::sleep(SILENCE_MAX).await;
            reset(request)
        }
        Delivery::Reset => reset(request),
    }
}

fn respond(answer: &Answer) -> HttpResponse {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    response.content_type(match answer.content {
        Content::Json => "application/json;charset=UTF-8",
        Content::Text => "text/plain;charset=UTF-8",
        Content::Html => "text/html",
    });
    response.insert_header((CACHE_CONTROL, "no-store"));
    response.append_header((TRACE_ID, answer.trace_id.as_str()));
    if let Some(first) = &answer.first_trace_id {
        response.append_header((TRACE_ID, first.as_str()));
    }
    if let Some(key) = &answer.idempotency_key
        && let Ok(value) = HeaderValue::from_str(key)
    {
        response.insert_header((IDEMPOTENCY_KEY, value));
    }
    paced(response, answer)
}

/// Sends the body as a fault has it: at once, half of it, or piece by piece.
fn paced(mut response: HttpResponseBuilder, answer: &Answer) -> HttpResponse {
    let body = Bytes::copy_from_slice(answer.body.as_bytes());
    match answer.pace {
        Pace::Whole => response.body(body),
        Pace::Half => {
            let half = body.slice(..body.len() / 2);
            // The half must be on its way before the connection breaks.
            let cut = async {
                tokio::time::sleep(HALF_BODY_PAUSE).await;
                Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset))
            };
            let parts = Box::pin(stream::iter([Ok(half)]).chain(stream::once(cut)));
            let length = u64::try_from(body.len()).unwrap_or(u64::MAX);
            response.force_close().no_chunking(length).streaming(parts)
        }
        Pace::Over(time) => {
            let step = body.len().div_ceil(SLOW_PIECES).max(1);
            let pieces: Vec<_> = (0..body.len())
                .step_by(step)
                .map(|at| body.slice(at..body.len().min(at + step)))
                .collect();
            let wait = time / u32::try_from(pieces.len().max(1)).unwrap_or(1);
            let pieces = stream::iter(pieces).then(move |piece| async move {
                tokio::time::sleep(wait).await;
                Ok::<_, std::io::Error>(piece)
            });
            response.streaming(Box::pin(pieces))
        }
    }
}

/// Closes the connection without an answer. Where there is no handle on the socket, the next best
/// is an answer whose body breaks off.
fn reset(request: &HttpRequest) -> HttpResponse {
    if socket::close(request) {
        // Nobody receives this: the socket is shut.
        return HttpResponse::InternalServerError().force_close().finish();
    }
    let cut = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
    HttpResponse::Ok()
        .force_close()
        .streaming(stream::iter([Err::<Bytes, _>(cut)]))
}
