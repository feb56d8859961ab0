//! The door: one request becomes a stored event and an answer.
//!
//! The order of checks is part of the contract: path, method, size, body, signature, and only
//! then the store. A 2xx is given only after the commit.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::timeout;

use super::head::Head;
use super::provider::{Received, describe, verify};
use crate::error::Error;
use crate::model::event::{Accepted, NewEvent};
use crate::model::id::SourceId;
use crate::model::source::Source;
use crate::store::Store;
use crate::time::Clock;

/// How long a body may take to arrive. Gogs gives up on the whole exchange after 15 seconds.
const BODY_DEADLINE: Duration = Duration::from_secs(10);

/// Bodies held in memory at a time, over all connections; further ones wait their turn.
const BODIES_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What a sender is told to wait when nothing can be stored now.
const RETRY_AFTER_S: u32 = 5;

/// One permit of the memory for bodies.
const PERMIT_BYTES: usize = 1024;

pub(super) type Reply = Response<Full<Bytes>>;

/// What all connections share.
pub(super) struct Door {
    store: Store,
    clock: Arc<dyn Clock>,
    body_bytes_max: usize,
    memory: Semaphore,
    refusals: Mutex<HashMap<SourceId, i64>>,
}

/// Why a request is not accepted: the status, and what the sender is told.
struct Refusal {
    status: StatusCode,
    text: String,
}

impl Refusal {
    fn new(status: StatusCode, text: impl Into<String>) -> Refusal {
        Refusal {
            status,
            text: text.into(),
        }
    }
}

impl Door {
    pub(super) fn new(store: Store, clock: Arc<dyn Clock>, body_bytes_max: usize) -> Door {
        let memory = BODIES_BYTES_MAX.max(body_bytes_max).div_ceil(PERMIT_BYTES);
        Door {
            store,
            clock,
            body_bytes_max,
            memory: Semaphore::new(memory),
            refusals: Mutex::new(HashMap::new()),
        }
    }

    /// Answers one request.
    pub(super) async fn answer(&self, request: Request<Incoming>, head: &Head) -> Reply {
        let reply = match request.uri().path() {
            "/healthz" => health(request.method()),
            path => match path.strip_prefix("/in/") {
                Some(name) => {
                    let name = name.to_owned();
                    match self.take_in(&name, request, head).await {
                        Ok(accepted) => self.accepted(&accepted),
                        Err(refusal) => refuse(&refusal),
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
    async fn take_in(
        &self,
        name: &str,
        request: Request<Incoming>,
        head: &Head,
    ) -> Result<Accepted, Refusal> {
        let source = self.source(name)?;
        if request.method() != Method::POST {
            let text = format!("{} is not allowed here; POST the event", request.method());
            return Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, text));
        }
        let (parts, body) = request.into_parts();
        let declared = declared_bytes(&parts.headers);
        let expected = declared.unwrap_or(self.body_bytes_max);
        if expected > self.body_bytes_max {
            return Err(too_large(expected, self.body_bytes_max));
        }
        let permits = u32::try_from(expected.div_ceil(PERMIT_BYTES)).unwrap_or(u32::MAX);
        // Held until the commit: the body is in memory that long.
        let _memory = match timeout(BODY_DEADLINE, self.memory.acquire_many(permits)).await {
            Ok(Ok(permit)) => permit,
            Ok(Err(_)) | Err(_) => return Err(unavailable("too many bodies at once")),
        };
        let headers = head.take(&parts.headers);
        let body = match timeout(
            BODY_DEADLINE,
            read_body(body, expected, self.body_bytes_max),
        )
        .await
        {
            Ok(read) => read?,
            Err(_) => {
                let text = format!(
                    "the body did not arrive within {}s",
                    BODY_DEADLINE.as_secs()
                );
                return Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, text));
            }
        };
        let received = Received {
            headers: &headers,
            body: &body,
        };
        if let Err(rejection) = verify(&source, &received) {
            tracing::warn!(source = source.name, %rejection, "refused");
            self.count_refusal(source.id);
            return Err(Refusal::new(
                StatusCode::UNAUTHORIZED,
                rejection.to_string(),
            ));
        }
        let described = describe(&source, &received);
        let content_type = received.header("content-type").map(str::to_owned);
        let event = NewEvent {
            source: Some(source.id),
            event_type: described.event_type,
            key: described.key,
            content_type,
            headers,
            body,
        };
        self.store_event(event, &source).await
    }

    async fn store_event(&self, event: NewEvent, source: &Source) -> Result<Accepted, Refusal> {
        let (sender, receiver) = oneshot::channel();
        self.store
            .accept_then(event, self.clock.now(), move |result| {
                // The client may have gone meanwhile; the event is stored all the same.
                let _ = sender.send(result);
            });
        let result = receiver.await.unwrap_or(Err(Error::Stopped));
        result.map_err(|error| match &error {
            Error::Misuse(text) => Refusal::new(StatusCode::BAD_REQUEST, text.clone()),
            Error::NotFound(_) => no_source(&source.name),
            _ => {
                tracing::error!(
                    source = source.name,
                    error = error.chain(),
                    "cannot store an event"
                );
                if error.is_unavailable() {
                    unavailable("the event cannot be stored now")
                } else {
                    Refusal::new(
                        StatusCode::INTERNAL_SERVER_ERROR,
                        "the event could not be stored",
                    )
                }
            }
        })
    }

    fn accepted(&self, accepted: &Accepted) -> Reply {
        let id = self.store.box_id().event(accepted.id);
        if accepted.duplicate {
            let body = json!({ "id": id, "duplicate": true, "replayed": accepted.deliveries });
            reply(StatusCode::OK, &body)
        } else {
            reply(StatusCode::ACCEPTED, &json!({ "id": id }))
        }
    }

    /// The source of this name; one that was added a moment ago counts.
    fn source(&self, name: &str) -> Result<Arc<Source>, Refusal> {
        if let Some(source) = self.store.directory().source(name) {
            return Ok(source.clone());
        }
        match self.store.fresh_directory() {
            Ok(directory) => directory
                .source(name)
                .cloned()
                .ok_or_else(|| no_source(name)),
            Err(error) => {
                tracing::error!(error = error.chain(), "cannot read the sources");
                Err(unavailable("the sources cannot be read now"))
            }
        }
    }

    fn count_refusal(&self, source: SourceId) {
        let mut refusals = self
            .refusals
            .lock()
            .expect("nobody panics with the refusals locked");
        *refusals.entry(source).or_default() += 1;
    }

    /// The refusals since the last time, for writing them down together: a flood of bad requests
    /// must not become a flood of commits.
    pub(super) fn take_refusals(&self) -> Vec<(SourceId, i64)> {
        self.refusals
            .lock()
            .expect("nobody panics with the refusals locked")
            .drain()
            .collect()
    }
}

/// Reads a body; it is cut off while it is read.
async fn read_body(
    mut body: Incoming,
    expected: usize,
    bytes_max: usize,
) -> Result<Vec<u8>, Refusal> {
    let known = body.size_hint().exact().is_some();
    let mut bytes = Vec::with_capacity(if known { expected } else { 0 });
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            Refusal::new(
                StatusCode::BAD_REQUEST,
                format!("the body broke off: {error}"),
            )
        })?;
        if let Some(data) = frame.data_ref() {
            if bytes.len() + data.len() > bytes_max {
                return Err(too_large(bytes.len() + data.len(), bytes_max));
            }
            bytes.extend_from_slice(data);
        }
    }
    Ok(bytes)
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
    let text =
        format!("no source named {name}; add it with: hookbox source add {name} --kind KIND");
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
        _ => {}
    }
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
