//! A draft: a new database file that gets its final name only when it is complete and fsynced.

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};
use rustix::fs::{FlockOperation, flock};
use tempfile::NamedTempFile;

use crate::error::{Error, Result};
use crate::store::engine::sqlite::open::sync_folder;
use crate::store::engine::sqlite::permission::{give_to, open_as};
use crate::store::engine::sqlite::place::{beside, folder_of};

/// The name of every draft begins with this.
const UNFINISHED: &str = ".hookbox-backup-";

/// A file that is being written.
pub(crate) struct Draft {
    to: PathBuf,
    file: NamedTempFile,
}

impl Draft {
    /// Starts a draft that only the owner of the database `of` can read.
    ///
    /// # Errors
    /// [`Error::Misuse`] when there is a file with this name already, or a log or journal of `SQLite` with
    /// it.
    pub(crate) fn new(to: &Path, of: &Path) -> Result<Draft> {
        // SQLite would read a log of another file with this name into the new file.
        for ending in ["", "-wal", "-journal"] {
            let name = beside(to, ending);
            if std::fs::symlink_metadata(&name).is_ok() {
                return Err(taken(&name));
            }
        }
        Draft::in_place_of(to, of)
    }

    /// As [`Draft::new`], for a name whose present file is moved away before the draft is finished.
    pub(crate) fn in_place_of(to: &Path, of: &Path) -> Result<Draft> {
        let folder = folder_of(to);
        let cannot = |error| Error::io_at("make a file in", folder, error);
        remove_broken_off(folder).map_err(cannot)?;
        let file = tempfile::Builder::new()
            .prefix(UNFINISHED)
            .tempfile_in(folder)
            .map_err(cannot)?;
        // This lock is held as long as the draft is written.
        flock(file.as_file(), FlockOperation::LockExclusive)
            .map_err(|error| cannot(error.into()))?;
        // Without this, a file that root creates would be closed to the service that it is made for. A file
        // that replaces another one is open to the same users as that one.
        match std::fs::metadata(to) {
            Ok(replaced) => open_as(file.as_file(), &replaced).map_err(cannot)?,
            Err(_) => {
                let of = std::fs::metadata(of).or_else(|_| std::fs::metadata(folder));
                give_to(file.as_file(), &of.map_err(cannot)?).map_err(cannot)?;
            }
        }
        Ok(Draft {
            to: to.to_owned(),
            file,
        })
    }

    /// A connection to the draft. There is no journal: an unfinished draft is thrown away, never rolled
    /// back.
    pub(crate) fn connect(&self) -> Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(self.file.path(), flags)?;
        connection.pragma_update(None, "journal_mode", "off")?;
        connection.pragma_update(None, "synchronous", "off")?;
        Ok(connection)
    }

    /// Fsyncs what was written so far.
    pub(crate) fn sync(&self) -> Result<()> {
        self.file
            .as_file()
            .sync_data()
            .map_err(|error| Error::io_at("write", &self.to, error))
    }

    /// The path of the draft while it is unfinished.
    pub(crate) fn path(&self) -> &Path {
        self.file.path()
    }

    fn sync_all(&self) -> Result<()> {
        self.file
            .as_file()
            .sync_all()
            .map_err(|error| Error::io_at("write", &self.to, error))
    }

    /// Renames the fsynced draft over an existing file, which is gone after that.
    pub(crate) fn replace(self) -> Result<()> {
        self.sync_all()?;
        let to = &self.to;
        self.file
            .persist(to)
            .map_err(|error| Error::io_at("make", to, error.error))?;
        sync_folder(to)
    }

    /// Gives the draft its final name, after an fsync.
    pub(crate) fn finish(self) -> Result<()> {
        self.sync_all()?;
        let to = &self.to;
        self.file
            .persist_noclobber(to)
            .map_err(|error| match error.error.kind() {
                ErrorKind::AlreadyExists => taken(to),
                _ => Error::io_at("make", to, error.error),
            })?;
        // The name must survive a power loss too, so the folder is fsynced.
        sync_folder(to)
    }
}

/// Removes drafts of processes that ended before they finished: no process holds their locks.
fn remove_broken_off(folder: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let is_one = entry.file_name().to_string_lossy().starts_with(UNFINISHED);
        if !is_one || !entry.file_type()?.is_file() {
            continue;
        }
        let path = entry.path();
        if let Ok(file) = File::open(&path)
            && flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok()
        {
            tracing::warn!(file = %path.display(), "a copy that was broken off is removed");
            std::fs::remove_file(&path)?;
        }
    }
    Ok(())
}

fn taken(path: &Path) -> Error {
    Error::misuse(format!(
        "{} is there already; name another file, or remove that one first",
        path.display()
    ))
}
