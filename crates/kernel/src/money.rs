use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Quantity;

/// An amount of Korean won, from 0 to [`Money::MAX`].
///
/// Signed differences (ledger rows) are plain `i64` where they are needed.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(try_from = "i64", into = "i64")]
pub struct Money(i64);

/// The amount is negative or above [`Money::MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an amount must be from 0 to {} won", Money::MAX.won())]
pub struct InvalidMoney;

impl Money {
    /// No money.
    pub const ZERO: Self = Self(0);
    /// The largest amount: 10^15 won. It is exact as a JSON number (below 2^53) and a thousand
    /// maximal order lines of it still fit an `i64`.
    pub const MAX: Self = Self(1_000_000_000_000_000);

    /// An amount of `won`.
    pub fn from_won(won: i64) -> Result<Self, InvalidMoney> {
        if (0..=Self::MAX.0).contains(&won) {
            Ok(Self(won))
        } else {
            Err(InvalidMoney)
        }
    }

    /// The amount in won.
    pub const fn won(self) -> i64 {
        self.0
    }

    /// The sum, or `None` above [`Money::MAX`].
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0
            .checked_add(other.0)
            .and_then(|won| Self::from_won(won).ok())
    }

    /// The difference, or `None` below zero.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0
            .checked_sub(other.0)
            .and_then(|won| Self::from_won(won).ok())
    }

    /// The price of `quantity` pieces, or `None` above [`Money::MAX`].
    pub fn checked_mul(self, quantity: Quantity) -> Option<Self> {
        self.0
            .checked_mul(i64::from(quantity.get()))
            .and_then(|won| Self::from_won(won).ok())
    }

    /// The sum of all amounts, or `None` above [`Money::MAX`].
    pub fn checked_sum(amounts: impl IntoIterator<Item = Self>) -> Option<Self> {
        amounts.into_iter().try_fold(Self::ZERO, Self::checked_add)
    }
}

impl TryFrom<i64> for Money {
    type Error = InvalidMoney;

    fn try_from(won: i64) -> Result<Self, Self::Error> {
        Self::from_won(won)
    }
}

impl From<Money> for i64 {
    fn from(money: Money) -> Self {
        money.0
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} won", self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn negative_and_huge_amounts_are_refused() {
        assert_eq!(Money::from_won(-1), Err(InvalidMoney));
        assert_eq!(Money::from_won(Money::MAX.won() + 1), Err(InvalidMoney));
        assert_eq!(Money::from_won(i64::MAX), Err(InvalidMoney));
        assert_eq!(Money::from_won(0), Ok(Money::ZERO));
    }

    #[test]
    fn overflow_is_none_never_a_wrong_sum() {
        let max = Money::MAX;
        let one = Money::from_won(1).unwrap();
        assert_eq!(max.checked_add(one), None);
        assert_eq!(Money::ZERO.checked_sub(one), None);
        assert_eq!(max.checked_mul(Quantity::new(2).unwrap()), None);
        assert_eq!(Money::checked_sum([max, one]), None);
    }

    proptest! {
        #[test]
        fn addition_and_subtraction_undo_each_other(a in 0..=1_000_000_000_i64, b in 0..=1_000_000_000_i64) {
            let (a, b) = (Money::from_won(a).unwrap(), Money::from_won(b).unwrap());
            prop_assert_eq!(a.checked_add(b).unwrap().checked_sub(b), Some(a));
        }
    }
}
