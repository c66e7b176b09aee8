//! What the API shows of how a payment was paid: one object per method, of which one or none is
//! filled. Payments and settlements have them.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{
    currency::Amount,
    method::Method,
    payment::{Payment, REFUND_ACCOUNT_SHOWN, Status, korean_time},
    promotions::InterestPayer,
    request::RefundAccount,
};

/// The objects of all methods.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MethodObjects<'a> {
    card: Option<CardView<'a>>,
    virtual_account: Option<VirtualAccountView<'a>>,
    transfer: Option<TransferView<'a>>,
    mobile_phone: Option<MobilePhoneView<'a>>,
    gift_certificate: Option<GiftCertificateView<'a>>,
    easy_pay: Option<EasyPayView<'a>>,
}

impl Payment {
    /// What it is paid with; nothing until the buyer has chosen.
    pub(super) fn method_objects(&self, now: DateTime<Utc>, base_url: &str) -> MethodObjects<'_> {
        MethodObjects {
            card: self.card_view(),
            virtual_account: self.virtual_account_view(now),
            transfer: self.transfer_view(),
            mobile_phone: self.mobile_phone_view(base_url),
            gift_certificate: self.gift_certificate_view(),
            easy_pay: self.easy_pay_view(),
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
            is_interest_free: matches!(
                self.interest_payer(),
                Some(InterestPayer::CardCompany | InterestPayer::Merchant)
            ),
            interest_payer: self.interest_payer(),
            approve_no: self.digits.get(4..12).unwrap_or_default(),
            use_card_point: terms.card_points,
            card_type: "신용",
            owner_type: "개인",
            acquire_status: match self.status {
                Status::Canceled => "CANCELED",
                _ => "READY",
            },
            amount: self.money(self.amount),
        })
    }

    fn easy_pay_view(&self) -> Option<EasyPayView<'_>> {
        self.authenticated_at?;
        match &self.method {
            Method::EasyPay { provider } => Some(EasyPayView::Object {
                provider,
                amount: self.money(self.amount),
                discount_amount: 0,
            }),
            Method::ForeignEasyPay { provider } => Some(EasyPayView::Name(provider_name(provider))),
            Method::Card { .. }
            | Method::VirtualAccount { .. }
            | Method::Transfer { .. }
            | Method::MobilePhone { .. }
            | Method::GiftCertificate { .. } => None,
        }
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
            account_type: match self.terms().account_key {
                Some(_) => "고정",
                None => "일반",
            },
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
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct CardView<'a> {
    issuer_code: &'a str,
    acquirer_code: &'a str,
    number: String,
    installment_plan_months: u8,
    is_interest_free: bool,
    interest_payer: Option<InterestPayer>,
    approve_no: &'a str,
    use_card_point: bool,
    card_type: &'static str,
    owner_type: &'static str,
    acquire_status: &'static str,
    amount: Amount,
}

/// An object for a Korean wallet; a bare name for one abroad, as merchants were answered.
#[derive(Debug, Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
enum EasyPayView<'a> {
    Object {
        provider: &'a str,
        amount: Amount,
        discount_amount: u64,
    },
    Name(&'a str),
}

/// The Korean name of a wallet abroad, of which two were seen; the others keep the script's.
fn provider_name(provider: &str) -> &str {
    match provider {
        "PAYPAL" => "페이팔",
        "ALIPAY" => "알리페이",
        other => other,
    }
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
