//! An event as it is carried from box to box: a line of JSON, in a bundle or in the request of a relay.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::model::event::NewEvent;
use crate::model::header::{Header, first_value};
use crate::model::hops;
use crate::model::id::{BoxId, SourceId};
use crate::model::sendable::SendableEvent;
use crate::time::Timestamp;

/// The key that an event had at the first box.
const KEY_HEADER: &str = "Hookbox-Key";

/// Most bytes of an event's headers: as of a request.
const HEADERS_BYTES_MAX: usize = 64 * 1024;

/// Longest type in the producer's own spelling, and longest key, in bytes.
const TEXT_BYTES_MAX: usize = 1024;

/// 10000-01-01T00:00:00Z: later times are no dates of HTTP.
const YEAR_10000_MS: i64 = 253_402_300_800_000;

/// An event on its way.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct CarriedEvent {
    /// Its id at the box that it comes from.
    pub(crate) id: String,
    #[serde(rename = "type")]
    pub(crate) event_type: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) original_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) key: Option<String>,
    pub(crate) received_at: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) content_type: Option<String>,
    pub(crate) headers: Vec<Header>,
    /// The body, where it is text.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) body: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) body_base64: Option<String>,
    /// What became of it there: for people.
    #[serde(skip_deserializing, skip_serializing_if = "Vec::is_empty")]
    pub(crate) deliveries: Vec<CarriedDelivery>,
}

/// A delivery of an event.
#[derive(Debug, Serialize)]
pub(crate) struct CarriedDelivery {
    pub(crate) endpoint: String,
    pub(crate) state: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) settled_at: Option<String>,
}

impl CarriedEvent {
    /// The event under this id, with those of its headers that pass.
    pub(crate) fn of(
        event: SendableEvent,
        id: String,
        passes: impl Fn(&str) -> bool,
    ) -> CarriedEvent {
        let headers = event.headers.into_iter();
        // What the box before this one said of it.
        let is_of_its_way =
            |name: &str| name.eq_ignore_ascii_case("Date") || name.eq_ignore_ascii_case(KEY_HEADER);
        let passing = headers.filter(|(name, _)| passes(name) || is_of_its_way(name));
        let mut carried = CarriedEvent {
            id,
            event_type: event.event_type,
            original_type: event.original_type,
            source: event.source.map(|(name, _)| name),
            key: event.key,
            received_at: event.received.to_string(),
            content_type: event.content_type,
            headers: passing.chain([event.hops]).collect(),
            body: None,
            body_base64: None,
            deliveries: Vec::new(),
        };
        carried.put_body(event.body);
        carried
    }

    fn put_body(&mut self, body: Vec<u8>) {
        match String::from_utf8(body) {
            // A text full of what JSON escapes would be six times as long.
            Ok(text) if escaped_bytes(&text) <= text.len() / 3 => self.body = Some(text),
            Ok(text) => self.body_base64 = Some(BASE64_STANDARD.encode(text)),
            Err(other) => self.body_base64 = Some(BASE64_STANDARD.encode(other.as_bytes())),
        }
    }

    fn take_body(&mut self) -> Result<Vec<u8>> {
        match (self.body.take(), self.body_base64.take()) {
            (Some(text), None) => Ok(text.into_bytes()),
            (None, Some(text)) => BASE64_STANDARD
                .decode(text)
                .map_err(|_| Error::misuse("the body is not base64")),
            _ => Err(Error::misuse("it has no body, or two")),
        }
    }

    /// The event that it is here, at this source. Its key is the id that it came with. `None` when it has been
    /// here before, and went round.
    ///
    /// # Errors
    /// [`Error::Misuse`] when it is beyond a limit.
    pub(crate) fn into_event(
        mut self,
        box_id: &BoxId,
        source: SourceId,
        source_name: &str,
    ) -> Result<Option<NewEvent>> {
        let body = self.take_body()?;
        let received = Timestamp::parse_rfc3339(&self.received_at)
            .filter(|received| (0..YEAR_10000_MS).contains(&received.0))
            .ok_or_else(|| Error::misuse("received_at is no time of RFC 3339"))?;
        check_headers(&self.headers)?;
        for (what, text) in [("original_type", &self.original_type), ("key", &self.key)] {
            let is_fine =
                |text: &String| text.len() <= TEXT_BYTES_MAX && !text.contains(char::is_control);
            if text.as_ref().is_some_and(|text| !is_fine(text)) {
                return Err(Error::misuse(format!(
                    "{what} is longer than {TEXT_BYTES_MAX} bytes, or has control characters"
                )));
            }
        }
        let mut headers = self.headers;
        if hops::why_not(&headers, box_id, source_name).is_some() {
            return Ok(None);
        }
        // When it happened (RFC 9110, section 6.6.1), and by which key it was known there.
        if first_value(&headers, "Date").is_none() {
            headers.push(("Date".to_owned(), received.to_http_date()));
        }
        if let Some(key) = self.key
            && first_value(&headers, KEY_HEADER).is_none()
            && !headers.iter().any(|(_, value)| *value == key)
        {
            headers.push((KEY_HEADER.to_owned(), key));
        }
        let event = NewEvent {
            source: Some(source),
            original_type: self.original_type,
            key: Some(self.id),
            content_type: self.content_type,
            headers,
            ..NewEvent::new(self.event_type, body)
        };
        event.check()?;
        Ok(Some(event))
    }
}

/// Checks that headers can be sent as they are.
fn check_headers(headers: &[Header]) -> Result<()> {
    let mut bytes = 0;
    for (name, value) in headers {
        bytes += name.len() + value.len();
        if http::HeaderName::try_from(name).is_err() || http::HeaderValue::try_from(value).is_err()
        {
            return Err(Error::misuse("a header is none (RFC 9110, section 5)"));
        }
    }
    match bytes {
        ..=HEADERS_BYTES_MAX => Ok(()),
        _ => Err(Error::misuse(format!(
            "its headers are {bytes} bytes, limit is {HEADERS_BYTES_MAX}"
        ))),
    }
}

/// How many bytes a text gets by being escaped as JSON, at most.
fn escaped_bytes(text: &str) -> usize {
    let bytes = text.bytes();
    bytes
        .map(|byte| match byte {
            b'"' | b'\\' | b'\n' | b'\r' | b'\t' => 1,
            ..0x20 => 5,
            _ => 0,
        })
        .sum()
}
