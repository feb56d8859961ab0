//! Read-only connections: opened when needed and kept for the next reader.

use std::sync::{Mutex, MutexGuard};

use crate::error::Result;
use crate::store::engine::conn::Conn;
#[cfg(feature = "postgres")]
use crate::store::engine::postgres::client::PgConnection;

/// Connections kept for the next reader. Few, since each holds its own page cache.
const IDLE_MAX: usize = 4;

/// A connection that only reads.
pub(crate) enum Reader {
    Sqlite(rusqlite::Connection),
    #[cfg(feature = "postgres")]
    Postgres(Box<PgConnection>),
}

/// Opens another one.
pub(crate) type OpenReader = Box<dyn Fn() -> Result<Reader> + Send + Sync>;

impl Reader {
    fn conn(&self) -> Conn<'_> {
        match self {
            Reader::Sqlite(connection) => Conn::sqlite(connection),
            #[cfg(feature = "postgres")]
            Reader::Postgres(connection) => Conn::postgres(&**connection),
        }
    }

    /// Whether it can still be used: a server may have closed it while it was kept.
    fn is_sound(&self) -> bool {
        match self {
            Reader::Sqlite(_) => true,
            #[cfg(feature = "postgres")]
            Reader::Postgres(connection) => !connection.is_closed(),
        }
    }
}

pub(crate) struct Readers {
    open: OpenReader,
    /// `None` after the close: then connections are not kept.
    idle: Mutex<Option<Vec<Reader>>>,
}

impl Readers {
    pub(crate) fn new(open: OpenReader) -> Readers {
        Readers {
            open,
            idle: Mutex::new(Some(Vec::new())),
        }
    }

    /// Runs a query on a connection that no other thread uses meanwhile.
    pub(crate) fn with<T>(&self, query: impl FnOnce(Conn<'_>) -> Result<T>) -> Result<T> {
        let kept = self.lock().as_mut().and_then(Vec::pop);
        let reader = match kept.filter(Reader::is_sound) {
            Some(reader) => reader,
            None => (self.open)()?,
        };
        let result = query(reader.conn());
        if let Some(idle) = self.lock().as_mut()
            && idle.len() < IDLE_MAX
        {
            idle.push(reader);
        }
        result
    }

    /// Closes the kept connections, and keeps none from now on.
    pub(crate) fn close(&self) {
        *self.lock() = None;
    }

    fn lock(&self) -> MutexGuard<'_, Option<Vec<Reader>>> {
        self.idle.lock().expect("no reader panics with the lock")
    }
}
