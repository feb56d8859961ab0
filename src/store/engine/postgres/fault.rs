//! What an error of PostgreSQL means for the caller.

use std::sync::Arc;

use postgres::error::SqlState;

use crate::error::{DatabaseFault, Error};

impl From<postgres::Error> for Error {
    fn from(cause: postgres::Error) -> Error {
        let (doing, fault) = match cause.code() {
            Some(code) => of_code(code),
            // The connection, not the database, failed.
            None if cause.is_closed() || is_of_socket(&cause) => {
                ("reach the database", DatabaseFault::Unavailable)
            }
            None => ("use the database", DatabaseFault::Other),
        };
        Error::Database {
            doing,
            fault,
            cause: Arc::new(Described(cause)),
        }
    }
}

/// Whether the server only reads now: another one is the primary.
pub(super) fn is_read_only(error: &Error) -> bool {
    let Error::Database { cause, .. } = error else {
        return false;
    };
    let described = cause.downcast_ref::<Described>();
    described
        .is_some_and(|Described(error)| error.code() == Some(&SqlState::READ_ONLY_SQL_TRANSACTION))
}

fn of_code(code: &SqlState) -> (&'static str, DatabaseFault) {
    match code.code() {
        // Two transactions changed the same rows, or added the same key: one of them is to try again.
        "40001" | "40P01" | "55P03" | "23505" => (
            "change rows that another node changed",
            DatabaseFault::Conflict,
        ),
        // A standby, or a primary that became one.
        "25006" => (
            "write to the database, which only reads now",
            DatabaseFault::Unavailable,
        ),
        "XX001" | "XX002" => (
            "read the database, which is damaged (restore a backup of it)",
            DatabaseFault::Damaged,
        ),
        code if code.starts_with("08") || code.starts_with("57P") => {
            ("reach the database", DatabaseFault::Unavailable)
        }
        code if code.starts_with("53") || code.starts_with("58") => {
            ("use the database", DatabaseFault::Unavailable)
        }
        _ => ("use the database", DatabaseFault::Other),
    }
}

fn is_of_socket(error: &postgres::Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if error.is::<std::io::Error>() {
            return true;
        }
        cause = error.source();
    }
    // A time limit of the connection has no cause of its own.
    error.to_string().contains("timeout") || error.to_string().contains("connect")
}

/// An error with PostgreSQL's own message: `Display` of the crate says only "db error".
#[derive(Debug)]
struct Described(postgres::Error);

impl std::fmt::Display for Described {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Some(error) = self.0.as_db_error() else {
            write!(f, "{}", self.0)?;
            let mut cause = std::error::Error::source(&self.0);
            while let Some(error) = cause {
                write!(f, ": {error}")?;
                cause = error.source();
            }
            return Ok(());
        };
        write!(f, "{} ({})", error.message(), error.code().code())?;
        match error.detail() {
            Some(detail) => write!(f, ": {detail}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Described {}
