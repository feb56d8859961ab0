//! Age: what is owed for too long is given up, and only that, whatever the network, the clock and a
//! person did meanwhile.

use std::time::Duration;

use hookbox::model::delivery::State;
use hookbox::model::id::DeliveryId;
use hookbox::store::ReplayOptions;
use hookbox::time::Timestamp;

use crate::support::{Bench, DAY, HOUR, Script, at, event, replied, replied_with, unreachable};

#[test]
fn what_is_too_old_is_given_up_and_the_time_offline_does_not_count_unless_it_should() {
    for (expires_offline, delivered) in [(false, 3), (true, 1)] {
        let script = Script::default().then(unreachable());
        let mut bench = Bench::with_edge(script.clone(), "2026-07-01T12:00:00Z", |new| {
            new.expire = Some(DAY);
            new.expires_offline = expires_offline;
        });
        bench.event();
        bench.event();
        bench.run_due();
        let script = script.forever(unreachable());
        // Three days without a network.
        for _ in 0..3 * 24 * 60 {
            bench.run_due();
            bench.advance(Duration::from_secs(60));
        }
        bench.event();
        script.forever(replied(200));
        bench.advance(Duration::from_secs(60));
        bench.run_due();
        let stats = bench.store.stats().unwrap();
        assert_eq!((stats.delivered, stats.dead), (delivered, 3 - delivered));
        for row in bench
            .deliveries()
            .iter()
            .filter(|row| row.state == State::Dead)
        {
            let reason = row.reason.as_deref().unwrap();
            assert!(
                reason.starts_with("expired: it is owed for more than 1d"),
                "{reason}"
            );
            assert_eq!(row.tries, 0);
        }
    }
}

#[test]
fn a_thousand_that_are_too_old_are_given_up_in_one_go_and_the_younger_are_sent() {
    let mut bench = Bench::with_edge(
        Script::default().forever(replied(200)),
        "2026-07-01T12:00:00Z",
        |new| {
            new.expire = Some(DAY);
        },
    );
    bench
        .store
        .hold_endpoint("edge", "a while", bench.now())
        .unwrap();
    for _ in 0..1_200 {
        bench.event();
        bench.advance(Duration::from_millis(10));
    }
    bench.advance(2 * DAY);
    bench.event();
    bench.store.resume_endpoint("edge").unwrap();
    assert_eq!(bench.run_due(), 1);
    let stats = bench.store.stats().unwrap();
    assert_eq!((stats.delivered, stats.dead, stats.pending), (1, 1_200, 0));
}

/// The first of an ordered endpoint is not always the one that is due first: its next try may be
/// after thousands of others. None of those was too old, so nothing was given up, again and again.
#[test]
fn the_first_of_an_ordered_endpoint_is_given_up_alone_when_the_others_are_young() {
    let script = Script::default().then(replied(500)).forever(replied(200));
    let mut bench = Bench::with_edge(script, "2026-07-01T12:00:00Z", |new| {
        new.is_ordered = true;
        new.retry = "30h".parse().unwrap();
        new.tries = Some(5);
        new.expire = Some(2 * DAY);
    });
    bench.event();
    bench.run_due();
    bench.advance(HOUR);
    for _ in 0..1_100 {
        bench.event();
    }
    bench
        .store
        .hold_endpoint("edge", "a while", bench.now())
        .unwrap();
    bench.advance(2 * DAY - HOUR / 2);
    bench.store.resume_endpoint("edge").unwrap();
    assert_eq!(bench.run_due(), 1_100);
    let first = bench.store.delivery(DeliveryId(1)).unwrap();
    assert_eq!(first.state, State::Dead);
    assert_eq!(
        first.reason.as_deref(),
        Some("expired: it is owed for more than 2d; the last: 500 Internal Server Error")
    );
    let stats = bench.store.stats().unwrap();
    assert_eq!((stats.delivered, stats.dead), (1_100, 1));
}

#[test]
fn the_time_offline_counts_for_nothing_also_where_the_next_try_is_far_ahead() {
    let script = Script::default().then(unreachable());
    let mut bench = Bench::with_edge(script.clone(), "2026-07-01T12:00:00Z", |new| {
        new.expire = Some(3 * DAY);
        new.retry = "14h".parse().unwrap();
        new.tries = Some(9);
    });
    bench.event();
    bench.run_due();
    let script = script.forever(unreachable());
    for _ in 0..2 * 24 * 60 {
        bench.run_due();
        bench.advance(Duration::from_secs(60));
    }
    // Two days were spent offline: it may be refused for three more.
    script.forever(replied(500));
    let mut tries = 0;
    for hours in 0..3 * 24 - 1 {
        tries += bench.run_due();
        assert_eq!(
            bench.deliveries()[0].state,
            State::Pending,
            "after {hours} hours"
        );
        bench.advance(HOUR);
    }
    assert!(tries >= 4, "{tries}");
    bench.advance(2 * HOUR);
    bench.run_due();
    assert_eq!(bench.deliveries()[0].state, State::Dead);
}

#[test]
fn a_replay_is_sent_however_old_its_event_is() {
    let mut bench = Bench::with_edge(
        Script::default().forever(replied(200)),
        "2026-07-01T12:00:00Z",
        |new| new.expire = Some(HOUR),
    );
    bench
        .store
        .hold_endpoint("edge", "a while", bench.now())
        .unwrap();
    bench.event();
    bench.advance(5 * HOUR);
    bench.store.resume_endpoint("edge").unwrap();
    assert_eq!(bench.run_due(), 0);
    let dead = bench.deliveries()[0].clone();
    assert_eq!(dead.state, State::Dead);
    bench
        .store
        .replay(vec![dead.id], ReplayOptions::default(), bench.now())
        .unwrap();
    assert_eq!(bench.run_due(), 1);
    assert_eq!(bench.deliveries()[1].state, State::Delivered);
    assert_eq!(
        bench.deliveries()[0].superseded_by,
        Some(bench.deliveries()[1].id)
    );
    // A replay grows old as well, from when it was asked for.
    bench
        .store
        .replay(vec![dead.id], ReplayOptions::default(), bench.now())
        .unwrap();
    bench
        .store
        .hold_endpoint("edge", "a while", bench.now())
        .unwrap();
    bench.advance(2 * HOUR);
    bench.store.resume_endpoint("edge").unwrap();
    assert_eq!(bench.run_due(), 0);
    assert_eq!(bench.deliveries()[2].state, State::Dead);
}

#[test]
fn the_last_try_is_just_before_the_expiry_and_never_later() {
    let mut bench = Bench::with_edge(
        Script::default().forever(replied(500)),
        "2026-07-01T12:00:00Z",
        |new| {
            new.retry = "10m,5h".parse().unwrap();
            new.tries = Some(9);
            new.expire = Some(HOUR);
        },
    );
    let owed = bench.now();
    bench.event();
    let mut sent = Vec::new();
    for _ in 0..2 * 3_600 {
        if bench.run_due() > 0 {
            sent.push(bench.now().since(owed).as_secs());
        }
        bench.advance(Duration::from_secs(1));
    }
    assert_eq!((sent[0], sent.len()), (0, 3), "{sent:?}");
    assert!((480..=720).contains(&sent[1]), "{sent:?}");
    assert_eq!(sent[2], 3_599);
    let row = &bench.deliveries()[0];
    assert_eq!(row.state, State::Dead);
    assert_eq!(row.settled.unwrap().since(owed), HOUR);
}

#[test]
fn a_retry_after_beyond_the_expiry_is_waited_for_until_the_expiry() {
    let mut bench = Bench::with_edge(
        Script::default().forever(replied_with(503, &[("retry-after", "7200")])),
        "2026-07-01T12:00:00Z",
        |new| new.expire = Some(HOUR),
    );
    bench.event();
    assert_eq!(bench.run_due(), 1);
    bench.advance(HOUR - Duration::from_secs(1));
    assert_eq!(bench.run_due(), 0);
    assert_eq!(bench.deliveries()[0].state, State::Pending);
    bench.advance(Duration::from_secs(1));
    assert_eq!(bench.run_due(), 0);
    assert_eq!(bench.deliveries()[0].state, State::Dead);
}

/// A box without a battery boots with the time at which it was shut down, or in 1970, takes events
/// in, and hears the time later: they are minutes old, not weeks.
#[test]
fn what_came_while_the_clock_was_behind_is_no_older_than_it_is() {
    for wrong in ["2026-05-20T12:00:00Z", "1970-01-01T00:10:00Z"] {
        for is_ordered in [false, true] {
            let mut bench = Bench::with_edge(
                Script::default().forever(replied(200)),
                "2026-05-20T11:00:00Z",
                |new| {
                    new.expire = Some(30 * DAY);
                    new.is_ordered = is_ordered;
                },
            );
            bench
                .store
                .hold_endpoint("edge", "no uplink yet", bench.now())
                .unwrap();
            // One from before it was shut down, really as old as it looks; nobody can know that.
            bench.event();
            bench.run_due();
            bench.clock.set_wall(at(wrong));
            bench.restart();
            bench.run_due();
            for _ in 0..3 {
                bench.advance(Duration::from_secs(60));
                bench.event();
                bench.run_due();
            }
            bench.clock.set_wall(at("2026-07-01T12:00:00Z"));
            bench.run_due();
            bench.store.resume_endpoint("edge").unwrap();
            bench.run_due();
            let states: Vec<State> = bench.deliveries().iter().map(|row| row.state).collect();
            assert_eq!(states[1..], [State::Delivered; 3], "{wrong} {is_ordered}");
            // From now on age is age.
            bench
                .store
                .hold_endpoint("edge", "no uplink", bench.now())
                .unwrap();
            bench.event();
            bench.advance(31 * DAY);
            bench.event();
            bench.store.resume_endpoint("edge").unwrap();
            bench.run_due();
            let states: Vec<State> = bench.deliveries().iter().map(|row| row.state).collect();
            assert_eq!(states[4..], [State::Dead, State::Delivered], "{wrong}");
        }
    }
}

/// In another's batch those were given up that came while the clock was in 1970.
#[test]
fn an_expired_delivery_does_not_expire_those_whose_age_is_unknown() {
    let mut bench = Bench::with_edge(
        Script::default().forever(replied(200)),
        "2026-06-01T12:00:00Z",
        |new| {
            new.expire = Some(DAY);
            new.is_ordered = true;
        },
    );
    bench
        .store
        .hold_endpoint("edge", "no uplink yet", bench.now())
        .unwrap();
    bench.run_due();
    bench.event();
    // Another process takes two in, and nobody is there when the clock is set.
    bench.store.accept(event("push"), Timestamp(5_000)).unwrap();
    bench.store.accept(event("push"), Timestamp(6_000)).unwrap();
    bench.advance(4 * DAY);
    bench.store.resume_endpoint("edge").unwrap();
    bench.run_due();
    let states: Vec<State> = bench.deliveries().iter().map(|row| row.state).collect();
    assert_eq!(states, [State::Dead, State::Delivered, State::Delivered]);
}
