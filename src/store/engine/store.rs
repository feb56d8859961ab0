//! The handle to an open store: sends jobs to the writer, and reads with its own connections.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel, sync_channel};
use std::sync::{Arc, Mutex, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

#[cfg(feature = "page")]
use hmac::{Hmac, KeyInit, Mac};
#[cfg(feature = "page")]
use sha2::Sha256;

use super::conn::Conn;
use super::directory::{self, Directory};
use super::idempotent_requests::{self, IdempotentRequest};
use super::job::{Message, Outline, Task, Tx};
use super::lanes::Lanes;
#[cfg(feature = "postgres")]
use super::location::ServerUrl;
use super::location::{Location, Missing};
use super::marks::{self, IsServed, Marking};
use super::measures::Measures;
#[cfg(feature = "postgres")]
use super::postgres::open::Server;
#[cfg(feature = "postgres")]
use super::postgres::{node_file, nodes, session::PgSession};
use super::published::{GroupCounter, GroupStats, Listening, NO_PANIC, Published, Woken};
use super::readers::{OpenReader, Reader, Readers};
use super::session::Session;
use super::sqlite::disk_space::{DiskSpace, Limits};
use super::sqlite::lock::{self, ServeLock};
use super::sqlite::session::SqliteSession;
use super::sqlite::watch::Watch;
use super::sqlite::{open, place};
use super::trouble::{Kind, Trouble};
use super::writer::Writer;
use crate::error::{Error, Result};
use crate::model::id::{BoxId, EndpointId};
use crate::time::Clock;

/// A handle to an open store. Clones share one writer, which stops with the last clone, or with
/// [`Store::close`].
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
    /// The request with an idempotency key that this handle writes for.
    once: Option<Arc<IdempotentRequest>>,
}

struct Inner {
    location: Location,
    /// Which file the store opened: device and inode.
    identity: Option<(u64, u64)>,
    box_id: BoxId,
    jobs: Sender<Message>,
    writer: Mutex<Option<JoinHandle<()>>>,
    readers: Readers,
    published: Arc<Published>,
}

impl Store {
    /// Opens a store, and creates what `missing` allows.
    ///
    /// Blocks for a few milliseconds: it starts the writer's thread.
    ///
    /// # Errors
    /// [`Error::NoDatabase`], [`Error::BadPlace`], [`Error::ForeignDatabase`], [`Error::NewerSchema`]
    /// depending on what is there; [`Error::Io`] and [`Error::Database`] when it cannot be opened or
    /// created.
    ///
    /// ```
    /// use hookbox::store::{Missing, Store};
    /// let folder = tempfile::tempdir()?;
    /// let store = Store::open(folder.path().join("hookbox.db"), Missing::Create)?;
    /// assert_eq!(store.stats()?.events, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn open(location: impl Into<Location>, missing: Missing) -> Result<Store> {
        let opened = match location.into() {
            Location::File(path) => open_file(&path, missing)?,
            #[cfg(feature = "postgres")]
            Location::Server(url) => open_server(url, missing)?,
        };
        let Opened {
            location,
            box_id,
            session,
            published,
            is_served,
            open_reader,
        } = opened;
        let marking = Marking::new(is_served, published.clone(), box_id.clone());
        let writer = Writer::new(session, published.clone(), marking);
        let (jobs, messages) = channel();
        let thread = std::thread::Builder::new()
            .name("writer".to_owned())
            .spawn(move || writer.run(&messages))
            .map_err(|error| Error::io("start the writer's thread", error))?;
        let file = location.file();
        Ok(Store {
            inner: Arc::new(Inner {
                readers: Readers::new(open_reader),
                identity: file.and_then(place::identity),
                location,
                box_id,
                jobs,
                writer: Mutex::new(Some(thread)),
                published,
            }),
            once: None,
        })
    }

    /// The state that the writer shares.
    pub(crate) fn published(&self) -> &Published {
        &self.inner.published
    }

    /// Where the database is; a file by its real path.
    pub fn location(&self) -> &Location {
        &self.inner.location
    }

    /// A handle whose writes belong to one request: its first write also records that the request was done.
    #[doc(hidden)]
    pub fn once(&self, once: IdempotentRequest) -> Store {
        Store {
            inner: self.inner.clone(),
            once: Some(Arc::new(once)),
        }
    }

    /// The box: the part of every outer id that identifies this file.
    pub fn box_id(&self) -> &BoxId {
        &self.inner.box_id
    }

    /// The sources and endpoints as last seen: at most 50 milliseconds old.
    #[doc(hidden)]
    pub fn directory(&self) -> Arc<Directory> {
        self.inner.published.directory()
    }

    /// How often the writer checked for changes. If the number stays the same for a while, the writer is
    /// blocked.
    pub(crate) fn polls(&self) -> u64 {
        self.inner.published.polls.load(Ordering::Relaxed)
    }

    /// The sources and endpoints as they are in the file now.
    ///
    /// # Errors
    /// [`Error::Database`] when the file cannot be read.
    #[doc(hidden)]
    pub fn fresh_directory(&self) -> Result<Arc<Directory>> {
        let held = self.directory();
        self.read(|conn| Ok(directory::newer(conn, &held)?.map_or(held.clone(), Arc::new)))
    }

    /// Derives a secret of this file for one purpose. It is the same each time, and only a process that can
    /// read the file can know it.
    ///
    /// # Errors
    /// [`Error::Database`] when the file cannot be read.
    #[cfg(feature = "page")]
    pub(crate) fn derived_secret(&self, purpose: &str) -> Result<[u8; 32]> {
        let seed: Vec<u8> = self.read(|conn| {
            conn.one(
                "select key_seed from hookbox_meta where id = 1",
                &[],
                |row| row.get(0),
            )
        })?;
        let mut hmac = <Hmac<Sha256> as KeyInit>::new_from_slice(&seed)
            .expect("HMAC takes keys of any length");
        hmac.update(purpose.as_bytes());
        Ok(hmac.finalize().into_bytes().into())
    }

    /// Lets this process run the scheduler, until the returned value is dropped: on a file alone, on a
    /// server as one of its nodes, whose leases [`Serving::keep_leases`] renews.
    ///
    /// # Errors
    /// [`Error::AlreadyServing`] when another process serves the file.
    #[cfg_attr(
        not(feature = "postgres"),
        allow(unused_variables, reason = "leases need it")
    )]
    #[doc(hidden)]
    pub fn begin_serving(&self, clock: &Arc<dyn Clock>) -> Result<Serving> {
        let serving = match &self.inner.location {
            Location::File(path) => {
                let lock = ServeLock::take(path)?;
                *self.inner.published.serving.lock().expect(NO_PANIC) = lock.watched();
                self.watch_hands(lock.watched(), lock.left());
                Serving(Hold::File(self.watch(path), lock))
            }
            #[cfg(feature = "postgres")]
            Location::Server(url) => {
                let server = Server::new(url)?;
                let file = node_file::take(&self.inner.box_id);
                if let Some(file) = &file {
                    self.watch_hands(file.watched(), file.left());
                }
                let node = nodes::Node::join(server, &self.inner.published, clock.clone())?;
                Serving(Hold::Node(Box::new(node), file))
            }
        };
        // The mark is drawn now, so that other processes that write find it. A full disk must not keep the
        // service from starting: in that case the mark is drawn with the first row.
        if let Err(error) = self.write(|tx| tx.mark()) {
            tracing::warn!(error = error.chain(), "cannot draw a mark for new ids yet");
        }
        self.read(|conn| marks::refresh(conn, &self.inner.box_id))?;
        Ok(serving)
    }

    /// Has the writer told when somebody writes to the file; without that it looks more often.
    fn watch(&self, path: &Path) -> Option<Watch> {
        #[cfg(not(target_os = "linux"))]
        return None;
        #[cfg(target_os = "linux")]
        {
            let jobs = self.inner.jobs.clone();
            let look = move || {
                let _ = jobs.send(Message::Look);
            };
            Watch::start(path, &self.inner.published, look)
                .inspect_err(|error| tracing::debug!(error = error.chain(), "not watched"))
                .ok()
        }
    }

    /// Whether rows are committed in the order of their ids: on a file, which has one writer at a time. See
    /// docs/decisions/0008-order-of-ids.md.
    pub(crate) fn ids_are_in_order(&self) -> bool {
        self.inner.location.file().is_some()
    }

    /// Whether this process may send to an endpoint now: it may unless another node works on its lane.
    pub(crate) fn may_send(&self, endpoint: EndpointId, elapsed: Duration) -> bool {
        self.inner.published.lanes.may_send(endpoint, elapsed)
    }

    /// The number of the lease of an endpoint's lane; `None` where no lease is needed, or there is none.
    pub(crate) fn lease(&self, endpoint: EndpointId) -> Option<i64> {
        self.inner.published.lanes.token(endpoint).ok().flatten()
    }

    /// Whether this process does what one of all nodes is enough for.
    pub(crate) fn is_first_node(&self) -> bool {
        self.inner.published.lanes.is_first()
    }

    /// Says which lanes the scheduler holds: another node may have the others.
    pub(crate) fn rest_lanes_but(&self, is_held: impl Fn(EndpointId) -> bool) {
        self.inner.published.lanes.rest_but(is_held);
    }

    /// Accepts events only as long as these limits leave space, from now on. Events that are stored already
    /// are sent and recorded anyway. The disk of a server is not watched.
    ///
    /// # Errors
    /// [`Error::Database`] when the file cannot be read; [`Error::Misuse`] for a maximum size on a server.
    #[doc(hidden)]
    pub fn limit(&self, limits: Limits) -> Result<()> {
        let Some(path) = self.inner.location.file() else {
            return match limits.size_max {
                None if limits.keep_free == Limits::default().keep_free => Ok(()),
                None => Err(Error::misuse(
                    "--keep-free is for a file; the disk of a server is watched there",
                )),
                Some(_) => Err(Error::misuse(
                    "--max-size is for a file; on a server keep rows by age: --keep-delivered, --keep-dead",
                )),
            };
        };
        let room = DiskSpace::new(path, limits);
        let why = self.read(|conn| Ok(room.why_not(conn, false)))?;
        let published = &self.inner.published;
        published.trouble.set(Kind::NoRoom, why);
        *published.room.lock().expect(NO_PANIC) = Some(room);
        Ok(())
    }

    /// Whether a process serves this database right now.
    ///
    /// # Errors
    /// [`Error::Database`] when the server cannot be asked.
    pub fn is_served(&self) -> Result<bool> {
        match &self.inner.location {
            Location::File(path) => Ok(lock::is_served(path)),
            #[cfg(feature = "postgres")]
            Location::Server(_) => self.read(|conn| nodes::has_other(conn, 0)),
        }
    }

    /// The process that serves this file right now; on a server there may be several, elsewhere.
    #[cfg(feature = "cli")]
    pub(crate) fn serving_process(&self) -> Option<u32> {
        self.inner.location.file().and_then(lock::serving_process)
    }

    /// The names of nodes that say nothing any more and did not stop; a file has none.
    ///
    /// # Errors
    /// [`Error::Database`] when the server cannot be asked.
    #[cfg(feature = "cli")]
    pub(crate) fn silent_nodes(&self) -> Result<Vec<String>> {
        match &self.inner.location {
            Location::File(_) => Ok(Vec::new()),
            #[cfg(feature = "postgres")]
            Location::Server(_) => self.read(nodes::silent),
        }
    }

    /// Calls `listener` after each commit that gave endpoints something to send, until the returned value
    /// is dropped. The listener must return at once: it runs on the writer's thread.
    #[doc(hidden)]
    pub fn on_wake(&self, listener: impl Fn(&Woken) + Send + Sync + 'static) -> Listening {
        let published = self.inner.published.clone();
        let number = published.listeners_ever.fetch_add(1, Ordering::Relaxed);
        let listener = Box::new(listener);
        let mut listeners = published.listeners.write().expect(NO_PANIC);
        listeners.push((number, listener));
        drop(listeners);
        Listening { published, number }
    }

    /// How the writer has grouped jobs so far.
    #[doc(hidden)]
    pub fn group_stats(&self) -> GroupStats {
        self.inner.published.groups.read()
    }

    /// Why no event is accepted, or nothing can be written now: the disk is full, say, or the file is gone.
    /// `None` while all is well.
    #[doc(hidden)]
    pub fn trouble(&self) -> Option<String> {
        self.inner.published.trouble.why()
    }

    /// What is wrong with the configuration file that this process follows, if something is.
    #[doc(hidden)]
    pub fn config_problem(&self) -> Option<String> {
        let problem = self.inner.published.config_problem.lock();
        let problem = problem.expect("nobody panics with the words locked");
        Some(problem.clone()).filter(|problem| !problem.is_empty())
    }

    /// Notes what is wrong with the configuration file; nothing if the text is empty.
    #[cfg(feature = "cli")]
    pub(crate) fn note_config_problem(&self, problem: &str) {
        let mut held = self
            .inner
            .published
            .config_problem
            .lock()
            .expect("nobody panics with the words locked");
        problem.clone_into(&mut held);
    }

    /// Waits until everything that was submitted before is on disk. Background jobs are committed without
    /// the short wait for more jobs.
    ///
    /// # Errors
    /// [`Error::Database`] when the disk does not accept it.
    pub(crate) fn sync(&self) -> Result<()> {
        self.write(|_| Ok(()))
    }

    /// Stops the writer after it has committed everything that was submitted, and blocks until then. Later
    /// writes fail with [`Error::Stopped`].
    #[doc(hidden)]
    pub fn close(&self) {
        self.inner.close();
    }

    /// Submits a job to the writer and returns at once; `answer` is called after the commit, on the
    /// writer's thread, and must return at once.
    ///
    /// The queue itself is not bounded: each caller waits for its answer before it submits more, and the
    /// number of callers is bounded (connections, workers, threads).
    pub(crate) fn submit<T: Send + 'static>(
        &self,
        outline: Outline,
        operation: impl Fn(&mut Tx<'_>) -> Result<T> + Send + 'static,
        answer: impl FnOnce(Result<T>) + Send + 'static,
    ) {
        let job = Box::new(Task {
            operation,
            result: None,
            answer,
            outline,
        });
        if let Err(unsent) = self.inner.jobs.send(Message::Job(job))
            && let Message::Job(job) = unsent.0
        {
            job.answer(Some(&Error::Stopped));
        }
    }

    /// Has the writer look now whether other processes wrote.
    pub(crate) fn look(&self) {
        let _ = self.inner.jobs.send(Message::Look);
    }

    /// Submits a job to the writer and waits until it is committed.
    pub(crate) fn write<T: Send + 'static>(
        &self,
        operation: impl Fn(&mut Tx<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (sender, receiver) = sync_channel(1);
        let once = self.once.clone();
        let operation = move |tx: &mut Tx<'_>| {
            let done = operation(tx)?;
            if let Some(once) = &once {
                idempotent_requests::mark(tx, once)?;
            }
            Ok(done)
        };
        let urgent = Outline {
            is_urgent: true,
            ..Outline::default()
        };
        self.submit(urgent, operation, move |result| {
            // The caller waits just below, so the receiver exists.
            let _ = sender.send(result);
        });
        receiver.recv().unwrap_or(Err(Error::Stopped))
    }

    /// Runs a query on a connection of the pool.
    pub(crate) fn read<T>(&self, query: impl FnOnce(Conn<'_>) -> Result<T>) -> Result<T> {
        let (mut query, mut found) = (Some(query), None);
        self.read_with(&mut |conn| {
            found = query.take().map(|query| query(conn)).transpose()?;
            Ok(())
        })?;
        found.ok_or_else(|| Error::unexpected("a read gave nothing"))
    }

    /// As [`Store::read`]. Not generic: it would be compiled once for each of a hundred queries.
    fn read_with(&self, query: &mut dyn FnMut(Conn<'_>) -> Result<()>) -> Result<()> {
        let read = self.inner.readers.with(|conn| {
            query(conn)?;
            // The rows read may have ids with a mark that another process drew, so the marks are read
            // again. This is not needed if this process serves the file and has drawn its own mark.
            let published = &self.inner.published;
            if !(published.has_mark.load(Ordering::Acquire) && published.serves()) {
                marks::refresh(conn, &self.inner.box_id)?;
            }
            Ok(())
        });
        // A new connection opens the file that is at the path now; its error says nothing about the file
        // that was opened.
        if let Err(error) = &read
            && (self.inner.location.file()).and_then(place::identity) == self.inner.identity
        {
            self.inner.published.note_error(error);
        }
        read
    }
}

/// Holds the right to run the scheduler; see [`Store::begin_serving`].
#[must_use = "another process may serve once it is dropped"]
#[derive(Debug)]
pub struct Serving(Hold);

#[derive(Debug)]
enum Hold {
    File(
        #[expect(dead_code, reason = "held until it is dropped")] Option<Watch>,
        #[expect(dead_code, reason = "held until it is dropped")] ServeLock,
    ),
    #[cfg(feature = "postgres")]
    Node(Box<nodes::Node>, Option<ServeLock>),
    #[cfg(feature = "postgres")]
    Kept(
        #[expect(dead_code, reason = "held until it is dropped")] nodes::KeptNode,
        #[expect(dead_code, reason = "held until it is dropped")] Option<ServeLock>,
    ),
}

impl Serving {
    /// Renews this node's leases from now on, on a thread of its own. A file has none.
    ///
    /// # Errors
    /// [`Error::Io`] when the thread cannot be started.
    pub fn keep_leases(self) -> Result<Serving> {
        match self.0 {
            #[cfg(feature = "postgres")]
            Hold::Node(node, file) => Ok(Serving(Hold::Kept(node.keep()?, file))),
            hold => Ok(Serving(hold)),
        }
    }

    /// Renews this node's leases once, takes free lanes and hands over others, for a caller that moves time
    /// itself.
    ///
    /// # Errors
    /// [`Error::Database`] when the server cannot be reached.
    pub fn renew_leases(&mut self) -> Result<()> {
        match &mut self.0 {
            #[cfg(feature = "postgres")]
            Hold::Node(node, _) => node.round(),
            _ => Ok(()),
        }
    }
}

/// What an engine gives to a store that opens.
struct Opened {
    location: Location,
    box_id: BoxId,
    session: Box<dyn Session>,
    published: Arc<Published>,
    is_served: IsServed,
    open_reader: OpenReader,
}

fn open_file(path: &Path, missing: Missing) -> Result<Opened> {
    let (path, box_id) = open::prepare(path, missing)?;
    let connection = open::connect_writable(&path)?;
    let published = publish(Conn::sqlite(&connection), &box_id)?;
    let session = SqliteSession::new(connection, published.clone(), &path)?;
    let (served, shared) = (path.clone(), published.clone());
    let read = path.clone();
    Ok(Opened {
        location: Location::File(path),
        box_id,
        session: Box::new(session),
        published,
        is_served: Box::new(move |_| Ok(!shared.serves() && lock::is_this_served(&served))),
        open_reader: Box::new(move || open::connect_read_only(&read).map(Reader::Sqlite)),
    })
}

#[cfg(feature = "postgres")]
fn open_server(url: ServerUrl, missing: Missing) -> Result<Opened> {
    let server = Server::new(&url)?;
    let box_id = server.prepare(missing)?;
    let connection = server.connect_writable()?;
    let published = publish(Conn::postgres(&connection), &box_id)?;
    let session = PgSession::new(connection, server.clone(), published.clone())?;
    let shared = published.clone();
    Ok(Opened {
        location: Location::Server(url),
        box_id,
        session: Box::new(session),
        published,
        is_served: Box::new(move |conn| {
            nodes::has_other(conn, shared.node.load(Ordering::Relaxed))
        }),
        open_reader: Box::new(move || {
            let connection = server.connect_read_only()?;
            Ok(Reader::Postgres(Box::new(connection)))
        }),
    })
}

/// The state that all threads share, as it is at the beginning.
fn publish(conn: Conn<'_>, box_id: &BoxId) -> Result<Arc<Published>> {
    marks::refresh(conn, box_id)?;
    Ok(Arc::new(Published {
        directory: RwLock::new(Arc::new(directory::load(conn)?)),
        listeners: RwLock::new(Vec::new()),
        listeners_ever: AtomicU64::new(0),
        groups: GroupCounter::default(),
        keys_asked_for: AtomicBool::new(false),
        measures: Measures::new(),
        trouble: Trouble::default(),
        config_problem: Mutex::default(),
        has_mark: AtomicBool::new(false),
        polls: AtomicU64::new(0),
        is_watched: AtomicBool::new(false),
        #[cfg(feature = "postgres")]
        node: std::sync::atomic::AtomicI64::new(0),
        lanes: Lanes::default(),
        serving: Mutex::default(),
        work_log: Arc::default(),
        room: Mutex::default(),
    }))
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("location", &self.inner.location)
            .finish_non_exhaustive()
    }
}

impl Inner {
    fn close(&self) {
        let thread = self.writer.lock().expect("no closer panics").take();
        if let Some(thread) = thread {
            // The last connection that closes does the checkpoint, and a read-only connection cannot: so
            // the readers are closed first.
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
