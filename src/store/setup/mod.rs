//! What people set up: sources and endpoints, added, changed and removed. One file a noun.

pub(super) mod endpoint;
pub(super) mod hold;
mod secrets;
mod source;
mod trial;

use crate::error::Error;

pub(super) use endpoint::{endpoint_for, found};

/// The error for a source that is not there.
pub(super) fn no_source(name: &str) -> Error {
    Error::not_found(format!(
        "no source named {name}; `hookbox source list` shows what there is"
    ))
}

/// The error for an endpoint that is not there.
pub(super) fn no_endpoint(name: &str) -> Error {
    Error::not_found(format!(
        "no endpoint named {name}; `hookbox endpoint list` shows what there is"
    ))
}
