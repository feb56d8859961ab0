//! Starts the parts in order and stops them in the opposite order: for `hookbox serve`, and inside
//! another program ([`Hookbox`]).
//!
//! Nothing is taken in before it can be sent, and nothing in flight is forgotten: the way in is
//! the last to start and the first to stop. It must hold no logic of its own.

mod embedded;
mod keeper;

use std::fmt;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;

pub use embedded::{Builder, Hookbox, Running, Stopper};

use rustix::net::listen;

use keeper::Keeper;

use crate::error::{Error, Result};
use crate::inbound::{Ingest, IngestConfig, Outbox};
use crate::outbound::{
    Egress, Replayer, RunningReplayer, RunningScheduler, Scheduler, UreqTransport,
};
use crate::status::{StatusConfig, StatusServer};
use crate::store::{Limits, Missing, Retention, ServeLock, Store};
use crate::time::Clock;

/// How a service is set.
#[derive(Debug, Clone)]
pub struct ServiceConfig {
    /// The database file; it is made if it is not there.
    pub database: PathBuf,
    /// Which parts it has.
    pub parts: Parts,
}

/// Which parts a service has besides the scheduler.
#[derive(Debug, Clone, Default)]
pub struct Parts {
    /// The way in over HTTP.
    pub ingest: Option<IngestConfig>,
    /// The status page.
    pub status: Option<StatusConfig>,
    /// Where requests may go.
    pub egress: Egress,
    /// How much of the disk may be used.
    pub limits: Limits,
    /// How long what is settled is kept.
    pub retention: Retention,
}

/// Connections that may wait to be accepted, as far as the system allows (net.core.somaxconn).
const QUEUE_MAX: i32 = 512;

/// The addresses that a service listens on, bound.
struct Ports {
    ingest: Option<TcpListener>,
    status: Option<TcpListener>,
}

impl Ports {
    fn bind(parts: &Parts) -> Result<Ports> {
        let ports = Ports {
            ingest: parts.ingest.as_ref().map(Ingest::bind).transpose()?,
            status: parts.status.as_ref().map(StatusServer::bind).transpose()?,
        };
        for socket in ports.ingest.iter().chain(&ports.status) {
            // Who finds the queue full tries again after a second. The library asks for 128 places.
            if let Err(error) = listen(socket, QUEUE_MAX) {
                tracing::debug!(%error, "the queue of connections stays short");
            }
        }
        Ok(ports)
    }
}

/// A running service: the ways in, the scheduler, the status page, on one file.
pub struct Service {
    store: Store,
    ingest: Option<Ingest>,
    outbox: Outbox,
    keeper: Option<Keeper>,
    scheduler: RunningScheduler,
    replayer: RunningReplayer,
    status: Option<StatusServer>,
    // Last, so that it is given up last.
    lock: ServeLock,
}

impl Service {
    /// Starts all parts; returns when events are taken in.
    ///
    /// # Errors
    /// As [`Service::start_on`], and what [`Store::open`] says of the file.
    pub fn start(config: &ServiceConfig, clock: Arc<dyn Clock>) -> Result<Service> {
        // Before a file is made or anything sent: another copy may be at work.
        let ports = Ports::bind(&config.parts)?;
        let store = Store::open(&config.database, Missing::Create)?;
        Service::start_at(ports, store, &config.parts, clock)
    }

    /// The same on a store that is open already.
    ///
    /// # Errors
    /// [`Error::AlreadyServing`] when another process serves the file; [`Error::Io`] when an address
    /// cannot be bound; [`Error::Misuse`] when the status page is to listen on other than loopback
    /// without a token.
    pub fn start_on(store: Store, parts: &Parts, clock: Arc<dyn Clock>) -> Result<Service> {
        Service::start_at(Ports::bind(parts)?, store, parts, clock)
    }

    fn start_at(
        ports: Ports,
        store: Store,
        parts: &Parts,
        clock: Arc<dyn Clock>,
    ) -> Result<Service> {
        let lock = store.lock_for_serving()?;
        store.set_aside_what_ended_it(clock.now());
        store.time_commits(clock.clone());
        store.limit(parts.limits)?;
        let transport = Arc::new(UreqTransport::new(clock.clone(), parts.egress.clone()));
        let scheduler =
            Scheduler::new(store.clone(), clock.clone(), transport, draw_seed()?)?.start()?;
        let replayer = Replayer::new(store.clone(), clock.clone()).start()?;
        let events_at = ports.ingest.as_ref().and_then(|it| it.local_addr().ok());
        let status = ports.status.zip(parts.status.as_ref());
        let status = status.map(|(socket, config)| {
            StatusServer::start(socket, store.clone(), clock.clone(), config, events_at)
        });
        let status = status.transpose()?;
        let outbox = Outbox::start(store.clone(), clock.clone())?;
        let retention = parts.retention;
        let keeper = (!retention.is_none())
            .then(|| Keeper::start(store.clone(), clock.clone(), retention))
            .transpose()?;
        let ingest = ports.ingest.zip(parts.ingest.as_ref());
        let ingest =
            ingest.map(|(socket, config)| Ingest::start(socket, store.clone(), clock, config));
        Ok(Service {
            ingest: ingest.transpose()?,
            outbox,
            keeper,
            scheduler,
            replayer,
            status,
            lock,
            store,
        })
    }

    /// The store that is served.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Where events are taken in over HTTP, if they are.
    pub fn ingest_address(&self) -> Option<SocketAddr> {
        self.ingest.as_ref().map(Ingest::address)
    }

    /// Where the status page is, if there is one.
    pub fn status_address(&self) -> Option<SocketAddr> {
        self.status.as_ref().map(StatusServer::address)
    }

    /// Stops taking in, lets requests in flight end (10 seconds each way at most), commits, and
    /// gives the file up. The store takes no more writes then.
    pub fn stop(self) {
        let store = self.stop_parts();
        store.close();
        let groups = store.group_stats();
        tracing::info!(
            commits = groups.commits,
            jobs = groups.jobs,
            largest_group = groups.largest,
            "stopped"
        );
    }

    /// Stops the parts and gives the file up for serving; the store can be used on.
    fn stop_parts(self) -> Store {
        if let Some(ingest) = self.ingest {
            ingest.stop();
        }
        self.outbox.stop();
        if let Some(keeper) = self.keeper {
            keeper.stop();
        }
        self.replayer.stop();
        self.scheduler.stop();
        if let Some(status) = self.status {
            status.stop();
        }
        drop(self.lock);
        self.store
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service")
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}

/// Chance for the jitter, so that boxes do not retry in step.
fn draw_seed() -> Result<u64> {
    getrandom::u64().map_err(|error| {
        Error::io(
            "draw a random number",
            std::io::Error::other(error.to_string()),
        )
    })
}
