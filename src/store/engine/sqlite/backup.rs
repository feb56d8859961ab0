//! A copy of the file as it is at one moment, made while it is written to.

use std::io::ErrorKind;
use std::path::Path;

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use crate::error::{Error, Result};
use crate::store::engine::Store;
use crate::store::engine::sqlite::check::{Depth, faults};
use crate::store::engine::sqlite::draft::Draft;
use crate::store::engine::sqlite::open::connect_read_only;

/// Pages that are copied at a time: some milliseconds' work.
const STEP_PAGES: i32 = 512;

/// Pages after which what is copied is brought to the disk: 8 MiB.
const SYNC_PAGES: i32 = 2_048;

/// How far a copy is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copied {
    /// Bytes copied so far.
    pub done: u64,
    /// Bytes of the whole.
    pub total: u64,
}

impl Store {
    /// Copies the database to a new file that only its owner can read, and returns its size. The
    /// copy is as the database was when this began; nobody has to wait for it meanwhile, but the
    /// write-ahead log grows by what is written. It is checked, and on disk, before it has its name.
    ///
    /// # Errors
    /// [`Error::Misuse`] when there is such a file already, or SQLite's own files of one;
    /// [`Error::Io`] and [`Error::Database`] when it cannot be written or the database not read;
    /// [`Error::Refused`] when the copy is damaged. Then there is no file, or a whole one.
    pub fn backup(&self, to: &Path, mut progress: impl FnMut(Copied)) -> Result<u64> {
        if to.canonicalize().is_ok_and(|to| to == self.path()) {
            return Err(Error::misuse(
                "that is the database itself; name a new file for the backup",
            ));
        }
        let draft = Draft::new(to, self.path())?;
        let source = connect_read_only(self.path())?;
        let bytes = copy(&source, &draft, &mut progress)?;
        // A disk that gives back other bytes than were written is found now, not when it is needed.
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

/// Copies a database as it is at one moment.
pub(crate) fn copy(
    source: &Connection,
    draft: &Draft,
    progress: &mut impl FnMut(Copied),
) -> Result<u64> {
    // One snapshot for the whole copy. Without it every commit meanwhile would begin it anew.
    source.execute_batch("begin")?;
    let page_bytes: u32 = source.query_row("pragma page_size", [], |row| row.get(0))?;
    source.query_row("select count(*) from sqlite_schema", [], |row| {
        row.get::<_, i64>(0)
    })?;
    let mut copy = draft.connect()?;
    let bytes = {
        let backup = Backup::new(source, &mut copy)?;
        let mut since_sync = 0;
        loop {
            let step = backup.step(STEP_PAGES)?;
            let pages = backup.progress();
            let count = |pages: i32| u64::try_from(pages).unwrap_or(0) * u64::from(page_bytes);
            let total = count(pages.pagecount);
            progress(Copied {
                done: count(pages.pagecount - pages.remaining),
                total,
            });
            since_sync += STEP_PAGES;
            if since_sync >= SYNC_PAGES {
                // A little at a time: to bring all of it to the disk at once would keep every
                // commit waiting that wants to go there.
                draft.sync()?;
                since_sync = 0;
            }
            match step {
                StepResult::Done => break total,
                StepResult::More => {}
                // Neither can be: the snapshot is held, and nobody else has the copy.
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
        // What another program writes: the writer's own connection is no other to SQLite.
        let other = Store::open(&path, Missing::Refuse).unwrap();
        let event = |store: &Store| {
            // Bodies that cannot be packed.
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
        // Both go on, and give out no id twice.
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
        // Nothing is written over, and nothing half done stays.
        assert!(store.backup(&to, |_| {}).is_err());
        // A log that was left beside another file of that name would be read into the copy.
        let stale = folder.path().join("other.db-wal");
        std::fs::write(&stale, b"left").unwrap();
        let refused = store.backup(&folder.path().join("other.db"), |_| {});
        assert!(refused.unwrap_err().to_string().contains("other.db-wal"));
        // What was broken off is removed, and what is being written is not.
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
