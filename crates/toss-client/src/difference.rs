//! What Toss did against what was asked for.

use std::fmt;

use rust_decimal::Decimal;

use crate::{Payment, PaymentStatus};

/// The first thing in which a payment is not the one that was asked for. Shows no key and no
/// order, so it can be logged.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Difference {
    /// It has another payment key.
    PaymentKey,
    /// It belongs to another order: most often an idempotency key was reused.
    OrderId,
    /// Its total is another one.
    Amount {
        /// Asked for, in the currency's main unit.
        expected: Decimal,
        /// What Toss says.
        found: Decimal,
    },
    /// It is in another currency.
    Currency {
        /// Asked for.
        expected: String,
        /// What Toss says.
        found: String,
    },
    /// It is neither approved nor waiting for its deposit.
    Status(PaymentStatus),
}

impl Difference {
    /// An absent currency counts as KRW: versions before 1.4 have no field for it.
    pub(crate) fn between(
        payment: &Payment,
        order_id: &str,
        amount: Decimal,
        currency: &str,
    ) -> Option<Self> {
        let found = payment.currency.as_deref().unwrap_or("KRW");
        if payment.order_id != order_id {
            Some(Self::OrderId)
        } else if payment.total_amount != amount {
            Some(Self::Amount {
                expected: amount,
                found: payment.total_amount,
            })
        } else if found != currency {
            Some(Self::Currency {
                expected: currency.to_owned(),
                found: found.to_owned(),
            })
        } else {
            None
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PaymentKey => f.write_str("the payment key is another"),
            Self::OrderId => f.write_str("the order is another"),
            Self::Amount { expected, found } => {
                write!(f, "the amount is {found} instead of {expected}")
            }
            Self::Currency { expected, found } => {
                write!(f, "the currency is {found} instead of {expected}")
            }
            Self::Status(status) => write!(f, "the status is {status}"),
        }
    }
}
