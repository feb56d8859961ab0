//! Format `raw`: the producer's own bytes, content type and event headers.

use super::Content;
use crate::model::connection::is_own_header;
use crate::model::endpoint::Endpoint;
use crate::model::header::{holds_secret, is_passed_on};
use crate::model::sendable::SendableEvent;

pub(super) fn content(endpoint: &Endpoint, event: &mut SendableEvent) -> Content {
    let headers = event.headers.iter();
    let forward = endpoint.set.connection.forward.as_ref();
    let is_asked_for = |name: &str| {
        let name = name.to_ascii_lowercase();
        forward.is_some_and(|names| names.matches(&name))
            && !is_own_header(&name)
            && !holds_secret(&name)
    };
    let passing = headers.filter(|(name, _)| is_passed_on(name) || is_asked_for(name));
    Content {
        content_type: event.content_type.clone(),
        headers: passing.cloned().collect(),
        body: std::mem::take(&mut event.body),
    }
}
