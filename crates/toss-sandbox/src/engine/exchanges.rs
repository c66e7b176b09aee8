//! The bodies of the latest API calls and of their answers, for people who look at the console.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use serde::Serialize;

use super::{Answer, ApiRequest, Call, Engine, masking::masked};
use crate::{endpoint::Endpoint, fault::Effect};

/// Most calls whose bodies are kept.
pub const EXCHANGES_MAX: usize = 500;

/// Most bytes that are kept of one body: all bodies together take 16 MB at most.
pub const EXCHANGE_BODY_MAX: usize = 16 * 1_024;

/// What a call sent and was answered. Card numbers and secrets are masked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Exchange {
    /// Names the call, in the order of arrival from 0.
    pub number: u64,
    /// Who called what, and the status answered.
    #[serde(flatten)]
    pub call: Call,
    /// The path that was called.
    pub path: String,
    /// The body that was sent, if it was text.
    pub request: String,
    /// Whether more was sent than [`EXCHANGE_BODY_MAX`] bytes.
    pub request_cut: bool,
    /// The body answered; none while the call runs, or if a fault withheld it.
    pub answer: Option<String>,
    /// Whether more was answered than [`EXCHANGE_BODY_MAX`] bytes.
    pub answer_cut: bool,
    /// Whether the answer is an earlier one, replayed for its idempotency key.
    pub replayed: bool,
    /// `x-tosspayments-trace-id` of the answer.
    pub trace_id: Option<String>,
    /// For how long faults held the call back, in milliseconds.
    pub delay_ms: u64,
    /// The fault that befell it beside delays.
    pub fault: Option<Effect>,
}

/// As it is kept: answers are shared with the idempotency records and masked when shown.
#[derive(Debug)]
struct Kept {
    path: String,
    request: String,
    request_cut: bool,
    answer: Option<Arc<str>>,
    replayed: bool,
    trace_id: Option<String>,
    delay: Duration,
    fault: Option<Effect>,
}

/// A ring of the latest calls' bodies.
#[derive(Debug, Default)]
pub(super) struct ExchangeLog {
    kept: VecDeque<Kept>,
    /// The number of the call that comes next.
    next: u64,
}

impl ExchangeLog {
    /// Notes what a call sent; the log of calls numbers it.
    pub(super) fn arrive(&mut self, number: u64, request: &ApiRequest) {
        if self.kept.len() == EXCHANGES_MAX {
            self.kept.pop_front();
        }
        let sent = &request.body[..request.body.len().min(EXCHANGE_BODY_MAX)];
        let text = String::from_utf8_lossy(sent);
        // A card's number is not even kept.
        let text = match request.endpoint {
            Endpoint::KeyIn | Endpoint::IssueBillingByCard => masked(&text),
            _ => text.into_owned(),
        };
        self.kept.push_back(Kept {
            path: request.path.clone(),
            request: text,
            request_cut: request.body.len() > EXCHANGE_BODY_MAX,
            answer: None,
            replayed: false,
            trace_id: None,
            delay: Duration::ZERO,
            fault: None,
        });
        self.next = number + 1;
    }

    /// Notes what faults do to a call.
    pub(super) fn struck(&mut self, number: u64, delay: Duration, fault: Option<&Effect>) {
        if let Some(kept) = self.find_mut(number) {
            kept.delay = delay;
            kept.fault = fault.cloned();
        }
    }

    /// Notes what a call is answered.
    pub(super) fn answered(&mut self, number: u64, answer: &Answer) {
        if let Some(kept) = self.find_mut(number) {
            kept.answer = Some(if answer.body.len() > EXCHANGE_BODY_MAX * 2 {
                // One byte more than is shown, so that it is seen to be cut.
                cut(&answer.body, EXCHANGE_BODY_MAX + 4).into()
            } else {
                Arc::clone(&answer.body)
            });
            kept.replayed = answer.first_trace_id.is_some();
            kept.trace_id = Some(answer.trace_id.clone());
        }
    }

    fn index(&self, number: u64) -> Option<usize> {
        let back = usize::try_from(self.next.checked_sub(number)?).ok()?;
        self.kept.len().checked_sub(back)
    }

    fn find_mut(&mut self, number: u64) -> Option<&mut Kept> {
        let index = self.index(number)?;
        self.kept.get_mut(index)
    }

    fn show(&self, number: u64, call: Call) -> Option<Exchange> {
        let kept = self.kept.get(self.index(number)?)?;
        let answer = kept.answer.as_deref();
        Some(Exchange {
            number,
            // What a path names may be a billing key.
            path: match call.endpoint {
                Endpoint::ChargeBilling | Endpoint::RemoveBilling => {
                    call.endpoint.template().to_owned()
                }
                _ => kept.path.clone(),
            },
            call,
            request: masked(&kept.request),
            request_cut: kept.request_cut,
            answer: answer.map(|answer| masked(cut(answer, EXCHANGE_BODY_MAX))),
            answer_cut: answer.is_some_and(|answer| answer.len() > EXCHANGE_BODY_MAX),
            replayed: kept.replayed,
            trace_id: kept.trace_id.clone(),
            delay_ms: u64::try_from(kept.delay.as_millis()).unwrap_or(u64::MAX),
            fault: kept.fault.clone(),
        })
    }
}

/// So many bytes of a text at most, without breaking a character.
fn cut(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}

impl Engine {
    /// The latest calls with their numbers, oldest first: at most `limit`.
    pub fn numbered_calls(&self, limit: usize) -> Vec<(u64, Call)> {
        self.calls.numbered(limit)
    }

    /// What a call sent and was answered; none if there was no such call, or
    /// [`EXCHANGES_MAX`] calls have come since.
    pub fn exchange(&self, number: u64) -> Option<Exchange> {
        let call = self.calls.find(number)?.clone();
        self.exchanges.show(number, call)
    }
}
