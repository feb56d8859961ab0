//! Files that keep themselves to an age and a size, and give back the room that is left.

use hookbox::model::event::NewEvent;
use hookbox::model::id::EventId;
use hookbox::model::settings::Selection;
use hookbox::store::{PAGE_MAX, Retention};

use crate::support::{Bench, DAY, Script, replied};

fn accept(bench: &Bench, event_type: &str, bytes: usize) -> i64 {
    let noise: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..))
        .take(bytes)
        .collect();
    let accepted = bench
        .store
        .accept(NewEvent::new(event_type, noise), bench.now());
    accepted.unwrap().id.0
}

fn left(bench: &Bench) -> Vec<i64> {
    let events = bench.store.events(&Selection::default(), PAGE_MAX).unwrap();
    let mut ids: Vec<i64> = events.iter().map(|event| event.id.0).collect();
    ids.sort_unstable();
    ids
}

#[test]
fn what_arrived_and_what_is_dead_have_each_their_own_age_and_pending_has_none() {
    // Refuses what is to become dead, and takes the rest.
    let mut bench = Bench::new(Script::default().then(replied(500)).forever(replied(200)));
    bench.endpoint_with("ci", |new| new.retry = "none".parse().unwrap());
    let dead = accept(&bench, "a", 10);
    bench.run_due();
    let arrived = accept(&bench, "a", 10);
    bench.run_due();
    bench
        .store
        .hold_endpoint("ci", "a test", bench.now())
        .unwrap();
    let pending = accept(&bench, "a", 10);
    bench.advance(40 * DAY);
    let newest = accept(&bench, "a", 10);
    let keep = |delivered: Option<u32>, dead: Option<u32>| {
        let retention = Retention {
            delivered: delivered.map(|days| days * DAY),
            dead: dead.map(|days| days * DAY),
            size_max: None,
        };
        bench
            .store
            .remove_aged(&retention, bench.now(), |_| true)
            .unwrap();
        left(&bench)
    };
    assert_eq!(
        keep(None, None),
        [dead, arrived, pending, newest],
        "off unless asked for"
    );
    assert_eq!(keep(Some(60), Some(60)), [dead, arrived, pending, newest]);
    assert_eq!(keep(Some(30), None), [dead, pending, newest]);
    assert_eq!(keep(Some(30), Some(50)), [dead, pending, newest]);
    assert_eq!(keep(Some(30), Some(30)), [pending, newest]);
    assert_eq!(
        keep(Some(0), Some(0)),
        [pending, newest],
        "the last hour stays, and what is pending"
    );
}

#[test]
fn dead_deliveries_can_be_removed_before_delivered_ones() {
    let mut bench = Bench::new(Script::default().then(replied(500)).forever(replied(200)));
    bench.endpoint_with("ci", |new| new.retry = "none".parse().unwrap());
    accept(&bench, "a", 10);
    bench.run_due();
    let arrived = accept(&bench, "a", 10);
    bench.run_due();
    let unwanted = accept(&bench, "none-wants-it", 10);
    bench.run_due();
    bench.advance(2 * DAY);
    let newest = accept(&bench, "a", 10);
    let retention = Retention {
        delivered: None,
        dead: Some(DAY),
        size_max: None,
    };
    bench
        .store
        .remove_aged(&retention, bench.now(), |_| true)
        .unwrap();
    assert_eq!(left(&bench), [arrived, unwanted, newest]);
}

#[test]
fn a_file_that_holds_too_much_loses_the_oldest_that_arrived_then_the_dead_and_never_what_waits() {
    let mut bench = Bench::in_file(
        Script::default()
            .then(replied(500))
            .then(replied(500))
            .forever(replied(200)),
    );
    bench.endpoint_with("ci", |new| new.retry = "none".parse().unwrap());
    let size = 100_000;
    let dead: Vec<i64> = (0..2).map(|_| accept(&bench, "a", size)).collect();
    bench.run_due();
    let arrived: Vec<i64> = (0..20).map(|_| accept(&bench, "a", size)).collect();
    bench.run_due();
    bench
        .store
        .hold_endpoint("ci", "a test", bench.now())
        .unwrap();
    let pending: Vec<i64> = (0..10).map(|_| accept(&bench, "a", size)).collect();
    bench.advance(DAY);
    let hold_to = |bytes: u64| {
        let retention = Retention {
            size_max: Some(bytes),
            ..Retention::default()
        };
        bench
            .store
            .remove_oldest(&retention, bench.now(), |_| true)
            .unwrap();
        left(&bench)
    };
    assert_eq!(hold_to(5_000_000).len(), 32, "there is room");
    let after = hold_to(3_000_000);
    let arrived_left: Vec<i64> = after
        .iter()
        .copied()
        .filter(|id| arrived.contains(id))
        .collect();
    assert!((5..20).contains(&arrived_left.len()), "{after:?}");
    assert_eq!(
        arrived_left,
        arrived[20 - arrived_left.len()..],
        "the oldest went"
    );
    assert!(
        after.starts_with(&dead),
        "dead ones stay as long as others can go"
    );
    assert_eq!(
        hold_to(1_000_000),
        pending,
        "and then they go; what waits stays"
    );
    assert!(bench.store.event(EventId(pending[0])).is_ok());
}
