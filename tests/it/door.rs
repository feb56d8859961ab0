//! The way in: what is accepted, what is refused, and what is kept.

use std::io::{Read, Write};
use std::net::TcpStream;

use hookbox::signature::{Secret, github, gogs};
use serde_json::Value;

use crate::support::{GOGS_SECRET, PUSH, Served, TestDb, connect, raw, wait_until};

fn signature(body: &[u8]) -> String {
    gogs::sign(
        &Secret::new(GOGS_SECRET).unwrap(),
        Some("application/json"),
        body,
    )
}

pub fn gogs_box() -> (TestDb, Served) {
    let here = TestDb::new();
    here.add_gogs();
    let served = here.serve();
    (here, served)
}

#[test]
fn a_signed_push_is_on_disk_before_202_and_kept_byte_for_byte() {
    let (here, served) = gogs_box();
    let (status, answer) = served.push("7f3d7b0c-1111-4222-8333-444455556666", PUSH.as_bytes());
    assert_eq!(status, 202);
    let id = answer["id"].as_str().unwrap();
    // kill -9 at once: what was answered is there.
    drop(served);
    assert_eq!(here.run(&["event", "body", id]).stdout, PUSH.as_bytes());
    let event = here.json(&["event", "show", id]);
    assert_eq!(event["type"], "push");
    assert_eq!(event["key"], "7f3d7b0c-1111-4222-8333-444455556666");
    assert_eq!(event["content_type"], "application/json");
    assert_eq!(event["bytes"], PUSH.len());
    assert_eq!(event["source"], "gogs");
}

#[test]
fn the_producers_headers_keep_their_case_and_order_on_every_request_of_a_connection() {
    let (here, served) = gogs_box();
    let mut stream = connect(served.ingest_address());
    for key in ["k1", "k2", "k3"] {
        // A request that is answered by its path alone leaves nothing behind.
        stream
            .write_all(b"GET /healthz HTTP/1.1\r\nHost: box\r\n\r\n")
            .unwrap();
        let mut answer = [0; 4096];
        let length = stream.read(&mut answer).unwrap();
        assert!(answer[..length].starts_with(b"HTTP/1.1 200"));
        let head = format!(
            "POST /in/gogs HTTP/1.1\r\nHost: box\r\nUser-Agent: GogsServer\r\nX-Gogs-Event: push\r\nX-Github-Event: push\r\nX-gogs-DELIVERY: {key}\r\nX-Gogs-Signature: {}\r\nX-Twice: 1\r\nx-twice: 2\r\nContent-Length: {}\r\n\r\n",
            signature(PUSH.as_bytes()),
            PUSH.len()
        );
        // In pieces, as a network may bring it.
        let (first, second) = head.split_at(70);
        stream.write_all(first.as_bytes()).unwrap();
        stream.flush().unwrap();
        stream.write_all(second.as_bytes()).unwrap();
        stream.write_all(PUSH.as_bytes()).unwrap();
        let mut answer = [0; 4096];
        let length = stream.read(&mut answer).unwrap();
        let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
        assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    }
    for event in here.list(&["event", "list"]) {
        let names: Vec<&str> = event["headers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|pair| pair[0].as_str().unwrap())
            .collect();
        let expected = [
            "Host",
            "User-Agent",
            "X-Gogs-Event",
            "X-Github-Event",
            "X-gogs-DELIVERY",
            "X-Gogs-Signature",
            "X-Twice",
            "x-twice",
            "Content-Length",
        ];
        assert_eq!(names, expected);
    }
}

#[test]
fn a_wrong_empty_or_absent_signature_is_401_and_nothing_is_stored() {
    let (here, served) = gogs_box();
    let wrong = signature(b"another body");
    let mut refused = 0;
    for headers in [
        vec![("X-Gogs-Signature", wrong.as_str())],
        vec![("X-Gogs-Signature", "")],
        vec![("X-Gogs-Signature", "not hex")],
        vec![],
    ] {
        let (status, answer) = served.post("/in/gogs", &headers, PUSH.as_bytes());
        assert_eq!(status, 401, "{headers:?}");
        assert!(!answer["error"].as_str().unwrap().is_empty());
        refused += 1;
    }
    assert_eq!(here.json(&["stats"])["events"], 0);
    let source = wait_until("the refusals to be counted", || {
        let source = here.json(&["source", "show", "gogs"]);
        (source["refusals"] == refused).then_some(source)
    });
    assert_eq!(source["events"], 0);
    // Whoever looks is told, and no longer once something was taken in.
    let told = || {
        here.run(&["doctor"])
            .text()
            .contains("refused the last request")
    };
    assert!(told());
    assert!(source["last_refusal_reason"].as_str().is_some());
    let page = |served: &Served| served.page("/").2.contains("the last: ");
    assert!(page(&served));
    assert_eq!(served.push("k", PUSH.as_bytes()).0, 202);
    assert!(!told() && !page(&served));
}

#[test]
fn form_mode_is_verified_over_the_decoded_payload_and_kept_as_it_came() {
    let (here, served) = gogs_box();
    let form = form_urlencoded::Serializer::new(String::new())
        .append_pair("payload", PUSH)
        .finish();
    let made = signature(PUSH.as_bytes());
    let headers = [
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("X-Gogs-Event", "push"),
        ("X-Gogs-Delivery", "form-1"),
        ("X-Gogs-Signature", made.as_str()),
    ];
    let (status, answer) = served.post("/in/gogs", &headers, form.as_bytes());
    assert_eq!(status, 202, "{answer}");
    let id = answer["id"].as_str().unwrap();
    assert_eq!(here.run(&["event", "body", id]).stdout, form.as_bytes());
}

#[test]
fn the_published_signature_of_another_projects_push_is_accepted() {
    // Secret, body and signature as recomputed with Python's hmac and OpenSSL.
    let here = TestDb::new();
    here.add_gogs();
    let served = here.serve();
    let headers = [
        ("X-Gogs-Event", "push"),
        (
            "X-Gogs-Signature",
            "7804d460f7eadad206a6d4c5a760b15defa80add90a31069e5ab2df85f18bcfa",
        ),
    ];
    let (status, _) = served.post("/in/gogs", &headers, br#"{"ref":"refs/heads/main"}"#);
    assert_eq!(status, 202);
}

#[test]
fn the_same_key_is_the_same_event() {
    let (here, served) = gogs_box();
    let (_, first) = served.push("k1", PUSH.as_bytes());
    let (status, again) = served.push("k1", b"{\"other\":true}");
    assert_eq!(status, 200);
    assert_eq!(
        (&again["id"], &again["duplicate"]),
        (&first["id"], &Value::Bool(true))
    );
    assert_eq!(served.push("k2", PUSH.as_bytes()).0, 202);
    assert_eq!(here.json(&["stats"])["events"], 2);
}

#[test]
fn events_without_a_key_are_all_different() {
    let (here, served) = gogs_box();
    let made = signature(PUSH.as_bytes());
    for _ in 0..3 {
        let (status, _) = served.post("/in/gogs", &[("X-Gogs-Signature", &made)], PUSH.as_bytes());
        assert_eq!(status, 202);
    }
    let events = here.list(&["event", "list"]);
    assert_eq!(events.len(), 3);
    assert_eq!(
        (&events[0]["type"], &events[0]["key"]),
        (&Value::from("unknown"), &Value::Null)
    );
}

#[test]
fn each_refusal_has_its_status_and_says_what_to_do() {
    let (here, served) = gogs_box();
    let (status, answer) = served.post("/in/nowhere", &[], b"{}");
    assert_eq!(status, 404);
    assert!(
        answer["error"]
            .as_str()
            .unwrap()
            .contains("hookbox source add nowhere")
    );
    assert_eq!(served.post("/other", &[], b"{}").0, 404);
    let (status, answer) = served.post("/in/a%20b/c", &[], b"{}");
    assert_eq!(status, 404);
    assert!(
        !answer["error"].as_str().unwrap().contains("source add"),
        "{answer}"
    );
    let made = signature(b"{}");
    let (status, _) = served.post("/in/gogs/", &[("X-Gogs-Signature", &made)], b"{}");
    assert_eq!(status, 202, "a slash at the end is forgiven");
    let wide = "w".repeat(66_000);
    let (status, answer) = served.post(
        "/in/gogs",
        &[("X-Gogs-Signature", &made), ("X-Wide", &wide)],
        b"{}",
    );
    assert_eq!(
        (
            status,
            answer["error"].as_str().unwrap().contains("limit is 65536")
        ),
        (431, true)
    );
    let get = raw(
        served.ingest_address(),
        b"GET /in/gogs HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
    );
    assert!(
        get.starts_with("HTTP/1.1 405") && get.contains("allow: POST"),
        "{get}"
    );
    let long = "x".repeat(300);
    let made = signature(b"{}");
    let headers = [
        ("X-Gogs-Signature", made.as_str()),
        ("X-Gogs-Delivery", long.as_str()),
    ];
    let (status, answer) = served.post("/in/gogs", &headers, b"{}");
    assert_eq!(
        (status, answer["error"].as_str()),
        (400, Some("the key is 300 bytes, limit is 256"))
    );
    let health = raw(
        served.ingest_address(),
        b"GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
    );
    assert!(health.starts_with("HTTP/1.1 200"), "{health}");
    assert_eq!(here.json(&["stats"])["events"], 1);
}

#[test]
fn a_body_over_the_limit_is_413_whether_its_length_is_declared_or_not() {
    let here = TestDb::new();
    here.add_gogs();
    let served = here.serve_with(&["--body-max", "1KiB"]);
    let large = vec![b'x'; 1025];
    let (status, answer) = served.push("k1", &large);
    assert_eq!(status, 413);
    assert!(
        answer["error"].as_str().unwrap().contains("limit is 1024"),
        "{answer}"
    );
    let chunked = format!(
        "POST /in/gogs HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n401\r\n{}\r\n0\r\n\r\n",
        String::from_utf8_lossy(&large)
    );
    let answer = raw(served.ingest_address(), chunked.as_bytes());
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert_eq!(
        served.push("k2", &large[..1024]).0,
        202,
        "the limit itself is allowed"
    );
    assert_eq!(here.json(&["stats"])["events"], 1);
}

#[test]
fn a_sender_that_is_too_slow_is_told_408() {
    let (_here, served) = gogs_box();
    std::thread::scope(|scope| {
        let head = scope.spawn(|| {
            raw(
                served.ingest_address(),
                b"POST /in/gogs HTTP/1.1\r\nHost: h",
            )
        });
        let body = scope.spawn(|| {
            raw(
                served.ingest_address(),
                b"POST /in/gogs HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n12345",
            )
        });
        // Others are served meanwhile.
        assert_eq!(served.push("k1", PUSH.as_bytes()).0, 202);
        let head = head.join().unwrap();
        assert!(head.starts_with("HTTP/1.1 408"), "{head}");
        let body = body.join().unwrap();
        assert!(body.starts_with("HTTP/1.1 408"), "{body}");
    });
}

#[test]
fn idle_connections_keep_nobody_out_and_a_stop_does_not_wait_for_them() {
    let (_here, served) = gogs_box();
    let mut idle: Vec<TcpStream> = (0..100).map(|_| connect(served.ingest_address())).collect();
    // These promise much and send nothing: together more than all the memory for bodies.
    for stream in &mut idle {
        let head = "POST /in/gogs HTTP/1.1\r\nHost: h\r\nContent-Length: 1048576\r\n\r\n";
        stream.write_all(head.as_bytes()).unwrap();
    }
    let silent: Vec<TcpStream> = (0..100).map(|_| connect(served.ingest_address())).collect();
    assert_eq!(served.push("k1", PUSH.as_bytes()).0, 202);
    drop(idle);
    let log = served.stop_and_read_log();
    assert!(
        !log.contains("stopped while requests were being worked on"),
        "{log}"
    );
    drop(silent);
}

#[test]
fn a_generic_source_takes_type_key_and_signature_from_headers() {
    let here = TestDb::new();
    let ran = here.run(&[
        "source",
        "add",
        "app",
        "--kind",
        "generic",
        "--secret-env",
        "APP_SECRET",
    ]);
    assert_eq!(ran.code, 2, "the variable is not set");
    let mut command = here.command(&[
        "source",
        "add",
        "app",
        "--kind",
        "generic",
        "--secret-env",
        "APP_SECRET",
    ]);
    assert!(
        command
            .env("APP_SECRET", "s3cret")
            .status()
            .unwrap()
            .success()
    );
    here.run(&["source", "add", "open", "--kind", "generic"]);
    let served = here.serve();
    let body = b"\x00\xffnot text";
    let made = github::sign(&Secret::new("s3cret").unwrap(), body);
    let headers = [
        ("X-Hookbox-Type", "sensor.reading"),
        ("X-Hookbox-Key", "r-1"),
        ("Content-Type", "application/octet-stream"),
        ("X-Hub-Signature-256", made.as_str()),
    ];
    let (status, answer) = served.post("/in/app", &headers, body);
    assert_eq!(status, 202, "{answer}");
    assert_eq!(here.run(&["event", "body", "1"]).stdout, body);
    assert_eq!(here.json(&["event", "show", "1"])["type"], "sensor.reading");
    assert_eq!(served.post("/in/app", &headers[..3], body).0, 401);
    assert_eq!(
        served.post("/in/open", &headers[..3], body).0,
        202,
        "another source, another key space"
    );
}

#[test]
fn a_source_added_beside_serve_is_there_at_once_and_a_removed_one_is_gone() {
    let here = TestDb::new();
    let served = here.serve();
    assert_eq!(served.post("/in/late", &[], b"{}").0, 404);
    here.run(&["source", "add", "late", "--kind", "generic"]);
    assert_eq!(served.post("/in/late", &[], b"{}").0, 202);
    assert_eq!(here.run(&["source", "remove", "late"]).code, 0);
    wait_until("the source to be gone", || {
        (served.post("/in/late", &[], b"{}").0 == 404).then_some(())
    });
    let event = here.json(&["event", "show", "1"]);
    assert_eq!(event["source"], "late", "its events stay, with its name");
    // Added again it is the same source: its events and keys are still its own.
    assert_eq!(
        here.run(&["source", "add", "late", "--kind", "generic"])
            .code,
        0
    );
    assert_eq!(here.json(&["source", "show", "late"])["events"], 1);
}

#[test]
fn thirty_two_senders_are_committed_in_groups() {
    let (here, served) = gogs_box();
    std::thread::scope(|scope| {
        for sender in 0..32 {
            let served = &served;
            scope.spawn(move || {
                for index in 0..20 {
                    let (status, answer) =
                        served.push(&format!("{sender}-{index}"), PUSH.as_bytes());
                    assert_eq!(status, 202, "{answer}");
                }
            });
        }
    });
    let log = served.stop_and_read_log();
    let of = |name: &str| -> u64 {
        let rest = log.split(&format!("{name}=")).nth(1).unwrap();
        rest.split(|c: char| !c.is_ascii_digit())
            .next()
            .unwrap()
            .parse()
            .unwrap()
    };
    // One is the mark of the ids.
    assert_eq!(of("jobs"), 641);
    assert!(of("commits") < 640 && of("largest_group") > 1, "{log}");
    assert_eq!(here.json(&["stats"])["events"], 640);
}
