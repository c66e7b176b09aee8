//! `/sandbox/faults` and `/sandbox/webhooks`: what goes wrong, and what the merchant is told.

use actix_web::{
    Error, HttpRequest, HttpResponse,
    web::{Bytes, Data, Query},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    control::{Page, listed, malformed, page, read},
    error_response, json_response,
};
use crate::{JournalFailure, Rule, Sandbox, engine::ApiError, fault::FAULTS_MAX};

/// Longest address of a webhook taken, in bytes.
const URL_MAX: usize = 2_000;

/// One fault, or a scenario of several.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Rules {
    Several(Vec<Value>),
    One(Value),
}

pub(super) async fn faults(sandbox: Data<Sandbox>) -> HttpResponse {
    let faults = sandbox.faults();
    listed(faults.len(), faults)
}

/// All of a scenario's faults are put in force, or none.
pub(super) async fn inject(sandbox: Data<Sandbox>, body: Result<Bytes, Error>) -> HttpResponse {
    let rules = match read(body) {
        Ok(Rules::Several(rules)) => rules,
        Ok(Rules::One(rule)) => vec![rule],
        Err(detail) => return malformed(&detail),
    };
    let rules: Result<Vec<Rule>, _> = rules.into_iter().map(serde_json::from_value).collect();
    let rules = match rules {
        Ok(rules) => rules,
        Err(error) => return malformed(&error.to_string()),
    };
    let ids: Vec<_> = rules
        .into_iter()
        .map(|rule| sandbox.inject_rule(rule))
        .collect();
    let total = sandbox.faults().len();
    let answer = json!({ "total": total, "max": FAULTS_MAX, "ids": ids });
    json_response(201, answer.to_string())
}

pub(super) async fn clear_faults(sandbox: Data<Sandbox>) -> HttpResponse {
    sandbox.clear_faults();
    HttpResponse::NoContent().finish()
}

pub(super) async fn end_fault(sandbox: Data<Sandbox>, request: HttpRequest) -> HttpResponse {
    let id = request
        .match_info()
        .get("id")
        .and_then(|id| id.parse().ok());
    if id.is_some_and(|id| sandbox.end_fault(id)) {
        HttpResponse::NoContent().finish()
    } else {
        error_response(&request, &ApiError::new("NOT_FOUND"))
    }
}

pub(super) async fn webhooks(
    sandbox: Data<Sandbox>,
    request: HttpRequest,
    query: Result<Query<Page>, Error>,
) -> HttpResponse {
    let (_, limit) = match page(query) {
        Ok(page) => page,
        Err(error) => return error_response(&request, &error),
    };
    let rows = sandbox.webhooks(limit);
    json_response(
        200,
        json!({ "url": sandbox.webhook_url(), "rows": rows }).to_string(),
    )
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AddressBody {
    url: Option<String>,
}

/// `{"url": null}` ends it.
pub(super) async fn send_to(sandbox: Data<Sandbox>, body: Result<Bytes, Error>) -> HttpResponse {
    let body: AddressBody = match read(body) {
        Ok(body) => body,
        Err(detail) => return malformed(&detail),
    };
    let good = |url: &String| {
        url.len() <= URL_MAX && (url.starts_with("http://") || url.starts_with("https://"))
    };
    if !body.url.as_ref().is_none_or(good) {
        return malformed("url: an address that begins with http:// or https:// is wanted");
    }
    sandbox.send_webhooks_to(body.url);
    HttpResponse::NoContent().finish()
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct EventBody {
    event_type: String,
    data: Value,
}

/// Sends an event that the caller made up.
pub(super) async fn send_event(
    sandbox: Data<Sandbox>,
    body: Result<Bytes, Error>,
) -> Result<HttpResponse, JournalFailure> {
    let body: EventBody = match read(body) {
        Ok(body) => body,
        Err(detail) => return Ok(malformed(&detail)),
    };
    let sent = sandbox.act(|engine, now| engine.send_webhook(now, &body.event_type, &body.data));
    sandbox.told(sent).await?;
    sandbox.webhook_wakes().notify_one();
    Ok(HttpResponse::Accepted().finish())
}
