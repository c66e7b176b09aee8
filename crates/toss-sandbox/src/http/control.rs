//! `/sandbox/…` for people and tests: faults, books, calls, clock. No key is asked for, because
//! no real money is behind it; the program binds to the loopback interface.

use std::time::Duration;

use actix_web::{
    Error, HttpRequest, HttpResponse,
    web::{Bytes, Data, Query},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::json;

use super::{error_response, header_language, json_response};
use crate::{
    Call, JournalFailure, Sandbox,
    engine::{
        Amount, ApiError, Currency, GiftCertificate, Language, Method, Sum, is_name, is_order_id,
    },
};

/// Most rows of one page.
const PAGE_MAX: usize = 10_000;

/// Longest jump of the clock by one call: ten years, in seconds.
const CLOCK_JUMP_MAX_S: u64 = 10 * 365 * 86_400;

type Response = Result<HttpResponse, JournalFailure>;

#[derive(Debug, Deserialize)]
pub(super) struct Page {
    #[serde(default)]
    offset: usize,
    #[serde(default = "page_default")]
    limit: usize,
}

fn page_default() -> usize {
    1_000
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewPaymentBody {
    order_id: String,
    amount: Sum,
    currency: Option<String>,
    order_name: Option<String>,
    method: Option<String>,
    provider: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ClockBody {
    advance_seconds: u64,
}

/// The JSON body, or what is wrong with it.
pub(super) fn read<T: DeserializeOwned>(body: Result<Bytes, Error>) -> Result<T, String> {
    let body = body.map_err(|error| error.to_string())?;
    serde_json::from_slice(&body).map_err(|error| error.to_string())
}

/// Says what is wrong with a body: unlike Toss, as this is read by whoever wrote it by hand.
pub(super) fn malformed(detail: &str) -> HttpResponse {
    let answer = json!({ "code": "INVALID_REQUEST", "message": detail });
    json_response(400, answer.to_string())
}

pub(super) fn page(page: Result<Query<Page>, Error>) -> Result<(usize, usize), ApiError> {
    let page = page.map_err(|_| ApiError::new("INVALID_REQUEST"))?;
    Ok((page.offset, page.limit.min(PAGE_MAX)))
}

pub(super) fn listed(total: impl Serialize, rows: impl Serialize) -> HttpResponse {
    json_response(200, json!({ "total": total, "rows": rows }).to_string())
}

pub(super) async fn ledger(
    sandbox: Data<Sandbox>,
    request: HttpRequest,
    query: Result<Query<Page>, Error>,
) -> Response {
    let (offset, limit) = match page(query) {
        Ok(page) => page,
        Err(error) => return Ok(error_response(&request, &error)),
    };
    let seen = sandbox.act(|engine, _| (engine.ledger(offset, limit), engine.counts().0));
    let (rows, orders) = sandbox.told(seen).await?;
    Ok(listed(orders, rows))
}

pub(super) async fn calls(
    sandbox: Data<Sandbox>,
    request: HttpRequest,
    query: Result<Query<Page>, Error>,
) -> HttpResponse {
    let (_, limit) = match page(query) {
        Ok(page) => page,
        Err(error) => return error_response(&request, &error),
    };
    let (rows, totals) = {
        let engine = sandbox.engine();
        (engine.numbered_calls(limit), engine.call_totals())
    };
    let rows = rows.into_iter();
    let rows: Vec<_> = rows
        .map(|(number, call)| NumberedCall { number, call })
        .collect();
    listed(totals, rows)
}

#[derive(Debug, Serialize)]
struct NumberedCall {
    number: u64,
    #[serde(flatten)]
    call: Call,
}

/// What one call sent and was answered, masked.
pub(super) async fn exchange(sandbox: Data<Sandbox>, request: HttpRequest) -> HttpResponse {
    let number = request.match_info().get("number").unwrap_or_default();
    let number = number.parse().ok();
    let exchange = number.and_then(|number| sandbox.exchange(number));
    match exchange.and_then(|exchange| serde_json::to_string(&exchange).ok()) {
        Some(exchange) => json_response(200, exchange),
        None => error_response(&request, &ApiError::new("NOT_FOUND")),
    }
}

pub(super) async fn payments(
    sandbox: Data<Sandbox>,
    request: HttpRequest,
    query: Result<Query<Page>, Error>,
) -> Response {
    let (offset, limit) = match page(query) {
        Ok(page) => page,
        Err(error) => return Ok(error_response(&request, &error)),
    };
    let seen = sandbox.act(|engine, now| (engine.payments(now, offset, limit), engine.counts().1));
    let (rows, total) = sandbox.told(seen).await?;
    // The rows are JSON already.
    let body = format!("{{\"total\":{total},\"rows\":[{}]}}", rows.join(","));
    Ok(json_response(200, body))
}

pub(super) async fn authenticate(
    sandbox: Data<Sandbox>,
    request: HttpRequest,
    body: Result<Bytes, Error>,
) -> Response {
    let body: NewPaymentBody = match read(body) {
        Ok(body) => body,
        Err(detail) => return Ok(malformed(&detail)),
    };
    let refused = |code: &str| Ok(error_response(&request, &ApiError::new(code)));
    let method = match body.method.as_deref() {
        None | Some("CARD") => Method::card(),
        Some("EASY_PAY") => Method::EasyPay {
            provider: "토스페이".to_owned(),
        },
        Some("VIRTUAL_ACCOUNT") => Method::VirtualAccount {
            bank_code: "20".to_owned(),
            customer_name: "김토스".to_owned(),
        },
        Some("TRANSFER") => Method::Transfer {
            bank_code: "20".to_owned(),
        },
        Some("MOBILE_PHONE") => Method::MobilePhone {
            customer_mobile_phone: "01000001234".to_owned(),
        },
        Some("CULTURE_GIFT_CERTIFICATE") => Method::GiftCertificate {
            kind: GiftCertificate::Culture,
        },
        Some("BOOK_GIFT_CERTIFICATE") => Method::GiftCertificate {
            kind: GiftCertificate::Book,
        },
        Some("GAME_GIFT_CERTIFICATE") => Method::GiftCertificate {
            kind: GiftCertificate::Game,
        },
        Some("FOREIGN_EASY_PAY") => Method::ForeignEasyPay {
            provider: match body.provider.as_deref() {
                None => "PAYPAL".to_owned(),
                Some(name) if is_name(name, 30) => name.to_owned(),
                Some(_) => return refused("INVALID_REQUEST"),
            },
        },
        Some(_) => return refused("NOT_SUPPORTED_METHOD"),
    };
    let currency = Currency::named(body.currency.as_deref().unwrap_or("KRW"));
    let Some(currency) = currency.filter(|currency| currency.suits(&method)) else {
        return refused("INVALID_CURRENCY");
    };
    let Some(amount) = body.amount.minor(currency) else {
        return refused("INVALID_REQUEST");
    };
    if !is_order_id(&body.order_id) {
        return refused("INVALID_ORDER_ID");
    }
    if amount < currency.minimum(&Method::card()) {
        return refused("BELOW_MINIMUM_AMOUNT");
    }
    let name = body
        .order_name
        .as_deref()
        .unwrap_or(match header_language(&request) {
            Language::Korean => "샌드박스 주문",
            Language::English => "Sandbox order",
        });
    let opened = sandbox.act(|engine, now| {
        engine.authenticate_in(now, currency, &body.order_id, name, amount, method)
    });
    let key = sandbox.told(opened).await?;
    let answer = json!({
        "paymentKey": key,
        "orderId": body.order_id,
        "amount": Amount::new(amount, currency),
        "currency": currency.name(),
        "status": "IN_PROGRESS",
    });
    Ok(json_response(201, answer.to_string()))
}

pub(super) async fn deposit(sandbox: Data<Sandbox>, request: HttpRequest) -> Response {
    let key = request.match_info().get("payment_key").unwrap_or_default();
    let deposited = sandbox.act(|engine, now| engine.deposit(now, key));
    Ok(match sandbox.told(deposited).await? {
        Ok(payment) => json_response(200, payment),
        Err(error) => error_response(&request, &error),
    })
}

pub(super) async fn reverse_deposit(sandbox: Data<Sandbox>, request: HttpRequest) -> Response {
    let key = request.match_info().get("payment_key").unwrap_or_default();
    let reversed = sandbox.act(|engine, now| engine.reverse_deposit(now, key));
    Ok(match sandbox.told(reversed).await? {
        Ok(payment) => json_response(200, payment),
        Err(error) => error_response(&request, &error),
    })
}

pub(super) async fn abort_cancel(sandbox: Data<Sandbox>, request: HttpRequest) -> Response {
    let key = request.match_info().get("payment_key").unwrap_or_default();
    let aborted = sandbox.act(|engine, now| engine.abort_cancel(now, key));
    Ok(match sandbox.told(aborted).await? {
        Ok(payment) => json_response(200, payment),
        Err(error) => error_response(&request, &error),
    })
}

pub(super) async fn expire(sandbox: Data<Sandbox>, request: HttpRequest) -> Response {
    let key = request.match_info().get("payment_key").unwrap_or_default();
    let expired = sandbox.act(|engine, now| engine.expire(now, key));
    Ok(match sandbox.told(expired).await? {
        Ok(payment) => json_response(200, payment),
        Err(error) => error_response(&request, &error),
    })
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReviewBody {
    status: String,
}

pub(super) async fn review_seller(
    sandbox: Data<Sandbox>,
    request: HttpRequest,
    body: Result<Bytes, Error>,
) -> Response {
    let body: ReviewBody = match read(body) {
        Ok(body) => body,
        Err(detail) => return Ok(malformed(&detail)),
    };
    let id = request.match_info().get("id").unwrap_or_default();
    let reviewed = sandbox.act(|engine, now| engine.review_seller(now, id, &body.status));
    Ok(match sandbox.told(reviewed).await? {
        Ok(seller) => json_response(200, seller),
        Err(error) => error_response(&request, &error),
    })
}

pub(super) async fn advance_clock(
    sandbox: Data<Sandbox>,
    request: HttpRequest,
    body: Result<Bytes, Error>,
) -> Response {
    let body: ClockBody = match read(body) {
        Ok(body) => body,
        Err(detail) => return Ok(malformed(&detail)),
    };
    if body.advance_seconds > CLOCK_JUMP_MAX_S {
        return Ok(error_response(&request, &ApiError::new("INVALID_DATE")));
    }
    let advanced = sandbox.advance(Duration::from_secs(body.advance_seconds));
    sandbox.told(advanced).await?;
    let answer = json!({ "now": sandbox.now().to_rfc3339() });
    Ok(json_response(200, answer.to_string()))
}
