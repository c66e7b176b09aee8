//! The books: every payment, by key and by order, and what may be done with it.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{
    change::{Change, Changes, Opening},
    direct::{Card, fixed_account},
    errors::ApiError,
    method::{Method, Terms},
    news::Chronicle,
    payment::{Payment, Status},
    random::Random,
    request::ConfirmBody,
    transactions::Movements,
};

/// What the bank has done for one order. Amounts are in the smallest unit of its currency: won,
/// yen, cents.
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
    pub(crate) expired: String,
    pub(crate) foreign: String,
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
    pub(super) chronicle: Chronicle,
    /// When cancels under way are decided on, and of which payments.
    pub(super) deciding: Vec<(DateTime<Utc>, usize)>,
}

/// What a new payment needs to be told.
#[derive(Debug, Clone)]
pub(crate) struct NewPayment {
    pub(crate) order_id: String,
    pub(crate) order_name: String,
    pub(crate) amount: u64,
    pub(crate) tax_free: u64,
    pub(crate) method: Method,
    pub(crate) terms: Terms,
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
        let fixed = match (&new.method, &new.terms.account_key) {
            (Method::VirtualAccount { bank_code, .. }, Some(account_key)) => {
                Some(fixed_account(bank_code, account_key))
            }
            _ => None,
        };
        self.book(Change::Opened(Box::new(Opening {
            payment_key: key.clone(),
            order_id: new.order_id,
            order_name: new.order_name,
            amount: new.amount,
            tax_free: new.tax_free.min(new.amount),
            method: new.method,
            at: now,
            secret: random.secret(),
            digits: {
                // Drawn in any case, so that nothing after it depends on it.
                let drawn = random.digits(12);
                fixed.unwrap_or(drawn)
            },
            terms: new.terms.boxed(),
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
    pub(super) fn lapse(&mut self, now: DateTime<Utc>, index: usize) {
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
        card: Option<Card>,
        decline_at_confirm: Option<String>,
    ) -> Result<(), ApiError> {
        let payment = self
            .find(now, key)
            .ok_or_else(|| ApiError::new("NOT_FOUND_PAYMENT"))?;
        if payment.status != Status::Ready {
            return Err(ApiError::new("NOT_FOUND_PAYMENT_SESSION"));
        }
        let card_points = match payment.terms().card_points_wanted {
            Some(false) => false,
            Some(true) | None => card.as_ref().is_some_and(|card| card.points),
        };
        self.book(Change::Authenticated {
            payment_key: key.to_owned(),
            at: now,
            method,
            card_number: card.map(|card| card.masked),
            card_points,
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
    /// `INVALID_API_KEY` if the payment was opened with the client key of the other pair;
    /// `INVALID_REQUEST` for a fraction that the currency does not have; the configured codes for
    /// an unknown payment and a differing order or amount.
    pub(crate) fn match_confirm(
        &mut self,
        now: DateTime<Utc>,
        body: &ConfirmBody,
        codes: &MismatchCodes,
        widget: bool,
    ) -> Result<&Payment, ApiError> {
        let payment = self
            .find(now, &body.payment_key)
            .ok_or_else(|| ApiError::with_fallback(&codes.foreign, 404))?;
        if payment.terms().widget != widget {
            return Err(ApiError::new("INVALID_API_KEY"));
        }
        if payment.order_id != body.order_id {
            return Err(ApiError::with_fallback(&codes.order, 403));
        }
        let amount = body.amount.minor(payment.currency());
        let amount = amount.ok_or_else(|| ApiError::new("INVALID_REQUEST"))?;
        if payment.amount != amount {
            return Err(ApiError::new(&codes.amount));
        }
        Ok(payment)
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
