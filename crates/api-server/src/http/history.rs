//! `GET /api/v1/payments/{orderId}/history`

use actix_web::{HttpResponse, web};
use kernel::{OrderId, PaymentKey, Timestamp};
use payment_domain::PaymentHistory;
use payment_domain::model::{Attempt, AttemptKey, HistoryEntry, Movement, Replayed, TimelineEvent};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::auth::{Operator, Read};
use super::envelope::{Data, ErrorEnvelope};
use super::wire::{parse_rfc3339, rfc3339};
use super::{Api, ApiError, Code};

/// Keys of fewer characters are hidden altogether.
const KEY_CHARS_SHOWN_MIN: usize = 16;

/// As of when.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct HistoryQuery {
    /// Only what had been recorded by this moment, RFC 3339; now when left out.
    #[param(example = "2026-11-24T12:00:00+09:00")]
    at: Option<String>,
}

/// What was recorded of a payment.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct HistoryResponse {
    order_id: String,
    /// The moment that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<String>,
    /// The payment as the entries make it; `null` when it was not there yet.
    payment: Option<ReplayedPayment>,
    /// What is wrong with the records. Always a defect, or somebody's hand in the database.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    /// Oldest first.
    entries: Vec<TimelineEntry>,
}

/// A payment rebuilt from its records.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ReplayedPayment {
    #[schema(example = "DONE")]
    status: &'static str,
    /// The number of its changes.
    fence: i64,
    /// In won.
    total_amount: i64,
    /// What was paid and not given back, in won.
    balance_amount: i64,
    changed_at: String,
}

/// One line of the timeline.
#[derive(Debug, Serialize, ToSchema)]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub(super) enum TimelineEntry {
    /// The payment changed.
    Transition {
        at: String,
        /// The number of the change.
        fence: i64,
        /// The status before; `null` for the checkout.
        from: Option<&'static str>,
        to: &'static str,
        /// What happened.
        #[schema(example = "CLAIMED")]
        fact: &'static str,
        /// What a person should know besides.
        #[serde(skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
    /// Something was asked of Toss, and what came of it.
    Attempt {
        /// When it was stored, before anything was sent.
        at: String,
        number: u32,
        /// `CONFIRM` or `CANCEL`.
        purpose: &'static str,
        /// The `Idempotency-Key` that Toss saw.
        idempotency_key: String,
        /// In won.
        amount: i64,
        /// The payment key without its middle.
        #[schema(example = "tgen_2…V7xQ")]
        payment_key: String,
        started_at: String,
        /// When the answer, or its absence, was stored.
        #[serde(skip_serializing_if = "Option::is_none")]
        finished_at: Option<String>,
        /// `APPROVED`, `REJECTED`, `UNCLEAR`, `SILENT` or `NOT_SENT`.
        #[serde(skip_serializing_if = "Option::is_none")]
        outcome: Option<&'static str>,
        /// Toss's code.
        #[serde(skip_serializing_if = "Option::is_none")]
        code: Option<String>,
        /// Toss's message, or what went wrong on the way.
        #[serde(skip_serializing_if = "Option::is_none")]
        message: Option<String>,
        /// For Toss's support.
        #[serde(skip_serializing_if = "Option::is_none")]
        trace_id: Option<String>,
    },
    /// Money moved.
    Transaction {
        /// When it was recorded here.
        at: String,
        /// The number of the change that recorded it.
        fence: i64,
        /// `APPROVAL` or `CANCEL`.
        kind: &'static str,
        /// In won: above zero when it came, below when it went back.
        amount: i64,
        /// Toss's key of the movement.
        #[serde(skip_serializing_if = "Option::is_none")]
        transaction_key: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// When Toss moved it.
        moved_at: String,
    },
}

/// Enough of a key to find it in Toss's console, too little to use it.
fn masked(key: &PaymentKey) -> String {
    let text = key.as_str();
    if text.len() < KEY_CHARS_SHOWN_MIN {
        return "…".to_owned();
    }
    // Keys are visible ASCII.
    let (head, tail) = (text.get(..6), text.get(text.len() - 4..));
    format!("{}…{}", head.unwrap_or(""), tail.unwrap_or(""))
}

fn transition(at: String, entry: HistoryEntry) -> TimelineEntry {
    TimelineEntry::Transition {
        at,
        fence: entry.fence.get(),
        from: entry.from.map(payment_domain::model::PaymentStatus::as_str),
        to: entry.to.as_str(),
        fact: entry.fact.as_str(),
        note: entry.note,
    }
}

fn attempt(at: String, order_id: &OrderId, attempt: Attempt) -> TimelineEntry {
    let result = attempt.result;
    let outcome = result.as_ref().map(|result| result.outcome.as_str());
    let (code, message, trace_id) = result.map_or((None, None, None), |result| {
        (result.code, result.message, result.trace_id)
    });
    TimelineEntry::Attempt {
        at,
        number: attempt.number,
        purpose: attempt.purpose.as_str(),
        idempotency_key: AttemptKey::new(order_id, attempt.number).to_string(),
        amount: attempt.amount.won(),
        payment_key: masked(&attempt.payment_key),
        started_at: rfc3339(attempt.started_at),
        finished_at: attempt.finished_at.map(rfc3339),
        outcome,
        code,
        message,
        trace_id,
    }
}

fn movement(at: String, moved: Movement) -> TimelineEntry {
    let transaction = moved.transaction;
    TimelineEntry::Transaction {
        at,
        fence: moved.fence.get(),
        kind: transaction.kind.as_str(),
        amount: transaction.amount_won,
        transaction_key: transaction.transaction_key,
        reason: transaction.reason,
        moved_at: rfc3339(transaction.at),
    }
}

impl HistoryResponse {
    fn new(order_id: &OrderId, at: Option<Timestamp>, history: PaymentHistory) -> Self {
        let total_amount = history.total.won();
        let payment = history.payment.map(|payment: Replayed| ReplayedPayment {
            status: payment.status.as_str(),
            fence: payment.fence.get(),
            total_amount,
            balance_amount: payment.balance.won(),
            changed_at: rfc3339(payment.changed_at),
        });
        let entries = history.records.timeline().into_iter();
        let entries = entries.map(|(at, event)| match event {
            TimelineEvent::Transition(entry) => transition(rfc3339(at), entry),
            TimelineEvent::Attempt(made) => attempt(rfc3339(at), order_id, made),
            TimelineEvent::Movement(moved) => movement(rfc3339(at), moved),
        });
        Self {
            order_id: order_id.to_string(),
            at: at.map(rfc3339),
            payment,
            problem: history.problem,
            entries: entries.collect(),
        }
    }
}

pub(super) fn route(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/api/v1/payments/{orderId}/history").route(web::get().to(history)));
}

/// Shows everything that was recorded of a payment, oldest first.
///
/// With `at`, only what had been recorded by that moment, and the payment as it stood then.
#[utoipa::path(
    get, path = "/api/v1/payments/{orderId}/history", tag = "operators", operation_id = "readHistory",
    params(("orderId" = String, Path, description = "The order's id"), HistoryQuery),
    security(("operator" = ["read"])),
    responses(
        (status = 200, description = "The timeline", body = Data<HistoryResponse>),
        (status = 400, description = "Malformed (E99001)", body = ErrorEnvelope),
        (status = 401, description = "No operator key (E99003)", body = ErrorEnvelope),
        (status = 404, description = "Unknown order (E03001)", body = ErrorEnvelope),
        (status = 503, description = "Unavailable (E99999)", body = ErrorEnvelope),
    )
)]
pub(super) async fn history(
    api: web::Data<Api>,
    _operator: Operator<Read>,
    order_id: web::Path<String>,
    query: Result<web::Query<HistoryQuery>, actix_web::Error>,
) -> Result<HttpResponse, ApiError> {
    // Text that cannot be an order id names no order.
    let order_id: OrderId = order_id
        .parse()
        .map_err(|_| ApiError::from(Code::PaymentNotFound))?;
    let query = query.map_err(|error| ApiError::invalid(error.to_string()))?;
    let at = query.at.as_deref().map(|text| {
        parse_rfc3339(text).ok_or_else(|| ApiError::invalid("at must be an RFC 3339 time"))
    });
    let at = at.transpose()?;
    let (reader, asked) = (api.reader.clone(), order_id.clone());
    let history = api
        .on_main(async move { reader.history(&asked, at).await })
        .await??;
    Ok(HttpResponse::Ok().json(Data {
        data: HistoryResponse::new(&order_id, at, history),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_masked_key_shows_its_ends_only() {
        let mask = |text: &str| masked(&text.parse().unwrap());
        assert_eq!(mask("tgen_20261124000000V7xQ"), "tgen_2…V7xQ");
        assert_eq!(mask("1234567890123456"), "123456…3456");
        assert_eq!(mask("123456789012345"), "…");
    }
}
