//! Turns one request into a stored event and a response.
//!
//! The order of checks is part of the contract: path, method, size, body, signature, and only then the
//! store. A 2xx is given only after the commit.

use std::net::SocketAddr;
use std::sync::Arc;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{
    ALLOW, CONNECTION, CONTENT_LENGTH, EXPECT, HOST, HeaderValue, TRANSFER_ENCODING,
};
use hyper::http::request::Parts;
use hyper::http::uri::Authority;
use hyper::{Method, Request, Response, StatusCode, Version};
use serde_json::json;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::body::{Bodies, LARGE_AT_A_TIME, drain};
use super::connection_limiter::ConnectionSlot;
use super::handshake::{self, Answered};
use super::head::{HEAD_BYTES_MAX, Head};
use super::provider::{Received, event_of, verify};
use super::rejection::{
    ErrorReply, RejectedLog, cannot_store, no_source, not_stored, refuse, too_large, unavailable,
    unverified,
};
use super::relay;
use super::reply::{Reply, reply};
use crate::error::Error;
use crate::model::event::Accepted;
use crate::model::header::Header;
use crate::model::hops;
use crate::model::source::Source;
use crate::panics::catch_panic;
use crate::store::{DIRECTORY_AGE_MAX, Store};
use crate::time::{Clock, Timestamp};

/// Smaller bodies are processed on the listener's thread, in bytes: processing takes about 20 microseconds
/// per KiB, and a change of threads takes 50.
const LIGHT_BYTES: usize = 4 * 1024;

/// Bodies of this size or larger are processed only a few at a time, in bytes.
const LARGE_BYTES: usize = 256 * 1024;

/// What all connections share.
pub(super) struct Intake {
    store: Store,
    clock: Arc<dyn Clock>,
    body_bytes_max: usize,
    /// Limits the large bodies processed at a time.
    large: Semaphore,
    bodies: Bodies,
    pub(super) rejected: RejectedLog,
}

/// What an accepted request was.
enum Taken {
    Event(Accepted),
    Relay(Reply),
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
            bodies: Bodies::new(body_bytes_max),
            rejected: RejectedLog::default(),
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
            let error_reply = ErrorReply::new(StatusCode::BAD_REQUEST, why);
            let mut reply = refuse(&error_reply);
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
                        Ok(Taken::Relay(reply)) => reply,
                        Ok(Taken::Handshake(answered)) => answer(answered),
                        Err(error_reply) => {
                            let directory = self.store.directory();
                            let source = directory.source(&way.name).map(Arc::as_ref);
                            let now = self.clock.now();
                            self.rejected
                                .note(source, &error_reply, &headers, peer, now);
                            refuse(&error_reply)
                        }
                    }
                }
                None => refuse(&ErrorReply::new(
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
    ) -> Result<Taken, ErrorReply> {
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
            return Err(ErrorReply::new(StatusCode::METHOD_NOT_ALLOWED, text));
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
            return Err(ErrorReply::new(StatusCode::LOOP_DETECTED, why));
        }
        let head_bytes: usize = headers
            .iter()
            .map(|(name, value)| name.len() + value.len() + 4)
            .sum();
        if head_bytes > HEAD_BYTES_MAX {
            let text = format!("the headers are {head_bytes} bytes, limit is {HEAD_BYTES_MAX}");
            return Err(ErrorReply::new(
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                text,
            ));
        }
        let body = self.bodies.read(&mut body, declared, slot).await?;
        let _working = slot.works();
        // Large bodies are limited to two at a time: processing one takes many times its size in memory.
        let is_relay = relay::is_relay(headers);
        let _turn = match body.len() {
            _ if is_relay => Some(self.large.acquire().await),
            LARGE_BYTES.. => Some(self.large.acquire().await),
            _ => None,
        };
        let now = self.clock.now();
        let bytes_max = self.body_bytes_max;
        let admitted = if !is_relay && self.is_light(&source, body.len()) {
            catch_panic(|| admit(&self.store, &source, now, headers, body, bytes_max))
        } else {
            let (store, of) = (self.store.clone(), source.clone());
            let mut taken = std::mem::take(headers);
            let worked = spawn_blocking(move || {
                let admitted = catch_panic(|| admit(&store, &of, now, &mut taken, body, bytes_max));
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
            Admitted::Relay(admitted) => {
                let replied = relay::answer(admitted, &source, &self.store, now).await;
                return replied.map(Taken::Relay);
            }
            Admitted::Event(stored) => stored,
        };
        let result = stored.await.unwrap_or(Err(Error::Stopped));
        match result {
            Ok(accepted) => Ok(Taken::Event(accepted)),
            Err(error) => Err(cannot_store(&error, &source)),
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
    async fn source(&self, name: &str) -> Result<Arc<Source>, ErrorReply> {
        let known = || self.store.directory().source(name).cloned();
        if let Some(source) = known() {
            return Ok(source);
        }
        /// How often the wait begins again while the store is slow to look.
        const WAITS_MAX: usize = 4;
        let polls = self.store.polls();
        self.store.look();
        for _ in 0..WAITS_MAX {
            sleep(DIRECTORY_AGE_MAX).await;
            match known() {
                Some(source) => return Ok(source),
                None if self.store.polls() == polls => {}
                None => return Err(no_source(name)),
            }
        }
        Err(unavailable("the sources cannot be read now"))
    }
}

/// A verified request.
enum Admitted {
    /// Receives the result when the event is on disk.
    Event(oneshot::Receiver<crate::error::Result<Accepted>>),
    Relay(relay::Admitted),
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
    body_bytes_max: usize,
) -> Result<Admitted, ErrorReply> {
    let received = Received {
        headers,
        body: &body,
    };
    if relay::is_relay(headers) {
        relay::check_kind(source)?;
    }
    verify(source, &received, now).map_err(unverified)?;
    if relay::is_relay(headers) {
        let admitted = relay::admit(store, source, now, headers, &body, body_bytes_max)?;
        return Ok(Admitted::Relay(admitted));
    }
    let handshake = source.generic.handshake;
    if let Some(answered) = handshake.and_then(|one| handshake::of_body(one, &body)) {
        return Ok(Admitted::Handshake(answered));
    }
    let event = event_of(source, headers, body)
        .map_err(|error| ErrorReply::new(StatusCode::BAD_REQUEST, error.to_string()))?;
    let (sender, receiver) = oneshot::channel();
    store.accept_then(event, now, move |result| {
        // The client may have disconnected by now; the event is stored all the same.
        let _ = sender.send(result);
    });
    Ok(Admitted::Event(receiver))
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
    let mut refused = refuse(&ErrorReply::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "GET this path",
    ));
    refused
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    refused
}

/// Builds the response to a handshake.
fn answer(answered: Answered) -> Reply {
    let mut reply = Response::new(Full::new(Bytes::from(answered.body)));
    *reply.headers_mut() = answered.headers;
    reply
}
