//! A new database file that has no name that anybody knows until it is whole and on disk.

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

/// What the name of a draft begins with.
const UNFINISHED: &str = ".hookbox-backup-";

/// A file that is being written.
pub(crate) struct Draft {
    to: PathBuf,
    file: NamedTempFile,
}

impl Draft {
    /// Begins one that only its owner can read: whoever the database `of` belongs to.
    ///
    /// # Errors
    /// [`Error::Misuse`] when there is a file of this name already, or one of `SQLite`'s own beside it.
    pub(crate) fn new(to: &Path, of: &Path) -> Result<Draft> {
        // A log of another file under this name would be read into it.
        for ending in ["", "-wal", "-journal"] {
            let name = beside(to, ending);
            if std::fs::symlink_metadata(&name).is_ok() {
                return Err(taken(&name));
            }
        }
        Draft::in_place_of(to, of)
    }

    /// The same, where the file that has this name is moved away before it is finished.
    pub(crate) fn in_place_of(to: &Path, of: &Path) -> Result<Draft> {
        let folder = folder_of(to);
        let cannot = |error| Error::io_at("make a file in", folder, error);
        remove_broken_off(folder).map_err(cannot)?;
        let file = tempfile::Builder::new()
            .prefix(UNFINISHED)
            .tempfile_in(folder)
            .map_err(cannot)?;
        // Held as long as it is being written.
        flock(file.as_file(), FlockOperation::LockExclusive)
            .map_err(|error| cannot(error.into()))?;
        // Else what the super-user makes would be closed to the service it is made for; and what replaces
        // a file is open to whom that was.
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

    /// A connection to it. What is half done is thrown away, so nothing is kept to undo it.
    pub(crate) fn connect(&self) -> Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(self.file.path(), flags)?;
        connection.pragma_update(None, "journal_mode", "off")?;
        connection.pragma_update(None, "synchronous", "off")?;
        Ok(connection)
    }

    /// Brings what was written so far to the disk.
    pub(crate) fn sync(&self) -> Result<()> {
        self.file
            .as_file()
            .sync_data()
            .map_err(|error| Error::io_at("write", &self.to, error))
    }

    /// Where it lies until then.
    pub(crate) fn path(&self) -> &Path {
        self.file.path()
    }

    fn sync_all(&self) -> Result<()> {
        self.file
            .as_file()
            .sync_all()
            .map_err(|error| Error::io_at("write", &self.to, error))
    }

    /// Gives it the name of a file that is there, once it is on disk: that one is gone then.
    pub(crate) fn replace(self) -> Result<()> {
        self.sync_all()?;
        let to = &self.to;
        self.file
            .persist(to)
            .map_err(|error| Error::io_at("make", to, error.error))?;
        sync_folder(to)
    }

    /// Gives it its name, once it is on disk.
    pub(crate) fn finish(self) -> Result<()> {
        self.sync_all()?;
        let to = &self.to;
        self.file
            .persist_noclobber(to)
            .map_err(|error| match error.error.kind() {
                ErrorKind::AlreadyExists => taken(to),
                _ => Error::io_at("make", to, error.error),
            })?;
        // Its name must survive power loss as it does.
        sync_folder(to)
    }
}

/// Removes drafts that were broken off by the end of their process: nobody holds their locks.
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
