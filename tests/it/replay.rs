//! Asking again: replays by hand, and what a Gogs Redelivery does.

use std::time::Duration;

use hookbox::model::event::NewEvent;
use hookbox::model::id::SourceId;
use hookbox::model::kind::{OnRepeat, SourceKind};
use hookbox::model::settings::Selection;
use hookbox::model::source::NewSource;
use serde_json::Value;

use crate::support::{Bench, PUSH, Receiver, Script, TestDb, event, replied};

#[test]
fn a_replay_is_a_new_linked_delivery_with_the_same_webhook_id() {
    let here = TestDb::new();
    let receiver = Receiver::answering(&[500, 200]);
    let settings = ["--sign", "gogs", "--secret", "s", "--retry", "none"];
    here.add_endpoint("ci", &receiver.url, &settings);
    let _served = here.serve();
    here.json(&["enqueue", "--type", "push", "--data", PUSH]);
    let before = here.wait_for_state("1", "dead");
    let first = receiver.next();

    for command in ["replay", "resend", "redeliver"] {
        let made = here.json(&[command, before["id"].as_str().unwrap()]);
        assert_eq!(made["deliveries"], 1);
        let id = made["ids"][0].as_str().unwrap();
        let again = receiver.next();
        assert_eq!(again.header("webhook-id"), first.header("webhook-id"));
        assert_eq!(again.body, first.body);
        let replay = here.wait_for_state(id, "delivered");
        assert_eq!(replay["replay_of"], before["id"]);
        assert_eq!(replay["event"], before["event"]);
    }
    let mut after = here.json(&["delivery", "show", "1"]);
    let superseded_by = after["superseded_by"].take();
    assert_eq!(after, before, "the old one stays as it was");
    assert_eq!(superseded_by, here.json(&["delivery", "show", "2"])["id"]);
    let stats = here.json(&["stats"]);
    assert_eq!(
        (&stats["dead"], &stats["superseded"]),
        (&0.into(), &1.into())
    );
    assert!(
        here.list(&["delivery", "list", "--state", "dead"])
            .is_empty()
    );
    let superseded = here.list(&["delivery", "list", "--state", "dead", "--superseded"]);
    assert_eq!(superseded[0]["id"], before["id"]);
}

#[test]
fn a_replay_of_several_deliveries_is_all_or_nothing() {
    let here = TestDb::new();
    let receiver = Receiver::answering(&[200]);
    here.add_endpoint("ci", &receiver.url, &[]);
    let served = here.serve();
    for _ in 0..2 {
        here.json(&["enqueue", "--type", "x"]);
    }
    here.wait_for_state("1", "delivered");
    here.wait_for_state("2", "delivered");
    drop(served);
    let ran = here.run(&["replay", "1", "99"]);
    assert_eq!(ran.code, 3);
    assert!(ran.stderr.contains("_99"), "{}", ran.stderr);
    assert_eq!(here.list(&["delivery", "list"]).len(), 2);
    assert_eq!(here.json(&["replay", "1", "2"])["deliveries"], 2);
    let pending = here.run(&["replay", "3"]);
    assert_eq!(pending.code, 2);
    assert!(
        pending.stderr.contains("still pending"),
        "{}",
        pending.stderr
    );
    assert_eq!(here.run(&["delivery", "cancel", "3"]).code, 0);
    assert_eq!(
        here.run(&["delivery", "cancel", "3"]).code,
        2,
        "it is settled now"
    );
    assert_eq!(
        here.json(&["delivery", "show", "3"])["reason"],
        "cancelled by hand"
    );
    assert_eq!(
        here.run(&["endpoint", "remove", "ci"]).code,
        2,
        "one is pending"
    );
    assert_eq!(
        here.json(&["endpoint", "remove", "ci", "--cancel-pending"])["cancelled"],
        1
    );
    let gone = here.run(&["replay", "1"]);
    assert_eq!(gone.code, 2);
    assert!(gone.stderr.contains("removed"), "{}", gone.stderr);
    // Added again, perhaps somewhere else, it is the same endpoint.
    let moved = Receiver::answering(&[200]);
    here.add_endpoint("ci", &moved.url, &[]);
    assert_eq!(
        here.json(&["replay", "1", "1"])["deliveries"],
        1,
        "named twice, sent once"
    );
    let _served = here.serve();
    moved.next();
}

/// A bench with a source and one event of the key `k` that was delivered.
fn repeated(on_repeat: Option<OnRepeat>, kind: SourceKind) -> (Bench, SourceId) {
    let mut bench = Bench::new(Script::default().forever(replied(200)));
    let source = NewSource {
        on_repeat,
        ..NewSource::new("in", kind)
    };
    let source = bench.store.add_source(source, bench.now()).unwrap();
    bench.endpoint("ci");
    bench.store.accept(keyed(source), bench.now()).unwrap();
    assert_eq!(bench.run_due(), 1);
    (bench, source)
}

fn keyed(source: SourceId) -> NewEvent {
    NewEvent {
        source: Some(source),
        key: Some("k".to_owned()),
        ..event("push")
    }
}

#[test]
fn a_gogs_redelivery_replays_when_it_comes_more_than_ten_seconds_after_the_first() {
    let (mut bench, source) = repeated(None, SourceKind::Gogs);
    bench.advance(Duration::from_secs(10));
    let early = bench.store.accept(keyed(source), bench.now()).unwrap();
    assert_eq!(
        (early.duplicate, early.deliveries),
        (true, 0),
        "a machine repeated it"
    );
    bench.advance(Duration::from_millis(1));
    let pressed = bench.store.accept(keyed(source), bench.now()).unwrap();
    assert_eq!(
        (pressed.id, pressed.duplicate, pressed.deliveries),
        (early.id, true, 1)
    );
    let again = bench.store.accept(keyed(source), bench.now()).unwrap();
    assert_eq!(again.deliveries, 0, "the replay is still pending");
    assert_eq!(bench.run_due(), 1);
    let all = bench.store.deliveries(&Selection::default(), 10).unwrap();
    assert_eq!(all.len(), 2);
    assert_eq!(all[0].replay_of, Some(all[1].id));
    assert_eq!(bench.store.stats().unwrap().events, 1);
}

#[test]
fn a_redelivery_reaches_an_endpoint_that_was_added_since() {
    let (mut bench, source) = repeated(None, SourceKind::Gogs);
    bench.endpoint("late");
    bench.advance(Duration::from_secs(60));
    assert_eq!(
        bench
            .store
            .accept(keyed(source), bench.now())
            .unwrap()
            .deliveries,
        2
    );
    assert_eq!(bench.run_due(), 2);
}

#[test]
fn a_repeat_asks_for_nothing_where_the_source_ignores_it() {
    for (on_repeat, kind) in [
        (Some(OnRepeat::Ignore), SourceKind::Gogs),
        (None, SourceKind::Generic),
    ] {
        let (mut bench, source) = repeated(on_repeat, kind);
        bench.advance(Duration::from_secs(3600));
        let again = bench.store.accept(keyed(source), bench.now()).unwrap();
        assert_eq!((again.duplicate, again.deliveries), (true, 0));
        assert_eq!(bench.run_due(), 0);
    }
}

#[test]
fn the_door_says_that_a_repeat_is_a_duplicate() {
    let here = TestDb::new();
    here.add_gogs();
    assert_eq!(
        here.json(&["source", "show", "gogs"])["on_repeat"],
        "replay"
    );
    let served = here.serve();
    served.push("k1", PUSH.as_bytes());
    let (status, answer) = served.push("k1", PUSH.as_bytes());
    assert_eq!((status, &answer["replayed"]), (200, &Value::from(0)));
}

#[test]
fn two_attempts_are_compared() {
    let here = TestDb::new();
    let receiver = Receiver::answering(&[500, 200]);
    here.add_endpoint("ci", &receiver.url, &["--retry", "none"]);
    let _served = here.serve();
    here.json(&["enqueue", "--type", "x", "--data", r#"{"n":1}"#]);
    here.wait_for_state("1", "dead");
    let file = here.folder.path().join("edited.json");
    std::fs::write(&file, r#"{"n":2}"#).unwrap();
    here.json(&["replay", "1", "--edit", file.to_str().unwrap()]);
    here.wait_for_state("2", "delivered");
    let of = |delivery: &str| {
        let attempts = here.list(&["attempt", "list", delivery]);
        attempts[0]["id"].as_str().unwrap().to_owned()
    };
    let (a, b) = (of("1"), of("2"));
    assert_eq!(here.json(&["attempt", "show", &a])["status"], 500);
    let ran = here.run(&["attempt", "diff", &a, &b]);
    let text = ran.text();
    for line in [
        "- status: 500",
        "+ status: 200",
        "- outcome: refused",
        "-   \"n\": 1",
        "+   \"n\": 2",
    ] {
        assert!(text.lines().any(|held| held == line), "{line}\n{text}");
    }
    assert!(!text.contains("endpoint"), "that is the same: {text}");
    let diff = here.json(&["attempt", "diff", &a, &b]);
    let ids = diff["request_headers"].as_array().unwrap();
    let id = ids
        .iter()
        .find(|pair| pair["name"] == "webhook-id")
        .unwrap();
    assert_eq!(id["differs"], true);
    assert_eq!(here.run(&["attempt", "diff", &a, "99"]).code, 3);
}

#[test]
fn events_are_found_by_a_text_in_their_bodies() {
    let here = TestDb::new();
    here.run(&["init"]);
    for number in 0..30 {
        let body = format!("{{\"repository\":\"lighthouse/Beacon{}\"}}", number % 3);
        here.json(&["enqueue", "--type", "push", "--data", &body]);
    }
    let found = here.list(&["event", "list", "--text", "beacon1", "--limit", "4"]);
    let numbers: Vec<&str> = found
        .iter()
        .map(|event| event["id"].as_str().unwrap().split('_').nth(2).unwrap())
        .collect();
    assert_eq!(numbers, ["29", "26", "23", "20"], "newest first");
    let ran = here.run(&["event", "list", "--text", "beacon1", "--limit", "4"]);
    assert!(ran.stderr.contains("looked back to "), "{}", ran.stderr);
    let all = here.run(&["event", "list", "--text", "nowhere"]);
    assert!(
        all.stderr.contains("looked at all events"),
        "{}",
        all.stderr
    );
    let long = "x".repeat(1_025);
    assert_eq!(here.run(&["event", "list", "--text", &long]).code, 2);
    // PHP and Python write letters as escapes.
    let escaped = r#"{"message":"\u4fee\u590d \u0418\u0421"}"#;
    here.json(&["enqueue", "--type", "push", "--data", escaped]);
    for text in ["\u{4fee}\u{590d}", "\u{438}\u{441}"] {
        assert_eq!(here.list(&["event", "list", "--text", text]).len(), 1);
    }
    let served = here.serve();
    let (_, _, page) = served.page("/events?text=%E4%BF%AE");
    assert!(
        page.contains("<mark>\u{4fee}</mark>\u{590d} \u{418}\u{421}"),
        "{page}"
    );
}
