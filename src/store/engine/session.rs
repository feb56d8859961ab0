//! What the writer needs of an engine: one connection that writes, and what belongs to it.
//!
//! The writer decides when a transaction begins and what runs in it; the session knows how the engine does
//! it. Nothing here knows which engine it is.

use crate::error::Result;
use crate::model::id::{EventId, SourceId};
use crate::store::engine::conn::Conn;
use crate::time::Timestamp;

/// The connection that writes, while the writer owns it.
pub(crate) trait Session: Send {
    /// The connection.
    fn conn(&self) -> Conn<'_>;

    /// The connection, and the keys of events as this transaction sees them.
    fn conn_and_keys(&mut self) -> (Conn<'_>, &mut dyn Keys);

    /// Begins the transaction of a group: so many jobs, which will ask for these keys.
    fn begin(&mut self, jobs: usize, keys: &mut dyn Iterator<Item = KeyOf<'_>>) -> Result<()>;

    /// Waits for all statements that were handed over to run later.
    fn wait_for_all(&mut self) -> Result<()>;

    /// As [`Session::wait_for_all`], at the end of the transaction, whose commit is counted where other nodes
    /// look for that.
    fn finish(&mut self) -> Result<()>;

    /// Commits it: all that was written is on disk.
    fn commit(&mut self) -> Result<()>;

    /// Rolls back what is left of it; nothing happens where the engine did so on its own.
    fn roll_back(&mut self) -> Result<()>;

    /// Begins a job that may be rolled back alone.
    fn begin_job(&mut self) -> Result<()>;

    /// Ends it. With `is_undone` all that it wrote is rolled back.
    fn end_job(&mut self, is_undone: bool) -> Result<()>;

    /// Why the transaction is gone, if the engine rolled it back on its own or lost its connection.
    fn lost(&self) -> Option<&'static str>;

    /// The node that the counts are written for; none where only one process can serve.
    fn node(&self) -> Option<i64>;

    /// A number that changes when this connection writes.
    fn changes(&self) -> u64;

    /// Whether another process committed since the last call.
    fn others_committed(&mut self) -> Result<bool>;

    /// Whether somebody other than this connection may have written since it looked last; costs next to nothing.
    fn is_written_by_others(&self) -> bool;

    /// As [`Session::others_committed`], for an idle writer, which calls it now and then.
    fn poll_others(&mut self) -> Result<bool>;

    /// Checks that this is still the database that was opened. True when it is again, after it was not.
    fn check_place(&mut self) -> bool;

    /// Checks that there is room for more events.
    fn check_room(&self);
}

/// A key, and its source.
pub(crate) type KeyOf<'k> = (Option<SourceId>, &'k str);

/// The idempotency keys: each belongs to one event of its source.
pub(crate) trait Keys {
    /// The event that has this key.
    fn find(
        &mut self,
        conn: Conn<'_>,
        source: Option<SourceId>,
        key: &str,
    ) -> Result<Option<Known>>;

    /// Stores the key of a new event. [`Keys::find`] was asked for it in this transaction.
    fn add(
        &mut self,
        conn: Conn<'_>,
        id: EventId,
        source: Option<SourceId>,
        key: &str,
    ) -> Result<()>;

    /// Removes the key of a removed event.
    fn remove(
        &mut self,
        conn: Conn<'_>,
        id: EventId,
        source: Option<SourceId>,
        key: &str,
    ) -> Result<()>;
}

/// An event that already has this key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) id: EventId,
    pub(crate) received: Timestamp,
}
