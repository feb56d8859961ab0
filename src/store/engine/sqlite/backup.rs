//! Online backup: a copy of the file as of one moment, made while other connections write.

use std::io::ErrorKind;
use std::path::Path;

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use crate::error::{Error, Result};
use crate::store::engine::Store;
use crate::store::engine::sqlite::check::{Depth, faults};
use crate::store::engine::sqlite::draft::Draft;
use crate::store::engine::sqlite::open::{connect_read_only, page_bytes};

/// Bytes copied in one step: this takes some milliseconds.
const STEP_BYTES: i64 = 2 * 1024 * 1024;

/// The copy is fsynced after this many steps: 8 MiB.
const SYNC_STEPS: u32 = 4;

/// The progress of a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copied {
    /// Bytes copied so far.
    pub done: u64,
    /// Total bytes to copy.
    pub total: u64,
}

impl Store {
    /// Copies the database to a new file, and returns the size of the copy.
    ///
    /// Only the owner can read the new file. The copy is a snapshot of the moment when this began. Writers
    /// do not wait for it, but the write-ahead log grows by all that is written meanwhile. The copy is
    /// checked and fsynced before it gets its name.
    ///
    /// # Errors
    /// [`Error::Misuse`] when there is such a file already, or a log or journal of SQLite with that name;
    /// [`Error::Io`] and [`Error::Database`] when the copy cannot be written or the database not be read;
    /// [`Error::Refused`] when the copy is damaged. After an error there is either no file or a complete
    /// one.
    pub fn backup(&self, to: &Path, mut progress: impl FnMut(Copied)) -> Result<u64> {
        let database = self
            .location()
            .require_file("back it up with PostgreSQL's own tools (pg_dump, pg_basebackup)")?;
        if to.canonicalize().is_ok_and(|to| to == database) {
            return Err(Error::misuse(
                "that is the database itself; name a new file for the backup",
            ));
        }
        let draft = Draft::new(to, database)?;
        let source = connect_read_only(database)?;
        let bytes = copy(&source, &draft, &mut progress)?;
        // If the disk returns other bytes than were written, this finds it now, not when the backup is
        // needed.
        if let Some(fault) = faults(&draft.connect()?, Depth::Quick)?.first() {
            return Err(Error::Refused(format!(
                "the copy is not whole, and was thrown away: {}; look at the database with: hookbox check",
                fault.what
            )));
        }
        draft.finish()?;
        Ok(bytes)
    }
}

/// Copies a database as of one moment.
pub(crate) fn copy(
    source: &Connection,
    draft: &Draft,
    progress: &mut impl FnMut(Copied),
) -> Result<u64> {
    // One read transaction for the whole copy. Without it, every commit of another connection would restart
    // the backup.
    source.execute_batch("begin")?;
    let page_bytes = page_bytes(source)?;
    let step_pages = i32::try_from(STEP_BYTES / page_bytes).unwrap_or(1);
    source.query_row("select count(*) from sqlite_schema", [], |row| {
        row.get::<_, i64>(0)
    })?;
    let mut copy = draft.connect()?;
    let bytes = {
        let backup = Backup::new(source, &mut copy)?;
        let mut since_sync = 0;
        loop {
            let step = backup.step(step_pages)?;
            let pages = backup.progress();
            let count = |pages: i32| u64::try_from(i64::from(pages) * page_bytes).unwrap_or(0);
            let total = count(pages.pagecount);
            progress(Copied {
                done: count(pages.pagecount - pages.remaining),
                total,
            });
            since_sync += 1;
            if since_sync == SYNC_STEPS {
                // Sync a little at a time: one fsync of the whole copy would delay every commit to the same
                // disk.
                draft.sync()?;
                since_sync = 0;
            }
            match step {
                StepResult::Done => break total,
                StepResult::More => {}
                // Busy and locked are impossible: the snapshot is held, and no other process has the copy
                // open.
                _ => {
                    return Err(Error::io(
                        "copy the database",
                        std::io::Error::from(ErrorKind::WouldBlock),
                    ));
                }
            }
        }
    };
    copy.close().map_err(|(_, error)| Error::from(error))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use rustix::fs::{FlockOperation, flock};

    use super::*;
    use crate::model::event::NewEvent;
    use crate::model::id::EventId;
    use crate::store::Missing;
    use crate::time::Timestamp;

    #[test]
    fn what_is_written_meanwhile_neither_begins_the_copy_anew_nor_stands_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hookbox.db");
        let store = Store::open(&path, Missing::Create).unwrap();
        // A second store stands for another program: SQLite does not count the writer's own connection as
        // another.
        let other = Store::open(&path, Missing::Refuse).unwrap();
        let event = |store: &Store| {
            // Random bodies, which cannot be compressed.
            let body: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..))
                .take(65_536)
                .collect();
            store
                .accept(NewEvent::new("test", body), Timestamp(0))
                .unwrap();
        };
        for _ in 0..200 {
            event(&store);
        }
        let to = folder.path().join("copy.db");
        let mut seen = Vec::new();
        let bytes = store
            .backup(&to, |copied| {
                seen.push(copied);
                event(&store);
                event(&other);
            })
            .unwrap();
        assert!(seen.len() > 4, "{seen:?}");
        assert!(
            seen.windows(2)
                .all(|two| two[0].done < two[1].done && two[0].total == two[1].total)
        );
        assert_eq!(seen.last().unwrap().done, bytes);
        assert_eq!(std::fs::metadata(&to).unwrap().len(), bytes);
        let copy = Store::open(&to, Missing::Refuse).unwrap();
        assert_eq!(copy.stats().unwrap().events, 200);
        assert_eq!(copy.box_id(), store.box_id());
        // Both stores go on and never give out the same id twice.
        let next = |store: &Store| {
            let accepted = store.accept(NewEvent::new("test", ""), Timestamp(0));
            store.box_id().event(accepted.unwrap().id)
        };
        next(&store);
        let of_copy = next(&copy);
        assert!(of_copy.contains("_201_"), "{of_copy}");
        assert_ne!(of_copy, store.box_id().event(EventId(201)));
        assert_eq!(store.stats().unwrap().events, 201 + 2 * seen.len() as i64);
        let whole: String = copy
            .read(|conn| conn.one("pragma integrity_check", &[], |row| row.get(0)))
            .unwrap();
        assert_eq!(whole, "ok");
        // Nothing is overwritten, and no unfinished file stays.
        assert!(store.backup(&to, |_| {}).is_err());
        // SQLite would read a log with that name, left from another file, into the copy.
        let stale = folder.path().join("other.db-wal");
        std::fs::write(&stale, b"left").unwrap();
        let refused = store.backup(&folder.path().join("other.db"), |_| {});
        assert!(refused.unwrap_err().to_string().contains("other.db-wal"));
        // An abandoned draft is removed; a draft that is still being written is not.
        let left = folder.path().join(".hookbox-backup-left");
        let held = folder.path().join(".hookbox-backup-held");
        std::fs::write(&left, b"").unwrap();
        let holder = File::create(&held).unwrap();
        flock(&holder, FlockOperation::LockExclusive).unwrap();
        store
            .backup(&folder.path().join("another.db"), |_| {})
            .unwrap();
        assert!(!left.exists() && held.exists());
        std::fs::remove_file(&held).unwrap();
        let nowhere = folder.path().join("none").join("copy.db");
        assert!(store.backup(&nowhere, |_| {}).is_err());
        drop(copy);
        let names = std::fs::read_dir(folder.path()).unwrap();
        let left = names.filter(|entry| {
            let name = entry.as_ref().unwrap().file_name();
            name.to_string_lossy().starts_with(".hookbox-backup")
        });
        assert_eq!(left.count(), 0);
    }
}
