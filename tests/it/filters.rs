//! Which endpoint gets which event: filters, through the built binary.

use hookbox::model::endpoint::NewEndpoint;
use hookbox::model::kind::SourceKind;
use hookbox::model::source::NewSource;
use hookbox::store::{Missing, Store};
use serde_json::Value;

use crate::support::{
    Bench, NOON, PUSH, Receiver, Script, Served, TestDb, closed_port, event, replied,
};

fn gitea(served: &Served, event_type: &str, key: &str, body: &str) -> String {
    let headers = [
        ("Content-Type", "application/json"),
        ("X-Gitea-Event", event_type),
        ("X-Gitea-Delivery", key),
    ];
    let (status, answer) = served.post("/in/git", &headers, body.as_bytes());
    assert_eq!(status, 202, "{answer}");
    answer["id"].as_str().unwrap().to_owned()
}

/// The endpoints that were owed an event, in order.
fn owed(here: &TestDb, event: &str) -> Vec<String> {
    let rows = here.list(&["delivery", "list", "--event", event]);
    let mut names: Vec<String> = rows
        .iter()
        .map(|row| row["endpoint"].as_str().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

fn added(here: &TestDb, arguments: &[&str]) {
    let ran = here.run(arguments);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}

#[test]
fn an_event_goes_to_the_endpoints_whose_filters_it_passes_and_match_says_why() {
    let here = TestDb::new();
    added(&here, &["source", "add", "git", "--kind", "gitea"]);
    let nowhere = "http://127.0.0.1:9/";
    for (name, filter) in [
        ("all", &[][..]),
        ("pushes", &["--types", "push,tag*"]),
        ("main", &["--branches", "main,release/*"]),
        ("other", &["--sources", "gi*", "--types", "fork"]),
        (
            "merged",
            &[
                "--when",
                "body.action == 'closed' and body.pull_request.merged",
            ],
        ),
    ] {
        here.add_endpoint(name, nowhere, filter);
    }
    let served = here.serve();
    let push = |branch: &str| format!(r#"{{"ref":"refs/heads/{branch}","commits":[{{}}]}}"#);
    let pull = |merged: bool| {
        format!(
            r#"{{"action":"closed","number":7,"pull_request":{{"merged":{merged},"base":{{"ref":"dev"}}}}}}"#
        )
    };
    // A server leaves numbers out now and then.
    let mut ids = Vec::new();
    for (key, event_type, body, expected) in [
        ("1", "push", push("main"), &["all", "main", "pushes"][..]),
        ("2", "push", push("release/2"), &["all", "main", "pushes"]),
        ("3", "push", push("dev"), &["all", "pushes"]),
        ("4", "pull_request", pull(true), &["all", "merged"]),
        ("5", "pull_request", pull(false), &["all"]),
        // About no branch: --branches has nothing to ask.
        ("6", "fork", "{}".to_owned(), &["all", "main", "other"]),
    ] {
        let id = gitea(&served, event_type, key, &body);
        assert_eq!(owed(&here, &id), expected, "{event_type} {body}");
        for name in ["all", "pushes", "main", "other", "merged"] {
            let matched = here.json(&["endpoint", "match", name, &id]);
            let goes = expected.contains(&name);
            assert_eq!(matched["matches"], goes, "{name} {event_type}: {matched}");
            assert_eq!(
                matched["deliveries"].as_array().unwrap().len(),
                usize::from(goes)
            );
        }
        ids.push(id);
    }
    let third = &ids[2];
    let dev = here.run(&["endpoint", "match", "main", third]);
    assert!(dev.text().contains("does not go to main"), "{}", dev.text());
    assert!(dev.text().contains("dev is none of them"), "{}", dev.text());
    let all = here.run(&["endpoint", "match", "all", third]);
    assert!(all.text().contains("no filters"), "{}", all.text());
    assert_eq!(here.run(&["endpoint", "match", "none", third]).code, 3);
    assert_eq!(here.run(&["endpoint", "match", "all", "99"]).code, 3);
}

#[test]
fn an_event_on_which_an_expression_fails_is_sent_and_the_failure_shown() {
    let here = TestDb::new();
    let receiver = Receiver::answering(&[200]);
    let urgent = "(body.meta|fromjson).urgent";
    here.add_endpoint("ci", &receiver.url, &["--when", urgent]);
    let served = here.serve();
    let enqueued = here.run(&[
        "enqueue",
        "--type",
        "fork",
        "--data",
        r#"{"meta":"no JSON"}"#,
    ]);
    assert!(enqueued.stderr.contains("endpoint.when_failed"));
    receiver.next();
    let delivery = here.wait_for_state("1", "delivered");
    let error = delivery["when_error"].as_str().unwrap();
    assert!(!error.is_empty());
    assert_eq!(here.json(&["endpoint", "show", "ci"])["when_errors"], 1);
    let (_, _, page) = served.page("/deliveries/1");
    assert!(page.contains("In doubt"), "{page}");
    let (_, _, page) = served.page("/endpoints");
    assert!(
        page.contains("its --when failed on 1 event, which went out"),
        "{page}"
    );
    let matched = here.run(&["endpoint", "match", "ci", "1"]);
    assert!(matched.text().contains("it fails"), "{}", matched.text());
    // One on which it does not fail and is not true is not sent.
    here.json(&["enqueue", "--type", "push", "--data", r#"{"meta":"{}"}"#]);
    assert_eq!(owed(&here, "2"), Vec::<String>::new());
}

#[test]
fn a_filter_that_cannot_work_is_refused_with_what_to_do_and_nothing_is_made() {
    let here = TestDb::new();
    added(&here, &["source", "add", "git", "--kind", "gitea"]);
    for (option, value, says) in [
        ("--types", "push,,tag", "empty pattern"),
        ("--sources", "gti", "no source matches `gti`"),
        ("--when", "type ==", "syntax"),
        ("--when", "kind == 'x'", "no event has `kind`"),
        ("--when", "body|upper_case", "unknown filter"),
    ] {
        let ran = here.run(&["endpoint", "add", "x", "http://h/", option, value]);
        assert_eq!(ran.code, 2, "{value}");
        assert!(ran.stderr.contains(says), "{value}: {}", ran.stderr);
    }
    assert!(here.list(&["endpoint", "list"]).is_empty());
}

#[test]
fn an_endpoint_is_changed_without_losing_what_waits_and_what_is_not_named_stays() {
    let here = TestDb::new();
    let closed = closed_port();
    here.add_endpoint(
        "ci",
        &format!("http://127.0.0.1:{closed}/hook?token=T0K3N"),
        &["--sign", "gogs", "--secret", "s3cret", "--types", "push"],
    );
    let _served = here.serve();
    here.json(&["enqueue", "--type", "push", "--data", PUSH]);
    let receiver = Receiver::answering(&[200]);
    let set = here.run(&[
        "endpoint",
        "set",
        "ci",
        "--url",
        &receiver.url,
        "--timeout",
        "3s",
        "--branches",
        "main",
        "--json",
    ]);
    assert_eq!(set.code, 0, "{}", set.stderr);
    assert!(!set.text().contains("s3cret"));
    let shown: Value = serde_json::from_slice(&set.stdout).unwrap();
    assert_eq!(shown["timeout"], "3s");
    assert_eq!(shown["sign"], "gogs");
    assert_eq!(shown["types"], serde_json::json!(["push"]));
    assert_eq!(shown["branches"], serde_json::json!(["main"]));
    // What waited goes to where it is now.
    let got = receiver.next();
    assert!(got.header("X-Gogs-Signature").is_some());
    here.wait_for_state("1", "delivered");
    // An empty list takes the filter away; no signature needs no secret.
    let shown = here.json(&["endpoint", "set", "ci", "--types", "", "--sign", "none"]);
    assert_eq!(shown["types"], Value::Null);
    assert_eq!(shown["sign"], "none");
    for (arguments, code) in [
        (&["endpoint", "set", "none", "--timeout", "3s"][..], 3),
        (&["endpoint", "set", "ci", "--timeout", "3h"], 2),
        (&["endpoint", "set", "ci", "--sign", "standard"], 2),
    ] {
        assert_eq!(here.run(arguments).code, code, "{arguments:?}");
    }
    assert_eq!(here.json(&["endpoint", "show", "ci"])["sign"], "none");
}

#[test]
fn filters_hold_as_they_are_at_the_commit_whatever_was_known_before() {
    // Routes are found before the writer's turn, by sources and endpoints that may be 50 ms old.
    let bench = Bench::new(Script::default());
    let other = Store::open(bench.store.location(), Missing::Refuse).unwrap();
    for round in 0..20 {
        let name = format!("of-{round}");
        let mut new = NewEndpoint::new(&name, "http://127.0.0.1:9/".parse().unwrap());
        new.filters.types = Some(format!("type-{round}").parse().unwrap());
        new.filters.when = Some("body.commits|length == 1".parse().unwrap());
        other.add_endpoint(new, NOON).unwrap();
        let wanted = event(&format!("type-{round}"));
        let accepted = bench.store.accept(wanted, NOON).unwrap();
        assert_eq!(accepted.deliveries, 1, "round {round}");
    }
}

#[test]
fn a_redelivery_is_replayed_only_to_endpoints_that_want_the_event() {
    let mut bench = Bench::new(Script::default().forever(replied(200)));
    let source = NewSource::new("gogs", SourceKind::Gogs);
    let source = bench.store.add_source(source, bench.now()).unwrap();
    bench.endpoint("all");
    bench.endpoint_with("tags", |new| {
        new.filters.types = Some("create".parse().unwrap());
    });
    let push = || hookbox::model::event::NewEvent {
        source: Some(source),
        key: Some("k".to_owned()),
        ..event("push")
    };
    bench.store.accept(push(), bench.now()).unwrap();
    assert_eq!(bench.run_due(), 1);
    bench.advance(std::time::Duration::from_secs(60));
    let again = bench.store.accept(push(), bench.now()).unwrap();
    assert_eq!((again.duplicate, again.deliveries), (true, 1));
}
