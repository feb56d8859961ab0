//! What each kind of source looks like, one file a kind: how a request is verified, what the
//! event's type and key are.
//!
//! Pure: it sees a request's headers and bytes and the source's secret, and decides nothing else.

mod generic;
mod gogs;

use crate::model::event::Header;
use crate::model::source::{Source, SourceKind};
use crate::signature::Rejection;

/// A request as it came.
#[derive(Debug, Clone, Copy)]
pub(super) struct Received<'a> {
    pub(super) headers: &'a [Header],
    pub(super) body: &'a [u8],
}

impl<'a> Received<'a> {
    /// The first value of a header, trimmed; `None` when it is absent or empty.
    pub(super) fn header(&self, name: &str) -> Option<&'a str> {
        let of_name = self
            .headers
            .iter()
            .find(|(held, _)| held.eq_ignore_ascii_case(name));
        of_name
            .map(|(_, value)| value.trim())
            .filter(|value| !value.is_empty())
    }
}

/// What a kind reads from a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Described {
    pub(super) event_type: String,
    pub(super) key: Option<String>,
}

/// The type of an event whose request does not name one.
const TYPE_UNKNOWN: &str = "unknown";

/// Checks the signature, where the source has a secret.
pub(super) fn verify(source: &Source, request: &Received<'_>) -> Result<(), Rejection> {
    let Some(secret) = &source.secret else {
        return Ok(());
    };
    match source.kind {
        SourceKind::Gogs => gogs::verify(secret, request),
        SourceKind::Generic => generic::verify(secret, request),
    }
}

/// Names the event.
pub(super) fn describe(source: &Source, request: &Received<'_>) -> Described {
    let (event_type, key) = match source.kind {
        SourceKind::Gogs => gogs::describe(request),
        SourceKind::Generic => generic::describe(request),
    };
    Described {
        event_type: event_type.unwrap_or(TYPE_UNKNOWN).to_owned(),
        key: key.map(str::to_owned),
    }
}
