//! Idempotency as Toss does it: scoped by key, URL and method, blind to the body.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use chrono::{DateTime, TimeDelta, Utc};

use super::{Answer, audit::fingerprint_of_unordered};

/// A key holds for 15 days from its first use (Toss, idempotency page).
pub const KEY_LIFE: TimeDelta = TimeDelta::days(15);

#[derive(Debug, Hash)]
struct Record {
    first_used: DateTime<Utc>,
    answer: Answer,
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

/// The stored answers, bounded in number, of which the oldest go first; and the keys whose first
/// request still runs, of which there are as many as there are calls in hand.
#[derive(Debug)]
pub(crate) struct Idempotency {
    stored: HashMap<Arc<str>, Record>,
    oldest_first: VecDeque<(Arc<str>, DateTime<Utc>)>,
    running: HashMap<Arc<str>, DateTime<Utc>>,
    max: usize,
}

impl Idempotency {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            stored: HashMap::new(),
            oldest_first: VecDeque::new(),
            running: HashMap::new(),
            max: max.max(1),
        }
    }

    /// Claims a key for a request. All POSTs share a method and the sandbox has one API key, so
    /// the scope is key and path; the line break cannot occur in either.
    pub(crate) fn claim(&mut self, now: DateTime<Utc>, key: &str, path: &str) -> Claim {
        let scope: Arc<str> = format!("{path}\n{key}").into();
        if let Some(record) = self.stored.get(&scope)
            && now < record.first_used + KEY_LIFE
        {
            return Claim::Replay(record.answer.clone());
        }
        match self.running.get(&scope) {
            Some(first_used) if now < *first_used + KEY_LIFE => return Claim::Running,
            Some(_) | None => {}
        }
        self.running.insert(Arc::clone(&scope), now);
        Claim::Fresh(scope)
    }

    /// Ends the claim of a request that has been answered: returns when its key was first used.
    pub(crate) fn release(&mut self, scope: &str) -> Option<DateTime<Utc>> {
        self.running.remove(scope)
    }

    /// Keeps an answer for later requests.
    pub(crate) fn store(&mut self, scope: Arc<str>, first_used: DateTime<Utc>, answer: Answer) {
        let record = Record { first_used, answer };
        self.stored.insert(Arc::clone(&scope), record);
        self.oldest_first.push_back((scope, first_used));
        while self.oldest_first.len() > self.max {
            if let Some((old, first_used)) = self.oldest_first.pop_front()
                && self
                    .stored
                    .get(&old)
                    .is_some_and(|record| record.first_used == first_used)
            {
                self.stored.remove(&old);
            }
        }
    }

    /// The same for the same stored answers. Claims of running requests are no part of it: they
    /// end with the process.
    pub(crate) fn fingerprint(&self) -> u64 {
        fingerprint_of_unordered(&self.stored)
    }
}
