//! The books examine themselves, and one engine's books are compared with another's.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher, Hash};

use super::{
    Engine,
    bank::Bank,
    payment::{Payment, Status},
};

/// Most findings that are spelled out; the rest are counted.
const FINDINGS_MAX: usize = 100;

/// What is wrong with the books, in words.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Findings {
    /// The first hundred.
    pub shown: Vec<String>,
    /// All of them.
    pub total: usize,
}

impl Findings {
    fn add(&mut self, finding: impl FnOnce() -> String) {
        if self.shown.len() < FINDINGS_MAX {
            self.shown.push(finding());
        }
        self.total += 1;
    }

    fn expect(&mut self, holds: bool, finding: impl FnOnce() -> String) {
        if !holds {
            self.add(finding);
        }
    }

    /// A single one.
    pub fn one(finding: String) -> Self {
        Self {
            shown: vec![finding],
            total: 1,
        }
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// Adds another examination's findings.
    pub fn extend(&mut self, other: Self) {
        let left = FINDINGS_MAX - self.shown.len();
        self.shown.extend(other.shown.into_iter().take(left));
        self.total += other.total;
    }
}

/// A digest of everything that a journal must bring back: payments one by one, orders, movements,
/// windows, stored answers, clock. Comparable only within one process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint {
    payments: Vec<u64>,
    orders: u64,
    movements: u64,
    windows: u64,
    billing: u64,
    receipts: u64,
    payouts: u64,
    brandpay: u64,
    webhooks: u64,
    answers: u64,
    clock_offset_ms: i64,
}

impl Fingerprint {
    /// How the state that a journal brought back differs from this one, the live one.
    pub fn differences(&self, replayed: &Self) -> Findings {
        let mut findings = Findings::default();
        let (live, back) = (self.payments.len(), replayed.payments.len());
        findings.expect(live == back, || {
            format!("the journal brings back {back} payments of {live}")
        });
        for (index, (live, back)) in self.payments.iter().zip(&replayed.payments).enumerate() {
            findings.expect(live == back, || {
                format!(
                    "the journal brings back another payment number {}",
                    index + 1
                )
            });
        }
        for (what, live, back) in [
            ("orders", self.orders, replayed.orders),
            ("transactions", self.movements, replayed.movements),
            ("windows", self.windows, replayed.windows),
            ("billing keys", self.billing, replayed.billing),
            ("cash receipts", self.receipts, replayed.receipts),
            ("payouts or sellers", self.payouts, replayed.payouts),
            ("customers of brandpay", self.brandpay, replayed.brandpay),
            ("webhooks", self.webhooks, replayed.webhooks),
            ("idempotency records", self.answers, replayed.answers),
        ] {
            findings.expect(live == back, || {
                format!("the journal brings back other {what}")
            });
        }
        findings.expect(self.clock_offset_ms == replayed.clock_offset_ms, || {
            "the journal brings back another clock".to_owned()
        });
        findings
    }
}

fn fingerprint_of(value: impl Hash) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(value)
}

/// A digest that does not depend on the order of the items.
pub(super) fn fingerprint_of_unordered<T: Hash>(items: impl IntoIterator<Item = T>) -> u64 {
    items
        .into_iter()
        .fold(0, |sum, item| sum.wrapping_add(fingerprint_of(item)))
}

impl Engine {
    /// A digest of the state. Takes time in proportion to the payments: about a second for a
    /// million.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint {
            payments: self.bank.payments.iter().map(fingerprint_of).collect(),
            orders: fingerprint_of(&self.bank.orders),
            movements: fingerprint_of(self.bank.movements.rows()),
            windows: self.windows.fingerprint(),
            billing: self.billing.fingerprint(),
            receipts: fingerprint_of(self.receipts.rows()),
            payouts: fingerprint_of(self.payouts.state()),
            brandpay: self.brandpay.fingerprint(),
            webhooks: self.outbox.fingerprint(),
            answers: self.idempotency.fingerprint(),
            clock_offset_ms: self.clock_offset_ms,
        }
    }

    /// Examines the books: at most one net approval per order, and every balance the sum of what
    /// moved.
    pub fn audit(&self) -> Findings {
        let mut findings = Findings::default();
        audit_orders(&self.bank, &mut findings);
        audit_balances(&self.bank, &mut findings);
        findings
    }
}

fn audit_orders(bank: &Bank, findings: &mut Findings) {
    for order in &bank.orders {
        let row = bank.row(order);
        let paid = order
            .payments
            .iter()
            .filter_map(|index| bank.payments.get(*index))
            .filter(|payment| payment.approved_at.is_some() && payment.balance > 0)
            .count();
        findings.expect(paid <= 1, || {
            format!("order {} is charged {paid} times", order.id)
        });
        findings.expect(row.approvals <= 1, || {
            format!("order {} was approved {} times", order.id, row.approvals)
        });
    }
}

fn audit_balances(bank: &Bank, findings: &mut Findings) {
    let mut moved = vec![0_i128; bank.payments.len()];
    for movement in bank.movements.rows() {
        let index = movement.payment();
        let amount = bank
            .payments
            .get(index)
            .and_then(|payment| movement.signed_amount(payment));
        match (moved.get_mut(index), amount) {
            (Some(sum), Some(amount)) => *sum += amount,
            _ => findings.add(|| "a transaction belongs to no payment or cancel".to_owned()),
        }
    }
    let (rows, keys) = (bank.movements.rows().len(), bank.movements.key_count());
    findings.expect(rows == keys, || {
        format!("{rows} transactions share {keys} keys")
    });
    for (payment, moved) in bank.payments.iter().zip(moved) {
        audit_payment(payment, moved, findings);
    }
}

fn audit_payment(payment: &Payment, moved: i128, findings: &mut Findings) {
    let key = &payment.key;
    let paid = payment.approved_at.is_some();
    let held = if paid { payment.balance } else { 0 };
    findings.expect(i128::from(held) == moved, || {
        format!("payment {key} holds {held} won, but {moved} won moved")
    });
    let canceled: u128 = payment
        .cancels
        .iter()
        .map(|cancel| u128::from(cancel.amount))
        .sum();
    let accounted = u128::from(payment.balance) + canceled;
    findings.expect(u128::from(payment.amount) == accounted, || {
        format!("payment {key}: amount, balance and cancels do not add up")
    });
    let fits = match payment.status {
        Status::Done => paid && canceled == 0,
        Status::PartialCanceled => paid && canceled > 0,
        Status::Canceled => payment.balance == 0,
        Status::Ready
        | Status::InProgress
        | Status::WaitingForDeposit
        | Status::Aborted
        | Status::Expired => !paid && canceled == 0,
    };
    findings.expect(fits, || {
        format!(
            "payment {key} is {:?}, which its money contradicts",
            payment.status
        )
    });
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::{
        DEFAULT_SECRET_KEY, SandboxConfig,
        engine::{ApiRequest, Method},
    };

    fn paid() -> Engine {
        let now = DateTime::UNIX_EPOCH;
        let mut engine = Engine::new(&SandboxConfig::default());
        let key = engine.authenticate(now, "order-0001", "name", 1_000, Method::card());
        engine.call(
            now,
            ApiRequest::confirm(DEFAULT_SECRET_KEY, &key, "order-0001", 1_000),
        );
        engine
    }

    #[test]
    fn books_in_order_have_no_findings() {
        assert_eq!(paid().audit(), Findings::default());
    }

    #[test]
    fn a_double_charge_is_found() {
        let mut engine = paid();
        let mut second = engine.bank.payments[0].clone();
        second.key = "second".to_owned();
        engine.bank.payments.push(second);
        engine.bank.orders[0].payments.push(1);
        let found = engine.audit();
        assert!(found.shown[0].contains("charged 2 times"), "{found:?}");
    }

    #[test]
    fn money_that_never_moved_is_found() {
        let mut engine = paid();
        engine.bank.payments[0].balance = 999;
        let found = engine.audit();
        assert!(
            found.shown[0].contains("holds 999 won, but 1000 won moved"),
            "{found:?}"
        );
    }

    #[test]
    fn a_difference_between_two_states_is_named() {
        let (mut engine, twin) = (paid(), paid());
        assert!(
            engine
                .fingerprint()
                .differences(&twin.fingerprint())
                .is_empty()
        );
        engine.bank.payments[0].balance = 999;
        engine.advance_clock(1);
        let found = engine.fingerprint().differences(&twin.fingerprint());
        assert_eq!(found.total, 2, "{found:?}");
    }
}
