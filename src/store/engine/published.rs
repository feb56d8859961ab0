//! The state that the writer shares with all other threads: the directory of the last commit, the listeners
//! to wake, and what is wrong.

#[cfg(feature = "postgres")]
use std::sync::atomic::AtomicI64;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};

use super::directory::Directory;
use super::in_progress::WorkLog;
use super::lanes::Lanes;
use super::measures::Measures;
use super::sqlite::disk_space::DiskSpace;
use super::sqlite::lock::Watched;
use super::trouble::{Kind, Trouble};
use crate::error::Error;
use crate::model::id::EndpointId;

/// A callback: called after a commit with the endpoints that have something new to send.
pub(crate) type Listener = Box<dyn Fn(&Woken) + Send + Sync>;

/// A listener, with the number that identifies it.
pub(crate) type Numbered = (u64, Listener);

/// A registered listener; dropping this ends the registration.
#[must_use = "nobody is told any more once it is dropped"]
pub struct Listening {
    pub(crate) published: Arc<Published>,
    pub(crate) number: u64,
}

impl Drop for Listening {
    fn drop(&mut self) {
        let mut listeners = self.published.listeners.write().expect(NO_PANIC);
        listeners.retain(|(number, _)| *number != self.number);
    }
}

/// Why no lock in this file is ever poisoned.
pub(crate) const NO_PANIC: &str = "nobody panics with it";

/// Whose deliveries may be due now.
#[derive(Debug, Clone, Copy)]
pub enum Woken<'a> {
    /// Those of these endpoints.
    Endpoints(&'a [EndpointId]),
    /// No delivery yet, but a bulk replay was started or changed.
    Replays,
    /// Those of any endpoint: another process wrote, or the configuration changed.
    All,
}

/// The state that the writer shares with all other threads.
pub(crate) struct Published {
    pub(crate) directory: RwLock<Arc<Directory>>,
    pub(crate) listeners: RwLock<Vec<Numbered>>,
    pub(crate) listeners_ever: AtomicU64,
    pub(crate) groups: GroupCounter,
    /// Whether an event was to be stored since the start: only then does the writer need the keys.
    pub(crate) keys_asked_for: AtomicBool,
    pub(crate) measures: Measures,
    pub(crate) trouble: Trouble,
    /// What is wrong with the configuration file that is followed; empty if nothing is.
    pub(crate) config_problem: Mutex<String>,
    /// How often the writer checked whether other processes wrote.
    pub(crate) polls: AtomicU64,
    /// Whether the writer is told when somebody else may have written.
    pub(crate) is_watched: AtomicBool,
    /// Whether this process serves the file and has drawn its mark.
    pub(crate) has_mark: AtomicBool,
    /// The lock for serving, while this process holds it.
    pub(crate) serving: Mutex<Watched>,
    /// The node that this process is; 0 where it does not serve, or serves a file.
    #[cfg(feature = "postgres")]
    pub(crate) node: AtomicI64,
    /// The lanes that this process works on.
    pub(crate) lanes: Lanes,
    /// Which item each thread works on now.
    pub(crate) work_log: Arc<WorkLog>,
    /// The limits of disk use, if they were set.
    pub(crate) room: Mutex<Option<DiskSpace>>,
}

impl Published {
    pub(crate) fn directory(&self) -> Arc<Directory> {
        self.directory
            .read()
            .expect("no holder of the directory panics")
            .clone()
    }

    /// Publishes a directory. It must be on disk already.
    pub(crate) fn publish(&self, directory: &Arc<Directory>) {
        let mut shown = self
            .directory
            .write()
            .expect("no holder of the directory panics");
        if Arc::ptr_eq(&shown, directory) {
            return;
        }
        *shown = directory.clone();
        drop(shown);
        self.notify(&Woken::All);
    }

    /// Records what an error of a commit, a read or a job says about the state of the file.
    pub(crate) fn note_error(&self, error: &Error) {
        if error.is_damage() {
            let why = format!(
                "the file is damaged: {}: nothing is taken in; look with `hookbox check`, then put a backup in its place with `hookbox restore FILE`, or save what can be read with `hookbox salvage NEW_FILE`",
                error.chain()
            );
            self.trouble.set(Kind::Damaged, Some(why));
        }
    }

    /// Whether this process serves the database.
    pub(crate) fn serves(&self) -> bool {
        #[cfg(feature = "postgres")]
        if self.node.load(Ordering::Relaxed) != 0 {
            return true;
        }
        self.serving.lock().expect(NO_PANIC).is_held()
    }

    pub(crate) fn ask_for_keys(&self) {
        self.keys_asked_for.store(true, Ordering::Relaxed);
    }

    pub(crate) fn are_keys_asked_for(&self) -> bool {
        self.keys_asked_for.load(Ordering::Relaxed)
    }

    pub(crate) fn wake(&self, endpoints: &[EndpointId]) {
        if !endpoints.is_empty() {
            self.notify(&Woken::Endpoints(endpoints));
        }
    }

    pub(crate) fn notify(&self, woken: &Woken<'_>) {
        for (_, listener) in self.listeners.read().expect(NO_PANIC).iter() {
            listener(woken);
        }
    }
}

/// Counts of commits and jobs since the store was opened.
#[derive(Debug, Default)]
pub(crate) struct GroupCounter {
    commits: AtomicU64,
    jobs: AtomicU64,
    largest: AtomicU64,
}

/// How many commits there were, of how many jobs, and the most jobs in one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupStats {
    /// Successful commits.
    pub commits: u64,
    /// Jobs in them.
    pub jobs: u64,
    /// The most jobs in one commit.
    pub largest: u64,
}

impl GroupCounter {
    pub(crate) fn count(&self, jobs: usize) {
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
