//! One connection, whatever the engine: statements with named parameters, and the rows they return.
//!
//! All code above the engine runs SQL through [`Conn`]. The statement cache is keyed by the SQL text, so
//! each text is written once, where it is used. [`Conn`] never begins or ends a transaction: only the
//! writer does.

use std::ops::ControlFlow;

#[cfg(feature = "postgres")]
use super::postgres::client::{self, Statements};
pub(crate) use super::value::params;
use super::value::{FromValue, Params, Unfit, Value, check_rows};
use crate::error::{Error, Result};

/// A handle to a connection of the engine.
#[derive(Clone, Copy)]
pub struct Conn<'c>(Engine<'c>);

#[derive(Clone, Copy)]
enum Engine<'c> {
    Sqlite(&'c rusqlite::Connection),
    #[cfg(feature = "postgres")]
    Postgres(&'c dyn Statements),
}

/// An application's own connection to the database, or a transaction that it began.
///
/// [`enqueue`](crate::store::enqueue) writes events through this trait. It is implemented for references to
/// the connections and transactions of the engines' crates: `&` for those of `rusqlite`, `&mut` for those of
/// `postgres`, as the methods of these crates take them. The trait is sealed, so other crates cannot.
pub trait AppConnection: sealed::Sealed {
    /// Runs `work` with the engine's handle to this connection.
    #[doc(hidden)]
    fn with_conn(self, work: impl FnOnce(Conn<'_>) -> Result<()>) -> Result<()>;
}

/// Seals [`AppConnection`], so that only the engines' types can implement it.
pub(in crate::store::engine) mod sealed {
    pub trait Sealed {}
}

impl<'c> Conn<'c> {
    pub(in crate::store::engine) fn sqlite(connection: &'c rusqlite::Connection) -> Conn<'c> {
        Conn(Engine::Sqlite(connection))
    }

    #[cfg(feature = "postgres")]
    pub(in crate::store::engine) fn postgres(connection: &'c dyn Statements) -> Conn<'c> {
        Conn(Engine::Postgres(connection))
    }

    /// Whether this is a connection to a SQLite file.
    pub(crate) fn is_file(self) -> bool {
        matches!(self.0, Engine::Sqlite(_))
    }

    /// Runs a statement that returns no rows; returns how many rows it changed.
    pub(crate) fn run(self, statement: &str, params: Params<'_>) -> Result<usize> {
        match self.0 {
            Engine::Sqlite(connection) => {
                Ok(prepared(connection, statement, params)?.raw_execute()?)
            }
            #[cfg(feature = "postgres")]
            Engine::Postgres(connection) => connection.execute(statement, params),
        }
    }

    /// Runs a statement that the caller does not wait for; it must change so many rows, if they are given.
    pub(super) fn post(
        self,
        statement: &str,
        params: Params<'_>,
        rows: Option<usize>,
    ) -> Result<()> {
        match self.0 {
            #[cfg(feature = "postgres")]
            Engine::Postgres(connection) => connection.post(statement, params, rows),
            _ => check_rows(self.run(statement, params)?, rows),
        }
    }

    /// The id of the row that was inserted last, where SQLite gave it.
    pub(super) fn last_inserted(self) -> Option<i64> {
        match self.0 {
            Engine::Sqlite(connection) => Some(connection.last_insert_rowid()),
            #[cfg(feature = "postgres")]
            Engine::Postgres(_) => None,
        }
    }

    /// Says how many rows come into a table.
    pub(super) fn expect(self, #[allow(unused)] table: &'static str, #[allow(unused)] rows: usize) {
        match self.0 {
            Engine::Sqlite(_) => {}
            #[cfg(feature = "postgres")]
            Engine::Postgres(connection) => connection.expect(table, rows),
        }
    }

    /// The id for the next row of a table; none where SQLite gives it when the row is inserted.
    pub(super) fn new_id(self, #[allow(unused)] table: &'static str) -> Result<Option<i64>> {
        match self.0 {
            Engine::Sqlite(_) => Ok(None),
            #[cfg(feature = "postgres")]
            Engine::Postgres(connection) => connection.new_id(table).map(Some),
        }
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
        check_rows(self.run(statement, params)?, Some(rows))
    }

    /// Inserts a row; returns its `id`.
    pub(crate) fn insert(self, statement: &str, params: Params<'_>) -> Result<i64> {
        match self.0 {
            // No `returning` here: SQLite must be able to undo a statement with `returning` on its own, so it
            // copies every page that the statement is about to change.
            Engine::Sqlite(connection) => {
                self.run(statement, params)?;
                Ok(connection.last_insert_rowid())
            }
            #[cfg(feature = "postgres")]
            Engine::Postgres(_) => {
                let returning = format!("{statement} returning id");
                self.one(&returning, params, |row| row.get(0))
            }
        }
    }

    /// Returns the one row of a statement; no row is an error.
    pub(crate) fn one<T>(
        self,
        statement: &str,
        params: Params<'_>,
        read: impl FnOnce(&Row<'_>) -> Result<T>,
    ) -> Result<T> {
        self.maybe(statement, params, read)?
            .ok_or_else(|| Error::unexpected("a query returned no rows"))
    }

    /// Returns the first row of a statement, if there is one.
    pub(crate) fn maybe<T>(
        self,
        statement: &str,
        params: Params<'_>,
        read: impl FnOnce(&Row<'_>) -> Result<T>,
    ) -> Result<Option<T>> {
        let (mut read, mut found) = (Some(read), None);
        self.each(statement, params, |row| {
            found = read.take().map(|read| read(row)).transpose()?;
            Ok(ControlFlow::Break(()))
        })?;
        Ok(found)
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
        self.rows(statement, params, &mut show)
    }

    /// As [`Conn::each`]. Not generic: it would be compiled once for each of a hundred statements.
    fn rows(
        self,
        statement: &str,
        params: Params<'_>,
        show: &mut dyn FnMut(&Row<'_>) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        match self.0 {
            Engine::Sqlite(connection) => {
                let mut statement = prepared(connection, statement, params)?;
                let mut rows = statement.raw_query();
                while let Some(row) = rows.next()? {
                    if show(&Row(EngineRow::Sqlite(row)))?.is_break() {
                        break;
                    }
                }
            }
            #[cfg(feature = "postgres")]
            Engine::Postgres(connection) => {
                for row in connection.query(statement, params)? {
                    if show(&Row(EngineRow::Postgres(&row)))?.is_break() {
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    /// As [`Conn::each`], for a statement without parameters that returns more rows than memory can hold.
    /// `show` must not use this connection.
    pub(crate) fn stream(
        self,
        statement: &str,
        mut show: impl FnMut(&Row<'_>) -> Result<()>,
    ) -> Result<()> {
        match self.0 {
            Engine::Sqlite(_) => self.each(statement, &[], |row| {
                show(row)?;
                Ok(ControlFlow::Continue(()))
            }),
            #[cfg(feature = "postgres")]
            Engine::Postgres(connection) => {
                connection.stream(statement, &mut |row| show(&Row(EngineRow::Postgres(row))))
            }
        }
    }
}

impl std::fmt::Debug for Conn<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.0 {
            Engine::Sqlite(_) => "Conn(SQLite)",
            #[cfg(feature = "postgres")]
            Engine::Postgres(_) => "Conn(PostgreSQL)",
        })
    }
}

fn prepared<'c>(
    connection: &'c rusqlite::Connection,
    statement: &str,
    params: Params<'_>,
) -> Result<rusqlite::CachedStatement<'c>> {
    let mut prepared = connection.prepare_cached(statement)?;
    for (name, value) in params {
        let Some(index) = prepared.parameter_index(name)? else {
            return Err(Error::unexpected(format!(
                "the statement has no parameter {name}"
            )));
        };
        let value = value
            .to_value()
            .map_err(rusqlite::Error::ToSqlConversionFailure)?;
        prepared.raw_bind_parameter(index, value)?;
    }
    Ok(prepared)
}

/// A row that a statement returned.
pub(crate) struct Row<'r>(EngineRow<'r>);

enum EngineRow<'r> {
    Sqlite(&'r rusqlite::Row<'r>),
    #[cfg(feature = "postgres")]
    Postgres(&'r postgres::Row),
}

/// Names a column: by its name, or by its index in a statement with few columns.
#[cfg(feature = "postgres")]
pub(crate) trait Column:
    rusqlite::RowIndex + postgres::row::RowIndex + std::fmt::Display + Copy
{
}

/// Names a column: by its name, or by its index in a statement with few columns.
#[cfg(not(feature = "postgres"))]
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
        match self.0 {
            EngineRow::Sqlite(row) => Ok(row.get_ref(column)?.into()),
            #[cfg(feature = "postgres")]
            EngineRow::Postgres(row) => client::column(row, column),
        }
    }
}

/// The error for a column that holds what it must not.
pub(crate) fn unreadable(column: impl std::fmt::Display, error: Unfit) -> Error {
    Error::unexpected(format!("column {column}: {error}"))
}
