//! The command line as people use it: at a terminal and in pipes, with answers that say what came of it.

use std::process::Command;

use serde_json::Value;

use crate::support::{PUSH, Receiver, TestDb, binary, is_missing, wait_until};

#[test]
fn status_says_in_one_command_whether_anybody_must_do_something() {
    let here = TestDb::new();
    let (good, bad) = (Receiver::answering(&[200]), Receiver::answering(&[503]));
    here.add_gogs();
    here.add_endpoint("ci", &good.url, &[]);
    let ran = here.run(&["status"]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("nothing serves"), "{}", ran.stderr);
    let served = here.serve();
    served.push("k1", PUSH.as_bytes());
    here.wait_for_state("1", "delivered");
    let ran = here.run(&["status"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(
        ran.text().contains("ci\tfine\t0\t1\t0\t-"),
        "{}",
        ran.text()
    );
    here.add_endpoint("mail", &bad.url, &["--retry", "none"]);
    here.add_endpoint("edge", "http://127.0.0.1:9/", &[]);
    here.json(&["endpoint", "hold", "ci", "--reason", "moves"]);
    served.push("k2", PUSH.as_bytes());
    let standings = wait_until("all to be told", || {
        let ran = here.run(&["status", "--json"]);
        assert_eq!(ran.code, 1);
        let status: Value = serde_json::from_slice(&ran.stdout).unwrap();
        (status["need_somebody"] == 3).then_some(status)
    });
    let names: Vec<&str> = standings["endpoints"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["standing"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["refuses", "offline", "held"], "the worst first");
    assert_eq!(
        standings["endpoints"][2]["why"].as_str().unwrap()[..6],
        *"moves;"
    );
}

/// Cause: a first refusal was told as "refuses everything". Damage: an alarm for each receiver that is started
/// anew.
#[test]
fn one_refusal_is_no_alarm_and_what_was_given_up_is_told() {
    let here = TestDb::new();
    let receiver = Receiver::answering(&[200, 503]);
    here.add_endpoint("ci", &receiver.url, &["--retry", "1h"]);
    let _served = here.serve();
    let enqueue = || here.json(&["enqueue", "--type", "t", "--data", "{}"]);
    enqueue();
    here.wait_for_state("1", "delivered");
    enqueue();
    wait_until("the refusal", || {
        (here.json(&["delivery", "show", "2"])["tries"] == 1).then_some(())
    });
    let ran = here.run(&["status"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(!ran.text().contains("refuses"), "{}", ran.text());
}

/// Cause: five minutes are given to a receiver that is started anew, and were given to one that never took
/// anything. Damage: "took nothing yet" where each request was answered 401. Cure: one that refuses from the
/// first refuses.
#[test]
fn an_endpoint_that_refuses_from_the_first_is_told_at_once() {
    let here = TestDb::new();
    let receiver = Receiver::answering(&[401]);
    here.add_endpoint("ci", &receiver.url, &["--retry", "1h"]);
    let _served = here.serve();
    here.json(&["enqueue", "--type", "t", "--data", "{}"]);
    wait_until("the refusal", || {
        (here.json(&["delivery", "show", "1"])["tries"] == 1).then_some(())
    });
    let ran = here.run(&["status"]);
    assert_eq!(ran.code, 1, "{}", ran.text());
    let told = "refuses everything, and took nothing yet";
    assert!(ran.text().contains(told), "{}", ran.text());
}

#[test]
fn a_test_says_what_the_endpoint_answered() {
    let here = TestDb::new();
    let receiver = Receiver::answering(&[503, 200]);
    here.add_endpoint("ci", &receiver.url, &["--retry", "none"]);
    here.add_endpoint("edge", "http://127.0.0.1:9/", &[]);
    let _served = here.serve();
    let ran = here.run(&["endpoint", "test", "ci"]);
    assert_eq!(ran.code, 1);
    assert!(
        ran.stderr.contains("503 Service Unavailable in "),
        "{}",
        ran.stderr
    );
    let ran = here.run(&["endpoint", "test", "ci"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.text().contains("  200 in "), "{}", ran.text());
    let ran = here.run(&["endpoint", "test", "edge"]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("Connection refused"), "{}", ran.stderr);
    here.json(&["endpoint", "hold", "ci", "--reason", "moves"]);
    let ran = here.run(&["endpoint", "test", "ci"]);
    assert!(ran.stderr.contains("it waits: moves"), "{}", ran.stderr);
}

#[test]
fn a_delivery_shows_its_attempts_and_an_attempt_what_was_said() {
    let here = TestDb::new();
    let receiver = Receiver::saying(&[500], "line one\nline two");
    here.add_endpoint("ci", &receiver.url, &["--retry", "none"]);
    let _served = here.serve();
    here.json(&["enqueue", "--type", "t", "--data", "{}"]);
    here.wait_for_state("1", "dead");
    let shown = here.run(&["delivery", "show", "1"]);
    assert!(
        shown.text().contains("NUMBER\tSTARTED_AT"),
        "{}",
        shown.text()
    );
    assert!(
        shown.text().contains("\trefused\t500\t"),
        "{}",
        shown.text()
    );
    let attempt = here.list(&["attempt", "list", "1"]).remove(0);
    let shown = here.run(&["attempt", "show", attempt["id"].as_str().unwrap()]);
    let text = shown.text();
    assert!(text.contains("\nrequest:\n"), "{text}");
    assert!(text.contains("\n  webhook-id: evt_"), "{text}");
    assert!(text.ends_with("\nline one\nline two\n"), "{text}");
}

#[test]
fn a_list_fits_the_terminal_and_is_whole_in_a_pipe() {
    if is_missing("script", &["--version"], "it is in Debian's bsdutils") {
        return;
    }
    let here = TestDb::new();
    here.add_endpoint("ci", "http://127.0.0.1:9/", &[]);
    here.json(&["enqueue", "--type", &"t".repeat(90), "--data", "{}"]);
    let piped = here.run(&["delivery", "list"]);
    assert!(piped.text().contains(&"t".repeat(90)), "{}", piped.text());
    let id = here.list(&["delivery", "list"])[0]["id"].clone();
    assert!(piped.text().contains(id.as_str().unwrap()));
    let list = format!(
        "stty cols 100; {} --db '{}' delivery list",
        binary(),
        here.location()
    );
    let mut command = Command::new("script");
    let output = command.args(["-qec", &list, "/dev/null"]).output().unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(shown.contains('…') && shown.contains(" ago"), "{shown}");
    assert!(!shown.contains(id.as_str().unwrap()), "{shown}");
    for line in shown.lines() {
        assert!(line.trim_end().chars().count() <= 100, "{line}");
    }
}

#[test]
fn without_a_command_it_says_what_to_do_first() {
    let here = TestDb::new();
    let ran = here.run(&[]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("hookbox demo"), "{}", ran.stderr);
}
