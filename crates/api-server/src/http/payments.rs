//! `GET /api/v1/payments`

use actix_web::{HttpResponse, web};
use kernel::{OrderId, UserId, from_micros, micros};
use payment_domain::model::PaymentStatus;
use payment_domain::port::{PaymentFilter, PaymentSummary, Place};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::auth::{Operator, Read};
use super::envelope::{Data, ErrorEnvelope};
use super::wire::{parse_rfc3339, rfc3339};
use super::{Api, ApiError};

/// Payments of one page at most.
const PAGE_MAX: u32 = 100;
/// Payments of one page when the client does not say.
const PAGE_DEFAULT: u32 = 20;

/// Which payments to list; what is left out filters nothing.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// Only payments that have this status now.
    #[param(example = "QUARANTINED")]
    status: Option<String>,
    /// Only this buyer's.
    #[param(value_type = Option<i64>, minimum = 1)]
    user_id: Option<UserId>,
    /// Checked out at or after this moment, RFC 3339.
    #[param(example = "2026-11-24T00:00:00+09:00")]
    from: Option<String>,
    /// Checked out before this moment, RFC 3339.
    #[param(example = "2026-11-25T00:00:00+09:00")]
    to: Option<String>,
    /// At most so many, 1 to 100; 20 when left out.
    #[param(minimum = 1, maximum = 100)]
    size: Option<u32>,
    /// The `nextCursor` of the page before, with the same filters.
    cursor: Option<String>,
}

/// A part of the list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct PaymentListResponse {
    /// Newest first.
    items: Vec<PaymentItem>,
    /// For the next page; `null` on the last one.
    next_cursor: Option<String>,
}

/// A payment as it stands in a list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct PaymentItem {
    order_id: String,
    order_name: String,
    user_id: i64,
    /// As in the payment itself.
    #[schema(example = "DONE")]
    status: &'static str,
    /// In won.
    total_amount: i64,
    /// What was paid and not given back, in won.
    balance_amount: i64,
    /// Always `KRW`.
    currency: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    payment_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<String>,
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    approved_at: Option<String>,
    updated_at: String,
}

impl From<PaymentSummary> for PaymentItem {
    fn from(payment: PaymentSummary) -> Self {
        Self {
            order_id: payment.order_id.to_string(),
            order_name: payment.order_name,
            user_id: payment.user_id.get(),
            status: payment.status.as_str(),
            total_amount: payment.total.won(),
            balance_amount: payment.balance.won(),
            currency: "KRW",
            payment_key: payment.payment_key.map(String::from),
            method: payment.method,
            created_at: rfc3339(payment.created_at),
            approved_at: payment.approved_at.map(rfc3339),
            updated_at: rfc3339(payment.updated_at),
        }
    }
}

/// A place as clients carry it: hexadecimal, so that nobody is tempted to make one up.
fn cursor(place: &Place) -> String {
    hex::encode(format!("{}:{}", micros(place.created_at), place.order_id))
}

fn place(cursor: &str) -> Option<Place> {
    let text = String::from_utf8(hex::decode(cursor).ok()?).ok()?;
    let (at, order_id) = text.split_once(':')?;
    let created_at = from_micros(at.parse().ok()?);
    let order_id: OrderId = order_id.parse().ok()?;
    Some(Place {
        created_at,
        order_id,
    })
}

impl ListQuery {
    fn filter(&self) -> Result<PaymentFilter, ApiError> {
        let status = self.status.as_deref().map(|text| {
            PaymentStatus::parse(text)
                .ok_or_else(|| ApiError::invalid("status is not a payment's status"))
        });
        let moment = |name: &str, text: &Option<String>| {
            let text = text.as_deref();
            let parsed = text.map(|text| {
                parse_rfc3339(text)
                    .ok_or_else(|| ApiError::invalid(format!("{name} must be an RFC 3339 time")))
            });
            parsed.transpose()
        };
        Ok(PaymentFilter {
            status: status.transpose()?,
            user_id: self.user_id,
            created_from: moment("from", &self.from)?,
            created_until: moment("to", &self.to)?,
        })
    }
}

pub(super) fn route(config: &mut web::ServiceConfig) {
    config.service(web::resource("/api/v1/payments").route(web::get().to(list)));
}

/// Lists payments, newest first.
///
/// A payment keeps its place in the list for good, so paging neither misses nor repeats one,
/// whatever is checked out or changes meanwhile. With `status`, a payment is listed if it has that
/// status when its page is read: one that comes to have it behind the cursor's back is not listed
/// any more, and one that loses it before its page is read is not listed at all.
#[utoipa::path(
    get, path = "/api/v1/payments", tag = "operators", operation_id = "listPayments",
    params(ListQuery), security(("operator" = ["read"])),
    responses(
        (status = 200, description = "The payments", body = Data<PaymentListResponse>),
        (status = 400, description = "Malformed, also a cursor that is none of ours (E99001)", body = ErrorEnvelope),
        (status = 401, description = "No operator key (E99003)", body = ErrorEnvelope),
        (status = 503, description = "Unavailable (E99999)", body = ErrorEnvelope),
    )
)]
pub(super) async fn list(
    api: web::Data<Api>,
    _operator: Operator<Read>,
    query: Result<web::Query<ListQuery>, actix_web::Error>,
) -> Result<HttpResponse, ApiError> {
    let query = query.map_err(|error| ApiError::invalid(error.to_string()))?;
    let size = query.size.unwrap_or(PAGE_DEFAULT);
    if !(1..=PAGE_MAX).contains(&size) {
        return Err(ApiError::invalid(format!(
            "size must be from 1 to {PAGE_MAX}"
        )));
    }
    let filter = query.filter()?;
    let after = query.cursor.as_deref().map(|text| {
        place(text).ok_or_else(|| ApiError::invalid("cursor is not one that a page ended with"))
    });
    let after = after.transpose()?;
    let reader = api.reader.clone();
    let page = api
        .on_main(async move { reader.list(&filter, after.as_ref(), size).await })
        .await??;
    let items = page.payments.into_iter().map(PaymentItem::from).collect();
    let next_cursor = page.next.as_ref().map(cursor);
    Ok(HttpResponse::Ok().json(Data {
        data: PaymentListResponse { items, next_cursor },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_and_nothing_else_is_one() {
        let here = Place {
            created_at: from_micros(1_767_571_200_000_001),
            order_id: "order-000001".parse().unwrap(),
        };
        let text = cursor(&here);
        assert_eq!(place(&text), Some(here));
        let odd = |text: &str| hex::encode(text);
        for bad in [
            "",
            "x",
            "zz",
            &text[1..],
            &format!("{text}ff"),
            &odd("1767571200000001"),
            &odd("soon:order-000001"),
            &odd("1:a b"),
            &odd("99999999999999999999:order-000001"),
        ] {
            assert_eq!(place(bad), None, "{bad}");
        }
    }
}
