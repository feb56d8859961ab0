//! Notices what other processes write to the same file: the command line beside a running
//! service, or an application that inserts in its own transaction.
//!
//! SQLite tells nobody of a commit, so this asks: `pragma data_version` reads one number from
//! shared memory and takes no lock.

use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;

use super::{Published, Store, Woken, open};
use crate::error::{Error, Result};

/// How often to ask. Twice in the 50 ms within which a foreign commit should be seen at the
/// median; forty questions a second cost under a thousandth of a core.
const PERIOD: Duration = Duration::from_millis(25);

/// The watching thread. Dropping it stops and joins it.
#[derive(Debug)]
pub struct Watch {
    stop: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Starts watching a store's file.
    ///
    /// # Errors
    /// [`Error::Sqlite`] when the file cannot be opened once more; [`Error::Io`] when there is
    /// no thread to be had.
    pub fn start(store: &Store) -> Result<Watch> {
        let connection = open::connect_read_only(store.path())?;
        let published = store.inner.published.clone();
        // Asked before the thread runs: what is committed from here on is noticed.
        let mut seen = data_version(&connection)?;
        let (stop, stopped) = sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("watch".to_owned())
            .spawn(move || {
                while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(PERIOD) {
                    match data_version(&connection) {
                        Ok(version) if version == seen => {}
                        Ok(version) => {
                            seen = version;
                            tell(&connection, &published);
                        }
                        Err(error) => tracing::warn!(%error, "cannot watch the database"),
                    }
                }
            })
            .map_err(|error| Error::io("start the watching thread", error))?;
        Ok(Watch {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

/// A number that changes when another connection commits.
fn data_version(connection: &Connection) -> rusqlite::Result<i64> {
    connection
        .prepare_cached("pragma data_version")?
        .query_row([], |row| row.get(0))
}

/// Somebody wrote: the configuration may be another, and anything may have become due.
fn tell(connection: &Connection, published: &Published) {
    if let Err(error) = published.refreshed(connection) {
        tracing::warn!(error = error.chain(), "cannot read the configuration");
    }
    published.tell(&Woken::All);
}

impl Drop for Watch {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the watching thread panicked");
        }
    }
}
