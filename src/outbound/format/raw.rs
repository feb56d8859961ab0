//! Format `raw`: the producer's own bytes, content type and event headers, signed anew.

use crate::error::Result;
use crate::model::endpoint::Endpoint;
use crate::model::header::{Header, holds_secret};
use crate::signature::{Scheme, Signable};
use crate::store::SendableEvent;
use crate::time::Timestamp;

use super::super::transport::OutboundRequest;

/// What hookbox calls itself, in `User-Agent`.
const USER_AGENT: &str = concat!("hookbox/", env!("CARGO_PKG_VERSION"));

pub(super) fn render(
    endpoint: &Endpoint,
    event: SendableEvent,
    webhook_id: &str,
    now: Timestamp,
) -> Result<OutboundRequest> {
    let mut headers: Vec<Header> = Vec::new();
    if let Some(content_type) = &event.content_type {
        headers.push(("Content-Type".to_owned(), content_type.clone()));
    }
    headers.push(("User-Agent".to_owned(), USER_AGENT.to_owned()));
    headers.extend(
        event
            .headers
            .iter()
            .filter(|(name, _)| passes(name))
            .cloned(),
    );
    let connection = &endpoint.connection;
    let is_own = |name: &str| {
        let mut own = connection.headers.iter();
        own.any(|(held, _)| held.eq_ignore_ascii_case(name))
    };
    headers.retain(|(name, _)| !is_own(name));
    headers.extend(connection.headers.iter().cloned());
    if let Some(auth) = &connection.auth {
        headers.push(("Authorization".to_owned(), auth.header()));
    }
    add_style(&mut headers, endpoint.scheme, &event, webhook_id);
    headers.push(("webhook-id".to_owned(), webhook_id.to_owned()));
    headers.push((
        "webhook-timestamp".to_owned(),
        now.unix_seconds().to_string(),
    ));
    let message = Signable {
        id: webhook_id,
        timestamp: now,
        content_type: event.content_type.as_deref(),
        body: &event.body,
    };
    let secrets = endpoint.secrets_at(now);
    let signed = endpoint
        .scheme
        .sign(&secrets, &endpoint.signature, &message)?;
    headers.extend(
        signed
            .into_iter()
            .map(|(name, value)| (name.into_owned(), value)),
    );
    Ok(OutboundRequest {
        url: endpoint.url.clone(),
        headers,
        body: event.body,
    })
}

/// Whether a producer's header goes on to the endpoint: event headers (`X-Gogs-Event` and the
/// like) do. Signatures and tokens do not, since they are the producer's and are made anew; nor
/// do headers about the connection that brought the event.
fn passes(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    // Without it the bytes cannot be read.
    if name == "content-encoding" {
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

/// The type of the event, and the event headers that receivers of a signature style look for, where
/// the producer's own did not bring them.
fn add_style(headers: &mut Vec<Header>, scheme: Scheme, event: &SendableEvent, webhook_id: &str) {
    let event_type = event.event_type.as_str();
    let delivery = event.key.as_deref().unwrap_or(webhook_id);
    // Whatever came in however, a receiver finds its type in one place.
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
        // Gitea sends its own set, Gogs' and GitHub's.
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
        // A type or key may hold any letter; a header may not.
        if !there && value.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
            headers.push((name.to_owned(), value.to_owned()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::endpoint::{Format, NewEndpoint};
    use crate::model::id::{EndpointId, EventId};
    use crate::signature::{Secret, gogs};

    fn endpoint(scheme: Scheme, secret: Option<&str>) -> Endpoint {
        let new = NewEndpoint::new("ci", "http://127.0.0.1:1/".parse().unwrap());
        Endpoint {
            id: EndpointId(1),
            name: new.name,
            url: new.url,
            format: Format::Raw,
            scheme,
            secret: secret.map(|text| Secret::new(text).unwrap()),
            old_secrets: Vec::new(),
            signature: new.signature,
            connection: new.connection,
            filters: new.filters,
            timeout: new.timeout,
            concurrency: new.concurrency,
            retry: new.retry,
        }
    }

    fn event() -> SendableEvent {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        SendableEvent {
            id: EventId(7),
            event_type: "push".to_owned(),
            key: Some("b1c9a7f2-1111-4222-8333-444455556666".to_owned()),
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
        let request = render(
            &endpoint(Scheme::None, None),
            event(),
            "evt_x_7",
            Timestamp(1_999),
        )
        .unwrap();
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
        let request = render(
            &endpoint(Scheme::Gogs, Some(secret)),
            event(),
            "evt_x_7",
            Timestamp(0),
        )
        .unwrap();
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
    fn a_style_brings_its_event_headers_where_the_producer_had_none() {
        let plain = SendableEvent {
            headers: Vec::new(),
            key: None,
            ..event()
        };
        let request = render(
            &endpoint(Scheme::Github, Some("s")),
            plain,
            "evt_x_7",
            Timestamp(0),
        )
        .unwrap();
        assert_eq!(value(&request, "X-GitHub-Event"), ["push"]);
        assert_eq!(value(&request, "X-GitHub-Delivery"), ["evt_x_7"]);
    }
}
