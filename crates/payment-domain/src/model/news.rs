use super::{HistoryEntry, PaymentFact, PaymentStatus};

/// What merchants are told of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NewsKind {
    /// It is paid.
    Done,
    /// It is definitively not paid.
    Failed,
    /// Nobody paid in time.
    Expired,
    /// Money went back, all of it or a part.
    Canceled,
    /// An account waits for the buyer's deposit.
    WaitingForDeposit,
    /// An operator must look.
    Quarantined,
}

impl NewsKind {
    /// What this change tells; `None` for one that is the server's own business.
    pub fn of(entry: &HistoryEntry) -> Option<Self> {
        // A second part leaves the status as it is, and is news all the same.
        let money_went_back = matches!(
            entry.fact,
            PaymentFact::CanceledInPart | PaymentFact::CanceledInFull
        );
        if entry.from == Some(entry.to) && !money_went_back {
            return None;
        }
        match entry.to {
            PaymentStatus::Ready | PaymentStatus::InProgress | PaymentStatus::Unknown => None,
            PaymentStatus::WaitingForDeposit => Some(Self::WaitingForDeposit),
            PaymentStatus::Done => Some(Self::Done),
            PaymentStatus::Failed => Some(Self::Failed),
            PaymentStatus::Expired => Some(Self::Expired),
            PaymentStatus::PartialCanceled | PaymentStatus::Canceled => Some(Self::Canceled),
            PaymentStatus::Quarantined => Some(Self::Quarantined),
        }
    }
}

#[cfg(test)]
mod tests {
    use kernel::{Fence, from_micros};

    use super::*;

    fn told(fact: PaymentFact, from: PaymentStatus) -> Option<NewsKind> {
        let to = fact.apply(from).unwrap();
        NewsKind::of(&HistoryEntry {
            fence: Fence::FIRST.next(),
            from: Some(from),
            to,
            fact,
            at: from_micros(0),
            note: None,
        })
    }

    #[test]
    fn every_change_that_a_merchant_waits_for_is_told_once() {
        use NewsKind as N;
        use PaymentFact as F;
        use PaymentStatus as S;
        for (fact, from, news) in [
            (F::Claimed, S::Ready, None),
            (F::AnswerMissing, S::InProgress, None),
            (F::KeyRefused, S::InProgress, None),
            (F::Approved, S::InProgress, Some(N::Done)),
            (F::Approved, S::Unknown, Some(N::Done)),
            (F::DepositAwaited, S::InProgress, Some(N::WaitingForDeposit)),
            (F::LookStarted, S::WaitingForDeposit, None),
            (F::Deposited, S::WaitingForDeposit, Some(N::Done)),
            (F::DepositLapsed, S::WaitingForDeposit, Some(N::Expired)),
            (F::DepositReversed, S::Done, Some(N::WaitingForDeposit)),
            (F::Declined, S::InProgress, Some(N::Failed)),
            (F::StockShort, S::InProgress, Some(N::Failed)),
            (F::CheckoutLapsed, S::Ready, Some(N::Expired)),
            (F::NeverSeenAndLapsed, S::Unknown, Some(N::Expired)),
            (F::Quarantined, S::Unknown, Some(N::Quarantined)),
            (F::ResolvedAsDone, S::Quarantined, Some(N::Done)),
            (F::ResolvedAsFailed, S::Quarantined, Some(N::Failed)),
            (F::CancelClaimed, S::Done, None),
            (F::CancelRefused, S::PartialCanceled, None),
            (F::CanceledInPart, S::Done, Some(N::Canceled)),
            (F::CanceledInPart, S::PartialCanceled, Some(N::Canceled)),
            (F::CanceledInFull, S::PartialCanceled, Some(N::Canceled)),
            (F::OrphanReturned, S::Failed, None),
            (F::OrphanSought, S::Expired, None),
        ] {
            assert_eq!(told(fact, from), news, "{fact} {from}");
        }
    }
}
