//! The writer: one thread owns the only write connection of the process and commits in groups.
//!
//! It takes all that is waiting (bounded), runs one transaction, fsyncs, and only then answers
//! everybody. When nothing waits, a job is committed by itself at once: grouping adds no delay.
//! A job that fails is rolled back alone, by its savepoint; a commit that fails fails the group.
//! Between groups it notices what other processes committed.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, SystemTime};

use rusqlite::Connection;

use super::changes::Changes;
use super::directory::{self, Directory};
use super::{Published, Woken};
use crate::error::{Error, Result};

/// Most jobs in one commit. Beyond a hundred or so the fsync is spread thin enough, and a larger
/// group only makes the first in it wait longer.
const GROUP_JOBS_MAX: usize = 128;

/// Most bytes of bodies in one commit, so that large bodies do not make everybody wait.
const GROUP_BYTES_MAX: usize = 4 * 1024 * 1024;

/// How often an idle writer asks whether another process committed: seen after 25 ms at the median
/// and 50 ms at most. Each question wakes a thread, which is what it costs.
const FOREIGN_PERIOD: Duration = Duration::from_millis(50);

/// What a job works on: the open transaction, the directory as of it, and the sums to keep.
pub(super) struct Tx<'c> {
    pub(super) connection: &'c Connection,
    pub(super) directory: Arc<Directory>,
    pub(super) changes: Changes,
}

/// One piece of work for the writer.
pub(super) trait Job: Send {
    /// Does the work inside the group's transaction; false when it failed.
    fn run(&mut self, tx: &mut Tx<'_>) -> bool;

    /// Tells the caller, after the commit, or with what stopped it.
    fn answer(self: Box<Self>, stopped: Option<&Error>);

    /// Roughly how much it writes.
    fn bytes(&self) -> usize;
}

/// What is sent to the writer's thread.
pub(super) enum Message {
    Job(Box<dyn Job>),
    Stop,
}

/// A job made of two closures: one runs in the transaction, one takes the result afterwards.
pub(super) struct Task<T, O, A> {
    pub(super) operation: Option<O>,
    pub(super) result: Option<Result<T>>,
    pub(super) answer: A,
    pub(super) bytes: usize,
}

impl<T, O, A> Job for Task<T, O, A>
where
    T: Send,
    O: FnOnce(&mut Tx<'_>) -> Result<T> + Send,
    A: FnOnce(Result<T>) + Send,
{
    fn run(&mut self, tx: &mut Tx<'_>) -> bool {
        let operation = self.operation.take().expect("the writer runs a job once");
        let result = operation(tx);
        let fine = result.is_ok();
        self.result = Some(result);
        fine
    }

    fn answer(self: Box<Self>, stopped: Option<&Error>) {
        let result = match (self.result, stopped) {
            (Some(Ok(value)), None) => Ok(value),
            // Its own error says more than the group's.
            (Some(Err(error)), _) => Err(error),
            (_, Some(error)) => Err(error.clone()),
            (None, None) => Err(Error::Stopped),
        };
        (self.answer)(result);
    }

    fn bytes(&self) -> usize {
        self.bytes
    }
}

/// How the writer's work was grouped, since the store was opened.
#[derive(Debug, Default)]
pub(super) struct GroupCounter {
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

    pub(super) fn read(&self) -> GroupStats {
        GroupStats {
            commits: self.commits.load(Ordering::Relaxed),
            jobs: self.jobs.load(Ordering::Relaxed),
            largest: self.largest.load(Ordering::Relaxed),
        }
    }
}

/// The thread that owns the write connection.
pub(super) struct Writer {
    pub(super) connection: Connection,
    pub(super) published: Arc<Published>,
    /// As of the last transaction; published once that has held.
    directory: Arc<Directory>,
    /// Changes when another process commits; this connection's own commits do not change it.
    data_version: i64,
    /// The write-ahead log, and how it stood when it was last looked at.
    log: PathBuf,
    log_stamp: Option<Stamp>,
    /// Whether the log had changed then: a second change within one tick of the file system's
    /// clock leaves no mark, so it is looked at once more.
    log_was_new: bool,
}

/// When a file was last written, and how long it is.
type Stamp = (SystemTime, u64);

impl Writer {
    pub(super) fn new(
        connection: Connection,
        published: Arc<Published>,
        database: &Path,
    ) -> Result<Writer> {
        let data_version = data_version(&connection)?;
        let directory = published.directory();
        let mut log = database.as_os_str().to_owned();
        log.push("-wal");
        Ok(Writer {
            connection,
            published,
            directory,
            data_version,
            log: PathBuf::from(log),
            log_stamp: None,
            log_was_new: true,
        })
    }

    /// Works until it is told to stop; what was handed in before that is committed.
    pub(super) fn run(mut self, messages: &Receiver<Message>) {
        let mut stopping = false;
        while !stopping {
            let mut group = Vec::new();
            let mut bytes = 0;
            match messages.recv_timeout(FOREIGN_PERIOD) {
                Ok(Message::Job(job)) => {
                    bytes += job.bytes();
                    group.push(job);
                }
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => stopping = true,
                Err(RecvTimeoutError::Timeout) => {}
            }
            while group.len() < GROUP_JOBS_MAX && bytes < GROUP_BYTES_MAX {
                match messages.try_recv() {
                    Ok(Message::Job(job)) => {
                        bytes += job.bytes();
                        group.push(job);
                    }
                    Ok(Message::Stop) => stopping = true,
                    Err(_) => break,
                }
            }
            if !group.is_empty() {
                self.commit_and_answer(group);
            }
            self.notice_others();
        }
    }

    fn commit_and_answer(&mut self, mut group: Vec<Box<dyn Job>>) {
        match self.commit(&mut group) {
            Ok(changes) => {
                self.published.groups.count(group.len());
                self.published.publish(&self.directory);
                for job in group {
                    job.answer(None);
                }
                self.published.wake(&changes.into_woken());
            }
            Err(error) => {
                // Some errors make SQLite roll back by itself; then there is nothing to roll back.
                if !self.connection.is_autocommit()
                    && let Err(rollback) = self.connection.execute_batch("rollback")
                {
                    tracing::error!(error = %rollback, "cannot roll back");
                }
                // What was loaded inside the transaction may never have been.
                self.directory = self.published.directory();
                for job in group {
                    job.answer(Some(&error));
                }
            }
        }
    }

    /// One transaction over all jobs of the group.
    fn commit(&mut self, group: &mut [Box<dyn Job>]) -> Result<Changes> {
        execute(&self.connection, "begin immediate")?;
        self.refresh_directory()?;
        let mut changes = Changes::default();
        let alone = group.len() == 1;
        for job in group {
            let mut tx = Tx {
                connection: &self.connection,
                directory: self.directory.clone(),
                changes: Changes::default(),
            };
            if !alone {
                execute(&self.connection, "savepoint job")?;
            }
            let fine = job.run(&mut tx);
            let done = tx.changes;
            if self.connection.is_autocommit() {
                // SQLite gave up the whole transaction, as it does when the disk is full.
                return Err(group_lost());
            }
            match (fine, alone) {
                (true, _) => {
                    if done.is_configured() {
                        self.refresh_directory()?;
                    }
                    changes.merge(done);
                }
                (false, true) => {
                    execute(&self.connection, "rollback")?;
                    return Ok(changes);
                }
                (false, false) => execute(&self.connection, "rollback to job")?,
            }
            if !alone {
                execute(&self.connection, "release job")?;
            }
        }
        changes.flush(&self.connection)?;
        execute(&self.connection, "commit")?;
        Ok(changes)
    }

    /// Loads the directory again if this connection sees a newer one.
    fn refresh_directory(&mut self) -> Result<()> {
        if let Some(newer) = directory::newer(&self.connection, &self.directory)? {
            self.directory = Arc::new(newer);
        }
        Ok(())
    }

    /// Notices what other processes committed: the command line beside a running service, or an
    /// application that inserts in its own transaction. SQLite tells nobody of a commit, so this
    /// asks. Every commit writes the log, so where that is as it was there is nothing to ask.
    fn notice_others(&mut self) {
        let stamp = std::fs::metadata(&self.log)
            .and_then(|metadata| Ok((metadata.modified()?, metadata.len())))
            .ok();
        let is_new = stamp.is_none() || stamp != self.log_stamp;
        self.log_stamp = stamp;
        if !std::mem::replace(&mut self.log_was_new, is_new) && !is_new {
            return;
        }
        let noticed = data_version(&self.connection)
            .map_err(Error::from)
            .and_then(|version| {
                if version == self.data_version {
                    return Ok(());
                }
                self.data_version = version;
                self.refresh_directory()?;
                self.published.publish(&self.directory);
                self.published.tell(&Woken::All);
                Ok(())
            });
        if let Err(error) = noticed {
            tracing::debug!(
                error = error.chain(),
                "cannot look for other processes' commits"
            );
        }
    }
}

/// A number that changes when another connection commits.
fn data_version(connection: &Connection) -> rusqlite::Result<i64> {
    connection
        .prepare_cached("pragma data_version")?
        .query_row([], |row| row.get(0))
}

/// Holds an update to the one row that it is about.
pub(super) fn expect_one(changed: usize) -> Result<()> {
    if changed == 1 {
        Ok(())
    } else {
        Err(rusqlite::Error::StatementChangedRows(changed).into())
    }
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
