//! Giving back all room inside the file that holds nothing.

use std::path::Path;

use crate::error::{Error, Result};
use crate::store::engine::Store;
use crate::store::engine::sqlite::check::{Depth, faults};
use crate::store::engine::sqlite::disk_space::{Inside, free_at};
use crate::store::engine::sqlite::draft::Draft;
use crate::store::engine::sqlite::lock::ServeLock;
use crate::store::engine::sqlite::open::{connect_writable, has_foreign_tables};
use crate::store::engine::sqlite::schema::give_back_pages;

/// What a file was cut down to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compacted {
    /// Bytes of the file before.
    pub before: u64,
    /// Bytes of it now.
    pub after: u64,
}

impl Store {
    /// Gives back all room inside the file that holds nothing; `go_on` is asked between pieces of it.
    /// Files that were made before schema 8 are made anew for that, which takes room for a second one and
    /// that nobody else has the file open; this store is closed then.
    ///
    /// # Errors
    /// [`Error::AlreadyServing`], [`Error::Misuse`] when the file must be made anew and is in use, or is
    /// another program's too; [`Error::Io`] and [`Error::Database`] when it cannot be written. The file is as it
    /// was then, or smaller.
    pub fn compact(self, mut go_on: impl FnMut() -> bool) -> Result<Compacted> {
        let path = self.path().to_owned();
        let inside = self.read(Inside::read)?;
        let before = self.sizes().database;
        if inside.gives_back {
            while self.give_back(true)? && go_on() {}
            // The last connection to close cuts the file.
            self.close();
        } else {
            self.close();
            make_anew(&path)?;
        }
        let after = std::fs::metadata(&path).map_or(0, |found| found.len());
        Ok(Compacted { before, after })
    }
}

fn make_anew(path: &Path) -> Result<()> {
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
    // Held to the end: nobody else opens the file meanwhile, and its log is all in it, and gone.
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
    give_back_pages(&connection)?;
    connection.execute("vacuum into ?1", [draft.path().to_string_lossy()])?;
    if let Some(fault) = faults(&draft.connect()?, Depth::Quick)?.first() {
        return Err(Error::Refused(format!(
            "the new file is not whole, and was thrown away: {}",
            fault.what
        )));
    }
    draft.replace()?;
    lock.renew(path);
    // Held up to here.
    drop(connection);
    Ok(())
}
