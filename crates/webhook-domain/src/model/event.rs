use std::fmt;

use kernel::{OrderId, Timestamp};

/// What an event tells. The spelling is the one that merchants see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EventType {
    /// An order is paid.
    PaymentDone,
    /// An order is definitively not paid.
    PaymentFailed,
    /// Nobody paid in time.
    PaymentExpired,
    /// Money went back, all of it or a part.
    PaymentCanceled,
    /// A virtual account waits for the buyer's deposit.
    PaymentWaitingForDeposit,
    /// An operator must look at a payment.
    PaymentQuarantined,
    /// An operator tries an endpoint out.
    Test,
}

impl EventType {
    /// Every type that an endpoint can choose. [`EventType::Test`] is sent on request alone.
    pub const ALL: [Self; 6] = [
        Self::PaymentDone,
        Self::PaymentFailed,
        Self::PaymentExpired,
        Self::PaymentCanceled,
        Self::PaymentWaitingForDeposit,
        Self::PaymentQuarantined,
    ];

    /// The spelling that merchants and the database see.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PaymentDone => "payment.done",
            Self::PaymentFailed => "payment.failed",
            Self::PaymentExpired => "payment.expired",
            Self::PaymentCanceled => "payment.canceled",
            Self::PaymentWaitingForDeposit => "payment.waiting_for_deposit",
            Self::PaymentQuarantined => "payment.quarantined",
            Self::Test => "webhook.test",
        }
    }

    /// The type with this spelling.
    pub fn parse(text: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter().chain([Self::Test]);
        all.find(|event_type| event_type.as_str() == text)
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Something that merchants are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The receivers' `webhook-id`, the same at every endpoint and at every try: 1 to 100 of
    /// `A-Za-z0-9-_`.
    pub id: String,
    /// What it tells.
    pub event_type: EventType,
    /// The order that it is about. Events of one order are delivered in their order.
    pub order_id: Option<OrderId>,
    /// Its place among the order's events: a later one has a higher number.
    pub sequence: i64,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// The JSON text that is sent, byte by byte.
    pub body: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_are_unique_and_read_back() {
        for event_type in EventType::ALL.into_iter().chain([EventType::Test]) {
            assert_eq!(EventType::parse(event_type.as_str()), Some(event_type));
        }
        assert_eq!(EventType::parse("payment.*"), None);
    }
}
