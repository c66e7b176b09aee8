//! The examination of the books.

use serde::Serialize;

use super::Sandbox;
use crate::{
    JournalFailure,
    engine::{Engine, Findings},
};

/// What `GET /sandbox/invariants` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Invariants {
    /// Whether nothing is wrong.
    pub holds: bool,
    /// How many orders were examined.
    pub orders: usize,
    /// How many payments were examined.
    pub payments: usize,
    /// How many records of the journal were replayed and compared with the live books; none
    /// without a journal.
    pub records_replayed: Option<u64>,
    /// What is wrong, in words: the first hundred.
    pub findings: Vec<String>,
    /// How many findings there are.
    pub findings_total: usize,
}

impl Sandbox {
    /// Examines the books: at most one net approval per order, every balance the sum of what
    /// moved, and the journal replayed from its beginning equal to the live state.
    ///
    /// Blocks, and holds all else up for as long as the examination takes (not the replay): about
    /// a second for a million payments.
    ///
    /// # Errors
    /// [`JournalFailure`] if the journal has failed.
    pub fn invariants(&self) -> Result<Invariants, JournalFailure> {
        let journal = self.0.journal.as_ref();
        let examined = self.act(|engine, _| {
            let fingerprint = journal.map(|_| engine.fingerprint());
            (engine.audit(), engine.counts(), fingerprint)
        });
        let seq = examined.seq;
        let (mut findings, (orders, payments), fingerprint) = examined.value;
        let mut records_replayed = None;
        if let (Some(journal), Some(live)) = (journal, fingerprint) {
            journal.durable_blocking(seq)?;
            let mut rebuilt = Engine::new(&self.0.config);
            match journal.replay(seq, |change| rebuilt.apply(change)) {
                Ok(records) => {
                    records_replayed = Some(records);
                    findings.extend(live.differences(&rebuilt.fingerprint()));
                }
                Err(error) => findings.extend(Findings::one(error.to_string())),
            }
        }
        Ok(Invariants {
            holds: findings.is_empty(),
            orders,
            payments,
            records_replayed,
            findings_total: findings.total,
            findings: findings.shown,
        })
    }
}
