//! Payments that a server makes without a window: virtual accounts and cards by number.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, NaiveDateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{
    bank::NewPayment,
    codes,
    errors::ApiError,
    method::{Method, Terms},
    promotions::takes_points,
    request::{Won, is_order_id},
};

/// Longest life of a virtual account: 90 days (Toss, `validHours` ≤ 2160 and `dueDate`).
pub(super) const DEPOSIT_LIFE_MAX: TimeDelta = TimeDelta::hours(2_160);

/// Longest `accountKey` in characters (assumed).
const ACCOUNT_KEY_MAX: usize = 300;

/// Least amount that can be paid in installments, in won (Toss).
const INSTALLMENT_MIN: u64 = 50_000;

/// Body of `POST /v1/virtual-accounts`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AccountBody {
    amount: Won,
    order_id: String,
    order_name: String,
    customer_name: String,
    bank: String,
    valid_hours: Option<u32>,
    due_date: Option<String>,
    customer_email: Option<String>,
    tax_free_amount: Option<Won>,
    #[serde(default)]
    use_escrow: bool,
    cash_receipt: Option<ReceiptBody>,
    metadata: Option<BTreeMap<String, String>>,
    account_key: Option<AccountKey>,
}

/// The merchant's name of a fixed account: merchants were seen to send numbers as well.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum AccountKey {
    Text(String),
    Number(u64),
}

impl AccountKey {
    fn checked(self) -> Result<String, ApiError> {
        let text = match self {
            Self::Text(text) => text,
            Self::Number(number) => number.to_string(),
        };
        if (1..=ACCOUNT_KEY_MAX).contains(&text.chars().count()) {
            Ok(text)
        } else {
            Err(ApiError::new("INVALID_REQUEST"))
        }
    }
}

/// The number of a fixed account: the same for the same bank and the same name of the merchant's.
pub(super) fn fixed_account(bank_code: &str, account_key: &str) -> String {
    let sum = |salt: &str| {
        let text = format!("{salt}\n{bank_code}\n{account_key}");
        crc32fast::hash(text.as_bytes()) % 1_000_000
    };
    format!("{:06}{:06}", sum("head"), sum("tail"))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReceiptBody {
    r#type: String,
    registration_number: Option<String>,
}

impl AccountBody {
    /// What is to be opened.
    ///
    /// # Errors
    /// Toss's codes for a bad order id, name, bank, amount, term, or cash receipt.
    pub(super) fn checked(self, now: DateTime<Utc>) -> Result<NewPayment, ApiError> {
        check_order(&self.order_id, &self.order_name)?;
        check_email(self.customer_email.as_deref())?;
        if !(1..=100).contains(&self.customer_name.chars().count()) {
            return Err(ApiError::new("INVALID_REQUEST"));
        }
        let bank = codes::bank(&self.bank).ok_or_else(|| ApiError::new("INVALID_BANK"))?;
        let method = Method::VirtualAccount {
            bank_code: bank.to_owned(),
            customer_name: self.customer_name,
        };
        let (due_at, valid_hours) = term(now, self.due_date.as_deref(), self.valid_hours)?;
        let cash_receipt = match self.cash_receipt {
            Some(receipt) => receipt.checked()?,
            None => None,
        };
        let terms = Terms {
            escrow: self.use_escrow,
            metadata: checked_metadata(self.metadata)?,
            due_at,
            valid_hours,
            cash_receipt,
            account_key: self.account_key.map(AccountKey::checked).transpose()?,
            ..Terms::default()
        };
        let amounts = (self.amount.0, self.tax_free_amount.map_or(0, |won| won.0));
        new_payment(self.order_id, self.order_name, amounts, method, terms)
    }
}

impl ReceiptBody {
    fn checked(self) -> Result<Option<String>, ApiError> {
        let number = self.registration_number.unwrap_or_default();
        let digits = number.bytes().filter(u8::is_ascii_digit).count();
        let well_formed = number
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'-');
        match self.r#type.as_str() {
            "미발행" => Ok(None),
            // A phone or card number, or a business number of ten digits.
            "소득공제" if well_formed && (10..=19).contains(&digits) => Ok(Some(self.r#type)),
            "지출증빙" if well_formed && (10..=19).contains(&digits) => Ok(Some(self.r#type)),
            "소득공제" | "지출증빙" => {
                Err(ApiError::new("INVALID_REGISTRATION_NUMBER_TYPE"))
            }
            _ => Err(ApiError::new("INVALID_REQUEST")),
        }
    }
}

/// Until when an account takes its deposit: a date in Korean time, or hours, but not both.
///
/// # Errors
/// `INVALID_VALID_HOURS_WITH_DUE_DATE_AND_SINGLE`, `INVALID_DATE`, `EXCEED_MAX_DUE_DATE`,
/// `EXCEED_MAX_VALID_HOURS`.
pub(super) fn term(
    now: DateTime<Utc>,
    due_date: Option<&str>,
    valid_hours: Option<u32>,
) -> Result<(Option<DateTime<Utc>>, Option<u32>), ApiError> {
    match (due_date, valid_hours) {
        (Some(_), Some(_)) => Err(ApiError::new(
            "INVALID_VALID_HOURS_WITH_DUE_DATE_AND_SINGLE",
        )),
        (None, None) => Ok((None, None)),
        (None, Some(0)) => Err(ApiError::new("INVALID_REQUEST")),
        (None, Some(hours)) if TimeDelta::hours(i64::from(hours)) > DEPOSIT_LIFE_MAX => {
            Err(ApiError::new("EXCEED_MAX_VALID_HOURS"))
        }
        (None, Some(hours)) => Ok((None, Some(hours))),
        (Some(text), None) => {
            let due = due(text).filter(|due| *due > now);
            let due = due.ok_or_else(|| ApiError::new("INVALID_DATE"))?;
            if due > now + DEPOSIT_LIFE_MAX {
                return Err(ApiError::new("EXCEED_MAX_DUE_DATE"));
            }
            Ok((Some(due), None))
        }
    }
}

/// `yyyy-MM-dd'T'HH:mm:ss` in Korean time, or with an offset.
fn due(text: &str) -> Option<DateTime<Utc>> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.to_utc());
    }
    let local = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S").ok()?;
    local
        .checked_sub_signed(TimeDelta::hours(9))
        .map(|utc| utc.and_utc())
}

/// A card as a merchant sends it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CardBody {
    card_number: String,
    card_expiration_year: String,
    card_expiration_month: String,
    customer_identity_number: String,
    card_password: Option<String>,
    #[serde(rename = "vbv")]
    _authentication: Option<OverseasAuthentication>,
}

/// What a card abroad was authenticated with (`vbv`). Its shape is held to; the values are not
/// looked at, as no issuer is behind them.
#[derive(Debug, Deserialize)]
struct OverseasAuthentication {
    #[serde(rename = "cavv")]
    _cavv: String,
    #[serde(rename = "xid")]
    _xid: String,
    #[serde(rename = "eci")]
    _eci: String,
}

/// A card that was found to be well-formed. Its number is not kept.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Card {
    pub(super) issuer_code: String,
    pub(super) masked: String,
    /// Issues a billing key but refuses to be charged, as cards that begin with 433012 were seen
    /// to do.
    pub(super) unsupported: bool,
    /// Whether its points are to be used.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) points: bool,
}

impl CardBody {
    /// # Errors
    /// `INVALID_CARD_NUMBER`, `INVALID_CARD_EXPIRATION`, `INVALID_BIRTH_DAY_FORMAT`,
    /// `INVALID_CARD_PASSWORD`.
    pub(super) fn checked(&self, now: DateTime<Utc>) -> Result<Card, ApiError> {
        let expiry = (
            self.card_expiration_year.as_str(),
            self.card_expiration_month.as_str(),
        );
        let card = Card::checked(now, &self.card_number, expiry)?;
        if !is_identity(&self.customer_identity_number) {
            return Err(ApiError::new("INVALID_BIRTH_DAY_FORMAT"));
        }
        let password = self.card_password.as_deref();
        if password.is_some_and(|password| password.len() != 2 || !is_digits(password)) {
            return Err(ApiError::new("INVALID_CARD_PASSWORD"));
        }
        Ok(card)
    }
}

impl Card {
    /// A card as a buyer types it: a number of 15 or 16 digits, in groups or not, and an expiry of
    /// the form `MM/YY`.
    ///
    /// # Errors
    /// `INVALID_CARD_NUMBER`; `INVALID_CARD_EXPIRATION`, also once the month is over in Korea.
    pub fn typed(now: DateTime<Utc>, number: &str, expiry: &str) -> Result<Self, ApiError> {
        let number = number.replace([' ', '-'], "");
        let (month, year) = expiry.split_once('/').unwrap_or_default();
        Self::checked(now, &number, (year.trim(), month.trim()))
    }

    /// The same card, whose points are to be used or not.
    #[must_use]
    pub fn with_points(self, points: bool) -> Self {
        Self { points, ..self }
    }

    fn checked(
        now: DateTime<Utc>,
        number: &str,
        (year, month): (&str, &str),
    ) -> Result<Self, ApiError> {
        if !(15..=16).contains(&number.len()) || !is_digits(number) {
            return Err(ApiError::new("INVALID_CARD_NUMBER"));
        }
        if !is_unexpired(now, year, month) {
            return Err(ApiError::new("INVALID_CARD_EXPIRATION"));
        }
        let (head, tail) = (&number[..8], &number[12..number.len() - 1]);
        Ok(Self {
            issuer_code: codes::issuer(number).to_owned(),
            masked: format!("{head}****{tail}*"),
            unsupported: number.starts_with("433012"),
            points: false,
        })
    }
}

fn is_unexpired(now: DateTime<Utc>, year: &str, month: &str) -> bool {
    let short = |text: &str| text.len() == 2 && is_digits(text);
    let (true, true, Ok(year), Ok(month)) = (
        short(year),
        short(month),
        year.parse::<i32>(),
        month.parse::<u32>(),
    ) else {
        return false;
    };
    let today = now + TimeDelta::hours(9);
    (1..=12).contains(&month) && (2_000 + year, month) >= (today.year(), today.month())
}

/// Six digits of a birthday, or ten of a business.
fn is_identity(text: &str) -> bool {
    let number =
        |range: std::ops::Range<usize>| text.get(range).and_then(|part| part.parse::<u32>().ok());
    is_digits(text)
        && match text.len() {
            6 => {
                number(2..4).is_some_and(|month| (1..=12).contains(&month))
                    && number(4..6).is_some_and(|day| (1..=31).contains(&day))
            }
            10 => true,
            _ => false,
        }
}

pub(super) fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// What is charged: the part that key-in and billing have in common.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ChargeBody {
    pub(super) amount: Won,
    pub(super) order_id: String,
    pub(super) order_name: String,
    pub(super) customer_key: Option<String>,
    customer_email: Option<String>,
    tax_free_amount: Option<Won>,
    tax_exemption_amount: Option<Won>,
    card_installment_plan: Option<u8>,
    use_free_installment_plan: Option<bool>,
    use_card_point: Option<bool>,
    metadata: Option<BTreeMap<String, String>>,
}

impl ChargeBody {
    /// What is to be opened.
    ///
    /// # Errors
    /// Toss's codes for a bad order id, name, e-mail address, amount or installment plan.
    pub(super) fn checked(mut self, card: &Card, terms: Terms) -> Result<NewPayment, ApiError> {
        // Billing and brandpay have neither (Toss, reference).
        self.use_free_installment_plan = None;
        self.use_card_point = None;
        self.keyed_in(card, terms)
    }

    /// What is to be opened for a card whose number the merchant sent: it may use the card's
    /// points, and the merchant may pay the interest of its installments.
    ///
    /// # Errors
    /// Those of [`ChargeBody::checked`]; `NOT_ALLOWED_POINT_USE`.
    pub(super) fn keyed_in(self, card: &Card, terms: Terms) -> Result<NewPayment, ApiError> {
        check_order(&self.order_id, &self.order_name)?;
        check_email(self.customer_email.as_deref())?;
        let months = installments(self.card_installment_plan, self.amount.0)?;
        if card.unsupported {
            return Err(ApiError::new("NOT_SUPPORTED_CARD_TYPE"));
        }
        let terms = Terms {
            installment_months: months,
            tax_exemption: self.tax_exemption_amount.map_or(0, |won| won.0),
            card_number: Some(card.masked.clone()),
            metadata: checked_metadata(self.metadata)?,
            card_points: self.use_card_point == Some(true),
            merchant_pays_interest: match self.use_free_installment_plan {
                Some(true) if months > 0 => vec![card.issuer_code.clone()],
                Some(_) | None => Vec::new(),
            },
            ..terms
        };
        let method = Method::Card {
            issuer_code: card.issuer_code.clone(),
        };
        if terms.card_points && !takes_points(&method, self.amount.0, terms.currency) {
            return Err(ApiError::new("NOT_ALLOWED_POINT_USE"));
        }
        let amounts = (self.amount.0, self.tax_free_amount.map_or(0, |won| won.0));
        new_payment(self.order_id, self.order_name, amounts, method, terms)
    }
}

/// How many months a card is paid in, for an amount in won.
///
/// # Errors
/// `INVALID_CARD_INSTALLMENT_PLAN` for anything but 0 and 2 to 12;
/// `NOT_SUPPORTED_MONTHLY_INSTALLMENT_PLAN_BELOW_AMOUNT`.
pub(super) fn installments(months: Option<u8>, amount: u64) -> Result<u8, ApiError> {
    let months = months.unwrap_or(0);
    if !matches!(months, 0 | 2..=12) {
        return Err(ApiError::new("INVALID_CARD_INSTALLMENT_PLAN"));
    }
    if months > 0 && amount < INSTALLMENT_MIN {
        return Err(ApiError::new(
            "NOT_SUPPORTED_MONTHLY_INSTALLMENT_PLAN_BELOW_AMOUNT",
        ));
    }
    Ok(months)
}

/// A payment of an amount and its tax-free part, in the smallest unit of its currency.
///
/// # Errors
/// `BELOW_MINIMUM_AMOUNT`; `INVALID_REQUEST` if more is untaxed than is paid.
pub(super) fn new_payment(
    order_id: String,
    order_name: String,
    (amount, tax_free): (u64, u64),
    method: Method,
    terms: Terms,
) -> Result<NewPayment, ApiError> {
    if amount < terms.currency.minimum(&method) {
        return Err(ApiError::new("BELOW_MINIMUM_AMOUNT"));
    }
    if tax_free.saturating_add(terms.tax_exemption) > amount {
        return Err(ApiError::new("INVALID_REQUEST"));
    }
    Ok(NewPayment {
        order_id,
        order_name,
        amount,
        tax_free,
        method,
        terms,
    })
}

fn check_order(order_id: &str, order_name: &str) -> Result<(), ApiError> {
    if !is_order_id(order_id) {
        return Err(ApiError::new("INVALID_ORDER_ID"));
    }
    if !(1..=100).contains(&order_name.chars().count()) {
        return Err(ApiError::new("INVALID_REQUEST"));
    }
    Ok(())
}

pub(super) fn check_email(email: Option<&str>) -> Result<(), ApiError> {
    let good = |email: &str| {
        let parts = email.split_once('@');
        email.len() <= 100
            && parts.is_some_and(|(name, host)| !name.is_empty() && host.contains('.'))
    };
    if email.is_none_or(good) {
        Ok(())
    } else {
        Err(ApiError::new("INVALID_EMAIL"))
    }
}

/// At most five pairs; keys of at most 40 characters without brackets, values of at most 2,000
/// (Toss, `metadata`).
pub(super) fn checked_metadata(
    metadata: Option<BTreeMap<String, String>>,
) -> Result<BTreeMap<String, String>, ApiError> {
    let metadata = metadata.unwrap_or_default();
    let fits = |(key, value): (&String, &String)| {
        (1..=40).contains(&key.chars().count())
            && !key.contains(['[', ']'])
            && value.chars().count() <= 2_000
    };
    if metadata.len() <= 5 && metadata.iter().all(fits) {
        Ok(metadata)
    } else {
        Err(ApiError::new("INVALID_REQUEST"))
    }
}
