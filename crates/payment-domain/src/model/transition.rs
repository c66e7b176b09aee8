use std::fmt;

use super::PaymentStatus;

/// Something that happened to a payment. The only way a status changes is [`PaymentFact::apply`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PaymentFact {
    /// The order was checked out. The first line of every history; no transition.
    CheckedOut,
    /// A valid confirm took the payment under its lease.
    Claimed,
    /// The time to pay ran out before any confirm.
    CheckoutLapsed,
    /// Toss approved, and what it approved agrees with the order.
    Approved,
    /// Toss issued a virtual account for the right amount.
    DepositAwaited,
    /// Toss declined for good, or shows the payment as aborted, expired or canceled.
    Declined,
    /// A product's stock did not suffice; Toss was never asked to approve.
    StockShort,
    /// The payment key is not this order's.
    KeyRefused,
    /// Toss refused our own credentials or configuration.
    CredentialsRefused,
    /// Toss was asked, or may have been, and no certain answer came.
    AnswerMissing,
    /// Recovery took the payment under a lease of its own, to look again.
    LookStarted,
    /// Recovery sends an approval under a new attempt.
    AttemptStarted,
    /// Toss has no such payment, seen more than once, and the buyer can still pay.
    NeverSeen,
    /// Toss has no such payment, seen more than once, and the time to pay is over.
    NeverSeenAndLapsed,
    /// What Toss approved contradicts the order, or the limit of looks is reached.
    Quarantined,
    /// Toss saw the deposit.
    Deposited,
    /// Toss closed the virtual account without a deposit.
    DepositLapsed,
    /// Toss took a deposit back that it had reported by error.
    DepositReversed,
    /// A cancel was asked for and is about to be sent to Toss.
    CancelClaimed,
    /// A cancel was sent, or may have been, and no certain answer came.
    CancelUnanswered,
    /// Toss refused a cancel for good; no money moved.
    CancelRefused,
    /// A part of the money was given back.
    CanceledInPart,
    /// All of the money was given back.
    CanceledInFull,
    /// An operator settled a quarantined payment as paid, and Toss did not contradict.
    ResolvedAsDone,
    /// An operator settled a quarantined payment as not paid, and Toss did not contradict.
    ResolvedAsFailed,
    /// A last look after the end: does Toss show money for an order that failed or expired?
    OrphanSought,
    /// Toss shows money for an ended order; it is about to be given back.
    OrphanFound,
    /// The money for an ended order was given back.
    OrphanReturned,
}

/// This fact cannot happen to a payment of that status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{fact} cannot happen to a payment that is {from}")]
pub struct IllegalTransition {
    /// The payment's status.
    pub from: PaymentStatus,
    /// What was to be recorded.
    pub fact: PaymentFact,
}

impl PaymentFact {
    /// Every fact.
    pub const ALL: [Self; 28] = [
        Self::CheckedOut,
        Self::Claimed,
        Self::CheckoutLapsed,
        Self::Approved,
        Self::DepositAwaited,
        Self::Declined,
        Self::StockShort,
        Self::KeyRefused,
        Self::CredentialsRefused,
        Self::AnswerMissing,
        Self::LookStarted,
        Self::AttemptStarted,
        Self::NeverSeen,
        Self::NeverSeenAndLapsed,
        Self::Quarantined,
        Self::Deposited,
        Self::DepositLapsed,
        Self::DepositReversed,
        Self::CancelClaimed,
        Self::CancelUnanswered,
        Self::CancelRefused,
        Self::CanceledInPart,
        Self::CanceledInFull,
        Self::ResolvedAsDone,
        Self::ResolvedAsFailed,
        Self::OrphanSought,
        Self::OrphanFound,
        Self::OrphanReturned,
    ];

    /// The status after this fact, or a refusal. This table is the whole state machine.
    pub fn apply(self, from: PaymentStatus) -> Result<PaymentStatus, IllegalTransition> {
        use PaymentStatus as S;
        let to = match (self, from) {
            (Self::Claimed, S::Ready) => S::InProgress,
            (Self::CheckoutLapsed, S::Ready) => S::Expired,

            (Self::Approved, S::InProgress | S::Unknown) => S::Done,
            (Self::DepositAwaited, S::InProgress | S::Unknown) => S::WaitingForDeposit,
            (Self::Declined | Self::StockShort, S::InProgress | S::Unknown) => S::Failed,
            (Self::KeyRefused | Self::CredentialsRefused, S::InProgress) => S::Ready,

            (Self::AnswerMissing, S::InProgress | S::Unknown) => S::Unknown,
            (Self::LookStarted, S::InProgress | S::Unknown) => S::Unknown,
            (Self::LookStarted, S::WaitingForDeposit) => S::WaitingForDeposit,
            (Self::AnswerMissing, S::WaitingForDeposit) => S::WaitingForDeposit,
            (Self::AttemptStarted, S::Unknown) => S::Unknown,
            (Self::NeverSeen, S::Unknown) => S::Ready,
            (Self::NeverSeenAndLapsed, S::Unknown) => S::Expired,
            (Self::Quarantined, S::InProgress | S::Unknown | S::WaitingForDeposit) => {
                S::Quarantined
            }

            (Self::Deposited, S::WaitingForDeposit) => S::Done,
            (Self::DepositLapsed, S::WaitingForDeposit) => S::Expired,
            (Self::DepositReversed, S::Done) => S::WaitingForDeposit,

            // The status stays until money has moved; only the cancel's own row changes.
            (
                Self::CancelClaimed
                | Self::CancelUnanswered
                | Self::CancelRefused
                | Self::LookStarted
                | Self::AttemptStarted,
                S::Done,
            ) => S::Done,
            (
                Self::CancelClaimed
                | Self::CancelUnanswered
                | Self::CancelRefused
                | Self::LookStarted
                | Self::AttemptStarted,
                S::PartialCanceled,
            ) => S::PartialCanceled,
            (Self::CanceledInPart, S::Done | S::PartialCanceled) => S::PartialCanceled,
            (Self::CanceledInFull, S::Done | S::PartialCanceled) => S::Canceled,

            (Self::ResolvedAsDone, S::Quarantined) => S::Done,
            (Self::ResolvedAsFailed, S::Quarantined) => S::Failed,

            // The status of an ended order stays; only its books change.
            (Self::OrphanSought | Self::OrphanFound | Self::OrphanReturned, S::Failed) => S::Failed,
            (Self::OrphanSought | Self::OrphanFound | Self::OrphanReturned, S::Expired) => {
                S::Expired
            }

            (fact, from) => return Err(IllegalTransition { from, fact }),
        };
        Ok(to)
    }

    /// The spelling in the history.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CheckedOut => "CHECKED_OUT",
            Self::Claimed => "CLAIMED",
            Self::CheckoutLapsed => "CHECKOUT_LAPSED",
            Self::Approved => "APPROVED",
            Self::DepositAwaited => "DEPOSIT_AWAITED",
            Self::Declined => "DECLINED",
            Self::StockShort => "STOCK_SHORT",
            Self::KeyRefused => "KEY_REFUSED",
            Self::CredentialsRefused => "CREDENTIALS_REFUSED",
            Self::AnswerMissing => "ANSWER_MISSING",
            Self::LookStarted => "LOOK_STARTED",
            Self::AttemptStarted => "ATTEMPT_STARTED",
            Self::NeverSeen => "NEVER_SEEN",
            Self::NeverSeenAndLapsed => "NEVER_SEEN_AND_LAPSED",
            Self::Quarantined => "QUARANTINED",
            Self::Deposited => "DEPOSITED",
            Self::DepositLapsed => "DEPOSIT_LAPSED",
            Self::DepositReversed => "DEPOSIT_REVERSED",
            Self::CancelClaimed => "CANCEL_CLAIMED",
            Self::CancelUnanswered => "CANCEL_UNANSWERED",
            Self::CancelRefused => "CANCEL_REFUSED",
            Self::CanceledInPart => "CANCELED_IN_PART",
            Self::CanceledInFull => "CANCELED_IN_FULL",
            Self::ResolvedAsDone => "RESOLVED_AS_DONE",
            Self::ResolvedAsFailed => "RESOLVED_AS_FAILED",
            Self::OrphanSought => "ORPHAN_SOUGHT",
            Self::OrphanFound => "ORPHAN_FOUND",
            Self::OrphanReturned => "ORPHAN_RETURNED",
        }
    }

    /// The fact with this spelling.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fact| fact.as_str() == text)
    }
}

impl fmt::Display for PaymentFact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use PaymentFact as F;
    use PaymentStatus as S;

    /// The legal transitions once more, written by hand from the design: a slip in `apply` shows.
    const LEGAL: [(F, S, S); 42] = [
        (F::Claimed, S::Ready, S::InProgress),
        (F::CheckoutLapsed, S::Ready, S::Expired),
        (F::Approved, S::InProgress, S::Done),
        (F::Approved, S::Unknown, S::Done),
        (F::DepositAwaited, S::InProgress, S::WaitingForDeposit),
        (F::DepositAwaited, S::Unknown, S::WaitingForDeposit),
        (F::Declined, S::InProgress, S::Failed),
        (F::Declined, S::Unknown, S::Failed),
        (F::StockShort, S::InProgress, S::Failed),
        (F::StockShort, S::Unknown, S::Failed),
        (F::KeyRefused, S::InProgress, S::Ready),
        (F::CredentialsRefused, S::InProgress, S::Ready),
        (F::AnswerMissing, S::InProgress, S::Unknown),
        (F::AnswerMissing, S::Unknown, S::Unknown),
        (F::AnswerMissing, S::WaitingForDeposit, S::WaitingForDeposit),
        (F::LookStarted, S::InProgress, S::Unknown),
        (F::LookStarted, S::Unknown, S::Unknown),
        (F::LookStarted, S::WaitingForDeposit, S::WaitingForDeposit),
        (F::AttemptStarted, S::Unknown, S::Unknown),
        (F::NeverSeen, S::Unknown, S::Ready),
        (F::NeverSeenAndLapsed, S::Unknown, S::Expired),
        (F::Quarantined, S::InProgress, S::Quarantined),
        (F::Quarantined, S::Unknown, S::Quarantined),
        (F::Quarantined, S::WaitingForDeposit, S::Quarantined),
        (F::Deposited, S::WaitingForDeposit, S::Done),
        (F::DepositLapsed, S::WaitingForDeposit, S::Expired),
        (F::DepositReversed, S::Done, S::WaitingForDeposit),
        (F::CancelClaimed, S::Done, S::Done),
        (F::CancelUnanswered, S::Done, S::Done),
        (F::CancelRefused, S::Done, S::Done),
        (F::LookStarted, S::Done, S::Done),
        (F::AttemptStarted, S::Done, S::Done),
        (F::CancelClaimed, S::PartialCanceled, S::PartialCanceled),
        (F::CancelUnanswered, S::PartialCanceled, S::PartialCanceled),
        (F::CancelRefused, S::PartialCanceled, S::PartialCanceled),
        (F::LookStarted, S::PartialCanceled, S::PartialCanceled),
        (F::AttemptStarted, S::PartialCanceled, S::PartialCanceled),
        (F::CanceledInPart, S::Done, S::PartialCanceled),
        (F::CanceledInPart, S::PartialCanceled, S::PartialCanceled),
        (F::CanceledInFull, S::Done, S::Canceled),
        (F::CanceledInFull, S::PartialCanceled, S::Canceled),
        (F::ResolvedAsDone, S::Quarantined, S::Done),
    ];

    #[test]
    fn every_pair_of_fact_and_status_is_either_listed_or_refused() {
        let mut listed: BTreeSet<_> = LEGAL.into_iter().collect();
        listed.insert((F::ResolvedAsFailed, S::Quarantined, S::Failed));
        for fact in [F::OrphanSought, F::OrphanFound, F::OrphanReturned] {
            listed.extend([(fact, S::Failed, S::Failed), (fact, S::Expired, S::Expired)]);
        }
        let mut found = BTreeSet::new();
        for fact in F::ALL {
            for from in S::ALL {
                match fact.apply(from) {
                    Ok(to) => {
                        found.insert((fact, from, to));
                    }
                    Err(refusal) => assert_eq!(refusal, IllegalTransition { from, fact }),
                }
            }
        }
        assert_eq!(found, listed);
    }

    #[test]
    fn nothing_changes_a_final_status() {
        for from in S::ALL.into_iter().filter(|status| status.is_final()) {
            for to in F::ALL.into_iter().filter_map(|fact| fact.apply(from).ok()) {
                assert_eq!(to, from);
            }
        }
    }

    #[test]
    fn unknown_fails_only_by_an_answer_from_toss() {
        let failing: Vec<_> = F::ALL
            .into_iter()
            .filter(|fact| fact.apply(S::Unknown) == Ok(S::Failed))
            .collect();
        assert_eq!(failing, [F::Declined, F::StockShort]);
    }

    #[test]
    fn spellings_are_unique_and_read_back() {
        for fact in F::ALL {
            assert_eq!(F::parse(fact.as_str()), Some(fact));
        }
        for status in S::ALL {
            assert_eq!(S::parse(status.as_str()), Some(status));
        }
        assert_eq!(F::parse("claimed"), None);
        assert_eq!(S::parse(""), None);
    }

    proptest! {
        #[test]
        fn no_walk_leaves_a_final_status(steps in prop::collection::vec(0..F::ALL.len(), 0..60)) {
            let mut status = S::Ready;
            let mut ended = None;
            for step in steps {
                if let Ok(to) = F::ALL[step].apply(status) {
                    prop_assert!(ended.is_none_or(|end| end == to), "left {status}");
                    status = to;
                }
                if status.is_final() {
                    ended = Some(status);
                }
            }
        }
    }
}
