//! Starts the parts in order and stops them in the opposite order.
//!
//! Nothing is taken in before it can be sent, and nothing in flight is forgotten: the way in is
//! the last to start and the first to stop. It must hold no logic of its own.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::inbound::{Ingest, IngestConfig, Outbox};
use crate::outbound::{
    Egress, Replayer, RunningReplayer, RunningScheduler, Scheduler, UreqTransport,
};
use crate::status::{StatusConfig, StatusServer};
use crate::store::{Missing, ServeLock, Store};
use crate::time::Clock;

/// How a service is set.
#[derive(Debug, Clone)]
pub struct ServiceConfig {
    /// The database file; it is made if it is not there.
    pub database: PathBuf,
    /// The way in.
    pub ingest: IngestConfig,
    /// The status page.
    pub status: StatusConfig,
    /// Where requests may go.
    pub egress: Egress,
}

/// A running service: the way in, the scheduler, the status page, on one file.
pub struct Service {
    store: Store,
    ingest: Ingest,
    outbox: Outbox,
    scheduler: RunningScheduler,
    replayer: RunningReplayer,
    status: StatusServer,
    // Last, so that it is given up last.
    lock: ServeLock,
}

impl Service {
    /// Starts all parts; returns when events are taken in.
    ///
    /// # Errors
    /// [`Error::AlreadyServing`] when another process serves the file; what [`Store::open`] says
    /// of the file; [`Error::Io`] when an address cannot be bound; [`Error::Misuse`] when the
    /// status page is to listen on other than loopback.
    pub fn start(config: &ServiceConfig, clock: Arc<dyn Clock>) -> Result<Service> {
        let store = Store::open(&config.database, Missing::Create)?;
        let lock = store.lock_for_serving()?;
        store.time_commits(clock.clone());
        let transport = Arc::new(UreqTransport::new(clock.clone(), config.egress.clone()));
        let scheduler =
            Scheduler::new(store.clone(), clock.clone(), transport, draw_seed()?)?.start()?;
        let replayer = Replayer::new(store.clone(), clock.clone()).start()?;
        let status = StatusServer::start(store.clone(), clock.clone(), &config.status)?;
        let outbox = Outbox::start(store.clone(), clock.clone())?;
        let ingest = Ingest::start(store.clone(), clock, &config.ingest)?;
        Ok(Service {
            store,
            ingest,
            outbox,
            scheduler,
            replayer,
            status,
            lock,
        })
    }

    /// The store that is served.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Where events are taken in.
    pub fn ingest_address(&self) -> SocketAddr {
        self.ingest.address()
    }

    /// Where the status page is.
    pub fn status_address(&self) -> SocketAddr {
        self.status.address()
    }

    /// Stops taking in, lets requests in flight end (10 seconds each way at most), commits, and
    /// gives the file up.
    pub fn stop(self) {
        self.ingest.stop();
        self.outbox.stop();
        self.replayer.stop();
        self.scheduler.stop();
        self.status.stop();
        self.store.close();
        let groups = self.store.group_stats();
        tracing::info!(
            commits = groups.commits,
            jobs = groups.jobs,
            largest_group = groups.largest,
            "stopped"
        );
        drop(self.lock);
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
