//! The writer: one thread owns the only write connection of the process and commits in groups.
//!
//! It takes all that is waiting (bounded; [`gather`](super::gather) says when it waits for more),
//! runs one transaction, fsyncs, and only then answers everybody.
//! A job that fails after it wrote is rolled back alone: the group is begun anew, this time with a
//! savepoint a job. Savepoints copy pages, so they are not taken before they are needed. A commit
//! that fails fails the group.
//! Between groups it notices what other processes committed.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, SystemTime};

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use crate::error::{Error, Result};
use crate::model::id::BoxId;
use crate::store::engine::conn::Conn;
use crate::store::engine::directory::{self, Directory};
use crate::store::engine::group_commit::{Gathering, Group};
use crate::store::engine::job::{Job, Message, Tx};
use crate::store::engine::published::{NO_PANIC, Published, Woken};
use crate::store::engine::sqlite::check::{Depth, check};
use crate::store::engine::sqlite::event_keys::Keys;
use crate::store::engine::sqlite::marks::Marking;
use crate::store::engine::sqlite::open::connect_read_only;
use crate::store::engine::sqlite::place::{Look, Place, beside, data_version};
use crate::store::engine::tally::Tally;
use crate::store::engine::trouble::Kind;

/// How often an idle writer asks whether another process committed: seen after 25 ms at the median
/// and 50 ms at most. Each question wakes a thread, which is what it costs.
const FOREIGN_PERIOD: Duration = Duration::from_millis(50);

/// How old [`Store::directory`](crate::store::engine::Store::directory) is at most, with some milliseconds to look.
pub(crate) const DIRECTORY_AGE_MAX: Duration = Duration::from_millis(75);

/// How the writer's work was grouped, since the store was opened.
#[derive(Debug, Default)]
pub(crate) struct GroupCounter {
    commits: AtomicU64,
    jobs: AtomicU64,
    largest: AtomicU64,
}

/// How many commits there were, of how many jobs, and the most jobs in one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupStats {
    /// Commits that held.
    pub commits: u64,
    /// Jobs in them.
    pub jobs: u64,
    /// The most jobs in one commit.
    pub largest: u64,
}

impl GroupCounter {
    fn count(&self, jobs: usize) {
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.jobs.fetch_add(jobs as u64, Ordering::Relaxed);
        self.largest.fetch_max(jobs as u64, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> GroupStats {
        GroupStats {
            commits: self.commits.load(Ordering::Relaxed),
            jobs: self.jobs.load(Ordering::Relaxed),
            largest: self.largest.load(Ordering::Relaxed),
        }
    }
}

/// The thread that owns the write connection.
pub(crate) struct Writer {
    pub(crate) connection: Connection,
    pub(crate) published: Arc<Published>,
    /// As of the last transaction; published once that has held.
    directory: Arc<Directory>,
    keys: Keys,
    database: PathBuf,
    place: Place,
    marking: Marking,
    /// Changes when another process commits; this connection's own commits do not change it.
    data_version: i64,
    /// Another process committed, and nobody has been told yet.
    others_wrote: bool,
    /// The write-ahead log, and how it stood when it was last looked at.
    log: PathBuf,
    log_stamp: Option<Stamp>,
    /// Looks since it had changed: a second change within one tick of the file system's clock leaves
    /// no mark, so that is asked about for a while.
    quiet_looks: u32,
}

/// Looks at a log that has not changed, before it is believed: three seconds of them, since the
/// clocks of file systems tick every two seconds at the slowest (FAT).
const QUIET_LOOKS: u32 = 60;

/// How often, and for how long at most, another program is waited for that may be moving the log into the
/// file: some 4 MiB, which a slow card takes seconds for. A sender waits 15 s.
const DOUBTFUL_PERIOD: Duration = Duration::from_millis(5);
const DOUBTFUL_LOOKS: u32 = 1_600;

/// When a file was last written, and how long it is.
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
            quiet_looks: 0,
        })
    }

    /// Works until it is told to stop; what was handed in before that is committed.
    pub(crate) fn run(mut self, messages: &Receiver<Message>) {
        let mut gathering = Gathering::new();
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
                match gathering.wait(&group) {
                    Some(wait) if !stopping => patience = wait,
                    _ => break,
                }
            }
            gathering.done(&group);
            if group.jobs.is_empty() {
                self.look_for_others();
            } else {
                self.commit_and_answer(group.jobs);
            }
            if std::mem::take(&mut self.others_wrote) {
                self.published.publish(&self.directory);
                self.published.tell(&Woken::All);
            }
        }
    }

    fn commit_and_answer(&mut self, mut group: Vec<Box<dyn Job>>) {
        self.look_at_place();
        if let Some(gone) = self.published.trouble.gone() {
            return answer_all(group, &gone);
        }
        let began = self.published.measures.elapsed();
        // What was committed to a file that is no longer the one at the path is acknowledged to nobody.
        let committed = self.commit(&mut group).and_then(|tally| {
            self.look_at_place();
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
                self.look_at_room();
                self.published.publish(&self.directory);
                for job in group {
                    job.answer(None);
                }
                if tally.has_replays() {
                    self.published.tell(&Woken::Replays);
                }
                self.published.wake(&tally.into_woken());
            }
            Err(error) => {
                self.published.noticed(&error);
                if error.is_unavailable() {
                    let why = format!("nothing is recorded or sent: {}", error.chain());
                    self.published.trouble.set(Kind::CannotWrite, Some(why));
                }
                // Some errors make SQLite roll back by itself; then there is nothing to roll back.
                if !self.connection.is_autocommit()
                    && let Err(rollback) = self.connection.execute_batch("rollback")
                {
                    tracing::error!(error = %rollback, "cannot roll back");
                }
                // What was loaded inside the transaction may never have been.
                self.directory = self.published.directory();
                self.keys.rolled_back();
                self.marking.rolled_back();
                answer_all(group, &error);
            }
        }
    }

    /// Looks whether the file is still the one that was opened, and the lock of whoever serves it there.
    fn look_at_place(&mut self) {
        let was_gone = self.published.trouble.is(Kind::Gone);
        let mut why = self.settle_doubt();
        if why.is_none() {
            let serving = self.published.serving.lock().expect(NO_PANIC);
            why = serving
                .keep(&self.database)
                .err()
                .map(|error| format!("another process may serve the file: {}", error.chain()));
        }
        let is_gone = why.is_some();
        if is_gone != was_gone {
            // What is in the log must not be moved into what lies there now.
            let option = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
            if let Err(error) = self.connection.set_db_config(option, is_gone) {
                tracing::error!(%error, "the log may be moved into another file");
            }
            // What was committed when it went has waited until it is back.
            self.others_wrote |= was_gone;
        }
        self.published.trouble.set(Kind::Gone, why);
    }

    /// Why the file is not the one that was opened. Where that is in doubt, whoever may be at work on it is
    /// waited for: nobody is answered meanwhile.
    #[allow(
        clippy::disallowed_methods,
        reason = "SQLite tells nobody that another program moves the log into the file"
    )]
    fn settle_doubt(&mut self) -> Option<String> {
        let mut looks = 0;
        loop {
            match self.place.look(&self.connection) {
                Look::Same => return None,
                Look::Gone(why) => return Some(why),
                Look::Doubtful(why) if looks == DOUBTFUL_LOOKS => {
                    // Nothing is taken in while it is read through: somebody may have touched it only.
                    self.published.trouble.set(Kind::Gone, Some(why.clone()));
                    match self.is_whole() {
                        Ok(true) => self.place.accept(&self.connection),
                        _ => self.place.give_up(why),
                    }
                }
                Look::Doubtful(_) => std::thread::sleep(DOUBTFUL_PERIOD),
            }
            looks += 1;
        }
    }

    /// Whether what lies at the path is whole, and what this connection knows: it holds in memory what it
    /// wrote last.
    fn is_whole(&self) -> Result<bool> {
        let fresh = connect_read_only(&self.database)?;
        let is_known = newest(&fresh)? == newest(&self.connection)?;
        Ok(is_known && check(&self.database, Depth::Full)?.is_empty())
    }

    fn look_at_room(&self) {
        let room = self.published.room.lock().expect(NO_PANIC);
        let was_refused = self.published.trouble.is(Kind::NoRoom);
        let why = room
            .as_ref()
            .and_then(|room| room.why_not(Conn(&self.connection), was_refused));
        self.published.trouble.set(Kind::NoRoom, why);
    }

    /// One transaction over all jobs of the group.
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

    /// Takes the write lock, and learns what others wrote before it was had.
    fn begin(&mut self) -> Result<()> {
        execute(&self.connection, "begin immediate")?;
        self.keys.begin();
        self.published.looks.fetch_add(1, Ordering::Relaxed);
        self.notice_others()?;
        self.refresh_directory()
    }

    /// Runs every job; `None` when one failed after it had written, so that all must be undone.
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

    /// Runs every job in a savepoint of its own, so that one that fails is undone alone.
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
            self.published.noticed(error);
        }
        if self.connection.is_autocommit() {
            // SQLite gave up the whole transaction, as it does when the disk is full.
            return Err(group_lost());
        }
        Ok(ran.is_ok().then_some(done))
    }

    /// Adds a job's sums to the group's; what comes after it sees the sources it made.
    fn merge(&mut self, tally: &mut Tally, done: Tally) -> Result<()> {
        if done.is_configured() {
            self.refresh_directory()?;
        }
        tally.merge(done);
        Ok(())
    }

    /// Loads the directory again if this connection sees a newer one.
    fn refresh_directory(&mut self) -> Result<()> {
        if let Some(newer) = directory::newer(Conn(&self.connection), &self.directory)? {
            self.directory = Arc::new(newer);
        }
        Ok(())
    }

    /// Notices whether another process committed: the command line beside a running service, say.
    /// SQLite tells nobody of a commit, so this asks; inside a transaction that costs next to
    /// nothing.
    fn notice_others(&mut self) -> Result<()> {
        let version = data_version(&self.connection)?;
        self.others_wrote |= version != self.data_version;
        self.data_version = version;
        Ok(())
    }

    /// Asks while there is nothing to do. Every commit writes the log, so where that is as it was
    /// there is nothing to ask.
    fn look_for_others(&mut self) {
        self.published.looks.fetch_add(1, Ordering::Relaxed);
        self.look_at_place();
        self.look_at_room();
        let stamp = std::fs::metadata(&self.log)
            .and_then(|metadata| Ok((metadata.modified()?, metadata.len())))
            .ok();
        let is_new = stamp.is_none() || stamp != self.log_stamp;
        self.log_stamp = stamp;
        if is_new {
            self.quiet_looks = 0;
        } else if self.quiet_looks >= QUIET_LOOKS {
            return;
        }
        self.quiet_looks += 1;
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

/// What every commit changes some of.
fn newest(connection: &Connection) -> Result<String> {
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

/// The error of the jobs that were lost with another's: their transaction was rolled back.
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
        // While the writer is held up, a whole group gathers.
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
        // What the first try remembered of the keys was forgotten with it.
        assert!(
            store
                .accept(event("after"), Timestamp(0))
                .unwrap()
                .duplicate
        );
    }
}
