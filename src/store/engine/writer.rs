//! The writer: one thread owns the only write connection of the process and commits in groups.
//!
//! The writer takes all waiting jobs (bounded; [`group_commit`](super::group_commit) says when it waits for
//! more), runs them in one transaction, fsyncs, and only then answers all callers.
//!
//! A job that fails after it wrote is rolled back alone: the whole group is rolled back and run again, this
//! time with a savepoint per job. Savepoints copy pages, so they are used only when needed. On a server a job
//! may also fail after it returned, when a statement that it did not wait for does ([`later`](super::later)).
//! If the commit fails, the whole group fails.
//!
//! Between groups the writer checks what other processes committed.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use crate::error::{DatabaseFault, Error, Result};
use crate::store::engine::directory::{self, Directory};
use crate::store::engine::group_commit::{Group, WaitPolicy};
use crate::store::engine::job::{Fence, Job, Message, Tx};
use crate::store::engine::marks::Marking;
use crate::store::engine::published::{Published, Woken};
use crate::store::engine::session::Session;
use crate::store::engine::tally::Tally;
use crate::store::engine::trouble::Kind;

/// How often an idle writer checks whether another process committed: a commit is noticed after 25 ms at
/// the median and 50 ms at most. Each check wakes the thread; that is its cost.
const FOREIGN_PERIOD: Duration = Duration::from_millis(50);

/// How often it checks where it is told of what others write, and nothing was for a while: some file systems
/// tell nothing.
const WATCHED_PERIOD: Duration = Duration::from_secs(1);

/// How long after a hint the first check is made; each wait is twice the last.
const HINTED_PERIOD: Duration = Duration::from_millis(1);

/// Checks after each hint, a commit in full: three seconds. The last write is heard before the commit is done.
const POLLS_AFTER_HINT: u32 = 60;

/// Maximum age of [`Store::directory`](crate::store::engine::Store::directory), with some milliseconds for
/// the check.
pub(crate) const DIRECTORY_AGE_MAX: Duration = Duration::from_millis(75);

/// How often a group is committed again, at most, when other nodes get in its way.
const CONFLICTS_MAX: u32 = 4;

/// Checks without a failed write, after which a server is taken for one that can be written: five seconds.
/// While a node says that it cannot write, a balancer sends it nothing, so that nothing would show it.
const POLLS_TO_HOPE: u32 = 100;

/// The thread that owns the write connection.
pub(crate) struct Writer {
    session: Box<dyn Session>,
    published: Arc<Published>,
    /// The directory of the last transaction; published after its commit.
    directory: Arc<Directory>,
    marking: Marking,
    fence: Fence,
    /// Why the last job that failed could not be done now, if that was not for what it is about.
    unavailable: Option<Error>,
    /// Checks since somebody may have written.
    quiet_polls: u32,
    /// Checks since a write failed.
    polls: u32,
    /// Another process committed, and the listeners have not been notified yet.
    others_wrote: bool,
}

impl Writer {
    pub(crate) fn new(
        session: Box<dyn Session>,
        published: Arc<Published>,
        marking: Marking,
    ) -> Writer {
        Writer {
            session,
            directory: published.directory(),
            fence: Fence::new(published.clone()),
            published,
            marking,
            unavailable: None,
            quiet_polls: 0,
            polls: 0,
            others_wrote: false,
        }
    }

    /// Runs until a stop message; commits everything that was submitted before it.
    pub(crate) fn run(mut self, messages: &Receiver<Message>) {
        let mut wait_policy = WaitPolicy::new();
        let mut stopping = false;
        while !stopping {
            let mut group = Group::default();
            let mut patience = self.period();
            loop {
                match messages.recv_timeout(patience) {
                    Ok(Message::Job(job)) => group.add(job),
                    Ok(Message::Look) => self.hear(),
                    Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => stopping = true,
                    Err(RecvTimeoutError::Timeout) => break,
                }
                while !group.is_full() {
                    match messages.try_recv() {
                        Ok(Message::Job(job)) => group.add(job),
                        Ok(Message::Look) => self.hear(),
                        Ok(Message::Stop) => stopping = true,
                        Err(_) => break,
                    }
                }
                match wait_policy.wait(&group) {
                    Some(wait) if !stopping && !group.jobs.is_empty() => patience = wait,
                    _ => break,
                }
            }
            wait_policy.done(&group);
            if group.jobs.is_empty() {
                self.poll_other_writers();
            } else {
                self.commit_and_answer(group.jobs, CONFLICTS_MAX);
            }
            if std::mem::take(&mut self.others_wrote) {
                self.published.publish(&self.directory);
                self.published.notify(&Woken::All);
            }
        }
    }

    /// Somebody may have written, if that was not this connection.
    fn hear(&mut self) {
        if self.session.is_written_by_others() {
            self.quiet_polls = 0;
        }
    }

    /// How long it waits for a job before it checks what others did: soon after a hint, as the commit is about
    /// to be done, and then more and more seldom.
    fn period(&self) -> Duration {
        if !self.published.is_watched.load(Ordering::Relaxed) {
            return FOREIGN_PERIOD;
        }
        match self.quiet_polls {
            polls @ ..POLLS_AFTER_HINT => FOREIGN_PERIOD.min(HINTED_PERIOD * (1 << polls.min(8))),
            _ => WATCHED_PERIOD,
        }
    }

    fn commit_and_answer(&mut self, mut group: Vec<Box<dyn Job>>, conflicts: u32) {
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
                self.session.check_room();
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
                if let Err(error) = self.roll_back() {
                    tracing::error!(error = error.chain(), "cannot roll back");
                }
                if error.is_conflict() && conflicts > 0 {
                    // One by one, each waits for another node at most once, and no two for each other.
                    for job in group {
                        self.commit_and_answer(vec![job], conflicts - 1);
                    }
                    return;
                }
                self.published.note_error(&error);
                if error.is_unavailable() && !error.is_conflict() {
                    self.polls = 0;
                    let why = format!("nothing is recorded or sent: {}", error.chain());
                    self.published.trouble.set(Kind::CannotWrite, Some(why));
                }
                answer_all(group, &error);
            }
        }
    }

    /// Checks that the database is still the one that was opened. Listeners were not notified of the commits
    /// while it was not, so they are notified when it is back.
    fn check_place(&mut self) {
        self.others_wrote |= self.session.check_place();
    }

    fn roll_back(&mut self) -> Result<()> {
        // The directory that was loaded inside the transaction may never have been committed.
        self.directory = self.published.directory();
        self.marking.rolled_back();
        self.session.roll_back()
    }

    /// Runs all jobs of the group in one transaction.
    fn commit(&mut self, group: &mut [Box<dyn Job>]) -> Result<Tally> {
        self.begin(group)?;
        let tally = match self.run_all(group)? {
            Some(tally) => tally,
            None => {
                self.roll_back()?;
                self.begin(group)?;
                let tally = self.run_each_apart(group)?;
                self.finish(&tally)?;
                tally
            }
        };
        self.session.commit()?;
        self.marking.committed();
        Ok(tally)
    }

    /// Begins a transaction, then reads what other processes wrote before.
    fn begin(&mut self, group: &[Box<dyn Job>]) -> Result<()> {
        let mut keys = group.iter().filter_map(|job| job.key());
        self.session.begin(group.len(), &mut keys)?;
        self.fence.forget();
        self.published.polls.fetch_add(1, Ordering::Relaxed);
        self.others_wrote |= self.session.others_committed()?;
        self.refresh_directory()
    }

    /// Writes the counts, and waits for all that was written.
    fn finish(&mut self, tally: &Tally) -> Result<()> {
        tally.flush(self.session.conn(), self.session.node())?;
        self.session.finish()
    }

    /// Runs every job; `None` when one failed after it had written, so that the group must be rolled back.
    fn run_all(&mut self, group: &mut [Box<dyn Job>]) -> Result<Option<Tally>> {
        let mut tally = Tally::default();
        for job in group {
            let written = self.session.changes();
            match self.run_one(job.as_mut())? {
                Some(done) => self.merge(&mut tally, done)?,
                None if self.session.changes() == written => {}
                None => return Ok(None),
            }
        }
        match self.finish(&tally) {
            // Another try would find the same.
            Err(error) if error.is_unavailable() => Err(error),
            finished => Ok(self.is_done(&finished)?.then_some(tally)),
        }
    }

    /// Runs every job in its own savepoint, so that a failed job is rolled back alone.
    ///
    /// # Errors
    /// When no job could be done, and not for what it is about: the database cannot be written.
    fn run_each_apart(&mut self, group: &mut [Box<dyn Job>]) -> Result<Tally> {
        let mut tally = Tally::default();
        let mut any_done = false;
        self.unavailable = None;
        for job in group {
            let was_marked = self.marking.is_drawn();
            self.session.begin_job()?;
            let mut done = self.run_one(job.as_mut())?;
            if done.is_some() {
                let settled = self.session.wait_for_all();
                done = done.filter(|_| settled.is_ok());
                self.is_done(&settled)?;
                if let Err(error) = settled {
                    job.fail(error);
                }
            }
            if done.is_none() {
                self.marking.undo_to(was_marked);
                self.fence.forget();
            }
            self.session.end_job(done.is_none())?;
            if let Some(done) = done {
                any_done = true;
                self.merge(&mut tally, done)?;
            }
        }
        match self.unavailable.take() {
            Some(error) if !any_done => Err(error),
            _ => Ok(tally),
        }
    }

    /// Runs one job; `None` when it failed.
    ///
    /// # Errors
    /// When the whole group failed with it.
    fn run_one(&mut self, job: &mut dyn Job) -> Result<Option<Tally>> {
        let (conn, keys) = self.session.conn_and_keys();
        let mut tx = Tx {
            conn,
            directory: self.directory.clone(),
            keys,
            tally: Tally::default(),
            marking: &mut self.marking,
            fence: &mut self.fence,
        };
        let ran = job.run(&mut tx);
        let done = tx.tally;
        Ok(self.is_done(&ran)?.then_some(done))
    }

    /// Whether something was done; false when it failed alone.
    ///
    /// # Errors
    /// When the whole group failed with it.
    fn is_done(&mut self, done: &Result<()>) -> Result<bool> {
        if let Err(error) = done {
            self.published.note_error(error);
        }
        if let Some(why) = self.session.lost() {
            return Err(group_lost(why));
        }
        match done {
            Ok(()) => Ok(true),
            Err(error) if error.is_conflict() => Err(error.clone()),
            Err(error) => {
                if matches!(error, Error::Database { .. }) && error.may_pass() {
                    self.unavailable = Some(error.clone());
                }
                Ok(false)
            }
        }
    }

    /// Adds a job's counts to the group's. The jobs after it see the sources and endpoints that it changed.
    fn merge(&mut self, tally: &mut Tally, done: Tally) -> Result<()> {
        if done.is_configured() {
            self.refresh_directory()?;
        }
        tally.merge(done);
        Ok(())
    }

    /// Loads the directory again if the database has a newer one.
    fn refresh_directory(&mut self) -> Result<()> {
        if let Some(newer) = directory::newer(self.session.conn(), &self.directory)? {
            self.directory = Arc::new(newer);
        }
        Ok(())
    }

    /// Checks for commits of other processes (the command line beside a running service, say) while there
    /// is no job.
    fn poll_other_writers(&mut self) {
        self.published.polls.fetch_add(1, Ordering::Relaxed);
        self.quiet_polls = self.quiet_polls.saturating_add(1);
        self.check_place();
        self.session.check_room();
        self.polls = self.polls.saturating_add(1);
        if self.polls == POLLS_TO_HOPE && self.session.node().is_some() {
            self.published.trouble.set(Kind::CannotWrite, None);
        }
        let looked = self.session.poll_others().and_then(|others| {
            self.others_wrote |= others;
            match self.others_wrote {
                true => self.refresh_directory(),
                false => Ok(()),
            }
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

/// The error for jobs that were rolled back because another job of their group failed.
fn group_lost(why: &'static str) -> Error {
    Error::Database {
        doing: "write to the database",
        fault: DatabaseFault::Unavailable,
        cause: Arc::from(Box::<dyn std::error::Error + Send + Sync>::from(why)),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use crate::error::Error;
    use crate::model::event::NewEvent;
    use crate::store::engine::job::Outline;
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
        let store = Store::open(folder.path().join("h.db"), Missing::Create).unwrap();
        // A whole group collects while the writer is blocked.
        let (entered, wait_for_entry) = channel();
        let (release, held) = channel::<()>();
        store.submit(
            Outline::default(),
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
            Outline::default(),
            |tx| {
                tx.conn
                    .run("update hookbox_meta set box = 'ffffffffff'", &[])?;
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
