//! Requests that a source rejects: counted, listed, and kept without secrets or bodies.

use serde_json::Value;

use crate::sources::{add, ok, push};
use crate::support::{TestDb, raw, wait_until};

#[test]
fn refusals_are_counted_and_the_latest_hundred_are_listed_without_secrets_or_bodies() {
    let here = TestDb::new();
    add(&here, "gitee", "s3cret", &[]);
    let served = here.serve();
    let headers = [
        ("X-Gitee-Event", "Push Hook"),
        ("X-Gitee-Token", "wr0ng-token"),
        ("Authorization", "Basic wr0ng-basic"),
    ];
    let (status, _) = served.post("/in/in", &headers, b"{\"of\":\"the body\"}");
    assert_eq!(status, 401);
    let (status, _) = served.post("/in/in", &[], &vec![b'x'; 1024 * 1024 + 1]);
    assert_eq!(status, 413);
    let get = format!(
        "GET /in/in HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
        "h"
    );
    assert!(raw(served.ingest_address(), get.as_bytes()).starts_with("HTTP/1.1 405"));
    let refusals = wait_until("the refusals to be written down", || {
        let listed = here.list(&["source", "refusals", "in"]);
        (listed.len() == 3).then_some(listed)
    });
    // The API has them in the same order: newest first.
    let by_api = served.api_get("/sources/in/refusals")["items"].clone();
    assert_eq!(by_api, Value::from(refusals.clone()));
    let statuses: Vec<u64> = refusals
        .iter()
        .map(|r| r["status"].as_u64().unwrap())
        .collect();
    assert_eq!(statuses, [405, 413, 401], "newest first");
    let first = &refusals[2];
    assert_eq!(first["address"], "127.0.0.1");
    assert!(first["at"].as_str().unwrap().starts_with("20"));
    let reason = first["reason"].as_str().unwrap();
    assert!(reason.contains("does not match"), "{reason}");
    let kept = first["headers"].to_string();
    assert!(
        kept.contains("Push Hook") && kept.contains("[hidden]"),
        "{kept}"
    );
    let (_, _, page) = served.page("/sources/in");
    assert!(
        page.contains("does not match") && page.contains("Push Hook"),
        "{page}"
    );
    for secret in ["wr0ng-token", "wr0ng-basic", "of the body", "the body\\"] {
        let all: String = refusals.iter().map(Value::to_string).collect();
        assert!(!all.contains(secret) && !page.contains(secret), "{secret}");
    }
    let text = ok(here.run(&["source", "refusals", "in", "--limit", "1"]));
    assert_eq!(text.text().lines().count(), 2, "{}", text.text());
    assert_eq!(here.run(&["source", "refusals", "none"]).code, 3);
    assert_eq!(served.page("/sources/none").0, 404);
    assert_eq!(here.json(&["source", "show", "in"])["refusals"], 3);
}

#[test]
fn a_flood_of_bad_requests_is_counted_and_pushes_nothing_else_out_of_the_list() {
    let here = TestDb::new();
    add(&here, "gogs", "s3cret", &[]);
    let served = here.serve();
    let unsigned = served.post("/in/in", &[("X-Gogs-Event", "push")], b"{}");
    assert_eq!(unsigned.0, 401);
    for _ in 0..500 {
        assert_eq!(push(&served, "/in/in", "wrong", "k").0, 401);
    }
    wait_until("all to be counted", || {
        (here.json(&["source", "show", "in"])["refusals"] == 501).then_some(())
    });
    let kept = here.list(&["source", "refusals", "in"]);
    let counts: Vec<i64> = kept.iter().map(|r| r["count"].as_i64().unwrap()).collect();
    assert_eq!(counts, [500, 1]);
}

#[test]
fn a_secret_that_was_pasted_where_a_signature_belongs_is_not_kept() {
    let here = TestDb::new();
    add(&here, "gogs", "correct horse", &[]);
    let served = here.serve();
    for headers in [
        [("X-Gogs-Signature", "another secret")],
        [("X-Note", "the secret is correct horse")],
    ] {
        assert_eq!(served.post("/in/in", &headers, b"{}").0, 401);
    }
    let kept = wait_until("both to be written down", || {
        let listed = here.list(&["source", "refusals", "in"]);
        (listed.len() == 2).then_some(listed)
    });
    for refusal in kept {
        let text = refusal.to_string();
        assert!(text.contains("[hidden]"), "{text}");
        assert!(
            !text.contains("correct horse") && !text.contains("another secret"),
            "{text}"
        );
    }
}
