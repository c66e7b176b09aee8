//! How money comes in: confirms, charges without a window, deposits.

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    bank::{Bank, MismatchCodes, NewPayment},
    change::Change,
    errors::ApiError,
    method::Method,
    payment::{DEPOSIT_LIFE, Payment, Status},
    promotions::takes_points,
    random::Random,
    request::ConfirmBody,
};

impl Bank {
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
        widget: bool,
    ) -> Result<&Payment, ApiError> {
        match self.match_confirm(now, body, codes, widget)?.status {
            Status::Ready => return Err(ApiError::new("NOT_FOUND_PAYMENT_SESSION")),
            Status::Expired => return Err(ApiError::with_fallback(&codes.expired, 404)),
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
        let payment = self.match_confirm(now, body, codes, widget)?;
        let payment_key = body.payment_key.clone();
        let points = payment.terms().card_points;
        let no_points =
            points && !takes_points(&payment.method, payment.amount, payment.currency());
        let no_points = no_points.then_some("NOT_ALLOWED_POINT_USE");
        if let Some(code) = payment.decline_at_confirm.as_deref().or(no_points) {
            let error = ApiError::new(code);
            let code = code.to_owned();
            self.book(Change::Declined { payment_key, code });
            return Err(error);
        }
        let change = take(now, random, payment);
        self.book(change);
        self.booked(&body.payment_key)
    }

    /// Makes a payment without a window: opened, authenticated and approved (or its account
    /// issued) in one step.
    ///
    /// # Errors
    /// `DUPLICATED_ORDER_ID` if another payment has used the order up.
    pub(crate) fn charge(
        &mut self,
        now: DateTime<Utc>,
        random: &mut Random,
        new: NewPayment,
    ) -> Result<&Payment, ApiError> {
        if self
            .find_by_order(now, &new.order_id)
            .is_some_and(Payment::occupies_order)
        {
            return Err(ApiError::new("DUPLICATED_ORDER_ID"));
        }
        let method = new.method.clone();
        let key = self.open(now, random, new);
        self.authenticate(now, &key, method, None, None)?;
        let change = take(now, random, self.booked(&key)?);
        self.book(change);
        self.booked(&key)
    }

    /// The payment as it is after a change.
    pub(super) fn booked(&self, key: &str) -> Result<&Payment, ApiError> {
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

    /// Time runs out at once: an unfinished payment expires, an account takes no deposit any more.
    ///
    /// # Errors
    /// `NOT_FOUND_PAYMENT`; `INVALID_REQUEST` if the payment waits for nothing.
    pub(crate) fn expire(&mut self, now: DateTime<Utc>, key: &str) -> Result<&Payment, ApiError> {
        let payment = self
            .find(now, key)
            .ok_or_else(|| ApiError::new("NOT_FOUND_PAYMENT"))?;
        let payment_key = key.to_owned();
        let change = match payment.status {
            Status::Ready | Status::InProgress => Change::Expired { payment_key },
            Status::WaitingForDeposit => Change::AccountDue {
                payment_key,
                due_at: now,
            },
            Status::Done
            | Status::Canceled
            | Status::PartialCanceled
            | Status::Aborted
            | Status::Expired => return Err(ApiError::new("INVALID_REQUEST")),
        };
        self.book(change);
        self.booked(key)
    }

    /// A deposit turns out to be an error, and the account waits for another: DONE →
    /// `WAITING_FOR_DEPOSIT`.
    ///
    /// # Errors
    /// `NOT_FOUND_PAYMENT`; `INVALID_REQUEST` if no deposit stands, or some of it went back.
    pub(crate) fn reverse_deposit(
        &mut self,
        now: DateTime<Utc>,
        random: &mut Random,
        key: &str,
    ) -> Result<&Payment, ApiError> {
        let payment = self
            .find(now, key)
            .ok_or_else(|| ApiError::new("NOT_FOUND_PAYMENT"))?;
        let account = matches!(payment.method, Method::VirtualAccount { .. });
        if payment.status != Status::Done || !account {
            return Err(ApiError::new("INVALID_REQUEST"));
        }
        self.book(Change::DepositReversed {
            payment_key: key.to_owned(),
            at: now,
            transaction_key: random.transaction_key(),
        });
        self.booked(key)
    }
}

/// The change that takes an authenticated payment's money, or issues the account for it.
fn take(now: DateTime<Utc>, random: &mut Random, payment: &Payment) -> Change {
    let (payment_key, transaction_key) = (payment.key.clone(), random.transaction_key());
    if matches!(payment.method, Method::VirtualAccount { .. }) {
        let terms = payment.terms();
        let life = terms
            .valid_hours
            .map_or(DEPOSIT_LIFE, |hours| TimeDelta::hours(i64::from(hours)));
        Change::AccountIssued {
            payment_key,
            due_at: terms.due_at.unwrap_or(now + life),
            transaction_key,
        }
    } else {
        Change::Approved {
            payment_key,
            at: now,
            amount: payment.amount,
            transaction_key,
        }
    }
}
