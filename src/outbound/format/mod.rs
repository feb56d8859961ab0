//! The formats of an outgoing event, one file each, and the envelope around them.
//!
//! Rendering is pure and happens for every attempt: a signature that covers the time of the attempt is
//! never stored and never used twice.

mod chat;
mod envelope;
mod raw;
mod relay;
mod template;

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::model::endpoint::{Endpoint, Format};
use crate::model::header::Header;
use crate::model::sendable::SendableEvent;
use crate::time::Timestamp;

use super::transport::OutboundRequest;

/// The content that a format makes from an event.
struct Content {
    content_type: Option<String>,
    /// Headers that belong to the content.
    headers: Vec<Header>,
    body: Vec<u8>,
}

/// An event that goes out, with the names under which its receiver knows it.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// The event.
    pub event: SendableEvent,
    /// The event's outer id, which stays the same over all retries and replays.
    pub webhook_id: String,
    /// The delivery's outer id; `None` for a preview.
    pub delivery_id: Option<String>,
}

/// Renders the request that carries events to an endpoint at this moment. Only chats and relays take more than
/// one.
///
/// It never blocks and changes nothing, so it also serves for previews.
///
/// # Errors
/// [`Error::Misuse`] when the endpoint's template fails on the event, or its secret does not fit its scheme.
pub fn render(
    endpoint: &Endpoint,
    mut events: Vec<Outgoing>,
    now: Timestamp,
) -> Result<OutboundRequest> {
    match &endpoint.set.format {
        Format::Chat(chat) => {
            let post = chat::post(*chat, endpoint, &events, now)?;
            return Ok(envelope::address(endpoint, &events, post));
        }
        Format::Relay => {
            let name = name_of(&events).unwrap_or_else(|| "preview".to_owned());
            let content = relay::content(endpoint, events)?;
            return envelope::seal(endpoint, content, &name, now);
        }
        Format::Raw | Format::Template(_) => {}
    }
    let (Some(mut one), true) = (events.pop(), events.is_empty()) else {
        return Err(Error::misuse("a request of this format carries one event"));
    };
    let content = match &endpoint.set.format {
        Format::Template(template) => template::content(template, &one.event, &one.webhook_id)?,
        _ => raw::content(endpoint, &mut one.event),
    };
    envelope::wrap(endpoint, &one, content, now)
}

/// The name by which a receiver of many events in one request knows it again: the same over all tries of the same
/// deliveries, and another for others. `None` for a preview.
fn name_of(events: &[Outgoing]) -> Option<String> {
    const HASH_CHARS: usize = 10;
    let first = events.first()?.delivery_id.as_deref()?;
    if events.len() == 1 {
        return Some(first.to_owned());
    }
    // What is tried again may be more than before, or less.
    let mut hash = Sha256::new();
    for one in events {
        hash.update(one.delivery_id.as_deref()?);
    }
    let hash = hex::encode(hash.finalize());
    Some(format!("{first}-{}", &hash[..HASH_CHARS]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::activity::Facts;
    use crate::model::endpoint::NewEndpoint;
    use crate::model::id::{EndpointId, EventId};
    use crate::signature::{Scheme, Secret, gogs};

    fn endpoint(scheme: Scheme, secret: Option<&str>) -> Endpoint {
        let mut new = NewEndpoint::new("ci", "http://127.0.0.1:1/".parse().unwrap());
        new.scheme = scheme;
        new.secret = secret.map(|text| Secret::new(text).unwrap());
        new.stored_as(EndpointId(1))
    }

    fn rendered(endpoint: &Endpoint, event: SendableEvent, now_ms: i64) -> OutboundRequest {
        let outgoing = Outgoing {
            event,
            webhook_id: "evt_x_7".to_owned(),
            delivery_id: Some("dlv_x_7".to_owned()),
        };
        render(endpoint, vec![outgoing], Timestamp(now_ms)).unwrap()
    }

    fn event() -> SendableEvent {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        SendableEvent {
            hops: ("Hookbox-Path".to_owned(), "x/in".to_owned()),
            id: EventId(7),
            event_type: "push".to_owned(),
            original_type: None,
            key: Some("b1c9a7f2-1111-4222-8333-444455556666".to_owned()),
            source: None,
            received: Timestamp(0),
            owed: Timestamp(0),
            facts: Facts::default(),
            content_type: Some("application/json".to_owned()),
            headers: vec![
                header("Host", "hooks.example.org"),
                header("X-Gogs-Delivery", "b1c9a7f2-1111-4222-8333-444455556666"),
                header("X-Gogs-Event", "push"),
                header("X-Gogs-Signature", "0000"),
                header("X-Gitee-Token", "hunter2"),
                header("X-Api-Key", "hunter2"),
                header("X-Forwarded-For", "192.0.2.1"),
                header("X-Original-URI", "/in/gogs/hunter2"),
                header("X-Shop-Hmac-Sha256", "0000"),
                header("X-Shop-Sig", "0000"),
                header("X-Hookbox-Type", "of another"),
                header("Authorization", "Basic aHVudGVyMg=="),
            ],
            body: br#"{"ref":"refs/heads/main"}"#.to_vec(),
        }
    }

    fn value<'a>(request: &'a OutboundRequest, name: &str) -> Vec<&'a str> {
        let of_name = request
            .headers
            .iter()
            .filter(|(held, _)| held.eq_ignore_ascii_case(name));
        of_name.map(|(_, value)| value.as_str()).collect()
    }

    #[test]
    fn event_headers_pass_and_secrets_and_connection_headers_do_not() {
        let request = rendered(&endpoint(Scheme::None, None), event(), 1_999);
        assert_eq!(value(&request, "x-gogs-event"), ["push"]);
        assert_eq!(value(&request, "x-hookbox-type"), ["push"]);
        assert_eq!(value(&request, "content-type"), ["application/json"]);
        assert_eq!(value(&request, "webhook-id"), ["evt_x_7"]);
        assert_eq!(value(&request, "webhook-timestamp"), ["1"]);
        for name in [
            "host",
            "x-gogs-signature",
            "x-gitee-token",
            "x-api-key",
            "x-forwarded-for",
            "x-original-uri",
            "x-shop-hmac-sha256",
            "x-shop-sig",
            "authorization",
        ] {
            assert!(value(&request, name).is_empty(), "{name}");
        }
        assert!(!format!("{:?}", request.headers).contains("hunter2"));
    }

    #[test]
    fn the_signature_is_made_anew_with_the_endpoints_secret() {
        let secret = "endpoint-secret";
        let request = rendered(&endpoint(Scheme::Gogs, Some(secret)), event(), 0);
        let [signature] = value(&request, "x-gogs-signature")[..] else {
            panic!("one signature")
        };
        let secret = Secret::new(secret).unwrap();
        gogs::verify(
            &secret,
            Some("application/json"),
            &request.body,
            Some(signature),
        )
        .unwrap();
        assert_eq!(value(&request, "x-gogs-event"), ["push"]);
    }

    #[test]
    fn a_request_of_many_is_named_by_all_that_is_in_it() {
        let name = |deliveries: &[u32]| {
            let events = deliveries.iter().map(|number| Outgoing {
                event: event(),
                webhook_id: "evt_x_7".to_owned(),
                delivery_id: Some(format!("dlv_x_{number}")),
            });
            name_of(&events.collect::<Vec<Outgoing>>()).unwrap()
        };
        assert_eq!(name(&[4]), "dlv_x_4");
        assert_eq!(name(&[1, 2, 4]), name(&[1, 2, 4]));
        assert_ne!(name(&[1, 2, 4]), name(&[1, 3, 4]));
        assert!(name(&[1, 2, 4]).starts_with("dlv_x_1-"));
    }

    #[test]
    fn a_style_brings_its_event_headers_where_the_producer_had_none() {
        let plain = SendableEvent {
            headers: Vec::new(),
            key: None,
            ..event()
        };
        let request = rendered(&endpoint(Scheme::Github, Some("s")), plain, 0);
        assert_eq!(value(&request, "X-GitHub-Event"), ["push"]);
        assert_eq!(value(&request, "X-GitHub-Delivery"), ["evt_x_7"]);
    }
}
