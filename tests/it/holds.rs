//! Endpoints that are held since they refuse everything, and how a person resumes them.

use serde_json::json;

use crate::support::{Bench, DAY, HOUR, Receiver, Script, TestDb, at, replied, unreachable};

/// Whatever is due is sent once an hour, so many times.
fn hours_pass(bench: &mut Bench, count: usize) {
    for _ in 0..count {
        bench.run_due();
        bench.advance(HOUR);
    }
}

fn is_held(bench: &Bench) -> bool {
    let report = bench.store.endpoint_report("edge").unwrap();
    report.endpoint.held.is_some()
}

#[test]
fn an_endpoint_that_refuses_everything_for_five_days_is_held_and_loses_nothing() {
    let mut bench = Bench::with_edge(
        Script::default().forever(replied(500)),
        "2026-07-01T12:00:00Z",
        |new| {
            new.retry = "1h".parse().unwrap();
            new.tries = Some(1_000);
        },
    );
    bench.event();
    let mut hours = 0;
    while bench
        .store
        .endpoint_report("edge")
        .unwrap()
        .endpoint
        .held
        .is_none()
    {
        bench.run_due();
        bench.advance(HOUR);
        hours += 1;
        if hours == 50 {
            // A process that ends does not begin the count anew.
            bench.restart();
        }
        assert!(hours < 200);
    }
    assert!((5 * 24..5 * 24 + 5).contains(&hours), "{hours}");
    let report = bench.store.endpoint_report("edge").unwrap();
    let reason = report.endpoint.held.unwrap().reason;
    assert!(
        reason.contains("refused everything for 5d; the last: 500"),
        "{reason}"
    );
    assert_eq!((report.pending, report.dead), (1, 0));
    // Resumed, it has its five days again.
    bench.store.resume_endpoint("edge").unwrap();
    hours_pass(&mut bench, 24);
    assert!(!is_held(&bench));
}

#[test]
fn one_success_restarts_the_five_days_and_a_clock_that_jumps_does_not_end_them() {
    let mut bench = Bench::with_edge(
        Script::default().forever(replied(500)),
        "1970-01-01T00:00:10Z",
        |new| {
            new.retry = "1h".parse().unwrap();
            new.tries = Some(1_000);
        },
    );
    bench.event();
    bench.run_due();
    bench.clock.set_wall(at("2026-07-01T12:00:00Z"));
    hours_pass(&mut bench, 100);
    bench.restart();
    bench.run_due();
    bench.script.clone().then(replied(200));
    bench.advance(2 * HOUR);
    bench.event();
    bench.run_due();
    bench.event();
    hours_pass(&mut bench, 100);
    assert!(!is_held(&bench));
}

#[test]
fn time_in_which_nothing_was_asked_does_not_count_as_refusing() {
    let script = Script::default().then(replied(500)).then(unreachable());
    let mut bench = Bench::with_edge(script.clone(), "2026-07-01T12:00:00Z", |new| {
        new.retry = "1h".parse().unwrap();
        new.tries = Some(100);
    });
    bench.event();
    bench.run_due();
    bench.advance(2 * HOUR);
    let script = script.forever(unreachable());
    // A week offline, then off for a week, then a receiver that is still starting.
    for _ in 0..7 * 24 {
        bench.run_due();
        bench.advance(HOUR);
    }
    bench.advance(7 * DAY);
    bench.restart();
    script.forever(replied(503));
    bench.run_due();
    let report = bench.store.endpoint_report("edge").unwrap();
    assert!(report.endpoint.held.is_none());
}

#[test]
fn what_is_old_can_be_dropped_when_an_endpoint_is_resumed() {
    let here = TestDb::new();
    let receiver = Receiver::answering(&[200]);
    here.add_endpoint("edge", &receiver.url, &[]);
    here.json(&["endpoint", "hold", "edge", "--reason", "being moved"]);
    for _ in 0..3 {
        here.json(&["enqueue", "--type", "old"]);
    }
    let last = here.json(&["event", "show", "3"]);
    here.json(&["enqueue", "--type", "new"]);
    let new = here.json(&["event", "show", "4"]);
    let since = new["received_at"].as_str().unwrap();
    assert!(last["received_at"].as_str().unwrap() < since);
    // Nobody is there to be asked.
    let ran = here.run(&["endpoint", "resume", "edge", "--drop-before", since]);
    assert_eq!(ran.code, 2);
    assert!(
        ran.stderr.contains("3 deliveries of events from before"),
        "{}",
        ran.stderr
    );
    assert_eq!(here.json(&["endpoint", "show", "edge"])["held"], true);
    let resumed = here.json(&[
        "endpoint",
        "resume",
        "edge",
        "--drop-before",
        since,
        "--yes",
    ]);
    assert_eq!(
        (&resumed["held"], &resumed["pending"], &resumed["cancelled"]),
        (&json!(false), &json!(1), &json!(3))
    );
    let dropped = here.json(&["delivery", "show", "1"]);
    assert!(
        dropped["reason"]
            .as_str()
            .unwrap()
            .contains("dropped when the endpoint was resumed")
    );
}
