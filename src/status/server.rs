//! The threads of the status page.
//!
//! They are tiny_http on a private socket after the gate, and the workers that answer.

use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use tiny_http::{Request, Server};

use super::config::{Neighbours, StatusConfig};
use super::gate::{Gate, HEALTH, Inner, NO_PANIC, connect};
use super::private_socket::PrivateSocket;
use super::route::answer;
use super::state::AppState;
use crate::error::{Error, Result};
use crate::panics::catch_panic;
use crate::store::Store;
use crate::time::Clock;

/// Pages rendered at a time: people look at them, not programs.
const WORKERS: usize = 4;

/// Longest time until a stop is noticed if the wake-up failed.
const STOP_PERIOD: Duration = Duration::from_secs(5);

/// A running status page. Dropping it stops it.
#[derive(Debug)]
pub struct StatusServer {
    address: SocketAddr,
    gate: Option<Gate>,
    stop: Arc<AtomicBool>,
    inner: Inner,
    threads: Vec<JoinHandle<()>>,
}

impl StatusServer {
    /// Binds the address; clients that connect wait for [`StatusServer::start`].
    ///
    /// # Errors
    /// [`Error::Misuse`] when the address is not a loopback one and there is no token; [`Error::Io`] when
    /// it cannot be bound.
    pub fn bind(config: &StatusConfig) -> Result<TcpListener> {
        if !config.address.ip().is_loopback() && !config.tokens.is_needed() {
            return Err(Error::misuse(format!(
                "without a token the status page listens on loopback only, not on {}; give one with --token-file, or reach it from afar through: ssh -L 8421:127.0.0.1:8421 HOST",
                config.address
            )));
        }
        TcpListener::bind(config.address).map_err(|error| {
            Error::cannot_listen(config.address, "the status page", "--status", error)
        })
    }

    /// Starts answering at a bound address, on threads of its own.
    ///
    /// A sender that posts an event here is told the address for events.
    ///
    /// # Errors
    /// [`Error::Io`] when the socket cannot be used or a thread cannot be started.
    pub fn start(
        socket: TcpListener,
        store: Store,
        clock: Arc<dyn Clock>,
        config: &StatusConfig,
        neighbours: Neighbours,
    ) -> Result<StatusServer> {
        let cannot = |error| Error::io("serve the status page", error);
        let address = socket.local_addr().map_err(cannot)?;
        // The socket between the gate and the pages lies beside the file.
        let beside = store.location().file().and_then(Path::parent);
        let temporary = std::env::temp_dir();
        let folder = beside.unwrap_or(&temporary);
        let behind = Behind::new(folder).map_err(cannot)?;
        let inner = behind.inner.clone();

        let stop = Arc::new(AtomicBool::new(false));
        let app = Arc::new(AppState::new(
            store,
            clock.clone(),
            address,
            config,
            neighbours,
        )?);
        // The channel needs no limit: the gate limits how many requests wait.
        let (requests, incoming) = channel();
        let incoming = Arc::new(Mutex::new(incoming));
        let mut threads = Vec::new();
        for _ in 0..WORKERS {
            let (app, incoming) = (app.clone(), incoming.clone());
            threads.push(spawn("status", move || work(&app, &incoming))?);
        }
        let (stopped, for_health) = (stop.clone(), app);
        threads.push(spawn("status-requests", move || {
            behind.run(&for_health, &requests, &stopped)
        })?);
        let gate = Gate::start(socket, inner.clone(), clock)?;
        Ok(StatusServer {
            address,
            gate: Some(gate),
            stop,
            inner,
            threads,
        })
    }

    /// Returns the address that is listened on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops answering; returns after the pages being rendered are sent.
    pub fn stop(mut self) {
        self.join();
    }

    fn join(&mut self) {
        drop(self.gate.take());
        if self.threads.is_empty() {
            return;
        }
        self.stop.store(true, Ordering::Relaxed);
        self.wake();
        // A response is small and complete when it is sent, so no client can block a worker.
        for thread in self.threads.drain(..).rev() {
            if thread.join().is_err() {
                tracing::error!("a thread of the status page panicked");
            }
        }
    }
}

impl StatusServer {
    /// Wakes the thread that waits for requests, so that it checks the stop flag.
    fn wake(&self) {
        let asked = connect(&self.inner).and_then(|mut stream| {
            stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        });
        if let Err(error) = asked {
            tracing::debug!(%error, "the status page stops a little later");
        }
    }
}

impl Drop for StatusServer {
    fn drop(&mut self) {
        self.join();
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(run)
        .map_err(|error| Error::io("start a thread of the status page", error))
}

/// Answers requests until there are no more.
fn work(app: &AppState, incoming: &Mutex<Receiver<Request>>) {
    loop {
        let next = incoming
            .lock()
            .expect("no worker panics with the lock")
            .recv();
        match next {
            Ok(request) => take(app, request),
            Err(_) => return,
        }
    }
}

fn take(app: &AppState, request: Request) {
    // tiny_http answers 500 if a request is dropped without a response.
    if let Err(fault) = catch_panic(|| answer(app, request)) {
        tracing::error!(fault, "status.fault");
    }
}

/// tiny_http, on a socket that only this process can reach.
struct Behind {
    /// The folder in which the next socket can be made.
    folder: PathBuf,
    server: Option<Server>,
    inner: Inner,
}

impl Behind {
    fn new(folder: &Path) -> std::io::Result<Behind> {
        let (server, hidden) = PrivateSocket::serve(folder)?;
        Ok(Behind {
            folder: folder.to_owned(),
            server: Some(server),
            inner: Arc::new(Mutex::new(Arc::new(hidden))),
        })
    }

    /// Takes requests from tiny_http.
    ///
    /// tiny_http stops accepting for good after one failed `accept`, e.g. when file descriptors run out.
    /// Then a new server is created.
    fn run(mut self, app: &AppState, requests: &Sender<Request>, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            let Some(server) = &self.server else {
                self.renew();
                continue;
            };
            match server.recv_timeout(STOP_PERIOD) {
                // Answered here, even if all workers are busy, e.g. with a search in a large file.
                Ok(Some(request)) if HEALTH.contains(&request.url()) => take(app, request),
                Ok(Some(request)) => {
                    if requests.send(request).is_err() {
                        return;
                    }
                }
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(%error, "the status page could not accept; starting it again");
                    self.renew();
                }
            }
        }
    }

    #[allow(
        clippy::disallowed_methods,
        reason = "trying again at once would spin while there are no sockets to be had"
    )]
    fn renew(&mut self) {
        const AGAIN: Duration = Duration::from_millis(100);
        std::thread::sleep(AGAIN);
        self.end();
        match PrivateSocket::serve(&self.folder) {
            Ok((server, hidden)) => {
                self.server = Some(server);
                *self.inner.lock().expect(NO_PANIC) = Arc::new(hidden);
            }
            Err(error) => tracing::warn!(%error, "the status page cannot be started yet"),
        }
    }

    /// Ends tiny_http's threads.
    ///
    /// tiny_http itself would wake its accepting thread by connecting to the socket's path, which no longer
    /// exists.
    fn end(&mut self) {
        if let Some(server) = self.server.take() {
            drop(server);
            let _ = connect(&self.inner);
        }
    }
}

impl Drop for Behind {
    fn drop(&mut self) {
        self.end();
    }
}
