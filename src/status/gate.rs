//! The gate in front of tiny_http: the public socket, its deadlines and its limits.
//!
//! tiny_http has no read timeouts and no limit on heads, uses a thread for every connection, and reserves
//! memory for whatever length a request declares. So clients never speak to it directly: the gate reads one
//! whole, small request within a deadline, sends it on through a private socket, and passes the response
//! back. It must never let through what it has not read and measured.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::json;

use super::connections::{Connections, Place};
use super::private_socket::PrivateSocket;
use crate::error::{Error, Result};
use crate::time::Clock;

/// How long a whole request may take to arrive, and how long a client may stop reading.
const DEADLINE: Duration = Duration::from_secs(10);

/// How long a client may take to read a whole response.
const REPLY_DEADLINE: Duration = Duration::from_secs(60);

/// Paths that are answered even if all places are taken by requests in progress.
pub(super) const HEALTH: [&str; 2] = ["/healthz", "/readyz"];

/// Most bytes of a head, and most headers in it.
const HEAD_BYTES_MAX: usize = 16 * 1024;
const HEADERS_MAX: usize = 64;

/// Most bytes of a request body for the API: an event's body in JSON.
pub(super) const BODY_BYTES_MAX: usize = 1536 * 1024;

/// Most bytes of a posted form: an edited body of 64 KiB, in which a form uses six bytes for a line break.
pub(super) const FORM_BYTES_MAX: usize = 512 * 1024;

/// The header in which the gate reports the client's address to the server after it.
pub(super) const CLIENT_HEADER: &str = "X-Hookbox-Client";

/// Wait after a failed `accept`, e.g. when file descriptors run out.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// Where tiny_http listens now; the place changes when the server had to be created again.
pub(super) type Inner = Arc<Mutex<Arc<PrivateSocket>>>;

/// The lock on that place is never held by a thread that panics.
pub(super) const NO_PANIC: &str = "nobody panics with the socket's place locked";

/// Connects to tiny_http.
pub(super) fn connect(inner: &Inner) -> io::Result<UnixStream> {
    let hidden = inner.lock().expect(NO_PANIC).clone();
    hidden.connect()
}

/// The accepting thread. Dropping it stops accepting.
#[derive(Debug)]
pub(super) struct Gate {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Gate {
    pub(super) fn start(socket: TcpListener, inner: Inner, clock: Arc<dyn Clock>) -> Result<Gate> {
        let cannot = |error| Error::io("start the status page", error);
        let address = socket.local_addr().map_err(cannot)?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::Builder::new()
            .name("status-gate".to_owned())
            .spawn(move || accept(&socket, &inner, &clock, &stopped))
            .map_err(cannot)?;
        Ok(Gate {
            address,
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // The accepting thread checks the flag only when a client connects, so connect to it.
        if let Ok(stream) = TcpStream::connect_timeout(&self.address, DEADLINE) {
            let _ = stream.shutdown(Shutdown::Both);
        }
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the status page's gate panicked");
        }
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "accepting at once would spin while there are no sockets to be had, or close who has just come"
)]
fn accept(socket: &TcpListener, inner: &Inner, clock: &Arc<dyn Clock>, stop: &AtomicBool) {
    let connections = Arc::new(Connections::default());
    loop {
        let accepted = socket.accept();
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let entered = accepted.map(|(stream, peer)| {
            std::thread::sleep(connections.wait(peer.ip(), clock.elapsed()));
            let stream = Arc::new(stream);
            let place = connections.enter(stream.clone(), peer.ip(), clock.elapsed());
            (stream, place)
        });
        let (stream, place) = match entered {
            Ok((stream, Some(place))) => (stream, place),
            // All places are taken by requests in progress, so the connection is closed.
            Ok((_, None)) => continue,
            Err(error) => {
                tracing::warn!(%error, "the status page cannot accept a connection; trying again");
                std::thread::sleep(ACCEPT_RETRY);
                continue;
            }
        };
        let (inner, clock) = (inner.clone(), clock.clone());
        let started = std::thread::Builder::new()
            .name("status-client".to_owned())
            .spawn(move || {
                // A client that disconnects or is too slow is not an error of ours.
                let _ = relay(&stream, &place, &inner, clock.as_ref());
            });
        if let Err(error) = started {
            tracing::warn!(%error, "too few threads for the status page");
        }
    }
}

/// Serves one connection: one request, one response.
fn relay(client: &TcpStream, place: &Place, inner: &Inner, clock: &dyn Clock) -> io::Result<()> {
    let deadline = clock.elapsed() + DEADLINE;
    let address = client.peer_addr()?.ip().to_canonical();
    let request = match read_request(client, address, deadline, clock) {
        Ok(Ok(request)) => request,
        Ok(Err(refusal)) => return refuse(client, refusal),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            return refuse(client, "408 Request Timeout");
        }
        Err(error) => return Err(error),
    };
    if place.is_for_health() && !HEALTH.contains(&request.path.as_str()) {
        return refuse(client, "503 Service Unavailable");
    }
    place.works(true);
    let mut server = connect(inner)?;
    server.write_all(&request.head)?;
    server.write_all(&request.body)?;
    // The whole response is read first, so that a slow client does not block tiny_http.
    let mut reply = Vec::new();
    server.read_to_end(&mut reply)?;
    place.works(false);
    let deadline = clock.elapsed() + REPLY_DEADLINE;
    let mut rest = reply.as_slice();
    while !rest.is_empty() {
        let left = deadline.saturating_sub(clock.elapsed());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        client.set_write_timeout(Some(left.min(DEADLINE)))?;
        let mut to = client;
        match to.write(rest)? {
            0 => return Err(ErrorKind::WriteZero.into()),
            count => rest = &rest[count..],
        }
    }
    client.shutdown(Shutdown::Both)
}

/// A request, written anew.
struct Written {
    /// The path, without the query.
    path: String,
    head: Vec<u8>,
    body: Vec<u8>,
}

/// Reads one request and writes it anew: only what was understood is passed on.
fn read_request(
    client: &TcpStream,
    address: IpAddr,
    deadline: Duration,
    clock: &dyn Clock,
) -> io::Result<std::result::Result<Written, &'static str>> {
    let mut bytes = Vec::new();
    let head_bytes = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        if bytes.len() >= HEAD_BYTES_MAX {
            return Ok(Err("431 Request Header Fields Too Large"));
        }
        read_some(client, &mut bytes, deadline, clock)?;
    };
    let mut slots = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut parsed = httparse::Request::new(&mut slots);
    let head = bytes[..head_bytes].to_vec();
    let (Ok(_), Some(method), Some(path)) = (parsed.parse(&head), parsed.method, parsed.path)
    else {
        return Ok(Err("400 Bad Request"));
    };
    let mut passed =
        format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n{CLIENT_HEADER}: {address}\r\n")
            .into_bytes();
    let mut body_bytes = None;
    let mut hosts = 0;
    for header in parsed.headers.iter() {
        match header.name.to_ascii_lowercase().as_str() {
            "content-length" => {
                let length = std::str::from_utf8(header.value).ok().map(str::trim);
                let length = length.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
                let length = length.and_then(|text| text.parse().ok());
                // With two different lengths another server would see two requests (RFC 9112, section 6.3).
                if length.is_none() || body_bytes.is_some_and(|held| Some(held) != length) {
                    return Ok(Err("400 Bad Request"));
                }
                body_bytes = length;
            }
            "transfer-encoding" => return Ok(Err("411 Length Required")),
            "host" if hosts > 0 => return Ok(Err("400 Bad Request")),
            "connection" | "keep-alive" | "expect" | "upgrade" | "x-hookbox-client" => {}
            // tiny_http closes the connection if a header is not ASCII. A cookie like that belongs to
            // another program on this machine, so it is dropped and the request goes on.
            "cookie" if !header.value.is_ascii() => {}
            _ if !header.value.is_ascii() => return Ok(Err("400 Bad Request")),
            name => {
                hosts += usize::from(name == "host");
                passed.extend_from_slice(header.name.as_bytes());
                passed.extend_from_slice(b": ");
                passed.extend_from_slice(header.value);
                passed.extend_from_slice(b"\r\n");
            }
        }
    }
    let bytes_max = if path.starts_with("/api/") {
        BODY_BYTES_MAX
    } else {
        FORM_BYTES_MAX
    };
    // RFC 9112, section 3.2: an HTTP/1.1 request has exactly one Host header, and no request has more than
    // one.
    if hosts == 0 && parsed.version == Some(1) {
        return Ok(Err("400 Bad Request"));
    }
    let body_bytes: usize = body_bytes.unwrap_or(0);
    if body_bytes > bytes_max {
        return Ok(Err("413 Content Too Large"));
    }
    while bytes.len() < head_bytes + body_bytes {
        read_some(client, &mut bytes, deadline, clock)?;
    }
    passed.extend_from_slice(format!("Content-Length: {body_bytes}\r\n\r\n").as_bytes());
    let mut body = bytes.split_off(head_bytes);
    body.truncate(body_bytes);
    Ok(Ok(Written {
        path: path.split('?').next().unwrap_or_default().to_owned(),
        head: passed,
        body,
    }))
}

/// Reads what has arrived, within the rest of the deadline.
fn read_some(
    client: &TcpStream,
    bytes: &mut Vec<u8>,
    deadline: Duration,
    clock: &dyn Clock,
) -> io::Result<()> {
    let left = deadline.saturating_sub(clock.elapsed());
    if left.is_zero() {
        return Err(ErrorKind::TimedOut.into());
    }
    client.set_read_timeout(Some(left))?;
    let mut chunk = [0; 4096];
    let mut from = client;
    match from.read(&mut chunk)? {
        0 => Err(ErrorKind::UnexpectedEof.into()),
        count => {
            bytes.extend_from_slice(&chunk[..count]);
            Ok(())
        }
    }
}

fn refuse(mut client: &TcpStream, status: &str) -> io::Result<()> {
    let (code, title) = status.split_once(' ').unwrap_or((status, ""));
    let number: u16 = code.parse().unwrap_or(400);
    // The form of RFC 9457, since API clients also connect here.
    let body = json!({
        "type": "about:blank",
        "title": title,
        "status": number,
        "detail": format!("the request was refused before it was read: {title}"),
    });
    let body = format!("{body}\n");
    let reply = format!(
        "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Type: application/problem+json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    client.write_all(reply.as_bytes())?;
    client.shutdown(Shutdown::Both)
}
