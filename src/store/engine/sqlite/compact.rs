//! Returns all unused space inside the file to the file system.

use std::path::Path;

use crate::error::{Error, Result};
use crate::store::engine::Store;
use crate::store::engine::sqlite::check::{Depth, faults};
use crate::store::engine::sqlite::disk_space::{Inside, free_at};
use crate::store::engine::sqlite::draft::Draft;
use crate::store::engine::sqlite::lock::ServeLock;
use crate::store::engine::sqlite::open::{connect_writable, has_foreign_tables};
use crate::store::engine::sqlite::schema::lay_out;

/// The size of the file before and after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compacted {
    /// Size of the file before, in bytes.
    pub before: u64,
    /// Size of the file now, in bytes.
    pub after: u64,
}

impl Store {
    /// Returns all unused space inside the file to the file system; `go_on` is called between the steps.
    ///
    /// A file that was created before schema 8 is rebuilt with `vacuum into`. This needs disk space for a
    /// second copy, and no other process may have the file open. This store is closed then.
    ///
    /// # Errors
    /// [`Error::AlreadyServing`], [`Error::Misuse`] when the file must be rebuilt and is in use, or also
    /// belongs to another program; [`Error::Io`] and [`Error::Database`] when it cannot be written. After
    /// an error the file is unchanged, or smaller.
    #[doc(hidden)]
    pub fn compact(self, mut go_on: impl FnMut() -> bool) -> Result<Compacted> {
        let path = self
            .location()
            .require_file("PostgreSQL reuses the room of removed rows by itself (autovacuum)")?
            .to_owned();
        let inside = self.read(Inside::of_file)?;
        let before = self.sizes()?.database;
        if inside.gives_back {
            while self.give_back(true)? && go_on() {}
            // The last connection that closes truncates the file.
            self.close();
        } else {
            self.close();
            rebuild(&path)?;
        }
        let after = std::fs::metadata(&path).map_or(0, |found| found.len());
        Ok(Compacted { before, after })
    }
}

fn rebuild(path: &Path) -> Result<()> {
    let lock = ServeLock::take(path)?;
    let connection = connect_writable(path)?;
    if has_foreign_tables(&connection)? {
        return Err(Error::misuse(format!(
            "{} is another program's too, and is not made anew; where it may be, `vacuum` gives its room back",
            path.display()
        )));
    }
    let size = std::fs::metadata(path).map_or(0, |found| found.len());
    if free_at(path).is_some_and(|free| free < size) {
        return Err(Error::Refused(format!(
            "{} is made anew beside itself, for which {size} bytes must be free on its disk",
            path.display()
        )));
    }
    // Held until the end: no other process can open the file meanwhile. Its log has been checkpointed and
    // removed.
    let alone = || -> rusqlite::Result<String> {
        connection.pragma_update(None, "locking_mode", "exclusive")?;
        let mode = connection.query_row("pragma journal_mode = delete", [], |row| row.get(0))?;
        connection.execute_batch("begin exclusive; commit")?;
        Ok(mode)
    };
    if !alone().is_ok_and(|mode| mode == "delete") {
        return Err(Error::InUse(path.to_owned()));
    }
    let draft = Draft::in_place_of(path, path)?;
    lay_out(&connection)?;
    connection.execute("vacuum into ?1", [draft.path().to_string_lossy()])?;
    if let Some(fault) = faults(&draft.connect()?, Depth::Quick)?.first() {
        return Err(Error::Refused(format!(
            "the new file is not whole, and was thrown away: {}",
            fault.what
        )));
    }
    draft.replace()?;
    lock.renew(path);
    // The exclusive lock is held up to here.
    drop(connection);
    Ok(())
}
