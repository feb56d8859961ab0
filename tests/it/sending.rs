//! The way out, over real sockets: what a receiver gets, and what its answer means.

use std::io::{Read, Write};

use hookbox::signature::{Secret, github, gogs};
use serde_json::{Value, json};

use crate::support::{PUSH, Receiver, Served, TestDb, closed_port, listener, wait_until};

const STANDARD_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

#[test]
fn a_receiver_gets_the_same_bytes_the_event_headers_and_a_signature_of_its_own() {
    let here = TestDb::new();
    here.add_gogs();
    let receiver = Receiver::answering(&[204]);
    here.add_endpoint(
        "ci",
        &receiver.url,
        &["--sign", "gogs", "--secret", "endpoint-secret"],
    );
    let served = here.serve();
    let (_, answer) = served.push("7f3d7b0c-1111-4222-8333-444455556666", PUSH.as_bytes());
    let got = receiver.next();
    assert_eq!(got.body, PUSH.as_bytes());
    assert_eq!(got.header("content-type"), Some("application/json"));
    assert_eq!(got.header("webhook-id"), answer["id"].as_str());
    assert_eq!(
        got.header("user-agent"),
        Some(concat!("hookbox/", env!("CARGO_PKG_VERSION")))
    );
    for (name, value) in [
        ("X-Gogs-Event", "push"),
        ("X-Gogs-Delivery", "7f3d7b0c-1111-4222-8333-444455556666"),
        ("X-Github-Event", "push"),
    ] {
        let sent = got.headers.iter().find(|(held, _)| held == name);
        assert_eq!(
            sent.map(|(_, value)| value.as_str()),
            Some(value),
            "{name}, in its own case"
        );
    }
    let signatures: Vec<&str> = got
        .headers
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("X-Gogs-Signature"))
        .map(|(_, value)| value.as_str())
        .collect();
    let [signature] = signatures[..] else {
        panic!("one signature: {signatures:?}")
    };
    let secret = Secret::new("endpoint-secret").unwrap();
    gogs::verify(
        &secret,
        got.header("content-type"),
        &got.body,
        Some(signature),
    )
    .unwrap();
}

#[test]
fn the_standard_signature_is_accepted_by_the_published_library() {
    let here = TestDb::new();
    let receiver = Receiver::answering(&[204]);
    here.add_endpoint(
        "app",
        &receiver.url,
        &["--sign", "standard", "--secret", STANDARD_SECRET],
    );
    let served = here.serve();
    here.json(&["enqueue", "--type", "order.paid", "--data", "{\"id\":1}"]);
    let got = receiver.next();
    let headers: http::HeaderMap = got
        .headers
        .iter()
        .map(|(name, value)| {
            let name: http::HeaderName = name.parse().unwrap();
            (name, value.parse::<http::HeaderValue>().unwrap())
        })
        .collect();
    let verifier = standardwebhooks::Webhook::new(STANDARD_SECRET).unwrap();
    verifier.verify(&got.body, &headers).unwrap();
    assert!(verifier.verify(b"{\"id\":2}", &headers).is_err());
    drop(served);
}

#[test]
fn the_github_signature_checks() {
    let here = TestDb::new();
    let receiver = Receiver::answering(&[204]);
    here.add_endpoint("app", &receiver.url, &["--sign", "github", "--secret", "s"]);
    let served = here.serve();
    here.json(&["enqueue", "--type", "order.paid", "--data", "{\"id\":1}"]);
    let got = receiver.next();
    let secret = Secret::new("s").unwrap();
    github::verify(&secret, &got.body, got.header("X-Hub-Signature-256"), None).unwrap();
    assert_eq!(got.header("X-GitHub-Event"), Some("order.paid"));
    drop(served);
}

#[test]
fn each_attempt_is_logged_with_what_was_sent_and_what_came_back() {
    let here = TestDb::new();
    let receiver = Receiver::answering(&[500, 503, 200]);
    here.add_endpoint("ci", &receiver.url, &["--retry", "10ms,20ms"]);
    let served = here.serve();
    here.json(&[
        "enqueue",
        "--type",
        "x",
        "--data",
        "hello",
        "--content-type",
        "text/plain",
    ]);
    here.wait_for_state("1", "delivered");
    let attempts = here.list(&["attempt", "list", "1"]);
    let statuses: Vec<&Value> = attempts.iter().map(|attempt| &attempt["status"]).collect();
    assert_eq!(statuses, [200, 503, 500], "newest first");
    let outcomes: Vec<&Value> = attempts.iter().map(|attempt| &attempt["outcome"]).collect();
    assert_eq!(outcomes, ["delivered", "refused", "refused"]);
    let last = &attempts[0];
    assert_eq!(
        here.list(&["attempt", "list", "1", "--limit", "1"]).len(),
        1
    );
    assert_eq!(last["number"], 3);
    assert_eq!(last["response_body"], "noted");
    assert_eq!(last["response_truncated"], false);
    assert!(last["duration_ms"].as_f64().unwrap() > 0.0);
    let names = |field: &str| -> Vec<String> {
        let pairs = last[field].as_array().unwrap().iter();
        pairs
            .map(|pair| pair[0].as_str().unwrap().to_lowercase())
            .collect()
    };
    assert!(names("request_headers").contains(&"webhook-timestamp".to_owned()));
    assert!(names("response_headers").contains(&"content-length".to_owned()));
    assert!(served.log().contains("delivery.attempted"));
}

/// Answers every connection with these bytes, once; sends what each asked.
fn answering_raw(answer: &'static [u8]) -> (String, std::sync::mpsc::Receiver<String>) {
    let (listener, address) = listener();
    let url = format!("http://{address}/");
    let (sender, asked) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut bytes = [0; 8192];
            let length = stream.read(&mut bytes).unwrap_or(0);
            let _ = sender.send(String::from_utf8_lossy(&bytes[..length]).into_owned());
            let _ = stream.write_all(answer);
        }
    });
    (url, asked)
}

#[test]
fn a_redirect_is_refused_and_not_followed() {
    let here = TestDb::new();
    let target = Receiver::answering(&[200]);
    let location = format!(
        "HTTP/1.1 302 Found\r\nLocation: {}\r\nContent-Length: 0\r\n\r\n",
        target.url
    );
    let (url, _asked) = answering_raw(location.leak().as_bytes());
    here.add_endpoint("moved", &url, &["--retry", "10ms"]);
    let _served = here.serve();
    here.json(&["enqueue", "--type", "x"]);
    let dead = here.wait_for_state("1", "dead");
    assert!(
        dead["reason"]
            .as_str()
            .unwrap()
            .contains("redirects are not followed"),
        "{dead}"
    );
    assert!(target.got_nothing_more());
}

#[test]
fn a_410_is_dead_at_once_and_holds_the_endpoint_until_a_person_resumes_it() {
    let here = TestDb::new();
    let receiver = Receiver::answering(&[410, 200]);
    here.add_endpoint("gone", &receiver.url, &[]);
    let _served = here.serve();
    here.json(&["enqueue", "--type", "x"]);
    let dead = here.wait_for_state("1", "dead");
    assert_eq!(dead["tries"], 1);
    assert!(dead["reason"].as_str().unwrap().starts_with("410 Gone"));
    let held = here.json(&["endpoint", "show", "gone"]);
    assert_eq!(held["held"], true);
    assert_eq!(held["held_reason"], dead["reason"]);
    receiver.next();
    here.json(&["enqueue", "--type", "x"]);
    let waiting = here.json(&["delivery", "show", "2"]);
    assert_eq!(
        (&waiting["state"], &waiting["waiting"]),
        (&json!("pending"), &json!("held"))
    );
    let resumed = here.json(&["endpoint", "resume", "gone"]);
    assert_eq!(
        (&resumed["held"], &resumed["held_reason"]),
        (&json!(false), &Value::Null)
    );
    here.wait_for_state("2", "delivered");
    assert_eq!(here.json(&["delivery", "show", "1"]), dead);
}

#[test]
fn a_long_reply_is_cut_while_it_is_read() {
    let here = TestDb::new();
    let mut answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n".to_vec();
    answer.resize(answer.len() + 1_000_000, b'y');
    let (url, _asked) = answering_raw(answer.leak());
    here.add_endpoint("chatty", &url, &[]);
    let _served = here.serve();
    here.json(&["enqueue", "--type", "x"]);
    here.wait_for_state("1", "delivered");
    let attempt = &here.list(&["attempt", "list", "1"])[0];
    assert_eq!(attempt["response_truncated"], true);
    assert_eq!(
        attempt["response_body"].as_str().unwrap().len(),
        hookbox::outbound::REPLY_BYTES_MAX
    );
}

#[test]
fn a_hang_is_refused_after_the_time_out_and_nonsense_is_refused_too() {
    let here = TestDb::new();
    let (_silent, address) = listener();
    let silent_url = format!("http://{address}/");
    here.add_endpoint(
        "silent",
        &silent_url,
        &["--timeout", "100ms", "--retry", "10ms"],
    );
    let (url, _asked) = answering_raw(b"SSH-2.0-OpenSSH_9.2\r\n");
    here.add_endpoint("nonsense", &url, &["--retry", "10ms"]);
    let _served = here.serve();
    here.json(&["enqueue", "--type", "x"]);
    let hung = here.wait_for_state("1", "dead");
    assert_eq!(hung["endpoint"], "silent");
    assert_eq!(
        hung["reason"],
        "no reply within 100ms; given up after 2 tries"
    );
    let odd = here.wait_for_state("2", "dead");
    assert_eq!(
        (&odd["endpoint"], &odd["tries"]),
        (&Value::from("nonsense"), &Value::from(2))
    );
}

#[test]
fn unreachable_waits_and_is_delivered_when_the_endpoint_is_back() {
    let here = TestDb::new();
    let port = closed_port();
    let address = format!("127.0.0.1:{port}");
    here.add_endpoint("edge", &format!("http://{address}/hook"), &[]);
    here.add_endpoint("nohost", "http://no-such-host.invalid/", &[]);
    let plain = Receiver::answering(&[200]);
    here.add_endpoint("notls", &format!("https://{}/", plain.address), &[]);
    let _served = here.serve();
    here.json(&["enqueue", "--type", "x"]);
    for endpoint in ["edge", "nohost", "notls"] {
        let shown = wait_until(&format!("{endpoint} to be found unreachable"), || {
            let shown = here.json(&["endpoint", "show", endpoint]);
            (shown["circuit"] == "open").then_some(shown)
        });
        assert_eq!(shown["pending"], 1, "{endpoint}");
    }
    let waiting = here.json(&["delivery", "show", "1"]);
    assert_eq!(
        (&waiting["waiting"], &waiting["tries"]),
        (&Value::from("offline"), &Value::from(0))
    );
    let receiver = Receiver::on(&address, &[200]);
    assert_eq!(
        receiver.next().header("webhook-id"),
        waiting["event"].as_str()
    );
    let delivered = here.wait_for_state("1", "delivered");
    assert_eq!(delivered["tries"], 1);
    assert_eq!(
        here.json(&["endpoint", "show", "edge"])["circuit"],
        "closed"
    );
}

#[test]
fn the_environments_proxy_is_not_used() {
    let here = TestDb::new();
    let receiver = Receiver::answering(&[200]);
    here.add_endpoint("ci", &receiver.url, &[]);
    let mut command = here.serve_command();
    let nowhere = format!("http://127.0.0.1:{}", closed_port());
    command
        .env("HTTP_PROXY", &nowhere)
        .env("http_proxy", &nowhere)
        .env("ALL_PROXY", &nowhere);
    let _served = Served::start(command);
    here.json(&["enqueue", "--type", "x"]);
    receiver.next();
}

#[test]
fn an_event_enqueued_beside_serve_is_sent_and_one_slow_endpoint_delays_nobody() {
    let here = TestDb::new();
    let (_silent, address) = listener();
    here.add_endpoint("silent", &format!("http://{address}/"), &[]);
    let receiver = Receiver::answering(&[200]);
    here.add_endpoint("quick", &receiver.url, &[]);
    let _served = here.serve();
    for _ in 0..20 {
        here.json(&["enqueue", "--type", "x"]);
    }
    for _ in 0..20 {
        receiver.next();
    }
    let silent = here.json(&["endpoint", "show", "silent"]);
    assert_eq!(silent["pending"], 20, "still waiting for its first answer");
}

#[test]
fn what_was_enqueued_without_serve_is_sent_when_it_runs() {
    let here = TestDb::new();
    let receiver = Receiver::answering(&[200]);
    here.add_endpoint("ci", &receiver.url, &[]);
    let ran = here.run(&["enqueue", "--type", "x", "--data", "@-"]);
    assert_eq!(ran.code, 0);
    assert!(
        ran.stderr.contains("hookbox serve"),
        "says that nobody serves: {}",
        ran.stderr
    );
    let _served = here.serve();
    receiver.next();
    here.wait_for_state("1", "delivered");
}

#[test]
fn the_type_and_the_encoding_reach_every_receiver() {
    let here = TestDb::new();
    here.run(&["source", "add", "app", "--kind", "generic"]);
    let receiver = Receiver::answering(&[200]);
    here.add_endpoint("ci", &receiver.url, &[]);
    let served = here.serve();
    here.json(&["enqueue", "--type", "order.paid"]);
    assert_eq!(receiver.next().header("X-Hookbox-Type"), Some("order.paid"));
    let headers = [("X-Hookbox-Type", "log"), ("Content-Encoding", "gzip")];
    assert_eq!(served.post("/in/app", &headers, b"\x1f\x8b").0, 202);
    let got = receiver.next();
    assert_eq!(
        (got.header("content-encoding"), got.header("x-hookbox-type")),
        (Some("gzip"), Some("log"))
    );
}
