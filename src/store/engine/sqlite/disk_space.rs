//! How much room the store may take: what is left of the disk is kept for what it holds already.
//!
//! Recording, pruning and moving the log into the file need room too. A store that took events in up
//! to the last byte could do none of that, and so never recover by itself.

use std::ops::ControlFlow;
use std::path::PathBuf;

use rustix::fs::statvfs;

use crate::error::Result;
use crate::store::engine::Store;
use crate::store::engine::conn::Conn;
use crate::store::engine::sqlite::open::connect_writable;
use crate::store::engine::sqlite::place::folder_of;

/// What is kept free of the file system that the file lies on, in bytes.
pub const KEEP_FREE: u64 = 64 * 1024 * 1024;

/// How much of the disk a store may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the file system that are kept free.
    pub keep_free: u64,
    /// Bytes that the file may hold; what was removed from it does not count.
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

/// Pages that one transaction cuts off the file.
const PAGES: u32 = 64;

/// How much may be free inside the file: what comes next is written there. More is given back.
const SLACK_BYTES: u64 = 16 * 1024 * 1024;

/// What `pragma auto_vacuum` says where it is `incremental`.
const INCREMENTAL: u64 = 2;

/// Bytes on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Of the database file.
    pub database: u64,
    /// Of its write-ahead log.
    pub wal: u64,
    /// Free where they lie, as far as the system says.
    pub free: Option<u64>,
}

/// Bytes in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Inside {
    /// Of all its pages.
    pub(crate) all: u64,
    /// Of those that hold nothing: they are used again first.
    pub(crate) free: u64,
    /// Whether these can be cut off the file: a property of it from its first table on.
    pub(crate) gives_back: bool,
}

impl Inside {
    pub(crate) fn read(conn: Conn<'_>) -> Result<Inside> {
        let number = |pragma: &str| -> Result<u64> {
            let number: i64 = conn.one(pragma, &[], |row| row.get(0))?;
            Ok(u64::try_from(number).unwrap_or(0))
        };
        let page = number("pragma page_size")?;
        Ok(Inside {
            all: number("pragma page_count")? * page,
            free: number("pragma freelist_count")? * page,
            gives_back: number("pragma auto_vacuum")? == INCREMENTAL,
        })
    }

    pub(crate) fn used(self) -> u64 {
        self.all.saturating_sub(self.free)
    }
}

/// What is free for this user on the file system of a path, as far as the system says.
pub(crate) fn free_at(path: &std::path::Path) -> Option<u64> {
    let disk = statvfs(path).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

impl Store {
    /// How large the files are, and what is free where they lie.
    pub fn sizes(&self) -> Sizes {
        let bytes_of = |suffix: &str| {
            let mut name = self.path().as_os_str().to_owned();
            name.push(suffix);
            std::fs::metadata(name).map_or(0, |metadata| metadata.len())
        };
        Sizes {
            database: bytes_of(""),
            wal: bytes_of("-wal"),
            free: free_at(self.path()),
        }
    }

    /// Moves as much of the log into the file as can be, as SQLite does by itself now and then, and
    /// returns the bytes that are in use, and those of them that could not be moved.
    pub(crate) fn log_use(&self) -> Result<(u64, u64)> {
        let connection = connect_writable(self.path())?;
        let conn = Conn(&connection);
        let page_bytes: i64 = conn.one("pragma page_size", &[], |row| row.get(0))?;
        let bytes = |pages: i64| u64::try_from(pages * page_bytes).unwrap_or(0);
        conn.one("pragma wal_checkpoint(passive)", &[], |row| {
            // It was busy; pages in the log; of these moved. Both are -1 where there is no log.
            let (pages, moved): (i64, i64) = (row.get(1)?, row.get(2)?);
            Ok((bytes(pages), bytes(pages - moved)))
        })
    }

    /// Cuts a few pages that hold nothing off the file, where there are many, or any if `all`; returns
    /// whether there may be more to cut off. Files that were made by an older hookbox, or that are another
    /// program's, keep them until they are made anew.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database) when it cannot be written.
    pub fn give_back(&self, all: bool) -> Result<bool> {
        let inside = self.read(Inside::read)?;
        let slack = match all {
            true => 0,
            false => SLACK_BYTES.max(inside.all / 10),
        };
        if !inside.gives_back || inside.free <= slack {
            return Ok(false);
        }
        self.write(|tx| {
            let pragma = format!("pragma incremental_vacuum({PAGES})");
            // A step of the statement is a page.
            tx.conn
                .each(&pragma, &[], |_| Ok(ControlFlow::Continue(())))
        })?;
        Ok(true)
    }
}

/// Watches the room of one file.
pub(crate) struct DiskSpace {
    folder: PathBuf,
    limits: Limits,
}

impl DiskSpace {
    pub(crate) fn new(database: &std::path::Path, limits: Limits) -> DiskSpace {
        DiskSpace {
            folder: folder_of(database).to_owned(),
            limits,
        }
    }

    /// Why nothing more may be taken in; `None` where there is room. Where it was refused, there must
    /// be a little more than the limit, so that it does not change with each event.
    pub(crate) fn why_not(&self, conn: Conn<'_>, was_refused: bool) -> Option<String> {
        let Limits {
            keep_free,
            size_max,
        } = self.limits;
        // Less than what is removed by itself where the file may have a size only: a tenth.
        let extra = |limit: u64| if was_refused { limit / 20 } else { 0 };
        if let Some(size_max) = size_max
            && let Ok(inside) = Inside::read(conn)
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
        // Pages that hold nothing are room too; the log needs some of the disk all the same.
        let inside = Inside::read(conn).map_or(0, |inside| inside.free);
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
