//! Adds what every request has, whatever its format.
//!
//! That is the endpoint's own headers, the event's id and time, and the signature, which covers the body
//! that is sent.

use super::chat::Post;
use super::{Content, Outgoing};
use crate::error::Result;
use crate::model::endpoint::Endpoint;
use crate::model::header::{Header, first_value};
use crate::model::sendable::SendableEvent;
use crate::signature::{Scheme, Signable};
use crate::time::Timestamp;

use super::super::transport::OutboundRequest;

/// hookbox's name in `User-Agent`.
const USER_AGENT: &str = concat!("hookbox/", env!("CARGO_PKG_VERSION"));

pub(super) fn wrap(
    endpoint: &Endpoint,
    outgoing: &Outgoing,
    content: Content,
    now: Timestamp,
) -> Result<OutboundRequest> {
    let (event, webhook_id) = (&outgoing.event, outgoing.webhook_id.as_str());
    let mut headers = own_headers(endpoint, content.content_type.as_ref(), content.headers);
    add_style(&mut headers, endpoint.set.scheme, event, webhook_id);
    headers.push(event.hops.clone());
    sign(endpoint, headers, content.body, webhook_id, now)
}

/// Makes a signed request that has this name.
pub(super) fn seal(
    endpoint: &Endpoint,
    content: Content,
    name: &str,
    now: Timestamp,
) -> Result<OutboundRequest> {
    let headers = own_headers(endpoint, content.content_type.as_ref(), content.headers);
    sign(endpoint, headers, content.body, name, now)
}

/// Adds name, time and signature.
fn sign(
    endpoint: &Endpoint,
    mut headers: Vec<Header>,
    body: Vec<u8>,
    webhook_id: &str,
    now: Timestamp,
) -> Result<OutboundRequest> {
    headers.push(("webhook-id".to_owned(), webhook_id.to_owned()));
    headers.push((
        "webhook-timestamp".to_owned(),
        now.unix_seconds().to_string(),
    ));
    // The content type that is sent, which may be the endpoint's own.
    let content_type = first_value(&headers, "content-type").map(str::to_owned);
    let message = Signable {
        id: webhook_id,
        timestamp: now,
        content_type: content_type.as_deref(),
        body: &body,
    };
    let secrets = endpoint.secrets_at(now);
    let signed = endpoint
        .set
        .scheme
        .sign(&secrets, &endpoint.set.signature, &message)?;
    // Otherwise the receiver might read a signature header of the producer instead.
    let is_signature = |name: &str| {
        let mut made = signed.iter();
        made.any(|(held, _)| held.eq_ignore_ascii_case(name))
    };
    headers.retain(|(name, _)| !is_signature(name));
    headers.extend(
        signed
            .into_iter()
            .map(|(name, value)| (name.into_owned(), value)),
    );
    Ok(OutboundRequest {
        method: endpoint.set.connection.method,
        url: endpoint.set.url.clone(),
        headers,
        body,
    })
}

/// Makes the request to a chat, which reads no event headers.
pub(super) fn address(endpoint: &Endpoint, events: &[Outgoing], post: Post) -> OutboundRequest {
    let Post {
        content,
        method,
        url,
    } = post;
    let mut headers = own_headers(endpoint, content.content_type.as_ref(), content.headers);
    // The endpoint that is set as a chat may be another hookbox, or this one.
    let most = events
        .iter()
        .max_by_key(|one| one.event.hops.1.split(',').count());
    headers.extend(most.map(|one| one.event.hops.clone()));
    OutboundRequest {
        method,
        url,
        headers,
        body: content.body,
    }
}

/// Returns the standard headers and the headers that were set for the endpoint.
///
/// The endpoint's headers win over all others of the same names.
fn own_headers(
    endpoint: &Endpoint,
    content_type: Option<&String>,
    others: Vec<Header>,
) -> Vec<Header> {
    let mut headers: Vec<Header> = Vec::new();
    if let Some(content_type) = content_type {
        headers.push(("Content-Type".to_owned(), content_type.clone()));
    }
    headers.push(("User-Agent".to_owned(), USER_AGENT.to_owned()));
    headers.extend(others);
    let connection = &endpoint.set.connection;
    headers.retain(|(name, _)| !connection.sets_header(name));
    headers.extend(connection.headers.iter().cloned());
    if let Some(auth) = &connection.auth {
        headers.push(("Authorization".to_owned(), auth.header()));
    }
    headers
}

/// Adds the event type and the event headers of a signature style.
///
/// Receivers of that style look for these headers. Headers that the producer sent stay as they are.
fn add_style(headers: &mut Vec<Header>, scheme: Scheme, event: &SendableEvent, webhook_id: &str) {
    let event_type = event.event_type.as_str();
    let delivery = event.key.as_deref().unwrap_or(webhook_id);
    // Whatever way the event came in, a receiver finds its type in this one header.
    let mut style = vec![("X-Hookbox-Type", event_type)];
    match scheme {
        Scheme::None | Scheme::Standard | Scheme::Generic => {}
        Scheme::Github => style.extend([
            ("X-GitHub-Event", event_type),
            ("X-GitHub-Delivery", delivery),
        ]),
        // Gogs sends its own pair and GitHub's.
        Scheme::Gogs => style.extend([
            ("X-Gogs-Event", event_type),
            ("X-Gogs-Delivery", delivery),
            ("X-GitHub-Event", event_type),
            ("X-GitHub-Delivery", delivery),
        ]),
        // Gitea sends its own set, Gogs's and GitHub's.
        Scheme::Gitea => style.extend([
            ("X-Gitea-Event", event_type),
            ("X-Gitea-Event-Type", event_type),
            ("X-Gitea-Delivery", delivery),
            ("X-Gogs-Event", event_type),
            ("X-Gogs-Delivery", delivery),
            ("X-GitHub-Event", event_type),
            ("X-GitHub-Delivery", delivery),
        ]),
        Scheme::Gitee => style.extend([
            ("X-Gitee-Event", event_type),
            ("X-Git-Oschina-Event", event_type),
            ("X-Gitee-Ping", "false"),
        ]),
    }
    for (name, value) in style {
        let there = headers
            .iter()
            .any(|(held, _)| held.eq_ignore_ascii_case(name));
        // A type or key may hold any character; a header may not.
        if !there && value.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
            headers.push((name.to_owned(), value.to_owned()));
        }
    }
}
