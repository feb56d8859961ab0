//! Ordered endpoints: one delivery at a time, in the order of the events.

use std::time::Duration;

use hookbox::outbound::SendResult;
use hookbox::store::ReplayOptions;

use crate::support::{Bench, HOUR, Script, replied, unreachable};

#[test]
fn an_ordered_endpoint_gets_one_at_a_time_in_order_and_a_refusal_keeps_the_others_waiting() {
    let script = Script::default()
        .then(replied(200))
        .then(replied(500))
        .then(SendResult::Broken {
            error: "reset".to_owned(),
        })
        .then(unreachable())
        .forever(replied(200));
    let mut bench = Bench::with_edge(script, "2026-07-01T12:00:00Z", |new| {
        new.is_ordered = true;
        new.retry = "1m,5m".parse().unwrap();
    });
    for _ in 0..100 {
        bench.event();
    }
    assert_eq!(bench.run_due(), 2);
    assert_eq!(bench.sent_events(), [1, 2]);
    let rows = bench.deliveries();
    assert_eq!(rows[1].waiting(bench.now()), None, "it is due later");
    assert_eq!(rows[2].waiting(bench.now()), Some("order"));
    let reason = rows[2]
        .waiting_reason(bench.store.box_id(), bench.now())
        .unwrap();
    assert_eq!(
        reason,
        format!("{} goes first", bench.store.box_id().delivery(rows[1].id))
    );
    // New events do not pass either.
    bench.event();
    bench.advance(Duration::from_secs(30));
    assert_eq!(bench.run_due(), 0);
    bench.advance(Duration::from_secs(60));
    assert_eq!(bench.run_due(), 1);
    bench.advance(2 * HOUR);
    assert_eq!(bench.run_due(), 1, "unreachable");
    bench.advance(Duration::from_secs(5));
    bench.run_due();
    let expected: Vec<u32> = [2, 2].into_iter().chain(2..=101).collect();
    assert_eq!(bench.sent_events(), expected);
}

#[test]
fn the_first_of_an_ordered_endpoint_that_is_dead_or_cancelled_lets_the_others_go() {
    let script = Script::default()
        .then(replied(500))
        .then(replied(500))
        .then(replied(500))
        .forever(replied(200));
    let mut bench = Bench::with_edge(script, "2026-07-01T12:00:00Z", |new| {
        new.is_ordered = true;
        new.retry = "1m".parse().unwrap();
    });
    for _ in 0..5 {
        bench.event();
    }
    assert_eq!(bench.run_due(), 1);
    bench.advance(Duration::from_secs(90));
    // The first is dead; the second is refused, too, and a person cancels it.
    assert_eq!(bench.run_due(), 2);
    let second = bench.deliveries()[1].id;
    bench.store.cancel(second, bench.now()).unwrap();
    assert_eq!(bench.run_due(), 3);
    assert_eq!(bench.sent_events(), [1, 1, 2, 3, 4, 5]);
    // Replays keep the order of the events among themselves, whatever the order of the list was.
    let ids = bench.deliveries().iter().rev().map(|row| row.id).collect();
    bench
        .store
        .replay(ids, ReplayOptions::default(), bench.now())
        .unwrap();
    assert_eq!(bench.run_due(), 5);
    assert_eq!(bench.sent_events(), [1, 2, 3, 4, 5]);
}
