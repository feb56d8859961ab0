//! Requests of programs: the API, its OpenAPI document, metrics.
//!
//! Errors are answered in JSON as well.

use std::io::Read;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use tiny_http::Request;

use super::access::Denied;
use super::api::{self, Asked, Call, Operation};
use super::gate::BODY_BYTES_MAX;
use super::guard::{Refused, header};
use super::reply::{Reply, status_of};
use super::role::Role;
use super::state::AppState;
use crate::error::Result;
use crate::store::{IdempotentRequest, Store, StoredAnswer};

/// Longest idempotency key, in bytes.
const KEY_BYTES_MAX: usize = 256;

/// Whether a path is for programs.
pub(super) fn is_for_machines(path: &str) -> bool {
    path.starts_with("/api/") || matches!(path, "/openapi.json" | "/metrics")
}

/// Returns the response of a denied request, for a program.
pub(super) fn denied(denied: Denied) -> Reply {
    match denied {
        Denied::Unknown => {
            let mut reply = Reply::problem(401, "give a token: `Authorization: Bearer TOKEN`");
            reply
                .headers
                .push(("WWW-Authenticate", "Bearer realm=\"hookbox\"".to_owned()));
            reply
        }
        Denied::Braked(wait) => {
            let mut reply = Reply::problem(429, "too many wrong tokens; try again later");
            let seconds = wait.as_secs() + 1;
            reply.headers.push(("Retry-After", seconds.to_string()));
            reply
        }
    }
}

/// Answers a request to the API.
pub(super) fn answer(app: &AppState, request: &mut Request, role: Role) -> Reply {
    let url = request.url().to_owned();
    let (path, query) = url.split_once('?').unwrap_or((url.as_str(), ""));
    let path = path.strip_prefix(api::PREFIX).unwrap_or_default();
    let (operation, parts) = match api::find(request.method(), path) {
        Asked::One(operation, parts) => (operation, parts),
        Asked::Nothing => return Reply::problem(404, "there is no such path; see /openapi.json"),
        Asked::Method(allowed) => {
            let mut reply = Reply::problem(405, "this path does not take that method");
            reply.headers.push(("Allow", allowed.join(", ")));
            return reply;
        }
    };
    if operation.is_safe() {
        let body = Vec::new();
        return run(app, &app.store, operation, parts, query, &body).unwrap_or_else(|reply| reply);
    }
    if role == Role::Reader {
        return Reply::problem(403, "this token may look and not change anything");
    }
    if app.guard.check_site(request) == Err(Refused::CrossSite) {
        return Reply::problem(403, "this was sent by a page of another site");
    }
    let mut body = Vec::new();
    let read = request
        .as_reader()
        .take(BODY_BYTES_MAX as u64)
        .read_to_end(&mut body);
    if read.is_err() {
        return Reply::problem(400, "the body cannot be read");
    }
    // A form of another site cannot have this content type unless the browser asks this server first.
    let kind = header(request, "Content-Type").unwrap_or_default();
    if !body.is_empty() && !kind.to_ascii_lowercase().starts_with("application/json") {
        return Reply::problem(415, "send application/json");
    }
    match header(request, "Idempotency-Key").map(str::to_owned) {
        Some(key) if request.method().as_str() == "POST" => {
            once(app, &key, &format!("POST {url}"), &body, |store| {
                run(app, store, operation, parts, query, &body).unwrap_or_else(|reply| reply)
            })
        }
        _ => run(app, &app.store, operation, parts, query, &body).unwrap_or_else(|reply| reply),
    }
}

/// Answers a request with a known idempotency key like the first one.
fn once(
    app: &AppState,
    key: &str,
    what: &str,
    body: &[u8],
    run: impl FnOnce(&Store) -> Reply,
) -> Reply {
    let is_key =
        !key.is_empty() && key.len() <= KEY_BYTES_MAX && key.bytes().all(|b| b.is_ascii_graphic());
    if !is_key {
        return Reply::problem(
            400,
            "an Idempotency-Key has 1 to 256 visible ASCII characters",
        );
    }
    let Some(_under_way) = app.under_way.begin(key) else {
        return Reply::problem(409, "a request with this Idempotency-Key is under way");
    };
    let mut hash = Sha256::new();
    hash.update(what.as_bytes());
    hash.update([0]);
    hash.update(body);
    let request = hex::encode(hash.finalize());
    let now = app.clock.now();
    match app.store.stored_answer(key, now) {
        Ok(Some(kept)) if kept.request != request => {
            return Reply::problem(422, "this Idempotency-Key came with another request before");
        }
        Ok(Some(StoredAnswer {
            answer: Some((status, body)),
            ..
        })) => {
            let mut reply = Reply::with_type(status, "application/json", body);
            let replayed = ("Idempotency-Replayed", "true".to_owned());
            reply.headers.push(replayed);
            return reply;
        }
        Ok(Some(_)) => {
            return Reply::problem(
                409,
                "this request was done, and the service ended before its answer was kept; look at what it was to do",
            );
        }
        Ok(None) => {}
        Err(error) => return Reply::problem(status_of(&error), &error.chain()),
    }
    let asked = IdempotentRequest {
        key: key.to_owned(),
        request,
        at: now,
    };
    let reply = run(&app.store.once(asked.clone()));
    if reply.status >= 500 {
        // A 5xx is not kept for repeats. If the work was done nevertheless, a repeat gets a 409 that says so.
        return reply;
    }
    let is_fine = (200..300).contains(&reply.status);
    let kept = app
        .store
        .store_answer(asked, reply.status, reply.body.clone(), is_fine);
    if let Err(error) = kept {
        tracing::error!(
            error = error.chain(),
            "an answer cannot be kept for its repeats"
        );
    }
    reply
}

fn run(
    app: &AppState,
    store: &Store,
    operation: &Operation,
    path: Vec<String>,
    query: &str,
    body: &[u8],
) -> std::result::Result<Reply, Reply> {
    let body = read_body(body)?;
    let query = form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect();
    let call = Call {
        store,
        clock: app.clock.as_ref(),
        now: app.clock.now(),
        who: "API".to_owned(),
        path,
        query,
        body,
    };
    let done: Result<Reply> = api::run(operation, &call);
    done.map_err(|error| {
        let status = status_of(&error);
        if status >= 500 {
            tracing::error!(error = error.chain(), "the API cannot answer");
        }
        Reply::problem(status, &error.chain())
    })
}

fn read_body(body: &[u8]) -> std::result::Result<Map<String, Value>, Reply> {
    if body.is_empty() {
        return Ok(Map::new());
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(Reply::problem(400, "the body is a JSON object")),
        Err(error) => Err(Reply::problem(
            400,
            &format!("the body is not JSON: {error}"),
        )),
    }
}
