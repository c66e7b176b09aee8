//! `POST /api/v1/payments/confirm`

use actix_web::http::header::{HeaderMap, HeaderName, LOCATION};
use actix_web::{HttpRequest, HttpResponse, web};
use kernel::{OrderId, PaymentKey, UserId};
use payment_domain::ConfirmCommand;
use payment_domain::model::{Payment, PaymentStatus, VirtualAccount};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body::Json;
use super::checkout::IDEMPOTENCY_REPLAYED;
use super::envelope::{Data, ErrorEnvelope};
use super::wire::{Won, rfc3339};
use super::{Api, ApiError};
use crate::confirm_desk::{Accepted, Confirmed};

const PREFER: HeaderName = HeaderName::from_static("prefer");
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");
const RESPOND_ASYNC: &str = "respond-async";

/// What the buyer's browser brought back from Toss's window.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConfirmRequest {
    /// Who ordered.
    #[schema(value_type = i64, minimum = 1, example = 1)]
    user_id: UserId,
    /// Which order.
    #[schema(value_type = String, min_length = 6, max_length = 64)]
    order_id: OrderId,
    /// The amount that was authenticated, in won.
    amount: Won,
    /// Toss's key of the payment.
    #[schema(value_type = String, min_length = 1, max_length = 200)]
    payment_key: PaymentKey,
}

/// A paid order, or one that waits for a deposit.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConfirmResponse {
    order_id: String,
    /// In won.
    #[schema(example = 210_000)]
    amount: i64,
    /// `DONE`, or `WAITING_FOR_DEPOSIT` for a virtual account.
    status: &'static str,
    payment_key: Option<String>,
    /// In Toss's words.
    #[schema(example = "카드")]
    method: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    approved_at: Option<String>,
    receipt_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    virtual_account: Option<VirtualAccountBody>,
}

/// A confirm that goes on by itself.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct AcceptedResponse {
    order_id: String,
    /// Always `IN_PROGRESS`.
    #[schema(example = "IN_PROGRESS")]
    status: &'static str,
}

/// Where to deposit.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct VirtualAccountBody {
    /// Toss's bank code.
    bank_code: String,
    account_number: String,
    due_date: Option<String>,
    customer_name: Option<String>,
}

impl From<&VirtualAccount> for VirtualAccountBody {
    fn from(account: &VirtualAccount) -> Self {
        Self {
            bank_code: account.bank_code.clone(),
            account_number: account.account_number.clone(),
            due_date: account.due_date.map(rfc3339),
            customer_name: account.customer_name.clone(),
        }
    }
}

impl From<&Payment> for ConfirmResponse {
    fn from(payment: &Payment) -> Self {
        Self {
            order_id: payment.order_id.to_string(),
            amount: payment.total.won(),
            status: payment.status.as_str(),
            payment_key: payment.payment_key.as_ref().map(ToString::to_string),
            method: payment.method.clone(),
            approved_at: payment.approved_at.map(rfc3339),
            receipt_url: payment.receipt_url.clone(),
            virtual_account: payment
                .virtual_account
                .as_ref()
                .map(VirtualAccountBody::from),
        }
    }
}

pub(super) fn route(config: &mut web::ServiceConfig) {
    config.service(web::resource("/api/v1/payments/confirm").route(web::post().to(confirm)));
}

/// Confirms an order.
///
/// Verifies order, buyer, amount and payment key, takes the stock, and has Toss approve. The same
/// confirm again gets the same answer; nothing is charged twice. A client that hangs up cancels
/// nothing. With `Prefer: respond-async` the answer comes as soon as the confirm has begun; read or
/// follow the payment for its outcome. What refuses before anything is begun is answered at once, and
/// a payment that is paid already with 200.
#[utoipa::path(
    post, path = "/api/v1/payments/confirm", tag = "payments", operation_id = "confirm",
    params(("Prefer" = Option<String>, Header, description = "`respond-async`: answer without waiting for the outcome")),
    request_body = ConfirmRequest,
    responses(
        (status = 200, description = "Paid, or waiting for a deposit", body = Data<ConfirmResponse>),
        (status = 202, description = "Begun, with `Prefer: respond-async`; `Location` is the payment", body = Data<AcceptedResponse>),
        (status = 400, description = "Malformed (E99001), another user's order (E03004), another amount (E03006), another payment key (E03005)", body = ErrorEnvelope),
        (status = 402, description = "Declined by Toss (E03010)", body = ErrorEnvelope),
        (status = 404, description = "Unknown order (E03001)", body = ErrorEnvelope),
        (status = 409, description = "Not payable in its state (E03002), stock short (E03013), still running (E03017)", body = ErrorEnvelope),
        (status = 413, description = "Body too large (E99006)", body = ErrorEnvelope),
        (status = 502, description = "Toss refuses the shop's configuration (E03019)", body = ErrorEnvelope),
        (status = 503, description = "Outcome not known yet (E03009)", body = ErrorEnvelope),
    )
)]
pub(super) async fn confirm(
    api: web::Data<Api>,
    request: HttpRequest,
    Json(body): Json<ConfirmRequest>,
) -> Result<HttpResponse, ApiError> {
    let command = ConfirmCommand {
        user_id: body.user_id,
        order_id: body.order_id,
        amount: body.amount.0,
        payment_key: body.payment_key,
    };
    let (desk, order_id) = (api.desk.clone(), command.order_id.clone());
    let accepted = if prefers_async(request.headers()) {
        api.on_main(async move { desk.accept(&command).await })
            .await??
    } else {
        let confirmed = api.on_main(async move { desk.confirm(&command).await });
        Accepted::Answered(Box::new(confirmed.await??))
    };
    let Confirmed { payment, replayed } = match accepted {
        Accepted::Answered(confirmed) => *confirmed,
        Accepted::Running => return Ok(begun(&order_id)),
    };
    let mut response = HttpResponse::Ok();
    if replayed {
        response.insert_header((IDEMPOTENCY_REPLAYED, "true"));
    }
    Ok(response.json(Data {
        data: ConfirmResponse::from(&payment),
    }))
}

/// Whether the client would rather not wait (RFC 7240). Its other preferences are ignored.
fn prefers_async(headers: &HeaderMap) -> bool {
    let lines = headers
        .get_all(PREFER)
        .filter_map(|line| line.to_str().ok());
    lines
        .flat_map(|line| line.split(','))
        .filter_map(|preference| preference.split([';', '=']).next())
        .any(|name| name.trim().eq_ignore_ascii_case(RESPOND_ASYNC))
}

fn begun(order_id: &OrderId) -> HttpResponse {
    HttpResponse::Accepted()
        .insert_header((LOCATION, format!("/api/v1/payments/{order_id}")))
        .insert_header((PREFERENCE_APPLIED, RESPOND_ASYNC))
        .json(Data {
            data: AcceptedResponse {
                order_id: order_id.to_string(),
                status: PaymentStatus::InProgress.as_str(),
            },
        })
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    #[test]
    fn a_preference_is_found_among_others() {
        for (lines, expected) in [
            (&["respond-async"][..], true),
            (&["Respond-Async, wait=10"], true),
            (&["wait=10", "return=minimal, respond-async;foo=bar"], true),
            (&[], false),
            (&["wait=10"], false),
            (&["respond-asynchronously"], false),
            (&["return=respond-async"], false),
            (&["\u{ff}"], false),
        ] {
            let mut headers = HeaderMap::new();
            for line in lines {
                let value = HeaderValue::from_bytes(line.as_bytes()).unwrap();
                headers.append(PREFER, value);
            }
            assert_eq!(prefers_async(&headers), expected, "{lines:?}");
        }
    }
}
