/// Why a store could not do what its port promises. Business outcomes (not found, stale, short)
/// are never errors: ports return them as values.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database did not answer, or gave up after bounded retries. The write **may or may not**
    /// have happened (a lost answer to COMMIT looks the same): read before deciding anything.
    #[error("the database is unavailable while it should {action}")]
    Unavailable {
        /// What was being done, for the log.
        action: &'static str,
        /// The driver's or pool's error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A stored row breaks a rule that the types promise, or a statement was refused for good.
    /// Nothing was changed. It needs a person.
    #[error("the database refused or returned something impossible while it should {action}")]
    Corrupt {
        /// What was being done, for the log.
        action: &'static str,
        /// What was wrong.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
