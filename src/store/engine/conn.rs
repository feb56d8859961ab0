//! One connection, whatever the engine: statements with named parameters, and the rows that they give.
//!
//! Everything above the engine speaks SQL through it. A statement is kept prepared by its text, so a text is
//! written once, at its use. It begins and ends no transaction: that is the writer's.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::value::{FromValue, ToValue, Unfit, Value};
use crate::error::{DatabaseFault, Error, Result};

/// A handle to a connection of the engine.
#[derive(Debug, Clone, Copy)]
pub struct Conn<'c>(pub(in crate::store::engine) &'c rusqlite::Connection);

/// An application's own connection to the database, or a transaction that it has begun: what
/// [`enqueue`](crate::store::enqueue) puts events through. The engine's crates' types are some; nothing else can be.
pub trait AppConnection: sealed::Sealed {
    /// The engine's handle to it.
    #[doc(hidden)]
    fn conn(&self) -> Conn<'_>;
}

/// Keeps the trait to the types of the engines.
pub(in crate::store::engine) mod sealed {
    pub trait Sealed {}
}

/// What a statement's parameters are bound to, by name.
pub(crate) type Params<'p> = &'p [(&'p str, &'p dyn ToValue)];

/// Parameters by name: `params! { ":id": id }`.
macro_rules! params {
    ($($name:literal : $value:expr),* $(,)?) => {
        &[$(($name, &$value as &dyn $crate::store::engine::value::ToValue)),*]
    };
}
pub(crate) use params;

impl Conn<'_> {
    /// Runs a statement that gives no rows; returns how many it changed.
    pub(crate) fn run(self, statement: &str, params: Params<'_>) -> Result<usize> {
        let mut statement = self.prepared(statement, params)?;
        Ok(statement.raw_execute()?)
    }

    /// Runs a statement that must change the row that it names, and no other.
    pub(crate) fn change_one(self, statement: &str, params: Params<'_>) -> Result<()> {
        self.change(1, statement, params)
    }

    /// Runs a statement that must change so many rows: where it does not, others are as they were not
    /// thought to be, and the transaction must not hold.
    pub(crate) fn change(self, rows: usize, statement: &str, params: Params<'_>) -> Result<()> {
        match self.run(statement, params)? {
            changed if changed == rows => Ok(()),
            other => Err(rusqlite::Error::StatementChangedRows(other).into()),
        }
    }

    /// Inserts a row; returns its number.
    ///
    /// Not by `returning`: a statement that has it may be undone by itself, for which SQLite copies every
    /// page that it is about to change.
    pub(crate) fn insert(self, statement: &str, params: Params<'_>) -> Result<i64> {
        self.run(statement, params)?;
        Ok(self.0.last_insert_rowid())
    }

    /// The one row that a statement gives; that there is none is an error.
    pub(crate) fn one<T>(
        self,
        statement: &str,
        params: Params<'_>,
        read: impl FnOnce(&Row<'_>) -> Result<T>,
    ) -> Result<T> {
        self.maybe(statement, params, read)?
            .ok_or_else(|| rusqlite::Error::QueryReturnedNoRows.into())
    }

    /// The first row that a statement gives, if it gives one.
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

    /// All rows that a statement gives.
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

    /// Shows the rows that a statement gives, one after the other, until it is told to break off.
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

/// A row that a statement gives.
pub(crate) struct Row<'r>(pub(in crate::store::engine) &'r rusqlite::Row<'r>);

/// How a column is named: by its name, or by its place in a statement that gives few.
pub(crate) trait Column: rusqlite::RowIndex + std::fmt::Display + Copy {}

impl Column for &str {}
impl Column for usize {}

impl Row<'_> {
    /// A column, read as what is asked for.
    pub(crate) fn get<T: FromValue>(&self, column: impl Column) -> Result<T> {
        let value = self.value(column)?;
        T::from_value(&value).map_err(|error| unreadable(column, error))
    }

    /// A column as it is.
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
