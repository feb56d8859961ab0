//! Format `raw`: the producer's own bytes, content type and event headers.

use super::Content;
use crate::model::connection::is_own_header;
use crate::model::endpoint::Endpoint;
use crate::model::header::holds_secret;
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
    let passing = headers.filter(|(name, _)| passes(name) || is_asked_for(name));
    Content {
        content_type: event.content_type.clone(),
        headers: passing.cloned().collect(),
        body: std::mem::take(&mut event.body),
    }
}

/// Whether a producer's header is passed on to the endpoint.
///
/// Event headers (`X-Gogs-Event` and similar) are. Signatures and tokens are not: they belong to the
/// producer, and the signature is made anew. Headers about the producer's own connection are not passed on
/// either.
fn passes(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    // Without the encoding nobody can read the bytes. CloudEvents (HTTP binding, section 3.1) and W3C Trace
    // Context and Baggage say what the event is and which trace it belongs to.
    if matches!(
        name.as_str(),
        "content-encoding" | "traceparent" | "tracestate" | "baggage"
    ) || name.starts_with("ce-")
    {
        return true;
    }
    let Some(rest) = name.strip_prefix("x-") else {
        return false;
    };
    let of_connection = rest.starts_with("forwarded")
        || rest.starts_with("real-ip")
        || rest.starts_with("request-")
        || rest.starts_with("amzn-")
        || rest.starts_with("envoy-");
    let made_anew = rest.contains("signature")
        || rest.contains("hmac")
        || rest.ends_with("-sig")
        || rest.contains("timestamp")
        || rest.starts_with("hookbox-");
    !of_connection && !made_anew && !holds_secret(&name)
}
