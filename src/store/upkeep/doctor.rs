//! Checks for the doctor: what is wrong with the file, or may become so. They change nothing.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde_json::{Value, json};

use crate::error::Result;
use crate::store::engine::Store;
use crate::store::engine::conn::params;
use crate::store::engine::sqlite::disk_space::{Sizes, log_use};
use crate::store::engine::sqlite::permission::group_name;
use crate::store::engine::sqlite::place::{fleeting, folder_of};
use crate::time::Timestamp;

/// A log of this size that cannot be checkpointed is blocked by a reader. The writer does a
/// checkpoint at 4 MiB.
const HELD_UP_BYTES: u64 = 16 * 1024 * 1024;

/// With this many bytes in use, the log does not restart although all of it was checkpointed: at
/// every moment there is a reader.
const NEVER_EMPTY_BYTES: u64 = 64 * 1024 * 1024;

/// Maximum rows of the outbox that are shown with their reason.
const PROBLEMS_MAX: i64 = 10;

/// The state of the file.
#[derive(Debug, Clone)]
pub struct Health {
    /// Bytes on disk.
    pub sizes: Sizes,
    /// Bytes of the write-ahead log that cannot be checkpointed: a reader that is still active
    /// began before they were written.
    pub held_up: u64,
    /// Bytes of the log in use: at 4 MiB SQLite restarts the log, as soon as nobody reads it.
    pub in_log: u64,
    /// Who can read the file besides its owner.
    pub open_to: OpenTo,
    /// Why the file may be lost in its place.
    pub fleeting: Option<&'static str>,
    /// Rows of the outbox that wait, and since when the first of them waits.
    pub outbox: (i64, Option<Timestamp>),
    /// Some of the rows that could not become events, with the reason.
    pub problems: Vec<(i64, String)>,
}

/// Who can read a file besides its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OpenTo {
    /// Nobody.
    Nobody,
    /// The members of this group. The folder must belong to the group too, and new files in it as
    /// well.
    Group {
        /// The group's name.
        name: String,
        /// Whether members can create files in the folder that belong to the group: its mode has
        /// g+ws.
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
    /// Whether a reader blocks the checkpoint, so that the log only grows.
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
    /// Reads the state of the file.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database) when it cannot be read.
    #[doc(hidden)]
    pub fn health(&self) -> Result<Health> {
        let file = self.location().file();
        let (in_log, held_up) = file.map_or(Ok((0, 0)), log_use)?;
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
            sizes: self.sizes()?,
            held_up,
            in_log,
            open_to: file.map_or(OpenTo::Nobody, OpenTo::of),
            fleeting: file.and_then(fleeting),
            outbox,
            problems,
        })
    }
}
