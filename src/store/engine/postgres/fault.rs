//! What an error of PostgreSQL means for the caller.

use std::sync::Arc;

use postgres::error::SqlState;

use crate::error::{DatabaseFault, Error};
use crate::store::engine::location::ServerUrl;

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

/// The error of a connection that could not be made: with the server, and what to do.
pub(super) fn at_server(error: Error, server: &ServerUrl) -> Error {
    match error {
        Error::Database {
            doing,
            fault,
            cause,
        } => {
            let why = cause.to_string();
            let code = match cause.downcast_ref::<Described>() {
                Some(Described(error)) => error.code().map_or("", SqlState::code),
                None => "",
            };
            let said = match advice(code, &why) {
                Some(advice) => format!("{server}: {why}; {advice}"),
                None => format!("{server}: {why}"),
            };
            Error::Database {
                doing,
                fault,
                cause: Arc::from(Box::<dyn std::error::Error + Send + Sync>::from(said)),
            }
        }
        other => other,
    }
}

fn advice(code: &str, why: &str) -> Option<&'static str> {
    Some(match code {
        "3D000" => "make the database first (createdb), or name another",
        "28P01" => {
            "check user and password; in a URL @ is written %40, / %2F, # %23, ? %3F and % %25"
        }
        "28000" if why.contains("no encryption") => "write sslmode=require into the URL",
        "28000" => "check the user, and the server's pg_hba.conf",
        "" if why.contains("invalid peer certificate") => {
            "if it has an authority of its own, name that, or its own certificate, with sslrootcert=FILE"
        }
        "" if why.contains("lookup address") => "check the host; an @ in a password is written %40",
        "" if why.contains("password missing") => {
            "write it into the URL: postgres://USER:PASSWORD@HOST"
        }
        _ => return None,
    })
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
        // A person must mend these, on the server; what comes meanwhile is to come again.
        "42501" => (
            "use hookbox's tables (grant the role what it lacks)",
            DatabaseFault::Unavailable,
        ),
        "42P01" | "42703" | "3F000" => (
            "use hookbox's tables: one, or a column, is missing (check search_path, else restore a backup)",
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
