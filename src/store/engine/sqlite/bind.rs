//! Converts SQLite's values, connections and errors to the engine's types.

use std::borrow::Cow;
use std::sync::Arc;

use rusqlite::ErrorCode as Code;
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};

use crate::error::{DatabaseFault, Error, Result};
use crate::store::engine::conn::{AppConnection, Conn, sealed};
use crate::store::engine::value::Value;

impl<'v> From<ValueRef<'v>> for Value<'v> {
    fn from(value: ValueRef<'v>) -> Value<'v> {
        match value {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(number) => Value::Integer(number),
            ValueRef::Real(number) => Value::Real(number),
            ValueRef::Text(text) => Value::Text(Cow::Borrowed(text)),
            ValueRef::Blob(bytes) => Value::Blob(Cow::Borrowed(bytes)),
        }
    }
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Value::Null => ValueRef::Null,
            Value::Integer(number) => ValueRef::Integer(*number),
            Value::Real(number) => ValueRef::Real(*number),
            Value::Text(text) => ValueRef::Text(text),
            Value::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

impl From<rusqlite::Error> for Error {
    fn from(cause: rusqlite::Error) -> Error {
        let extended = cause.sqlite_error().map(|error| error.extended_code);
        let fault = match cause.sqlite_error_code() {
            Some(Code::DatabaseBusy | Code::DatabaseLocked) => DatabaseFault::Locked,
            Some(Code::DatabaseCorrupt | Code::NotADatabase) => DatabaseFault::Damaged,
            Some(
                Code::DiskFull
                | Code::SystemIoFailure
                | Code::ReadOnly
                | Code::CannotOpen
                | Code::OutOfMemory,
            ) => DatabaseFault::Unavailable,
            _ => DatabaseFault::Other,
        };
        let doing = match cause.sqlite_error_code() {
            _ if extended == Some(rusqlite::ffi::SQLITE_IOERR_SHMSIZE) => {
                "make the file that processes share (-shm): the disk is full, make room"
            }
            Some(Code::DatabaseCorrupt) => {
                "read the database, which is damaged (`hookbox check` says what to do)"
            }
            Some(Code::DiskFull) => "write to the database",
            Some(Code::DatabaseBusy | Code::DatabaseLocked) => {
                "get the database's write lock in time"
            }
            _ => "use the database",
        };
        Error::Database {
            doing,
            fault,
            cause: Arc::new(cause),
        }
    }
}

macro_rules! app_connections {
    ($($name:ty),+) => {$(
        impl sealed::Sealed for &$name {}

        impl AppConnection for &$name {
            fn with_conn(self, work: impl FnOnce(Conn<'_>) -> Result<()>) -> Result<()> {
                work(Conn::sqlite(self))
            }
        }
    )+};
}

app_connections!(
    rusqlite::Connection,
    rusqlite::Transaction<'_>,
    rusqlite::Savepoint<'_>
);
