//! Receivers that are busy or away: for how long they are left alone, and when they are asked again.

use std::time::Duration;

use hookbox::model::endpoint::NewEndpoint;

use crate::support::{Bench, HOUR, Script, replied, replied_with, unreachable};

#[test]
fn a_receiver_that_asks_for_time_gets_it_for_all_that_waits() {
    let script = Script::default()
        .then(replied_with(503, &[("retry-after", "600")]))
        .forever(replied(200));
    let mut bench = Bench::with_edge(script, "2026-07-01T12:00:00Z", |_| {});
    for _ in 0..5 {
        bench.event();
    }
    assert_eq!(bench.run_due(), 1);
    bench.advance(Duration::from_secs(599));
    assert_eq!(bench.run_due(), 0);
    assert_eq!(bench.waiting()[1..], [Some("pace"); 4]);
    bench.advance(Duration::from_secs(2));
    assert_eq!(bench.run_due(), 5);
}

#[test]
fn a_busy_receiver_without_retry_after_is_left_alone_for_longer_each_time() {
    let mut bench = Bench::with_edge(
        Script::default().forever(replied(503)),
        "2026-07-01T12:00:00Z",
        |new| new.retry = "1h".parse().unwrap(),
    );
    for _ in 0..100 {
        bench.event();
    }
    let mut sent = Vec::new();
    for second in 0..400 {
        for _ in 0..bench.run_due() {
            sent.push(second);
        }
        bench.advance(Duration::from_secs(1));
    }
    assert_eq!(sent, [0, 1, 3, 7, 15, 31, 63, 123, 183, 243, 303, 363]);
    assert_eq!(bench.waiting()[99], Some("pace"));
    // IdempotentRequest it takes something, all of it goes.
    bench.script.clone().forever(replied(200));
    bench.advance(Duration::from_secs(60));
    assert_eq!(bench.run_due(), 100 - sent.len());
}

#[test]
fn an_endpoint_that_is_away_is_probed_as_seldom_as_it_is_set() {
    let mut bench = Bench::with_edge(
        Script::default().forever(unreachable()),
        "2026-07-01T12:00:00Z",
        |new| {
            new.probe_max = HOUR;
        },
    );
    bench.event();
    let mut probes = 0;
    for _ in 0..24 * 60 {
        probes += bench.run_due();
        bench.advance(Duration::from_secs(60));
    }
    // A second, two, four and so on to an hour; each up to a fifth shorter.
    assert!((30..45).contains(&probes), "{probes}");
}

#[test]
fn an_endpoint_that_is_away_is_asked_at_once_when_it_is_reached_otherwise() {
    for change in [
        |set: &mut NewEndpoint| set.probe_max = Duration::from_secs(5),
        |set: &mut NewEndpoint| set.timeout = Duration::from_secs(3),
        |set: &mut NewEndpoint| set.connection.connect_timeout = Some(Duration::from_secs(1)),
    ] {
        let mut bench = Bench::with_edge(
            Script::default().then(unreachable()).forever(replied(200)),
            "2026-07-01T12:00:00Z",
            |_| {},
        );
        bench.event();
        assert_eq!(bench.run_due(), 1);
        assert_eq!(bench.run_due(), 0);
        bench
            .store
            .set_endpoint(
                "edge",
                move |set| {
                    change(set);
                    Ok(())
                },
                bench.now(),
            )
            .unwrap();
        assert_eq!(bench.run_due(), 1);
    }
}

#[test]
fn a_person_who_has_mended_a_receiver_need_not_wait_for_the_next_try() {
    // Refused and waiting for an hour, behind one that asked to be left alone for longer.
    let script = Script::default()
        .then(replied(500))
        .then(replied_with(429, &[("retry-after", "1800")]))
        .then(unreachable())
        .forever(replied(200));
    let mut bench = Bench::with_edge(script, "2026-07-01T12:00:00Z", |new| {
        new.retry = "1h".parse().unwrap();
    });
    for _ in 0..4 {
        bench.event();
    }
    assert_eq!(bench.run_due(), 2);
    assert_eq!(bench.store.try_endpoint("edge", bench.now()).unwrap(), 2);
    // That one finds it away.
    assert_eq!(bench.run_due(), 1);
    assert_eq!(bench.run_due(), 0);
    assert_eq!(bench.store.try_endpoint("edge", bench.now()).unwrap(), 0);
    assert_eq!(bench.run_due(), 4);
    assert_eq!(bench.store.stats().unwrap().delivered, 4);
}
