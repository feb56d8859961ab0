//! The index of idempotency keys: it finds every repeat, at a cost that does not grow.
//!
//! Keys are random. An index over random values is written in a different place for every event; in
//! a long history this costs more than all other writes of the event. So keys are stored in two
//! levels, as in an LSM tree:
//!
//! - Recent keys are a log, appended to in the file (`hookbox_recent_key`) and held sorted in
//!   memory, where they are looked up.
//! - When there are enough recent keys, they move, in the order of their hashes, to the sorted
//!   table of all older keys (`hookbox_key`). So each page of that table gets many keys at once,
//!   not one.
//!
//! Both levels hold a keyed 64-bit hash (`SipHash` 1-3; the seed is drawn once per file, so that
//! nobody can construct collisions) and the event's row id. After a match of the hash the event's
//! own key is compared.
//!
//! A key is added in the transaction of its event. Another process may add keys too: each group
//! reads these first, under the write lock, so that two processes never accept the same key.

use std::collections::BTreeSet;
use std::hash::Hasher;
use std::ops::{ControlFlow, RangeInclusive};

use siphasher::sip::SipHasher13;

use crate::error::Result;
use crate::model::id::{EventId, SourceId};
use crate::store::engine::conn::{Conn, params};
use crate::store::engine::session::{Keys, Known};

/// A key in memory: its hash, and the event that has it.
type Entry = (i64, EventId);

/// Recent keys begin to move when there is one recent key per this many events in the store. More
/// recent keys mean that more keys go to each page of the sorted table; fewer need less memory.
const RECENT_SHARE: i64 = 32;

/// The limits of the number of recent keys. A key needs about 40 bytes of memory, so this is 1 MB
/// to 10 MB.
const RECENT: RangeInclusive<i64> = 16_384..=262_144;

/// Keys move in steps: one step after this many new keys. A step moves twice as many keys as came,
/// so a move ends before its number of new keys has come. The progress is in the file, so processes
/// that live only for a short time contribute to it too.
const STEP_AFTER: usize = 256;
const STEP_KEYS: usize = 2 * STEP_AFTER;

/// Rows of the log removed in one step: they are stored in order, about 200 per page.
const STEP_LOG_ROWS: i64 = 4_096;

/// The recent keys. The session owns them, and reports when a job or a group is rolled back.
#[derive(Default)]
pub(crate) struct EventKeys {
    /// None until the first key is looked up: most commands never look one up.
    seed: Option<[u8; 16]>,
    /// Whether the keys of other processes were read in this transaction.
    is_current: bool,
    /// Whether keys were moved in this transaction.
    stepped: bool,
    recent: BTreeSet<Entry>,
    /// The keys that are on their way to the sorted table, until they are written there.
    moving: BTreeSet<Entry>,
    /// The log's rows up to this event have moved, so they can be removed.
    moved_to: Option<EventId>,
    /// The last event in memory: later rows of the log are from another process.
    newest: Option<EventId>,
    /// Keys added in this group, in order.
    added: Vec<Entry>,
    /// Keys added since the last step.
    since_step: usize,
}

impl EventKeys {
    /// How many keys this group added so far; the argument of [`EventKeys::undo_to`].
    pub(crate) fn mark(&self) -> usize {
        self.added.len()
    }

    /// Removes the keys that a rolled back job added.
    pub(crate) fn undo_to(&mut self, mark: usize) {
        for entry in self.added.drain(mark..) {
            self.recent.remove(&entry);
        }
    }

    /// A transaction begins: another process may have written since the last one.
    pub(crate) fn begin(&mut self) {
        self.is_current = false;
        self.stepped = false;
    }

    /// The transaction is rolled back.
    pub(crate) fn rolled_back(&mut self) {
        self.undo_to(0);
        self.is_current = false;
        if self.stepped {
            // What was taken out of memory must be read again.
            *self = EventKeys::default();
        }
    }

    /// The transaction is committed.
    pub(crate) fn committed(&mut self) {
        self.begin();
        self.since_step += self.added.len();
        if let Some((_, id)) = self.added.last() {
            self.newest = Some(*id);
        }
        self.added.clear();
    }

    /// Does one step of the move, if it is time for one. The writer calls this before the commit.
    pub(crate) fn step(&mut self, conn: Conn<'_>) -> Result<()> {
        if self.since_step < STEP_AFTER {
            return Ok(());
        }
        if self.moving.is_empty() && self.moved_to.is_none() {
            let events = self.newest.map_or(0, |id| id.0);
            let enough = (events / RECENT_SHARE).clamp(*RECENT.start(), *RECENT.end());
            if self.recent.len() < usize::try_from(enough).unwrap_or(usize::MAX) {
                self.since_step = 0;
                return Ok(());
            }
            // The keys of this group may still be rolled back, so they stay.
            self.moving = std::mem::take(&mut self.recent);
            for entry in &self.added {
                self.moving.remove(entry);
                self.recent.insert(*entry);
            }
            self.moved_to = self.newest;
        }
        self.since_step -= STEP_AFTER;
        self.stepped = true;
        if self.moving.is_empty() {
            return self.trim(conn);
        }
        let pruned_to: EventId = conn.one(
            "select pruned_to from hookbox_meta where id = 1",
            &[],
            |row| row.get(0),
        )?;
        let mut done = i64::MIN;
        for _ in 0..STEP_KEYS {
            let Some((hash, id)) = self.moving.pop_first() else {
                break;
            };
            done = hash;
            // Another process may have removed the event; this process's memory does not know that.
            if id <= pruned_to && !is_there(conn, id)? {
                continue;
            }
            // The row exists already if another process moves keys too.
            conn.run(
                "insert or ignore into hookbox_key (hash, event_id) values (:hash, :id)",
                params! { ":hash": hash, ":id": id },
            )?;
        }
        // A key with the same hash may be left for the next step.
        if self.moving.first().is_some_and(|(hash, _)| *hash == done) {
            done -= 1;
        }
        conn.run(
            "insert into hookbox_key_move (id, up_to_event, done_hash)
             values (1, :moved_to, :done)
             on conflict (id) do update set up_to_event = :moved_to, done_hash = :done",
            params! { ":moved_to": self.moved_to, ":done": done },
        )?;
        Ok(())
    }

    /// Removes one step of moved rows from the log.
    fn trim(&mut self, conn: Conn<'_>) -> Result<()> {
        let Some(moved_to) = self.moved_to else {
            return Ok(());
        };
        let first: Option<EventId> =
            conn.one("select min(event_id) from hookbox_recent_key", &[], |row| {
                row.get(0)
            })?;
        let Some(first) = first.filter(|first| *first <= moved_to) else {
            self.moved_to = None;
            conn.run("delete from hookbox_key_move", &[])?;
            return Ok(());
        };
        conn.run(
            "delete from hookbox_recent_key where event_id between :first and :last",
            params! {
                ":first": first,
                ":last": moved_to.0.min(first.0 + STEP_LOG_ROWS - 1),
            },
        )?;
        Ok(())
    }

    /// Whether the log was read before.
    pub(crate) fn is_loaded(&self) -> bool {
        self.newest.is_some()
    }

    /// Reads the new rows of the log. The first time this may be the whole log, so the writer does
    /// it once before it takes the write lock; the rows that came after that are read under the
    /// lock.
    pub(crate) fn load(&mut self, conn: Conn<'_>) -> Result<()> {
        let mut done = i64::MIN;
        if !self.is_loaded()
            && let Some((up_to, hash)) = conn.maybe(
                "select up_to_event, done_hash from hookbox_key_move",
                &[],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )?
        {
            self.moved_to = Some(up_to);
            done = hash;
        }
        let newest = self.newest;
        conn.each(NEWER_IN_LOG, params! { ":newest": newest }, |row| {
            let entry: Entry = (row.get(0)?, row.get(1)?);
            let (hash, id) = entry;
            if self.is_after_move(id) {
                self.recent.insert(entry);
            } else if hash > done {
                self.moving.insert(entry);
            }
            self.newest = Some(id);
            self.since_step += 1;
            Ok(ControlFlow::Continue(()))
        })
    }

    /// Whether an event of the log came after the keys that are being moved.
    fn is_after_move(&self, id: EventId) -> bool {
        self.moved_to.is_none_or(|moved_to| id > moved_to)
    }

    /// The hash of a key; first makes sure that all recent keys are in memory.
    pub(crate) fn hash(
        &mut self,
        conn: Conn<'_>,
        source: Option<SourceId>,
        key: &str,
    ) -> Result<i64> {
        if !self.is_current {
            self.load(conn)?;
            self.is_current = true;
        }
        self.hash_of(conn, source, key)
    }

    /// The hash of a key.
    pub(crate) fn hash_of(
        &mut self,
        conn: Conn<'_>,
        source: Option<SourceId>,
        key: &str,
    ) -> Result<i64> {
        let seed = match self.seed {
            Some(seed) => seed,
            None => conn.one(
                "select key_seed from hookbox_meta where id = 1",
                &[],
                |row| row.get(0),
            )?,
        };
        self.seed = Some(seed);
        let mut hasher = SipHasher13::new_with_key(&seed);
        // The byte order is fixed, so that the hash is the same on every machine: the file may be
        // copied to another.
        hasher.write(&source.map_or(0, |id| id.0).to_le_bytes());
        hasher.write(key.as_bytes());
        Ok(hasher.finish().cast_signed())
    }
}

impl Keys for EventKeys {
    fn find(
        &mut self,
        conn: Conn<'_>,
        source: Option<SourceId>,
        key: &str,
    ) -> Result<Option<Known>> {
        let hash = self.hash(conn, source, key)?;
        let all = (hash, EventId(i64::MIN))..=(hash, EventId(i64::MAX));
        for (_, id) in self.recent.range(all.clone()).chain(self.moving.range(all)) {
            if let Some(known) = compare(conn, *id, source, key)? {
                return Ok(Some(known));
            }
        }
        let mut known = None;
        conn.each(OLDER, params! { ":hash": hash }, |row| {
            known = compare(conn, row.get(0)?, source, key)?;
            Ok(match known {
                Some(_) => ControlFlow::Break(()),
                None => ControlFlow::Continue(()),
            })
        })?;
        Ok(known)
    }

    fn add(
        &mut self,
        conn: Conn<'_>,
        id: EventId,
        source: Option<SourceId>,
        key: &str,
    ) -> Result<()> {
        let hash = self.hash(conn, source, key)?;
        conn.run(
            "insert into hookbox_recent_key (event_id, hash) values (:id, :hash)",
            params! { ":id": id, ":hash": hash },
        )?;
        self.recent.insert((hash, id));
        self.added.push((hash, id));
        Ok(())
    }

    /// The key may stay in memory: a match there is checked against the file, where the event is gone.
    fn remove(
        &mut self,
        conn: Conn<'_>,
        id: EventId,
        source: Option<SourceId>,
        key: &str,
    ) -> Result<()> {
        let hash = self.hash(conn, source, key)?;
        conn.run(
            "delete from hookbox_recent_key where event_id = :id",
            params! { ":id": id },
        )?;
        conn.run(
            "delete from hookbox_key where hash = :hash and event_id = :id",
            params! { ":hash": hash, ":id": id },
        )?;
        Ok(())
    }
}

fn is_there(conn: Conn<'_>, id: EventId) -> Result<bool> {
    conn.one(
        "select exists (select 1 from hookbox_event where id = :id)",
        params! { ":id": id },
        |row| row.get(0),
    )
}

const OLDER: &str = "select event_id from hookbox_key where hash = :hash";

const NEWER_IN_LOG: &str = "select hash, event_id
     from hookbox_recent_key
     where event_id > ifnull(:newest, 0)
     order by event_id";

/// The event, if its key is exactly this one.
fn compare(
    conn: Conn<'_>,
    id: EventId,
    source: Option<SourceId>,
    key: &str,
) -> Result<Option<Known>> {
    let known = conn
        .maybe(
            "select received_ms
             from hookbox_event
             where id = :id and ifnull(source_id, 0) = ifnull(:source, 0) and key = :key",
            params! { ":id": id, ":source": source, ":key": key },
            |row| row.get(0),
        )?
        .map(|received| Known { id, received });
    Ok(known)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rusqlite::Connection;

    use super::*;
    use crate::store::engine::plan::plan_of;

    /// One process that uses keys: it looks each key up, and adds an event for each new key.
    struct Process {
        connection: Connection,
        keys: EventKeys,
    }

    impl Process {
        fn open(path: &Path) -> Process {
            let connection = Connection::open(path).unwrap();
            connection
                .execute_batch("pragma journal_mode = wal; pragma synchronous = off;")
                .unwrap();
            connection
                .execute_batch(include_str!("../../../../schema.sql"))
                .unwrap();
            Process {
                connection,
                keys: EventKeys::default(),
            }
        }

        fn take(&mut self, source: Option<SourceId>, key: &str) -> Option<EventId> {
            let conn = Conn::sqlite(&self.connection);
            if let Some(known) = self.keys.find(conn, source, key).unwrap() {
                return Some(known.id);
            }
            let id = conn.insert(
                "insert into hookbox_event (source_id, type, key, received_ms, is_json, headers, body, bytes)
                 values (:source, 't', :key, 0, 0, '[]', x'', 0)",
                params! { ":source": source, ":key": key },
            );
            let id = EventId(id.unwrap());
            self.keys.add(conn, id, source, key).unwrap();
            None
        }

        /// Runs one group of numbered keys; returns how many of them were known.
        fn group(&mut self, numbers: impl IntoIterator<Item = usize>) -> usize {
            self.connection.execute_batch("begin immediate").unwrap();
            self.keys.begin();
            let known = numbers
                .into_iter()
                .filter(|number| self.take(None, &format!("key-{number}")).is_some())
                .count();
            self.keys.step(Conn::sqlite(&self.connection)).unwrap();
            self.connection.execute_batch("commit").unwrap();
            self.keys.committed();
            known
        }

        fn rows(&self, table: &str) -> usize {
            self.connection
                .query_row(&format!("select count(*) from {table}"), [], |row| {
                    row.get::<_, u32>(0).map(|count| count as usize)
                })
                .unwrap()
        }
    }

    #[test]
    fn a_key_is_known_while_it_is_recent_while_it_moves_and_when_it_has_moved() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("h.db");
        let mut process = Process::open(&path);
        let (mut moving, mut moved) = (false, false);
        let groups = 130;
        for group in 0..groups {
            let first = group * STEP_AFTER;
            assert_eq!(process.group(first..first + STEP_AFTER), 0);
            // After each group, look up one key of every group before.
            let before = (0..group).map(|earlier| earlier * STEP_AFTER + earlier);
            assert_eq!(process.group(before), group, "after {group} groups");
            let in_log = process.rows("hookbox_recent_key");
            moving |= !process.keys.moving.is_empty();
            moved |= moving && process.keys.moving.is_empty() && in_log < first;
            // The number of keys in memory is bounded.
            let held = process.keys.recent.len() + process.keys.moving.len();
            assert!(held <= 2 * *RECENT.start() as usize, "{held}");
        }
        assert!(moving && moved);
        let all = groups * STEP_AFTER;
        assert!(process.rows("hookbox_key") >= *RECENT.start() as usize);
        assert!(process.rows("hookbox_recent_key") < all);
        // After a restart every key is known too.
        let mut restarted = Process::open(&path);
        assert_eq!(restarted.group(0..all), all);
        assert_eq!(process.rows("hookbox_event"), all);
    }

    #[test]
    fn a_move_goes_on_where_another_process_left_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("h.db");
        let mut taken = 0;
        let (mut longest, mut trimmed) = (0, false);
        // No process lives longer than a few groups: none of them completes a move alone.
        for _ in 0..40 {
            let mut process = Process::open(&path);
            for _ in 0..4 {
                assert_eq!(process.group(taken..taken + STEP_AFTER), 0);
                taken += STEP_AFTER;
            }
            let in_log = process.rows("hookbox_recent_key");
            trimmed |= in_log < longest;
            longest = longest.max(in_log);
        }
        assert!(trimmed, "{longest} of {taken}");
        assert!(longest <= 2 * *RECENT.start() as usize, "{longest}");
        assert_eq!(Process::open(&path).group(0..taken), taken);
    }

    #[test]
    fn what_another_process_takes_between_two_tries_is_known_to_the_second() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("h.db");
        let (mut one, mut other) = (Process::open(&path), Process::open(&path));
        one.group([1]);
        one.connection.execute_batch("begin immediate").unwrap();
        one.keys.begin();
        one.take(None, "key-2");
        one.connection.execute_batch("rollback").unwrap();
        one.keys.rolled_back();
        assert_eq!(other.group([2, 3]), 0);
        assert_eq!(one.group([2, 3, 4]), 2);
        assert_eq!(other.group([4]), 1);
    }

    #[test]
    fn a_step_that_was_rolled_back_is_taken_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("h.db");
        let mut process = Process::open(&path);
        let mut taken = 0;
        while process.rows("hookbox_key") == 0 {
            process.group(taken..taken + STEP_AFTER);
            taken += STEP_AFTER;
        }
        let moved = process.rows("hookbox_key");
        process.keys.since_step = STEP_AFTER;
        process.connection.execute_batch("begin immediate").unwrap();
        process.keys.begin();
        process
            .keys
            .step(Conn::sqlite(&process.connection))
            .unwrap();
        process.connection.execute_batch("rollback").unwrap();
        process.keys.rolled_back();
        assert_eq!(process.group(0..taken), taken);
        assert!(process.rows("hookbox_key") > moved);
        assert_eq!(process.group(0..taken), taken);
    }

    #[test]
    fn a_key_whose_event_another_process_removed_is_not_written_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("h.db");
        let mut process = Process::open(&path);
        let mut taken = 0;
        while process.keys.moving.is_empty() {
            process.group(taken..taken + STEP_AFTER);
            taken += STEP_AFTER;
        }
        let removed = taken / 2;
        Process::open(&path)
            .connection
            .execute_batch(&format!(
                "begin immediate;
                 delete from hookbox_event where id <= {removed};
                 delete from hookbox_recent_key where event_id <= {removed};
                 delete from hookbox_key where event_id <= {removed};
                 update hookbox_meta set pruned_to = {removed};
                 commit;"
            ))
            .unwrap();
        while !process.keys.moving.is_empty() {
            process.group(taken..taken + STEP_AFTER);
            taken += STEP_AFTER;
        }
        let stale: i64 = process
            .connection
            .query_row(
                "select count(*) from hookbox_key where event_id <= ?1",
                [removed as i64],
                |row| row.get(0),
            )
            .unwrap();
        assert_eq!(stale, 0);
        assert!(process.rows("hookbox_key") > 0);
        // The removed keys are new again, and the others are known.
        assert_eq!(process.group(0..taken), taken - removed);
    }

    #[test]
    fn two_processes_never_take_the_same_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("h.db");
        let (mut one, mut other) = (Process::open(&path), Process::open(&path));
        for round in 0..50 {
            let keys = round * 100..round * 100 + 100;
            assert_eq!(one.group(keys.clone()), 0);
            assert_eq!(other.group(keys), 100);
            let keys = 10_000 + round * 100..10_100 + round * 100;
            assert_eq!(other.group(keys.clone()), 0);
            assert_eq!(one.group(keys), 100);
        }
    }

    #[test]
    fn the_same_key_of_another_source_is_another_key() {
        let folder = tempfile::tempdir().unwrap();
        let mut process = Process::open(&folder.path().join("h.db"));
        process
            .connection
            .execute_batch(
                "insert into hookbox_source (id, name, kind, on_repeat, created_ms)
                 values (1, 'a', 'gogs', 'ignore', 0), (2, 'b', 'gogs', 'ignore', 0)",
            )
            .unwrap();
        let sources = [None, Some(SourceId(1)), Some(SourceId(2))];
        for source in sources {
            assert_eq!(process.take(source, "k"), None);
        }
        for (index, source) in sources.into_iter().enumerate() {
            assert_eq!(process.take(source, "k"), Some(EventId(index as i64 + 1)));
        }
    }

    #[test]
    fn keys_of_the_same_hash_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let mut process = Process::open(&folder.path().join("h.db"));
        process.group([1, 2]);
        let hash = process
            .keys
            .hash(Conn::sqlite(&process.connection), None, "key-3")
            .unwrap();
        // As if the keys of events 1 and 2 had the hash of another key.
        process.keys.recent.insert((hash, EventId(1)));
        process
            .connection
            .execute("insert into hookbox_key values (?1, 2)", [hash])
            .unwrap();
        assert_eq!(process.take(None, "key-3"), None);
        assert_eq!(process.take(None, "key-3"), Some(EventId(3)));
    }

    #[test]
    fn a_key_that_was_rolled_back_is_free_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut process = Process::open(&folder.path().join("h.db"));
        process
            .connection
            .execute_batch("begin; savepoint job")
            .unwrap();
        let mark = process.keys.mark();
        process.take(None, "key-1");
        process
            .connection
            .execute_batch("rollback to job; release job; commit")
            .unwrap();
        process.keys.undo_to(mark);
        process.keys.committed();
        assert_eq!(process.group([1]), 0);
        assert_eq!(process.group([1]), 1);
    }

    #[test]
    fn keys_are_found_by_their_hash_and_the_log_is_read_from_where_it_is_new() {
        let plan = plan_of(OLDER);
        assert!(
            plan.contains("SEARCH hookbox_key USING PRIMARY KEY (hash=?)"),
            "{plan}"
        );
        let plan = plan_of(NEWER_IN_LOG);
        assert!(plan.contains("INTEGER PRIMARY KEY (rowid>?)"), "{plan}");
    }
}
