//! Clocks that are wrong or set while deliveries wait.

use std::time::Duration;

use hookbox::time::Clock;

use crate::support::{Bench, Script, at, replied};

/// When the next try of each delivery is due, from now on.
fn waits(bench: &mut Bench) -> Vec<u64> {
    let began = bench.clock.elapsed();
    let mut waits = Vec::new();
    for _ in 0..10_000 {
        let tries = bench.run_due();
        let waited = (bench.clock.elapsed() - began).as_secs();
        waits.extend((0..tries).map(|_| waited));
        if bench.store.stats().unwrap().pending == 0 {
            return waits;
        }
        bench.advance(Duration::from_secs(1));
    }
    panic!("it comes to an end: {waits:?}");
}

#[test]
fn a_clock_that_is_set_forward_or_back_neither_hurries_nor_stalls_a_retry() {
    // What clocks show before and after: a box that hears the time, one whose clock was fast.
    for (before, after) in [
        ("1970-01-01T00:00:10Z", "2026-07-01T12:00:00Z"),
        ("2026-07-01T12:00:00Z", "2026-07-01T13:00:00Z"),
        ("2031-01-01T00:00:00Z", "2026-07-01T12:00:00Z"),
        ("2026-07-01T12:00:00Z", "1970-01-01T00:00:10Z"),
    ] {
        let script = Script::default()
            .then(replied(500))
            .then(replied(500))
            .forever(replied(200));
        let mut bench =
            Bench::with_edge(script, before, |new| new.retry = "10m,20m".parse().unwrap());
        bench.event();
        assert_eq!(bench.run_due(), 1);
        bench.advance(Duration::from_secs(60));
        bench.clock.set_wall(at(after));
        let waits = waits(&mut bench);
        // Ten and twenty minutes, each moved by a fifth at most; one of the first has passed.
        assert!(
            (480 - 61..=720 - 59).contains(&waits[0]),
            "{before} {after}: {waits:?}"
        );
        let second = waits[1] - waits[0];
        assert!(
            (959..=1_441).contains(&second),
            "{before} {after}: {waits:?}"
        );
    }
}

#[test]
fn a_process_that_begins_with_a_wrong_clock_sends_what_is_due_and_keeps_the_waits() {
    for wrong in ["1970-01-01T00:00:10Z", "2025-01-01T00:00:00Z"] {
        let script = Script::default().then(replied(500)).forever(replied(200));
        let mut bench = Bench::with_edge(script, "2026-07-01T12:00:00Z", |new| {
            new.retry = "10m".parse().unwrap()
        });
        bench.event();
        assert_eq!(bench.run_due(), 1);
        bench.event();
        bench.clock.set_wall(at(wrong));
        bench.restart();
        assert_eq!(bench.run_due(), 1, "the one that is due");
        // One that comes now is due at once as well.
        bench.event();
        assert_eq!(bench.run_due(), 1);
        bench.advance(Duration::from_secs(60));
        assert_eq!(bench.run_due(), 0);
        // The time is heard: the box was off for two days.
        bench.clock.set_wall(at("2026-07-03T12:00:00Z"));
        assert_eq!(bench.run_due(), 0);
        let waits = waits(&mut bench);
        assert!(
            (480 - 61..=720).contains(&waits[0]) && waits.len() == 1,
            "{wrong}: {waits:?}"
        );
    }
}

#[test]
fn a_signature_carries_the_wall_time_of_its_attempt() {
    let mut bench = Bench::with_edge(
        Script::default().forever(replied(200)),
        "2026-07-01T12:00:00Z",
        |_| {},
    );
    bench.event();
    bench.run_due();
    bench.clock.set_wall(at("2026-06-01T00:00:00Z"));
    bench.event();
    bench.run_due();
    let sent = bench.script.take_sent();
    let stamps = sent.iter().map(|(_, request)| {
        let stamp = request
            .headers
            .iter()
            .find(|(name, _)| name == "webhook-timestamp");
        stamp.unwrap().1.parse().unwrap()
    });
    let stamps: Vec<i64> = stamps.collect();
    let expected = ["2026-07-01T12:00:00Z", "2026-06-01T00:00:00Z"].map(|text| at(text).0 / 1_000);
    assert_eq!(stamps, expected);
}
