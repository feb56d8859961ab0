//! Starts the parts in order and stops them in reverse order.
//!
//! It does so for `hookbox serve`, and inside another program ([`Hookbox`]). Nothing is taken in before it
//! can be sent, and nothing in flight is forgotten: the HTTP listener is the last to start and the first to
//! stop. This module must hold no logic of its own.

mod alert_worker;
#[cfg(feature = "cli")]
mod config_worker;
mod embedded;
mod heal_worker;
mod index_worker;
mod retention_worker;
mod worker;

use std::fmt;
use std::net::{SocketAddr, TcpListener};
#[cfg(feature = "cli")]
use std::path::PathBuf;
use std::sync::Arc;

pub use embedded::{Builder, Hookbox, Running, Stopper};
#[doc(hidden)]
pub use heal_worker::{Healed, HealedFrom, Healing, NetworkApi};

use rustix::net::listen;

#[cfg(feature = "cli")]
use config_worker::Followed;
use worker::Worker;

#[cfg(feature = "cli")]
use crate::config::Config;
use crate::error::{Error, Result};
use crate::inbound::{Ingest, IngestConfig, Outbox};
#[cfg(feature = "page")]
use crate::outbound::preview;
use crate::outbound::{
    Egress, Replayer, RunningReplayer, RunningScheduler, Scheduler, UreqTransport,
};
#[cfg(feature = "page")]
use crate::status::{Neighbours, StatusConfig, StatusServer};
use crate::store::{Limits, Location, Missing, Retention, Serving, Store};
use crate::time::Clock;

/// The settings of a service.
#[doc(hidden)]
#[derive(Debug, Clone)]
pub struct ServiceConfig {
    /// The database file; it is created if it does not exist.
    pub database: Location,
    /// The parts to start.
    pub parts: Parts,
}

/// The parts of a service besides the scheduler, and their settings.
#[doc(hidden)]
#[derive(Debug, Clone, Default)]
pub struct Parts {
    /// The HTTP listener for events.
    pub ingest: Option<IngestConfig>,
    /// The status page.
    #[cfg(feature = "page")]
    pub status: Option<StatusConfig>,
    /// Which addresses requests may go to.
    pub egress: Egress,
    /// How much of the disk may be used.
    pub limits: Limits,
    /// The forges whose webhooks that never arrived are taken in.
    pub healing: Healing,
    /// How long settled deliveries are kept.
    pub retention: Retention,
    /// A command that gets every message of an alert, as JSON on its standard input.
    pub alert_command: Option<String>,
    /// The configuration file that is applied at the start, and whenever it changes.
    #[cfg(feature = "cli")]
    pub config: Option<ConfigFile>,
    /// Whether a full-text index is kept beside the file, for searches in bodies. Without, one that is there
    /// is removed.
    pub text_index: bool,
}

/// A configuration file that is applied.
#[doc(hidden)]
#[cfg(feature = "cli")]
#[derive(Debug, Clone)]
pub struct ConfigFile {
    /// The file.
    pub path: PathBuf,
    /// Checks what belongs to the process: the options of `[serve]`.
    pub check: fn(&Config) -> Result<()>,
}

/// Connections that may wait to be accepted, if the system allows as many (net.core.somaxconn).
const QUEUE_MAX: i32 = 512;

/// The bound addresses of a service.
struct Ports {
    ingest: Option<TcpListener>,
    #[cfg(feature = "page")]
    status: Option<TcpListener>,
}

impl Ports {
    fn bind(parts: &Parts) -> Result<Ports> {
        #[cfg(feature = "page")]
        if let (Some(ingest), Some(status)) = (&parts.ingest, &parts.status)
            && ingest.address == status.address
            && ingest.address.port() != 0
        {
            return Err(Error::misuse(format!(
                "{} is both for events and for the status page; give each an address of its own: --ingest, --status",
                ingest.address
            )));
        }
        let ports = Ports {
            ingest: parts.ingest.as_ref().map(Ingest::bind).transpose()?,
            #[cfg(feature = "page")]
            status: parts.status.as_ref().map(StatusServer::bind).transpose()?,
        };
        let sockets = ports.ingest.iter();
        #[cfg(feature = "page")]
        let sockets = sockets.chain(&ports.status);
        for socket in sockets {
            // A client that finds the queue full tries again only after a second. The standard library sets
            // a queue of 128.
            if let Err(error) = listen(socket, QUEUE_MAX) {
                tracing::debug!(%error, "the queue of connections stays short");
            }
        }
        Ok(ports)
    }
}

/// A running service on one file.
///
/// It has the HTTP listener, the outbox worker, the scheduler and the status page.
#[doc(hidden)]
pub struct Service {
    store: Store,
    ingest: Option<Ingest>,
    outbox: Outbox,
    retention_worker: Option<Worker>,
    alert_worker: Worker,
    index_worker: Option<Worker>,
    heal_worker: Option<Worker>,
    #[cfg(feature = "cli")]
    config_worker: Option<Worker>,
    scheduler: RunningScheduler,
    replayer: RunningReplayer,
    #[cfg(feature = "page")]
    status: Option<StatusServer>,
    // The last field, so that the lock is released last.
    serving: Serving,
}

impl Service {
    /// Starts all parts; returns when events are taken in.
    ///
    /// # Errors
    /// As [`Service::start_on`], and those of [`Store::open`].
    pub fn start(config: &ServiceConfig, clock: Arc<dyn Clock>) -> Result<Service> {
        // Bound first, before a file is made or anything is sent: another copy may be running.
        let bound = Ports::bind(&config.parts);
        let ports = bound.map_err(|taken| served_already(config, &clock).unwrap_or(taken))?;
        let store = Store::open(&config.database, Missing::Create)?;
        Service::start_at(ports, store, &config.parts, clock)
    }

    /// Starts all parts on a store that is already open.
    ///
    /// # Errors
    /// [`Error::AlreadyServing`] when another process serves the file; [`Error::Io`] when an address cannot
    /// be bound; [`Error::Misuse`] when the status page would listen on an address other than loopback
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
        let serving = store.begin_serving(&clock)?.keep_leases()?;
        store.set_aside_what_ended_it(clock.now());
        store.time_commits(clock.clone());
        store.limit(parts.limits)?;
        #[cfg(feature = "cli")]
        let config_worker = match &parts.config {
            None => None,
            Some(file) => {
                // Nothing is taken in or sent by settings that were replaced while it was stopped.
                let followed = Followed::begin(&store, clock.as_ref(), file)?;
                Some(config_worker::start(
                    store.clone(),
                    clock.clone(),
                    followed,
                )?)
            }
        };
        let transport = Arc::new(UreqTransport::new(clock.clone(), parts.egress.clone()));
        let scheduler =
            Scheduler::new(store.clone(), clock.clone(), transport, draw_seed()?)?.start()?;
        let replayer = Replayer::new(store.clone(), clock.clone()).start()?;
        #[cfg(feature = "page")]
        let status = {
            let neighbours = Neighbours {
                events_at: ports.ingest.as_ref().and_then(|it| it.local_addr().ok()),
                preview,
            };
            let status = ports.status.zip(parts.status.as_ref());
            let status = status.map(|(socket, config)| {
                StatusServer::start(socket, store.clone(), clock.clone(), config, neighbours)
            });
            status.transpose()?
        };
        let outbox = Outbox::start(store.clone(), clock.clone())?;
        let retention = parts.retention;
        let retention_worker = (!retention.is_none())
            .then(|| retention_worker::start(store.clone(), clock.clone(), retention))
            .transpose()?;
        let program = parts.alert_command.clone();
        let alert_worker = alert_worker::start(store.clone(), clock.clone(), program)?;
        let heal_worker = (!parts.healing.forges.is_empty())
            .then(|| {
                let healing = parts.healing.clone();
                let egress = parts.egress.clone();
                heal_worker::start(store.clone(), clock.clone(), healing, retention, egress)
            })
            .transpose()?;
        let index_worker = match parts.text_index {
            true => Some(index_worker::start(store.clone())?),
            false => {
                if let Err(error) = store.remove_text_index() {
                    tracing::warn!(error = error.chain(), "text_index.cannot_remove");
                }
                None
            }
        };
        let ingest = ports.ingest.zip(parts.ingest.as_ref());
        let ingest =
            ingest.map(|(socket, config)| Ingest::start(socket, store.clone(), clock, config));
        Ok(Service {
            ingest: ingest.transpose()?,
            outbox,
            retention_worker,
            alert_worker,
            index_worker,
            heal_worker,
            #[cfg(feature = "cli")]
            config_worker,
            scheduler,
            replayer,
            #[cfg(feature = "page")]
            status,
            serving,
            store,
        })
    }

    /// Returns the store that is served.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Returns the address that takes events in over HTTP, if there is one.
    pub fn ingest_address(&self) -> Option<SocketAddr> {
        self.ingest.as_ref().map(Ingest::address)
    }

    /// Returns the address of the status page, if there is one.
    pub fn status_address(&self) -> Option<SocketAddr> {
        #[cfg(feature = "page")]
        return self.status.as_ref().map(StatusServer::address);
        #[cfg(not(feature = "page"))]
        None
    }

    /// Stops the service.
    ///
    /// It takes nothing more in, waits for requests in flight (10 seconds in each direction at most),
    /// commits, and releases the file. After that the store accepts no writes.
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

    /// Stops the parts and releases the file for serving; the store can still be used.
    fn stop_parts(self) -> Store {
        if let Some(ingest) = self.ingest {
            ingest.stop();
        }
        self.outbox.stop();
        if let Some(retention_worker) = self.retention_worker {
            retention_worker.stop();
        }
        self.alert_worker.stop();
        for worker in [self.index_worker, self.heal_worker].into_iter().flatten() {
            worker.stop();
        }
        #[cfg(feature = "cli")]
        if let Some(config_worker) = self.config_worker {
            config_worker.stop();
        }
        self.replayer.stop();
        self.scheduler.stop();
        #[cfg(feature = "page")]
        if let Some(status) = self.status {
            status.stop();
        }
        drop(self.serving);
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

/// Where an address is taken: that another process serves this file, if one does.
fn served_already(config: &ServiceConfig, clock: &Arc<dyn Clock>) -> Option<Error> {
    // Several nodes may serve a database on a server.
    config.database.file()?;
    let store = Store::open(&config.database, Missing::Refuse).ok()?;
    let is_served = matches!(store.is_served(), Ok(true));
    is_served
        .then(|| store.begin_serving(clock).err())
        .flatten()
}

/// Draws the seed for the retry jitter, so that several boxes do not retry at the same moment.
fn draw_seed() -> Result<u64> {
    getrandom::u64().map_err(|error| {
        Error::io(
            "draw a random number",
            std::io::Error::other(error.to_string()),
        )
    })
}
