//! `GET /v1/transactions`: every approval and cancel, in the order in which they were booked.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use serde::Serialize;

use super::{
    bank::Bank,
    currency::Amount,
    errors::ApiError,
    payment::{Cancel, Payment, Status, korean_time},
    view::Writing,
};

/// Rows of a page unless told otherwise, and the fewest that may be asked for (Toss, `limit`).
pub const TRANSACTIONS_MIN: usize = 100;

/// Most rows of a page (Toss, `limit`).
pub const TRANSACTIONS_MAX: usize = 5_000;

/// Money that moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Movement {
    at: DateTime<Utc>,
    payment: usize,
    part: Part,
}

/// What of a payment moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Part {
    /// Its approval, after so many deposits that were taken back.
    Approval(usize),
    /// Which of its deposits was taken back.
    Reversal(usize),
    /// Which of its cancels.
    Cancel(usize),
}

impl Movement {
    pub(super) fn approval(at: DateTime<Utc>, payment: usize, nth: usize) -> Self {
        Self {
            at,
            payment,
            part: Part::Approval(nth),
        }
    }

    pub(super) fn reversal(at: DateTime<Utc>, payment: usize, nth: usize) -> Self {
        Self {
            at,
            payment,
            part: Part::Reversal(nth),
        }
    }

    pub(super) fn cancel(at: DateTime<Utc>, payment: usize, cancel: usize) -> Self {
        Self {
            at,
            payment,
            part: Part::Cancel(cancel),
        }
    }

    pub(super) fn payment(&self) -> usize {
        self.payment
    }

    /// What it added to the payment's money, in smallest units; none if there is no such cancel.
    pub(super) fn signed_amount(&self, payment: &Payment) -> Option<i128> {
        match self.part {
            Part::Approval(_) => Some(i128::from(payment.amount)),
            Part::Reversal(_) => Some(-i128::from(payment.amount)),
            Part::Cancel(index) => Some(-i128::from(payment.cancels.get(index)?.amount)),
        }
    }

    /// When it moved.
    pub(super) fn at(&self) -> DateTime<Utc> {
        self.at
    }

    /// Its key, the status that it would leave by itself, and its amount in
    /// smallest units.
    pub(super) fn describe<'a>(&self, payment: &'a Payment) -> Option<(&'a str, Status, u64)> {
        Some(match self.part {
            Part::Approval(nth) => {
                let key = match payment.reversals.get(nth) {
                    Some(reversal) => &reversal.approval_key,
                    None => payment.approval_key.as_ref()?,
                };
                (key.as_str(), Status::Done, payment.amount)
            }
            Part::Reversal(nth) => {
                let key = &payment.reversals.get(nth)?.transaction_key;
                (key.as_str(), Status::WaitingForDeposit, payment.amount)
            }
            Part::Cancel(index) => {
                let cancel = payment.cancels.get(index)?;
                let status = if cancel.amount == payment.amount {
                    Status::Canceled
                } else {
                    Status::PartialCanceled
                };
                (cancel.transaction_key.as_str(), status, cancel.amount)
            }
        })
    }

    /// Whether money was given back or taken back.
    pub(super) fn is_out(&self) -> bool {
        !matches!(self.part, Part::Approval(_))
    }

    /// Which cancel it is, if it is one.
    pub(super) fn cancel_of<'a>(&self, payment: &'a Payment) -> Option<&'a Cancel> {
        match self.part {
            Part::Cancel(index) => payment.cancels.get(index),
            Part::Approval(_) | Part::Reversal(_) => None,
        }
    }
}

/// All movements, oldest first, and where each transaction key stands.
#[derive(Debug, Default)]
pub(super) struct Movements {
    rows: Vec<Movement>,
    by_key: HashMap<String, usize>,
}

impl Movements {
    pub(super) fn push(&mut self, key: String, movement: Movement) {
        self.by_key.insert(key, self.rows.len());
        self.rows.push(movement);
    }

    pub(super) fn rows(&self) -> &[Movement] {
        &self.rows
    }

    /// How many transaction keys there are: as many as movements, unless one occurs twice.
    pub(super) fn key_count(&self) -> usize {
        self.by_key.len()
    }
}

/// What the query string asks for.
#[derive(Debug)]
pub(super) struct TransactionQuery {
    start: DateTime<Utc>,
    end: DateTime<Utc>,
    starting_after: Option<String>,
    limit: usize,
}

impl TransactionQuery {
    /// Reads a query string. Dates are Korean time without an offset, both bounds included.
    ///
    /// # Errors
    /// `INVALID_DATE` for a date that is missing, malformed, has an offset, or lies before its
    /// start; `EXCEED_MAX_QUERY_LIMIT` above [`TRANSACTIONS_MAX`]; `INVALID_REQUEST` for a limit
    /// below [`TRANSACTIONS_MIN`] or no number.
    pub(super) fn parse(query: &str) -> Result<Self, ApiError> {
        let (mut start, mut end, mut starting_after) = (None, None, None);
        let mut limit = TRANSACTIONS_MIN;
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = percent_encoding::percent_decode_str(value).decode_utf8_lossy();
            match name {
                "startDate" => start = korean_date(&value),
                "endDate" => end = korean_date(&value),
                "startingAfter" => starting_after = Some(value.into_owned()),
                "limit" => {
                    limit = value
                        .parse()
                        .ok()
                        .filter(|rows| *rows >= TRANSACTIONS_MIN)
                        .ok_or_else(|| ApiError::new("INVALID_REQUEST"))?;
                }
                // Toss leaves unknown parameters unread, as far as is known.
                _ => {}
            }
        }
        let (Some(start), Some(end)) = (start, end) else {
            return Err(ApiError::new("INVALID_DATE"));
        };
        if end < start {
            return Err(ApiError::new("INVALID_DATE"));
        }
        if limit > TRANSACTIONS_MAX {
            return Err(ApiError::new("EXCEED_MAX_QUERY_LIMIT"));
        }
        Ok(Self {
            start,
            end,
            starting_after,
            limit,
        })
    }
}

/// `yyyy-MM-dd'T'HH:mm:ss` in Korean time, with or without a fraction of a second.
fn korean_date(text: &str) -> Option<DateTime<Utc>> {
    let local = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").ok()?;
    local
        .checked_sub_signed(TimeDelta::hours(9))
        .map(|utc| utc.and_utc())
}

/// The Transaction object; the fields are Toss's.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TransactionView<'a> {
    m_id: &'a str,
    transaction_key: &'a str,
    payment_key: &'a str,
    order_id: &'a str,
    method: &'static str,
    customer_key: &'a str,
    use_escrow: bool,
    receipt_url: String,
    status: Status,
    transaction_at: String,
    currency: &'static str,
    amount: Amount,
}

impl Bank {
    /// One page of transactions; with `negative`, what was given back is.
    ///
    /// # Errors
    /// `INVALID_TRANSACTION_KEY` if there is none to start after.
    pub(super) fn transactions<'a>(
        &'a self,
        query: &TransactionQuery,
        writing: Writing<'a>,
        negative: bool,
    ) -> Result<Vec<TransactionView<'a>>, ApiError> {
        let first = match &query.starting_after {
            None => 0,
            Some(key) => {
                let position = self.movements.by_key.get(key);
                position.ok_or_else(|| ApiError::new("INVALID_TRANSACTION_KEY"))? + 1
            }
        };
        let rows = self.movements.rows.get(first..).unwrap_or_default();
        Ok(rows
            .iter()
            .filter(|row| (query.start..=query.end).contains(&row.at))
            .filter_map(|row| self.transaction(row, writing, negative))
            .take(query.limit)
            .collect())
    }

    fn transaction<'a>(
        &'a self,
        movement: &Movement,
        writing: Writing<'a>,
        negative: bool,
    ) -> Option<TransactionView<'a>> {
        let payment = self.payments.get(movement.payment)?;
        let (transaction_key, status, amount) = movement.describe(payment)?;
        let amount = payment.money(amount);
        let negative = movement.is_out() && negative;
        Some(TransactionView {
            m_id: writing.merchant_id,
            transaction_key,
            payment_key: &payment.key,
            order_id: &payment.order_id,
            method: payment.method.name(writing.language),
            customer_key: payment
                .terms()
                .customer_key
                .as_deref()
                .unwrap_or("@@ANONYMOUS"),
            use_escrow: payment.terms().escrow,
            receipt_url: format!("{}/sandbox/receipts/{}", writing.base_url, payment.key),
            status,
            transaction_at: korean_time(movement.at),
            currency: payment.currency().name(),
            amount: if negative { amount.negative() } else { amount },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(query: &str) -> String {
        TransactionQuery::parse(query).unwrap_err().code
    }

    #[test]
    fn dates_are_korean_time_without_an_offset() {
        let query = TransactionQuery::parse(
            "startDate=2026-01-01T09%3A00%3A00&endDate=2026-01-01T09:00:01.5&limit=5000",
        )
        .unwrap();
        assert_eq!(query.start.to_rfc3339(), "2026-01-01T00:00:00+00:00");
        assert_eq!((query.end - query.start).num_milliseconds(), 1_500);
        assert_eq!(query.limit, 5_000);
        for bad in [
            "",
            "startDate=2026-01-01T00:00:00",
            "startDate=2026-01-01T00:00:00Z&endDate=2026-01-02T00:00:00Z",
            "startDate=2026-01-02T00:00:00&endDate=2026-01-01T00:00:00",
            "startDate=2026-01-01&endDate=2026-01-02",
        ] {
            assert_eq!(refusal(bad), "INVALID_DATE", "{bad}");
        }
    }

    #[test]
    fn a_page_has_a_hundred_to_five_thousand_rows() {
        let dates = "startDate=2026-01-01T00:00:00&endDate=2026-01-02T00:00:00";
        assert_eq!(TransactionQuery::parse(dates).unwrap().limit, 100);
        assert_eq!(
            refusal(&format!("{dates}&limit=5001")),
            "EXCEED_MAX_QUERY_LIMIT"
        );
        for limit in ["99", "-1", "x", ""] {
            assert_eq!(
                refusal(&format!("{dates}&limit={limit}")),
                "INVALID_REQUEST"
            );
        }
    }
}
