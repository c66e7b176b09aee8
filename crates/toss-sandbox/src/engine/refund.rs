//! How money goes back, or why not.

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    bank::Bank,
    change::Change,
    codes,
    currency::Sum,
    errors::ApiError,
    method::Method,
    payment::{Payment, Status},
    random::Random,
    request::{CancelBody, RefundAccount},
};

/// Longest `cancelRequestId` in characters (assumed).
const CANCEL_REQUEST_ID_MAX: usize = 300;

impl Bank {
    /// Gives money back, or withdraws a virtual account that nobody paid into.
    ///
    /// # Errors
    /// The codes of Toss's cancel page, in the order in which they are checked below.
    pub(crate) fn cancel(
        &mut self,
        now: DateTime<Utc>,
        random: &mut Random,
        key: &str,
        body: &CancelBody,
        escrow_code: &str,
    ) -> Result<&Payment, ApiError> {
        let error = |code| Err(ApiError::new(code));
        check_texts(body)?;
        let payment = self
            .find(now, key)
            .ok_or_else(|| ApiError::new("NOT_FOUND_PAYMENT"))?;
        match payment.status {
            Status::Done | Status::PartialCanceled | Status::WaitingForDeposit => {}
            Status::Canceled => return error("ALREADY_CANCELED_PAYMENT"),
            Status::Ready | Status::InProgress | Status::Aborted | Status::Expired => {
                return error("NOT_CANCELABLE_PAYMENT");
            }
        }
        if payment.cancel_underway().is_some() {
            return error("ALREADY_REFUNDING_PAYMENT");
        }
        if body
            .currency
            .as_deref()
            .is_some_and(|currency| currency != payment.currency().name())
        {
            return error("INVALID_CURRENCY");
        }
        if payment.balance == 0 {
            return error("NOT_CANCELABLE_AMOUNT");
        }
        let refundable = minor(payment, body.refundable_amount)?;
        if refundable.is_some_and(|expected| expected != payment.balance) {
            return error("NOT_MATCHES_REFUNDABLE_AMOUNT");
        }
        let amount = minor(payment, body.cancel_amount)?.unwrap_or(payment.balance);
        if amount == 0 {
            return error("INVALID_REQUEST");
        }
        if amount > payment.balance {
            return error("NOT_CANCELABLE_AMOUNT");
        }
        check_term(now, payment)?;
        if payment.terms().escrow && amount < payment.amount {
            return error(escrow_code);
        }
        if payment.is_below_discount(amount) {
            return error("EXCEED_CANCEL_AMOUNT_DISCOUNT_AMOUNT");
        }
        check_virtual_account(payment, body, amount)?;
        let (tax_free, tax_exemption) = refunded_untaxed(payment, body, amount)?;
        let deposited = matches!(payment.method, Method::VirtualAccount { .. })
            && payment.approved_at.is_some();
        let refund_account = body
            .refund_receive_account
            .clone()
            .filter(|_| deposited)
            .map(|account| RefundAccount {
                bank: codes::bank(&account.bank).unwrap_or_default().to_owned(),
                ..account
            });
        if payment.cancels_later() {
            self.book(Change::CancelStarted {
                payment_key: key.to_owned(),
                at: now,
                amount,
                tax_free,
                tax_exemption,
                reason: body.cancel_reason.clone(),
                transaction_key: random.transaction_key(),
                request_id: body.cancel_request_id.clone(),
            });
            return self.booked(key);
        }
        self.book(Change::Canceled {
            payment_key: key.to_owned(),
            at: now,
            amount,
            tax_free,
            tax_exemption,
            reason: body.cancel_reason.clone(),
            transaction_key: random.transaction_key(),
            refund_account,
        });
        self.booked(key)
    }
}

/// An amount that was sent, in the smallest unit of the payment's currency.
fn minor(payment: &Payment, sent: Option<Sum>) -> Result<Option<u64>, ApiError> {
    let minor = |sum: Sum| sum.minor(payment.currency());
    sent.map(|sum| minor(sum).ok_or_else(|| ApiError::new("INVALID_REQUEST")))
        .transpose()
}

fn check_texts(body: &CancelBody) -> Result<(), ApiError> {
    let request_id = body.cancel_request_id.as_deref().unwrap_or_default();
    if (1..=200).contains(&body.cancel_reason.chars().count())
        && request_id.chars().count() <= CANCEL_REQUEST_ID_MAX
    {
        Ok(())
    } else {
        Err(ApiError::new("INVALID_REQUEST"))
    }
}

/// How long a payment can be cancelled (Toss, cancel page): a transfer and `PayPal` 180 days, a
/// virtual account 365, a phone bill until its calendar month ends in Korea. Cards have no limit
/// of Toss's own.
fn check_term(now: DateTime<Utc>, payment: &Payment) -> Result<(), ApiError> {
    let Some(paid_at) = payment.approved_at else {
        return Ok(());
    };
    let month = |time: DateTime<Utc>| (time + TimeDelta::hours(9)).format("%Y-%m").to_string();
    let over = match payment.method {
        Method::Transfer { .. } | Method::ForeignEasyPay { .. } => {
            now > paid_at + TimeDelta::days(180)
        }
        Method::VirtualAccount { .. } => now > paid_at + TimeDelta::days(365),
        Method::MobilePhone { .. } => month(now) != month(paid_at),
        Method::Card { .. } | Method::EasyPay { .. } | Method::GiftCertificate { .. } => false,
    };
    if over {
        Err(ApiError::new("EXCEED_MAX_REFUND_DUE"))
    } else {
        Ok(())
    }
}

/// Rules of virtual accounts: before the deposit only the whole, after it only to an account.
fn check_virtual_account(
    payment: &Payment,
    body: &CancelBody,
    amount: u64,
) -> Result<(), ApiError> {
    if !matches!(payment.method, Method::VirtualAccount { .. }) {
        return Ok(());
    }
    if payment.status == Status::WaitingForDeposit {
        return if amount == payment.balance {
            Ok(())
        } else {
            Err(ApiError::new("NOT_ALLOWED_PARTIAL_REFUND_WAITING_DEPOSIT"))
        };
    }
    let Some(account) = &body.refund_receive_account else {
        return Err(ApiError::new("INVALID_REFUND_ACCOUNT_INFO"));
    };
    let digits = &account.account_number;
    if !codes::is_bank(&account.bank) {
        Err(ApiError::new("INVALID_BANK"))
    } else if digits.is_empty()
        || digits.len() > 20
        || !digits.bytes().all(|byte| byte.is_ascii_digit())
    {
        Err(ApiError::new("INVALID_REFUND_ACCOUNT_NUMBER"))
    } else if account.holder_name.is_empty() || account.holder_name.chars().count() > 60 {
        Err(ApiError::new("INVALID_REFUND_ACCOUNT_INFO"))
    } else {
        Ok(())
    }
}

/// The tax-free part of a cancel and the part that is no sale: what the merchant says, else what
/// must be for the rest to fit, the tax-free part first.
fn refunded_untaxed(
    payment: &Payment,
    body: &CancelBody,
    amount: u64,
) -> Result<(u64, u64), ApiError> {
    let exempt = payment.tax_exemption();
    let least = (payment.tax_free + exempt + amount).saturating_sub(payment.balance);
    let exemption = minor(payment, body.tax_exemption_amount)?
        .unwrap_or(least.saturating_sub(payment.tax_free).min(exempt));
    let least = least.saturating_sub(exemption);
    let tax_free = minor(payment, body.tax_free_amount)?.unwrap_or(least);
    let most = amount.saturating_sub(exemption).min(payment.tax_free);
    if exemption <= amount.min(exempt) && (least..=most).contains(&tax_free) {
        Ok((tax_free, exemption))
    } else {
        Err(ApiError::new("INVALID_REFUND_AMOUNT"))
    }
}
