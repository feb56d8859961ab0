//! hookbox inside another Rust program: the store, and its service on threads of its own.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::{Parts, Service};
use crate::error::Result;
use crate::inbound::IngestConfig;
use crate::model::event::{Accepted, NewEvent};
use crate::outbound::Egress;
use crate::status::StatusConfig;
use crate::store::{Limits, Missing, Retention, Store};
use crate::time::{Clock, SystemClock};

/// A store in a program: its own file, or tables in the program's own database. Cheap to clone.
///
/// ```
/// use hookbox::model::endpoint::NewEndpoint;
/// use hookbox::model::event::NewEvent;
/// use hookbox::Hookbox;
/// let folder = tempfile::tempdir()?;
/// let hookbox = Hookbox::open(folder.path().join("app.db"))?;
/// let url = "http://127.0.0.1:9/hook".parse()?;
/// hookbox.store().add_endpoint(NewEndpoint::new("ci", url), hookbox.now())?;
///
/// // On disk when this returns; sent while something serves the file: this program, say.
/// let order = hookbox.enqueue(NewEvent::new("order.paid", r#"{"id":1}"#))?;
/// assert_eq!(order.deliveries, 1);
/// let running = hookbox.serve().start()?;
/// running.stop();
/// assert_eq!(hookbox.store().stats()?.pending, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Hookbox {
    store: Store,
    clock: Arc<dyn Clock>,
}

impl Hookbox {
    /// Opens a database; makes it, or adds hookbox's tables to it, where they are not there. A
    /// program's own database must be in WAL mode already, which it keeps:
    /// [`Hookbox::open_in_wal_mode`] puts it there.
    ///
    /// Blocks for a few milliseconds, as do all calls of it and of the store: a program on tokio
    /// makes them in `spawn_blocking`.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open(path: impl AsRef<Path>) -> Result<Hookbox> {
        Hookbox::open_with(path.as_ref(), false)
    }

    /// The same, and puts a program's own database in WAL mode for good.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_in_wal_mode(path: impl AsRef<Path>) -> Result<Hookbox> {
        Hookbox::open_with(path.as_ref(), true)
    }

    fn open_with(path: &Path, may_set_wal: bool) -> Result<Hookbox> {
        Ok(Hookbox {
            store: Store::open(path, Missing::CreateOrExtend { may_set_wal })?,
            clock: Arc::new(SystemClock::new()),
        })
    }

    /// The store: to set up sources and endpoints, to look at what happened, to replay.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The time, for calls of the store.
    pub fn now(&self) -> crate::time::Timestamp {
        self.clock.now()
    }

    /// Stores an event, in a transaction of its own, and returns when it is on disk. To store it in a
    /// transaction of the program's see [`enqueue`](crate::store::enqueue).
    ///
    /// # Errors
    /// As [`Store::accept`].
    pub fn enqueue(&self, event: NewEvent) -> Result<Accepted> {
        self.store.accept(event, self.clock.now())
    }

    /// A service to be started on it: that sends, and takes over what is in the outbox. It takes
    /// events in over HTTP, and shows the status page, only where that is asked for.
    pub fn serve(&self) -> Builder {
        Builder {
            hookbox: self.clone(),
            parts: Parts::default(),
            on_stopped: Vec::new(),
        }
    }
}

impl fmt::Debug for Hookbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Hookbox").field(&self.store).finish()
    }
}

/// What is called once a service has stopped.
type Hook = Box<dyn FnOnce() + Send>;

/// A service to be started.
#[must_use = "it does nothing until it is started"]
pub struct Builder {
    hookbox: Hookbox,
    parts: Parts,
    on_stopped: Vec<Hook>,
}

impl Builder {
    /// Takes events in over HTTP at this address; port 0 takes a free one.
    pub fn ingest(mut self, address: SocketAddr) -> Builder {
        self.parts.ingest = Some(IngestConfig::new(address));
        self
    }

    /// The same, set otherwise than as usual.
    pub fn ingest_with(mut self, config: IngestConfig) -> Builder {
        self.parts.ingest = Some(config);
        self
    }

    /// Shows the status page and answers its API at this address, which must be a loopback one;
    /// port 0 takes a free one.
    pub fn status(mut self, address: SocketAddr) -> Builder {
        self.parts.status = Some(StatusConfig::new(address));
        self
    }

    /// The same, with tokens and names.
    pub fn status_with(mut self, config: StatusConfig) -> Builder {
        self.parts.status = Some(config);
        self
    }

    /// Where requests may go.
    pub fn egress(mut self, egress: Egress) -> Builder {
        self.parts.egress = egress;
        self
    }

    /// How much of the disk may be used; 64 MiB are kept free unless this says otherwise.
    pub fn limits(mut self, limits: Limits) -> Builder {
        self.parts.limits = limits;
        self
    }

    /// How long what is settled is kept; for good unless this says otherwise.
    pub fn retention(mut self, retention: Retention) -> Builder {
        self.parts.retention = retention;
        self
    }

    /// Calls `hook` once everything has stopped, on the thread that stopped it.
    pub fn on_stopped(mut self, hook: impl FnOnce() + Send + 'static) -> Builder {
        self.on_stopped.push(Box::new(hook));
        self
    }

    /// Starts it, on threads of its own, and returns when events are taken in.
    ///
    /// # Errors
    /// As [`Service::start_on`].
    pub fn start(self) -> Result<Running> {
        let clock = self.hookbox.clock.clone();
        let service = Service::start_on(self.hookbox.store, &self.parts, clock)?;
        let (asks, asked) = sync_channel(1);
        Ok(Running {
            ingest_address: service.ingest_address(),
            status_address: service.status_address(),
            service: Some(service),
            stopper: Stopper(asks),
            asked,
            on_stopped: self.on_stopped,
        })
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("hookbox", &self.hookbox)
            .field("parts", &self.parts)
            .finish_non_exhaustive()
    }
}

/// A service that runs in this program. Dropping it stops it, which may take ten seconds.
pub struct Running {
    service: Option<Service>,
    ingest_address: Option<SocketAddr>,
    status_address: Option<SocketAddr>,
    stopper: Stopper,
    asked: Receiver<()>,
    on_stopped: Vec<Hook>,
}

impl Running {
    /// Where events are taken in over HTTP, if they are.
    pub fn ingest_address(&self) -> Option<SocketAddr> {
        self.ingest_address
    }

    /// Where the status page is, if there is one.
    pub fn status_address(&self) -> Option<SocketAddr> {
        self.status_address
    }

    /// What another thread, or a signal's, asks for the stop with.
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// Waits until somebody asks for the stop, then stops. Blocks.
    pub fn wait(self) {
        // It holds a stopper itself, so somebody always can.
        let _ = self.asked.recv();
        self.stop();
    }

    /// Takes nothing more in, lets requests in flight end (10 seconds each way at most), and returns
    /// when all that came of them is on disk. The store can be used on, and served again.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        if let Some(service) = self.service.take() {
            service.stop_parts();
            for hook in self.on_stopped.drain(..) {
                hook();
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running")
            .field("ingest_address", &self.ingest_address)
            .field("status_address", &self.status_address)
            .finish_non_exhaustive()
    }
}

/// Asks a running service for its stop, from anywhere. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Stopper(SyncSender<()>);

impl Stopper {
    /// Asks for the stop, and returns at once; [`Running::wait`] does it.
    pub fn stop(&self) {
        // It was asked for already, or has happened.
        let _ = self.0.try_send(());
    }
}
