//! Who wants to be told that something is wrong is told once, in one message, and told when it is over.

use std::time::Duration;

use hookbox::model::alert::NewAlert;
use hookbox::model::endpoint::Format;
use hookbox::model::kind::SourceKind;
use hookbox::model::source::NewSource;
use serde_json::{Value, json};

use crate::support::{
    Bench, HOUR, Receiver, Script, TestDb, event, replied, unreachable, wait_until,
};

const MINUTE: Duration = Duration::from_secs(60);

/// A bench with the endpoints edge and ops, and an alert that tells ops about this.
fn watched(script: Script, about: &str) -> Bench {
    let bench = Bench::new(script);
    bench.endpoint_with("edge", |new| {
        new.retry = "1m,1m".parse().unwrap();
        new.filters.types = Some("push".parse().unwrap());
    });
    add_ops(&bench, about, "15m");
    bench
}

fn add_ops(bench: &Bench, about: &str, every: &str) {
    bench.endpoint_with("ops", |new| {
        new.filters.types = Some("hookbox.alert".parse().unwrap());
    });
    let mut alert = NewAlert::new("night");
    alert.to = Some("ops".parse().unwrap());
    alert.about = about.parse().unwrap();
    alert.every = hookbox::time::parse_span(every).unwrap();
    bench.store.add_alert(alert, bench.now()).unwrap();
}

/// What the alerts say now, as lines: what is wrong, and what is over.
fn told(bench: &Bench) -> Option<(Vec<String>, Vec<String>)> {
    let mut all = bench.store.look_for_alerts(bench.now()).unwrap();
    let message = all.pop()?;
    assert!(all.is_empty(), "one alert sends one message");
    let lines = |name: &str| serde_json::from_value(message[name].clone()).unwrap();
    Some((lines("problems"), lines("recovered")))
}

fn minutes_pass(bench: &mut Bench, count: u32) {
    for _ in 0..count {
        bench.run_due();
        bench.advance(MINUTE);
    }
}

#[test]
fn an_endpoint_that_cannot_be_reached_is_told_once_and_so_is_that_it_can() {
    let mut bench = watched(Script::default().forever(unreachable()), "offline:10m");
    bench.event();
    minutes_pass(&mut bench, 9);
    assert_eq!(told(&bench), None, "nine minutes are not ten");
    minutes_pass(&mut bench, 3);
    let (problems, over) = told(&bench).unwrap();
    assert_eq!(problems.len(), 1);
    assert!(
        problems[0].starts_with("edge cannot be reached for 12m: cannot connect"),
        "{problems:?}"
    );
    assert!(
        problems[0].ends_with("1 delivery waits for it"),
        "{problems:?}"
    );
    assert!(over.is_empty());
    // Only who asked for it is owed it, whatever others want.
    let owed = bench.deliveries();
    let of_alert: Vec<&str> = owed
        .iter()
        .filter(|row| row.event_type == "hookbox.alert")
        .map(|row| row.endpoint.as_str())
        .collect();
    assert_eq!(of_alert, ["ops"]);
    minutes_pass(&mut bench, 60);
    assert_eq!(told(&bench), None, "what was told is not told again");
    bench.script.clone().forever(replied(200));
    minutes_pass(&mut bench, 2);
    let (problems, over) = told(&bench).unwrap();
    assert!(problems.is_empty());
    assert_eq!(over, ["edge can be reached again, after 1h14m"]);
    minutes_pass(&mut bench, 2);
    let sent = bench.script.take_sent();
    let to_ops: Vec<Value> = sent
        .iter()
        .filter(|(endpoint, _)| endpoint == "ops")
        .map(|(_, request)| serde_json::from_slice(&request.body).unwrap())
        .collect();
    let last = to_ops.last().unwrap();
    assert_eq!(last["alert"], "night");
    assert_eq!(last["headline"], "edge can be reached again, after 1h14m");
    assert_eq!(last["open"], 0);
}

#[test]
fn what_comes_within_the_time_of_one_message_stands_in_the_next() {
    let mut bench = watched(Script::default().forever(replied(500)), "held,dead");
    bench
        .store
        .hold_endpoint("edge", "the disk is changed", bench.now())
        .unwrap();
    let (problems, _) = told(&bench).unwrap();
    assert_eq!(problems, ["edge is held: the disk is changed"]);
    // It is resumed, given up at twice, and held again, all within a quarter of an hour.
    bench.store.resume_endpoint("edge").unwrap();
    bench.event();
    bench.event();
    minutes_pass(&mut bench, 5);
    assert_eq!(told(&bench), None, "one message in a quarter of an hour");
    bench
        .store
        .hold_endpoint("edge", "again", bench.now())
        .unwrap();
    minutes_pass(&mut bench, 5);
    assert_eq!(told(&bench), None);
    minutes_pass(&mut bench, 10);
    let (problems, over) = told(&bench).unwrap();
    assert_eq!(
        problems,
        [
            "edge is held: again",
            "2 deliveries were given up: edge did not take them"
        ]
    );
    assert!(over.is_empty(), "it is held: {over:?}");
    assert_eq!(told(&bench), None);
}

#[test]
fn what_was_given_up_before_anybody_asked_is_not_told() {
    let mut bench = Bench::new(Script::default().forever(replied(500)));
    bench.endpoint_with("edge", |new| {
        new.retry = "none".parse().unwrap();
        new.filters.types = Some("push".parse().unwrap());
    });
    bench.event();
    bench.run_due();
    add_ops(&bench, "dead", "1m");
    assert_eq!(told(&bench), None);
    bench.event();
    bench.run_due();
    let (problems, _) = told(&bench).unwrap();
    assert_eq!(problems, ["1 delivery was given up: edge did not take it"]);
}

#[test]
fn an_endpoint_that_refuses_is_told_with_its_answer() {
    let mut bench = watched(Script::default().forever(replied(503)), "refusing:10m");
    for _ in 0..6 {
        bench.event();
        minutes_pass(&mut bench, 3);
    }
    let (problems, _) = told(&bench).unwrap();
    assert_eq!(problems.len(), 1);
    assert!(
        problems[0].starts_with("edge refuses everything for 1") && problems[0].contains("503"),
        "{problems:?}"
    );
}

#[test]
fn a_source_is_told_when_it_is_silent_and_when_it_sends_again() {
    let bench = Bench::new(Script::default());
    let gogs = NewSource::new("gogs", SourceKind::Gogs);
    bench.store.add_source(gogs, bench.now()).unwrap();
    add_ops(&bench, "dead,silent:2h:gogs", "15m");
    assert_eq!(told(&bench), None, "nothing ever came");
    let id = bench
        .store
        .fresh_directory()
        .unwrap()
        .source("gogs")
        .unwrap()
        .id;
    let push = || {
        let mut push = event("create");
        push.source = Some(id);
        push
    };
    bench.store.accept(push(), bench.now()).unwrap();
    bench.advance(HOUR);
    assert_eq!(told(&bench), None);
    bench.advance(HOUR);
    let (problems, _) = told(&bench).unwrap();
    assert_eq!(problems, ["nothing came through gogs for 2h"]);
    bench.advance(HOUR);
    bench.store.accept(push(), bench.now()).unwrap();
    let (_, over) = told(&bench).unwrap();
    assert_eq!(over, ["events come through gogs again, after 3h"]);
}

#[test]
fn an_alert_needs_what_it_names() {
    let bench = Bench::new(Script::default());
    let alert = |to: &str, about: &str| NewAlert {
        to: Some(to.parse().unwrap()),
        about: about.parse().unwrap(),
        ..NewAlert::new("ops")
    };
    let add = |alert: NewAlert| bench.store.add_alert(alert, bench.now());
    assert!(add(alert("nobody", "held")).is_err());
    let url = "https://hooks.slack.com/services/T/B/x";
    assert!(add(alert(url, "silent:1d:nobody")).is_err());
    assert!(
        bench.store.endpoint_reports().unwrap().is_empty(),
        "nothing is half done"
    );
    add(alert(url, "held")).unwrap();
    let made = bench.store.endpoint_report("ops").unwrap().endpoint;
    assert_eq!(made.set.format.to_string(), "slack");
    // It gets nothing but alerts, and cannot go while they are sent there.
    bench.event();
    assert!(bench.deliveries().is_empty());
    let removed = bench.store.remove_endpoint("ops", true, bench.now());
    assert!(removed.unwrap_err().to_string().contains("alert ops"));
    bench.store.remove_alert("ops").unwrap();
    bench
        .store
        .remove_endpoint("ops", true, bench.now())
        .unwrap();
}

#[test]
fn a_running_service_tells_an_endpoint_and_a_program() {
    let receiver = Receiver::answering(&[200, 200]);
    let db = TestDb::new();
    let log = db.folder.path().join("told");
    db.add_endpoint("ci", "http://127.0.0.1:9/", &[]);
    let url = receiver.url.clone();
    let added = db.json(&["alert", "add", "ops", &url, "--about", "held"]);
    assert_eq!(added["about"], "held");
    assert_eq!(
        db.run(&["endpoint", "hold", "ci", "--reason", "maintenance"])
            .code,
        0
    );
    let program = format!("cat >> {}", log.display());
    let served = db.serve_with(&["--alert-command", &program]);
    let request = receiver.next();
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(body["headline"], "ci is held: maintenance");
    let told = wait_until("the program to be told", || {
        let told = std::fs::read_to_string(&log).ok()?;
        serde_json::from_str::<Value>(told.trim()).ok()
    });
    assert_eq!(told, body);
    let shown = served.api_get("/alerts/ops");
    assert_eq!(shown["problems"][0]["text"], "ci is held: maintenance");
    let every = json!({"every": "1h"});
    let (status, _, changed) = served.api("PATCH", "/alerts/ops", Some(&every), &[]);
    assert_eq!((status, &changed["every"]), (200, &json!("1h")));
    assert_eq!(db.list(&["alert", "list"]).len(), 1);
    assert!(served.page("/alerts").2.contains("ci is held: maintenance"));
    assert_eq!(db.run(&["alert", "remove", "ops"]).code, 0);
    assert_eq!(db.run(&["alert", "show", "ops"]).code, 3);
    drop(served);
}

#[test]
fn a_chat_gets_sentences_and_no_json() {
    let mut bench = Bench::new(Script::default().forever(replied(200)));
    bench.endpoint("edge");
    for chat in ["slack", "discord", "dingtalk", "wecom", "feishu"] {
        bench.endpoint_with(chat, |new| {
            new.format = Format::Chat(chat.parse().unwrap());
            new.filters.types = Some("hookbox.alert".parse().unwrap());
        });
        let mut alert = NewAlert::new(chat);
        alert.to = Some(chat.parse().unwrap());
        alert.about = "held".parse().unwrap();
        bench.store.add_alert(alert, bench.now()).unwrap();
    }
    bench
        .store
        .hold_endpoint("edge", "the *disk* is changed", bench.now())
        .unwrap();
    assert_eq!(bench.store.look_for_alerts(bench.now()).unwrap().len(), 5);
    bench.run_due();
    let sent = bench.script.take_sent();
    assert_eq!(sent.len(), 5);
    for (chat, request) in sent {
        let text = String::from_utf8(request.body).unwrap();
        assert!(text.contains("edge is held"), "{chat}: {text}");
        assert!(!text.contains("headline"), "{chat}: {text}");
    }
}
