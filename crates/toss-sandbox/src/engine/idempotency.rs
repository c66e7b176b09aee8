//! Idempotency as Toss does it: scoped by key, URL and method, blind to the body.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use chrono::{DateTime, TimeDelta, Utc};

use super::Answer;

/// A key holds for 15 days from its first use (Toss, idempotency page).
pub const KEY_LIFE: TimeDelta = TimeDelta::days(15);

#[derive(Debug)]
struct Record {
    first_used: DateTime<Utc>,
    /// None while the first request runs.
    answer: Option<Answer>,
}

/// What a key says to a request that carries it.
#[derive(Debug)]
pub(crate) enum Claim {
    /// First use: do the work, then [`Idempotency::store`] or [`Idempotency::release`].
    Fresh(Arc<str>),
    /// The first request still runs.
    Running,
    /// The first request's answer.
    Replay(Answer),
}

/// The records, bounded in number; the oldest go first.
#[derive(Debug)]
pub(crate) struct Idempotency {
    records: HashMap<Arc<str>, Record>,
    oldest_first: VecDeque<(Arc<str>, DateTime<Utc>)>,
    max: usize,
}

impl Idempotency {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            records: HashMap::new(),
            oldest_first: VecDeque::new(),
            max: max.max(1),
        }
    }

    /// Claims a key for a request. All POSTs share a method and the sandbox has one API key, so
    /// the scope is key and path; the line break cannot occur in either.
    pub(crate) fn claim(&mut self, now: DateTime<Utc>, key: &str, path: &str) -> Claim {
        let scope: Arc<str> = format!("{path}\n{key}").into();
        match self.records.get(&scope) {
            Some(record) if now < record.first_used + KEY_LIFE => match &record.answer {
                Some(answer) => return Claim::Replay(answer.clone()),
                None => return Claim::Running,
            },
            Some(_) | None => {}
        }
        self.records.insert(
            Arc::clone(&scope),
            Record {
                first_used: now,
                answer: None,
            },
        );
        self.oldest_first.push_back((Arc::clone(&scope), now));
        while self.oldest_first.len() > self.max {
            if let Some((old, first_used)) = self.oldest_first.pop_front()
                && self
                    .records
                    .get(&old)
                    .is_some_and(|record| record.first_used == first_used)
            {
                self.records.remove(&old);
            }
        }
        Claim::Fresh(scope)
    }

    /// Keeps the answer for later requests.
    pub(crate) fn store(&mut self, scope: &str, answer: &Answer) {
        if let Some(record) = self.records.get_mut(scope) {
            record.answer = Some(answer.clone());
        }
    }

    /// Forgets the key, as if it had not been used.
    pub(crate) fn release(&mut self, scope: &str) {
        self.records.remove(scope);
    }
}
