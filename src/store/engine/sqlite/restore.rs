//! Restores a backup: puts it in the place of the database.
//!
//! The old file is kept with another name, together with its log. This can be interrupted at any point.
//! Then the database is the old one, or the new one, or the name is free while the log still has it. In
//! that last case no command silently creates an empty database, and the restore can be run again.

use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::error::{Error, Result};
use crate::store::engine::sqlite::backup::{Copied, copy};
use crate::store::engine::sqlite::check::{Depth, faults};
use crate::store::engine::sqlite::draft::Draft;
use crate::store::engine::sqlite::lock::{ServeLock, has_others_log};
use crate::store::engine::sqlite::open::{
    connect_read_only, has_foreign_tables, roll_back_broken_off, sync_folder,
};
use crate::store::engine::sqlite::place;
use crate::store::engine::sqlite::schema::{
    SCHEMA_VERSION, migrate, refuse_unfinished, refuse_unknown, schema_version,
};
use crate::time::Timestamp;

/// What was restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// Its size in bytes.
    pub bytes: u64,
    /// Events in it.
    pub events: i64,
    /// Pending deliveries in it: they are sent once the file is served.
    pub pending: i64,
    /// Where the old file is now.
    pub kept: Option<PathBuf>,
}

/// Puts a backup, or any other hookbox database file, in the place of the database at a path.
///
/// # Errors
/// [`Error::AlreadyServing`] while the database is served, [`Error::Misuse`] while another program has it
/// open; [`Error::NotFound`], [`Error::NewerSchema`], [`Error::Refused`] when the backup does not exist, is
/// not one, or is damaged. Nothing was changed then.
pub fn restore(
    backup: &Path,
    database: &Path,
    now: Timestamp,
    mut progress: impl FnMut(Copied),
) -> Result<Restored> {
    let source = open_backup(backup)?;
    // The name that a link leads to: the lock uses that name.
    let database = database
        .canonicalize()
        .unwrap_or_else(|_| database.to_owned());
    let is_there = database.exists();
    let same = |one: &Path, other: &Path| one.canonicalize().ok() == other.canonicalize().ok();
    if is_there && same(backup, &database) {
        return Err(Error::misuse(format!(
            "{} is the database itself; name the backup",
            backup.display()
        )));
    }
    let had_lock = place::beside(&database, ".lock").exists();
    let is_others_log = is_there && has_others_log(&database);
    let lock = ServeLock::take(&database)?;
    let there = Existing {
        database: &database,
        is_there,
        is_others_log,
    };
    let restored = put_in_place(backup, &source, &there, now, &mut progress);
    lock.renew(&database);
    if restored.is_err() && !is_there && !had_lock {
        // Otherwise the lock file would mean that there was a database.
        let _ = std::fs::remove_file(place::beside(&database, ".lock"));
    }
    drop(lock);
    restored
}

/// The state of the database that is to be replaced.
struct Existing<'a> {
    database: &'a Path,
    /// Whether there is a file.
    is_there: bool,
    /// Whether the log beside it belongs to another file.
    is_others_log: bool,
}

fn put_in_place(
    backup: &Path,
    source: &Connection,
    there: &Existing<'_>,
    now: Timestamp,
    progress: &mut impl FnMut(Copied),
) -> Result<Restored> {
    let database = there.database;
    let mut alone = None;
    if there.is_there {
        place::check(database)?;
        if !there.is_others_log {
            alone = lock_exclusively(database)?;
        }
    }
    if let Some(held) = &alone
        && has_foreign_tables(held).unwrap_or(false)
        && !has_foreign_tables(source).unwrap_or(true)
    {
        return Err(Error::Refused(format!(
            "{} has another program's tables too, and {} has none: they would be gone; nothing was changed",
            database.display(),
            backup.display()
        )));
    }
    let draft = Draft::in_place_of(database, database)?;
    let damaged = |why: &str| {
        Error::Refused(format!(
            "{} is damaged or no database, and nothing was changed: {why}",
            backup.display()
        ))
    };
    let bytes = copy(source, &draft, progress).map_err(|error| match error.is_damage() {
        true => damaged(&error.chain()),
        false => error,
    })?;
    let copied = draft.connect()?;
    let version = schema_version(&copied).ok().flatten();
    let older = version.filter(|found| *found < SCHEMA_VERSION);
    // Of an older one the pages are looked at before it is brought up: a step may trip over what is damaged.
    let depth = match older {
        Some(_) => Depth::Quick,
        None => Depth::Full,
    };
    let mut found = faults(&copied, depth)?;
    if let Some(version) = older
        && !found.iter().any(|fault| fault.is_damage)
    {
        migrate(&copied, draft.path(), version)?;
        found = faults(&copied, Depth::Full)?;
    }
    if let Some(fault) = found.iter().find(|fault| fault.is_damage) {
        return Err(damaged(&fault.what));
    }
    let count = |query: &str| copied.query_row(query, [], |row| row.get(0));
    let events = count("select count(*) from hookbox_event")?;
    let pending = count("select count(*) from hookbox_delivery where state = 'pending'")?;
    copied.close().map_err(|(_, error)| Error::from(error))?;
    let kept = move_away(there, now)?;
    if let Err(error) = draft.finish() {
        if let Some(kept) = &kept {
            for ending in ["-journal", "-wal", ""] {
                let from = place::beside(kept, ending);
                let _ = std::fs::rename(from, place::beside(database, ending));
            }
        }
        return Err(error);
    }
    drop(alone);
    Ok(Restored {
        bytes,
        events,
        pending,
        kept,
    })
}

/// Opens the file to restore, and checks that it is a hookbox database.
fn open_backup(path: &Path) -> Result<Connection> {
    if !path.exists() {
        return Err(Error::not_found(format!(
            "there is no backup at {}; name the file that `hookbox backup` made",
            path.display()
        )));
    }
    // SQLite has a log or journal beside the file, wherever a link to it lies.
    let path = &path
        .canonicalize()
        .map_err(|error| Error::io_at("open", path, error))?;
    let open = || -> Result<(Connection, Option<i64>)> {
        // A file that nobody writes to is opened as immutable, so that it may be on a read-only medium. A
        // log or journal beside it is part of it, so then it is not.
        let has_more = |ending| place::beside(path, ending).exists();
        let connection = match has_more("-wal") || has_more("-journal") {
            true => {
                roll_back_broken_off(path)?;
                connect_read_only(path)?
            }
            false => {
                let uri = format!("file:{}?immutable=1", escaped(path));
                let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
                    | OpenFlags::SQLITE_OPEN_NO_MUTEX
                    | OpenFlags::SQLITE_OPEN_URI;
                Connection::open_with_flags(uri, flags)?
            }
        };
        let version = schema_version(&connection)?;
        refuse_unfinished(&connection, path)?;
        Ok((connection, version))
    };
    match open() {
        Ok((connection, Some(found))) => refuse_unknown(path, found).map(|()| connection),
        Ok((_, None)) => Err(Error::Refused(format!(
            "{} has none of hookbox's tables; nothing was changed",
            path.display()
        ))),
        Err(error) if error.is_damage() => Err(Error::Refused(format!(
            "{} is damaged or no database, and nothing was changed: {}",
            path.display(),
            error.chain()
        ))),
        Err(error) => Err(error),
    }
}

/// A path as it is written in a URI (`SQLite`, "URI Filenames").
fn escaped(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt;

    percent_encoding::percent_encode(
        path.as_os_str().as_bytes(),
        percent_encoding::NON_ALPHANUMERIC,
    )
    .to_string()
}

/// Checks that no other process has the database open, and keeps it so until the result is dropped. In WAL
/// mode each connection holds a lock as long as it is open. Nothing is written. A file so damaged that it
/// cannot be opened passes this check: no process can have it open.
fn lock_exclusively(database: &Path) -> Result<Option<Connection>> {
    let alone = || -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(database, flags)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        connection.pragma_update(None, "locking_mode", "exclusive")?;
        connection.execute_batch("begin exclusive; rollback;")?;
        Ok(connection)
    };
    match alone() {
        Ok(connection) => Ok(Some(connection)),
        Err(error) => match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                Err(Error::InUse(database.to_owned()))
            }
            _ => Ok(None),
        },
    }
}

/// The latest file that was moved away without its log.
fn kept_without_log(database: &Path) -> Option<PathBuf> {
    let begins = place::beside(database, ".before-");
    let entries = std::fs::read_dir(place::folder_of(database)).ok()?;
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    paths
        .filter(|path| {
            let name = path.to_string_lossy();
            name.starts_with(&*begins.to_string_lossy())
                && !name.ends_with("-wal")
                && !name.ends_with("-journal")
                && !place::beside(path, "-wal").exists()
        })
        .max()
}

/// Renames the present file, its log and its journal. The file goes first: while the log still has the old name, the
/// missing file is not taken for a new database.
fn move_away(there: &Existing<'_>, now: Timestamp) -> Result<Option<PathBuf>> {
    let database = there.database;
    let stamp: String = now
        .to_string()
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect();
    // A log without its file belongs to the file that an interrupted restore moved away.
    let kept = match database.exists() || !place::beside(database, "-wal").exists() {
        true => None,
        false => kept_without_log(database),
    };
    let kept = kept.unwrap_or_else(|| place::beside(database, &format!(".before-{stamp}")));
    let mut was_there = false;
    // The log of another file must not be beside this one with any name.
    let log = match there.is_others_log {
        true => "-wal-of-another-file",
        false => "-wal",
    };
    // SQLite would roll a journal that stays back into the file that comes.
    for (ending, kept_ending) in [("", ""), ("-wal", log), ("-journal", "-journal")] {
        let from = place::beside(database, ending);
        if from.exists() {
            was_there = true;
            let to = place::beside(&kept, kept_ending);
            if to.exists() {
                return Err(Error::misuse(format!(
                    "{} is there already; move it away",
                    to.display()
                )));
            }
            std::fs::rename(&from, &to).map_err(|error| Error::io_at("move away", &from, error))?;
        }
    }
    // The index has nothing that the log does not have.
    let index = place::beside(database, "-shm");
    if index.exists() {
        std::fs::remove_file(&index).map_err(|error| Error::io_at("remove", &index, error))?;
    }
    sync_folder(database)?;
    Ok(was_there.then_some(kept))
}
