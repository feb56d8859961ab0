//! The store: one SQLite file, and every SQL statement of the program.
//!
//! One writer thread owns the only write connection of the process and commits in groups; readers
//! have read-only connections of their own. Nothing here reads a clock or speaks to a network, and no
//! transaction outlives a call.
//!
//! How to read it: `open` makes and checks the file, of the tables in `schema`, in a `place` that will do and
//! with `room` left; `trouble` is what is wrong with it now; `writer` commits, `enqueue` takes events in, `outbox`
//! those that other programs put in by SQL, `route` says who wants them, `due` finds what to send, `record` writes what came of it, `pace`,
//! `expire` and `shift` what the scheduler knows of rates, ages and clocks; `replay` and `setup` are
//! what people ask for, `query`, `follow` and `report` are what they look at;
//! `prune` and `retain` remove what is old, `backup`, `restore`, `check`, `salvage`, `compact` and `doctor` are
//! for whoever looks after the file.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel, sync_channel};
use std::sync::{Arc, Mutex, RwLock};
use std::thread::JoinHandle;

use hmac::{Hmac, KeyInit, Mac};
use rusqlite::Connection;
use sha2::Sha256;

use crate::error::{Error, Result};
use crate::model::id::{BoxId, EndpointId};

mod answers;
mod attempts_log;
mod backup;
mod body;
mod changes;
mod check;
mod columns;
mod compact;
mod directory;
mod doctor;
mod draft;
mod due;
mod enqueue;
mod expire;
mod follow;
mod gather;
mod halves;
mod in_hand;
mod job;
mod keys;
mod lock;
mod marks;
mod measures;
mod open;
mod outbox;
mod pace;
mod permission;
mod place;
#[cfg(test)]
mod plan;
mod prune;
mod query;
mod readers;
mod record;
mod refusal;
mod refusing;
mod replay;
mod report;
mod restore;
mod retain;
mod room;
mod route;
mod salvage;
mod schema;
mod search;
mod setup;
mod shift;
mod trouble;
mod writer;

pub use answers::{KeptAnswer, Once};
pub use backup::Copied;
pub use check::{Depth, Fault, check};
pub use compact::Compacted;
pub use directory::Directory;
pub use doctor::{Health, OpenTo};
pub use due::{DueDelivery, SendableEvent};
pub use enqueue::REPEAT_QUIET;
pub(crate) use expire::{Expired, FIRST_PLAUSIBLE};
pub use follow::{FollowFilter, Follower, Happening, News};
pub(crate) use in_hand::{Hands, Piece};
pub use lock::ServeLock;
pub use measures::{AttemptLabels, Measures, OutcomeLabel};
pub use open::Missing;
pub use outbox::{Taken, enqueue};
pub use pace::RecentPace;
pub use prune::{Before, Pruned};
pub use query::{DeliveryFilter, EventFilter, OutageFilter, OutageRecord, PAGE_DEFAULT, PAGE_MAX};
pub use record::{Refusing, Report};
pub use refusal::SourceRefusals;
pub use replay::{
    Preview, PreviewOfEndpoint, REPLAY_BATCH, REPLAY_PENDING_MAX, ReplayOptions, Step, Stopped,
};
pub use report::Sizes;
pub use restore::{Restored, restore};
pub use retain::Retention;
pub use room::{KEEP_FREE, Limits};
pub use route::Match;
pub use salvage::{Salvaged, SalvagedTable, salvage};
pub use search::Found;
pub(crate) use shift::Shift;
pub(crate) use writer::DIRECTORY_AGE_MAX;
pub use writer::GroupStats;

use directory::load as load_directory;
use job::{Message, Task, Tx};
use lock::Watched;
use readers::Readers;
use room::Room;
use trouble::{Kind, Trouble};
use writer::{GroupCounter, Writer};

/// A handle to an open store. Clones share one writer; it stops with the last of them, or with
/// [`Store::close`].
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
    /// The request that this handle's writes are done for.
    once: Option<Arc<Once>>,
}

struct Inner {
    path: PathBuf,
    /// Which file that was.
    identity: Option<(u64, u64)>,
    box_id: BoxId,
    jobs: Sender<Message>,
    writer: Mutex<Option<JoinHandle<()>>>,
    readers: Readers,
    published: Arc<Published>,
}

/// Called after a commit with the endpoints that have something new to send.
type Listener = Box<dyn Fn(&Woken) + Send + Sync>;

/// A listener, with the number by which it is found again.
type Numbered = (u64, Listener);

/// Somebody who is told of commits, as long as this is held.
#[must_use = "nobody is told any more once it is dropped"]
pub struct Listening {
    published: Arc<Published>,
    number: u64,
}

impl Drop for Listening {
    fn drop(&mut self) {
        let mut listeners = self.published.listeners.write().expect(NO_PANIC);
        listeners.retain(|(number, _)| *number != self.number);
    }
}

/// Why no lock here is ever poisoned.
const NO_PANIC: &str = "nobody panics with it";

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
struct Published {
    directory: RwLock<Arc<Directory>>,
    listeners: RwLock<Vec<Numbered>>,
    listeners_ever: AtomicU64,
    groups: GroupCounter,
    /// Whether anybody asked to take an event in: only then does the writer need the keys.
    keys_asked_for: AtomicBool,
    measures: Measures,
    trouble: Trouble,
    /// How often the writer looked whether others wrote.
    looks: AtomicU64,
    /// Whether this process serves and has drawn its mark.
    has_mark: AtomicBool,
    /// The lock for serving, while this process has it.
    serving: Mutex<Watched>,
    /// What is being worked on.
    hands: Arc<Hands>,
    /// How much of the disk may be used, where that was said.
    room: Mutex<Option<Room>>,
}

impl Published {
    fn directory(&self) -> Arc<Directory> {
        self.directory
            .read()
            .expect("no holder of the directory panics")
            .clone()
    }

    /// Shows a directory to everybody, once what it says is on disk.
    fn publish(&self, directory: &Arc<Directory>) {
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
    fn noticed(&self, error: &Error) {
        if error.is_damage() {
            let why = format!(
                "the file is damaged: {}: nothing is taken in; look with `hookbox check`, then put a backup in its place with `hookbox restore FILE`, or save what can be read with `hookbox salvage NEW_FILE`",
                error.chain()
            );
            self.trouble.set(Kind::Damaged, Some(why));
        }
    }

    /// Whether it is this process that serves the file.
    fn serves(&self) -> bool {
        self.serving.lock().expect(NO_PANIC).is_held()
    }

    fn ask_for_keys(&self) {
        self.keys_asked_for.store(true, Ordering::Relaxed);
    }

    fn are_keys_asked_for(&self) -> bool {
        self.keys_asked_for.load(Ordering::Relaxed)
    }

    fn wake(&self, endpoints: &[EndpointId]) {
        if !endpoints.is_empty() {
            self.tell(&Woken::Endpoints(endpoints));
        }
    }

    fn tell(&self, woken: &Woken<'_>) {
        for (_, listener) in self.listeners.read().expect(NO_PANIC).iter() {
            listener(woken);
        }
    }
}

impl Store {
    /// Opens a store, making what `missing` allows.
    ///
    /// Blocks for a few milliseconds: it starts the writer's thread.
    ///
    /// # Errors
    /// [`Error::NoDatabase`], [`Error::NotSqlite`], [`Error::ForeignDatabase`],
    /// [`Error::NewerSchema`] for what the file is; [`Error::Io`] and [`Error::Sqlite`] when it
    /// cannot be opened or made.
    ///
    /// ```
    /// use hookbox::store::{Missing, Store};
    /// let folder = tempfile::tempdir()?;
    /// let store = Store::open(&folder.path().join("hookbox.db"), Missing::Create)?;
    /// assert_eq!(store.stats()?.events, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn open(path: &Path, missing: Missing) -> Result<Store> {
        let (path, box_id) = open::prepare(path, missing)?;
        let connection = open::connect_writable(&path)?;
        marks::refresh(&connection, &box_id)?;
        let published = Arc::new(Published {
            directory: RwLock::new(Arc::new(load_directory(&connection)?)),
            listeners: RwLock::new(Vec::new()),
            listeners_ever: AtomicU64::new(0),
            groups: GroupCounter::default(),
            keys_asked_for: AtomicBool::new(false),
            measures: Measures::new(),
            trouble: Trouble::default(),
            has_mark: AtomicBool::new(false),
            looks: AtomicU64::new(0),
            serving: Mutex::default(),
            hands: Arc::default(),
            room: Mutex::default(),
        });
        let (jobs, messages) = channel();
        let writer = Writer::new(connection, published.clone(), &path, box_id.clone())?;
        let thread = std::thread::Builder::new()
            .name("writer".to_owned())
            .spawn(move || writer.run(&messages))
            .map_err(|error| Error::io("start the writer's thread", error))?;
        Ok(Store {
            inner: Arc::new(Inner {
                readers: Readers::new(path.clone()),
                identity: place::identity(&path),
                path,
                box_id,
                jobs,
                writer: Mutex::new(Some(thread)),
                published,
            }),
            once: None,
        })
    }

    /// The database file's real path.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// The box that is part of every outer id.
    pub fn box_id(&self) -> &BoxId {
        &self.inner.box_id
    }

    /// The sources and endpoints, as last seen: 50 milliseconds old at most.
    pub fn directory(&self) -> Arc<Directory> {
        self.inner.published.directory()
    }

    /// How often was looked whether they changed: the same number a while later says that the writer waits
    /// for something.
    pub(crate) fn looks(&self) -> u64 {
        self.inner.published.looks.load(Ordering::Relaxed)
    }

    /// The sources and endpoints, as the file has them now.
    ///
    /// # Errors
    /// [`Error::Sqlite`] when the file cannot be read.
    pub fn fresh_directory(&self) -> Result<Arc<Directory>> {
        let held = self.directory();
        self.read(|connection| {
            Ok(directory::newer(connection, &held)?.map_or(held.clone(), Arc::new))
        })
    }

    /// A secret of this file's for one purpose, the same each time: nobody who cannot read the file
    /// can know it.
    ///
    /// # Errors
    /// [`Error::Sqlite`] when the file cannot be read.
    pub(crate) fn derived_secret(&self, purpose: &str) -> Result<[u8; 32]> {
        let seed: Vec<u8> = self.read(|connection| {
            let seed = connection.query_row(
                "select key_seed from hookbox_meta where id = 1",
                [],
                |row| row.get(0),
            )?;
            Ok(seed)
        })?;
        let mut hmac = <Hmac<Sha256> as KeyInit>::new_from_slice(&seed)
            .expect("HMAC takes keys of any length");
        hmac.update(purpose.as_bytes());
        Ok(hmac.finalize().into_bytes().into())
    }

    /// Takes the right to run the scheduler on this file.
    ///
    /// # Errors
    /// [`Error::AlreadyServing`] when another process has it.
    pub fn lock_for_serving(&self) -> Result<ServeLock> {
        let lock = ServeLock::take(&self.inner.path)?;
        *self.inner.published.serving.lock().expect(NO_PANIC) = lock.watched();
        self.watch_hands(lock.watched(), lock.left());
        // So that whoever puts something in beside it finds one. A full disk must not keep the service
        // from starting: then it is drawn with the first row.
        if let Err(error) = self.write(|tx| tx.mark()) {
            tracing::warn!(error = error.chain(), "cannot draw a mark for new ids yet");
        }
        self.read(|connection| marks::refresh(connection, &self.inner.box_id))?;
        Ok(lock)
    }

    /// Takes events in only as long as there is this much room, from now on. What is there already is
    /// sent and recorded all the same.
    ///
    /// # Errors
    /// [`Error::Sqlite`] when the file cannot be read.
    pub fn limit(&self, limits: Limits) -> Result<()> {
        let room = Room::new(&self.inner.path, limits);
        let why = self.read(|connection| Ok(room.why_not(connection, false)))?;
        let published = &self.inner.published;
        published.trouble.set(Kind::NoRoom, why);
        *published.room.lock().expect(NO_PANIC) = Some(room);
        Ok(())
    }

    /// Whether some process serves this file right now.
    pub fn is_served(&self) -> bool {
        lock::is_served(&self.inner.path)
    }

    /// Calls `listener` after each commit that gave endpoints something to send, as long as what is
    /// returned is held. It must return at once: it runs on the writer's thread.
    pub fn on_wake(&self, listener: impl Fn(&Woken) + Send + Sync + 'static) -> Listening {
        let published = self.inner.published.clone();
        let number = published.listeners_ever.fetch_add(1, Ordering::Relaxed);
        let listener = Box::new(listener);
        let mut listeners = published.listeners.write().expect(NO_PANIC);
        listeners.push((number, listener));
        drop(listeners);
        Listening { published, number }
    }

    /// How the writer grouped its work so far.
    pub fn group_stats(&self) -> GroupStats {
        self.inner.published.groups.read()
    }

    /// Why nothing is taken in, or nothing can be written now: the disk is full, say, or the file is
    /// not there any more. `None` while all is well.
    pub fn trouble(&self) -> Option<String> {
        self.inner.published.trouble.why()
    }

    /// Waits until all that was handed in before is on disk, without the little time that what
    /// nobody waits for is given to gather.
    ///
    /// # Errors
    /// [`Error::Sqlite`] when the disk does not take it.
    pub(crate) fn sync(&self) -> Result<()> {
        self.write(|_| Ok(()))
    }

    /// Stops the writer after it has committed all that was handed in. Later writes fail with
    /// [`Error::Stopped`]. Blocks until then.
    pub fn close(&self) {
        self.inner.close();
    }

    /// Hands work to the writer and returns at once; `answer` is called after the commit, on the
    /// writer's thread, and must return at once.
    ///
    /// The queue has no bound of its own: each caller waits for its answer before it hands in
    /// more, and the callers are bounded (connections, workers, threads).
    fn submit<T: Send + 'static>(
        &self,
        bytes: usize,
        is_waited_for: bool,
        operation: impl Fn(&mut Tx<'_>) -> Result<T> + Send + 'static,
        answer: impl FnOnce(Result<T>) + Send + 'static,
    ) {
        let job = Box::new(Task {
            operation,
            result: None,
            answer,
            bytes,
            is_waited_for,
        });
        if let Err(unsent) = self.inner.jobs.send(Message::Job(job))
            && let Message::Job(job) = unsent.0
        {
            job.answer(Some(&Error::Stopped));
        }
    }

    /// Hands work to the writer and waits until it is committed.
    fn write<T: Send + 'static>(
        &self,
        operation: impl Fn(&mut Tx<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (sender, receiver) = sync_channel(1);
        let once = self.once.clone();
        let operation = move |tx: &mut Tx<'_>| {
            let done = operation(tx)?;
            if let Some(once) = &once {
                answers::mark(tx, once)?;
            }
            Ok(done)
        };
        self.submit(0, true, operation, move |result| {
            // The caller waits just below; it cannot be gone.
            let _ = sender.send(result);
        });
        receiver.recv().unwrap_or(Err(Error::Stopped))
    }

    /// Reads with a connection of the pool.
    fn read<T>(&self, query: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let read = self.inner.readers.with(|connection| {
            let found = query(connection)?;
            // What was read may have ids of a mark that another process drew; beside one that serves
            // and has drawn its own, none does.
            let published = &self.inner.published;
            if !(published.has_mark.load(Ordering::Acquire) && published.serves()) {
                marks::refresh(connection, &self.inner.box_id)?;
            }
            Ok(found)
        });
        // A new connection to what lies at the path now says nothing of the file that was opened.
        if let Err(error) = &read
            && place::identity(&self.inner.path) == self.inner.identity
        {
            self.inner.published.noticed(error);
        }
        read
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("path", &self.inner.path)
            .finish_non_exhaustive()
    }
}

impl Inner {
    fn close(&self) {
        let thread = self.writer.lock().expect("no closer panics").take();
        if let Some(thread) = thread {
            // The last connection to close moves the log into the database file, and a read-only
            // one cannot: so the readers go first.
            self.readers.close();
            let _ = self.jobs.send(Message::Stop);
            if thread.join().is_err() {
                tracing::error!("the writer's thread panicked");
            }
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}
