//! Format `raw`: the producer's own bytes, content type and event headers.

use super::Content;
use crate::model::endpoint::Endpoint;
use crate::model::sendable::SendableEvent;

pub(super) fn content(endpoint: &Endpoint, event: &mut SendableEvent) -> Content {
    let headers = event.headers.iter();
    let passing = headers.filter(|(name, _)| endpoint.set.connection.passes(name));
    Content {
        content_type: event.content_type.clone(),
        headers: passing.cloned().collect(),
        body: std::mem::take(&mut event.body),
    }
}
