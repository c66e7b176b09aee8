//! The Payment object that the API shows.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{
    errors::{ApiError, Language},
    method::{Kind, Method},
    payment::{Cancel, Payment, REFUND_ACCOUNT_SHOWN, Status, korean_time},
    request::RefundAccount,
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
        PaymentView {
            m_id: writing.merchant_id,
            last_transaction_key: self.last_transaction_key.as_deref(),
            payment_key: &self.key,
            order_id: &self.order_id,
            order_name: &self.order_name,
            tax_exemption_amount: 0,
            status: self.status,
            requested_at: korean_time(self.requested_at),
            approved_at: self.approved_at.map(korean_time),
            use_escrow: terms.escrow,
            culture_expense: false,
            card: self.card_view(),
            virtual_account: self.virtual_account_view(now),
            transfer: self.transfer_view(),
            mobile_phone: self.mobile_phone_view(base_url),
            gift_certificate: self.gift_certificate_view(),
            cash_receipt: self.cash_receipt_view(base_url),
            cash_receipts: (),
            discount: (),
            metadata: (!terms.metadata.is_empty()).then_some(&terms.metadata),
            cancels: (!self.cancels.is_empty())
                .then(|| self.cancels.iter().map(CancelView::from).collect()),
            secret: &self.secret,
            r#type: terms.kind,
            easy_pay: self.easy_pay_view(),
            country: "KR",
            failure: self
                .failure_code
                .as_deref()
                .map(|code| failure_view(code, language)),
            is_partial_cancelable: !terms.escrow,
            receipt: self.approved_at.map(|_| UrlView {
                url: format!("{base_url}/sandbox/receipts/{}", self.key),
            }),
            checkout: UrlView {
                url: format!("{base_url}/sandbox/receipts/{}", self.key),
            },
            currency: "KRW",
            total_amount: self.amount,
            balance_amount: self.balance,
            supplied_amount: self
                .balance
                .saturating_sub(self.tax_free)
                .saturating_sub(vat),
            vat,
            tax_free_amount: self.tax_free,
            method: self.authenticated_at.map(|_| self.method.name(language)),
            version: writing.version.name(),
        }
    }

    fn card_view(&self) -> Option<CardView<'_>> {
        let Method::Card { issuer_code } = &self.method else {
            return None;
        };
        let terms = self.terms();
        self.authenticated_at?;
        Some(CardView {
            issuer_code,
            acquirer_code: issuer_code,
            number: terms.card_number.clone().unwrap_or_else(|| {
                format!("94100012****{}*", self.digits.get(..3).unwrap_or_default())
            }),
            installment_plan_months: terms.installment_months,
            is_interest_free: false,
            interest_payer: (),
            approve_no: self.digits.get(4..12).unwrap_or_default(),
            use_card_point: false,
            card_type: "신용",
            owner_type: "개인",
            acquire_status: match self.status {
                Status::Canceled => "CANCELED",
                _ => "READY",
            },
            amount: self.amount,
        })
    }

    fn easy_pay_view(&self) -> Option<EasyPayView<'_>> {
        let Method::EasyPay { provider } = &self.method else {
            return None;
        };
        self.authenticated_at?;
        Some(EasyPayView {
            provider,
            amount: self.amount,
            discount_amount: 0,
        })
    }

    fn virtual_account_view(&self, now: DateTime<Utc>) -> Option<VirtualAccountView<'_>> {
        let Method::VirtualAccount {
            bank_code,
            customer_name,
        } = &self.method
        else {
            return None;
        };
        let due = self.due_at?;
        let refunded = self.approved_at.is_some() && !self.cancels.is_empty();
        Some(VirtualAccountView {
            account_type: "일반",
            // Test accounts start with an X, so that nobody pays into one.
            account_number: format!("X{}", self.digits),
            bank_code,
            customer_name,
            depositor_name: self.approved_at.map(|_| customer_name.as_str()),
            due_date: korean_time(due),
            refund_status: if refunded { "COMPLETED" } else { "NONE" },
            // An overdue account stays WAITING_FOR_DEPOSIT and says so only here.
            expired: self.approved_at.is_none() && now >= due,
            settlement_status: "INCOMPLETED",
            refund_receive_account: self.cancels.last().and_then(|cancel| {
                let account = cancel.refund_account.as_ref()?;
                (now < cancel.at + REFUND_ACCOUNT_SHOWN).then(|| RefundAccountView::from(account))
            }),
        })
    }
}

impl Payment {
    fn transfer_view(&self) -> Option<TransferView<'_>> {
        let Method::Transfer { bank_code } = &self.method else {
            return None;
        };
        self.authenticated_at?;
        Some(TransferView {
            bank_code,
            settlement_status: "INCOMPLETED",
        })
    }

    fn mobile_phone_view(&self, base_url: &str) -> Option<MobilePhoneView<'_>> {
        let Method::MobilePhone {
            customer_mobile_phone,
        } = &self.method
        else {
            return None;
        };
        self.authenticated_at?;
        Some(MobilePhoneView {
            customer_mobile_phone,
            settlement_status: "INCOMPLETED",
            receipt_url: format!("{base_url}/sandbox/receipts/{}", self.key),
        })
    }

    fn gift_certificate_view(&self) -> Option<GiftCertificateView<'_>> {
        let Method::GiftCertificate { .. } = &self.method else {
            return None;
        };
        self.authenticated_at?;
        Some(GiftCertificateView {
            approve_no: self.digits.get(4..12).unwrap_or_default(),
            settlement_status: "INCOMPLETED",
        })
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

/// The Payment object; the fields and their order are Toss's.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentView<'a> {
    m_id: &'a str,
    last_transaction_key: Option<&'a str>,
    payment_key: &'a str,
    order_id: &'a str,
    order_name: &'a str,
    tax_exemption_amount: u64,
    status: Status,
    requested_at: String,
    approved_at: Option<String>,
    use_escrow: bool,
    culture_expense: bool,
    card: Option<CardView<'a>>,
    virtual_account: Option<VirtualAccountView<'a>>,
    transfer: Option<TransferView<'a>>,
    mobile_phone: Option<MobilePhoneView<'a>>,
    gift_certificate: Option<GiftCertificateView<'a>>,
    cash_receipt: Option<PaymentReceiptView<'a>>,
    cash_receipts: (),
    discount: (),
    metadata: Option<&'a BTreeMap<String, String>>,
    cancels: Option<Vec<CancelView<'a>>>,
    secret: &'a str,
    r#type: Kind,
    easy_pay: Option<EasyPayView<'a>>,
    country: &'static str,
    failure: Option<FailureView<'a>>,
    is_partial_cancelable: bool,
    receipt: Option<UrlView>,
    checkout: UrlView,
    currency: &'static str,
    /// Shown as is; the wrong-amount fault changes it.
    pub(crate) total_amount: u64,
    balance_amount: u64,
    supplied_amount: u64,
    vat: u64,
    tax_free_amount: u64,
    method: Option<&'static str>,
    version: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct CardView<'a> {
    issuer_code: &'a str,
    acquirer_code: &'a str,
    number: String,
    installment_plan_months: u8,
    is_interest_free: bool,
    interest_payer: (),
    approve_no: &'a str,
    use_card_point: bool,
    card_type: &'static str,
    owner_type: &'static str,
    acquire_status: &'static str,
    amount: u64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct EasyPayView<'a> {
    provider: &'a str,
    amount: u64,
    discount_amount: u64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct VirtualAccountView<'a> {
    account_type: &'static str,
    account_number: String,
    bank_code: &'a str,
    customer_name: &'a str,
    depositor_name: Option<&'a str>,
    due_date: String,
    refund_status: &'static str,
    expired: bool,
    settlement_status: &'static str,
    refund_receive_account: Option<RefundAccountView<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct CancelView<'a> {
    transaction_key: &'a str,
    cancel_reason: &'a str,
    tax_exemption_amount: u64,
    canceled_at: String,
    card_discount_amount: u64,
    transfer_discount_amount: u64,
    easy_pay_discount_amount: u64,
    receipt_key: (),
    cancel_amount: u64,
    tax_free_amount: u64,
    refundable_amount: u64,
    cancel_status: &'static str,
    cancel_request_id: (),
}

impl<'a> From<&'a Cancel> for CancelView<'a> {
    fn from(cancel: &'a Cancel) -> Self {
        Self {
            transaction_key: &cancel.transaction_key,
            cancel_reason: &cancel.reason,
            tax_exemption_amount: 0,
            canceled_at: korean_time(cancel.at),
            card_discount_amount: 0,
            transfer_discount_amount: 0,
            easy_pay_discount_amount: 0,
            receipt_key: (),
            cancel_amount: cancel.amount,
            tax_free_amount: cancel.tax_free,
            refundable_amount: cancel.balance_after,
            cancel_status: "DONE",
            cancel_request_id: (),
        }
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct TransferView<'a> {
    bank_code: &'a str,
    settlement_status: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct MobilePhoneView<'a> {
    customer_mobile_phone: &'a str,
    settlement_status: &'static str,
    receipt_url: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct GiftCertificateView<'a> {
    approve_no: &'a str,
    settlement_status: &'static str,
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
#[serde(rename_all = "camelCase")]
struct RefundAccountView<'a> {
    bank_code: &'a str,
    account_number: &'a str,
    holder_name: &'a str,
}

impl<'a> From<&'a RefundAccount> for RefundAccountView<'a> {
    fn from(account: &'a RefundAccount) -> Self {
        Self {
            bank_code: &account.bank,
            account_number: &account.account_number,
            holder_name: &account.holder_name,
        }
    }
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
