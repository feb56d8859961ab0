//! What a move needs of an engine: a side that is read, and a side that is filled.

use super::begun::{Meta, Position};
use super::tables::Table;
use crate::error::Result;
use crate::store::engine::conn::Conn;
use crate::store::engine::value::Value;

/// The store that is moved. It is read as of one moment and never changed, and nobody serves it meanwhile.
pub(crate) trait Source {
    /// The connection, in a transaction that reads.
    fn conn(&self) -> Conn<'_>;

    /// Reads what is there now from here on.
    ///
    /// # Errors
    /// [`Error::Refused`](crate::error::Error::Refused) when it is served.
    fn look_again(&mut self) -> Result<()>;

    /// The largest id that the table ever gave out, as far as the engine knows.
    fn newest_id(&self, table: &Table) -> Result<i64>;
}

/// The store that is filled. It cannot be opened as one until the move is finished.
pub(crate) trait Target {
    fn conn(&self) -> Conn<'_>;

    /// Adds a row. All rows between two commits are of one table, in its order.
    fn add(&mut self, table: &'static Table, row: &[Value<'_>]) -> Result<()>;

    /// Commits the rows since the last time, and with them how far the move is.
    fn commit(&mut self, run: &str, at: &Position) -> Result<()>;

    /// Makes what goes by all the rows: keys, references, the next ids. Doing it again changes nothing.
    ///
    /// # Errors
    /// [`Error::Refused`](crate::error::Error::Refused) when the rows do not fit together.
    fn settle(&mut self, meta: &Meta, newest: &[(&'static Table, i64)]) -> Result<()>;

    /// Makes it a store, on disk for good.
    fn open(self: Box<Self>, run: &str) -> Result<()>;
}
