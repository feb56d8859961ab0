//! Answers a sender's handshake: its check that we want the events. Pure.
//!
//! A handshake is answered only if the source is set to. It is never stored as an event. The response
//! repeats the sender's text as plain text, and short, so that nobody can make a web page of it.

use hyper::Method;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hyper::http::request::Parts;

use crate::model::lenient;
use crate::model::source::Handshake;

/// Longest text that is sent back, in bytes; real challenges have some dozens.
const CHALLENGE_BYTES_MAX: usize = 1_024;

/// The response to a handshake.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Answered {
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

/// Returns the response to a handshake that the request line and headers show; `None` if it is none.
pub(super) fn before_body(handshake: Handshake, parts: &Parts) -> Option<Answered> {
    match handshake {
        Handshake::Slack => None,
        Handshake::Challenge if parts.method == Method::GET => {
            let challenge = ["hub.challenge", "challenge"];
            said(challenge.iter().find_map(|name| in_query(parts, name))?)
        }
        Handshake::Challenge => None,
        Handshake::Microsoft => said(in_query(parts, "validationToken")?),
        Handshake::Cloudevents => cloudevents(parts),
    }
}

/// Returns the response to a handshake that the verified body shows; `None` if it is none.
pub(super) fn of_body(handshake: Handshake, body: &[u8]) -> Option<Answered> {
    if handshake != Handshake::Slack {
        return None;
    }
    said(lenient::read(body, &["type", "challenge"], |json| {
        let is_asked = json.text("type") == Some("url_verification");
        json.owned(&["challenge"]).filter(|_| is_asked)
    })?)
}

fn in_query(parts: &Parts, name: &str) -> Option<String> {
    let query = parts.uri.query().unwrap_or_default();
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    let found = pairs.find(|(held, _)| held == name);
    found.map(|(_, value)| value.into_owned())
}

fn said(challenge: String) -> Option<Answered> {
    let is_plain = !challenge.is_empty() && !challenge.chars().any(char::is_control);
    if !is_plain || challenge.len() > CHALLENGE_BYTES_MAX {
        return None;
    }
    let mut headers = HeaderMap::new();
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    headers.insert(CONTENT_TYPE, plain);
    let nosniff = HeaderName::from_static("x-content-type-options");
    headers.insert(nosniff, HeaderValue::from_static("nosniff"));
    Some(Answered {
        headers,
        body: challenge,
    })
}

/// HTTP 1.1 Web Hooks for Event Delivery (CloudEvents), section 4.
fn cloudevents(parts: &Parts) -> Option<Answered> {
    const ORIGIN: &str = "webhook-request-origin";
    let origin = parts.headers.get(ORIGIN)?;
    if parts.method != Method::OPTIONS {
        return None;
    }
    let mut headers = HeaderMap::new();
    headers.insert(ALLOW, HeaderValue::from_static("POST"));
    let allowed = HeaderName::from_static("webhook-allowed-origin");
    headers.insert(allowed, origin.clone());
    if parts.headers.contains_key("webhook-request-rate") {
        let rate = HeaderName::from_static("webhook-allowed-rate");
        headers.insert(rate, HeaderValue::from_static("*"));
    }
    Some(Answered {
        headers,
        body: String::new(),
    })
}
