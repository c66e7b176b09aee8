//! Questions about many rows: transactions, settlements, cash receipts.

use std::fmt::Display;

use chrono::{NaiveDate, NaiveDateTime};
use rust_decimal::Decimal;

use super::escape;
use crate::body::Body;

/// A path and its query, escaped.
pub(crate) struct Query {
    text: String,
    separator: char,
}

impl Query {
    pub(crate) fn new(path: &str) -> Self {
        Self {
            text: path.to_owned(),
            separator: '?',
        }
    }

    pub(crate) fn with(mut self, name: &str, value: impl Display) -> Self {
        self.text.push(self.separator);
        self.text.push_str(name);
        self.text.push('=');
        self.text.push_str(&escape(&value.to_string()));
        self.separator = '&';
        self
    }

    pub(crate) fn with_some(self, name: &str, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    pub(crate) fn text(self) -> String {
        self.text
    }
}

/// Asks for one page of transactions, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransactionQuery {
    start: NaiveDateTime,
    end: NaiveDateTime,
    starting_after: Option<String>,
    limit: Option<u16>,
}

impl TransactionQuery {
    /// From `start` to `end`, both **Korean wall-clock time**: Toss refuses an offset here
    /// (`INVALID_DATE`). Transactions appear with a delay.
    pub fn new(start: NaiveDateTime, end: NaiveDateTime) -> Self {
        Self {
            start,
            end,
            starting_after: None,
            limit: None,
        }
    }

    /// Continues after the `transactionKey` of the previous page's last row.
    #[must_use]
    pub fn starting_after(mut self, transaction_key: impl Into<String>) -> Self {
        self.starting_after = Some(transaction_key.into());
        self
    }

    /// Rows a page, 100 (Toss's default) to 5,000; more than about 1,000 may not fit into
    /// [`ANSWER_BYTES_MAX`](crate::ANSWER_BYTES_MAX).
    #[must_use]
    pub fn limit(mut self, rows: u16) -> Self {
        self.limit = Some(rows);
        self
    }

    pub(crate) fn cursor(&self) -> Option<&str> {
        self.starting_after.as_deref()
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        if self.end < self.start {
            return Err("endDate lies before startDate".to_owned());
        }
        match self.limit {
            Some(rows) if !(100..=5_000).contains(&rows) => {
                Err("limit must be 100 to 5000".to_owned())
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn path(&self) -> String {
        let text = |at: NaiveDateTime| at.format("%Y-%m-%dT%H:%M:%S").to_string();
        Query::new("/v1/transactions")
            .with("startDate", text(self.start))
            .with("endDate", text(self.end))
            .with_some("startingAfter", self.starting_after.as_ref())
            .with_some("limit", self.limit)
            .text()
    }
}

/// Which day a settlement is looked up by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SettlementDate {
    /// The day of the sale.
    Sold,
    /// The day of the payout.
    PaidOut,
}

/// Asks for one page of settlements. Live keys only; rows appear the next day (documented).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettlementQuery {
    start: NaiveDate,
    end: NaiveDate,
    date: Option<SettlementDate>,
    page: Option<u32>,
    size: Option<u16>,
}

impl SettlementQuery {
    /// From `start` to `end`, both Korean days and included.
    pub fn new(start: NaiveDate, end: NaiveDate) -> Self {
        Self {
            start,
            end,
            date: None,
            page: None,
            size: None,
        }
    }

    /// Which day counts; Toss's default is the day of the sale.
    #[must_use]
    pub fn by(mut self, date: SettlementDate) -> Self {
        self.date = Some(date);
        self
    }

    /// The page, counted from 1.
    #[must_use]
    pub fn page(mut self, page: u32) -> Self {
        self.page = Some(page);
        self
    }

    /// Rows a page, 100 (Toss's default) to 5,000; what does not fit into
    /// [`ANSWER_BYTES_MAX`](crate::ANSWER_BYTES_MAX) cannot be read.
    #[must_use]
    pub fn size(mut self, rows: u16) -> Self {
        self.size = Some(rows);
        self
    }

    pub(crate) fn number(&self) -> u32 {
        self.page.unwrap_or(1)
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        if self.end < self.start {
            return Err("endDate lies before startDate".to_owned());
        }
        if self.page == Some(0) {
            return Err("page is counted from 1".to_owned());
        }
        match self.size {
            Some(rows) if !(100..=5_000).contains(&rows) => {
                Err("size must be 100 to 5000".to_owned())
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn path(&self) -> String {
        let date = self.date.map(|date| match date {
            SettlementDate::Sold => "soldDate",
            SettlementDate::PaidOut => "paidOutDate",
        });
        Query::new("/v1/settlements")
            .with("startDate", self.start)
            .with("endDate", self.end)
            .with_some("dateType", date)
            .with_some("page", self.page)
            .with_some("size", self.size)
            .text()
    }
}

/// Asks for one page of the cash receipts that were requested on a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CashReceiptQuery {
    day: NaiveDate,
    cursor: Option<u64>,
    limit: Option<u16>,
}

impl CashReceiptQuery {
    /// Those requested on this Korean day.
    pub fn new(day: NaiveDate) -> Self {
        Self {
            day,
            cursor: None,
            limit: None,
        }
    }

    /// Continues after the previous page's `lastCursor`.
    #[must_use]
    pub fn cursor(mut self, cursor: u64) -> Self {
        self.cursor = Some(cursor);
        self
    }

    /// Rows a page, 100 (Toss's default) to 10,000.
    #[must_use]
    pub fn limit(mut self, rows: u16) -> Self {
        self.limit = Some(rows);
        self
    }

    pub(crate) fn place(&self) -> Option<u64> {
        self.cursor
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        match self.limit {
            Some(rows) if !(100..=10_000).contains(&rows) => {
                Err("limit must be 100 to 10000".to_owned())
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn path(&self) -> String {
        Query::new("/v1/cash-receipts")
            .with("requestDate", self.day)
            .with_some("cursor", self.cursor)
            .with_some("limit", self.limit)
            .text()
    }
}

/// What a cash receipt is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CashReceiptType {
    /// 소득공제: a person's income deduction.
    IncomeDeduction,
    /// 지출증빙: a business's proof of expense.
    ProofOfExpense,
}

impl CashReceiptType {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::IncomeDeduction => "소득공제",
            Self::ProofOfExpense => "지출증빙",
        }
    }
}

/// Asks for a cash receipt of a sale that Toss did not process. Toss does not notice that an
/// order has one already (measured by others): the idempotency key is the only guard.
#[derive(Debug, Clone, PartialEq)]
pub struct CashReceiptRequest(pub(crate) Body);

impl CashReceiptRequest {
    /// What an anonymous buyer's receipt is issued to (documented).
    pub const ANONYMOUS: &str = "010-000-1234";

    /// `amount` in won; `identity` is a phone, card or business number of at most 30 characters.
    pub fn new(
        kind: CashReceiptType,
        amount: Decimal,
        order_id: impl Into<String>,
        order_name: impl Into<String>,
        identity: impl Into<String>,
    ) -> Self {
        Self(
            Body::default()
                .set("type", kind.as_str())
                .amount("amount", amount)
                .text("orderId", order_id, 64)
                .text("orderName", order_name, 100)
                .text("customerIdentityNumber", identity, 30),
        )
    }

    /// The tax-free part of the amount.
    #[must_use]
    pub fn tax_free_amount(self, amount: Decimal) -> Self {
        Self(self.0.part("taxFreeAmount", amount))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 1, day).unwrap()
    }

    #[test]
    fn questions_are_written_as_escaped_queries() {
        let settlements = SettlementQuery::new(day(1), day(2))
            .by(SettlementDate::PaidOut)
            .page(3)
            .size(500);
        assert_eq!(
            settlements.path(),
            "/v1/settlements?startDate=2026-01-01&endDate=2026-01-02&dateType=paidOutDate\
             &page=3&size=500"
        );
        let receipts = CashReceiptQuery::new(day(1)).cursor(7).limit(100);
        assert_eq!(
            receipts.path(),
            "/v1/cash-receipts?requestDate=2026-01-01&cursor=7&limit=100"
        );
        assert_eq!(Query::new("/x").with("a", "b&c=d").text(), "/x?a=b%26c%3Dd");
    }

    #[test]
    fn questions_beyond_the_documented_limits_are_refused() {
        let settlements = SettlementQuery::new(day(1), day(2));
        assert_eq!(settlements.check(), Ok(()));
        for query in [
            SettlementQuery::new(day(2), day(1)),
            settlements.clone().page(0),
            settlements.clone().size(99),
            settlements.clone().size(5_001),
        ] {
            assert!(query.check().is_err(), "{query:?}");
        }
        let receipts = CashReceiptQuery::new(day(1));
        assert_eq!(receipts.check(), Ok(()));
        assert!(receipts.clone().limit(99).check().is_err());
        assert!(receipts.limit(10_001).check().is_err());
    }
}
