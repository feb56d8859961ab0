//! The lines of a bundle.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::model::header::Header;

/// The longest line, in bytes: bodies are far shorter.
pub(super) const LINE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The version of the form.
pub(super) const VERSION: u32 = 1;

/// What a bundle has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum What {
    Events,
    Acks,
}

impl What {
    /// How such a bundle is imported.
    pub(super) fn described(self) -> &'static str {
        match self {
            What::Events => {
                "this bundle has events; say which source they belong to: --source NAME"
            }
            What::Acks => {
                "this bundle says which events arrived; say to which endpoint they were owed: --endpoint NAME"
            }
        }
    }
}

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Head {
    /// The version; it is also what a file is known by.
    pub(super) hookbox_bundle: u32,
    pub(super) what: What,
    /// The box that wrote it.
    #[serde(rename = "box")]
    pub(super) from: String,
    pub(super) made_at: String,
}

/// An event.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct EventLine {
    /// Its id at the box that it comes from.
    pub(super) id: String,
    #[serde(rename = "type")]
    pub(super) event_type: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) original_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) key: Option<String>,
    pub(super) received_at: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) content_type: Option<String>,
    pub(super) headers: Vec<Header>,
    /// The body, where it is text.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) body: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) body_base64: Option<String>,
    /// What became of it there: for people.
    #[serde(skip_deserializing)]
    pub(super) deliveries: Vec<DeliveryLine>,
}

/// A delivery of an event.
#[derive(Debug, Serialize)]
pub(super) struct DeliveryLine {
    pub(super) endpoint: String,
    pub(super) state: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) settled_at: Option<String>,
}

/// An event that arrived.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct AckLine {
    pub(super) arrived: String,
}

/// A line between the head and the end.
pub(super) trait Line: DeserializeOwned {
    /// What bundles have such lines.
    const WHAT: What;
}

impl Line for EventLine {
    const WHAT: What = What::Events;
}

impl Line for AckLine {
    const WHAT: What = What::Acks;
}

/// The last line.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct End {
    /// How many lines there are between the head and this one.
    pub(super) end: u64,
    /// The hash (SHA-256, hex) of all lines before, with their line feeds.
    pub(super) sha256: String,
    /// How it is signed; `None` where there was no secret.
    pub(super) signature: Option<String>,
}

impl EventLine {
    pub(super) fn put_body(&mut self, body: Vec<u8>) {
        match String::from_utf8(body) {
            // A text full of what JSON escapes would be six times as long.
            Ok(text) if escaped_bytes(&text) <= text.len() / 3 => self.body = Some(text),
            Ok(text) => self.body_base64 = Some(BASE64_STANDARD.encode(text)),
            Err(other) => self.body_base64 = Some(BASE64_STANDARD.encode(other.as_bytes())),
        }
    }

    pub(super) fn take_body(&mut self) -> Result<Vec<u8>> {
        match (self.body.take(), self.body_base64.take()) {
            (Some(text), None) => Ok(text.into_bytes()),
            (None, Some(text)) => BASE64_STANDARD
                .decode(text)
                .map_err(|_| Error::misuse("the body is not base64")),
            _ => Err(Error::misuse("it has no body, or two")),
        }
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
