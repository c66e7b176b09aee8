//! The Payment object that the API shows.

use std::{collections::BTreeMap, ops::Not as _};

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{
    currency::Amount,
    errors::{ApiError, Language},
    method::{Kind, Method},
    method_view::MethodObjects,
    payment::{Cancel, Payment, Status, korean_time},
    underway::Underway,
};
use crate::config::ApiVersion;

/// How objects are written: for whom, and in which words.
#[derive(Debug, Clone, Copy)]
pub struct Writing<'a> {
    /// The language of values such as `method`.
    pub language: Language,
    /// `mId`.
    pub merchant_id: &'a str,
    /// Where browsers reach the sandbox, for links.
    pub base_url: &'a str,
    /// The merchant's API version.
    pub version: ApiVersion,
}

impl Payment {
    /// The Payment object, ready to be serialised. Versions 2022-11-16 and 2024-06-01 differ in
    /// `version` alone, as far as is documented.
    pub fn view<'a>(&'a self, now: DateTime<Utc>, writing: Writing<'a>) -> PaymentView<'a> {
        let Writing {
            language, base_url, ..
        } = writing;
        let vat = self.vat();
        let terms = self.terms();
        let abroad = matches!(self.method, Method::ForeignEasyPay { .. });
        PaymentView {
            m_id: writing.merchant_id,
            last_transaction_key: self.last_transaction_key.as_deref(),
            payment_key: &self.key,
            order_id: &self.order_id,
            order_name: &self.order_name,
            tax_exemption_amount: self.money(self.tax_exemption()),
            status: self.status,
            requested_at: korean_time(self.requested_at),
            approved_at: self.approved_at.map(korean_time),
            use_escrow: abroad.not().then_some(terms.escrow),
            culture_expense: false,
            paid_with: self.method_objects(now, base_url),
            cash_receipt: self.cash_receipt_view(base_url),
            cash_receipts: (),
            discount: match self.discount() {
                0 => None,
                amount => Some(DiscountView { amount }),
            },
            metadata: (!terms.metadata.is_empty()).then_some(&terms.metadata),
            cancels: self.cancel_views(),
            secret: abroad.not().then_some(&self.secret),
            r#type: terms.kind,
            country: terms.country.as_deref().unwrap_or("KR"),
            failure: self
                .failure_code
                .as_deref()
                .map(|code| failure_view(code, language)),
            is_partial_cancelable: !terms.escrow,
            receipt: self.approved_at.filter(|_| !abroad).map(|_| UrlView {
                url: format!("{base_url}/sandbox/receipts/{}", self.key),
            }),
            checkout: UrlView {
                url: format!("{base_url}/sandbox/receipts/{}", self.key),
            },
            currency: self.currency().name(),
            total_amount: self.money(self.amount),
            balance_amount: self.money(self.balance),
            supplied_amount: self.money(self.taxed().saturating_sub(vat)),
            vat: self.money(vat),
            tax_free_amount: self.money(self.tax_free),
            method: self.authenticated_at.map(|_| self.method.name(language)),
            version: writing.version.name(),
        }
    }

    /// The cancels, those that a wallet abroad has not carried out at the end.
    fn cancel_views(&self) -> Option<Vec<CancelView<'_>>> {
        let done = self.cancels.iter();
        let done = done.map(|cancel| CancelView::of(self, cancel));
        let underway = self.underway.iter();
        let underway = underway.map(|underway| CancelView::underway(self, underway));
        let views: Vec<_> = done.chain(underway).collect();
        (!views.is_empty()).then_some(views)
    }

    /// The receipt that the buyer asked for; issued when the money is there, gone when all of it
    /// was given back.
    fn cash_receipt_view(&self, base_url: &str) -> Option<PaymentReceiptView<'_>> {
        let r#type = self.terms().cash_receipt.as_deref()?;
        let approval = self.approval_key.as_deref()?;
        self.approved_at.filter(|_| self.balance > 0)?;
        Some(PaymentReceiptView {
            r#type,
            receipt_key: approval.get(..24).unwrap_or(approval),
            issue_number: self.digits.get(..9).unwrap_or_default(),
            receipt_url: format!("{base_url}/sandbox/receipts/{}", self.key),
            amount: self.balance,
            tax_free_amount: self.tax_free,
        })
    }
}

fn failure_view(code: &str, language: Language) -> FailureView<'_> {
    let message = match (code, language) {
        // Lives only inside a payment: the API never answers it, so the table has no status.
        ("EXPIRED_PAYMENT", Language::Korean) => "결제가 만료되었습니다. 다시 시도해주세요.",
        ("EXPIRED_PAYMENT", Language::English) => "payment window/auth expired",
        _ => ApiError::new(code).message(language),
    };
    FailureView { code, message }
}

/// The Payment object; the fields are Toss's.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentView<'a> {
    m_id: &'a str,
    last_transaction_key: Option<&'a str>,
    payment_key: &'a str,
    order_id: &'a str,
    order_name: &'a str,
    tax_exemption_amount: Amount,
    status: Status,
    requested_at: String,
    approved_at: Option<String>,
    use_escrow: Option<bool>,
    culture_expense: bool,
    #[serde(flatten)]
    paid_with: MethodObjects<'a>,
    cash_receipt: Option<PaymentReceiptView<'a>>,
    cash_receipts: (),
    discount: Option<DiscountView>,
    metadata: Option<&'a BTreeMap<String, String>>,
    cancels: Option<Vec<CancelView<'a>>>,
    secret: Option<&'a String>,
    r#type: Kind,
    country: &'a str,
    failure: Option<FailureView<'a>>,
    is_partial_cancelable: bool,
    receipt: Option<UrlView>,
    checkout: UrlView,
    currency: &'static str,
    /// Shown as is; the wrong-amount fault changes it.
    pub(crate) total_amount: Amount,
    balance_amount: Amount,
    supplied_amount: Amount,
    vat: Amount,
    tax_free_amount: Amount,
    method: Option<&'static str>,
    version: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CancelView<'a> {
    transaction_key: &'a str,
    cancel_reason: &'a str,
    tax_exemption_amount: Amount,
    canceled_at: String,
    card_discount_amount: u64,
    transfer_discount_amount: u64,
    easy_pay_discount_amount: u64,
    receipt_key: (),
    cancel_amount: Amount,
    tax_free_amount: Amount,
    refundable_amount: Amount,
    cancel_status: &'static str,
    cancel_request_id: Option<&'a str>,
}

impl<'a> CancelView<'a> {
    /// One cancel of a payment.
    pub(super) fn of(payment: &Payment, cancel: &'a Cancel) -> Self {
        Self {
            transaction_key: &cancel.transaction_key,
            cancel_reason: &cancel.reason,
            tax_exemption_amount: payment.money(cancel.tax_exemption),
            canceled_at: korean_time(cancel.at),
            card_discount_amount: payment.discount_returned(cancel),
            transfer_discount_amount: 0,
            easy_pay_discount_amount: 0,
            receipt_key: (),
            cancel_amount: payment.money(cancel.amount),
            tax_free_amount: payment.money(cancel.tax_free),
            refundable_amount: payment.money(cancel.balance_after),
            cancel_status: "DONE",
            cancel_request_id: cancel.request_id.as_deref(),
        }
    }

    /// A cancel that was not carried out.
    pub(super) fn underway(payment: &Payment, underway: &'a Underway) -> Self {
        Self {
            cancel_status: if underway.aborted {
                "ABORTED"
            } else {
                "IN_PROGRESS"
            },
            ..Self::of(payment, &underway.cancel)
        }
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct PaymentReceiptView<'a> {
    r#type: &'a str,
    receipt_key: &'a str,
    issue_number: &'a str,
    receipt_url: String,
    amount: u64,
    tax_free_amount: u64,
}

#[derive(Debug, Serialize)]
struct DiscountView {
    amount: u64,
}

#[derive(Debug, Serialize)]
struct FailureView<'a> {
    code: &'a str,
    message: &'static str,
}

#[derive(Debug, Serialize)]
struct UrlView {
    url: String,
}
