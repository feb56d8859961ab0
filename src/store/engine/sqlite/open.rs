//! Opens and creates the file: what it must be, who may read it, and how connections are configured.
//!
//! This must never change a file that is not hookbox's own unless the caller asked for it.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::error::{Error, Result};
use crate::model::id::BoxId;
use crate::store::engine::location::Missing;
use crate::store::engine::sqlite::lock::has_others_log;
use crate::store::engine::sqlite::permission::{denied, give_to};
use crate::store::engine::sqlite::place;
use crate::store::engine::sqlite::schema::{
    SCHEMA_VERSION, lay_out, make_schema, migrate, refuse_unfinished, refuse_unknown,
    schema_version,
};

/// How long a connection waits for the write lock (busy timeout). An application may hold the lock of its
/// own file for seconds; a Gogs sender gives up after 15 seconds.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Size in bytes of the log at which it is moved into the file.
const LOG_BYTES: i64 = 4 * 1024 * 1024;

/// Size in bytes to which the log file is truncated: four times its normal size.
const LOG_BYTES_KEPT: i64 = 4 * LOG_BYTES;

/// Prepared statements cached per connection: more than the program has.
const STATEMENTS_KEPT: usize = 64;

/// Checks the file, creates what is missing, and returns its real path and its box.
pub(crate) fn prepare(path: &Path, missing: Missing) -> Result<(PathBuf, BoxId)> {
    let exists = probe(path)?;
    // SQLite deletes a log that it finds beside an empty file. The file is checked again after the log was
    // found: another process may have created the file and its log in the meantime.
    if !holds_something(path)
        && let Some(left) = place::left_of(path)
        && !holds_something(path)
    {
        return Err(place::gone(path, &left));
    }
    if !exists {
        if missing == Missing::Refuse {
            return Err(Error::NoDatabase(path.display().to_string()));
        }
        create_file(path)?;
    }
    let path = real_path(path)?;
    let (connection, version) = connect_writable(&path)
        .and_then(|connection| {
            let version = schema_version(&connection)?;
            Ok((connection, version))
        })
        .map_err(|error| in_own_words(error, &path))?;
    refuse_unfinished(&connection, &path)?;
    if let Some(found) = version {
        refuse_unknown(&path, found)?;
    }
    match version {
        Some(found) if found < SCHEMA_VERSION => {
            check_mode(&connection, &path, missing)?;
            migrate(&connection, &path, found)?;
        }
        Some(_) => check_mode(&connection, &path, missing)?,
        None => {
            let foreign = has_foreign_tables(&connection)?;
            match missing {
                Missing::Refuse | Missing::Create if foreign => {
                    return Err(Error::ForeignDatabase { path, mode: None });
                }
                Missing::Refuse => return Err(Error::NoDatabase(path.display().to_string())),
                Missing::Create | Missing::CreateOrExtend { .. } => {
                    if !foreign {
                        close_to_others(&path)?;
                    }
                    check_mode(&connection, &path, missing)?;
                    if !foreign {
                        lay_out(&connection)?;
                    }
                    make_schema(&connection)?;
                }
            }
        }
    }
    // WAL is a property of the file: readers never block the writer, and a commit needs one fsync.
    let mode: String = connection.query_row("pragma journal_mode = wal", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(Error::misuse(format!(
            "{} cannot be put in WAL mode (it stays in {mode} mode); move it to a local, writable disk",
            path.display()
        )));
    }
    let box_id: String =
        connection.query_row("select box from hookbox_meta where id = 1", [], |row| {
            row.get(0)
        })?;
    Ok((path, BoxId::new(box_id)))
}

/// The real path of a file that is there, and in a good place.
pub(crate) fn real_path(path: &Path) -> Result<PathBuf> {
    // One name for the file, whatever link led to it: the scheduler's lock goes by the name.
    let path = path
        .canonicalize()
        .map_err(|error| cannot("open", path, error))?;
    place::check(&path)?;
    if has_others_log(&path) {
        return Err(place::others_log(&path));
    }
    Ok(path)
}

/// Opens the connection that writes.
pub(crate) fn connect_writable(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    if connection.is_readonly("main")? {
        let read_only = std::io::Error::new(ErrorKind::PermissionDenied, "it is read-only here");
        return Err(cannot("write to", path, read_only));
    }
    set_up(&connection)?;
    // An accepted event must survive a power loss: fsync at every commit.
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(
        None,
        "wal_autocheckpoint",
        LOG_BYTES / page_bytes(&connection)?,
    )?;
    // A reader that stays open long makes the log long; SQLite truncates the log when it restarts it.
    connection.pragma_update(None, "journal_size_limit", LOG_BYTES_KEPT)?;
    // SQLite checks references between rows only when this is on.
    connection.pragma_update(None, "foreign_keys", true)?;
    Ok(connection)
}

/// The size of a page of the file, in bytes.
pub(crate) fn page_bytes(connection: &Connection) -> Result<i64> {
    Ok(connection.query_row("pragma page_size", [], |row| row.get(0))?)
}

/// Opens a connection that can only read.
pub(crate) fn connect_read_only(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    set_up(&connection)?;
    Ok(connection)
}

/// Rolls back a change that was broken off before the file was in WAL mode: a connection that can only read
/// is refused the file until this is done. Other errors are met by who reads it next.
pub(crate) fn roll_back_broken_off(path: &Path) -> Result<()> {
    // SQLite has the journal beside the file, wherever a link to it lies.
    let Ok(path) = path.canonicalize() else {
        return Ok(());
    };
    let journal = place::beside(&path, "-journal");
    if !journal.exists() {
        return Ok(());
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let looked = Connection::open_with_flags(&path, flags).and_then(|connection| {
        connection.busy_timeout(BUSY_TIMEOUT)?;
        // Nothing else is done to the file, also where the journal is one that is long done with.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        connection.query_row(
            "select exists (select 1 from sqlite_schema)",
            [],
            |_| Ok(()),
        )
    });
    match looked {
        Err(rusqlite::Error::SqliteFailure(error, _))
            if error.extended_code == rusqlite::ffi::SQLITE_READONLY_ROLLBACK =>
        {
            Err(Error::Refused(format!(
                "a change of {} was broken off, and {} takes it back, which this user may not do: run this as its owner, or copy both to where you may write",
                path.display(),
                journal.display()
            )))
        }
        _ => Ok(()),
    }
}

/// The settings of every connection.
fn set_up(connection: &Connection) -> Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    // SQLite's temporary data is small, and must not depend on the system's folder for temporary files.
    connection.pragma_update(None, "temp_store", "memory")?;
    // A query plan must not depend on the bound values. Otherwise SQLite would prepare a statement again at
    // each run if it compares a column of a partial index with a bound value.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

/// Whether the file exists; an empty file counts as one to be filled.
///
/// SQLite decides whether the file is a database. If we opened and closed it ourselves, this process would
/// lose all its locks on it, also those of a program that hookbox is part of (POSIX locks belong to the
/// process).
pub(crate) fn probe(path: &Path) -> Result<bool> {
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => Err(place::no_database(path)),
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(cannot("open", path, error)),
    }
}

fn holds_something(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|found| found.len() > 0)
}

/// Creates an empty file that only its owner can read: it will hold secrets. SQLite creates its side files
/// with the same permissions.
pub(crate) fn create_file(path: &Path) -> Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        // Root creates the file for a service: the owner of the folder becomes its owner.
        Ok(file) => {
            if let Ok(folder) = std::fs::metadata(place::folder_of(path)) {
                give_to(&file, &folder).map_err(|error| Error::io_at("make", path, error))?;
            }
        }
        // Another process created it in between; it is checked next.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(()),
        Err(error) => return Err(cannot("make", path, error)),
    }
    // The file's name must survive a power loss as its contents do.
    sync_folder(path)
}

/// Fsyncs the folder, so that the name of a file survives a power loss.
pub(crate) fn sync_folder(path: &Path) -> Result<()> {
    let folder = place::folder_of(path);
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| Error::io_at("make", path, error))
}

/// Gives an empty file that existed before the permissions of one that we create.
fn close_to_others(path: &Path) -> Result<()> {
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(path, mode)
            .map_err(|error| Error::io_at("protect", path, error))?;
    }
    Ok(())
}

/// Whether the file has tables that are not hookbox's.
pub(crate) fn has_foreign_tables(connection: &Connection) -> Result<bool> {
    let has_some = connection.query_row(
        "select exists (
             select 1 from sqlite_schema
             where tbl_name not glob 'hookbox_*' and tbl_name not glob 'sqlite_*'
         )",
        [],
        |row| row.get(0),
    )?;
    Ok(has_some)
}

/// Switches another program's file to WAL mode only if the caller allowed it: the file stays in that mode.
fn check_mode(connection: &Connection, path: &Path, missing: Missing) -> Result<()> {
    let may_set_wal = matches!(missing, Missing::CreateOrExtend { may_set_wal: true });
    let mode: String = connection.query_row("pragma journal_mode", [], |row| row.get(0))?;
    if mode == "wal" || may_set_wal || !has_foreign_tables(connection)? {
        return Ok(());
    }
    Err(Error::ForeignDatabase {
        path: path.to_owned(),
        mode: Some(mode),
    })
}

/// Translates SQLite's error that a file is no database or must not be used to our own error.
pub(crate) fn in_own_words(error: Error, path: &Path) -> Error {
    let code = match &error {
        Error::Database { cause, .. } => cause
            .downcast_ref::<rusqlite::Error>()
            .and_then(rusqlite::Error::sqlite_error_code),
        _ => None,
    };
    match code {
        Some(ErrorCode::NotADatabase) => place::no_database(path),
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            denied("open", path).unwrap_or(error)
        }
        _ => error,
    }
}

/// The error for a file that the system did not let us open or create: who may, or that its folder is
/// missing.
fn cannot(doing: &str, path: &Path, error: std::io::Error) -> Error {
    let known = match error.kind() {
        ErrorKind::PermissionDenied => denied(doing, path),
        ErrorKind::NotFound => {
            let folder = path.parent().unwrap_or(path).display();
            let text = format!("there is no folder {folder}; make it first");
            Some(Error::io_at(
                doing,
                path,
                std::io::Error::new(ErrorKind::NotFound, text),
            ))
        }
        _ => None,
    };
    known.unwrap_or_else(|| Error::io_at(doing, path, error))
}
