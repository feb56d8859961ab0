//! Read-only connections, made when needed and kept for the next reader.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard};

use rusqlite::Connection;

use super::open::connect_read_only;
use crate::error::Result;

/// Connections kept for the next reader; each holds its page cache, so not many.
const IDLE_MAX: usize = 4;

pub(super) struct Readers {
    path: PathBuf,
    /// `None` once closed: then connections are not kept.
    idle: Mutex<Option<Vec<Connection>>>,
}

impl Readers {
    pub(super) fn new(path: PathBuf) -> Readers {
        Readers {
            path,
            idle: Mutex::new(Some(Vec::new())),
        }
    }

    /// Runs a query on a connection that no other thread has.
    pub(super) fn with<T>(&self, query: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let kept = self.lock().as_mut().and_then(Vec::pop);
        let connection = match kept {
            Some(connection) => connection,
            None => connect_read_only(&self.path)?,
        };
        let result = query(&connection);
        if let Some(idle) = self.lock().as_mut()
            && idle.len() < IDLE_MAX
        {
            idle.push(connection);
        }
        result
    }

    /// Closes what is kept, and keeps nothing from now on.
    pub(super) fn close(&self) {
        *self.lock() = None;
    }

    fn lock(&self) -> MutexGuard<'_, Option<Vec<Connection>>> {
        self.idle.lock().expect("no reader panics with the lock")
    }
}
