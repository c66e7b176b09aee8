//! Where a payment stands.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A payment's status. `READY` → `IN_PROGRESS` → `DONE` or `ABORTED`; `READY` after 30 minutes and
/// `IN_PROGRESS` after 10 → `EXPIRED`; a virtual account waits for its deposit in between.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum PaymentStatus {
    /// Made, not yet authenticated by the buyer.
    Ready,
    /// Authenticated; can be confirmed for ten minutes.
    InProgress,
    /// The virtual account is issued and no money has come. It stays so after its due date,
    /// with `expired` set, and Toss tells nobody.
    WaitingForDeposit,
    /// Approved, or deposited. A virtual account can fall back to waiting on a deposit error.
    Done,
    /// Wholly cancelled in one go.
    Canceled,
    /// Cancelled in part, or wholly in several parts: then the balance is zero and the status
    /// stays this (measured).
    PartialCanceled,
    /// The approval failed.
    Aborted,
    /// Not authenticated or not confirmed in time.
    Expired,
    /// A status this crate does not know, verbatim.
    #[serde(untagged)]
    Other(String),
}

impl PaymentStatus {
    /// As Toss spells it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Ready => "READY",
            Self::InProgress => "IN_PROGRESS",
            Self::WaitingForDeposit => "WAITING_FOR_DEPOSIT",
            Self::Done => "DONE",
            Self::Canceled => "CANCELED",
            Self::PartialCanceled => "PARTIAL_CANCELED",
            Self::Aborted => "ABORTED",
            Self::Expired => "EXPIRED",
            Self::Other(text) => text,
        }
    }
}

impl fmt::Display for PaymentStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_is_read_and_written_as_it_is_spelled() {
        for text in [
            "READY",
            "IN_PROGRESS",
            "WAITING_FOR_DEPOSIT",
            "DONE",
            "CANCELED",
            "PARTIAL_CANCELED",
            "ABORTED",
            "EXPIRED",
        ] {
            let json = format!("\"{text}\"");
            let status: PaymentStatus = serde_json::from_str(&json).unwrap();
            assert!(!matches!(status, PaymentStatus::Other(_)), "{text}");
            assert_eq!(status.as_str(), text);
            assert_eq!(serde_json::to_string(&status).unwrap(), json);
        }
    }

    #[test]
    fn a_new_status_is_kept_verbatim() {
        let status: PaymentStatus = serde_json::from_str("\"ON_HOLD\"").unwrap();
        assert_eq!(status, PaymentStatus::Other("ON_HOLD".to_owned()));
        assert_eq!(serde_json::to_string(&status).unwrap(), "\"ON_HOLD\"");
    }
}
