//! Settlements: what Toss pays out for the approvals and cancels that were made. They follow from
//! the transactions alone.

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc, Weekday};
use serde::{Deserialize, Serialize};

use super::{
    Engine, Language,
    currency::Currency,
    errors::ApiError,
    method_view::MethodObjects,
    payment::{Payment, korean_time},
    query::Query,
    receipts::korean_day,
    request::parse,
    transactions::Movement,
    view::CancelView,
};

/// Toss's fee before its tax, in thousandths of the amount. The contract says it; this is an
/// assumption.
pub const FEE_PER_MILLE: u64 = 30;

/// Working days from a sale to its payout. The contract says it; this is an assumption.
pub const PAYOUT_AFTER_WORKDAYS: u32 = 2;

/// The Settlement object; the fields are Toss's. What was given back is negative.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct SettlementView<'a> {
    m_id: &'a str,
    payment_key: &'a str,
    transaction_key: &'a str,
    order_id: &'a str,
    currency: &'static str,
    method: &'static str,
    amount: i64,
    interest_fee: u64,
    /// With its tax, as are `fees`: what answers that merchants published show.
    fee: i64,
    fees: [FeeView; 1],
    supply_amount: i64,
    vat: i64,
    pay_out_amount: i64,
    approved_at: String,
    sold_date: NaiveDate,
    paid_out_date: NaiveDate,
    #[serde(flatten)]
    paid_with: MethodObjects<'a>,
    cancel: Option<CancelView<'a>>,
}

#[derive(Debug, Serialize)]
struct FeeView {
    r#type: &'static str,
    fee: i64,
}

/// The fee on an amount and its tax, in won, rounded half up.
fn fee(amount: u64) -> (i64, i64) {
    let fee = (u128::from(amount) * u128::from(FEE_PER_MILLE) + 500) / 1_000;
    let vat = (fee + 5) / 10;
    let won = |value: u128| i64::try_from(value).unwrap_or(i64::MAX);
    (won(fee), won(vat))
}

/// The working day on which a sale is paid out; holidays are not known here.
pub(super) fn paid_out(sold: NaiveDate) -> NaiveDate {
    let mut day = sold;
    let mut left = PAYOUT_AFTER_WORKDAYS;
    while left > 0 {
        day += TimeDelta::days(1);
        if !matches!(day.weekday(), Weekday::Sat | Weekday::Sun) {
            left -= 1;
        }
    }
    day
}

/// What reaches the merchant for a movement, in won.
pub(super) fn net(amount: u64, out: bool) -> i64 {
    let (fee, vat) = fee(amount);
    let net = i64::try_from(amount).unwrap_or(i64::MAX) - fee - vat;
    if out { -net } else { net }
}

/// Whether a payment is in settlements and balances: in won alone. Toss's settlement API has no
/// `PayPal` (its page says so), and balances are in won; of cards in other currencies nothing is
/// known.
pub(super) fn is_settled(payment: &Payment) -> bool {
    payment.currency() == Currency::Krw
}

impl Engine {
    /// One page of settlements; a sale is listed from the next day on.
    ///
    /// # Errors
    /// `INVALID_DATE`; `INVALID_REQUEST` for a bad page, size or `dateType`;
    /// `EXCEED_MAX_QUERY_LIMIT`.
    pub(super) fn settlements(
        &self,
        now: DateTime<Utc>,
        query: &str,
        language: Language,
    ) -> Result<String, ApiError> {
        let query = Query::new(query);
        let (start, end) = (query.date("startDate")?, query.date("endDate")?);
        if end < start {
            return Err(ApiError::new("INVALID_DATE"));
        }
        let size = query.limit("size", 100, 5_000)?;
        let page: usize = query.number("page", 1)?;
        let by_payout = match query.get("dateType").as_deref() {
            None | Some("soldDate") => false,
            Some("paidOutDate") => true,
            Some(_) => return Err(ApiError::new("INVALID_REQUEST")),
        };
        let skip = page
            .checked_sub(1)
            .and_then(|before| before.checked_mul(size))
            .ok_or_else(|| ApiError::new("INVALID_REQUEST"))?;
        let today = korean_day(now);
        let rows: Vec<_> = self
            .bank
            .movements
            .rows()
            .iter()
            .filter(|movement| {
                let sold = korean_day(movement.at());
                let date = if by_payout { paid_out(sold) } else { sold };
                let payment = self.bank.payments.get(movement.payment());
                sold < today && (start..=end).contains(&date) && payment.is_some_and(is_settled)
            })
            .skip(skip)
            .take(size)
            .filter_map(|movement| {
                let payment = self.bank.payments.get(movement.payment())?;
                self.settlement(now, payment, movement, language)
            })
            .collect();
        Ok(super::json(&rows))
    }

    fn settlement<'a>(
        &'a self,
        now: DateTime<Utc>,
        payment: &'a Payment,
        movement: &Movement,
        language: Language,
    ) -> Option<SettlementView<'a>> {
        let (transaction_key, _, amount) = movement.describe(payment)?;
        let sign = if movement.is_out() { -1 } else { 1 };
        let (fee, vat) = fee(amount);
        let sold_date = korean_day(movement.at());
        Some(SettlementView {
            m_id: &self.merchant_id,
            payment_key: &payment.key,
            transaction_key,
            order_id: &payment.order_id,
            currency: "KRW",
            method: payment.method.name(language),
            amount: sign * i64::try_from(amount).unwrap_or(i64::MAX),
            interest_fee: 0,
            fee: sign * (fee + vat),
            fees: [FeeView {
                r#type: "BASE",
                fee: sign * (fee + vat),
            }],
            supply_amount: sign * fee,
            vat: sign * vat,
            pay_out_amount: net(amount, movement.is_out()),
            approved_at: korean_time(payment.approved_at.unwrap_or(movement.at())),
            sold_date,
            paid_out_date: paid_out(sold_date),
            paid_with: payment.method_objects(now, &self.base_url),
            cancel: movement
                .cancel_of(payment)
                .map(|cancel| CancelView::of(payment, cancel)),
        })
    }

    /// Asks for the settlement of one payment, which needs a contract of its own at Toss.
    ///
    /// # Errors
    /// `NOT_FOUND_PAYMENT`; `FORBIDDEN_REQUEST` for a payment without money, or not in won.
    pub(super) fn request_settlement(
        &mut self,
        now: DateTime<Utc>,
        body: &[u8],
    ) -> Result<String, ApiError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Body {
            payment_key: String,
        }
        let body: Body = parse(body)?;
        let payment = self
            .bank
            .find(now, &body.payment_key)
            .ok_or_else(|| ApiError::new("NOT_FOUND_PAYMENT"))?;
        if payment.approved_at.is_none() || payment.balance == 0 || !is_settled(payment) {
            return Err(ApiError::new("FORBIDDEN_REQUEST"));
        }
        Ok("{\"result\":true}".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sale_before_a_weekend_is_paid_out_after_it() {
        let date = |day| NaiveDate::from_ymd_opt(2026, 1, day).unwrap();
        assert_eq!(paid_out(date(1)), date(5));
        assert_eq!(paid_out(date(5)), date(7));
    }

    #[test]
    fn the_fee_and_its_tax_are_rounded_half_up() {
        assert_eq!(fee(1_000), (30, 3));
        assert_eq!(fee(50), (2, 0));
        assert_eq!((net(1_000, false), net(1_000, true)), (967, -967));
    }
}
