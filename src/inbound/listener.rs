//! The listener: sockets, deadlines, the cap on connections, and an orderly stop.

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

use super::crowd::{Crowd, GRACE_MIN, Room, Seat};
use super::head::{HEAD_BYTES_MAX, HEADERS_MAX, Head, Observed};
use super::receive::{BODIES_BYTES_MAX, Intake, LARGE_AT_A_TIME};
use crate::error::{Error, Result};
use crate::model::event::BODY_BYTES_MAX;
use crate::store::{SourceRefusals, Store};
use crate::time::Clock;

/// Connections at a time. Each may wait for a group commit, none holds a thread.
pub const CONNECTIONS_MAX: usize = 1024;

/// How long a head may take to arrive, and how long a connection may sit idle between requests.
const HEAD_DEADLINE: Duration = Duration::from_secs(10);

/// How long a stop waits for requests that are being worked on.
const STOP_GRACE: Duration = Duration::from_secs(10);

/// How often refusals are written down.
const REFUSALS_PERIOD: Duration = Duration::from_secs(1);

/// Wait after a failed `accept`, e.g. when file descriptors run out; trying again at once would
/// spin.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// How the listener is set.
#[derive(Debug, Clone)]
pub struct IngestConfig {
    /// Where to listen; port 0 takes a free one.
    pub address: SocketAddr,
    /// Largest body, in bytes.
    pub body_bytes_max: usize,
    /// Connections at a time; [`CONNECTIONS_MAX`] unless there are too few file descriptors.
    pub connections_max: usize,
    /// Proxies, behind which are many: their connections are not held to one address's share. This
    /// machine is one of them.
    pub trusted: Vec<IpNet>,
}

impl IngestConfig {
    /// As usual, at this address.
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
    /// Binds the address; who connects waits for [`Ingest::start`].
    ///
    /// # Errors
    /// [`Error::Io`] when that cannot be done.
    pub fn bind(config: &IngestConfig) -> Result<StdListener> {
        StdListener::bind(config.address)
            .map_err(|error| Error::io(format!("listen on {} for events", config.address), error))
    }

    /// Starts taking events in at a bound address, on a thread of its own.
    ///
    /// # Errors
    /// [`Error::Io`] when the socket cannot be used or there is no thread to be had.
    pub fn start(
        socket: StdListener,
        store: Store,
        clock: Arc<dyn Clock>,
        config: &IngestConfig,
    ) -> Result<Ingest> {
        let cannot = |error| Error::io("take events in", error);
        socket.set_nonblocking(true).map_err(cannot)?;
        let address = socket.local_addr().map_err(cannot)?;
        // One thread is plenty for sockets: what takes time is the commit, and that is the writer's, and
        // work on bodies, for which there are as many threads as large ones at a time, and as many again.
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
        let crowd = Crowd::new(room, clock.clone());
        let intake = Arc::new(Intake::new(store.clone(), clock, config.body_bytes_max));
        let (stop, stopped) = watch::channel(false);
        let thread = std::thread::Builder::new()
            .name("ingest".to_owned())
            .spawn(move || serve(&runtime, socket, &store, &intake, &crowd, stopped))
            .map_err(|error| Error::io("start the listener's thread", error))?;
        Ok(Ingest {
            address,
            stop,
            thread: Some(thread),
        })
    }

    /// The address that is listened on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops taking in, lets requests that are being worked on end (10 seconds at most), and
    /// returns.
    pub fn stop(mut self) {
        self.join();
    }

    fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            // The listener may have ended by itself; then there is nobody to tell.
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
    crowd: &Arc<Crowd>,
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
        let notes = tokio::spawn(note_refusals(store.clone(), intake.clone()));
        accept(&listener, intake, crowd, stopped).await;
        drop(listener);
        if timeout(STOP_GRACE, crowd.is_gone()).await.is_err() {
            tracing::warn!("stopped while requests were being worked on");
        }
        notes.abort();
    });
    if let Err(error) = write_refusals(store, intake) {
        tracing::warn!(error = error.chain(), "cannot write refusals down");
    }
}

/// Accepts connections until it is told to stop.
async fn accept(
    listener: &TcpListener,
    intake: &Arc<Intake>,
    crowd: &Arc<Crowd>,
    mut stopped: watch::Receiver<bool>,
) {
    let is_stopped = stopped.clone();
    let mut since_others = 0;
    loop {
        let next = async {
            crowd.has_room().await;
            listener.accept().await
        };
        let accepted = tokio::select! {
            _ = stopped.changed() => return,
            accepted = next => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                // Where there is no place for it, it is closed.
                if let Some(seat) = crowd.enter(peer.ip()) {
                    let seat = Arc::new(seat);
                    let (intake, is_stopped) = (intake.clone(), is_stopped.clone());
                    let task =
                        tokio::spawn(connection(stream, peer, intake, is_stopped, seat.clone()));
                    seat.sits(task.abort_handle());
                }
                // Others get their turn now and then, and sockets that were closed for these are given back.
                since_others += 1;
                if since_others >= crowd.batch() {
                    since_others = 0;
                    yield_now().await;
                }
            }
            // There are fewer file descriptors than were counted on: the oldest gives one back.
            Err(error)
                if error.raw_os_error().is_some_and(is_out_of_files) && crowd.make_room() =>
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

/// Of this process, or of the whole system.
fn is_out_of_files(error: i32) -> bool {
    [Errno::MFILE, Errno::NFILE]
        .iter()
        .any(|one| one.raw_os_error() == error)
}

/// One connection, from its first request to its last.
async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    intake: Arc<Intake>,
    mut stopped: watch::Receiver<bool>,
    seat: Arc<Seat>,
) {
    // An answer is one small write; waiting for more to send would only delay it.
    let _ = stream.set_nodelay(true);
    let head = Head::new();
    let io = TokioIo::new(Observed {
        stream,
        head: head.clone(),
    });
    let of_request = head.clone();
    let service = service_fn(move |request| {
        let (intake, head, seat) = (intake.clone(), of_request.clone(), seat.clone());
        async move { Ok::<_, Infallible>(intake.answer(request, &head, peer, &seat).await) }
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
    // hyper closes without a word when a head is too slow (or an idle connection has had its
    // time); a sender that had begun is told why.
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

/// Writes refusals down from time to time.
async fn note_refusals(store: Store, intake: Arc<Intake>) {
    let mut period = interval(REFUSALS_PERIOD);
    period.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        period.tick().await;
        if let Some(refusals) = tell_refusals(&intake) {
            store.note_refusals_then(refusals, |result| {
                if let Err(error) = result {
                    tracing::warn!(error = error.chain(), "cannot write refusals down");
                }
            });
        }
    }
}

/// Logs what was refused since the last time in one line; returns what is to be written down.
fn tell_refusals(intake: &Intake) -> Option<Vec<SourceRefusals>> {
    let refusals = intake.take_refusals();
    if refusals.requests > 0 {
        tracing::warn!(
            requests = refusals.requests,
            last = refusals.last,
            "event.refused"
        );
    }
    let of_sources: Vec<SourceRefusals> = refusals.of_sources.into_values().collect();
    (!of_sources.is_empty()).then_some(of_sources)
}

/// Writes the last refusals down, waiting for the commit.
fn write_refusals(store: &Store, intake: &Intake) -> Result<()> {
    tell_refusals(intake).map_or(Ok(()), |refusals| store.note_refusals(refusals))
}
