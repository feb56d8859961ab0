//! The HTTP listener: sockets, deadlines, connection limit, orderly stop.

use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use ipnet::IpNet;
use rustix::io::Errno;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::task::yield_now;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::body::{BODIES_BYTES_MAX, LARGE_AT_A_TIME};
use super::connection_limiter::{ConnectionLimiter, ConnectionSlot, GRACE_MIN, Room};
use super::head::{HEAD_BYTES_MAX, HEADERS_MAX, Head, Observed};
use super::receive::Intake;
use crate::error::{Error, Result};
use crate::model::event::BODY_BYTES_MAX;
use crate::store::{SourceRejections, Store};
use crate::time::Clock;

/// Connections at a time. Each may wait for a group commit; none holds a thread.
pub const CONNECTIONS_MAX: usize = 1024;

/// How long a head may take to arrive, and how long a connection may be idle between requests.
const HEAD_DEADLINE: Duration = Duration::from_secs(10);

/// How long a stop waits for requests that are being answered.
const STOP_GRACE: Duration = Duration::from_secs(10);

/// How often rejected requests are written to the database.
const REFUSALS_PERIOD: Duration = Duration::from_secs(1);

/// Wait after a failed `accept`, e.g. when file descriptors run out. Trying again at once would be a busy
/// loop.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// The settings of the listener.
#[derive(Debug, Clone)]
pub struct IngestConfig {
    /// The address to listen on; port 0 takes a free port.
    pub address: SocketAddr,
    /// Largest body, in bytes.
    pub body_bytes_max: usize,
    /// Connections at a time.
    ///
    /// [`CONNECTIONS_MAX`], unless there are too few file descriptors.
    pub connections_max: usize,
    /// Proxies in front of many clients.
    ///
    /// Their connections are not limited to one address's share. This machine always counts as a proxy.
    pub trusted: Vec<IpNet>,
}

impl IngestConfig {
    /// The default settings, with this address.
    pub fn new(address: SocketAddr) -> IngestConfig {
        IngestConfig {
            address,
            body_bytes_max: BODY_BYTES_MAX,
            connections_max: CONNECTIONS_MAX,
            trusted: Vec::new(),
        }
    }
}

/// A running listener. Dropping it stops it.
#[derive(Debug)]
pub struct Ingest {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Ingest {
    /// Binds the address; clients that connect wait for [`Ingest::start`].
    ///
    /// # Errors
    /// [`Error::Io`] when the address cannot be bound.
    pub fn bind(config: &IngestConfig) -> Result<StdListener> {
        StdListener::bind(config.address)
            .map_err(|error| Error::cannot_listen(config.address, "events", "--ingest", error))
    }

    /// Starts to take events in at a bound address, on a thread of its own.
    ///
    /// # Errors
    /// [`Error::Io`] when the socket cannot be used or a thread cannot be started.
    pub fn start(
        socket: StdListener,
        store: Store,
        clock: Arc<dyn Clock>,
        config: &IngestConfig,
    ) -> Result<Ingest> {
        let cannot = |error| Error::io("take events in", error);
        socket.set_nonblocking(true).map_err(cannot)?;
        let address = socket.local_addr().map_err(cannot)?;
        // One thread is enough for the sockets. What takes time is the commit, which the store's writer
        // does, and the work on bodies: that has its own threads, twice as many as large bodies may be
        // worked on at a time.
        let runtime = Builder::new_current_thread()
            .max_blocking_threads(2 * LARGE_AT_A_TIME)
            .enable_all()
            .build()
            .map_err(cannot)?;
        let room = Room {
            connections: config.connections_max,
            bytes: BODIES_BYTES_MAX.max(config.body_bytes_max),
            trusted: config.trusted.clone(),
        };
        let limiter = ConnectionLimiter::new(room, clock.clone());
        let intake = Arc::new(Intake::new(store.clone(), clock, config.body_bytes_max));
        let (stop, stopped) = watch::channel(false);
        let thread = std::thread::Builder::new()
            .name("ingest".to_owned())
            .spawn(move || serve(&runtime, socket, &store, &intake, &limiter, stopped))
            .map_err(|error| Error::io("start the listener's thread", error))?;
        Ok(Ingest {
            address,
            stop,
            thread: Some(thread),
        })
    }

    /// Returns the address that is listened on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops the listener.
    ///
    /// It accepts nothing new, waits for requests that are being answered (10 seconds at most), and
    /// returns.
    pub fn stop(mut self) {
        self.join();
    }

    fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            // The listener may have ended by itself; then nobody receives the message.
            let _ = self.stop.send(true);
            if thread.join().is_err() {
                tracing::error!("the listener's thread panicked");
            }
        }
    }
}

impl Drop for Ingest {
    fn drop(&mut self) {
        self.join();
    }
}

fn serve(
    runtime: &Runtime,
    socket: StdListener,
    store: &Store,
    intake: &Arc<Intake>,
    limiter: &Arc<ConnectionLimiter>,
    stopped: watch::Receiver<bool>,
) {
    runtime.block_on(async {
        let listener = match TcpListener::from_std(socket) {
            Ok(listener) => listener,
            Err(error) => {
                tracing::error!(%error, "cannot listen for events");
                return;
            }
        };
        let notes = tokio::spawn(record_rejected(store.clone(), intake.clone()));
        accept(&listener, intake, limiter, stopped).await;
        drop(listener);
        if timeout(STOP_GRACE, limiter.is_gone()).await.is_err() {
            tracing::warn!("stopped while requests were being worked on");
        }
        notes.abort();
    });
    if let Err(error) = write_rejections(store, intake) {
        tracing::warn!(error = error.chain(), "cannot write rejections down");
    }
}

/// Accepts connections until the stop is requested.
async fn accept(
    listener: &TcpListener,
    intake: &Arc<Intake>,
    limiter: &Arc<ConnectionLimiter>,
    mut stopped: watch::Receiver<bool>,
) {
    let is_stopped = stopped.clone();
    let mut since_others = 0;
    loop {
        let next = async {
            limiter.has_room().await;
            listener.accept().await
        };
        let accepted = tokio::select! {
            _ = stopped.changed() => return,
            accepted = next => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                // A connection that gets no place is closed here.
                if let Some(slot) = limiter.enter(peer.ip()) {
                    let slot = Arc::new(slot);
                    let (intake, is_stopped) = (intake.clone(), is_stopped.clone());
                    let task =
                        tokio::spawn(connection(stream, peer, intake, is_stopped, slot.clone()));
                    slot.sits(task.abort_handle());
                }
                // From time to time the open connections get their turn, and the sockets that were closed
                // to make room are released.
                since_others += 1;
                if since_others >= limiter.batch() {
                    since_others = 0;
                    yield_now().await;
                }
            }
            // There are fewer file descriptors than expected, so the oldest connection is closed to release
            // one.
            Err(error)
                if error.raw_os_error().is_some_and(is_out_of_files) && limiter.make_room() =>
            {
                tracing::debug!(%error, "closed a connection to accept another");
                sleep(GRACE_MIN).await;
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection; trying again");
                sleep(ACCEPT_RETRY).await;
            }
        }
    }
}

/// No free file descriptors, in this process or in the whole system.
fn is_out_of_files(error: i32) -> bool {
    [Errno::MFILE, Errno::NFILE]
        .iter()
        .any(|one| one.raw_os_error() == error)
}

/// Serves one connection, from its first request to its last.
async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    intake: Arc<Intake>,
    mut stopped: watch::Receiver<bool>,
    slot: Arc<ConnectionSlot>,
) {
    // A response is one small write; waiting for more data would only delay it.
    let _ = stream.set_nodelay(true);
    let head = Head::new();
    let io = TokioIo::new(Observed {
        stream,
        head: head.clone(),
    });
    let of_request = head.clone();
    let service = service_fn(move |request| {
        let (intake, head, slot) = (intake.clone(), of_request.clone(), slot.clone());
        async move { Ok::<_, Infallible>(intake.answer(request, &head, peer, &slot).await) }
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_DEADLINE)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(io, service);
    let mut stopping = false;
    let ended = loop {
        tokio::select! {
            ended = &mut connection => break ended,
            _ = stopped.changed(), if !stopping => {
                stopping = true;
                std::pin::Pin::new(&mut connection).graceful_shutdown();
            }
        }
    };
    // hyper closes a connection without a response when a head is too slow, or an idle connection has timed
    // out. A sender that had begun a head gets a response with the reason.
    if ended.is_err_and(|error| error.is_timeout()) && head.is_partial() {
        let body = "{\"error\":\"the head did not arrive in time\"}\n";
        let reply = format!(
            "HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut stream = connection.into_parts().io.into_inner().stream;
        let _ = timeout(ACCEPT_RETRY, stream.write_all(reply.as_bytes())).await;
    }
}

/// Writes rejected requests to the database from time to time.
async fn record_rejected(store: Store, intake: Arc<Intake>) {
    let mut period = interval(REFUSALS_PERIOD);
    period.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        period.tick().await;
        if let Some(rejections) = take_rejections(&intake) {
            store.record_rejected_then(rejections, |result| {
                if let Err(error) = result {
                    tracing::warn!(error = error.chain(), "cannot write rejections down");
                }
            });
        }
    }
}

/// Logs the requests rejected since the last time, in one line; returns what is to be written.
fn take_rejections(intake: &Intake) -> Option<Vec<SourceRejections>> {
    let rejections = intake.rejected.take();
    if rejections.requests > 0 {
        tracing::warn!(
            requests = rejections.requests,
            last = rejections.last,
            "event.refused"
        );
    }
    let of_sources: Vec<SourceRejections> = rejections.of_sources.into_values().collect();
    (!of_sources.is_empty()).then_some(of_sources)
}

/// Writes the last rejected requests, and waits for the commit.
fn write_rejections(store: &Store, intake: &Intake) -> Result<()> {
    take_rejections(intake).map_or(Ok(()), |rejections| store.record_rejected(rejections))
}
