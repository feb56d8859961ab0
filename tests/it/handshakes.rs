//! What senders ask before they send events, and that it is answered only where that is set.

use crate::senders::{hex_of, seconds, serve};
use crate::support::{Served, ask, raw};

fn handshake_of(name: &str) -> Vec<&str> {
    if name.is_empty() {
        Vec::new()
    } else {
        vec!["--handshake", name]
    }
}

#[test]
fn a_challenge_in_the_query_is_sent_back_where_it_is_set_and_nowhere_else() {
    for (handshake, path, answer) in [
        ("challenge", "/in/in?challenge=abc%20123", Some("abc 123")),
        (
            "challenge",
            "/in/in?hub.mode=subscribe&hub.challenge=77",
            Some("77"),
        ),
        ("challenge", "/in/in?validationToken=77", None),
        (
            "microsoft",
            "/in/in?validationToken=Validation%3A+7",
            Some("Validation: 7"),
        ),
        ("microsoft", "/in/in?challenge=77", None),
        ("slack", "/in/in?challenge=77", None),
        ("", "/in/in?challenge=77", None),
        ("", "/in/in?validationToken=77", None),
        // No page is made of it, and no other header.
        ("challenge", "/in/in?challenge=a%0d%0ab", None),
        ("challenge", "/in/in?challenge=", None),
        ("challenge", "/in/in", None),
    ] {
        let (here, served) = serve("generic", &handshake_of(handshake));
        let (status, headers, text) = served.ask_ingest("GET", path, &[]);
        match answer {
            Some(answer) => {
                assert_eq!((status, text.as_str()), (200, answer), "{handshake} {path}");
                assert_eq!(headers["content-type"], "text/plain; charset=utf-8");
            }
            None => assert_eq!(status, 405, "{handshake} {path}: {text}"),
        }
        assert_eq!(here.list(&["event", "list"]).len(), 0);
    }
    let long = "a".repeat(1_025);
    let (_here, served) = serve("generic", &["--handshake", "challenge"]);
    let path = format!("/in/in?challenge={long}");
    assert_eq!(served.ask_ingest("GET", &path, &[]).0, 405);
    // Microsoft asks by POST, without a body.
    let (here, served) = serve("generic", &["--handshake", "microsoft"]);
    let path = "/in/in?validationToken=77";
    let (status, _, text) = served.ask_ingest("POST", path, &[]);
    assert_eq!((status, text.as_str()), (200, "77"));
    assert_eq!(here.list(&["event", "list"]).len(), 0);
}

#[test]
fn slacks_first_post_is_answered_when_it_is_signed_and_is_no_event() {
    let body = br#"{"token":"Jhj5dZrVaK7ZwHHjRyZWjbDl","challenge":"3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P","type":"url_verification"}"#;
    let time = seconds(0);
    let signature = format!("v0={}", hex_of(&[b"v0:", time.as_bytes(), b":", body]));
    let send = |served: &Served, signature: &str| {
        let headers = [
            ("X-Slack-Request-Timestamp", time.as_str()),
            ("X-Slack-Signature", signature),
        ];
        let url = format!("{}/in/in", served.ingest);
        let (status, _, text) = ask("POST", &url, &headers, body);
        (status, text)
    };
    let (here, served) = serve("slack", &["--handshake", "slack"]);
    let asked = send(&served, &signature);
    assert_eq!(
        asked,
        (
            200,
            "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P".to_owned()
        )
    );
    assert_eq!(send(&served, "v0=00").0, 401);
    assert_eq!(here.list(&["event", "list"]).len(), 0);
    // Unless it is set, it is an event as any other.
    let (here, served) = serve("slack", &[]);
    assert_eq!(send(&served, &signature).0, 202);
    assert_eq!(
        here.json(&["event", "show", "1"])["type"],
        "url_verification"
    );
}

#[test]
fn cloudevents_options_is_allowed_where_it_is_set() {
    let ask = "OPTIONS /in/in HTTP/1.1\r\nHost: box\r\nWebHook-Request-Origin: events.example.com\r\nWebHook-Request-Rate: 120\r\nConnection: close\r\n\r\n";
    let (_here, served) = serve("generic", &["--handshake", "cloudevents"]);
    let answer = raw(served.ingest_address(), ask.as_bytes()).to_lowercase();
    assert!(answer.starts_with("http/1.1 200"), "{answer}");
    for header in [
        "webhook-allowed-origin: events.example.com",
        "webhook-allowed-rate: *",
        "allow: post",
    ] {
        assert!(answer.contains(header), "{answer}");
    }
    let (_here, served) = serve("generic", &[]);
    let answer = raw(served.ingest_address(), ask.as_bytes());
    assert!(answer.starts_with("HTTP/1.1 405"), "{answer}");
}
