//! How much disk space the store may use: some of it is reserved for what the store already holds.
//!
//! Recording attempts, pruning and checkpoints need space too. A store that accepted events up to the last
//! byte could do none of these, and so could never recover on its own.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use rustix::fs::statvfs;

use crate::error::Result;
use crate::store::engine::Store;
use crate::store::engine::conn::Conn;
use crate::store::engine::sqlite::open::{connect_writable, page_bytes};
use crate::store::engine::sqlite::place::folder_of;

/// Bytes of the file system that are kept free, by default.
pub const KEEP_FREE: u64 = 64 * 1024 * 1024;

/// How much of the disk a store may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the file system that are kept free.
    pub keep_free: u64,
    /// Maximum bytes in the file; space of removed rows does not count.
    pub size_max: Option<u64>,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            keep_free: KEEP_FREE,
            size_max: None,
        }
    }
}

/// Bytes that one transaction cuts off the file.
const CUT_BYTES: u64 = 256 * 1024;

/// Unused bytes that may stay inside the file: the next rows are written there. What is above this is
/// returned.
const SLACK_BYTES: u64 = 16 * 1024 * 1024;

/// The value of `pragma auto_vacuum` that means `incremental`.
const INCREMENTAL: u64 = 2;

/// Bytes on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Size of the database file.
    pub database: u64,
    /// Size of its write-ahead log.
    pub wal: u64,
    /// Free bytes on their file system, if the system reports it.
    pub free: Option<u64>,
}

/// Less free space than this, or than a tenth of the file, may soon be too little.
const FREE_BYTES_MIN: u64 = 256 * 1024 * 1024;

impl Sizes {
    /// Says how much is free, if that may soon be too little.
    pub(crate) fn low(&self) -> Option<String> {
        let free = self.free?;
        let is_low = free < FREE_BYTES_MIN.max(self.database / 10);
        is_low.then(|| format!("{} are free where the file lies", mib(free)))
    }
}

/// Bytes inside the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Inside {
    /// In one page.
    page: u64,
    /// In all pages.
    pub(crate) all: u64,
    /// In pages that hold nothing: SQLite uses these first.
    pub(crate) free: u64,
    /// Whether unused pages can be cut off the file. This is fixed when the file's first table is created.
    pub(crate) gives_back: bool,
}

impl Inside {
    /// Of a server only the size is known: it reuses the room of removed rows by itself.
    pub(crate) fn read(conn: Conn<'_>, sizes: &Sizes) -> Result<Inside> {
        if !conn.is_file() {
            return Ok(Inside {
                page: 1,
                all: sizes.database,
                free: 0,
                gives_back: false,
            });
        }
        Inside::of_file(conn)
    }

    pub(crate) fn of_file(conn: Conn<'_>) -> Result<Inside> {
        let number = |pragma: &str| -> Result<u64> {
            let number: i64 = conn.one(pragma, &[], |row| row.get(0))?;
            Ok(u64::try_from(number).unwrap_or(0))
        };
        let page = number("pragma page_size")?;
        Ok(Inside {
            page,
            all: number("pragma page_count")? * page,
            free: number("pragma freelist_count")? * page,
            gives_back: number("pragma auto_vacuum")? == INCREMENTAL,
        })
    }

    pub(crate) fn used(self) -> u64 {
        self.all.saturating_sub(self.free)
    }
}

/// Bytes that this user may still use on the file system of a path, if the system reports it.
pub(crate) fn free_at(path: &Path) -> Option<u64> {
    let disk = statvfs(path).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

impl Store {
    /// The sizes of the files, and the free space where they are; on a server, the size of hookbox's tables.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database) when the server cannot be asked.
    #[doc(hidden)]
    pub fn sizes(&self) -> Result<Sizes> {
        let Some(path) = self.location().file() else {
            let database = self.read(|conn| {
                conn.one(
                    "select sum(pg_total_relation_size(oid))
                     from pg_class
                     where relkind = 'r'
                         and starts_with(relname, 'hookbox_')
                         and relnamespace = (
                             select relnamespace from pg_class where oid = 'hookbox_meta'::regclass
                         )",
                    &[],
                    |row| row.get(0),
                )
            })?;
            return Ok(Sizes {
                database,
                wal: 0,
                free: None,
            });
        };
        let bytes_of = |suffix: &str| {
            let mut name = path.as_os_str().to_owned();
            name.push(suffix);
            std::fs::metadata(name).map_or(0, |metadata| metadata.len())
        };
        Ok(Sizes {
            database: bytes_of(""),
            wal: bytes_of("-wal"),
            free: free_at(path),
        })
    }

    /// Cuts some unused pages off the file; returns whether there may be more to cut off.
    ///
    /// Without `all` this happens only when many pages are unused. Files that an older hookbox created, or
    /// that belong to another program, keep unused pages until they are rebuilt.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database) when the file cannot be written.
    #[doc(hidden)]
    pub fn give_back(&self, all: bool) -> Result<bool> {
        if self.location().file().is_none() {
            return Ok(false);
        }
        let inside = self.read(Inside::of_file)?;
        let slack = match all {
            true => 0,
            false => SLACK_BYTES.max(inside.all / 10),
        };
        if !inside.gives_back || inside.free <= slack {
            return Ok(false);
        }
        self.write(move |tx| {
            let pages = CUT_BYTES / inside.page;
            let pragma = format!("pragma incremental_vacuum({pages})");
            // Each step of this statement frees one page.
            tx.conn
                .each(&pragma, &[], |_| Ok(ControlFlow::Continue(())))
        })?;
        Ok(true)
    }
}

/// Runs a passive checkpoint, as SQLite itself does now and then: it moves as much of the log into the file
/// as possible. Returns the bytes of the log in use, and how many of them could not be moved.
pub(crate) fn log_use(path: &Path) -> Result<(u64, u64)> {
    let connection = connect_writable(path)?;
    let conn = Conn::sqlite(&connection);
    let page_bytes = page_bytes(&connection)?;
    let bytes = |pages: i64| u64::try_from(pages * page_bytes).unwrap_or(0);
    conn.one("pragma wal_checkpoint(passive)", &[], |row| {
        // The columns: whether it was busy, pages in the log, pages moved. The last two are -1 where there is
        // no log.
        let (pages, moved): (i64, i64) = (row.get(1)?, row.get(2)?);
        Ok((bytes(pages), bytes(pages - moved)))
    })
}

/// Watches the disk space of one file.
pub(crate) struct DiskSpace {
    folder: PathBuf,
    limits: Limits,
}

impl DiskSpace {
    pub(crate) fn new(database: &Path, limits: Limits) -> DiskSpace {
        DiskSpace {
            folder: folder_of(database).to_owned(),
            limits,
        }
    }

    /// Why no more events may be accepted; `None` while there is enough space.
    ///
    /// After a rejection more space than the limit is required, so that the answer does not change with
    /// each event.
    pub(crate) fn why_not(&self, conn: Conn<'_>, was_refused: bool) -> Option<String> {
        let Limits {
            keep_free,
            size_max,
        } = self.limits;
        // This is less than what retention removes where only a maximum size is set: a tenth.
        let extra = |limit: u64| if was_refused { limit / 20 } else { 0 };
        if let Some(size_max) = size_max
            && let Ok(inside) = Inside::of_file(conn)
            && inside.used() + extra(size_max) > size_max
        {
            return Some(format!(
                "the file holds {}, and may hold {} (--max-size): nothing is taken in until some of it was removed; what is there goes on being sent",
                mib(inside.used()),
                mib(size_max)
            ));
        }
        let free = free_at(&self.folder)?;
        if free >= keep_free + extra(keep_free) {
            return None;
        }
        // Unused pages count as space too, but the log still needs some free space on the disk.
        let inside = Inside::of_file(conn).map_or(0, |inside| inside.free);
        if free >= keep_free / 4 && free.saturating_add(inside) >= keep_free + extra(keep_free) {
            return None;
        }
        Some(format!(
            "{} are free where the file lies, and {} are kept free (--keep-free): nothing is taken in until there is room; what is there goes on being sent",
            mib(free),
            mib(keep_free)
        ))
    }
}

fn mib(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / (1024.0 * 1024.0))
}
