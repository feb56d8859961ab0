//! The socket and the threads of the status page.
//!
//! tiny_http has no read time-outs and stops accepting for good after one failed `accept`; both
//! are guarded here. Time-outs: accepted sockets inherit those of the listening one. Since
//! `accept` itself would run into that time-out too when nobody calls, the server calls itself
//! from time to time. A failed `accept`: the server is made anew on the same socket.

use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use socket2::SockRef;
use tiny_http::{Request, Server};

use super::route::{Router, answer};
use crate::error::{Error, Result};
use crate::store::Store;
use crate::time::Clock;

/// How long a client may take over each read and write of a request or reply.
const IO_TIMEOUT: Duration = Duration::from_secs(10);

/// How often the server calls itself; well within [`IO_TIMEOUT`].
const CALL_PERIOD: Duration = Duration::from_secs(4);

/// Pages rendered at a time: people look at them, not machines.
const WORKERS: usize = 4;

/// Wait before the server is made anew after a failed `accept`.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// How the status page is set.
#[derive(Debug, Clone)]
pub struct StatusConfig {
    /// Where to listen: a loopback address; port 0 takes a free one.
    pub address: SocketAddr,
}

/// A running status page. Dropping it stops it.
#[derive(Debug)]
pub struct StatusServer {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl StatusServer {
    /// Binds the address and starts answering, on threads of its own.
    ///
    /// # Errors
    /// [`Error::Misuse`] when the address is not a loopback one; [`Error::Io`] when it cannot be
    /// bound or there is no thread to be had.
    pub fn start(
        store: Store,
        clock: Arc<dyn Clock>,
        config: &StatusConfig,
    ) -> Result<StatusServer> {
        if !config.address.ip().is_loopback() {
            return Err(Error::misuse(format!(
                "the status page has no login, so it listens on loopback only, not on {}; reach it from afar through: ssh -L 8421:127.0.0.1:8421 HOST",
                config.address
            )));
        }
        let cannot = |error| {
            Error::io(
                format!("listen on {} for the status page", config.address),
                error,
            )
        };
        let socket = TcpListener::bind(config.address).map_err(cannot)?;
        let address = socket.local_addr().map_err(cannot)?;
        let options = SockRef::from(&socket);
        options.set_read_timeout(Some(IO_TIMEOUT)).map_err(cannot)?;
        options
            .set_write_timeout(Some(IO_TIMEOUT))
            .map_err(cannot)?;
        let server = serve_on(&socket).map_err(cannot)?;

        let stop = Arc::new(AtomicBool::new(false));
        let router = Arc::new(Router::new(store, clock.clone(), address)?);
        let (requests, incoming) = sync_channel(WORKERS);
        let incoming = Arc::new(Mutex::new(incoming));
        let mut threads = Vec::new();
        for _ in 0..WORKERS {
            let (router, incoming) = (router.clone(), incoming.clone());
            threads.push(spawn("status", move || work(&router, &incoming))?);
        }
        let receiver = Receiving {
            socket,
            server,
            address,
            clock,
            stop: stop.clone(),
            requests,
            called_at: Duration::ZERO,
        };
        threads.push(spawn("status-accept", move || receiver.run())?);
        Ok(StatusServer {
            address,
            stop,
            threads,
        })
    }

    /// The address that is listened on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops answering and returns when pages being rendered are out.
    pub fn stop(mut self) {
        self.join();
    }

    fn join(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..).rev() {
            if thread.join().is_err() {
                tracing::error!("a thread of the status page panicked");
            }
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

fn serve_on(socket: &TcpListener) -> std::io::Result<Server> {
    Server::from_listener(socket.try_clone()?, None).map_err(std::io::Error::other)
}

/// Answers requests until there are no more.
fn work(router: &Router, incoming: &Mutex<Receiver<Request>>) {
    loop {
        let next = incoming
            .lock()
            .expect("no worker panics with the lock")
            .recv();
        match next {
            Ok(request) => answer(router, request),
            Err(_) => return,
        }
    }
}

/// The thread that takes requests from tiny_http and keeps it alive.
struct Receiving {
    socket: TcpListener,
    server: Server,
    address: SocketAddr,
    clock: Arc<dyn Clock>,
    stop: Arc<AtomicBool>,
    requests: SyncSender<Request>,
    called_at: Duration,
}

impl Receiving {
    fn run(mut self) {
        /// How long a stop goes unnoticed at most.
        const TICK: Duration = Duration::from_millis(250);
        while !self.stop.load(Ordering::Relaxed) {
            match self.server.recv_timeout(TICK) {
                Ok(Some(request)) => {
                    if self.requests.send(request).is_err() {
                        return;
                    }
                }
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(%error, "the status page could not accept; starting it again");
                    self.restart();
                }
            }
            if self.clock.elapsed().saturating_sub(self.called_at) >= CALL_PERIOD {
                self.called_at = self.clock.elapsed();
                self.call();
            }
        }
    }

    #[allow(
        clippy::disallowed_methods,
        reason = "trying again at once would spin while there are no sockets to be had"
    )]
    fn restart(&mut self) {
        std::thread::sleep(ACCEPT_RETRY);
        match serve_on(&self.socket) {
            Ok(server) => self.server = server,
            Err(error) => tracing::warn!(%error, "the status page cannot be started yet"),
        }
    }

    /// Connects and hangs up, so that `accept` returns.
    fn call(&self) {
        if let Ok(stream) = TcpStream::connect_timeout(&self.address, ACCEPT_RETRY) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}
