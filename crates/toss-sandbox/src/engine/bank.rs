//! The books: every payment, by key and by order, and what may be done with it.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{
    change::{Change, Changes, Opening},
    errors::ApiError,
    payment::{DEPOSIT_LIFE, Method, Payment, Status},
    random::Random,
    request::{CancelBody, ConfirmBody},
    transactions::Movements,
};

/// What the bank has done for one order. Amounts are won.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LedgerRow {
    /// The merchant's order id.
    pub order_id: String,
    /// How many payments of this order were ever approved; more than one is a double charge.
    pub approvals: u32,
    /// Sum of the approvals.
    pub approved: u64,
    /// Sum of what was given back.
    pub canceled: u64,
    /// What the buyer has paid after all: approved less cancelled.
    pub net: u64,
}

/// Codes that Toss does not document and that a setting therefore chooses.
#[derive(Debug, Clone)]
pub(crate) struct MismatchCodes {
    pub(crate) order: String,
    pub(crate) amount: String,
}

#[derive(Debug, Hash)]
pub(super) struct Order {
    pub(super) id: String,
    pub(super) payments: Vec<usize>,
}

/// Grows with the payments made; nothing is forgotten while the process lives, because the
/// ledger is what a server under test is judged by. What is decided here is booked in
/// `booking.rs`, and nowhere else.
#[derive(Debug, Default)]
pub(crate) struct Bank {
    pub(super) payments: Vec<Payment>,
    pub(super) by_key: HashMap<String, usize>,
    pub(super) orders: Vec<Order>,
    pub(super) by_order: HashMap<String, usize>,
    pub(super) movements: Movements,
    pub(super) changes: Changes,
}

/// What a new payment needs to be told.
#[derive(Debug, Clone)]
pub(crate) struct NewPayment {
    pub(crate) order_id: String,
    pub(crate) order_name: String,
    pub(crate) amount: u64,
    pub(crate) tax_free: u64,
    pub(crate) method: Method,
}

impl Bank {
    /// Opens a READY payment and returns its key.
    pub(crate) fn open(
        &mut self,
        now: DateTime<Utc>,
        random: &mut Random,
        new: NewPayment,
    ) -> String {
        let key = random.payment_key(now);
        self.book(Change::Opened(Box::new(Opening {
            payment_key: key.clone(),
            order_id: new.order_id,
            order_name: new.order_name,
            amount: new.amount,
            tax_free: new.tax_free.min(new.amount),
            method: new.method,
            at: now,
            secret: random.secret(),
            digits: random.digits(12),
        })));
        key
    }

    /// The payment of a key, with time's work done on it.
    pub(crate) fn find(&mut self, now: DateTime<Utc>, key: &str) -> Option<&Payment> {
        let index = *self.by_key.get(key)?;
        self.lapse(now, index);
        self.payments.get(index)
    }

    /// Lets time do its work on a payment.
    fn lapse(&mut self, now: DateTime<Utc>, index: usize) {
        if let Some(payment) = self.payments.get(index)
            && payment.has_lapsed(now)
        {
            let payment_key = payment.key.clone();
            self.book(Change::Expired { payment_key });
        }
    }

    /// The order id of a key, if it is known.
    pub(crate) fn order_of(&self, key: &str) -> Option<&str> {
        self.by_key
            .get(key)
            .map(|index| self.payments[*index].order_id.as_str())
    }

    /// The payment that stands for an order: the one that was approved, else the latest.
    pub(crate) fn find_by_order(&mut self, now: DateTime<Utc>, order_id: &str) -> Option<&Payment> {
        let order = &self.orders[*self.by_order.get(order_id)?];
        let index = *order
            .payments
            .iter()
            .rev()
            .find(|index| self.payments[**index].occupies_order())
            .or_else(|| order.payments.last())?;
        self.lapse(now, index);
        self.payments.get(index)
    }

    /// The buyer authenticates: READY → `IN_PROGRESS`.
    ///
    /// # Errors
    /// `NOT_FOUND_PAYMENT` for an unknown key, `NOT_FOUND_PAYMENT_SESSION` if it is not READY.
    pub(crate) fn authenticate(
        &mut self,
        now: DateTime<Utc>,
        key: &str,
        method: Method,
        decline_at_confirm: Option<String>,
    ) -> Result<(), ApiError> {
        let payment = self
            .find(now, key)
            .ok_or_else(|| ApiError::new("NOT_FOUND_PAYMENT"))?;
        if payment.status != Status::Ready {
            return Err(ApiError::new("NOT_FOUND_PAYMENT_SESSION"));
        }
        self.book(Change::Authenticated {
            payment_key: key.to_owned(),
            at: now,
            method,
            decline_at_confirm,
        });
        Ok(())
    }

    /// A decline: READY or `IN_PROGRESS` → ABORTED. Other states stay as they are.
    pub(crate) fn abort(&mut self, now: DateTime<Utc>, key: &str, code: &str) {
        if let Some(payment) = self.find(now, key)
            && matches!(payment.status, Status::Ready | Status::InProgress)
        {
            self.book(Change::Declined {
                payment_key: key.to_owned(),
                code: code.to_owned(),
            });
        }
    }

    /// The payment that a confirm speaks of, if its order and amount are the payment's own.
    ///
    /// # Errors
    /// `NOT_FOUND_PAYMENT`, or the configured codes for a differing order or amount.
    pub(crate) fn match_confirm(
        &mut self,
        now: DateTime<Utc>,
        body: &ConfirmBody,
        codes: &MismatchCodes,
    ) -> Result<&Payment, ApiError> {
        let payment = self
            .find(now, &body.payment_key)
            .ok_or_else(|| ApiError::new("NOT_FOUND_PAYMENT"))?;
        if payment.order_id != body.order_id {
            return Err(ApiError::with_fallback(&codes.order, 403));
        }
        if payment.amount != body.amount.0 {
            return Err(ApiError::new(&codes.amount));
        }
        Ok(payment)
    }

    /// Approves an authenticated payment.
    ///
    /// # Errors
    /// Those of [`Bank::match_confirm`]; `NOT_FOUND_PAYMENT_SESSION` if it lapsed or was never
    /// authenticated; `ALREADY_PROCESSED_PAYMENT` if it is past that;
    /// `DUPLICATED_ORDER_ID` if another payment has used the order up; the code that the buyer
    /// chose in the window.
    pub(crate) fn confirm(
        &mut self,
        now: DateTime<Utc>,
        random: &mut Random,
        body: &ConfirmBody,
        codes: &MismatchCodes,
    ) -> Result<&Payment, ApiError> {
        match self.match_confirm(now, body, codes)?.status {
            Status::Ready | Status::Expired => {
                return Err(ApiError::new("NOT_FOUND_PAYMENT_SESSION"));
            }
            Status::WaitingForDeposit
            | Status::Done
            | Status::Canceled
            | Status::PartialCanceled
            | Status::Aborted => return Err(ApiError::new("ALREADY_PROCESSED_PAYMENT")),
            Status::InProgress => {}
        }
        if self
            .find_by_order(now, &body.order_id)
            .is_some_and(Payment::occupies_order)
        {
            return Err(ApiError::new("DUPLICATED_ORDER_ID"));
        }
        let payment = self.match_confirm(now, body, codes)?;
        let payment_key = body.payment_key.clone();
        if let Some(code) = &payment.decline_at_confirm {
            let error = ApiError::new(code);
            let code = code.clone();
            self.book(Change::Declined { payment_key, code });
            return Err(error);
        }
        let transaction_key = random.transaction_key();
        let change = if matches!(payment.method, Method::VirtualAccount { .. }) {
            Change::AccountIssued {
                payment_key,
                due_at: now + DEPOSIT_LIFE,
                transaction_key,
            }
        } else {
            Change::Approved {
                payment_key,
                at: now,
                amount: payment.amount,
                transaction_key,
            }
        };
        self.book(change);
        self.booked(&body.payment_key)
    }

    /// The payment as it is after a change.
    fn booked(&self, key: &str) -> Result<&Payment, ApiError> {
        let index = self.by_key.get(key);
        index
            .and_then(|index| self.payments.get(*index))
            .ok_or_else(|| ApiError::new("NOT_FOUND_PAYMENT"))
    }

    /// The money arrives in a virtual account: `WAITING_FOR_DEPOSIT` → DONE.
    ///
    /// # Errors
    /// `NOT_FOUND_PAYMENT`; `INVALID_REQUEST` if it waits for none or is overdue.
    pub(crate) fn deposit(
        &mut self,
        now: DateTime<Utc>,
        random: &mut Random,
        key: &str,
    ) -> Result<&Payment, ApiError> {
        let payment = self
            .find(now, key)
            .ok_or_else(|| ApiError::new("NOT_FOUND_PAYMENT"))?;
        let in_time = payment.due_at.is_some_and(|due| now < due);
        if payment.status != Status::WaitingForDeposit || !in_time {
            return Err(ApiError::new("INVALID_REQUEST"));
        }
        let amount = payment.amount;
        self.book(Change::Deposited {
            payment_key: key.to_owned(),
            at: now,
            amount,
            transaction_key: random.transaction_key(),
        });
        self.booked(key)
    }

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
    ) -> Result<&Payment, ApiError> {
        let error = |code| Err(ApiError::new(code));
        if body.cancel_reason.is_empty() || body.cancel_reason.chars().count() > 200 {
            return error("INVALID_REQUEST");
        }
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
        if body
            .currency
            .as_deref()
            .is_some_and(|currency| currency != "KRW")
        {
            return error("INVALID_CURRENCY");
        }
        if payment.balance == 0 {
            return error("NOT_CANCELABLE_AMOUNT");
        }
        if body
            .refundable_amount
            .is_some_and(|expected| expected.0 != payment.balance)
        {
            return error("NOT_MATCHES_REFUNDABLE_AMOUNT");
        }
        let amount = body.cancel_amount.map_or(payment.balance, |won| won.0);
        if amount == 0 {
            return error("INVALID_REQUEST");
        }
        if amount > payment.balance {
            return error("NOT_CANCELABLE_AMOUNT");
        }
        check_virtual_account(payment, body, amount)?;
        let tax_free = refunded_tax_free(payment, body, amount)?;
        self.book(Change::Canceled {
            payment_key: key.to_owned(),
            at: now,
            amount,
            tax_free,
            reason: body.cancel_reason.clone(),
            transaction_key: random.transaction_key(),
        });
        self.booked(key)
    }

    /// Per order, in the order of first sight; orders without an approval are there too.
    pub(crate) fn ledger(&self, offset: usize, limit: usize) -> Vec<LedgerRow> {
        self.orders
            .iter()
            .skip(offset)
            .take(limit)
            .map(|order| self.row(order))
            .collect()
    }

    /// The row of one order.
    pub(crate) fn ledger_row(&self, order_id: &str) -> Option<LedgerRow> {
        self.by_order
            .get(order_id)
            .map(|index| self.row(&self.orders[*index]))
    }

    pub(super) fn row(&self, order: &Order) -> LedgerRow {
        let mut row = LedgerRow {
            order_id: order.id.clone(),
            approvals: 0,
            approved: 0,
            canceled: 0,
            net: 0,
        };
        let payments = order.payments.iter().map(|index| &self.payments[*index]);
        for payment in payments.filter(|payment| payment.approved_at.is_some()) {
            row.approvals += 1;
            row.approved += payment.amount;
            row.canceled += payment.canceled();
        }
        row.net = row.approved - row.canceled;
        row
    }

    /// How many orders there are.
    pub(crate) fn order_count(&self) -> usize {
        self.orders.len()
    }

    /// How many payments there are.
    pub(crate) fn payment_count(&self) -> usize {
        self.payments.len()
    }

    /// Payments, newest first, with time's work done on them.
    pub(crate) fn newest(
        &mut self,
        now: DateTime<Utc>,
        offset: usize,
        limit: usize,
    ) -> impl Iterator<Item = &Payment> {
        let end = self.payments.len().saturating_sub(offset);
        let start = end.saturating_sub(limit);
        for index in start..end {
            self.lapse(now, index);
        }
        self.payments[start..end].iter().rev()
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
    if account.bank.is_empty() {
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

/// The tax-free part of a cancel: what the merchant says, else what must be for the rest to fit.
fn refunded_tax_free(payment: &Payment, body: &CancelBody, amount: u64) -> Result<u64, ApiError> {
    let least = (payment.tax_free + amount).saturating_sub(payment.balance);
    let tax_free = body.tax_free_amount.map_or(least, |won| won.0);
    if (least..=amount.min(payment.tax_free)).contains(&tax_free) {
        Ok(tax_free)
    } else {
        Err(ApiError::new("INVALID_REFUND_AMOUNT"))
    }
}
