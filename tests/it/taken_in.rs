//! What comes in is neither withheld from an endpoint that wants it nor taken for another event,
//! whatever its body looks like; and it does not go round.

use std::time::Duration;

use hookbox::model::delivery::State;
use hookbox::model::event::NewEvent;
use hookbox::model::id::DeliveryId;
use hookbox::model::kind::SourceKind;
use hookbox::model::source::NewSource;
use serde_json::{Value, json};

use crate::support::{
    Bench, Receiver, Script, Served, TestDb, closed_port, event, replied, wait_until,
};

/// A box with a source of this kind that takes what is unsigned, and its service.
fn serve_source(kind: &str, more: &[&str]) -> (TestDb, Served) {
    let here = TestDb::new();
    let mut arguments = vec!["source", "add", "in", "--kind", kind];
    arguments.extend_from_slice(more);
    let added = here.run(&arguments);
    assert_eq!(added.code, 0, "{}", added.stderr);
    let served = here.serve();
    (here, served)
}

fn id_of(answer: &Value) -> String {
    answer["id"].as_str().unwrap().to_owned()
}

const JSON: (&str, &str) = ("Content-Type", "application/json");

/// Cause: a body that the strict reader refused (half a character, a number beyond a float, deep
/// nesting, a byte that is no UTF-8, a byte order mark) was a text to expressions, so that every
/// field was undefined and `--when` false. Damage: the event was owed to nobody. Cure: what is
/// nearly JSON is read, and what cannot be read fails the expression, which sends the event.
#[test]
fn a_body_that_is_nearly_json_is_read_by_filters() {
    let (here, served) = serve_source("generic", &[]);
    let url = format!("http://127.0.0.1:{}/", closed_port());
    here.add_endpoint("paid", &url, &["--when", "body.type == 'order.paid'"]);
    here.add_endpoint("other", &url, &["--when", "body.type == 'other'"]);
    let wide = |text: &str| -> Vec<u8> {
        let units = "\u{feff}".encode_utf16().chain(text.encode_utf16());
        units.flat_map(u16::to_le_bytes).collect()
    };
    let deep = format!(
        r#"{{"type":"order.paid","note":{}1{}}}"#,
        "[".repeat(129),
        "]".repeat(129)
    );
    for (number, body) in [
        &br#"{"type":"order.paid","note":"\ud83d"}"#[..],
        br#"{"type":"order.paid","note":1e999}"#,
        deep.as_bytes(),
        b"{\"type\":\"order.paid\",\"note\":\"caf\xe9\"}",
        b"\xef\xbb\xbf{\"type\":\"order.paid\"}",
        b"{\"type\":\"order.paid\", // a comment\n \"note\":1}",
        b"{\"type\":\"order.paid\",\"note\":\"a\tb\nc\"}",
        b"{\"type\":\"order.paid\",\"items\":[1,2,],}",
        b"{\"type\":\"order.paid\",\"price\":NaN}",
        br#"{"type":"order.paid","id":{"$serde_json::private::Number":5}}"#,
        br#"{"type":"order.paid","id":{"$serde_json::private::Number":"x","a":1}}"#,
        &wide("{\"type\":\"order.paid\"}"),
    ]
    .into_iter()
    .enumerate()
    {
        // `curl -d` calls everything a form.
        let form = ("Content-Type", "application/x-www-form-urlencoded");
        let content_type = if number % 2 == 0 { JSON } else { form };
        let (status, answer) = served.post("/in/in", &[content_type], body);
        assert_eq!(status, 202);
        let id = id_of(&answer);
        let owed = here.list(&["delivery", "list", "--event", &id]);
        let to: Vec<&Value> = owed.iter().map(|one| &one["endpoint"]).collect();
        let shown = String::from_utf8_lossy(body);
        assert_eq!(to, [&json!("paid")], "{shown}");
        assert_eq!(owed[0]["when_error"], Value::Null, "{shown}");
        assert_eq!(here.json(&["event", "show", &id])["json"], true, "{shown}");
        assert_eq!(here.run(&["event", "body", &id]).stdout, body);
    }
}

#[test]
fn a_body_that_cannot_be_read_is_sent_and_the_failure_shown() {
    let (here, served) = serve_source(
        "generic",
        &["--type-expr", "body.type", "--key-expr", "body.id"],
    );
    let url = format!("http://127.0.0.1:{}/", closed_port());
    here.add_endpoint("paid", &url, &["--when", "body.type == 'order.paid'"]);
    for (content_type, body, says) in [
        (
            Some("application/json"),
            r#"{"type":"order.paid","id":7"#,
            "JSON",
        ),
        (Some("application/json"), "type=order.paid", "JSON"),
        (None, r#"{"type":"order.paid","note":"a"b"}"#, "JSON"),
        (
            Some("application/x-www-form-urlencoded"),
            r#"{"type":"order.paid","id":7"#,
            "JSON",
        ),
        // What has no fields cannot be asked for them.
        (Some("text/plain"), "order.paid", "text"),
    ] {
        let headers: Vec<(&str, &str)> = content_type
            .map(|ct| ("Content-Type", ct))
            .into_iter()
            .collect();
        let (status, answer) = served.post("/in/in", &headers, body.as_bytes());
        assert_eq!(status, 202, "{body}");
        let id = id_of(&answer);
        let owed = here.list(&["delivery", "list", "--event", &id]);
        assert_eq!(owed.len(), 1, "{body}");
        let error = owed[0]["when_error"].as_str().unwrap();
        assert!(error.contains(says), "{body}: {error}");
        let event = here.json(&["event", "show", &id]);
        assert_eq!(event["type"], "unknown", "{body}");
        let problem = event["problem"].as_str().unwrap();
        assert!(
            problem.contains("type: ") && problem.contains("key: "),
            "{problem}"
        );
    }
    // A text that is asked about as such is as good as any.
    let set = here.run(&["endpoint", "set", "paid", "--when", "'paid' in body"]);
    assert_eq!(set.code, 0, "{}", set.stderr);
    let (_, answer) = served.post("/in/in", &[("Content-Type", "text/plain")], b"order.paid");
    let owed = here.list(&["delivery", "list", "--event", &id_of(&answer)]);
    assert_eq!((owed.len(), &owed[0]["when_error"]), (1, &Value::Null));
}

/// Cause: numbers went through floats. Damage: two ids of 20 digits were one key, and the second
/// event was answered as a duplicate and lost. Cure: numbers keep their digits.
#[test]
fn long_numbers_keep_their_digits_in_keys_filters_templates_and_previews() {
    let (here, served) = serve_source("generic", &["--key-expr", "body.id"]);
    let template = here.folder.path().join("t.j2");
    std::fs::write(&template, r#"{"id": {{ body.id|tojson }}}"#).unwrap();
    let receiver = Receiver::answering(&[200]);
    let format = format!("template:{}", template.display());
    here.add_endpoint(
        "ids",
        &receiver.url,
        &[
            "--format",
            &format,
            "--when",
            "body.id == 20231128220145678902",
        ],
    );
    let mut ids = Vec::new();
    for number in [
        "20231128220145678901",
        "20231128220145678902",
        "2.10",
        "2.1",
        "123456789012345678901234567890123456789012345678901234567890",
        "123456789012345678901234567890123456789012345678901234567891",
    ] {
        let body = format!(r#"{{"id":{number}}}"#);
        let (status, answer) = served.post("/in/in", &[JSON], body.as_bytes());
        assert_eq!(status, 202, "{number}: {answer}");
        let id = id_of(&answer);
        assert_eq!(here.json(&["event", "show", &id])["key"], number);
        ids.push(id);
        assert_eq!(served.post("/in/in", &[JSON], body.as_bytes()).0, 200);
    }
    assert_eq!(receiver.next().body, br#"{"id": 20231128220145678902}"#);
    assert!(receiver.got_nothing_more());
    let (_, _, page) = served.page(&format!("/events/{}", ids[0]));
    assert!(page.contains("20231128220145678901"), "{page}");
}

#[test]
fn branches_go_by_their_short_names_whatever_the_producer_writes() {
    let (here, served) = serve_source("forgejo", &[]);
    let url = format!("http://127.0.0.1:{}/", closed_port());
    here.add_endpoint("main", &url, &["--branches", "main,v1"]);
    for (event, reference, branch, owed) in [
        ("create", "refs/heads/main", "main", 1),
        ("delete", "refs/tags/v1", "v1", 1),
        ("create", "main", "main", 1),
        ("create", "refs/heads/other", "other", 0),
        ("push", "refs/heads/main", "main", 1),
    ] {
        let body = json!({
            "ref": reference, "ref_type": "branch", "after": "a1", "before": "b2",
            "repository": {"full_name": "lighthouse/beacon"}, "sender": {"login": "mira"},
        });
        let headers = [("X-Forgejo-Event", event), JSON];
        let (_, answer) = served.post("/in/in", &headers, body.to_string().as_bytes());
        let id = id_of(&answer);
        let shown = here.json(&["event", "show", &id]);
        assert_eq!(shown["branch"], branch, "{event} {reference}");
        let summary = shown["summary"].as_str().unwrap();
        assert!(!summary.contains("refs/"), "{summary}");
        let deliveries = here.list(&["delivery", "list", "--event", &id]);
        assert_eq!(deliveries.len(), owed, "{event} {reference}");
    }
}

#[test]
fn a_type_that_gitea_leaves_empty_is_read_from_the_header_beside_it() {
    for (kind, event, typed) in [
        ("gitea", "X-Gitea-Event", "X-Gitea-Event-Type"),
        ("forgejo", "X-Forgejo-Event", "X-Forgejo-Event-Type"),
        ("forgejo", "X-Gitea-Event", "X-Gitea-Event-Type"),
    ] {
        let (here, served) = serve_source(kind, &[]);
        for name in ["package", "status"] {
            let headers = [(event, ""), (typed, name), JSON];
            let (_, answer) = served.post("/in/in", &headers, b"{}");
            let shown = here.json(&["event", "show", &id_of(&answer)]);
            assert_eq!(shown["type"], name, "{kind} {event}");
        }
    }
}

/// Cause: GitLab's confidential issues had the type of all issues. Damage: an endpoint for issues
/// posted them to a chat. Cure: a type of their own, as their `event_type` says.
#[test]
fn what_gitlab_calls_confidential_is_not_sent_with_the_rest() {
    let (here, served) = serve_source("gitlab", &[]);
    let url = format!("http://127.0.0.1:{}/", closed_port());
    here.add_endpoint("chat", &url, &["--types", "issue,note"]);
    for (header, body, event_type, owed) in [
        (
            "Issue Hook",
            r#"{"object_kind":"issue","event_type":"issue"}"#,
            "issue",
            1,
        ),
        (
            "Confidential Issue Hook",
            r#"{"object_kind":"issue","event_type":"confidential_issue"}"#,
            "confidential_issue",
            0,
        ),
        ("Confidential Issue Hook", "{}", "confidential_issue", 0),
        (
            "Issue Hook",
            r#"{"object_kind":"issue","event_type":"confidential_issue"}"#,
            "confidential_issue",
            0,
        ),
        (
            "System Hook",
            r#"{"object_kind":"note","event_type":"confidential_note"}"#,
            "confidential_note",
            0,
        ),
        (
            "Confidential Note Hook",
            r#"{"object_kind":"note","event_type":"confidential_note"}"#,
            "confidential_note",
            0,
        ),
        (
            "Note Hook",
            r#"{"object_kind":"note","event_type":"note"}"#,
            "note",
            1,
        ),
    ] {
        let headers = [("X-Gitlab-Event", header), JSON];
        let (_, answer) = served.post("/in/in", &headers, body.as_bytes());
        let id = id_of(&answer);
        assert_eq!(
            here.json(&["event", "show", &id])["type"],
            event_type,
            "{header} {body}"
        );
        let deliveries = here.list(&["delivery", "list", "--event", &id]);
        assert_eq!(deliveries.len(), owed, "{header} {body}");
    }
}

#[test]
fn an_event_that_is_pending_at_an_endpoint_is_not_replayed_there() {
    let here = TestDb::new();
    let url = format!("http://127.0.0.1:{}/", closed_port());
    here.add_endpoint("ci", &url, &[]);
    here.add_endpoint("chat", &url, &[]);
    let event = here.run(&["enqueue", "--type", "push", "--data", "{}"]);
    let event = event.text().trim().to_owned();
    for id in ["1", "2"] {
        assert_eq!(here.run(&["delivery", "cancel", id]).code, 0);
    }
    // Of the delivery that stands for a bare number it is said which it is.
    let replayed = here.run(&["replay", "1"]);
    assert_eq!(replayed.code, 0, "{}", replayed.stderr);
    let third = replayed.text().trim().to_owned();
    assert!(replayed.stderr.contains("1 is dlv_"), "{}", replayed.stderr);
    assert!(
        replayed.stderr.contains("to chat: push") || replayed.stderr.contains("to ci: push"),
        "{}",
        replayed.stderr
    );
    // Again: the one that waits is named, also where it is asked for by a dry run or a list.
    for arguments in [
        &["replay", "1"][..],
        &["replay", "1", "--dry-run"],
        &["replay", "2", "1"],
    ] {
        let again = here.run(arguments);
        assert_eq!(again.code, 2, "{arguments:?}");
        assert!(again.stderr.contains(&third), "{}", again.stderr);
    }
    assert_eq!(here.list(&["delivery", "list"]).len(), 3);
    // An event stands for its deliveries that are settled: here to one endpoint.
    let replayed = here.run(&["replay", &event]);
    assert_eq!(replayed.code, 0, "{}", replayed.stderr);
    assert_eq!(replayed.text().lines().count(), 1);
    assert_eq!(here.list(&["delivery", "list"]).len(), 4);
    let again = here.run(&["replay", &event]);
    assert_eq!(again.code, 2);
    assert!(again.stderr.contains("pending"), "{}", again.stderr);
    // To another endpoint it goes all the same, once for both.
    here.add_endpoint("archive", &url, &[]);
    let moved = here.run(&["replay", "1", "2", "--to", "archive"]);
    assert_eq!(
        (moved.code, moved.text().lines().count()),
        (0, 1),
        "{}",
        moved.stderr
    );
    let nowhere = here.run(&["replay", "evt_0000000000_9"]);
    assert_eq!(nowhere.code, 2);
}

/// Cause: a Redelivery was dropped while any endpoint had the event pending. Damage: with one
/// endpoint offline the button did nothing for all the others. Cure: each endpoint by itself.
#[test]
fn a_redelivery_replays_what_is_settled_and_hurries_what_is_pending() {
    let script = Script::default()
        .then(replied(200))
        .then(replied(500))
        .forever(replied(200));
    let mut bench = Bench::new(script);
    let source = NewSource::new("gogs", SourceKind::Gogs);
    let source = bench.store.add_source(source, bench.now()).unwrap();
    for name in ["one", "two"] {
        bench.endpoint_with(name, |new| new.retry = "1h".parse().unwrap());
    }
    let push = || NewEvent {
        source: Some(source),
        key: Some("k".to_owned()),
        ..event("push")
    };
    bench.store.accept(push(), bench.now()).unwrap();
    assert_eq!(bench.run_due(), 2);
    let look = |bench: &Bench, id| bench.store.delivery(DeliveryId(id)).unwrap();
    let waiting = [1, 2]
        .into_iter()
        .find(|id| look(&bench, *id).state == State::Pending)
        .unwrap();
    bench.advance(Duration::from_secs(20));
    assert_eq!(bench.run_due(), 0);
    let again = bench.store.accept(push(), bench.now()).unwrap();
    assert_eq!(
        (again.duplicate, again.deliveries, again.made_due),
        (true, 1, 1)
    );
    let made_due = look(&bench, waiting);
    assert_eq!((made_due.tries, made_due.due), (1, Some(bench.now())));
    assert_eq!(bench.run_due(), 2);
    assert_eq!(look(&bench, waiting).state, State::Delivered);
    let replayed = look(&bench, 3);
    assert_eq!(replayed.state, State::Delivered);
    assert_eq!(replayed.replay_of, Some(DeliveryId(3 - waiting)));
}

#[test]
fn a_chat_message_that_comes_back_to_its_source_is_refused_too() {
    let (here, served) = serve_source("generic", &[]);
    let url = format!("http://{}/in/in", served.ingest_address());
    let chats = ["slack", "discord", "dingtalk", "wecom", "feishu"];
    for chat in chats {
        here.add_endpoint(chat, &url, &["--format", chat]);
    }
    served.post("/in/in", &[("X-Hookbox-Type", "lamp.lit")], b"{}");
    for number in 1..=chats.len() {
        let dead = here.wait_for_state(&number.to_string(), "dead");
        assert!(dead["reason"].as_str().unwrap().contains("round"), "{dead}");
    }
    assert_eq!(here.list(&["event", "list"]).len(), 1);
}

/// Cause: an endpoint may point at a way in of the same box. Damage: one POST became 5,452 events in
/// three seconds. Cure: an event says where it has been, and is refused where it was before.
#[test]
fn an_event_that_comes_back_to_where_it_was_is_refused_for_good() {
    let (here, served) = serve_source("generic", &[]);
    let url = format!("http://{}/in/in", served.ingest_address());
    let added = here.run(&["endpoint", "add", "back", &url]);
    assert_eq!(added.code, 0);
    assert!(added.stderr.contains("go round"), "{}", added.stderr);
    let (status, _) = served.post("/in/in", &[("X-Hookbox-Type", "lamp.lit")], b"{}");
    assert_eq!(status, 202);
    let dead = here.wait_for_state("1", "dead");
    let reason = dead["reason"].as_str().unwrap();
    assert!(
        reason.contains("508") && reason.contains("round"),
        "{reason}"
    );
    assert_eq!(here.list(&["event", "list"]).len(), 1);
    let refusal = wait_until("the refusal to be written down", || {
        here.list(&["source", "refusals", "in"]).pop()
    });
    let reason = refusal["reason"].as_str().unwrap();
    assert!(reason.contains("--sources"), "{reason}");
    let warnings = &here.json(&["endpoint", "show", "back"])["warnings"];
    assert!(
        warnings[0].as_str().unwrap().contains("go round"),
        "{warnings}"
    );
    // Through another source and back it goes no further; with the first source left out it is a
    // chain like any other, also over several boxes.
    let there = TestDb::new();
    assert_eq!(
        there
            .run(&["source", "add", "in", "--kind", "generic"])
            .code,
        0
    );
    let there_served = there.serve();
    let to_there = format!("http://{}/in/in", there_served.ingest_address());
    let set = here.run(&["endpoint", "set", "back", "--url", &to_there]);
    assert_eq!(set.code, 0, "{}", set.stderr);
    there.add_endpoint("back", &url, &[]);
    assert_eq!(served.post("/in/in", &[], b"{}").0, 202);
    here.wait_for_state("2", "delivered");
    there.wait_for_state("1", "dead");
    assert_eq!(here.list(&["event", "list"]).len(), 2);
    let event = there.json(&["event", "show", "1"]);
    let headers = event["headers"].as_array().unwrap();
    let path = headers
        .iter()
        .find(|header| header[0] == "Hookbox-Path")
        .unwrap();
    assert!(path[1].as_str().unwrap().ends_with("/in"), "{path}");
}

#[test]
fn svixs_names_of_the_standards_headers_are_read_too() {
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let here = TestDb::new();
    let added = here.run_with_input(
        &[
            "source",
            "add",
            "in",
            "--kind",
            "standard",
            "--tolerance",
            "none",
            "--secret",
            "-",
        ],
        secret.as_bytes(),
    );
    assert_eq!(added.code, 0, "{}", added.stderr);
    let served = here.serve();
    // The vector that the specification publishes.
    let body = br#"{"test": 2432232314}"#;
    let signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    let names =
        |prefix: &str| ["id", "timestamp", "signature"].map(|name| format!("{prefix}-{name}"));
    let post = |names: [String; 3], signature: &str| {
        let headers = [
            (names[0].as_str(), "msg_p5jXN8AQM9LWM0D4loKWxJek"),
            (names[1].as_str(), "1614265330"),
            (names[2].as_str(), signature),
        ];
        served.post("/in/in", &headers, body)
    };
    let (status, answer) = post(names("svix"), signature);
    assert_eq!(status, 202, "{answer}");
    let shown = here.json(&["event", "show", &id_of(&answer)]);
    assert_eq!(shown["key"], "msg_p5jXN8AQM9LWM0D4loKWxJek");
    assert_eq!(post(names("webhook"), signature).0, 200);
    let (status, answer) = post(names("svix"), "v1,AAAA");
    assert_eq!(status, 401, "{answer}");
    let (status, answer) = served.post("/in/in", &[("svix-id", "msg_1")], body);
    assert_eq!(status, 401);
    assert!(
        answer["error"].as_str().unwrap().contains("svix-signature"),
        "{answer}"
    );
}
