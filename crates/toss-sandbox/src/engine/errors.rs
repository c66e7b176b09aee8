//! Toss's error codes: status, class and text, read from `data/errors.tsv`.

use std::{collections::HashMap, sync::LazyLock};

/// The language of a message, chosen by `Accept-Language`; Korean unless English is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    /// Toss's default.
    #[default]
    Korean,
    /// `Accept-Language: en…`.
    English,
}

impl Language {
    /// Reads an `Accept-Language` value: English if the first language named is English.
    pub fn from_header(value: Option<&str>) -> Self {
        let first = value.unwrap_or_default().trim_start();
        match first.get(..2) {
            Some(tag) if tag.eq_ignore_ascii_case("en") => Self::English,
            _ => Self::Korean,
        }
    }
}

/// One row of the error table.
#[derive(Debug, Clone, Copy)]
pub struct ErrorSpec {
    /// Toss's code, such as `REJECT_CARD_PAYMENT`.
    pub code: &'static str,
    /// HTTP status that Toss sends with it.
    pub status: u16,
    /// Class of the table, such as `user_fixable`.
    pub class: &'static str,
    message_ko: &'static str,
    message_en: &'static str,
}

static TABLE: LazyLock<HashMap<&'static str, ErrorSpec>> =
    LazyLock::new(|| parse(include_str!("../../data/errors.tsv")));

/// Rows whose second column is not a status (transport failures, codes inside a payment) are no
/// answers of the API and are left out.
fn parse(table: &'static str) -> HashMap<&'static str, ErrorSpec> {
    table
        .lines()
        .skip(1)
        .filter_map(|line| {
            let mut columns = line.split('\t');
            let code = columns.next()?;
            let status = columns.next()?.parse().ok()?;
            let _endpoints = columns.next()?;
            let class = columns.next()?;
            let message_ko = columns.next()?;
            let message_en = columns.next()?;
            Some((
                code,
                ErrorSpec {
                    code,
                    status,
                    class,
                    message_ko,
                    message_en,
                },
            ))
        })
        .collect()
}

/// The table's row of a code, if Toss documents it.
pub fn find(code: &str) -> Option<ErrorSpec> {
    TABLE.get(code).copied()
}

/// An error as the API answers it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code} (HTTP {status})")]
pub struct ApiError {
    /// HTTP status.
    pub status: u16,
    /// Toss's code, or any code a fault asks for.
    pub code: String,
}

impl ApiError {
    /// An error of the table; a code that is not in it gets 400, as a code newer than the table
    /// most likely would.
    pub fn new(code: &str) -> Self {
        Self::with_fallback(code, 400)
    }

    /// Like [`ApiError::new`], with the status for a code that is not in the table.
    pub fn with_fallback(code: &str, status: u16) -> Self {
        let status = find(code).map_or(status, |spec| spec.status);
        Self {
            status,
            code: code.to_owned(),
        }
    }

    /// Whether the code is one that a buyer mends with another card or account: Toss then aborts
    /// the payment.
    pub fn declines(&self) -> bool {
        find(&self.code).is_some_and(|spec| spec.class == "user_fixable")
    }

    /// Toss's text for it; the other language where the table lacks one.
    pub fn message(&self, language: Language) -> &'static str {
        let Some(spec) = find(&self.code) else {
            return "샌드박스가 주입한 오류입니다.";
        };
        let (first, second) = match language {
            Language::Korean => (spec.message_ko, spec.message_en),
            Language::English => (spec.message_en, spec.message_ko),
        };
        if first.is_empty() { second } else { first }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_holds_every_documented_code_with_a_status() {
        assert!(TABLE.len() > 100);
        assert_eq!(find("REJECT_CARD_PAYMENT").unwrap().status, 403);
        assert_eq!(find("NOT_FOUND_PAYMENT_SESSION").unwrap().status, 404);
        assert!(find("EXPIRED_PAYMENT").is_none());
        assert!(TABLE.values().all(|spec| (400..600).contains(&spec.status)));
    }

    #[test]
    fn a_text_missing_in_one_language_falls_back_to_the_other() {
        let error = ApiError::new("PAY_PROCESS_ABORTED");
        assert!(!error.message(Language::Korean).is_empty());
        let error = ApiError::new("ALREADY_PROCESSED_PAYMENT");
        assert_eq!(error.message(Language::Korean), "이미 처리된 결제 입니다.");
        assert_eq!(error.message(Language::English), "payment already handled");
    }

    #[test]
    fn english_is_chosen_by_the_first_language_only() {
        assert_eq!(
            Language::from_header(Some("en-US,ko;q=0.5")),
            Language::English
        );
        assert_eq!(Language::from_header(Some("ko,en")), Language::Korean);
        assert_eq!(Language::from_header(Some("한")), Language::Korean);
        assert_eq!(Language::from_header(None), Language::Korean);
    }

    #[test]
    fn only_codes_a_buyer_can_mend_decline() {
        assert!(ApiError::new("REJECT_CARD_PAYMENT").declines());
        assert!(!ApiError::new("PROVIDER_ERROR").declines());
        assert!(!ApiError::new("SOMETHING_NEW").declines());
    }
}
