//! Rejected requests: the response to each, and what is kept of them for the operator.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Mutex;

use hyper::StatusCode;
use hyper::header::{ALLOW, HeaderValue, RETRY_AFTER};
use serde_json::json;

use super::reply::{Reply, reply};
use crate::error::Error;
use crate::model::check_name;
use crate::model::header::Header;
use crate::model::hops;
use crate::model::id::SourceId;
use crate::model::rejected::RejectedRequest;
use crate::model::source::Source;
use crate::signature::{Rejection, Secret};
use crate::store::SourceRejections;
use crate::time::Timestamp;

/// Most different rejected requests of a source that are kept in full between two writes (one second); of
/// the others only the count is kept.
///
/// Otherwise a flood of requests would become a flood of rows.
const NOTED_MAX: usize = 10;

/// The wait in `Retry-After` when nothing can be stored now, in seconds.
const RETRY_AFTER_S: u32 = 5;

/// Why a request is rejected: the status and the text of the response.
pub(super) struct ErrorReply {
    pub(super) status: StatusCode,
    text: String,
    /// The reason for the operator, if it says more than the response.
    reason: Option<&'static str>,
    /// Name of the header with a malformed signature, if there is one: somebody may have pasted a secret
    /// into it.
    malformed: Option<String>,
}

impl ErrorReply {
    pub(super) fn new(status: StatusCode, text: impl Into<String>) -> ErrorReply {
        ErrorReply {
            status,
            text: text.into(),
            reason: None,
            malformed: None,
        }
    }

    pub(super) fn because(self, reason: &'static str) -> ErrorReply {
        ErrorReply {
            reason: Some(reason),
            ..self
        }
    }
}

/// Requests rejected since the last [`RejectedLog::take`].
#[derive(Debug, Default)]
pub(super) struct Rejections {
    /// Rejected requests of each source.
    pub(super) of_sources: HashMap<SourceId, SourceRejections>,
    /// Number of all rejected requests, including those to unknown sources.
    pub(super) requests: u64,
    /// The response to the last one.
    pub(super) last: String,
}

/// Counts rejected requests until they are written.
#[derive(Debug, Default)]
pub(super) struct RejectedLog(Mutex<Rejections>);

impl RejectedLog {
    /// Notes a rejected request; of a known source with its headers.
    pub(super) fn note(
        &self,
        source: Option<&Source>,
        error_reply: &ErrorReply,
        headers: &[Header],
        peer: SocketAddr,
        now: Timestamp,
    ) {
        let why = error_reply.reason.unwrap_or(&error_reply.text);
        let mut rejections = self
            .0
            .lock()
            .expect("nobody panics with the rejections locked");
        rejections.requests += 1;
        rejections.last = format!("{} {why}", error_reply.status.as_u16());
        let Some(source) = source else {
            return;
        };
        let of_source =
            rejections
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
            at: now,
            count: 1,
            address: peer.ip().to_string(),
            status: error_reply.status.as_u16(),
            reason: why.to_owned(),
            headers: RejectedRequest::kept_headers(
                headers,
                &secrets,
                error_reply.malformed.as_deref(),
            ),
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
    pub(super) fn take(&self) -> Rejections {
        std::mem::take(
            &mut self
                .0
                .lock()
                .expect("nobody panics with the rejections locked"),
        )
    }
}

/// Rejects a request that does not prove its sender.
pub(super) fn unverified(rejection: Rejection) -> ErrorReply {
    let text = rejection.to_string();
    let malformed = match rejection {
        Rejection::Malformed { header, .. } | Rejection::WrongToken { header } => {
            Some(header.into_owned())
        }
        _ => None,
    };
    ErrorReply {
        malformed,
        ..ErrorReply::new(StatusCode::UNAUTHORIZED, text)
    }
}

/// Returns the response for an event that was not stored.
pub(super) fn cannot_store(error: &Error, source: &Source) -> ErrorReply {
    match error {
        Error::Misuse(text) => ErrorReply::new(StatusCode::BAD_REQUEST, text.clone()),
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

pub(super) fn not_stored() -> ErrorReply {
    let text = "the event could not be stored";
    ErrorReply::new(StatusCode::INTERNAL_SERVER_ERROR, text)
}

pub(super) fn no_source(name: &str) -> ErrorReply {
    let text = if check_name(name).is_ok() {
        format!("no source named {name}; add it with: hookbox source add {name} --kind KIND")
    } else {
        "no such source; events go to /in/NAME, and `hookbox source list` shows the names"
            .to_owned()
    };
    ErrorReply::new(StatusCode::NOT_FOUND, text)
}

pub(super) fn too_large(bytes: usize, bytes_max: usize) -> ErrorReply {
    let text = format!("body is {bytes} bytes or more, limit is {bytes_max}; see serve --body-max");
    ErrorReply::new(StatusCode::PAYLOAD_TOO_LARGE, text)
}

pub(super) fn unavailable(why: &str) -> ErrorReply {
    ErrorReply::new(
        StatusCode::SERVICE_UNAVAILABLE,
        format!("{why}; nothing was kept, send it again"),
    )
}

pub(super) fn refuse(error_reply: &ErrorReply) -> Reply {
    let mut reply = reply(error_reply.status, &json!({ "error": error_reply.text }));
    let headers = reply.headers_mut();
    match error_reply.status {
        StatusCode::METHOD_NOT_ALLOWED => {
            headers.insert(ALLOW, HeaderValue::from_static("POST"));
        }
        StatusCode::SERVICE_UNAVAILABLE => {
            headers.insert(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_S));
        }
        // Marks the error as permanent for the sender, which is another hookbox.
        StatusCode::LOOP_DETECTED => {
            headers.insert(hops::HEADER, HeaderValue::from_static("refused"));
        }
        _ => {}
    }
    reply
}
