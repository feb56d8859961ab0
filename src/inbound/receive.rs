//! Turns one request into a stored event and a response.
//!
//! The order of checks is part of the contract: path, method, size, body, signature, and only then the
//! store. A 2xx is given only after the commit.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::header::{
    ALLOW, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HOST, HeaderValue, RETRY_AFTER,
    TRANSFER_ENCODING,
};
use hyper::http::request::Parts;
use hyper::http::uri::Authority;
use hyper::{Method, Request, Response, StatusCode, Version};
use serde_json::{Value, json};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::{spawn_blocking, yield_now};
use tokio::time::{sleep, timeout};

use super::connection_limiter::ConnectionSlot;
use super::handshake::{self, Answered};
use super::head::{HEAD_BYTES_MAX, Head};
use super::provider::{Received, describe, verify};
use crate::error::Error;
use crate::model::check_name;
use crate::model::event::{Accepted, NewEvent};
use crate::model::header::Header;
use crate::model::hops;
use crate::model::id::SourceId;
use crate::model::rejected::RejectedRequest;
use crate::model::source::{SenderAuth, Source};
use crate::panics::catch_panic;
use crate::signature::{Rejection, Secret};
use crate::store::{DIRECTORY_AGE_MAX, SourceRejections, Store};
use crate::time::{Clock, Timestamp};

/// How long a body may take to arrive. Gogs gives up on the whole exchange after 15 seconds.
const BODY_DEADLINE: Duration = Duration::from_secs(10);

/// Bytes of bodies held in memory at a time, over all connections.
pub(super) const BODIES_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Most different rejected requests of a source that are kept in full between two writes (one second); of
/// the others only the count is kept.
///
/// Otherwise a flood of requests would become a flood of rows.
const NOTED_MAX: usize = 10;

/// Smaller bodies are processed on the listener's thread, in bytes: processing takes about 20 microseconds
/// per KiB, and a change of threads takes 50.
const LIGHT_BYTES: usize = 4 * 1024;

/// Bodies of this size or larger are processed only a few at a time, in bytes.
const LARGE_BYTES: usize = 256 * 1024;

/// The part of a body beyond this size is read in turns, in bytes.
const FAIR_BYTES: usize = 64 * 1024;

/// Large bodies processed at a time: one for each core of a small box.
pub(super) const LARGE_AT_A_TIME: usize = 2;

/// How much of a refused body is still read.
const DRAINED_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The wait in `Retry-After` when nothing can be stored now, in seconds.
const RETRY_AFTER_S: u32 = 5;

/// How much memory is reserved for a declared length before a byte has come.
const PREALLOCATED_BYTES_MAX: usize = 16 * 1024;

pub(super) type Reply = Response<Full<Bytes>>;

/// What all connections share.
pub(super) struct Intake {
    store: Store,
    clock: Arc<dyn Clock>,
    body_bytes_max: usize,
    /// Limits the large bodies processed at a time.
    large: Semaphore,
    /// Limits the large bodies that are read from at a time.
    reading: Semaphore,
    refusals: Mutex<Refusals>,
}

/// Requests rejected since the last [`Intake::take_refusals`].
#[derive(Debug, Default)]
pub(super) struct Refusals {
    /// Rejected requests of each source.
    pub(super) of_sources: HashMap<SourceId, SourceRejections>,
    /// Number of all rejected requests, including those to unknown sources.
    pub(super) requests: u64,
    /// The response to the last one.
    pub(super) last: String,
}

/// Why a request is rejected: the status and the text of the response.
struct Refusal {
    status: StatusCode,
    text: String,
    /// The reason for the operator, if it says more than the response.
    reason: Option<&'static str>,
    /// Name of the header with a malformed signature, if there is one: somebody may have pasted a secret
    /// into it.
    malformed: Option<String>,
}

impl Refusal {
    fn new(status: StatusCode, text: impl Into<String>) -> Refusal {
        Refusal {
            status,
            text: text.into(),
            reason: None,
            malformed: None,
        }
    }

    fn because(self, reason: &'static str) -> Refusal {
        Refusal {
            reason: Some(reason),
            ..self
        }
    }
}

/// What an accepted request was.
enum Taken {
    Event(Accepted),
    Handshake(Answered),
}

/// The target of a request: the path after `/in/`.
struct Way {
    name: String,
    token: Option<String>,
}

impl Way {
    fn read(rest: &str) -> Way {
        // A slash at the end is a typing error in the URL.
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        match rest.split_once('/') {
            Some((name, token)) => Way {
                name: name.to_owned(),
                token: Some(token.to_owned()),
            },
            None => Way {
                name: rest.to_owned(),
                token: None,
            },
        }
    }
}

impl Intake {
    pub(super) fn new(store: Store, clock: Arc<dyn Clock>, body_bytes_max: usize) -> Intake {
        Intake {
            store,
            clock,
            body_bytes_max,
            large: Semaphore::new(LARGE_AT_A_TIME),
            reading: Semaphore::new(LARGE_AT_A_TIME),
            refusals: Mutex::default(),
        }
    }

    /// Answers one request from the peer's address.
    pub(super) async fn answer(
        &self,
        request: Request<Incoming>,
        head: &Head,
        peer: SocketAddr,
        slot: &ConnectionSlot,
    ) -> Reply {
        if let Some(why) = ambiguous(&request) {
            let refusal = Refusal::new(StatusCode::BAD_REQUEST, why);
            let mut reply = refuse(&refusal);
            // The unread body makes it impossible to know where the next request begins.
            let close = HeaderValue::from_static("close");
            reply.headers_mut().insert(CONNECTION, close);
            return reply;
        }
        let reply = match request.uri().path() {
            "/healthz" => health(request.method()),
            path => match path.strip_prefix("/in/") {
                Some(rest) => {
                    let way = Way::read(rest);
                    let (parts, body) = request.into_parts();
                    let mut headers = head.take(&parts.headers);
                    match self.take_in(&way, &parts, &mut headers, body, slot).await {
                        Ok(Taken::Event(accepted)) => self.accepted(&accepted),
                        Ok(Taken::Handshake(answered)) => answer(answered),
                        Err(refusal) => {
                            self.note_refusal(&way.name, &refusal, &headers, peer);
                            refuse(&refusal)
                        }
                    }
                }
                None => refuse(&Refusal::new(
                    StatusCode::NOT_FOUND,
                    "no such path; events go to /in/SOURCE",
                )),
            },
        };
        head.answered();
        reply
    }

    /// Takes an event in, or says why not.
    ///
    /// After the event is stored, the headers belong to it.
    async fn take_in(
        &self,
        way: &Way,
        parts: &Parts,
        headers: &mut Vec<Header>,
        mut body: Incoming,
        slot: &ConnectionSlot,
    ) -> Result<Taken, Refusal> {
        let source = self.source(&way.name).await?;
        if !source.is_path_token(way.token.as_deref()) {
            // The response is the same as for an unknown source, so that a stranger learns nothing.
            return Err(no_source(&way.name).because(match source.path_token {
                Some(_) => "the path's token is missing or wrong",
                None => "the path goes on after the source's name, and the source has no token",
            }));
        }
        let handshake = source.generic.handshake;
        if let Some(answered) = handshake.and_then(|one| handshake::before_body(one, parts)) {
            return Ok(Taken::Handshake(answered));
        }
        if parts.method != Method::POST {
            let text = format!("{} is not allowed here; POST the event", parts.method);
            return Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, text));
        }
        let declared = declared_bytes(&parts.headers);
        if let Some(bytes) = declared.filter(|bytes| *bytes > self.body_bytes_max) {
            // A sender that uses `Expect` asks before it sends the body, so there is nothing to read.
            if !parts.headers.contains_key(EXPECT) {
                drain(&mut body).await;
            }
            return Err(too_large(bytes, self.body_bytes_max));
        }
        if let Some(why) = hops::why_not(headers, self.store.box_id(), &source.name) {
            return Err(Refusal::new(StatusCode::LOOP_DETECTED, why));
        }
        let head_bytes: usize = headers
            .iter()
            .map(|(name, value)| name.len() + value.len() + 4)
            .sum();
        if head_bytes > HEAD_BYTES_MAX {
            let text = format!("the headers are {head_bytes} bytes, limit is {HEAD_BYTES_MAX}");
            return Err(Refusal::new(
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                text,
            ));
        }
        let read = timeout(BODY_DEADLINE, self.read_body(&mut body, declared, slot)).await;
        let body = match read {
            Ok(Err(refusal)) => {
                if refusal.status == StatusCode::PAYLOAD_TOO_LARGE {
                    drain(&mut body).await;
                }
                return Err(refusal);
            }
            Ok(Ok(read)) => read,
            Err(_) => {
                let text = format!(
                    "the body did not arrive within {}s",
                    BODY_DEADLINE.as_secs()
                );
                return Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, text));
            }
        };
        let _working = slot.works();
        // Large bodies are limited to two at a time: processing one takes many times its size in memory.
        let _turn = match body.len() {
            LARGE_BYTES.. => Some(self.large.acquire().await),
            _ => None,
        };
        let now = self.clock.now();
        let admitted = if self.is_light(&source, body.len()) {
            catch_panic(|| admit(&self.store, &source, now, headers, body))
        } else {
            let (store, of) = (self.store.clone(), source.clone());
            let mut taken = std::mem::take(headers);
            let worked = spawn_blocking(move || {
                let admitted = catch_panic(|| admit(&store, &of, now, &mut taken, body));
                (admitted, taken)
            });
            let (admitted, taken) = worked
                .await
                .map_err(|_| unavailable("the listener stops"))?;
            *headers = taken;
            admitted
        };
        let admitted = admitted.unwrap_or_else(|fault| {
            tracing::error!(source = source.name, fault, "event.fault");
            Err(not_stored())
        });
        let stored = match admitted? {
            Admitted::Handshake(answered) => return Ok(Taken::Handshake(answered)),
            Admitted::Event(stored) => stored,
        };
        let result = stored.await.unwrap_or(Err(Error::Stopped));
        match result {
            Ok(accepted) => Ok(Taken::Event(accepted)),
            Err(error) => Err(cannot_store(&error, &source)),
        }
    }

    /// Reads a body, and stops at the size limit.
    ///
    /// Memory is reserved as bytes arrive, and released after the request is answered.
    async fn read_body(
        &self,
        body: &mut Incoming,
        declared: Option<usize>,
        slot: &ConnectionSlot,
    ) -> Result<Vec<u8>, Refusal> {
        let mut bytes = Vec::with_capacity(declared.unwrap_or(0).min(PREALLOCATED_BYTES_MAX));
        while let Some(frame) = self.next_frame(body, bytes.len()).await {
            let frame = frame.map_err(|error| {
                Refusal::new(
                    StatusCode::BAD_REQUEST,
                    format!("the body broke off: {error}"),
                )
            })?;
            let Some(data) = frame.data_ref() else {
                continue;
            };
            let total = bytes.len() + data.len();
            if total > self.body_bytes_max {
                return Err(too_large(total, self.body_bytes_max));
            }
            slot.hold(total).await;
            bytes.extend_from_slice(data);
        }
        Ok(bytes)
    }

    /// Reads the next piece of a body of which `bytes` bytes have arrived.
    ///
    /// All connections share one thread. So only a few large bodies are read at a time, one piece each, and
    /// hundreds of them do not delay a small one. A body whose next piece has not arrived gives its turn to
    /// others while it waits.
    async fn next_frame(
        &self,
        body: &mut Incoming,
        bytes: usize,
    ) -> Option<Result<Frame<Bytes>, hyper::Error>> {
        if bytes < FAIR_BYTES {
            return body.frame().await;
        }
        yield_now().await;
        let turn = self.reading.acquire().await;
        let mut frame = body.frame();
        let there = poll_fn(|cx| Poll::Ready(Pin::new(&mut frame).poll(cx))).await;
        drop(turn);
        match there {
            Poll::Ready(frame) => frame,
            Poll::Pending => frame.await,
        }
    }

    fn accepted(&self, accepted: &Accepted) -> Reply {
        let id = self.store.box_id().event(accepted.id);
        if accepted.duplicate {
            let body = json!({
                "id": id,
                "duplicate": true,
                "replayed": accepted.deliveries,
                "made_due": accepted.made_due,
            });
            reply(StatusCode::OK, &body)
        } else {
            reply(StatusCode::ACCEPTED, &json!({ "id": id }))
        }
    }

    /// Whether processing a body takes less time than moving it to another thread.
    ///
    /// All connections share this thread. The time of an expression cannot be known, so it counts as long.
    fn is_light(&self, source: &Source, bytes: usize) -> bool {
        let directory = self.store.directory();
        let mut endpoints = directory.endpoints().iter();
        bytes < LIGHT_BYTES
            && !source.generic.has_expressions()
            && endpoints.all(|endpoint| endpoint.set.filters.when.is_none())
    }

    /// Returns the source of this name, even if it was added a moment ago.
    ///
    /// The database is not read here: that could take seconds while another program has its lock. The store
    /// itself notices new sources, so this waits for that.
    async fn source(&self, name: &str) -> Result<Arc<Source>, Refusal> {
        let known = || self.store.directory().source(name).cloned();
        if let Some(source) = known() {
            return Ok(source);
        }
        let polls = self.store.polls();
        sleep(DIRECTORY_AGE_MAX).await;
        match known() {
            Some(source) => Ok(source),
            None if self.store.polls() == polls => {
                Err(unavailable("the sources cannot be read now"))
            }
            None => Err(no_source(name)),
        }
    }

    fn note_refusal(&self, name: &str, refusal: &Refusal, headers: &[Header], peer: SocketAddr) {
        let why = refusal.reason.unwrap_or(&refusal.text);
        let mut refusals = self
            .refusals
            .lock()
            .expect("nobody panics with the refusals locked");
        refusals.requests += 1;
        refusals.last = format!("{} {why}", refusal.status.as_u16());
        let directory = self.store.directory();
        let Some(source) = directory.source(name) else {
            return;
        };
        let of_source = refusals
            .of_sources
            .entry(source.id)
            .or_insert_with(|| SourceRejections {
                source: source.id,
                count: 0,
                latest: Vec::new(),
            });
        of_source.count += 1;
        let mut secrets: Vec<&Secret> = source.secret.iter().chain(&source.path_token).collect();
        secrets.extend(source.old_secrets.iter().map(|old| &old.secret));
        let record = RejectedRequest {
            at: self.clock.now(),
            count: 1,
            address: peer.ip().to_string(),
            status: refusal.status.as_u16(),
            reason: why.to_owned(),
            headers: RejectedRequest::kept_headers(headers, &secrets, refusal.malformed.as_deref()),
        };
        let latest = &mut of_source.latest;
        let same = latest.iter().position(|held| {
            (&held.address, held.status, &held.reason)
                == (&record.address, record.status, &record.reason)
        });
        match same {
            Some(index) => {
                let count = latest.remove(index).count + 1;
                latest.push(RejectedRequest { count, ..record });
            }
            None => {
                if latest.len() == NOTED_MAX {
                    latest.remove(0);
                }
                latest.push(record);
            }
        }
    }

    /// Returns the requests rejected since the last call, and starts anew.
    ///
    /// They are written and logged together: a flood of bad requests must become neither a flood of commits
    /// nor of log lines.
    pub(super) fn take_refusals(&self) -> Refusals {
        std::mem::take(
            &mut self
                .refusals
                .lock()
                .expect("nobody panics with the refusals locked"),
        )
    }
}

/// Reads the rest of a refused body and discards it.
///
/// A sender that is still sending when the connection closes sees a reset, and never the response that says
/// what is wrong.
async fn drain(body: &mut Incoming) {
    let read = async {
        let mut bytes = 0;
        while let Some(Ok(frame)) = body.frame().await {
            bytes += frame.data_ref().map_or(0, Bytes::len);
            if bytes > DRAINED_BYTES_MAX {
                return;
            }
        }
    };
    // A sender that takes longer will not see the response.
    let _ = timeout(BODY_DEADLINE, read).await;
}

/// A verified request.
enum Admitted {
    /// Receives the result when the event is on disk.
    Event(oneshot::Receiver<crate::error::Result<Accepted>>),
    Handshake(Answered),
}

/// Verifies a request, describes its event, and hands it to the store.
///
/// The returned receiver reports when the event is on disk.
fn admit(
    store: &Store,
    source: &Source,
    now: Timestamp,
    headers: &mut Vec<Header>,
    body: Vec<u8>,
) -> Result<Admitted, Refusal> {
    let received = Received {
        headers,
        body: &body,
    };
    verify(source, &received, now).map_err(unverified)?;
    let handshake = source.generic.handshake;
    if let Some(answered) = handshake.and_then(|one| handshake::of_body(one, &body)) {
        return Ok(Admitted::Handshake(answered));
    }
    let described = describe(source, &received);
    let content_type = received.content_type().map(str::to_owned);
    let mut event = NewEvent {
        source: Some(source.id),
        original_type: described.original_type,
        key: described.key,
        problem: described.problem,
        content_type,
        ..NewEvent::new(described.event_type, body)
    };
    event
        .check()
        .map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, error.to_string()))?;
    event.headers = std::mem::take(headers);
    if let Some(SenderAuth::Header(secret)) = &source.generic.auth {
        // This header holds the source's secret. It would be shown and passed on: its name need not look
        // like that of a credential.
        event
            .headers
            .retain(|(name, _)| !name.eq_ignore_ascii_case(secret));
    }
    let (sender, receiver) = oneshot::channel();
    store.accept_then(event, now, move |result| {
        // The client may have disconnected by now; the event is stored all the same.
        let _ = sender.send(result);
    });
    Ok(Admitted::Event(receiver))
}

/// Rejects a request that does not prove its sender.
fn unverified(rejection: Rejection) -> Refusal {
    let text = rejection.to_string();
    let malformed = match rejection {
        Rejection::Malformed { header, .. } | Rejection::WrongToken { header } => {
            Some(header.into_owned())
        }
        _ => None,
    };
    Refusal {
        malformed,
        ..Refusal::new(StatusCode::UNAUTHORIZED, text)
    }
}

/// Returns the response for an event that was not stored.
fn cannot_store(error: &Error, source: &Source) -> Refusal {
    match error {
        Error::Misuse(text) => Refusal::new(StatusCode::BAD_REQUEST, text.clone()),
        Error::NotFound(_) => no_source(&source.name),
        _ => {
            if error.is_unavailable() {
                // The store itself reports once that it cannot write.
                unavailable("the event cannot be stored now")
            } else {
                tracing::error!(
                    source = source.name,
                    error = error.chain(),
                    "cannot store an event"
                );
                not_stored()
            }
        }
    }
}

fn not_stored() -> Refusal {
    let text = "the event could not be stored";
    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, text)
}

/// Returns why a proxy might read this request differently (RFC 9112, sections 3.2, 6.1 and 6.3).
///
/// What hyper's parser itself refuses is not checked again.
fn ambiguous(request: &Request<Incoming>) -> Option<&'static str> {
    let headers = request.headers();
    let mut hosts = headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) if request.version() == Version::HTTP_11 => {
            return Some("a Host header is missing");
        }
        (Some(_), Some(_)) => return Some("there is more than one Host header"),
        (Some(host), None) if !is_host(host) => return Some("the Host header holds no host"),
        _ => {}
    }
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => None,
        (Some(one), None) if one.as_bytes().eq_ignore_ascii_case(b"chunked") => None,
        _ => Some("the Transfer-Encoding is not `chunked`, once"),
    }
}

fn is_host(value: &HeaderValue) -> bool {
    let bytes = value.as_bytes();
    bytes.is_empty() || (!bytes.contains(&b'@') && Authority::try_from(bytes).is_ok())
}

fn declared_bytes(headers: &hyper::HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn health(method: &Method) -> Reply {
    if matches!(*method, Method::GET | Method::HEAD) {
        return reply(StatusCode::OK, &json!({ "status": "ok" }));
    }
    let mut refused = refuse(&Refusal::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "GET this path",
    ));
    refused
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    refused
}

fn no_source(name: &str) -> Refusal {
    let text = if check_name(name).is_ok() {
        format!("no source named {name}; add it with: hookbox source add {name} --kind KIND")
    } else {
        "no such source; events go to /in/NAME, and `hookbox source list` shows the names"
            .to_owned()
    };
    Refusal::new(StatusCode::NOT_FOUND, text)
}

fn too_large(bytes: usize, bytes_max: usize) -> Refusal {
    let text = format!("body is {bytes} bytes or more, limit is {bytes_max}; see serve --body-max");
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, text)
}

fn unavailable(why: &str) -> Refusal {
    Refusal::new(
        StatusCode::SERVICE_UNAVAILABLE,
        format!("{why}; nothing was kept, send it again"),
    )
}

fn refuse(refusal: &Refusal) -> Reply {
    let mut reply = reply(refusal.status, &json!({ "error": refusal.text }));
    let headers = reply.headers_mut();
    match refusal.status {
        StatusCode::METHOD_NOT_ALLOWED => {
            headers.insert(ALLOW, HeaderValue::from_static("POST"));
        }
        StatusCode::SERVICE_UNAVAILABLE => {
            headers.insert(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_S));
        }
        // Marks the refusal as permanent for the sender, which is another hookbox.
        StatusCode::LOOP_DETECTED => {
            headers.insert(hops::HEADER, HeaderValue::from_static("refused"));
        }
        _ => {}
    }
    reply
}

/// Builds the response to a handshake.
fn answer(answered: Answered) -> Reply {
    let mut reply = Response::new(Full::new(Bytes::from(answered.body)));
    *reply.headers_mut() = answered.headers;
    reply
}

fn reply(status: StatusCode, body: &Value) -> Reply {
    let mut text = body.to_string();
    text.push('\n');
    let mut reply = Response::new(Full::new(Bytes::from(text)));
    *reply.status_mut() = status;
    reply
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    reply
}
