//! An event: one fact, stored once, its bytes exact, never changed.

use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::model::activity::Facts;
use crate::model::header::{Header, shown_headers};
use crate::model::id::{BoxId, EventId, SourceId};
use crate::time::Timestamp;

/// Maximum length of an event type, in bytes: it is shown in lists and sent in headers.
pub const TYPE_BYTES_MAX: usize = 128;

/// Maximum length of a key, in bytes: it is indexed.
pub const KEY_BYTES_MAX: usize = 256;

/// Default maximum size of a body, in bytes: 1 MiB. Gogs' own payloads are a few KiB.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;

/// An event to be stored.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// Its source; `None` for an event from the command line.
    pub source: Option<SourceId>,
    /// What kind of fact, such as `push` or `order.paid`.
    pub event_type: String,
    /// The type in the producer's own spelling, if it differs.
    pub original_type: Option<String>,
    /// The idempotency key: the same key of the same source is the same event.
    pub key: Option<String>,
    /// The producer's content type.
    pub content_type: Option<String>,
    /// The producer's headers in received order.
    pub headers: Vec<Header>,
    /// The exact bytes of the body.
    pub body: Vec<u8>,
    /// The event that this one is an edited copy of.
    pub replay_of: Option<EventId>,
    /// The error of an expression of its source on this event.
    pub problem: Option<String>,
}

impl NewEvent {
    /// An event with this type and body, and nothing else.
    pub fn new(event_type: impl Into<String>, body: impl Into<Vec<u8>>) -> NewEvent {
        NewEvent {
            source: None,
            event_type: event_type.into(),
            original_type: None,
            key: None,
            content_type: None,
            headers: Vec::new(),
            body: body.into(),
            replay_of: None,
            problem: None,
        }
    }

    /// Checks the limits that the store requires.
    ///
    /// # Errors
    /// [`Error::Misuse`] when the type or key is empty, too long or has control characters, or the
    /// content type cannot be sent in a header.
    pub fn check(&self) -> Result<()> {
        check_text("event type", &self.event_type, TYPE_BYTES_MAX)?;
        if let Some(key) = &self.key {
            check_text("key", key, KEY_BYTES_MAX)?;
        }
        // The content type is sent as a header; an invalid one would block the endpoint.
        match &self.content_type {
            Some(text) if http::HeaderValue::from_str(text).is_err() => Err(Error::misuse(
                "the content type cannot stand in a header; write one such as application/json",
            )),
            _ => Ok(()),
        }
    }
}

/// Whether a text is a valid event type.
pub fn is_type(text: &str) -> bool {
    check_text("event type", text, TYPE_BYTES_MAX).is_ok()
}

/// Whether a text is a valid event key.
pub fn is_key(text: &str) -> bool {
    check_text("key", text, KEY_BYTES_MAX).is_ok()
}

/// Checks one short text of an event.
fn check_text(what: &str, text: &str, bytes_max: usize) -> Result<()> {
    if text.trim().is_empty() {
        return Err(Error::misuse(format!("the {what} is empty; give one")));
    }
    if text.len() > bytes_max {
        return Err(Error::misuse(format!(
            "the {what} is {} bytes, limit is {bytes_max}",
            text.len()
        )));
    }
    if text.chars().any(char::is_control) {
        return Err(Error::misuse(format!(
            "the {what} has control characters; leave them out"
        )));
    }
    Ok(())
}

/// The result of accepting an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The event: the new one, or the one that already has the key.
    pub id: EventId,
    /// Whether the key was known, so that no second event was stored.
    pub duplicate: bool,
    /// Deliveries created: of the new event, or as a replay that a repeat asked for.
    pub deliveries: usize,
    /// Pending deliveries that a repeat made due at once.
    pub made_due: usize,
}

/// A stored event without its body, for display.
#[derive(Debug, Clone)]
pub struct EventRecord {
    /// Its row id.
    pub id: EventId,
    /// The name of its source.
    pub source: Option<String>,
    /// What kind of fact.
    pub event_type: String,
    /// The type in the producer's own spelling, if it differs.
    pub original_type: Option<String>,
    /// Its idempotency key.
    pub key: Option<String>,
    /// When it was accepted.
    pub received: Timestamp,
    /// The producer's content type.
    pub content_type: Option<String>,
    /// What was read from the body.
    pub facts: Facts,
    /// The producer's headers in received order.
    pub headers: Vec<Header>,
    /// Size of the body.
    pub bytes: i64,
    /// The event that this one is an edited copy of.
    pub replay_of: Option<EventId>,
    /// The error of an expression of its source on this event: so the event has a default type, or
    /// no key.
    pub problem: Option<String>,
}

/// One line for lists: who did what to which repository. If the body does not say so, the type and
/// the source.
pub fn summary(read: Option<&str>, event_type: &str, source: Option<&str>) -> String {
    match (read, source) {
        (Some(summary), _) => summary.to_owned(),
        (None, Some(source)) => format!("{event_type} from {source}"),
        (None, None) => event_type.to_owned(),
    }
}

impl EventRecord {
    /// One line for lists; see [`summary`].
    pub fn summary(&self) -> String {
        let read = self.facts.summary.as_deref();
        summary(read, &self.event_type, self.source.as_deref())
    }

    /// The JSON object of the API.
    pub fn json(&self, box_id: &BoxId) -> Value {
        json!({
            "id": box_id.event(self.id),
            "type": self.event_type,
            "original_type": self.original_type,
            "source": self.source,
            "key": self.key,
            "received_at": self.received.to_string(),
            "bytes": self.bytes,
            "content_type": self.content_type,
            "json": self.facts.is_json,
            "summary": self.summary(),
            "branch": self.facts.branch,
            "problem": self.problem,
            "headers": shown_headers(&self.headers),
            "replay_of_event": self.replay_of.map(|id| box_id.event(id)),
        })
    }
}
