//! Cancels that a wallet abroad decides on later: until then no money moves.

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    ApiError, Engine, Language,
    bank::Bank,
    change::{Change, Inconsistent},
    json,
    method::Method,
    payment::{Cancel, Payment},
    writing,
};

/// How long a wallet abroad takes to decide on a cancel (assumed).
pub const CANCEL_DELAY: TimeDelta = TimeDelta::seconds(10);

/// A cancel that was asked for and is not carried out.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Underway {
    /// What is to be given back.
    pub cancel: Cancel,
    /// Whether the wallet refused; otherwise it has not decided yet.
    pub aborted: bool,
}

impl Payment {
    /// Whether cancels are decided on later: at wallets abroad, of which `PayPal` is none (Toss,
    /// `cancelRequestId`), and neither is one without a name.
    pub(super) fn cancels_later(&self) -> bool {
        matches!(&self.method, Method::ForeignEasyPay { provider }
            if !matches!(provider.as_str(), "PAYPAL" | ""))
    }

    /// The cancel on which the wallet has not decided yet.
    pub(super) fn cancel_underway(&self) -> Option<&Cancel> {
        let underway = self.underway.iter().find(|underway| !underway.aborted);
        underway.map(|underway| &underway.cancel)
    }

    /// A cancel that is not carried out, by its transaction.
    pub(super) fn find_underway(&self, transaction_key: &str) -> Option<&Underway> {
        let mut underway = self.underway.iter();
        underway.find(|underway| underway.cancel.transaction_key == transaction_key)
    }
}

impl Bank {
    /// Carries out the cancels whose time has come.
    pub(super) fn decide_cancels(&mut self, now: DateTime<Utc>) {
        while let Some((due, index)) = self.next_decision().filter(|(due, _)| *due <= now) {
            if !self.decide(index, due, true) {
                break;
            }
        }
    }

    /// When the next cancel is decided on, and of which payment.
    pub(super) fn next_decision(&self) -> Option<(DateTime<Utc>, usize)> {
        self.deciding.iter().min().copied()
    }

    /// Decides on the cancel of a payment; false if none is under way.
    fn decide(&mut self, index: usize, at: DateTime<Utc>, done: bool) -> bool {
        let payment = self.payments.get(index);
        let Some((payment, cancel)) =
            payment.and_then(|payment| Some((payment, payment.cancel_underway()?)))
        else {
            return false;
        };
        let change = Change::CancelDecided {
            payment_key: payment.key.clone(),
            transaction_key: cancel.transaction_key.clone(),
            at,
            done,
        };
        self.book(change);
        true
    }

    /// The wallet refuses the cancel of a payment.
    ///
    /// # Errors
    /// `NOT_FOUND_PAYMENT`; `INVALID_REQUEST` if none is under way.
    pub(crate) fn abort_cancel(
        &mut self,
        now: DateTime<Utc>,
        key: &str,
    ) -> Result<&Payment, ApiError> {
        let index = self.by_key.get(key).copied();
        let index = index.ok_or_else(|| ApiError::new("NOT_FOUND_PAYMENT"))?;
        if self.decide(index, now, false) {
            self.booked(key)
        } else {
            Err(ApiError::new("INVALID_REQUEST"))
        }
    }

    /// Books that a cancel was asked for.
    pub(super) fn start_cancel(&mut self, key: &str, cancel: Cancel) -> Result<(), Inconsistent> {
        let what = "cancel asked of";
        let index = self.by_key.get(key).copied();
        let index = index.ok_or_else(|| Inconsistent::new(what, key))?;
        let payment = self.payments.get_mut(index);
        let payment = payment.filter(|payment| {
            payment.approved_at.is_some()
                && payment.cancel_underway().is_none()
                && cancel.amount <= payment.balance
        });
        let payment = payment.ok_or_else(|| Inconsistent::new(what, key))?;
        self.deciding.push((cancel.at + CANCEL_DELAY, index));
        payment.underway.push(Underway {
            cancel: Cancel {
                balance_after: payment.balance - cancel.amount,
                ..cancel
            },
            aborted: false,
        });
        Ok(())
    }

    /// Books what became of it.
    pub(super) fn end_cancel(
        &mut self,
        key: &str,
        transaction_key: &str,
        (at, done): (DateTime<Utc>, bool),
    ) -> Result<(), Inconsistent> {
        let what = "decision on a cancel of";
        let index = self.by_key.get(key).copied();
        let index = index.ok_or_else(|| Inconsistent::new(what, key))?;
        let payment = self.payments.get_mut(index);
        let payment = payment.ok_or_else(|| Inconsistent::new(what, key))?;
        let position = payment.underway.iter().position(|underway| {
            underway.cancel.transaction_key == transaction_key && !underway.aborted
        });
        let position = position.ok_or_else(|| Inconsistent::new(what, key))?;
        self.deciding.retain(|(_, other)| *other != index);
        if !done {
            let underway = &mut payment.underway[position];
            underway.aborted = true;
            underway.cancel.balance_after = payment.balance;
            return Ok(());
        }
        let underway = payment.underway.remove(position);
        self.give_back(
            key,
            Cancel {
                at,
                ..underway.cancel
            },
        )
    }
}

impl Engine {
    /// A wallet abroad refuses the cancel that is under way. Returns the Payment object.
    ///
    /// # Errors
    /// `NOT_FOUND_PAYMENT`; `INVALID_REQUEST` if none is under way.
    pub fn abort_cancel(&mut self, now: DateTime<Utc>, key: &str) -> Result<String, ApiError> {
        let payment = self.bank.abort_cancel(now, key)?;
        Ok(json(&payment.view(now, writing!(self, Language::Korean))))
    }

    /// Carries out the cancels on which wallets abroad have decided by now.
    pub(crate) fn decide_cancels(&mut self, now: DateTime<Utc>) {
        self.bank.decide_cancels(now);
    }
}
