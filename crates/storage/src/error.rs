use std::error::Error;

use diesel::result::{DatabaseErrorKind, Error as QueryError};
use kernel::StoreError;

/// Any cause.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// Why a transaction or a query failed, by what can be done about it.
#[derive(Debug)]
pub(crate) enum Fault {
    /// Another transaction was in the way and the database gave this one up: run it again whole.
    Conflict(BoxError),
    /// The database is gone, slow or full.
    Lost(BoxError),
    /// The statement can never succeed, or a row makes no sense.
    Corrupt(BoxError),
}

/// MySQL's and SQLite's words for "another transaction was in the way". Diesel keeps the message
/// and drops MySQL's number, so the text has to do.
const CONFLICTS: [&str; 8] = [
    "Deadlock found",                     // MySQL 1213
    "Lock wait timeout exceeded",         // MySQL 1205
    "Record has changed since last read", // MariaDB 1020, snapshot isolation
    "rollback the current transaction",   // MySQL 3101, Group Replication's certification
    "Got error 149",                      // MySQL 1180, the same at COMMIT
    "WSREP detected deadlock",            // Galera
    "database is locked",                 // SQLite 5 and 517
    "database table is locked",           // SQLite 6
];

/// Words for "this statement will not work tomorrow either".
const REFUSALS: [&str; 10] = [
    "error in your SQL syntax",
    "syntax error",
    "Unknown column",
    "no such column",
    "no such table",
    "doesn't exist",
    "Data too long",
    "Out of range value",
    "out of range in",
    "Incorrect ",
];

impl Fault {
    /// Whether a statement may be repeated on another connection because this one was dead.
    pub(crate) fn is_lost(&self) -> bool {
        matches!(self, Self::Lost(_))
    }

    /// The same for another unit of the transaction that it ended.
    pub(crate) fn again(&self) -> Self {
        match self {
            Self::Conflict(source) => Self::Conflict(source.to_string().into()),
            Self::Lost(source) => Self::Lost(source.to_string().into()),
            Self::Corrupt(source) => Self::Corrupt(source.to_string().into()),
        }
    }

    /// What the ports call it.
    pub(crate) fn into_store_error(self, action: &'static str) -> StoreError {
        match self {
            Self::Conflict(source) | Self::Lost(source) => {
                StoreError::Unavailable { action, source }
            }
            Self::Corrupt(source) => StoreError::Corrupt { action, source },
        }
    }

    /// A row that breaks a rule.
    pub(crate) fn corrupt(what: impl Into<String>) -> Self {
        Self::Corrupt(what.into().into())
    }

    /// A fault of a connection that could not be opened.
    pub(crate) fn of_connecting(source: BoxError) -> Self {
        if mentions(&source.to_string(), &CONFLICTS) {
            Self::Conflict(source)
        } else {
            Self::Lost(source)
        }
    }
}

fn mentions(message: &str, words: &[&str]) -> bool {
    words.iter().any(|word| message.contains(word))
}

impl From<QueryError> for Fault {
    fn from(error: QueryError) -> Self {
        match &error {
            QueryError::DatabaseError(kind, details) => {
                let message = details.message();
                match kind {
                    _ if mentions(message, &CONFLICTS) => Self::Conflict(error.into()),
                    DatabaseErrorKind::SerializationFailure => Self::Conflict(error.into()),
                    DatabaseErrorKind::UniqueViolation
                    | DatabaseErrorKind::ForeignKeyViolation
                    | DatabaseErrorKind::NotNullViolation
                    | DatabaseErrorKind::CheckViolation
                    | DatabaseErrorKind::RestrictViolation
                    | DatabaseErrorKind::ExclusionViolation => Self::Corrupt(error.into()),
                    _ if mentions(message, &REFUSALS) => Self::Corrupt(error.into()),
                    // Whatever is not understood is treated like silence: the caller reads before
                    // it decides, which is right in every case.
                    _ => Self::Lost(error.into()),
                }
            }
            QueryError::BrokenTransactionManager
            | QueryError::AlreadyInTransaction
            | QueryError::NotInTransaction
            | QueryError::RollbackErrorOnCommit { .. } => Self::Lost(error.into()),
            // Unreadable rows, unbuildable statements and rows that had to exist.
            _ => Self::Corrupt(error.into()),
        }
    }
}

impl From<serde_json::Error> for Fault {
    fn from(error: serde_json::Error) -> Self {
        Self::Corrupt(error.into())
    }
}

impl From<kernel::InvalidId> for Fault {
    fn from(error: kernel::InvalidId) -> Self {
        Self::Corrupt(error.into())
    }
}

impl From<kernel::InvalidMoney> for Fault {
    fn from(error: kernel::InvalidMoney) -> Self {
        Self::Corrupt(error.into())
    }
}

/// Whether an insert failed because its key is taken.
pub(crate) fn is_taken(error: &QueryError) -> bool {
    matches!(
        error,
        QueryError::DatabaseError(DatabaseErrorKind::UniqueViolation, _)
    )
}

/// The fault of an insert whose key another transaction may take at the same moment: if it did, the
/// whole transaction runs again and finds the other's row.
pub(crate) fn raced(error: QueryError) -> Fault {
    if is_taken(&error) {
        Fault::Conflict(error.into())
    } else {
        error.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database_error(kind: DatabaseErrorKind, message: &str) -> Fault {
        QueryError::DatabaseError(kind, Box::new(message.to_owned())).into()
    }

    #[test]
    fn deadlocks_and_lock_waits_are_conflicts() {
        for message in [
            "Deadlock found when trying to get lock; try restarting transaction",
            "Lock wait timeout exceeded; try restarting transaction",
            "database is locked",
        ] {
            let fault = database_error(DatabaseErrorKind::Unknown, message);
            assert!(matches!(fault, Fault::Conflict(_)), "{message}");
        }
    }

    #[test]
    fn what_is_not_understood_is_like_silence() {
        for message in [
            "Driver error: `Connection to the server is closed.'",
            "Input/output error: Broken pipe (os error 32)",
            "Server shutdown in progress",
            "The MySQL server is running with the --super-read-only option",
            "database or disk is full",
        ] {
            assert!(
                database_error(DatabaseErrorKind::Unknown, message).is_lost(),
                "{message}"
            );
        }
    }

    #[test]
    fn broken_rules_and_rows_need_a_person() {
        for fault in [
            database_error(DatabaseErrorKind::UniqueViolation, "Duplicate entry"),
            database_error(
                DatabaseErrorKind::Unknown,
                "Data too long for column 'name' at row 1",
            ),
            QueryError::NotFound.into(),
        ] {
            assert!(matches!(fault, Fault::Corrupt(_)), "{fault:?}");
        }
    }

    #[test]
    fn a_raced_insert_runs_again() {
        let taken =
            QueryError::DatabaseError(DatabaseErrorKind::UniqueViolation, Box::new(String::new()));
        assert!(matches!(raced(taken), Fault::Conflict(_)));
    }
}
