//! One payment: its life, its amounts and the object that the API shows of it.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::errors::{ApiError, Language};

/// A window that nobody finished lapses after 30 minutes (Toss, payment status table).
pub const WINDOW_LIFE: TimeDelta = TimeDelta::minutes(30);

/// An authenticated payment must be confirmed within 10 minutes (Toss, payment status table).
pub const CONFIRM_LIFE: TimeDelta = TimeDelta::minutes(10);

/// A virtual account takes a deposit for 168 hours unless told otherwise (Toss, `validHours`).
pub const DEPOSIT_LIFE: TimeDelta = TimeDelta::hours(168);

/// Status of a payment, named as Toss names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// The window is open; nothing is authenticated.
    Ready,
    /// The buyer has authenticated; the merchant must confirm.
    InProgress,
    /// A virtual account is issued and awaits its money.
    WaitingForDeposit,
    /// Approved.
    Done,
    /// Cancelled in full by one cancel.
    Canceled,
    /// Cancelled in part, or in full by several cancels (then the balance is 0).
    PartialCanceled,
    /// Declined.
    Aborted,
    /// Lapsed before it was confirmed.
    Expired,
}

/// How the buyer pays.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Method {
    /// A card, by the issuer's two-character code.
    Card {
        /// Toss's issuer code, such as `11` for KB.
        issuer_code: String,
    },
    /// A wallet with its own money.
    EasyPay {
        /// Toss's Korean name of the wallet, such as `토스페이`.
        provider: String,
    },
    /// A bank account made for this one payment.
    VirtualAccount {
        /// Toss's two-digit bank code, such as `20` for Woori.
        bank_code: String,
        /// Who is expected to pay in.
        customer_name: String,
    },
}

impl Method {
    /// KB card: the method of a payment that nobody chose one for.
    pub fn card() -> Self {
        Self::Card {
            issuer_code: "11".to_owned(),
        }
    }

    pub(super) fn name(&self, language: Language) -> &'static str {
        match (self, language) {
            (Self::Card { .. }, Language::Korean) => "카드",
            (Self::Card { .. }, Language::English) => "Card",
            (Self::EasyPay { .. }, Language::Korean) => "간편결제",
            (Self::EasyPay { .. }, Language::English) => "Easy pay",
            (Self::VirtualAccount { .. }, Language::Korean) => "가상계좌",
            (Self::VirtualAccount { .. }, Language::English) => "Virtual account",
        }
    }
}

/// One cancel.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Cancel {
    /// Won given back.
    pub amount: u64,
    /// The tax-free part of it, in won.
    pub tax_free: u64,
    /// The merchant's reason.
    pub reason: String,
    /// Balance after it, in won.
    pub balance_after: u64,
    /// When.
    pub at: DateTime<Utc>,
    /// Its transaction.
    pub transaction_key: String,
}

/// A payment as the bank keeps it. Amounts are won.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Payment {
    /// Toss's key.
    pub key: String,
    /// The merchant's order id.
    pub order_id: String,
    /// What the buyer reads.
    pub order_name: String,
    /// Full amount.
    pub amount: u64,
    /// Amount less cancels.
    pub balance: u64,
    /// Tax-free part of the balance.
    pub tax_free: u64,
    /// How it is paid.
    pub method: Method,
    /// Where it stands; see [`Payment::has_lapsed`].
    pub status: Status,
    /// When the window was opened.
    pub requested_at: DateTime<Utc>,
    /// When the buyer authenticated.
    pub authenticated_at: Option<DateTime<Utc>>,
    /// When money was taken; a virtual account's is the time of its deposit.
    pub approved_at: Option<DateTime<Utc>>,
    /// When a virtual account stops taking its deposit.
    pub due_at: Option<DateTime<Utc>>,
    /// The transaction that took the money.
    pub approval_key: Option<String>,
    /// Latest transaction (approval or cancel).
    pub last_transaction_key: Option<String>,
    /// Authenticates deposit callbacks.
    pub secret: String,
    /// Digits that the method needs: card number tail and approval number, or account number.
    pub digits: String,
    /// Cancels, oldest first.
    pub cancels: Vec<Cancel>,
    /// Why it was declined or lapsed.
    pub failure_code: Option<String>,
    /// A code with which the confirm will be declined, chosen in the window.
    pub decline_at_confirm: Option<String>,
}

impl Payment {
    /// Whether time has run out for an unfinished payment whose status does not say so yet.
    pub fn has_lapsed(&self, now: DateTime<Utc>) -> bool {
        let deadline = match self.status {
            Status::Ready => self.requested_at + WINDOW_LIFE,
            Status::InProgress => self.authenticated_at.unwrap_or(self.requested_at) + CONFIRM_LIFE,
            Status::WaitingForDeposit
            | Status::Done
            | Status::Canceled
            | Status::PartialCanceled
            | Status::Aborted
            | Status::Expired => return false,
        };
        now >= deadline
    }

    /// Whether this payment has used its order id up: it was approved (even if cancelled since),
    /// or holds a virtual account.
    pub fn occupies_order(&self) -> bool {
        match self.status {
            Status::WaitingForDeposit
            | Status::Done
            | Status::Canceled
            | Status::PartialCanceled => true,
            Status::Ready | Status::InProgress | Status::Aborted | Status::Expired => false,
        }
    }

    /// Value-added tax within the balance: a tenth on top, hence an eleventh, rounded half up.
    pub fn vat(&self) -> u64 {
        let taxed = u128::from(self.balance.saturating_sub(self.tax_free));
        u64::try_from((taxed * 2 + 11) / 22).unwrap_or(u64::MAX)
    }

    /// Won given back after an approval.
    pub fn canceled(&self) -> u64 {
        if self.approved_at.is_some() {
            self.amount - self.balance
        } else {
            0
        }
    }

    /// The Payment object of API version 2022-11-16, ready to be serialised.
    pub fn view<'a>(
        &'a self,
        now: DateTime<Utc>,
        language: Language,
        mid: &'a str,
        base_url: &str,
    ) -> PaymentView<'a> {
        let vat = self.vat();
        PaymentView {
            m_id: mid,
            last_transaction_key: self.last_transaction_key.as_deref(),
            payment_key: &self.key,
            order_id: &self.order_id,
            order_name: &self.order_name,
            tax_exemption_amount: 0,
            status: self.status,
            requested_at: korean_time(self.requested_at),
            approved_at: self.approved_at.map(korean_time),
            use_escrow: false,
            culture_expense: false,
            card: self.card_view(),
            virtual_account: self.virtual_account_view(now),
            transfer: (),
            mobile_phone: (),
            gift_certificate: (),
            cash_receipt: (),
            cash_receipts: (),
            discount: (),
            metadata: (),
            cancels: (!self.cancels.is_empty())
                .then(|| self.cancels.iter().map(CancelView::from).collect()),
            secret: &self.secret,
            r#type: "NORMAL",
            easy_pay: self.easy_pay_view(),
            country: "KR",
            failure: self
                .failure_code
                .as_deref()
                .map(|code| failure_view(code, language)),
            is_partial_cancelable: true,
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
            version: "2022-11-16",
        }
    }

    fn card_view(&self) -> Option<CardView<'_>> {
        let Method::Card { issuer_code } = &self.method else {
            return None;
        };
        self.authenticated_at?;
        let tail = self.digits.get(..4).unwrap_or_default();
        Some(CardView {
            issuer_code,
            acquirer_code: issuer_code,
            number: format!("94100012****{}*", tail.get(..3).unwrap_or_default()),
            installment_plan_months: 0,
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
            refund_receive_account: (),
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

/// `yyyy-MM-dd'T'HH:mm:ss+09:00`, as Toss prints every time.
pub fn korean_time(time: DateTime<Utc>) -> String {
    (time + TimeDelta::hours(9))
        .format("%Y-%m-%dT%H:%M:%S+09:00")
        .to_string()
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
    transfer: (),
    mobile_phone: (),
    gift_certificate: (),
    cash_receipt: (),
    cash_receipts: (),
    discount: (),
    metadata: (),
    cancels: Option<Vec<CancelView<'a>>>,
    secret: &'a str,
    r#type: &'static str,
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
    refund_receive_account: (),
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
struct FailureView<'a> {
    code: &'a str,
    message: &'static str,
}

#[derive(Debug, Serialize)]
struct UrlView {
    url: String,
}
