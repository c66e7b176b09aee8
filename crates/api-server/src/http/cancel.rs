//! `POST /api/v1/payments/{orderId}/cancel`

use std::collections::BTreeSet;

use actix_web::{HttpRequest, HttpResponse, web};
use kernel::{IdempotencyKey, OrderId, ProductId, Quantity};
use payment_domain::model::{CancelKey, LINES_MAX, RefundAccount, RestockLine};
use payment_domain::{CancelCommand, CancelOutcome};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::auth::{Operator, Refund};
use super::body::Json;
use super::checkout::{IDEMPOTENCY_REPLAYED, idempotency_key};
use super::envelope::{Data, ErrorEnvelope};
use super::payment::PaymentResponse;
use super::wire::Won;
use super::{Api, ApiError, Code};

/// The longest reason, in characters: Toss's limit.
const REASON_CHARS_MAX: usize = 200;
/// Toss's limits of a refund account.
const BANK_CHARS_MAX: usize = 20;
const ACCOUNT_DIGITS_MAX: usize = 20;
const HOLDER_CHARS_MAX: usize = 60;

/// Money to give back.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct CancelBody {
    /// Why, 1 to 200 characters; Toss and the buyer read it.
    #[schema(example = "고객 변심")]
    cancel_reason: String,
    /// How much, in won; all that is left without it.
    cancel_amount: Option<Won>,
    /// Where the money of a deposited virtual account goes.
    refund_receive_account: Option<RefundAccountBody>,
    /// What goes back on the shelf. Without it: everything that has not gone back yet when no money
    /// is left afterwards, and nothing otherwise.
    #[schema(max_items = 100)]
    restock: Option<Vec<RestockBody>>,
}

/// An account.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct RefundAccountBody {
    /// Toss's bank code or name, 1 to 20 characters.
    #[schema(example = "20")]
    bank: String,
    /// 1 to 20 digits.
    #[schema(example = "1002123456789")]
    account_number: String,
    /// 1 to 60 characters.
    #[schema(example = "김토스")]
    holder_name: String,
}

/// Pieces of one product.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct RestockBody {
    /// Which product of the order.
    #[schema(value_type = i64, minimum = 1, example = 1)]
    product_id: ProductId,
    /// How many pieces.
    #[schema(value_type = i64, minimum = 1, maximum = 999, example = 1)]
    quantity: Quantity,
}

pub(super) fn route(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/api/v1/payments/{orderId}/cancel").route(web::post().to(cancel)));
}

/// Gives money back, all of it or a part.
///
/// A cancel that was begun comes to its end, whatever happens to the request: after E03009 repeat it
/// with the same `Idempotency-Key`, or read the payment.
#[utoipa::path(
    post, path = "/api/v1/payments/{orderId}/cancel", tag = "operators", operation_id = "cancelPayment",
    params(
        ("orderId" = String, Path, description = "The order's id"),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters, scoped to the order"),
    ),
    request_body = CancelBody, security(("operator" = ["refund"])),
    responses(
        (status = 200, description = "The payment after this cancel", body = Data<PaymentResponse>),
        (status = 400, description = "Malformed (E99001), more than is left (E03021), or the refund account is missing or wrong (E03022)", body = ErrorEnvelope),
        (status = 401, description = "No operator key (E99003)", body = ErrorEnvelope),
        (status = 403, description = "The key's scope does not suffice (E99008)", body = ErrorEnvelope),
        (status = 404, description = "Unknown order (E03001)", body = ErrorEnvelope),
        (status = 409, description = "Not cancelable (E03020), or another cancel is running (E03024)", body = ErrorEnvelope),
        (status = 413, description = "Body too large (E99006)", body = ErrorEnvelope),
        (status = 422, description = "Idempotency key reused (E03018)", body = ErrorEnvelope),
        (status = 502, description = "Toss refuses our configuration (E03019)", body = ErrorEnvelope),
        (status = 503, description = "The outcome is not known yet (E03009)", body = ErrorEnvelope),
    )
)]
pub(super) async fn cancel(
    api: web::Data<Api>,
    request: HttpRequest,
    _operator: Operator<Refund>,
    id: web::Path<String>,
    Json(body): Json<CancelBody>,
) -> Result<HttpResponse, ApiError> {
    let id: OrderId = id
        .parse()
        .map_err(|_| ApiError::from(Code::PaymentNotFound))?;
    let key = idempotency_key(&request)?;
    let command = command(id, key, body)?;
    let CancelOutcome { view, replayed } = api.cancels.cancel(command).await?;
    let mut response = HttpResponse::Ok();
    if replayed {
        response.insert_header((IDEMPOTENCY_REPLAYED, "true"));
    }
    Ok(response.json(Data {
        data: PaymentResponse::from(view),
    }))
}

fn command(
    order_id: OrderId,
    key: Option<IdempotencyKey>,
    body: CancelBody,
) -> Result<CancelCommand, ApiError> {
    let reason = text("cancelReason", &body.cancel_reason, REASON_CHARS_MAX)?;
    let account = body.refund_receive_account;
    let mut command = CancelCommand {
        order_id,
        reason,
        amount: body.cancel_amount.map(|Won(amount)| amount),
        refund_account: account.as_ref().map(refund_account).transpose()?,
        restock: body.restock.map(restock).transpose()?,
        key: None,
    };
    command.key = key.map(|key| CancelKey {
        key,
        fingerprint: fingerprint(&command),
    });
    Ok(command)
}

fn text(name: &str, value: &str, chars_max: usize) -> Result<String, ApiError> {
    let value = value.trim();
    if (1..=chars_max).contains(&value.chars().count()) && !value.contains(char::is_control) {
        Ok(value.to_owned())
    } else {
        Err(ApiError::invalid(format!(
            "{name} must have 1 to {chars_max} characters, without control characters"
        )))
    }
}

fn refund_account(body: &RefundAccountBody) -> Result<RefundAccount, ApiError> {
    let account_number = text(
        "refundReceiveAccount.accountNumber",
        &body.account_number,
        ACCOUNT_DIGITS_MAX,
    )?;
    if !account_number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(ApiError::invalid(
            "refundReceiveAccount.accountNumber must be digits",
        ));
    }
    Ok(RefundAccount {
        bank: text("refundReceiveAccount.bank", &body.bank, BANK_CHARS_MAX)?,
        account_number,
        holder_name: text(
            "refundReceiveAccount.holderName",
            &body.holder_name,
            HOLDER_CHARS_MAX,
        )?,
    })
}

fn restock(body: Vec<RestockBody>) -> Result<Vec<RestockLine>, ApiError> {
    let mut seen = BTreeSet::new();
    if body.len() > LINES_MAX || !body.iter().all(|line| seen.insert(line.product_id)) {
        return Err(ApiError::invalid(format!(
            "restock has at most {LINES_MAX} lines, each of another product"
        )));
    }
    let lines = body.into_iter().map(|line| RestockLine {
        product_id: line.product_id,
        quantity: line.quantity,
    });
    Ok(lines.collect())
}

/// A digest of the request's meaning. Every part is preceded by its length or a mark, so that no
/// two meanings read alike.
fn fingerprint(command: &CancelCommand) -> String {
    let mut digest = Sha256::new();
    let mut part = |bytes: &[u8]| {
        digest.update((bytes.len() as u64).to_be_bytes());
        digest.update(bytes);
    };
    part(command.reason.as_bytes());
    part(&command.amount.map_or(0, kernel::Money::won).to_be_bytes());
    if let Some(account) = &command.refund_account {
        part(account.bank.as_bytes());
        part(account.account_number.as_bytes());
        part(account.holder_name.as_bytes());
    } else {
        part(b"no account");
    }
    match &command.restock {
        None => part(b"by default"),
        Some(lines) => {
            for line in lines {
                part(&line.product_id.get().to_be_bytes());
                part(&line.quantity.get().to_be_bytes());
            }
        }
    }
    hex::encode(digest.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(json: &str) -> Result<CancelCommand, String> {
        let body = serde_json::from_str(json).map_err(|error| error.to_string())?;
        let id = "order-000001".parse().map_err(|_| "an order id")?;
        let key = "k-1".parse().ok();
        command(id, key, body).map_err(|error| error.reason.unwrap_or_default())
    }

    #[test]
    fn whatever_is_wrong_is_named() {
        for (json, part) in [
            (r"{}", "cancelReason"),
            (r#"{"cancelReason":" "}"#, "cancelReason must have 1 to 200"),
            (r#"{"cancelReason":"a\u0000"}"#, "control"),
            (
                r#"{"cancelReason":"a","cancelAmount":0}"#,
                "whole number of won",
            ),
            (
                r#"{"cancelReason":"a","refundReceiveAccount":{"bank":"20","accountNumber":"1-2","holderName":"a"}}"#,
                "must be digits",
            ),
            (
                r#"{"cancelReason":"a","refundReceiveAccount":{"bank":"20","accountNumber":"123456789012345678901","holderName":"a"}}"#,
                "accountNumber must have 1 to 20",
            ),
            (
                r#"{"cancelReason":"a","restock":[{"productId":1,"quantity":1},{"productId":1,"quantity":2}]}"#,
                "another product",
            ),
            (
                r#"{"cancelReason":"a","restock":[{"productId":1,"quantity":0}]}"#,
                "quantity",
            ),
        ] {
            let error = parsed(json).unwrap_err();
            assert!(error.contains(part), "{json}: {error}");
        }
        let long = format!(r#"{{"cancelReason":"{}"}}"#, "가".repeat(201));
        assert!(parsed(&long).is_err());
        let fits = format!(r#"{{"cancelReason":"{}"}}"#, "가".repeat(200));
        assert!(parsed(&fits).is_ok());
    }

    #[test]
    fn another_meaning_has_another_fingerprint_and_white_space_has_none() {
        let print = |json: &str| parsed(json).unwrap().key.unwrap().fingerprint;
        let plain = print(r#"{"cancelReason":"a"}"#);
        assert_eq!(plain, print(r#"{ "cancelReason" : " a " }"#));
        let mut seen = BTreeSet::from([plain]);
        for json in [
            r#"{"cancelReason":"b"}"#,
            r#"{"cancelReason":"a","cancelAmount":1}"#,
            r#"{"cancelReason":"a","restock":[]}"#,
            r#"{"cancelReason":"a","restock":[{"productId":1,"quantity":1}]}"#,
            r#"{"cancelReason":"a","refundReceiveAccount":{"bank":"20","accountNumber":"1","holderName":"a"}}"#,
        ] {
            assert!(seen.insert(print(json)), "{json}");
        }
    }
}
