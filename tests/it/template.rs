//! Format `template:FILE`: what is made of an event, when it is checked, and how it is looked at.

use hookbox::signature::{Secret, gogs};
use serde_json::Value;

use crate::support::{PUSH, Receiver, TestDb, closed_port, wait_until};

const CHAT: &str = r#"{"text": {{ summary|tojson }}, "commits": [
{%- for commit in body.commits %}{{ commit.id[:7]|tojson }}{% if not loop.last %}, {% endif %}{% endfor -%}
]}"#;

fn file(here: &TestDb, name: &str, text: &str) -> String {
    let path = here.folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    format!("template:{}", path.display())
}

#[test]
fn what_the_template_makes_is_what_is_sent_and_signed_and_previewed() {
    let here = TestDb::new();
    here.add_gogs();
    let receiver = Receiver::answering(&[200]);
    let format = file(&here, "chat.j2", CHAT);
    here.add_endpoint(
        "chat",
        &format!("{}?token=T0K3N", receiver.url),
        &[
            "--format",
            &format,
            "--sign",
            "gogs",
            "--secret",
            "s3cret",
            "--header",
            "X-Api-Key: k3y",
        ],
    );
    // The file may go: its text is kept.
    std::fs::remove_file(format.strip_prefix("template:").unwrap()).unwrap();
    let served = here.serve();
    let (_, answer) = served.push("k1", PUSH.as_bytes());
    let got = receiver.next();
    let made: Value = serde_json::from_slice(&got.body).unwrap();
    assert_eq!(
        made["text"],
        "lighthouse/beacon: mira pushed 1 commit to main"
    );
    assert_eq!(made["commits"], serde_json::json!(["c41d2e3"]));
    assert_eq!(got.header("Content-Type"), Some("application/json"));
    let secret = Secret::new("s3cret").unwrap();
    let signature = got.header("X-Gogs-Signature");
    gogs::verify(&secret, Some("application/json"), &got.body, signature).unwrap();
    // Headers of the producer speak of another body.
    assert_eq!(
        got.header("X-Github-Delivery"),
        Some("k1"),
        "the scheme's own"
    );
    here.wait_for_state("1", "delivered");
    let shown = here.json(&["endpoint", "show", "chat"]);
    assert_eq!(shown["format"], "template:chat.j2");
    assert_eq!(shown["content_type"], "application/json");
    // The preview is what was sent, byte for byte, and tells no secret unless it is asked to.
    let id = answer["id"].as_str().unwrap();
    let preview = here.run(&["endpoint", "preview", "chat", id]);
    let text = preview.text();
    assert!(
        text.ends_with(&format!("\n\n{}\n", String::from_utf8_lossy(&got.body))),
        "{text}"
    );
    let signature = signature.unwrap();
    for secret in ["T0K3N", "k3y", signature] {
        assert!(!text.contains(secret), "{text}");
    }
    let signed = here.run(&["endpoint", "preview", "chat", id, "--signed"]);
    assert!(signed.text().contains(signature) && signed.text().contains("T0K3N"));
    let object = here.json(&["endpoint", "preview", "chat", id]);
    assert_eq!(object["body"].as_str().unwrap().as_bytes(), got.body);
    assert!(receiver.got_nothing_more(), "a preview sends nothing");
    for arguments in [["none", id], ["chat", "99"]] {
        let ran = here.run(&["endpoint", "preview", arguments[0], arguments[1]]);
        assert_eq!(ran.code, 3, "{arguments:?}");
    }
}

#[test]
fn a_template_is_checked_on_a_sample_when_it_is_set() {
    let here = TestDb::new();
    let missing = format!("template:{}", here.folder.path().join("none.j2").display());
    for (format, code, says) in [
        (missing, 1, "none.j2"),
        ("slack:x".to_owned(), 2, "ntfy or template:FILE"),
        (file(&here, "a.j2", "{% if %}"), 2, "a.j2, line 1"),
        (
            file(&here, "b.j2", "{{ body|nofilter }}"),
            2,
            "a sample push",
        ),
        (
            file(&here, "c.j2", "{\"text\": {{ summary }}}"),
            2,
            "|tojson",
        ),
    ] {
        let ran = here.run(&["endpoint", "add", "x", "http://h/", "--format", &format]);
        assert_eq!(ran.code, code, "{format}: {}", ran.stderr);
        assert!(ran.stderr.contains(says), "{format}: {}", ran.stderr);
    }
    let text = file(&here, "d.j2", "{{ summary }}");
    here.add_endpoint(
        "x",
        "http://h/",
        &["--format", &text, "--content-type", "text/plain"],
    );
    // Where there are events, the newest is the sample.
    here.json(&["enqueue", "--type", "order.paid", "--data", "{\"id\": 7}"]);
    let of_push = file(&here, "e.j2", "{{ body.commits[0].id|upper + 1 }}");
    let ran = here.run(&["endpoint", "set", "x", "--format", &of_push]);
    assert_eq!(ran.code, 2);
    assert!(
        ran.stderr.contains("the newest event, evt_"),
        "{}",
        ran.stderr
    );
    // An empty file is no template, and not the one that there was under another name.
    let empty = file(&here, "empty.j2", "\n");
    let ran = here.run(&["endpoint", "set", "x", "--format", &empty]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("empty.j2 is empty"), "{}", ran.stderr);
    // The template that there is stays.
    let typed = here.json(&["endpoint", "set", "x", "--content-type", "text/html"]);
    assert_eq!(typed["format"], "template:d.j2");
    let raw = here.json(&["endpoint", "set", "x", "--format", "raw"]);
    assert_eq!(raw["format"], "raw");
    let alone = here.run(&["endpoint", "set", "x", "--content-type", "text/html"]);
    assert_eq!(alone.code, 2, "{}", alone.stderr);
}

#[test]
fn an_event_on_which_a_template_fails_is_sent_once_the_template_is_mended() {
    let here = TestDb::new();
    let receiver = Receiver::answering(&[200]);
    let urgent = file(&here, "urgent.j2", "{{ (body.meta|fromjson).urgent }}");
    let settings = [
        "--format",
        &urgent,
        "--content-type",
        "text/plain",
        "--retry",
        "100ms,100ms,1s,1s,1s,1s",
    ];
    here.add_endpoint("x", &receiver.url, &settings);
    let _served = here.serve();
    here.json(&["enqueue", "--type", "x", "--data", r#"{"meta":"no JSON"}"#]);
    wait_until("the failure", || {
        let delivery = here.json(&["delivery", "show", "1"]);
        let reason = here.list(&["attempt", "list", "1"]).first()?["error"].to_string();
        assert!(reason.contains("template urgent.j2 failed"), "{reason}");
        assert_eq!(delivery["state"], "pending");
        Some(())
    });
    assert!(receiver.got_nothing_more());
    let mended = file(&here, "mended.j2", "{{ body.meta }}");
    here.json(&[
        "endpoint",
        "set",
        "x",
        "--format",
        &mended,
        "--content-type",
        "text/plain",
    ]);
    assert_eq!(receiver.next().body, b"no JSON");
    here.wait_for_state("1", "delivered");
    assert!(here.is_made());
}

#[test]
fn an_event_that_cannot_be_made_into_a_request_ends_no_outage() {
    // Nothing is sent, so nothing is learned of the endpoint.
    let here = TestDb::new();
    let format = file(&here, "t.j2", "{{ (body.meta|fromjson).x }}");
    let closed = format!("http://127.0.0.1:{}/", closed_port());
    let settings = [
        "--format",
        &format,
        "--content-type",
        "text/plain",
        "--retry",
        "none",
    ];
    here.add_endpoint("x", &closed, &settings);
    let served = here.serve();
    here.json(&["enqueue", "--type", "x", "--data", "{}"]);
    let outage = || here.json(&["endpoint", "show", "x"])["outage"].clone();
    wait_until("the outage", || outage().is_object().then_some(()));
    // The first is taken away, so that the next one is the probe.
    here.json(&["delivery", "cancel", "1"]);
    here.json(&["enqueue", "--type", "x", "--data", r#"{"meta":"no JSON"}"#]);
    here.wait_for_state("2", "dead");
    assert!(outage().is_object());
    assert!(
        !served.log().contains("endpoint.reached"),
        "{}",
        served.log()
    );
}
