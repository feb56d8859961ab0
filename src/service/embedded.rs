//! hookbox inside another Rust program: the store, and its service on threads.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::{Parts, Service};
use crate::error::Result;
use crate::inbound::IngestConfig;
use crate::model::event::{Accepted, NewEvent};
use crate::outbound::Egress;
#[cfg(feature = "page")]
use crate::status::StatusConfig;
use crate::store::{Limits, Location, Missing, Retention, Store};
use crate::time::{Clock, SystemClock};

/// A store in a program. Cheap to clone.
///
/// It is a file of its own, or tables in the program's own database.
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
    /// Opens a database; creates it, or adds hookbox's tables, if they are missing.
    ///
    /// A program's own database must already be in WAL mode, and stays in it: [`Hookbox::open_in_wal_mode`]
    /// changes the mode.
    ///
    /// Blocks for a few milliseconds, like all calls of `Hookbox` and of the store. A program on tokio
    /// makes these calls in `spawn_blocking`.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open(location: impl Into<Location>) -> Result<Hookbox> {
        Hookbox::open_with(location.into(), false)
    }

    /// Opens a database, and puts it into WAL mode permanently.
    ///
    /// Otherwise it is the same as [`Hookbox::open`].
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_in_wal_mode(location: impl Into<Location>) -> Result<Hookbox> {
        Hookbox::open_with(location.into(), true)
    }

    fn open_with(location: Location, may_set_wal: bool) -> Result<Hookbox> {
        Ok(Hookbox {
            store: Store::open(location, Missing::CreateOrExtend { may_set_wal })?,
            clock: Arc::new(SystemClock::new()),
        })
    }

    /// Returns the store.
    ///
    /// With it a program sets up sources and endpoints, looks at what happened, and replays.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Returns the current time, for calls of the store.
    pub fn now(&self) -> crate::time::Timestamp {
        self.clock.now()
    }

    /// Stores an event in its own transaction; returns when the event is on disk.
    ///
    /// To store an event in the program's own transaction see [`enqueue`](crate::store::enqueue).
    ///
    /// # Errors
    /// As [`Store::accept`].
    pub fn enqueue(&self, event: NewEvent) -> Result<Accepted> {
        self.store.accept(event, self.clock.now())
    }

    /// Prepares a service that sends deliveries and takes over the outbox.
    ///
    /// It takes events in over HTTP, and shows the status page, only if the builder is set to.
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

/// A function that is called after a service has stopped.
type Hook = Box<dyn FnOnce() + Send>;

/// A service that is not started yet.
#[must_use = "it does nothing until it is started"]
pub struct Builder {
    hookbox: Hookbox,
    parts: Parts,
    on_stopped: Vec<Hook>,
}

impl Builder {
    /// Takes events in over HTTP at this address; port 0 takes a free port.
    pub fn ingest(mut self, address: SocketAddr) -> Builder {
        self.parts.ingest = Some(IngestConfig::new(address));
        self
    }

    /// Takes events in over HTTP with these settings.
    pub fn ingest_with(mut self, config: IngestConfig) -> Builder {
        self.parts.ingest = Some(config);
        self
    }

    /// Serves the status page and its API at this address.
    ///
    /// It must be a loopback address; port 0 takes a free port.
    #[cfg(feature = "page")]
    pub fn status(mut self, address: SocketAddr) -> Builder {
        self.parts.status = Some(StatusConfig::new(address));
        self
    }

    /// Serves the status page with these settings: tokens and host names.
    #[cfg(feature = "page")]
    pub fn status_with(mut self, config: StatusConfig) -> Builder {
        self.parts.status = Some(config);
        self
    }

    /// Sets which addresses requests may go to.
    pub fn egress(mut self, egress: Egress) -> Builder {
        self.parts.egress = egress;
        self
    }

    /// Sets how much of the disk may be used; by default 64 MiB are kept free.
    pub fn limits(mut self, limits: Limits) -> Builder {
        self.parts.limits = limits;
        self
    }

    /// Sets how long settled deliveries are kept; by default for ever.
    pub fn retention(mut self, retention: Retention) -> Builder {
        self.parts.retention = retention;
        self
    }

    /// Calls `hook` after everything has stopped, on the thread that stopped it.
    pub fn on_stopped(mut self, hook: impl FnOnce() + Send + 'static) -> Builder {
        self.on_stopped.push(Box::new(hook));
        self
    }

    /// Starts the service on threads of its own; returns when events are taken in.
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

/// A running service in this program.
///
/// Dropping it stops it, which may take ten seconds.
pub struct Running {
    service: Option<Service>,
    ingest_address: Option<SocketAddr>,
    status_address: Option<SocketAddr>,
    stopper: Stopper,
    asked: Receiver<()>,
    on_stopped: Vec<Hook>,
}

impl Running {
    /// Returns the address that takes events in over HTTP, if there is one.
    pub fn ingest_address(&self) -> Option<SocketAddr> {
        self.ingest_address
    }

    /// Returns the address of the status page, if there is one.
    pub fn status_address(&self) -> Option<SocketAddr> {
        self.status_address
    }

    /// Returns a handle that requests the stop.
    ///
    /// It can be used from another thread, for example one that waits for signals.
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// Waits until somebody requests the stop, then stops. Blocks.
    pub fn wait(self) {
        // `self` holds a stopper too, so the channel never closes before a request comes.
        let _ = self.asked.recv();
        self.stop();
    }

    /// Stops the service.
    ///
    /// It takes nothing more in, waits for requests in flight (10 seconds in each direction at most), and
    /// returns when all their results are on disk. The store can still be used, and can be served again.
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

/// Requests the stop of a running service, from any thread. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Stopper(SyncSender<()>);

impl Stopper {
    /// Requests the stop and returns at once; [`Running::wait`] does the work.
    pub fn stop(&self) {
        // An error means that the stop was already requested, or has happened.
        let _ = self.0.try_send(());
    }
}
