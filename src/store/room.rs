//! How much room the store may take: what is left of the disk is kept for what it holds already.
//!
//! Recording, pruning and moving the log into the file need room too. A store that took events in up
//! to the last byte could do none of that, and so never recover by itself.

use std::path::PathBuf;

use rusqlite::Connection;
use rustix::fs::statvfs;

use super::place::folder_of;
use crate::error::Result;

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

/// Bytes in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Inside {
    /// Of all its pages.
    pub(super) all: u64,
    /// Of those that hold nothing: they are used again first.
    pub(super) free: u64,
}

impl Inside {
    pub(super) fn read(connection: &Connection) -> Result<Inside> {
        let number = |pragma: &str| -> Result<u64> {
            let number: i64 = connection
                .prepare_cached(pragma)?
                .query_row([], |row| row.get(0))?;
            Ok(u64::try_from(number).unwrap_or(0))
        };
        let page = number("pragma page_size")?;
        Ok(Inside {
            all: number("pragma page_count")? * page,
            free: number("pragma freelist_count")? * page,
        })
    }

    pub(super) fn used(self) -> u64 {
        self.all.saturating_sub(self.free)
    }
}

/// What is free for this user on the file system of a path, as far as the system says.
pub(super) fn free_at(path: &std::path::Path) -> Option<u64> {
    let disk = statvfs(path).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Watches the room of one file.
pub(super) struct Room {
    folder: PathBuf,
    limits: Limits,
}

impl Room {
    pub(super) fn new(database: &std::path::Path, limits: Limits) -> Room {
        Room {
            folder: folder_of(database).to_owned(),
            limits,
        }
    }

    /// Why nothing more may be taken in; `None` where there is room. Where it was refused, there must
    /// be a little more than the limit, so that it does not change with each event.
    pub(super) fn why_not(&self, connection: &Connection, was_refused: bool) -> Option<String> {
        let Limits {
            keep_free,
            size_max,
        } = self.limits;
        // Less than what is removed by itself where the file may have a size only: a tenth.
        let extra = |limit: u64| if was_refused { limit / 20 } else { 0 };
        if let Some(size_max) = size_max
            && let Ok(inside) = Inside::read(connection)
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
        let inside = Inside::read(connection).map_or(0, |inside| inside.free);
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
