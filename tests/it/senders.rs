//! Senders of no kind of their own: how a generic source proves them, and the presets over it.
//!
//! Signatures are made by `hmac` and `sha2` as each sender's page says, not by this program.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use hookbox::time::{Clock, SystemClock};
use serde_json::Value;

use crate::support::{Served, TestDb, closed_port};

const SECRET: &str = "correct horse battery staple";

/// A box with a source of this kind and secret, and its service.
pub fn serve(kind: &str, more: &[&str]) -> (TestDb, Served) {
    let here = TestDb::new();
    let mut arguments = vec!["source", "add", "in", "--kind", kind, "--secret", "-"];
    arguments.extend(more);
    let added = here.run_with_input(&arguments, SECRET.as_bytes());
    assert_eq!(added.code, 0, "{}", added.stderr);
    let served = here.serve();
    (here, served)
}

fn hmac(texts: &[&[u8]]) -> Vec<u8> {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    texts.iter().for_each(|text| mac.update(text));
    mac.finalize().into_bytes().to_vec()
}

pub fn hex_of(texts: &[&[u8]]) -> String {
    hex::encode(hmac(texts))
}

/// This moment, in seconds, as senders write it; some seconds ago.
pub fn seconds(ago: i64) -> String {
    (SystemClock::new().now().unix_seconds() - ago).to_string()
}

/// Posts a body, which must be answered so.
fn post(served: &Served, headers: &[(&str, &str)], body: &[u8], status: u16) -> Value {
    let (got, answer) = served.post("/in/in", headers, body);
    assert_eq!(got, status, "{headers:?}: {answer}");
    answer
}

#[test]
fn a_secret_that_comes_with_each_request_is_checked_and_not_kept() {
    let basic = format!("Basic {}", BASE64.encode(format!("mira:{SECRET}")));
    let bearer = format!("bEARER {SECRET}");
    for (auth, header, good, bad) in [
        (
            "basic:mira",
            "Authorization",
            basic.as_str(),
            "Basic bWlyYTo=",
        ),
        ("basic:mira", "Authorization", &basic, bearer.as_str()),
        ("bearer", "Authorization", &bearer, "Bearer correct"),
        ("bearer", "authorization", &bearer, &basic),
        ("header:X-Check", "X-CHECK", SECRET, "correct"),
        (
            "header:X-Telegram-Bot-Api-Secret-Token",
            "X-Telegram-Bot-Api-Secret-Token",
            SECRET,
            "",
        ),
    ] {
        let (here, served) = serve("generic", &["--auth", auth]);
        let answer = post(&served, &[(header, bad)], b"{}", 401);
        let why = answer["error"].as_str().unwrap();
        assert!(why.to_lowercase().contains(&header.to_lowercase()), "{why}");
        post(&served, &[], b"{}", 401);
        post(&served, &[(header, good)], b"{}", 202);
        let shown = here.json(&["source", "show", "in"]);
        assert_eq!(shown["reading"]["auth"], auth);
        assert_eq!(shown["body_signed"], false);
        // Neither the event nor what was refused shows it.
        let texts = [
            here.run(&["event", "show", "1", "--json"]),
            here.run(&["source", "show", "in", "--json"]),
        ];
        for ran in texts {
            assert!(!ran.text().contains(SECRET), "{auth}: {}", ran.text());
            assert!(
                !ran.text()
                    .contains(&BASE64.encode(format!("mira:{SECRET}"))),
                "{auth}"
            );
        }
    }
}

/// A header of one's own naming is neither shown nor passed on, though its name does not tell what it is.
#[test]
fn the_header_that_is_the_secret_is_not_passed_on() {
    let (here, served) = serve("generic", &["--auth", "header:X-Check"]);
    let url = format!("http://127.0.0.1:{}/", closed_port());
    here.add_endpoint("ci", &url, &["--forward-headers", "X-Check, X-Shop"]);
    post(&served, &[("X-Check", SECRET), ("X-Shop", "7")], b"{}", 202);
    let preview = here.run(&["endpoint", "preview", "ci", "1", "--json"]);
    assert!(preview.text().contains("X-Shop"), "{}", preview.text());
    assert!(!preview.text().contains(SECRET), "{}", preview.text());
    let shown = here.json(&["event", "show", "1"]);
    let headers = shown["headers"].to_string();
    assert!(
        headers.contains("X-Shop") && !headers.contains("X-Check"),
        "{headers}"
    );
}

#[test]
fn a_signed_time_is_read_where_it_is_and_held_to_the_tolerance() {
    let (_here, served) = serve(
        "generic",
        &[
            "--signature-header",
            "X-Grafana-Alerting-Signature",
            "--timestamp-header",
            "X-Grafana-Alerting-Timestamp",
            "--signature-over",
            "{timestamp}:{body}",
        ],
    );
    let send = |ago: i64, status: u16| {
        let time = seconds(ago);
        let signature = hex_of(&[time.as_bytes(), b":", b"{}"]);
        let headers = [
            ("X-Grafana-Alerting-Signature", signature.as_str()),
            ("X-Grafana-Alerting-Timestamp", time.as_str()),
        ];
        post(&served, &headers, b"{}", status)
    };
    send(0, 202);
    send(200, 202);
    let late = send(400, 401).to_string();
    assert!(late.contains("300"), "{late}");
    let signature = hex_of(&[b":", b"{}"]);
    let untimed = [("X-Grafana-Alerting-Signature", signature.as_str())];
    let answer = post(&served, &untimed, b"{}", 401).to_string();
    assert!(answer.contains("X-Grafana-Alerting-Timestamp"), "{answer}");
}

/// PagerDuty signs the body with each of two secrets while one is replaced, in one header.
#[test]
fn one_of_several_signatures_in_a_header_is_enough() {
    let (_here, served) = serve(
        "generic",
        &[
            "--signature-header",
            "X-PagerDuty-Signature",
            "--signature-prefix",
            "v1=",
        ],
    );
    let (right, wrong) = (hex_of(&[b"{}"]), "0".repeat(64));
    for (value, status) in [
        (format!("v1={right}"), 202),
        (format!("v1={wrong},v1={right}"), 202),
        (format!("v1={right}, v1={wrong}"), 202),
        (format!("v1={wrong},v1={wrong}"), 401),
        (format!("v1={wrong},v2={right}"), 401),
        (String::new(), 401),
    ] {
        post(&served, &[("X-PagerDuty-Signature", &value)], b"{}", status);
    }
}

/// Cause: the time was read from `webhook-timestamp` alone, and not at all where it was absent. Damage: a
/// source that was set as its sender's page says refused every event, or took one of any age. Cure: it
/// must be said where the time is.
#[test]
fn what_signs_a_time_that_is_nowhere_is_refused() {
    let here = TestDb::new();
    let over = ["--signature-over", "{timestamp}.{body}"];
    for (more, says) in [
        (&[][..], "--timestamp-header"),
        (
            &["--timestamp-header", "X Time"],
            "not the name of a header",
        ),
        (
            &["--timestamp-header", "X-Time", "--auth", "bearer"],
            "--auth",
        ),
    ] {
        let mut arguments = vec!["source", "add", "in", "--kind", "generic"];
        arguments.extend(over);
        arguments.extend(more);
        let ran = here.run(&arguments);
        assert_eq!(ran.code, 2, "{more:?}");
        assert!(ran.stderr.contains(says), "{more:?}: {}", ran.stderr);
    }
    for (option, value) in [
        ("--auth", "digest"),
        ("--auth", "basic:"),
        ("--auth", "header:a b"),
        ("--handshake", "tls"),
    ] {
        let ran = here.run(&["source", "add", "in", "--kind", "generic", option, value]);
        assert_eq!(ran.code, 2, "{value}");
    }
    let ran = here.run(&[
        "source",
        "add",
        "in",
        "--kind",
        "gogs",
        "--handshake",
        "slack",
    ]);
    assert!(
        ran.code == 2 && ran.stderr.contains("generic"),
        "{}",
        ran.stderr
    );
    assert!(!here.is_made(), "nothing was made");
    // What is made here has its time in the usual place.
    here.add_endpoint(
        "ci",
        "https://ci.example.org/",
        &[
            "--sign",
            "generic",
            "--secret-env",
            "PATH",
            "--signature-over",
            "{timestamp}.{body}",
        ],
    );
}

/// What a preset's sender sends.
struct Sent {
    preset: &'static str,
    headers: Vec<(&'static str, String)>,
    body: &'static [u8],
    event_type: &'static str,
    key: Option<&'static str>,
}

fn sent_by_every_preset() -> Vec<Sent> {
    let one = |preset, headers: &[(&'static str, &str)], body, event_type, key| Sent {
        preset,
        headers: headers
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect(),
        body,
        event_type,
        key,
    };
    let time = seconds(1);
    let bitbucket = br#"{"actor":{"display_name":"Mira Holm"},"push":{"changes":[]}}"#;
    let stripe = br#"{"id":"evt_1Nv0FG","object":"event","type":"invoice.paid"}"#;
    let slack =
        br#"{"type":"event_callback","event_id":"Ev08MFMKH6","event":{"type":"app_mention"}}"#;
    let alert = br#"{"version":"4","status":"firing","alerts":[]}"#;
    let sentry = br#"{"action":"created","data":{"issue":{"id":"31"}}}"#;
    let shopify = br#"{"id":820982911946154508}"#;
    vec![
        one(
            "bitbucket",
            &[
                ("X-Event-Key", "repo:push"),
                ("X-Request-UUID", "8d1e6c5a-55a1-4a2d-b3b7-0c8f4f4f7d11"),
                (
                    "X-Hub-Signature",
                    &format!("sha256={}", hex_of(&[bitbucket])),
                ),
            ],
            bitbucket,
            "repo:push",
            Some("8d1e6c5a-55a1-4a2d-b3b7-0c8f4f4f7d11"),
        ),
        one(
            "stripe",
            &[(
                "Stripe-Signature",
                &format!(
                    "t={time},v1={},v1={},v0={}",
                    "0".repeat(64),
                    hex_of(&[time.as_bytes(), b".", stripe]),
                    "1".repeat(64),
                ),
            )],
            stripe,
            "invoice.paid",
            Some("evt_1Nv0FG"),
        ),
        one(
            "slack",
            &[
                ("X-Slack-Request-Timestamp", &time),
                (
                    "X-Slack-Signature",
                    &format!("v0={}", hex_of(&[b"v0:", time.as_bytes(), b":", slack])),
                ),
            ],
            slack,
            "app_mention",
            Some("Ev08MFMKH6"),
        ),
        one(
            "grafana",
            &[("X-Grafana-Alerting-Signature", &hex_of(&[alert]))],
            alert,
            "alert.firing",
            None,
        ),
        one(
            "alertmanager",
            &[("Authorization", &format!("Bearer {SECRET}"))],
            alert,
            "alert.firing",
            None,
        ),
        one(
            "sentry",
            &[
                ("Sentry-Hook-Resource", "issue"),
                ("Sentry-Hook-Signature", &hex_of(&[sentry])),
                ("Request-ID", "b3f1a7d0"),
            ],
            sentry,
            "issue.created",
            Some("b3f1a7d0"),
        ),
        one(
            "shopify",
            &[
                ("X-Shopify-Topic", "orders/create"),
                (
                    "X-Shopify-Webhook-Id",
                    "b54557e4-bdd9-4b37-8a5f-bf7d70bcd043",
                ),
                ("X-Shopify-Hmac-Sha256", &BASE64.encode(hmac(&[shopify]))),
            ],
            shopify,
            "orders/create",
            Some("b54557e4-bdd9-4b37-8a5f-bf7d70bcd043"),
        ),
    ]
}

#[test]
fn every_preset_takes_what_its_sender_sends_and_nothing_else() {
    for sent in sent_by_every_preset() {
        let Sent { preset, body, .. } = sent;
        let (here, served) = serve(preset, &[]);
        let shown = here.json(&["source", "show", "in"]);
        assert_eq!(shown["kind"], preset);
        let headers: Vec<(&str, &str)> = sent
            .headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        post(&served, &headers, body, 202);
        let event = here.json(&["event", "show", "1"]);
        assert_eq!(event["type"], sent.event_type, "{preset}");
        assert_eq!(event["key"].as_str(), sent.key, "{preset}");
        assert_eq!(event["problem"], Value::Null, "{preset}");
        assert_eq!(here.run(&["event", "body", "1"]).stdout, body);
        // The same key is the same event.
        let again = if sent.key.is_some() { 200 } else { 202 };
        post(&served, &headers, body, again);
        post(&served, &[], body, 401);
        if preset != "alertmanager" {
            post(&served, &headers, b"{}", 401);
        }
        // What is set besides goes before the preset's.
        let set = here.run(&["source", "set", "in", "--type-header", "X-Kind"]);
        assert_eq!(set.code, 0, "{}", set.stderr);
        assert_eq!(
            here.json(&["source", "show", "in"])["reading"]["type_header"],
            "X-Kind"
        );
    }
}
