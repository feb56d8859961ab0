//! What may be wrong with the file, or become so: looked at, and changed in nothing.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde_json::{Value, json};

use crate::error::Result;
use crate::store::engine::Store;
use crate::store::engine::conn::params;
use crate::store::engine::sqlite::disk_space::Sizes;
use crate::store::engine::sqlite::permission::group_name;
use crate::store::engine::sqlite::place::{fleeting, folder_of};
use crate::time::Timestamp;

/// A log this long that cannot be moved into the file is held up by somebody. SQLite moves it by
/// itself at 1,000 pages (4 MiB).
const HELD_UP_BYTES: u64 = 16 * 1024 * 1024;

/// A log with so many bytes in use does not begin anew, though all of it is moved: there is always
/// somebody who reads.
const NEVER_EMPTY_BYTES: u64 = 64 * 1024 * 1024;

/// What of the outbox is shown by its reason.
const PROBLEMS_MAX: i64 = 10;

/// How the file stands.
#[derive(Debug, Clone)]
pub struct Health {
    /// Bytes on the disk.
    pub sizes: Sizes,
    /// Bytes of the write-ahead log that cannot be moved into the file, since a reader began before
    /// they were written and goes on.
    pub held_up: u64,
    /// Bytes of it that are in use: at 4 MiB SQLite begins it anew, once nobody reads it.
    pub in_log: u64,
    /// Who can read it besides its owner.
    pub open_to: OpenTo,
    /// Why the file may be lost where it lies.
    pub fleeting: Option<&'static str>,
    /// Rows of the outbox that are to be taken over, and since when the first of them is there.
    pub outbox: (i64, Option<Timestamp>),
    /// Rows of which no event could be made, with the reason; some of them.
    pub problems: Vec<(i64, String)>,
}

/// Who can read a file besides its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OpenTo {
    /// Nobody.
    Nobody,
    /// The members of this group. The folder must be theirs too, and what is made in it.
    Group {
        /// The group's name.
        name: String,
        /// Whether they can make files in the folder that are of the group: its mode has g+ws.
        has_folder: bool,
    },
    /// Everybody on this machine.
    Everybody,
}

impl OpenTo {
    fn of(path: &Path) -> OpenTo {
        let folder = std::fs::metadata(folder_of(path)).map_or(0, |found| found.mode());
        match std::fs::metadata(path) {
            Ok(found) if found.mode() & 0o007 != 0 => OpenTo::Everybody,
            Ok(found) if found.mode() & 0o070 != 0 => OpenTo::Group {
                name: group_name(found.gid()),
                has_folder: folder & 0o2020 == 0o2020,
            },
            _ => OpenTo::Nobody,
        }
    }
}

impl Health {
    /// Whether a reader keeps the log from being moved into the file, so that it only grows.
    pub fn is_held_up(&self) -> bool {
        self.held_up >= HELD_UP_BYTES || self.in_log >= NEVER_EMPTY_BYTES
    }

    /// As a JSON object.
    pub fn json(&self) -> Value {
        json!({
            "db_bytes": self.sizes.database,
            "wal_bytes": self.sizes.wal,
            "wal_held_up_bytes": self.held_up,
            "wal_used_bytes": self.in_log,
            "free_bytes": self.sizes.free,
            "readable_by_others": self.open_to != OpenTo::Nobody,
            "outbox": self.outbox.0,
            "outbox_since": self.outbox.1.map(|at| at.to_string()),
            "outbox_problems": self.problems.iter().map(|(id, why)| json!({ "row": id, "problem": why })).collect::<Vec<_>>(),
        })
    }
}

impl Store {
    /// Looks at how the file stands.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database) when it cannot be read.
    pub fn health(&self) -> Result<Health> {
        let (in_log, held_up) = self.log_use()?;
        let (outbox, problems) = self.read(|conn| {
            let outbox = conn.one(
                "select count(*), min(inserted_ms) from hookbox_outbox_row where problem is null",
                &[],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )?;
            let problems = conn.all::<(i64, String)>(
                "select id, problem from hookbox_outbox_row
                 where problem is not null
                 order by id
                 limit :limit",
                params! { ":limit": PROBLEMS_MAX },
                |row| Ok((row.get(0)?, row.get(1)?)),
            )?;
            Ok((outbox, problems))
        })?;
        Ok(Health {
            sizes: self.sizes(),
            held_up,
            in_log,
            open_to: OpenTo::of(self.path()),
            fleeting: fleeting(self.path()),
            outbox,
            problems,
        })
    }
}
