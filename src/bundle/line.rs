//! The lines of a bundle.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::model::carried::CarriedEvent;

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

impl Line for CarriedEvent {
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
