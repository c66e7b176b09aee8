use std::fmt;

/// Where a payment stands. The spelling is the one that clients and the database see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PaymentStatus {
    /// Checked out; the buyer may pay.
    Ready,
    /// A confirm is running under a lease.
    InProgress,
    /// Toss was asked and no certain answer is known. Money may have moved.
    Unknown,
    /// A virtual account was issued; no won has arrived yet.
    WaitingForDeposit,
    /// Paid.
    Done,
    /// Definitively not paid. Final.
    Failed,
    /// Nobody paid in time. Final.
    Expired,
    /// Paid, and a part was given back.
    PartialCanceled,
    /// Paid, and all of it was given back. Final.
    Canceled,
    /// The truth could not be learned, or it contradicts the order: an operator must look.
    Quarantined,
}

impl PaymentStatus {
    /// Every status.
    pub const ALL: [Self; 10] = [
        Self::Ready,
        Self::InProgress,
        Self::Unknown,
        Self::WaitingForDeposit,
        Self::Done,
        Self::Failed,
        Self::Expired,
        Self::PartialCanceled,
        Self::Canceled,
        Self::Quarantined,
    ];

    /// The spelling that clients and the database see.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "READY",
            Self::InProgress => "IN_PROGRESS",
            Self::Unknown => "UNKNOWN",
            Self::WaitingForDeposit => "WAITING_FOR_DEPOSIT",
            Self::Done => "DONE",
            Self::Failed => "FAILED",
            Self::Expired => "EXPIRED",
            Self::PartialCanceled => "PARTIAL_CANCELED",
            Self::Canceled => "CANCELED",
            Self::Quarantined => "QUARANTINED",
        }
    }

    /// The status with this spelling.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// Whether nothing can ever change this status again.
    pub const fn is_final(self) -> bool {
        match self {
            Self::Failed | Self::Expired | Self::Canceled => true,
            Self::Ready
            | Self::InProgress
            | Self::Unknown
            | Self::WaitingForDeposit
            | Self::Done
            | Self::PartialCanceled
            | Self::Quarantined => false,
        }
    }
}

impl fmt::Display for PaymentStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
