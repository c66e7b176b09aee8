//! The table of Toss's error codes and what each asks for.

use std::{collections::HashMap, sync::LazyLock};

use crate::Endpoint;

/// What an error asks the caller to do. Closed on purpose: `match` on it without `_`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// Send the same request with the same idempotency key again: it is still running, or no
    /// answer came.
    RetrySameKey,
    /// Wait (seconds for a rate limit, up to hours for a closed bank), ask for the payment, then
    /// try with a **new** key: Toss replays a decoded error for the old one.
    RetryWait,
    /// An earlier attempt finished. Ask for the payment and compare order, amount and status;
    /// this is a success only if they agree.
    DoneEquivalent,
    /// It may or may not have happened: ask for the payment before anything else.
    QueryFirst,
    /// Our credentials, contract or request are wrong. Not executed; alert an operator.
    Config,
    /// Not executed, and no repetition will change that.
    Terminal,
    /// Not executed; the buyer can mend it with another card, account or limit.
    UserFixable,
}

impl ErrorRow {
    /// Whether the code is documented for this call. The lists have gaps: `false` does not mean
    /// that it cannot come.
    pub fn is_listed_for(&self, endpoint: Endpoint) -> bool {
        let words = self.endpoints.split([',', ' ', '(', ')']);
        words.into_iter().any(|word| names(word, endpoint))
    }
}

/// What the short words of the column `endpoints` stand for.
fn names(word: &str, endpoint: Endpoint) -> bool {
    use Endpoint::{
        ApproveBilling, CancelCashReceipt, CancelPayment, ConfirmPayment, GetPayment,
        GetPaymentByOrder, IssueBillingKey, IssueBillingKeyByCard, IssueCashReceipt,
        IssueVirtualAccount, KeyInPayment, ListCashReceipts, ListSettlements, ListTransactions,
        RequestSettlement,
    };
    let calls: &[Endpoint] = match word {
        "all" | "any" => return true,
        "confirm" => &[ConfirmPayment],
        "get" => &[GetPayment, GetPaymentByOrder],
        "cancel" => &[CancelPayment],
        "keyin" => &[KeyInPayment],
        "va" => &[IssueVirtualAccount],
        "billing_issue" => &[IssueBillingKey, IssueBillingKeyByCard],
        "billing" => &[ApproveBilling],
        "tx" => &[ListTransactions],
        "settle" => &[ListSettlements, RequestSettlement],
        "cash" | "cash-receipts" => &[IssueCashReceipt, CancelCashReceipt, ListCashReceipts],
        _ => &[],
    };
    calls.contains(&endpoint)
}

impl ErrorClass {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "retry_same_key" => Self::RetrySameKey,
            "retry_wait" => Self::RetryWait,
            "done_equivalent" => Self::DoneEquivalent,
            "query_first" => Self::QueryFirst,
            "config" => Self::Config,
            "terminal" => Self::Terminal,
            "user_fixable" => Self::UserFixable,
            _ => return None,
        })
    }
}

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ErrorRow {
    /// Toss's code; a text in parentheses stands for an outcome that has none.
    pub code: &'static str,
    /// The HTTP status it was documented or measured with.
    pub status: Option<u16>,
    /// The calls it is listed for, in short words; informative, since the lists have gaps.
    pub endpoints: &'static str,
    /// What it asks for.
    pub class: ErrorClass,
    /// The Korean message, where known.
    pub message_ko: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// Caveats and evidence.
    pub note: &'static str,
}

/// The rows, and how many lines of the file were no row (a test holds that at none).
static TABLE: LazyLock<(Vec<ErrorRow>, usize)> = LazyLock::new(|| {
    let mut malformed = 0;
    let mut rows = Vec::new();
    for line in include_str!("../data/errors.tsv").lines().skip(1) {
        match parse_row(line) {
            Some(row) => rows.push(row),
            None => malformed += 1,
        }
    }
    (rows, malformed)
});

static ROW_BY_CODE: LazyLock<HashMap<&'static str, &'static ErrorRow>> = LazyLock::new(|| {
    let coded = error_table()
        .iter()
        .filter(|row| !row.code.starts_with('('));
    coded.map(|row| (row.code, row)).collect()
});

fn parse_row(line: &'static str) -> Option<ErrorRow> {
    let mut columns = line.split('\t');
    let row = ErrorRow {
        code: columns.next().filter(|code| !code.is_empty())?,
        status: match columns.next()? {
            "-" => None,
            status => Some(status.parse().ok()?),
        },
        endpoints: columns.next()?,
        class: ErrorClass::parse(columns.next()?)?,
        message_ko: columns.next()?,
        meaning: columns.next()?,
        note: columns.next()?,
    };
    columns.next().is_none().then_some(row)
}

/// The whole table: Toss's documentation of 2024 to 2026, completed by measurements that others
/// published; `data/errors.tsv` of this crate.
pub fn error_table() -> &'static [ErrorRow] {
    &TABLE.0
}

/// The row of a code, if it is known.
pub fn error_row(code: &str) -> Option<&'static ErrorRow> {
    ROW_BY_CODE.get(code).copied()
}

/// What an explained error asks for. Decided by code and call, not by HTTP status, for Toss's
/// statuses do not say whether money moved.
///
/// - HTTP 429 is [`RetryWait`](ErrorClass::RetryWait) under any code.
/// - `FAILED_INTERNAL_SYSTEM_PROCESSING` on a **cancel** whose message carries `[ES12]` is an
///   escrow payment that waits for the buyer's decision: [`Terminal`](ErrorClass::Terminal).
///   At other calls the code stays [`QueryFirst`](ErrorClass::QueryFirst).
/// - A code that is not in the [`error_table`] is [`QueryFirst`](ErrorClass::QueryFirst): Toss
///   adds codes without notice.
pub fn classify(endpoint: Endpoint, status: u16, code: &str, message: &str) -> ErrorClass {
    if status == 429 {
        return ErrorClass::RetryWait;
    }
    if endpoint == Endpoint::CancelPayment
        && code == "FAILED_INTERNAL_SYSTEM_PROCESSING"
        && message.contains("[ES12]")
    {
        return ErrorClass::Terminal;
    }
    error_row(code).map_or(ErrorClass::QueryFirst, |row| row.class)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_line_of_the_file_is_a_row_and_no_code_appears_twice() {
        let lines = include_str!("../data/errors.tsv").lines().count();
        assert_eq!((error_table().len(), TABLE.1), (lines - 1, 0));
        let codes: HashSet<_> = error_table().iter().map(|row| row.code).collect();
        assert_eq!(codes.len(), error_table().len());
    }

    #[test]
    fn every_row_is_classified_as_it_says_at_every_call() {
        for row in error_table()
            .iter()
            .filter(|row| !row.code.starts_with('('))
        {
            for endpoint in Endpoint::ALL {
                let status = row.status.unwrap_or(400);
                let class = classify(endpoint, status, row.code, row.message_ko);
                assert_eq!(class, row.class, "{} at {endpoint}", row.code);
            }
        }
    }

    /// Words of the column that name no call of this crate.
    const NO_CALL: [&str; 13] = [
        "POST",
        "GET",
        "test",
        "key",
        "sdk",
        "manual",
        "listed",
        "failure",
        "others",
        "transport",
        "Payment.failure",
        "window",
        "",
    ];

    #[test]
    fn every_word_of_the_column_of_calls_is_known() {
        for row in error_table() {
            for word in row.endpoints.split([',', ' ', '(', ')']) {
                let known = Endpoint::ALL.iter().any(|call| names(word, *call));
                assert!(known || NO_CALL.contains(&word), "{word} of {}", row.code);
            }
        }
        let row = error_row("CARD_PROCESSING_ERROR").unwrap();
        assert!(row.is_listed_for(Endpoint::ConfirmPayment));
        assert!(!row.is_listed_for(Endpoint::GetBalance));
    }

    #[test]
    fn codes_that_may_have_moved_money_are_never_final() {
        use ErrorClass::{DoneEquivalent, QueryFirst, RetrySameKey};
        for (code, class) in [
            ("IDEMPOTENT_REQUEST_PROCESSING", RetrySameKey),
            ("ALREADY_PROCESSED_PAYMENT", DoneEquivalent),
            ("PROVIDER_ERROR", QueryFirst),
            ("CARD_PROCESSING_ERROR", QueryFirst),
            ("FAILED_PAYMENT_INTERNAL_SYSTEM_PROCESSING", QueryFirst),
            ("FAILED_INTERNAL_SYSTEM_PROCESSING", QueryFirst),
            ("UNKNOWN_PAYMENT_ERROR", QueryFirst),
            ("COMMON_ERROR", QueryFirst),
            ("DUPLICATED_ORDER_ID", QueryFirst),
        ] {
            assert_eq!(
                classify(Endpoint::ConfirmPayment, 400, code, ""),
                class,
                "{code}"
            );
        }
    }

    #[test]
    fn an_unknown_code_asks_first_whatever_its_status() {
        for status in [400, 401, 403, 404, 409, 500, 503] {
            let class = classify(Endpoint::ConfirmPayment, status, "BRAND_NEW", "");
            assert_eq!(class, ErrorClass::QueryFirst, "{status}");
        }
        let class = classify(Endpoint::ConfirmPayment, 400, "(HTTP 429)", "");
        assert_eq!(class, ErrorClass::QueryFirst);
    }

    #[test]
    fn too_many_requests_means_wait_under_any_code() {
        for code in ["BRAND_NEW", "REJECT_CARD_PAYMENT", ""] {
            let class = classify(Endpoint::ConfirmPayment, 429, code, "");
            assert_eq!(class, ErrorClass::RetryWait);
        }
    }

    #[test]
    fn the_escrow_text_is_final_for_a_cancel_alone() {
        let class = |endpoint, code| classify(endpoint, 500, code, "[ES12] 구매결정 전");
        let code = "FAILED_INTERNAL_SYSTEM_PROCESSING";
        assert_eq!(class(Endpoint::CancelPayment, code), ErrorClass::Terminal);
        assert_eq!(
            class(Endpoint::ConfirmPayment, code),
            ErrorClass::QueryFirst
        );
        assert_eq!(
            class(Endpoint::CancelPayment, "COMMON_ERROR"),
            ErrorClass::QueryFirst
        );
    }
}
