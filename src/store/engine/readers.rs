//! Read-only connections: opened when needed and kept for the next reader.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard};

use rusqlite::Connection;

use crate::error::Result;
use crate::store::engine::conn::Conn;
use crate::store::engine::sqlite::open::connect_read_only;

/// Connections kept for the next reader. Few, since each holds its own page cache.
const IDLE_MAX: usize = 4;

pub(crate) struct Readers {
    path: PathBuf,
    /// `None` after the close: then connections are not kept.
    idle: Mutex<Option<Vec<Connection>>>,
}

impl Readers {
    pub(crate) fn new(path: PathBuf) -> Readers {
        Readers {
            path,
            idle: Mutex::new(Some(Vec::new())),
        }
    }

    /// Runs a query on a connection that no other thread uses meanwhile.
    pub(crate) fn with<T>(&self, query: impl FnOnce(Conn<'_>) -> Result<T>) -> Result<T> {
        let kept = self.lock().as_mut().and_then(Vec::pop);
        let connection = match kept {
            Some(connection) => connection,
            None => connect_read_only(&self.path)?,
        };
        let result = query(Conn(&connection));
        if let Some(idle) = self.lock().as_mut()
            && idle.len() < IDLE_MAX
        {
            idle.push(connection);
        }
        result
    }

    /// Closes the kept connections, and keeps none from now on.
    pub(crate) fn close(&self) {
        *self.lock() = None;
    }

    fn lock(&self) -> MutexGuard<'_, Option<Vec<Connection>>> {
        self.idle.lock().expect("no reader panics with the lock")
    }
}
