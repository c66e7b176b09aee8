//! Every API call received: what a test asks to learn who called the bank, and how often.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::endpoint::Endpoint;

/// One API call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Call {
    /// When it arrived, by the sandbox's clock.
    pub at: DateTime<Utc>,
    /// `GET`, `POST` or `DELETE`.
    pub method: &'static str,
    /// Which call it is.
    pub endpoint: Endpoint,
    /// The order it is about, if that can be told.
    pub order_id: Option<String>,
    /// The payment it is about, if it names one.
    pub payment_key: Option<String>,
    /// The `Idempotency-Key` it carried.
    pub idempotency_key: Option<String>,
    /// Status answered; none while it runs, or if a fault withheld the answer.
    pub status: Option<u16>,
    /// Toss's code, if the answer was an error that can be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// How many calls there have been since the start, by endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CallTotals {
    /// Confirms.
    pub confirm: u64,
    /// Reads by payment key.
    pub get: u64,
    /// Reads by order id.
    pub get_by_order: u64,
    /// Cancels.
    pub cancel: u64,
    /// Pages of transactions.
    pub transactions: u64,
    /// All other calls.
    pub other: u64,
}

/// A ring of the latest calls, with totals of all.
#[derive(Debug)]
pub(crate) struct CallLog {
    calls: VecDeque<Call>,
    first: u64,
    max: usize,
    totals: CallTotals,
}

impl CallLog {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            calls: VecDeque::new(),
            first: 0,
            max: max.max(1),
            totals: CallTotals::default(),
        }
    }

    /// Notes a call and returns its number.
    pub(crate) fn arrive(&mut self, call: Call) -> u64 {
        match call.endpoint {
            Endpoint::Confirm => self.totals.confirm += 1,
            Endpoint::Get => self.totals.get += 1,
            Endpoint::GetByOrder => self.totals.get_by_order += 1,
            Endpoint::Cancel => self.totals.cancel += 1,
            Endpoint::Transactions => self.totals.transactions += 1,
            _ => self.totals.other += 1,
        }
        if self.calls.len() == self.max {
            self.calls.pop_front();
            self.first += 1;
        }
        self.calls.push_back(call);
        self.first + self.calls.len() as u64 - 1
    }

    /// Notes what a call was answered, unless it has left the ring.
    pub(crate) fn answered(&mut self, number: u64, status: u16, code: Option<String>) {
        let index = number
            .checked_sub(self.first)
            .and_then(|index| usize::try_from(index).ok());
        if let Some(call) = index.and_then(|index| self.calls.get_mut(index)) {
            call.status = Some(status);
            call.code = code;
        }
    }

    /// The call of a number, unless it has left the ring.
    pub(crate) fn find(&self, number: u64) -> Option<&Call> {
        let index = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.calls.get(index)
    }

    /// The latest calls with their numbers, oldest first.
    pub(crate) fn numbered(&self, limit: usize) -> Vec<(u64, Call)> {
        let skip = self.calls.len().saturating_sub(limit);
        let numbers = self.first..;
        let rows = numbers.zip(&self.calls).skip(skip);
        rows.map(|(number, call)| (number, call.clone())).collect()
    }

    /// The calls remembered, oldest first.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Call> + ExactSizeIterator {
        self.calls.iter()
    }

    pub(crate) fn totals(&self) -> CallTotals {
        self.totals
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(order_id: &str) -> Call {
        Call {
            at: DateTime::UNIX_EPOCH,
            method: "POST",
            endpoint: Endpoint::Confirm,
            order_id: Some(order_id.to_owned()),
            payment_key: None,
            idempotency_key: None,
            status: None,
            code: None,
        }
    }

    #[test]
    fn the_ring_forgets_the_oldest_and_still_counts_them() {
        let mut log = CallLog::new(2);
        let first = log.arrive(call("a"));
        log.arrive(call("b"));
        let third = log.arrive(call("c"));
        log.answered(first, 500, Some("COMMON_ERROR".to_owned()));
        log.answered(third, 200, None);
        let seen: Vec<_> = log
            .iter()
            .map(|call| (call.order_id.as_deref().unwrap(), call.status))
            .collect();
        assert_eq!(seen, [("b", None), ("c", Some(200))]);
        assert_eq!(log.totals().confirm, 3);
    }
}
