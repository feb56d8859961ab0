//! The connection that writes to the file, and the watch for what others do with the file meanwhile.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use crate::error::Result;
use crate::store::engine::conn::Conn;
use crate::store::engine::published::{NO_PANIC, Published};
use crate::store::engine::session::{KeyOf, Keys, Session};
use crate::store::engine::sqlite::check::{Depth, check};
use crate::store::engine::sqlite::event_keys::EventKeys;
use crate::store::engine::sqlite::open::connect_read_only;
use crate::store::engine::sqlite::place::{Look, Place, Written, beside, data_version, written};
use crate::store::engine::trouble::Kind;

/// The write connection.
pub(crate) struct SqliteSession {
    connection: Connection,
    published: Arc<Published>,
    keys: EventKeys,
    /// How many keys there were when the job began.
    keys_before_job: usize,
    database: PathBuf,
    place: Place,
    doubt: Option<Doubt>,
    /// The newest rows as another process left them, until this connection commits. With a commit of another
    /// process SQLite forgets what it read, and reads it anew, be it from a copy.
    newest: Option<Newest>,
    /// Changes when another process commits; this connection's own commits do not change it.
    data_version: i64,
    /// The write-ahead log, and its state at the last check.
    log: PathBuf,
    log_stamp: Option<Written>,
    /// Checks since the log last changed. A second change within one tick of the file system's clock leaves
    /// no trace in the file's time, so for a while SQLite is asked anyway.
    unchanged_polls: u32,
}

/// Number of checks before an unchanged log is trusted. They take three seconds, since the slowest clocks
/// of file systems tick every two seconds (FAT).
const UNCHANGED_POLLS: u32 = 60;

/// How often, and for how long at most, the file is checked again while another program may be doing a
/// checkpoint: about 4 MiB, which a slow card needs seconds for. A sender waits 15 s.
const DOUBTFUL_PERIOD: Duration = Duration::from_millis(5);
const DOUBTFUL_TIME: Duration = Duration::from_secs(8);

/// A file in doubt is checked when nobody has written to it for this long.
const STILL_TIME: Duration = Duration::from_secs(1);

/// Since when a file is in doubt, and since when nobody has written to it.
struct Doubt {
    since: Instant,
    written: Written,
    still_since: Instant,
}

impl SqliteSession {
    pub(crate) fn new(
        connection: Connection,
        published: Arc<Published>,
        database: &Path,
    ) -> Result<SqliteSession> {
        Ok(SqliteSession {
            data_version: data_version(&connection)?,
            place: Place::of(database, &connection)?,
            doubt: None,
            newest: None,
            database: database.to_owned(),
            connection,
            published,
            keys: EventKeys::default(),
            keys_before_job: 0,
            log: beside(database, "-wal"),
            log_stamp: None,
            unchanged_polls: 0,
        })
    }

    fn execute(&self, statement: &str) -> Result<()> {
        self.connection.prepare_cached(statement)?.execute([])?;
        Ok(())
    }

    /// Whether this is not how the log was seen last.
    fn is_another(&self, stamp: Option<Written>) -> bool {
        stamp.is_none() || stamp != self.log_stamp
    }

    fn stamp(&self) -> Option<Written> {
        std::fs::metadata(&self.log)
            .ok()
            .map(|found| written(&found))
    }

    /// Why the path is not the file that was opened. In doubt, another program may be doing a checkpoint,
    /// so the writer waits for it, and no caller is answered meanwhile. A longer one shuts the way in.
    #[allow(
        clippy::disallowed_methods,
        reason = "SQLite tells nobody that another program moves the log into the file"
    )]
    fn resolve_doubt(&mut self) -> Option<String> {
        loop {
            let (why, written) = match self.place.look(&self.connection) {
                Look::Same => {
                    self.doubt = None;
                    return None;
                }
                Look::Gone(why) => return Some(why),
                Look::Doubtful(why, written) => (why, written),
            };
            let now = Instant::now();
            let doubt = self.doubt.get_or_insert(Doubt {
                since: now,
                written,
                still_since: now,
            });
            if doubt.written != written {
                (doubt.written, doubt.still_since) = (written, now);
            }
            if now - doubt.since < DOUBTFUL_TIME {
                std::thread::sleep(DOUBTFUL_PERIOD);
                continue;
            }
            if now - doubt.still_since < STILL_TIME {
                return Some(why);
            }
            // No event is accepted during the full check: the file's time may have changed without a change
            // of its data.
            self.published.trouble.set(Kind::Gone, Some(why.clone()));
            match self.is_whole() {
                Ok(true) => self.place.accept(&self.connection, written),
                _ => self.place.give_up(why),
            }
        }
    }

    /// Whether the file at the path is undamaged and has what this connection wrote last.
    fn is_whole(&self) -> Result<bool> {
        let fresh = connect_read_only(&self.database)?;
        let is_known = fingerprint(&fresh)? == fingerprint(&self.connection)?
            && self.newest.is_none_or(|newest| newest.is_in(&fresh));
        Ok(is_known && check(&self.database, Depth::Full)?.is_empty())
    }
}

impl Session for SqliteSession {
    fn conn(&self) -> Conn<'_> {
        Conn::sqlite(&self.connection)
    }

    fn conn_and_keys(&mut self) -> (Conn<'_>, &mut dyn Keys) {
        (Conn::sqlite(&self.connection), &mut self.keys)
    }

    /// Takes the write lock.
    fn begin(&mut self, _jobs: usize, _keys: &mut dyn Iterator<Item = KeyOf<'_>>) -> Result<()> {
        if self.published.are_keys_asked_for() && !self.keys.is_loaded() {
            self.keys.load(Conn::sqlite(&self.connection))?;
        }
        self.execute("begin immediate")?;
        self.keys.begin();
        Ok(())
    }

    /// Nothing is left to wait for: each statement is done when it returns.
    fn wait_for_all(&mut self) -> Result<()> {
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        Ok(())
    }

    fn commit(&mut self) -> Result<()> {
        self.keys.step(Conn::sqlite(&self.connection))?;
        self.execute("commit")?;
        self.newest = None;
        self.keys.committed();
        // Somebody else may have committed just now as well: SQLite is asked again.
        self.log_stamp = self.stamp();
        self.unchanged_polls = 0;
        Ok(())
    }

    fn roll_back(&mut self) -> Result<()> {
        self.keys.rolled_back();
        match self.connection.is_autocommit() {
            true => Ok(()),
            false => self.execute("rollback"),
        }
    }

    fn begin_job(&mut self) -> Result<()> {
        self.keys_before_job = self.keys.mark();
        self.execute("savepoint job")
    }

    fn end_job(&mut self, is_undone: bool) -> Result<()> {
        if is_undone {
            self.keys.undo_to(self.keys_before_job);
            self.execute("rollback to job")?;
        }
        self.execute("release job")
    }

    /// SQLite rolls back the whole transaction on its own when the disk is full, say.
    fn lost(&self) -> Option<&'static str> {
        let is_lost = self.connection.is_autocommit();
        is_lost.then_some("the transaction was rolled back: the disk is full or failing")
    }

    fn node(&self) -> Option<i64> {
        None
    }

    fn changes(&self) -> u64 {
        self.connection.total_changes()
    }

    /// SQLite does not notify of commits, so it must be asked; inside a transaction this costs almost
    /// nothing.
    fn others_committed(&mut self) -> Result<bool> {
        let version = data_version(&self.connection)?;
        let is_new = version != self.data_version;
        self.data_version = version;
        if is_new {
            self.newest = Newest::read(&self.connection).ok();
        }
        Ok(is_new)
    }

    /// Whether the log is another one than this connection left.
    fn is_written_by_others(&self) -> bool {
        self.is_another(self.stamp())
    }

    /// Every commit writes to the log, so if the log is unchanged there is nothing to ask.
    fn poll_others(&mut self) -> Result<bool> {
        let stamp = self.stamp();
        let is_new = self.is_another(stamp);
        self.log_stamp = stamp;
        if is_new {
            self.unchanged_polls = 0;
        } else if self.unchanged_polls >= UNCHANGED_POLLS {
            return Ok(false);
        }
        self.unchanged_polls += 1;
        self.others_committed()
    }

    /// Checks whether the path is still the file that was opened, and keeps the lock of the serving
    /// process.
    fn check_place(&mut self) -> bool {
        let was_gone = self.published.trouble.is(Kind::Gone);
        let mut why = self.resolve_doubt();
        if why.is_none() {
            let serving = self.published.serving.lock().expect(NO_PANIC);
            why = serving
                .keep(&self.database)
                .err()
                .map(|error| format!("another process may serve the file: {}", error.chain()));
        }
        let is_gone = why.is_some();
        if is_gone != was_gone {
            // The log must not be checkpointed into the file that is at the path now.
            let option = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
            if let Err(error) = self.connection.set_db_config(option, is_gone) {
                tracing::error!(%error, "the log may be moved into another file");
            }
        }
        self.published.trouble.set(Kind::Gone, why);
        was_gone && !is_gone
    }

    fn check_room(&self) {
        let room = self.published.room.lock().expect(NO_PANIC);
        let was_refused = self.published.trouble.is(Kind::NoRoom);
        let why = room
            .as_ref()
            .and_then(|room| room.why_not(Conn::sqlite(&self.connection), was_refused));
        self.published.trouble.set(Kind::NoRoom, why);
    }
}

/// A fingerprint of the newest rows and counts: every commit changes a part of it.
fn fingerprint(connection: &Connection) -> Result<String> {
    let newest = connection.query_row(
        "select json_array(
             (select max(id) from hookbox_event), (select max(id) from hookbox_delivery),
             (select max(id) from hookbox_mark), (select config_version from hookbox_meta),
             (select json_group_array(of || id || what || value) from hookbox_tally)
         )",
        [],
        |row| row.get(0),
    )?;
    Ok(newest)
}

/// The newest event and delivery, and the version of the settings: none of them ever becomes less.
#[derive(Debug, Clone, Copy)]
struct Newest([i64; 3]);

impl Newest {
    fn read(connection: &Connection) -> Result<Newest> {
        let mut statement = connection.prepare_cached(
            "select (select coalesce(max(id), 0) from hookbox_event),
                    (select coalesce(max(id), 0) from hookbox_delivery),
                    (select config_version from hookbox_meta)",
        )?;
        let read = statement.query_row([], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?]))?;
        Ok(Newest(read))
    }

    /// Whether a file has all of them.
    fn is_in(self, connection: &Connection) -> bool {
        Newest::read(connection).is_ok_and(|found| {
            found
                .0
                .iter()
                .zip(self.0)
                .all(|(found, known)| *found >= known)
        })
    }
}
