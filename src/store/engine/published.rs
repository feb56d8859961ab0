//! What the writer shares with everybody else: the directory as of the last commit, who is to be woken, and
//! what is wrong.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};

use super::directory::Directory;
use super::measures::Measures;
use super::sqlite::disk_space::DiskSpace;
use super::sqlite::in_progress::WorkLog;
use super::sqlite::lock::Watched;
use super::trouble::{Kind, Trouble};
use super::writer::GroupCounter;
use crate::error::Error;
use crate::model::id::EndpointId;

/// Called after a commit with the endpoints that have something new to send.
pub(crate) type Listener = Box<dyn Fn(&Woken) + Send + Sync>;

/// A listener, with the number by which it is found again.
pub(crate) type Numbered = (u64, Listener);

/// Somebody who is told of commits, as long as this is held.
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

/// Why no lock here is ever poisoned.
pub(crate) const NO_PANIC: &str = "nobody panics with it";

/// Whose deliveries may have become due.
#[derive(Debug, Clone, Copy)]
pub enum Woken<'a> {
    /// These endpoints'.
    Endpoints(&'a [EndpointId]),
    /// Nobody's yet, but a bulk replay was asked for or changed.
    Replays,
    /// Anybody's: another process wrote, or the configuration changed.
    All,
}

/// What the writer shares with everybody.
pub(crate) struct Published {
    pub(crate) directory: RwLock<Arc<Directory>>,
    pub(crate) listeners: RwLock<Vec<Numbered>>,
    pub(crate) listeners_ever: AtomicU64,
    pub(crate) groups: GroupCounter,
    /// Whether anybody asked to take an event in: only then does the writer need the keys.
    pub(crate) keys_asked_for: AtomicBool,
    pub(crate) measures: Measures,
    pub(crate) trouble: Trouble,
    /// How often the writer looked whether others wrote.
    pub(crate) looks: AtomicU64,
    /// Whether this process serves and has drawn its mark.
    pub(crate) has_mark: AtomicBool,
    /// The lock for serving, while this process has it.
    pub(crate) serving: Mutex<Watched>,
    /// What is being worked on.
    pub(crate) work_log: Arc<WorkLog>,
    /// How much of the disk may be used, where that was said.
    pub(crate) room: Mutex<Option<DiskSpace>>,
}

impl Published {
    pub(crate) fn directory(&self) -> Arc<Directory> {
        self.directory
            .read()
            .expect("no holder of the directory panics")
            .clone()
    }

    /// Shows a directory to everybody, once what it says is on disk.
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
        self.tell(&Woken::All);
    }

    /// Notes whether the last commit held, or what a read or a job came upon.
    pub(crate) fn noticed(&self, error: &Error) {
        if error.is_damage() {
            let why = format!(
                "the file is damaged: {}: nothing is taken in; look with `hookbox check`, then put a backup in its place with `hookbox restore FILE`, or save what can be read with `hookbox salvage NEW_FILE`",
                error.chain()
            );
            self.trouble.set(Kind::Damaged, Some(why));
        }
    }

    /// Whether it is this process that serves the file.
    pub(crate) fn serves(&self) -> bool {
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
            self.tell(&Woken::Endpoints(endpoints));
        }
    }

    pub(crate) fn tell(&self, woken: &Woken<'_>) {
        for (_, listener) in self.listeners.read().expect(NO_PANIC).iter() {
            listener(woken);
        }
    }
}
