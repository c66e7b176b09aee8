//! The one place where the books change: a change is applied, live or when they are rebuilt.

use std::collections::hash_map::Entry;

use chrono::{DateTime, Utc};

use super::{
    bank::{Bank, Order},
    change::{Change, Inconsistent, Opening},
    method::Method,
    payment::{Cancel, Payment, Reversal, Status},
    transactions::Movement,
};

impl Bank {
    /// Notes and applies a change that the bank has found to be right.
    pub(super) fn book(&mut self, change: Change) {
        let copy = self.changes.copy(&change);
        self.chronicle.hear(&change, &self.by_key);
        match self.apply(change) {
            Ok(()) => self.changes.note(copy),
            Err(error) => debug_assert!(false, "{error}"),
        }
    }

    /// Applies a change of a payment.
    ///
    /// # Errors
    /// [`Inconsistent`] if it cannot follow from what the books say; they are then as before.
    pub(super) fn apply(&mut self, change: Change) -> Result<(), Inconsistent> {
        match change {
            Change::Opened(opening) => self.open_booked(*opening),
            Change::Authenticated {
                payment_key,
                at,
                method,
                card_number,
                card_points,
                decline_at_confirm,
            } => {
                let chosen = (method, card_number, card_points, decline_at_confirm);
                self.authenticate_booked(&payment_key, at, chosen)
            }
            Change::Approved {
                payment_key,
                at,
                amount,
                transaction_key,
            } => self.pay_in(
                ("approval of", &[Status::InProgress]),
                &payment_key,
                (at, amount),
                transaction_key,
            ),
            Change::Deposited {
                payment_key,
                at,
                amount,
                transaction_key,
            } => self.pay_in(
                ("deposit for", &[Status::WaitingForDeposit]),
                &payment_key,
                (at, amount),
                transaction_key,
            ),
            Change::AccountIssued {
                payment_key,
                due_at,
                transaction_key,
            } => self.issue_account(&payment_key, due_at, transaction_key),
            Change::AccountDue {
                payment_key,
                due_at,
            } => self.end_account(&payment_key, due_at),
            Change::Declined { payment_key, code } => {
                self.end("decline of", &payment_key, Status::Aborted, code)
            }
            Change::Expired { payment_key } => {
                let code = "EXPIRED_PAYMENT".to_owned();
                self.end("expiry of", &payment_key, Status::Expired, code)
            }
            Change::DepositReversed {
                payment_key,
                at,
                transaction_key,
            } => self.reverse(&payment_key, at, transaction_key),
            other => self.apply_cancel(other),
        }
    }

    /// Applies a change by which money goes back.
    fn apply_cancel(&mut self, change: Change) -> Result<(), Inconsistent> {
        match change {
            Change::Canceled {
                payment_key,
                at,
                amount,
                tax_free,
                tax_exemption,
                reason,
                transaction_key,
                refund_account,
            } => self.give_back(
                &payment_key,
                Cancel {
                    amount,
                    tax_free,
                    tax_exemption,
                    reason,
                    balance_after: 0,
                    at,
                    transaction_key,
                    refund_account,
                    request_id: None,
                },
            ),
            Change::CancelStarted {
                payment_key,
                at,
                amount,
                tax_free,
                tax_exemption,
                reason,
                transaction_key,
                request_id,
            } => self.start_cancel(
                &payment_key,
                Cancel {
                    amount,
                    tax_free,
                    tax_exemption,
                    reason,
                    balance_after: 0,
                    at,
                    transaction_key,
                    refund_account: None,
                    request_id,
                },
            ),
            Change::CancelDecided {
                payment_key,
                transaction_key,
                at,
                done,
            } => self.end_cancel(&payment_key, &transaction_key, (at, done)),
            // `Engine::apply` keeps what belongs to the other books from the bank.
            _ => Err(Inconsistent::new("the bank's part in", "it")),
        }
    }

    fn end_account(&mut self, key: &str, due_at: DateTime<Utc>) -> Result<(), Inconsistent> {
        let (_, payment) = self.standing("expiry of", key, &[Status::WaitingForDeposit])?;
        payment.due_at = Some(due_at);
        Ok(())
    }

    fn authenticate_booked(
        &mut self,
        key: &str,
        at: DateTime<Utc>,
        (method, card_number, card_points, decline_at_confirm): (
            Method,
            Option<String>,
            bool,
            Option<String>,
        ),
    ) -> Result<(), Inconsistent> {
        let (_, payment) = self.standing("authentication of", key, &[Status::Ready])?;
        payment.method = method;
        payment.status = Status::InProgress;
        payment.authenticated_at = Some(at);
        payment.decline_at_confirm = decline_at_confirm;
        if card_number.is_some() {
            payment.terms.get_or_insert_default().card_number = card_number;
        }
        if card_points {
            payment.terms.get_or_insert_default().card_points = true;
        }
        Ok(())
    }

    fn issue_account(
        &mut self,
        key: &str,
        due_at: DateTime<Utc>,
        transaction_key: String,
    ) -> Result<(), Inconsistent> {
        let (_, payment) = self.standing("account of", key, &[Status::InProgress])?;
        payment.status = Status::WaitingForDeposit;
        payment.due_at = Some(due_at);
        payment.last_transaction_key = Some(transaction_key);
        Ok(())
    }

    fn open_booked(&mut self, opening: Opening) -> Result<(), Inconsistent> {
        let index = self.payments.len();
        let key = opening.payment_key;
        match self.by_key.entry(key.clone()) {
            Entry::Occupied(_) => return Err(Inconsistent::new("opening of", &key)),
            Entry::Vacant(vacant) => vacant.insert(index),
        };
        if let Some(order) = self.by_order.get(&opening.order_id) {
            self.orders[*order].payments.push(index);
        } else {
            self.by_order
                .insert(opening.order_id.clone(), self.orders.len());
            self.orders.push(Order {
                id: opening.order_id.clone(),
                payments: vec![index],
            });
        }
        self.payments.push(Payment {
            key,
            order_id: opening.order_id,
            order_name: opening.order_name,
            amount: opening.amount,
            balance: opening.amount,
            tax_free: opening.tax_free,
            method: opening.method,
            status: Status::Ready,
            requested_at: opening.at,
            authenticated_at: None,
            approved_at: None,
            due_at: None,
            approval_key: None,
            reversals: Vec::new(),
            last_transaction_key: None,
            secret: opening.secret,
            digits: opening.digits,
            cancels: Vec::new(),
            underway: Vec::new(),
            failure_code: None,
            decline_at_confirm: None,
            terms: opening.terms,
        });
        Ok(())
    }

    /// The payment of a key with its index, if it is in one of the states that a change starts
    /// from.
    fn standing(
        &mut self,
        what: &'static str,
        key: &str,
        from: &[Status],
    ) -> Result<(usize, &mut Payment), Inconsistent> {
        self.by_key
            .get(key)
            .and_then(|index| Some((*index, self.payments.get_mut(*index)?)))
            .filter(|(_, payment)| from.contains(&payment.status))
            .ok_or_else(|| Inconsistent::new(what, key))
    }

    fn pay_in(
        &mut self,
        (what, from): (&'static str, &[Status]),
        key: &str,
        (at, amount): (DateTime<Utc>, u64),
        transaction_key: String,
    ) -> Result<(), Inconsistent> {
        let (index, payment) = self.standing(what, key, from)?;
        if payment.amount != amount {
            return Err(Inconsistent::new(what, key));
        }
        let nth = payment.reversals.len();
        payment.status = Status::Done;
        payment.approved_at = Some(at);
        payment.approval_key = Some(transaction_key.clone());
        payment.last_transaction_key = Some(transaction_key.clone());
        self.movements
            .push(transaction_key, Movement::approval(at, index, nth));
        Ok(())
    }

    /// The bank takes a deposit back, and the account waits for another.
    fn reverse(
        &mut self,
        key: &str,
        at: DateTime<Utc>,
        transaction_key: String,
    ) -> Result<(), Inconsistent> {
        let what = "reversal of";
        let (index, payment) = self.standing(what, key, &[Status::Done])?;
        let Some(approval_key) = payment.approval_key.take() else {
            return Err(Inconsistent::new(what, key));
        };
        let nth = payment.reversals.len();
        payment.status = Status::WaitingForDeposit;
        payment.approved_at = None;
        payment.last_transaction_key = Some(transaction_key.clone());
        payment.reversals.push(Reversal {
            approval_key,
            transaction_key: transaction_key.clone(),
        });
        self.movements
            .push(transaction_key, Movement::reversal(at, index, nth));
        Ok(())
    }

    fn end(
        &mut self,
        what: &'static str,
        key: &str,
        status: Status,
        code: String,
    ) -> Result<(), Inconsistent> {
        let (_, payment) = self.standing(what, key, &[Status::Ready, Status::InProgress])?;
        payment.status = status;
        payment.failure_code = Some(code);
        Ok(())
    }

    /// Books a cancel. Only one cancel of everything makes CANCELED; parts that add up to
    /// everything leave `PARTIAL_CANCELED` with a balance of 0, as was measured at Toss.
    pub(super) fn give_back(&mut self, key: &str, mut cancel: Cancel) -> Result<(), Inconsistent> {
        let what = "cancel of";
        let from = [
            Status::Done,
            Status::PartialCanceled,
            Status::WaitingForDeposit,
        ];
        let (index, payment) = self.standing(what, key, &from)?;
        if cancel.amount > payment.balance
            || cancel.tax_free > payment.tax_free
            || cancel.tax_exemption > payment.tax_exemption()
        {
            return Err(Inconsistent::new(what, key));
        }
        payment.balance -= cancel.amount;
        payment.tax_free -= cancel.tax_free;
        payment.status = if cancel.amount == payment.amount {
            Status::Canceled
        } else {
            Status::PartialCanceled
        };
        payment.last_transaction_key = Some(cancel.transaction_key.clone());
        cancel.balance_after = payment.balance;
        let movement = payment
            .approved_at
            .map(|_| Movement::cancel(cancel.at, index, payment.cancels.len()));
        let transaction_key = cancel.transaction_key.clone();
        payment.cancels.push(cancel);
        // An account that nobody paid into is withdrawn: no money moves, so nothing is listed.
        if let Some(movement) = movement {
            self.movements.push(transaction_key, movement);
        }
        Ok(())
    }
}
