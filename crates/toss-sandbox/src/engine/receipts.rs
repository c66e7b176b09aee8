//! Cash receipts: issued, cancelled, listed. The tax office decides later, so a receipt's status
//! follows from the time that has passed.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{
    Engine, Language,
    change::{Change, Inconsistent},
    errors::ApiError,
    payment::korean_time,
    query::Query,
    request::{Won, is_order_id, parse},
};

/// How long the tax office takes. Not documented; long enough to be seen `IN_PROGRESS`.
pub const RECEIPT_DELAY: TimeDelta = TimeDelta::seconds(10);

/// A cash receipt, or the cancel of one, as the bank keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CashReceipt {
    /// Toss's key.
    pub receipt_key: String,
    /// The key of the receipt that this one cancels.
    pub cancels: Option<String>,
    /// When it was asked for.
    pub at: DateTime<Utc>,
    /// Won.
    pub amount: u64,
    /// The tax-free part of it, in won.
    pub tax_free: u64,
    /// The merchant's order id.
    pub order_id: String,
    /// What was bought.
    pub order_name: String,
    /// `소득공제` or `지출증빙`. Not `type`: that names the change in the journal.
    pub kind: String,
    /// The buyer's number.
    pub identity: String,
    /// Nine digits.
    pub number: String,
}

/// All cash receipts, oldest first; grows with them.
#[derive(Debug, Default)]
pub(super) struct ReceiptBook {
    rows: Vec<CashReceipt>,
    by_key: HashMap<String, usize>,
    /// Won cancelled, by the key of the receipt.
    canceled: HashMap<String, u64>,
}

impl ReceiptBook {
    /// Applies a change of receipts; hands any other back.
    pub(super) fn apply(&mut self, change: Change) -> Result<Option<Change>, Inconsistent> {
        match change {
            Change::ReceiptIssued(receipt) => {
                if self.by_key.contains_key(&receipt.receipt_key) {
                    return Err(Inconsistent::new("receipt", &receipt.receipt_key));
                }
                if let Some(first) = &receipt.cancels {
                    let issued = self.by_key.get(first).map(|index| self.rows[*index].amount);
                    let canceled = self.canceled.entry(first.clone()).or_default();
                    if issued.is_none_or(|issued| *canceled + receipt.amount > issued) {
                        return Err(Inconsistent::new("cancel of receipt", first));
                    }
                    *canceled += receipt.amount;
                }
                self.by_key
                    .insert(receipt.receipt_key.clone(), self.rows.len());
                self.rows.push(*receipt);
                Ok(None)
            }
            other => Ok(Some(other)),
        }
    }

    pub(super) fn rows(&self) -> &[CashReceipt] {
        &self.rows
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct IssueBody {
    amount: Won,
    order_id: String,
    order_name: String,
    r#type: String,
    customer_identity_number: String,
    tax_free_amount: Option<Won>,
}

#[derive(Debug, Default, Deserialize)]
struct CancelBody {
    amount: Option<Won>,
}

/// The `CashReceipt` object; the fields are Toss's.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ReceiptView<'a> {
    receipt_key: &'a str,
    order_id: &'a str,
    order_name: &'a str,
    r#type: &'a str,
    issue_number: &'a str,
    approval_number: &'a str,
    receipt_url: String,
    business_number: &'static str,
    transaction_type: &'static str,
    amount: u64,
    tax_free_amount: u64,
    issue_status: &'static str,
    failure: Option<FailureView>,
    customer_identity_number: String,
    requested_at: String,
}

#[derive(Debug, Serialize)]
struct FailureView {
    code: &'static str,
    message: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct PageView<'a> {
    has_next: bool,
    last_cursor: usize,
    data: Vec<ReceiptView<'a>>,
}

impl CashReceipt {
    /// The tax office takes phone numbers (10 or 11 digits), business numbers (10), resident
    /// numbers (13) and card numbers (18 or 19); anything else fails there, later.
    fn is_well_formed(&self) -> bool {
        let digits = self.identity.bytes().filter(u8::is_ascii_digit).count();
        matches!(digits, 10 | 11 | 13 | 18 | 19)
    }

    fn view(&self, now: DateTime<Utc>, language: Language, base_url: &str) -> ReceiptView<'_> {
        let decided = now >= self.at + RECEIPT_DELAY;
        let failed = decided && !self.is_well_formed();
        ReceiptView {
            receipt_key: &self.receipt_key,
            order_id: &self.order_id,
            order_name: &self.order_name,
            r#type: &self.kind,
            issue_number: &self.number,
            approval_number: &self.number,
            receipt_url: format!("{base_url}/sandbox/receipts/{}", self.receipt_key),
            business_number: "1234567890",
            transaction_type: if self.cancels.is_some() {
                "CANCEL"
            } else {
                "CONFIRM"
            },
            amount: self.amount,
            tax_free_amount: self.tax_free,
            issue_status: match (decided, failed) {
                (false, _) => "IN_PROGRESS",
                (true, false) => "COMPLETED",
                (true, true) => "FAILED",
            },
            failure: failed.then_some(FailureView {
                code: "NTS_ERROR",
                message: match language {
                    Language::Korean => "[TS1] 신분확인정보 자릿수 오류",
                    Language::English => "[TS1] wrong number of digits in the identity number",
                },
            }),
            customer_identity_number: masked(&self.identity),
            requested_at: korean_time(self.at),
        }
    }
}

/// All but the first three digits and the last are hidden.
fn masked(identity: &str) -> String {
    let length = identity.chars().count();
    let hide = |(index, character): (usize, char)| {
        if (3..length.saturating_sub(1)).contains(&index) {
            '*'
        } else {
            character
        }
    };
    identity.chars().enumerate().map(hide).collect()
}

impl Engine {
    /// # Errors
    /// `INVALID_ORDER_ID`, `INVALID_REQUEST`. One order may have several receipts, as was seen.
    pub(super) fn issue_receipt(
        &mut self,
        now: DateTime<Utc>,
        body: &[u8],
        language: Language,
    ) -> Result<String, ApiError> {
        let body: IssueBody = parse(body)?;
        if !is_order_id(&body.order_id) {
            return Err(ApiError::new("INVALID_ORDER_ID"));
        }
        let tax_free = body.tax_free_amount.map_or(0, |won| won.0);
        let number = &body.customer_identity_number;
        let well_formed = matches!(body.r#type.as_str(), "소득공제" | "지출증빙")
            && body.amount.0 > 0
            && tax_free <= body.amount.0
            && (1..=100).contains(&body.order_name.chars().count())
            && (1..=30).contains(&number.len())
            && number
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b'-');
        if !well_formed {
            return Err(ApiError::new("INVALID_REQUEST"));
        }
        let receipt = CashReceipt {
            receipt_key: self.random.key("", 40),
            cancels: None,
            at: now,
            amount: body.amount.0,
            tax_free,
            order_id: body.order_id,
            order_name: body.order_name,
            kind: body.r#type,
            identity: body.customer_identity_number,
            number: self.random.digits(9),
        };
        Ok(self.book_receipt(now, receipt, language))
    }

    /// # Errors
    /// `NOT_FOUND_RECEIPT`; `INVALID_REQUEST` for an amount above what is left.
    pub(super) fn cancel_receipt(
        &mut self,
        now: DateTime<Utc>,
        key: &str,
        body: &[u8],
        language: Language,
    ) -> Result<String, ApiError> {
        let body: CancelBody = if body.is_empty() {
            CancelBody::default()
        } else {
            parse(body)?
        };
        let book = &self.receipts;
        let first = book
            .by_key
            .get(key)
            .and_then(|index| book.rows.get(*index))
            .filter(|receipt| receipt.cancels.is_none())
            .ok_or_else(|| ApiError::new("NOT_FOUND_RECEIPT"))?;
        let left = first.amount - book.canceled.get(key).copied().unwrap_or(0);
        let amount = body.amount.map_or(left, |won| won.0);
        if amount == 0 || amount > left {
            return Err(ApiError::new("INVALID_REQUEST"));
        }
        // The key gains a prefix; a second partial cancel needs a key of its own all the same.
        let mut receipt_key = format!("c_{key}");
        if book.by_key.contains_key(&receipt_key) {
            receipt_key = format!("c_{}", self.random.key("", 40));
        }
        let receipt = CashReceipt {
            receipt_key,
            cancels: Some(key.to_owned()),
            at: now,
            amount,
            tax_free: first.tax_free.min(amount),
            number: self.random.digits(9),
            ..first.clone()
        };
        Ok(self.book_receipt(now, receipt, language))
    }

    fn book_receipt(
        &mut self,
        now: DateTime<Utc>,
        receipt: CashReceipt,
        language: Language,
    ) -> String {
        let view = super::json(&receipt.view(now, language, &self.base_url));
        self.make(Change::ReceiptIssued(Box::new(receipt)));
        view
    }

    /// One page of the receipts of a day.
    ///
    /// # Errors
    /// `INVALID_DATE`; `INVALID_REQUEST` for a bad cursor or limit; `EXCEED_MAX_QUERY_LIMIT`.
    pub(super) fn receipts(
        &self,
        now: DateTime<Utc>,
        query: &str,
        language: Language,
    ) -> Result<String, ApiError> {
        let query = Query::new(query);
        let date = query.date("requestDate")?;
        let cursor: usize = query.number("cursor", 0)?;
        let limit = query.limit("limit", 100, 10_000)?;
        let mut found = self
            .receipts
            .rows
            .iter()
            .enumerate()
            .skip(cursor)
            .filter(|(_, receipt)| korean_day(receipt.at) == date);
        let rows: Vec<_> = found.by_ref().take(limit).collect();
        let page = PageView {
            has_next: found.next().is_some(),
            last_cursor: rows.last().map_or(cursor, |(index, _)| index + 1),
            data: rows
                .into_iter()
                .map(|(_, receipt)| receipt.view(now, language, &self.base_url))
                .collect(),
        };
        Ok(super::json(&page))
    }
}

/// The day in Korea.
pub(super) fn korean_day(time: DateTime<Utc>) -> NaiveDate {
    (time + TimeDelta::hours(9)).date_naive()
}
