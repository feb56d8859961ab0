//! Statements that a job does not wait for one by one.
//!
//! A server answers each statement after a way there and back, so the statements of a group are sent together,
//! with the next one that somebody waits for. So an error may come with a later statement, also one of another
//! job, or when the writer waits for all before it commits. It then runs each job apart, so that only the job
//! that the error belongs to fails. Nobody may pass over an error of a [`Conn`] in a transaction.

use crate::error::{Error, Result};
use crate::store::engine::conn::Conn;
use crate::store::engine::value::Params;

/// A connection that statements are handed to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Later<'c>(Conn<'c>);

/// The tables whose rows get their ids before they are inserted, where the ids are the server's.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Table {
    Event,
    Delivery,
}

impl Table {
    fn name(self) -> &'static str {
        match self {
            Table::Event => "hookbox_event",
            Table::Delivery => "hookbox_delivery",
        }
    }
}

impl<'c> Conn<'c> {
    /// The connection for statements that the caller does not wait for.
    pub(crate) fn later(self) -> Later<'c> {
        Later(self)
    }
}

impl Later<'_> {
    /// Runs a statement.
    pub(crate) fn run(self, statement: &str, params: Params<'_>) -> Result<()> {
        self.0.post(statement, params, None)
    }

    /// Runs a statement that must change exactly one row.
    ///
    /// # Errors
    /// When it changes another number of rows; the transaction must then be rolled back.
    pub(crate) fn change_one(self, statement: &str, params: Params<'_>) -> Result<()> {
        self.0.post(statement, params, Some(1))
    }

    /// Inserts a row with an id from [`Later::new_id`], which must be among the parameters; returns its id.
    pub(crate) fn insert(
        self,
        id: Option<i64>,
        statement: &str,
        params: Params<'_>,
    ) -> Result<i64> {
        self.change_one(statement, params)?;
        match id.or_else(|| self.0.last_inserted()) {
            Some(id) => Ok(id),
            None => Err(Error::unexpected("a row was inserted without an id")),
        }
    }

    /// Says how many rows the job is about to add to a table, so that their ids come together.
    pub(crate) fn expect(self, table: Table, rows: usize) {
        self.0.expect(table.name(), rows);
    }

    /// The id for the next row of a table; none where SQLite gives it when the row is inserted.
    pub(crate) fn new_id(self, table: Table) -> Result<Option<i64>> {
        self.0.new_id(table.name())
    }
}
