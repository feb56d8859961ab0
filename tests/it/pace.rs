//! How many requests an endpoint gets in how much time.

use std::time::Duration;

use hookbox::model::endpoint::{EndpointUrl, NewEndpoint};
use hookbox::model::settings::Selection;
use hookbox::store::ReplayOptions;

use crate::support::{Bench, Receiver, Script, TestDb, replied, unreachable};

fn sent(bench: &Bench, to: &str) -> usize {
    let sent = bench.script.take_sent();
    sent.iter().filter(|(name, _)| name == to).count()
}

#[test]
fn an_endpoint_gets_no_more_than_its_rate_and_what_waits_spends_no_tries() {
    let mut bench = Bench::new(Script::default().forever(replied(200)));
    bench.endpoint_with("paced", |new| new.rate = Some("20/m,5/s".parse().unwrap()));
    bench.endpoint("free");
    for _ in 0..50 {
        bench.event();
    }
    bench.run_due();
    let first = bench.script.take_sent();
    let to_paced = first.iter().filter(|(name, _)| name == "paced").count();
    // The other is not held up.
    assert_eq!((to_paced, first.len() - to_paced), (5, 50));
    // A second for every five, four times; then the minute is full.
    for expected in [5, 5, 5, 0, 0] {
        bench.advance(Duration::from_secs(1));
        bench.run_due();
        assert_eq!(sent(&bench, "paced"), expected);
    }
    let waiting = bench.store.deliveries(&Selection::default(), 100).unwrap();
    let pending = waiting.iter().filter(|row| row.settled.is_none());
    assert!(pending.clone().count() == 30 && pending.clone().all(|row| row.tries == 0));
    // They go in order, oldest first, as the first of the minute leave it.
    bench.advance(Duration::from_secs(55));
    bench.run_due();
    assert_eq!(sent(&bench, "paced"), 5);
}

#[test]
fn replays_and_retries_are_held_to_the_same_rate() {
    let script = Script::default().then(replied(500)).forever(replied(200));
    let mut bench = Bench::new(script);
    bench.endpoint_with("paced", |new| {
        new.rate = Some("2/m".parse().unwrap());
        new.retry = "1s".parse().unwrap();
    });
    bench.event();
    bench.event();
    bench.run_due();
    assert_eq!(sent(&bench, "paced"), 2);
    let delivered = Selection {
        state: Some("delivered".parse().unwrap()),
        ..Selection::default()
    };
    let done = bench.store.deliveries(&delivered, 10).unwrap();
    bench
        .store
        .replay(vec![done[0].id], ReplayOptions::default(), bench.now())
        .unwrap();
    bench.advance(Duration::from_secs(30));
    bench.run_due();
    assert_eq!(sent(&bench, "paced"), 0, "a retry and a replay wait");
    bench.advance(Duration::from_secs(30));
    bench.run_due();
    assert_eq!(sent(&bench, "paced"), 2);
}

#[test]
fn what_cannot_reach_its_endpoint_counts_for_no_rate() {
    let script = Script::default().then(unreachable()).forever(replied(200));
    let mut bench = Bench::new(script);
    bench.endpoint_with("paced", |new| new.rate = Some("1/h".parse().unwrap()));
    bench.event();
    bench.run_due();
    bench.advance(Duration::from_secs(2));
    bench.run_due();
    assert_eq!(sent(&bench, "paced"), 2, "the probe got through");
}

#[test]
fn a_paced_endpoint_is_served_by_itself_as_its_time_comes_and_its_rate_is_set_and_shown() {
    let here = TestDb::new();
    let receiver = Receiver::answering(&[200]);
    here.add_endpoint("ci", &receiver.url, &["--rate", "1/200ms"]);
    let served = here.serve();
    for _ in 0..5 {
        here.json(&["enqueue", "--type", "x", "--data", "{}"]);
    }
    for _ in 0..5 {
        receiver.next();
    }
    here.wait_for_state("5", "delivered");
    assert_eq!(here.json(&["endpoint", "show", "ci"])["rate"], "1/200ms");
    let set = here.json(&["endpoint", "set", "ci", "--rate", "5/s, 100/1m"]);
    assert_eq!(set["rate"], "5/s,100/m");
    let bad = here.run(&["endpoint", "set", "ci", "--rate", "5"]);
    assert_eq!(bad.code, 2);
    assert!(bad.stderr.contains("20/m"), "{}", bad.stderr);
    let none = here.json(&["endpoint", "set", "ci", "--rate", ""]);
    assert_eq!(none["rate"], serde_json::Value::Null);
    drop(served);
}

#[test]
fn an_hourly_rate_is_kept_across_restarts() {
    let mut bench = Bench::new(Script::default().forever(replied(200)));
    bench.endpoint_with("paced", |new| new.rate = Some("200/h".parse().unwrap()));
    for _ in 0..300 {
        bench.event();
    }
    let mut sent = 0;
    for _ in 0..10 {
        sent += bench.run_due();
        bench.advance(Duration::from_secs(60));
        bench.restart();
    }
    assert_eq!(sent, 200);
}

#[test]
fn an_endpoint_with_a_new_url_has_its_whole_rate() {
    let mut bench = Bench::new(Script::default().forever(replied(200)));
    bench.endpoint_with("paced", |new| new.rate = Some("2/h".parse().unwrap()));
    for _ in 0..4 {
        bench.event();
    }
    assert_eq!(bench.run_due(), 2);
    let elsewhere: EndpointUrl = "http://127.0.0.1:9/new".parse().unwrap();
    let change = move |set: &mut NewEndpoint| {
        set.url = elsewhere.clone();
        Ok(())
    };
    bench
        .store
        .set_endpoint("paced", change, bench.now())
        .unwrap();
    assert_eq!(bench.run_due(), 2);
}

/// Cause: what was delivered in an hour was taken for how fast it goes: after hours of nothing, or at the start of a
/// drain, that said days. Damage: nobody can tell when it is over.
#[test]
fn how_long_a_backlog_takes_is_told_by_what_went_out_just_now() {
    let mut bench = Bench::new(Script::default().forever(replied(200)));
    bench.endpoint("ci");
    bench.event();
    bench.run_due();
    bench.advance(Duration::from_secs(7_000));
    let left = |bench: &Bench, pending: i64| {
        let now = bench.now();
        let of_late = bench.store.delivered_of_late(now).unwrap();
        let mut report = bench.store.endpoint_report("ci").unwrap();
        report.pending = pending;
        let of_late = of_late.get(&report.endpoint.id).copied();
        report.time_left(of_late, now)
    };
    assert_eq!(left(&bench, 40), None, "nothing goes out");
    for _ in 0..10 {
        bench.event();
    }
    bench.run_due();
    bench.advance(Duration::from_secs(5));
    // Ten in five seconds.
    assert_eq!(left(&bench, 40), Some(Duration::from_secs(20)));
}
