//! One connection, whatever the engine: statements with named parameters, and the rows they return.
//!
//! All code above the engine runs SQL through [`Conn`]. The statement cache is keyed by the SQL text, so
//! each text is written once, where it is used. [`Conn`] never begins or ends a transaction: only the
//! writer does.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::value::{FromValue, ToValue, Unfit, Value};
use crate::error::{DatabaseFault, Error, Result};

/// A handle to a connection of the engine.
#[derive(Debug, Clone, Copy)]
pub struct Conn<'c>(pub(in crate::store::engine) &'c rusqlite::Connection);

/// An application's own connection to the database, or a transaction that it began.
///
/// [`enqueue`](crate::store::enqueue) writes events through this trait. Only the connection and transaction
/// types of the engine's crates implement it; the trait is sealed, so other crates cannot.
pub trait AppConnection: sealed::Sealed {
    /// The engine's handle to this connection.
    #[doc(hidden)]
    fn conn(&self) -> Conn<'_>;
}

/// Seals [`AppConnection`], so that only the engines' types can implement it.
pub(in crate::store::engine) mod sealed {
    pub trait Sealed {}
}

/// The parameters of a statement: each name with its value.
pub(crate) type Params<'p> = &'p [(&'p str, &'p dyn ToValue)];

/// Parameters by name: `params! { ":id": id }`.
macro_rules! params {
    ($($name:literal : $value:expr),* $(,)?) => {
        &[$(($name, &$value as &dyn $crate::store::engine::value::ToValue)),*]
    };
}
pub(crate) use params;

impl Conn<'_> {
    /// Runs a statement that returns no rows; returns how many rows it changed.
    pub(crate) fn run(self, statement: &str, params: Params<'_>) -> Result<usize> {
        let mut statement = self.prepared(statement, params)?;
        Ok(statement.raw_execute()?)
    }

    /// Runs a statement that must change exactly one row.
    ///
    /// # Errors
    /// When it changes no row or several; the transaction must then be rolled back.
    pub(crate) fn change_one(self, statement: &str, params: Params<'_>) -> Result<()> {
        self.change(1, statement, params)
    }

    /// Runs a statement that must change exactly `rows` rows.
    ///
    /// # Errors
    /// When it changes another number of rows: the data is not in the state that the caller expected, so
    /// the transaction must be rolled back.
    pub(crate) fn change(self, rows: usize, statement: &str, params: Params<'_>) -> Result<()> {
        match self.run(statement, params)? {
            changed if changed == rows => Ok(()),
            other => Err(rusqlite::Error::StatementChangedRows(other).into()),
        }
    }

    /// Inserts a row; returns its row id.
    ///
    /// This does not use `returning`: SQLite must be able to undo a statement with `returning` on its own,
    /// so it copies every page that the statement is about to change.
    pub(crate) fn insert(self, statement: &str, params: Params<'_>) -> Result<i64> {
        self.run(statement, params)?;
        Ok(self.0.last_insert_rowid())
    }

    /// Returns the one row of a statement; no row is an error.
    pub(crate) fn one<T>(
        self,
        statement: &str,
        params: Params<'_>,
        read: impl FnOnce(&Row<'_>) -> Result<T>,
    ) -> Result<T> {
        self.maybe(statement, params, read)?
            .ok_or_else(|| rusqlite::Error::QueryReturnedNoRows.into())
    }

    /// Returns the first row of a statement, if there is one.
    pub(crate) fn maybe<T>(
        self,
        statement: &str,
        params: Params<'_>,
        read: impl FnOnce(&Row<'_>) -> Result<T>,
    ) -> Result<Option<T>> {
        let mut statement = self.prepared(statement, params)?;
        let mut rows = statement.raw_query();
        rows.next()?.map(|row| read(&Row(row))).transpose()
    }

    /// Returns all rows of a statement.
    pub(crate) fn all<T>(
        self,
        statement: &str,
        params: Params<'_>,
        mut read: impl FnMut(&Row<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        let mut all = Vec::new();
        self.each(statement, params, |row| {
            all.push(read(row)?);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(all)
    }

    /// Calls `show` with each row of a statement, until `show` returns `Break`.
    pub(crate) fn each(
        self,
        statement: &str,
        params: Params<'_>,
        mut show: impl FnMut(&Row<'_>) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        let mut statement = self.prepared(statement, params)?;
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next()? {
            if show(&Row(row))?.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn prepared(
        &self,
        statement: &str,
        params: Params<'_>,
    ) -> Result<rusqlite::CachedStatement<'_>> {
        let mut prepared = self.0.prepare_cached(statement)?;
        for (name, value) in params {
            let Some(index) = prepared.parameter_index(name)? else {
                return Err(rusqlite::Error::InvalidParameterName((*name).to_owned()).into());
            };
            let value = value
                .to_value()
                .map_err(rusqlite::Error::ToSqlConversionFailure)?;
            prepared.raw_bind_parameter(index, value)?;
        }
        Ok(prepared)
    }
}

/// A row that a statement returned.
pub(crate) struct Row<'r>(pub(in crate::store::engine) &'r rusqlite::Row<'r>);

/// Names a column: by its name, or by its index in a statement with few columns.
pub(crate) trait Column: rusqlite::RowIndex + std::fmt::Display + Copy {}

impl Column for &str {}
impl Column for usize {}

impl Row<'_> {
    /// A column's value, converted to `T`.
    pub(crate) fn get<T: FromValue>(&self, column: impl Column) -> Result<T> {
        let value = self.value(column)?;
        T::from_value(&value).map_err(|error| unreadable(column, error))
    }

    /// A column's value, not converted.
    pub(crate) fn value(&self, column: impl Column) -> Result<Value<'_>> {
        Ok(self.0.get_ref(column)?.into())
    }
}

/// The error for a column that holds what it must not.
pub(crate) fn unreadable(column: impl std::fmt::Display, error: Unfit) -> Error {
    let what: Unfit = format!("column {column}: {error}").into();
    Error::Database {
        doing: "use the database",
        fault: DatabaseFault::Other,
        cause: Arc::from(what),
    }
}
