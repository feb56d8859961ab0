//! Replays from the command line: what would be sent, another body, another receiver, and what is refused.

use hookbox::store::ReplayOptions;
use serde_json::Value;

use crate::support::{Bench, Receiver, Script, TestDb, event, replied};

/// A box of which `ci` has given up four events, and a receiver that would take them now.
fn given_up() -> (TestDb, Receiver) {
    let here = TestDb::new();
    let refusing = Receiver::answering(&[500]);
    here.add_endpoint("ci", &refusing.url, &["--retry", "none"]);
    let served = here.serve();
    for number in 0..4 {
        let body = format!("{{\"number\":{number}}}");
        here.json(&[
            "enqueue",
            "--type",
            "push",
            "--data",
            &body,
            "--key",
            &number.to_string(),
        ]);
    }
    for number in 1..=4 {
        here.wait_for_state(&number.to_string(), "dead");
    }
    drop(served);
    let receiver = Receiver::answering(&[200]);
    here.json(&["endpoint", "set", "ci", "--url", &receiver.url]);
    (here, receiver)
}

#[test]
fn the_command_line_shows_what_it_would_do_does_it_and_watches() {
    let (here, receiver) = given_up();
    let seen = here.json(&["replay", "--state", "dead", "--dry-run"]);
    assert_eq!(
        (&seen["deliveries"], &seen["dry_run"]),
        (&4.into(), &true.into())
    );
    assert_eq!(seen["endpoints"][0]["endpoint"], "ci");
    assert_eq!(seen["days"][0]["deliveries"], 4);
    // Where nobody can be asked, nothing is sent unless that is said.
    let ran = here.run(&["replay", "--state", "dead", "--since", "1h"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    for told in [
        "nothing was sent; --yes sends",
        "hookbox delivery list --state dead --since 1h",
    ] {
        assert!(ran.stderr.contains(told), "{}", ran.stderr);
    }
    assert!(here.list(&["replays", "list"]).is_empty());
    let _served = here.serve();
    let made = here.json(&[
        "replay", "--yes", "--state", "dead", "--since", "1h", "--wait",
    ]);
    assert_eq!(made["deliveries"], 4);
    for _ in 0..4 {
        receiver.next();
    }
    let id = made["replay"].as_str().unwrap();
    let shown = here.json(&["replays", "show", id]);
    assert_eq!(
        (&shown["state"], &shown["delivered"]),
        (&"done".into(), &4.into())
    );
    assert!(
        shown["asked_by"]
            .as_str()
            .unwrap()
            .starts_with("command line")
    );
    let rows = here.list(&["delivery", "list", "--replay", id]);
    assert!(rows.len() == 4 && rows.iter().all(|row| row["replay"] == id));
    assert_eq!(here.run(&["replays", "pause", id]).code, 2, "it is over");
    assert_eq!(
        here.json(&["recover", "ci", "--yes", "--since", "1h"])["deliveries"],
        0
    );
}

#[test]
fn an_edited_body_is_a_new_event_and_a_new_id_makes_the_receiver_take_it_again() {
    let (here, receiver) = given_up();
    let _served = here.serve();
    let file = here.folder.path().join("edited.json");
    std::fs::write(&file, "{\"number\":42}").unwrap();
    let file = file.to_str().unwrap();
    let made = here.json(&["replay", "2", "--edit", file]);
    let got = receiver.next();
    assert_eq!(got.body, b"{\"number\":42}");
    let shown = here.wait_for_state(made["ids"][0].as_str().unwrap(), "delivered");
    let event = here.json(&["event", "show", shown["event"].as_str().unwrap()]);
    assert_eq!(event["id"], got.header("webhook-id").unwrap());
    let old = here.json(&["delivery", "show", "2"]);
    assert_eq!(event["replay_of_event"], old["event"]);
    assert_eq!(old["superseded_by"], shown["id"]);
    assert_eq!(here.run(&["event", "body", "2"]).text(), "{\"number\":1}");

    let made = here.json(&["replay", "1", "--new-id"]);
    let id = made["ids"][0].as_str().unwrap();
    let got = receiver.next();
    assert_eq!(got.header("webhook-id"), Some(id));
    assert_eq!(here.wait_for_state(id, "delivered")["new_id"], true);
    let several = here.run(&["replay", "3", "4", "--edit", file]);
    assert!(
        several.code == 2 && several.stderr.contains("one event"),
        "{}",
        several.stderr
    );
}

#[test]
fn the_last_two_attempts_of_a_delivery_are_compared_by_its_id() {
    let here = TestDb::new();
    let receiver = Receiver::answering(&[500, 200]);
    let arguments = ["--sign", "standard", "--secret", "draw", "--retry", "1s"];
    let add = [&["endpoint", "add", "ci", &receiver.url], &arguments[..]].concat();
    let ran = here.run(&add);
    // The secret is drawn, and shown once.
    let drawn = ran.stderr.split("whsec_").nth(1).unwrap();
    let drawn = format!("whsec_{}", drawn.split(';').next().unwrap());
    let _served = here.serve();
    here.json(&["enqueue", "--type", "push", "--data", "{}"]);
    receiver.next();
    let got = receiver.next();
    let headers = got.headers.iter().map(|(name, value)| {
        let name: http::HeaderName = name.parse().unwrap();
        (name, value.parse().unwrap())
    });
    let headers: http::HeaderMap = headers.collect();
    let verifier = standardwebhooks::Webhook::new(&drawn).unwrap();
    verifier.verify(&got.body, &headers).unwrap();
    here.wait_for_state("1", "delivered");
    let diff = here.json(&["attempt", "diff", "1"]);
    let facts = diff["facts"].as_array().unwrap();
    let status = facts.iter().find(|fact| fact["name"] == "status").unwrap();
    assert_eq!((&status["a"], &status["b"]), (&"500".into(), &"200".into()));
    here.json(&["enqueue", "--type", "push", "--data", "{}"]);
    here.wait_for_state("2", "delivered");
    let alone = here.run(&["attempt", "diff", "2"]);
    assert!(
        alone.code == 2 && alone.stderr.contains("fewer than two"),
        "{}",
        alone.stderr
    );
}

#[test]
fn an_event_goes_to_one_target_and_repeats_what_that_one_had() {
    let (here, receiver) = given_up();
    let other = Receiver::answering(&[200]);
    here.add_endpoint("other", &other.url, &["--types", "tag"]);
    let _served = here.serve();
    let of_first = here.json(&["delivery", "show", "1"])["event"].clone();
    let event = of_first.as_str().unwrap();
    // It was owed to ci alone: there it mends what was given up, elsewhere it repeats nothing.
    let ran = here.run(&["replay", event, "--to", "other", "--yes", "--wait"]);
    assert!(
        ran.code == 0 && ran.stderr.contains("1 of 1 delivered"),
        "{}",
        ran.stderr
    );
    other.next();
    let made = here.json(&["replay", event, "--to", "ci", "--yes"]);
    receiver.next();
    let there = here.list(&["delivery", "list", "--endpoint", "other"]);
    assert_eq!((there.len(), &there[0]["replay_of"]), (1, &Value::Null));
    let id = made["ids"][0].as_str().unwrap();
    let again = here.wait_for_state(id, "delivered");
    assert_eq!(
        again["replay_of"],
        here.json(&["delivery", "show", "1"])["id"]
    );
    assert_eq!(
        here.json(&["delivery", "show", "1"])["superseded_by"],
        again["id"]
    );
}

#[test]
fn a_replay_may_go_to_another_endpoint_or_an_address_and_then_mends_nothing() {
    let (here, _receiver) = given_up();
    let elsewhere = Receiver::answering(&[200]);
    let _served = here.serve();
    // A look at what would be done makes no endpoint, and neither does what is refused.
    let url = &elsewhere.url;
    for chosen in [vec!["1", "2"], vec!["--state", "dead", "--endpoint", "ci"]] {
        let look = [&["replay", "--dry-run", "--to", url], chosen.as_slice()].concat();
        let preview = here.json(&look);
        let to = &preview["endpoints"][0];
        assert_eq!(to["url"], *url);
        assert_eq!(to["deliveries"], preview["deliveries"]);
        assert!(preview["deliveries"].as_i64().unwrap() >= 2, "{preview}");
        assert_eq!(preview["had_already"], 0);
    }
    assert_eq!(here.run(&["replay", "1", "9999", "--to", url]).code, 3);
    assert_eq!(here.list(&["endpoint", "list"]).len(), 1);
    let made = here.json(&["replay", "1", "--to", &elsewhere.url]);
    elsewhere.next();
    let shown = here.wait_for_state(made["ids"][0].as_str().unwrap(), "delivered");
    assert_eq!(shown["endpoint"], "replay-to-127-0-0-1-1");
    assert_eq!(
        here.json(&["delivery", "show", "1"])["superseded_by"],
        Value::Null
    );
    let endpoint = here.json(&["endpoint", "show", "replay-to-127-0-0-1-1"]);
    assert_eq!(endpoint["only_replays"], true);
    // It gets no events by themselves, and is found again.
    here.json(&["enqueue", "--type", "push"]);
    here.json(&[
        "replay",
        "--yes",
        "--state",
        "dead",
        "--to",
        &elsewhere.url,
        "--wait",
    ]);
    for _ in 0..4 {
        elsewhere.next();
    }
    assert_eq!(here.list(&["endpoint", "list"]).len(), 2);
    let all = here.list(&["delivery", "list", "--endpoint", "replay-to-127-0-0-1-1"]);
    assert_eq!(all.len(), 5);
}

#[test]
fn what_cannot_be_replayed_is_refused_with_what_to_do() {
    let here = TestDb::new();
    here.add_endpoint("ci", "http://127.0.0.1:9/", &[]);
    for (arguments, says) in [
        (&["replay"][..], "name deliveries by id, or choose them"),
        (&["replay", "1", "--state", "dead"], "not both"),
        (&["replay", "--yes", "--state", "pending"], "sent by itself"),
        (
            &["replay", "--yes", "--state", "dead", "--edit", "x"],
            "one event",
        ),
        (&["replay", "1", "--rate", "10/s"], "--rate is for"),
        (&["replay", "--yes", "--endpoint", "nobody"], "no endpoint"),
        (
            &["replay", "--yes", "--state", "dead", "--to", "nobody"],
            "no endpoint",
        ),
        (
            &["replay", "--yes", "--state", "dead", "--text", ""],
            "1 to 1024 bytes",
        ),
        (&["recover", "ci"], "since when"),
        (
            &["backfill", "nobody", "--yes", "--since", "1d"],
            "no endpoint",
        ),
        (&["replays", "show", "7"], "no replay"),
    ] {
        let ran = here.run(arguments);
        assert!(
            ran.code == 2 || ran.code == 3,
            "{arguments:?}: {}",
            ran.code
        );
        assert!(ran.stderr.contains(says), "{arguments:?}: {}", ran.stderr);
    }
}

#[test]
fn an_edited_copy_is_another_event_to_who_goes_by_the_producers_id() {
    let mut bench = Bench::new(Script::default().forever(replied(200)));
    bench.endpoint("ci");
    let mut push = event("push");
    push.key = Some("b1c9a7f2".to_owned());
    push.headers = vec![("X-Gogs-Delivery".to_owned(), "b1c9a7f2".to_owned())];
    bench.store.accept(push, bench.now()).unwrap();
    bench.run_due();
    let edited = ReplayOptions {
        edited_body: Some(b"{}".to_vec()),
        ..ReplayOptions::default()
    };
    // And an edited copy of the copy is yet another one.
    for _ in 0..2 {
        let newest = bench.deliveries().iter().map(|delivery| delivery.id).max();
        let again = vec![newest.unwrap()];
        bench
            .store
            .replay(again, edited.clone(), bench.now())
            .unwrap();
        bench.run_due();
    }
    let sent = bench.script.take_sent();
    let value = |index: usize, name: &str| {
        let (_, request) = &sent[index];
        let mut headers = request.headers.iter();
        let found = headers.find(|(held, _)| held.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.clone())
    };
    assert_eq!(value(0, "x-gogs-delivery").as_deref(), Some("b1c9a7f2"));
    assert!(value(1, "x-gogs-delivery").is_some());
    assert_eq!(value(1, "x-gogs-delivery"), value(1, "webhook-id"));
    assert_eq!(value(2, "x-gogs-delivery"), value(2, "webhook-id"));
    assert_ne!(value(1, "webhook-id"), value(2, "webhook-id"));
}
