//! What is made of a reply: its status line, what is odd about the rest, and what a yes looks like.

use std::time::Duration;

use crate::support::{Receiver, TestDb, wait_until};
use crate::wire::{About, Does, endpoint, listen, replied, send, transport};

#[test]
fn a_reply_counts_by_its_status_line_whatever_the_rest_is() {
    let many: About = |_| {
        let headers: String = (0..129).map(|n| format!("X-{n}: {n}\r\n")).collect();
        Does::Says(format!("HTTP/1.1 200 OK\r\n{headers}Content-Length: 0\r\n\r\n").into_bytes())
    };
    let long: About = |_| {
        let value = "z".repeat(17 * 1024);
        Does::Says(
            format!("HTTP/1.1 201 Created\r\nX-Z: {value}\r\nContent-Length: 0\r\n\r\n")
                .into_bytes(),
        )
    };
    let folded: About = |_| {
        Does::Says(
            b"HTTP/1.1 202 Accepted\r\nX-Folded: one\r\n two\r\nContent-Length: 0\r\n\r\n".to_vec(),
        )
    };
    let nonsense: About = |_| Does::Says(b"HTTP/1.1 200 OK\r\nno header at all\r\n\r\n".to_vec());
    let strange: About = |_| {
        Does::Says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nno chunk".to_vec())
    };
    let odd_length: About =
        |_| Does::Says(b"HTTP/1.1 200 OK\r\nContent-Length: a few\r\n\r\nok".to_vec());
    let refused: About = |_| {
        let value = "z".repeat(17 * 1024);
        Does::Says(format!("HTTP/1.1 500 Oops\r\nX-Z: {value}\r\n\r\n").into_bytes())
    };
    for (about, status) in [
        (many, 200),
        (long, 201),
        (folded, 202),
        (nonsense, 200),
        (strange, 200),
        (odd_length, 200),
        (refused, 500),
    ] {
        let (address, _got) = listen(None, about);
        let endpoint = endpoint(&format!("http://{address}/"), |new| {
            new.timeout = Duration::from_millis(500);
        });
        let reply = replied(send(&transport(), &endpoint, &[]));
        assert_eq!(reply.status, status, "{reply:?}");
    }
}

#[test]
fn what_was_odd_about_a_reply_is_noted_with_the_delivery() {
    let (address, _got) = listen(None, |_| {
        let headers: String = (0..129).map(|n| format!("X-{n}: {n}\r\n")).collect();
        Does::Says(format!("HTTP/1.1 200 OK\r\n{headers}Content-Length: 0\r\n\r\n").into_bytes())
    });
    let here = TestDb::new();
    here.add_endpoint("ci", &format!("http://{address}/"), &["--retry", "none"]);
    let _served = here.serve();
    here.json(&["enqueue", "--type", "x", "--data", "{}"]);
    let delivered = here.wait_for_state("1", "delivered");
    let reason = delivered["reason"].as_str().unwrap();
    assert!(
        reason.contains("the rest of the reply cannot be read"),
        "{reason}"
    );
}

/// What answers in the place of the endpoint says 200 too: a login page of a network, an error page.
#[test]
fn what_a_yes_looks_like_can_be_said_and_a_page_in_its_place_is_doubted() {
    let here = TestDb::new();
    let json = Receiver::saying(&[200], r#"{"result":"accepted"}"#);
    let page = Receiver::saying(&[200], "<!DOCTYPE html><p>Sign in</p>");
    let busy = Receiver::saying(&[409], "had it already");
    let none = ["--retry", "none"];
    let with = |expect: &'static str| [&none[..], &["--expect", expect]].concat();
    here.add_endpoint("yes", &json.url, &with("body.result == 'accepted'"));
    here.add_endpoint("no", &json.url, &with("body.result == 'done'"));
    here.add_endpoint("portal", &page.url, &with("body.result == 'accepted'"));
    here.add_endpoint("had", &busy.url, &with("status in [200, 409]"));
    here.add_endpoint("believes", &page.url, &none);
    let _served = here.serve();
    here.json(&["enqueue", "--type", "x", "--data", "{}"]);
    for (name, state, says) in [
        ("yes", "delivered", None),
        ("no", "dead", Some("not what --expect asks for")),
        ("portal", "dead", Some("the reply is not JSON")),
        ("had", "delivered", None),
        ("believes", "delivered", None),
    ] {
        let settled = wait_until(&format!("{name} to be {state}"), || {
            let arguments = ["delivery", "list", "--endpoint", name, "--state", state];
            here.list(&arguments).pop()
        });
        let reason = settled["reason"].as_str().unwrap_or_default();
        assert!(
            reason.contains(says.unwrap_or_default()),
            "{name}: {reason}"
        );
    }
    let warnings = |name: &str| here.json(&["endpoint", "show", name])["warnings"].to_string();
    assert!(
        warnings("believes").contains("HTML page"),
        "{}",
        warnings("believes")
    );
    for name in ["yes", "portal", "had"] {
        assert_eq!(warnings(name), "[]", "{name}");
    }
    let doctor = here.run(&["doctor"]);
    assert!(doctor.text().contains("--expect"), "{}", doctor.text());
    // Chats say themselves whether they took a message; what no reply has cannot be asked for.
    for (arguments, says) in [
        (
            &["--format", "slack", "--expect", "body.ok"][..],
            "says itself",
        ),
        (&["--expect", "reply.ok"], "no reply has"),
    ] {
        let mut all = vec!["endpoint", "set", "no"];
        all.extend_from_slice(arguments);
        let refused = here.run(&all);
        assert_eq!(refused.code, 2);
        assert!(refused.stderr.contains(says), "{}", refused.stderr);
    }
}

/// What is hidden is hidden from people: what a yes looks like is asked of the reply as it came.
#[test]
fn an_expectation_reads_the_reply_as_it_came() {
    let here = TestDb::new();
    let receiver = Receiver::saying(&[200], r#"{"team":"platform"}"#);
    here.add_endpoint(
        "ci",
        &receiver.url,
        &[
            "--header",
            "X-Team: platform",
            "--expect",
            "body.team == 'platform'",
        ],
    );
    let _served = here.serve();
    here.json(&["enqueue", "--type", "t", "--data", "{}"]);
    here.wait_for_state("1", "delivered");
    let attempt = here.list(&["attempt", "list", "1"])[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let shown = here.run(&["attempt", "show", &attempt]);
    assert!(
        shown.text().contains(r#"{"team":"[hidden]"}"#),
        "{}",
        shown.text()
    );
}
