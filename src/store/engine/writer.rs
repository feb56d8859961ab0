//! The writer: one thread owns the only write connection of the process and commits in groups.
//!
//! The writer takes all waiting jobs (bounded; [`group_commit`](super::group_commit) says when it waits for
//! more), runs them in one transaction, fsyncs, and only then answers all callers.
//!
//! A job that fails after it wrote is rolled back alone: the whole group is rolled back and run again, this
//! time with a savepoint per job. Savepoints copy pages, so they are used only when needed. If the commit
//! fails, the whole group fails.
//!
//! Between groups the writer checks what other processes committed.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, SystemTime};

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use crate::error::{Error, Result};
use crate::model::id::BoxId;
use crate::store::engine::conn::Conn;
use crate::store::engine::directory::{self, Directory};
use crate::store::engine::group_commit::{Group, WaitPolicy};
use crate::store::engine::job::{Job, Message, Tx};
use crate::store::engine::published::{NO_PANIC, Published, Woken};
use crate::store::engine::sqlite::check::{Depth, check};
use crate::store::engine::sqlite::event_keys::Keys;
use crate::store::engine::sqlite::marks::Marking;
use crate::store::engine::sqlite::open::connect_read_only;
use crate::store::engine::sqlite::place::{Look, Place, beside, data_version};
use crate::store::engine::tally::Tally;
use crate::store::engine::trouble::Kind;

/// How often an idle writer checks whether another process committed: a commit is noticed after 25 ms at
/// the median and 50 ms at most. Each check wakes the thread; that is its cost.
const FOREIGN_PERIOD: Duration = Duration::from_millis(50);

/// Maximum age of [`Store::directory`](crate::store::engine::Store::directory), with some milliseconds for
/// the check.
pub(crate) const DIRECTORY_AGE_MAX: Duration = Duration::from_millis(75);

/// The thread that owns the write connection.
pub(crate) struct Writer {
    pub(crate) connection: Connection,
    pub(crate) published: Arc<Published>,
    /// The directory of the last transaction; published after its commit.
    directory: Arc<Directory>,
    keys: Keys,
    database: PathBuf,
    place: Place,
    marking: Marking,
    /// Changes when another process commits; this connection's own commits do not change it.
    data_version: i64,
    /// Another process committed, and the listeners have not been notified yet.
    others_wrote: bool,
    /// The write-ahead log, and its state at the last check.
    log: PathBuf,
    log_stamp: Option<Stamp>,
    /// Checks since the log last changed. A second change within one tick of the file system's clock leaves
    /// no trace in the file's time, so for a while the writer asks SQLite anyway.
    unchanged_polls: u32,
}

/// Number of checks before an unchanged log is trusted. They take three seconds, since the slowest clocks
/// of file systems tick every two seconds (FAT).
const UNCHANGED_POLLS: u32 = 60;

/// How often, and how many times at most, the writer checks again while another program may be doing a
/// checkpoint: about 4 MiB, which a slow card needs seconds for. A sender waits 15 s.
const DOUBTFUL_PERIOD: Duration = Duration::from_millis(5);
const DOUBTFUL_POLLS: u32 = 1_600;

/// When a file was last written, and its length.
type Stamp = (SystemTime, u64);

impl Writer {
    pub(crate) fn new(
        connection: Connection,
        published: Arc<Published>,
        database: &Path,
        box_id: BoxId,
    ) -> Result<Writer> {
        let data_version = data_version(&connection)?;
        let directory = published.directory();
        Ok(Writer {
            place: Place::of(database, &connection)?,
            database: database.to_owned(),
            connection,
            marking: Marking::new(database, published.clone(), box_id),
            published,
            directory,
            keys: Keys::default(),
            data_version,
            others_wrote: false,
            log: beside(database, "-wal"),
            log_stamp: None,
            unchanged_polls: 0,
        })
    }

    /// Runs until a stop message; commits everything that was submitted before it.
    pub(crate) fn run(mut self, messages: &Receiver<Message>) {
        let mut wait_policy = WaitPolicy::new();
        let mut stopping = false;
        while !stopping {
            let mut group = Group::default();
            let mut patience = FOREIGN_PERIOD;
            loop {
                match messages.recv_timeout(patience) {
                    Ok(Message::Job(job)) => group.add(job),
                    Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => stopping = true,
                    Err(RecvTimeoutError::Timeout) => break,
                }
                while !group.is_full() {
                    match messages.try_recv() {
                        Ok(Message::Job(job)) => group.add(job),
                        Ok(Message::Stop) => stopping = true,
                        Err(_) => break,
                    }
                }
                match wait_policy.wait(&group) {
                    Some(wait) if !stopping => patience = wait,
                    _ => break,
                }
            }
            wait_policy.done(&group);
            if group.jobs.is_empty() {
                self.poll_other_writers();
            } else {
                self.commit_and_answer(group.jobs);
            }
            if std::mem::take(&mut self.others_wrote) {
                self.published.publish(&self.directory);
                self.published.notify(&Woken::All);
            }
        }
    }

    fn commit_and_answer(&mut self, mut group: Vec<Box<dyn Job>>) {
        self.check_place();
        if let Some(gone) = self.published.trouble.gone() {
            return answer_all(group, &gone);
        }
        let began = self.published.measures.elapsed();
        // A commit to a file that is no longer the one at the path is never acknowledged.
        let committed = self.commit(&mut group).and_then(|tally| {
            self.check_place();
            match self.published.trouble.gone() {
                None => Ok(tally),
                Some(gone) => Err(gone),
            }
        });
        match committed {
            Ok(tally) => {
                self.published.groups.count(group.len());
                self.published.measures.committed(began, group.len());
                self.published.trouble.set(Kind::CannotWrite, None);
                self.check_disk_space();
                self.published.publish(&self.directory);
                for job in group {
                    job.answer(None);
                }
                if tally.has_replays() {
                    self.published.notify(&Woken::Replays);
                }
                self.published.wake(&tally.into_woken());
            }
            Err(error) => {
                self.published.note_error(&error);
                if error.is_unavailable() {
                    let why = format!("nothing is recorded or sent: {}", error.chain());
                    self.published.trouble.set(Kind::CannotWrite, Some(why));
                }
                // Some errors make SQLite roll back on its own; then there is nothing to roll back.
                if !self.connection.is_autocommit()
                    && let Err(rollback) = self.connection.execute_batch("rollback")
                {
                    tracing::error!(error = %rollback, "cannot roll back");
                }
                // The directory that was loaded inside the transaction may never have been committed.
                self.directory = self.published.directory();
                self.keys.rolled_back();
                self.marking.rolled_back();
                answer_all(group, &error);
            }
        }
    }

    /// Checks whether the path is still the file that was opened, and keeps the lock of the serving
    /// process.
    fn check_place(&mut self) {
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
            // Listeners were not notified of the commits while the file was gone, so they are notified now.
            self.others_wrote |= was_gone;
        }
        self.published.trouble.set(Kind::Gone, why);
    }

    /// Why the path is not the file that was opened. In doubt, another program may be doing a checkpoint,
    /// so the writer waits for it; no caller is answered meanwhile.
    #[allow(
        clippy::disallowed_methods,
        reason = "SQLite tells nobody that another program moves the log into the file"
    )]
    fn resolve_doubt(&mut self) -> Option<String> {
        let mut polls = 0;
        loop {
            match self.place.look(&self.connection) {
                Look::Same => return None,
                Look::Gone(why) => return Some(why),
                Look::Doubtful(why) if polls == DOUBTFUL_POLLS => {
                    // No event is accepted during the full check: the file's time may have changed without
                    // a change of its data.
                    self.published.trouble.set(Kind::Gone, Some(why.clone()));
                    match self.is_whole() {
                        Ok(true) => self.place.accept(&self.connection),
                        _ => self.place.give_up(why),
                    }
                }
                Look::Doubtful(_) => std::thread::sleep(DOUBTFUL_PERIOD),
            }
            polls += 1;
        }
    }

    /// Whether the file at the path is undamaged and has what this connection wrote last.
    fn is_whole(&self) -> Result<bool> {
        let fresh = connect_read_only(&self.database)?;
        let is_known = fingerprint(&fresh)? == fingerprint(&self.connection)?;
        Ok(is_known && check(&self.database, Depth::Full)?.is_empty())
    }

    fn check_disk_space(&self) {
        let room = self.published.room.lock().expect(NO_PANIC);
        let was_refused = self.published.trouble.is(Kind::NoRoom);
        let why = room
            .as_ref()
            .and_then(|room| room.why_not(Conn(&self.connection), was_refused));
        self.published.trouble.set(Kind::NoRoom, why);
    }

    /// Runs all jobs of the group in one transaction.
    fn commit(&mut self, group: &mut [Box<dyn Job>]) -> Result<Tally> {
        if self.published.are_keys_asked_for() && !self.keys.is_loaded() {
            self.keys.load(Conn(&self.connection))?;
        }
        self.begin()?;
        let tally = match self.run_all(group)? {
            Some(tally) => tally,
            None => {
                execute(&self.connection, "rollback")?;
                self.keys.rolled_back();
                self.marking.rolled_back();
                self.directory = self.published.directory();
                self.begin()?;
                self.run_each_apart(group)?
            }
        };
        tally.flush(Conn(&self.connection))?;
        self.keys.step(Conn(&self.connection))?;
        execute(&self.connection, "commit")?;
        self.keys.committed();
        self.marking.committed();
        Ok(tally)
    }

    /// Takes the write lock, then reads what other processes wrote before.
    fn begin(&mut self) -> Result<()> {
        execute(&self.connection, "begin immediate")?;
        self.keys.begin();
        self.published.polls.fetch_add(1, Ordering::Relaxed);
        self.notice_others()?;
        self.refresh_directory()
    }

    /// Runs every job; `None` when one failed after it had written, so that the group must be rolled back.
    fn run_all(&mut self, group: &mut [Box<dyn Job>]) -> Result<Option<Tally>> {
        let mut tally = Tally::default();
        for job in group {
            let written = self.connection.total_changes();
            match self.run_one(job.as_mut())? {
                Some(done) => self.merge(&mut tally, done)?,
                None if self.connection.total_changes() == written => {}
                None => return Ok(None),
            }
        }
        Ok(Some(tally))
    }

    /// Runs every job in its own savepoint, so that a failed job is rolled back alone.
    fn run_each_apart(&mut self, group: &mut [Box<dyn Job>]) -> Result<Tally> {
        let mut tally = Tally::default();
        for job in group {
            let known_keys = self.keys.mark();
            let was_marked = self.marking.is_drawn();
            execute(&self.connection, "savepoint job")?;
            match self.run_one(job.as_mut())? {
                Some(done) => self.merge(&mut tally, done)?,
                None => {
                    self.keys.undo_to(known_keys);
                    self.marking.undo_to(was_marked);
                    execute(&self.connection, "rollback to job")?;
                }
            }
            execute(&self.connection, "release job")?;
        }
        Ok(tally)
    }

    /// Runs one job; `None` when it failed.
    fn run_one(&mut self, job: &mut dyn Job) -> Result<Option<Tally>> {
        let mut tx = Tx {
            conn: Conn(&self.connection),
            directory: self.directory.clone(),
            keys: &mut self.keys,
            tally: Tally::default(),
            marking: &mut self.marking,
        };
        let ran = job.run(&mut tx);
        let done = tx.tally;
        if let Err(error) = &ran {
            self.published.note_error(error);
        }
        if self.connection.is_autocommit() {
            // SQLite rolled back the whole transaction, as it does when the disk is full.
            return Err(group_lost());
        }
        Ok(ran.is_ok().then_some(done))
    }

    /// Adds a job's counts to the group's. The jobs after it see the sources and endpoints that it changed.
    fn merge(&mut self, tally: &mut Tally, done: Tally) -> Result<()> {
        if done.is_configured() {
            self.refresh_directory()?;
        }
        tally.merge(done);
        Ok(())
    }

    /// Loads the directory again if the file has a newer one.
    fn refresh_directory(&mut self) -> Result<()> {
        if let Some(newer) = directory::newer(Conn(&self.connection), &self.directory)? {
            self.directory = Arc::new(newer);
        }
        Ok(())
    }

    /// Checks whether another process committed: the command line beside a running service, say. SQLite
    /// does not notify of commits, so the writer must ask; inside a transaction this costs almost nothing.
    fn notice_others(&mut self) -> Result<()> {
        let version = data_version(&self.connection)?;
        self.others_wrote |= version != self.data_version;
        self.data_version = version;
        Ok(())
    }

    /// Checks for commits of other processes while there is no job. Every commit writes to the log, so if
    /// the log is unchanged there is nothing to ask.
    fn poll_other_writers(&mut self) {
        self.published.polls.fetch_add(1, Ordering::Relaxed);
        self.check_place();
        self.check_disk_space();
        let stamp = std::fs::metadata(&self.log)
            .and_then(|metadata| Ok((metadata.modified()?, metadata.len())))
            .ok();
        let is_new = stamp.is_none() || stamp != self.log_stamp;
        self.log_stamp = stamp;
        if is_new {
            self.unchanged_polls = 0;
        } else if self.unchanged_polls >= UNCHANGED_POLLS {
            return;
        }
        self.unchanged_polls += 1;
        let looked = self.notice_others().and_then(|()| {
            if self.others_wrote {
                self.refresh_directory()?;
            }
            Ok(())
        });
        if let Err(error) = looked {
            tracing::debug!(
                error = error.chain(),
                "cannot look for other processes' commits"
            );
        }
    }
}

fn answer_all(group: Vec<Box<dyn Job>>, error: &Error) {
    for job in group {
        job.answer(Some(error));
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

fn execute(connection: &Connection, statement: &str) -> Result<()> {
    connection.prepare_cached(statement)?.execute([])?;
    Ok(())
}

/// The error for jobs that were rolled back because another job of their group failed.
fn group_lost() -> Error {
    Error::from(rusqlite::Error::SqliteFailure(
        rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL),
        Some("the transaction was rolled back: the disk is full or failing".to_owned()),
    ))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use crate::error::Error;
    use crate::model::event::NewEvent;
    use crate::store::{Missing, Store};
    use crate::time::Timestamp;

    fn event(key: &str) -> NewEvent {
        NewEvent {
            key: Some(key.to_owned()),
            ..NewEvent::new("t", "")
        }
    }

    #[test]
    fn a_job_that_fails_after_it_wrote_is_undone_alone() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("h.db"), Missing::Create).unwrap();
        // A whole group collects while the writer is blocked.
        let (entered, wait_for_entry) = channel();
        let (release, held) = channel::<()>();
        store.submit(
            0,
            true,
            move |_| {
                entered.send(()).unwrap();
                held.recv().unwrap();
                Ok(())
            },
            |_| {},
        );
        wait_for_entry.recv().unwrap();
        let (answered, answers) = channel();
        let accept = |key: &str| {
            let answered = answered.clone();
            store.accept_then(event(key), Timestamp(0), move |result| {
                answered
                    .send(result.map(|accepted| accepted.duplicate))
                    .unwrap();
            });
        };
        accept("before");
        let failed = answered.clone();
        store.submit(
            0,
            true,
            |tx| {
                tx.conn
                    .0
                    .execute_batch("update hookbox_meta set box = 'ffffffffff'")?;
                Err::<(), Error>(Error::misuse("no"))
            },
            move |result| failed.send(result.map(|()| false)).unwrap(),
        );
        accept("after");
        accept("before");
        release.send(()).unwrap();
        let results: Vec<String> = (0..4)
            .map(|_| match answers.recv().unwrap() {
                Ok(duplicate) => duplicate.to_string(),
                Err(error) => error.to_string(),
            })
            .collect();
        assert_eq!(results, ["false", "no", "false", "true"]);
        assert_eq!(store.stats().unwrap().events, 2);
        assert_eq!(store.group_stats().largest, 4);
        let box_now: String = store
            .read(|conn| conn.one("select box from hookbox_meta", &[], |row| row.get(0)))
            .unwrap();
        assert_eq!(box_now, store.box_id().to_string());
        // The keys that the first try added to memory were removed with its rollback.
        assert!(
            store
                .accept(event("after"), Timestamp(0))
                .unwrap()
                .duplicate
        );
    }
}
