//! Files that keep themselves to an age and a size, and give back the room that is left.

use std::fs;

use hookbox::model::event::NewEvent;
use hookbox::model::id::EventId;
use hookbox::store::{EventFilter, PAGE_MAX, Retention};
use rusqlite::Connection;

use crate::support::{Bench, DAY, PUSH, Receiver, Script, TestDb, replied, sql, wait_until};

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
    let events = bench
        .store
        .events(&EventFilter::default(), PAGE_MAX)
        .unwrap();
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
fn dead_may_go_before_what_arrived() {
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
    let mut bench = Bench::new(
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

#[test]
fn serve_removes_by_itself_what_is_older_than_it_is_to_be_kept() {
    let here = TestDb::new();
    here.add_gogs();
    let receiver = Receiver::answering(&[200]);
    here.add_endpoint("ci", &receiver.url, &[]);
    let served = here.serve();
    for number in 0..30 {
        assert_eq!(served.push(&format!("k{number}"), PUSH.as_bytes()).0, 202);
    }
    wait_until("all to be delivered", || {
        (here.json(&["stats"])["delivered"] == 30).then_some(())
    });
    assert_eq!(served.signal("TERM"), Some(0));
    // As if two days had passed since, for most of them.
    sql(
        &here.db,
        "update hookbox_event set received_ms = received_ms - 172800000 where id <= 20;
         update hookbox_delivery set settled_ms = settled_ms - 172800000 where id <= 20;",
    );
    let served = here.serve_with(&["--keep-delivered", "1d"]);
    wait_until("the old to be gone", || {
        (here.json(&["stats"])["events"] == 10).then_some(())
    });
    wait_until("that to be told", || {
        served.log().contains("store.pruned").then_some(())
    });
    assert_eq!(
        here.json(&["check", "--full"])["faults"],
        serde_json::json!([])
    );
    assert_eq!(
        served.push("k5", PUSH.as_bytes()).0,
        202,
        "its key went with it"
    );
}

/// Cause: more had to go before anything was taken in again than went by itself. Damage: a file that was held
/// to a size shut its way in for good.
#[test]
fn a_file_that_grew_to_its_size_takes_in_again_once_the_oldest_went() {
    let here = TestDb::new();
    here.add_gogs();
    sql(
        &here.db,
        "with recursive n (i) as (select 1 union all select i + 1 from n where i < 900)
         insert into hookbox_event (id, type, received_ms, is_json, headers, body, bytes)
         select i, 'more', 1700000000000, 0, '[]', randomblob(50000), 50000 from n;
         insert into hookbox_tally (of, id, what, value) values ('source', 0, 'events', 900);",
    );
    let served = here.serve_with(&["--max-size", "40MiB"]);
    wait_until("it to take in", || {
        (served.push("new", PUSH.as_bytes()).0 == 202).then_some(())
    });
    assert_eq!(served.page("/readyz").0, 200);
    let left = here.json(&["stats"])["events"].as_u64().unwrap();
    assert!((500..800).contains(&left), "no more than it takes: {left}");
}

fn length(here: &TestDb) -> u64 {
    fs::metadata(&here.db).unwrap().len()
}

/// Fills a file, and removes all but the newest.
fn emptied(here: &TestDb) {
    here.json(&["init"]);
    sql(
        &here.db,
        "with recursive n (i) as (select 1 union all select i + 1 from n where i < 3000)
         insert into hookbox_event (id, type, received_ms, is_json, headers, body, bytes)
         select i, 'more', 1700000000000, 0, '[]', randomblob(10000), 10000 from n;
         insert into hookbox_tally (of, id, what, value) values ('source', 0, 'events', 3000);",
    );
    here.json(&["prune", "--before", "1d", "--yes"]);
}

#[test]
fn room_inside_the_file_is_shown_given_back_by_serve_and_all_of_it_by_compact() {
    let here = TestDb::new();
    emptied(&here);
    let stats = here.json(&["stats"]);
    let full = length(&here);
    assert!(full > 30_000_000, "{full}");
    assert!(
        stats["reusable_bytes"].as_u64().unwrap() > 29_000_000,
        "{stats}"
    );
    let served = here.serve_with(&["--keep-delivered", "1d"]);
    wait_until("room to be given back", || {
        let reusable = here.json(&["stats"])["reusable_bytes"].as_u64().unwrap();
        (reusable < 17 * 1024 * 1024).then_some(())
    });
    assert_eq!(served.signal("TERM"), Some(0));
    assert!(length(&here) < 19_000_000, "{}", length(&here));
    let compacted = here.json(&["compact"]);
    assert!(
        compacted["after"].as_u64().unwrap() < 1_000_000,
        "{compacted}"
    );
    assert_eq!(compacted["after"], length(&here));
    assert_eq!(here.json(&["stats"])["reusable_bytes"], 0);
    assert_eq!(
        here.json(&["check", "--full"])["faults"],
        serde_json::json!([])
    );
}

#[test]
fn a_file_that_gives_nothing_back_is_made_anew_by_compact_while_nobody_has_it_open() {
    let here = TestDb::new();
    emptied(&here);
    // As an older hookbox made it.
    let connection = Connection::open(&here.db).unwrap();
    connection
        .execute_batch("pragma journal_mode = delete; pragma auto_vacuum = none; vacuum; pragma journal_mode = wal;")
        .unwrap();
    connection
        .execute_batch("create table filler (a); insert into filler values (zeroblob(3000000)); drop table filler")
        .unwrap();
    drop(connection);
    let before = length(&here);
    let served = here.serve();
    let ran = here.run(&["compact"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("already being served"),
        "{}",
        ran.stderr
    );
    assert_eq!(served.signal("TERM"), Some(0));
    let compacted = here.json(&["compact"]);
    assert!(
        compacted["after"].as_u64().unwrap() + 2_000_000 < before,
        "{compacted}"
    );
    let mode: i64 = Connection::open(&here.db)
        .unwrap()
        .query_row("pragma auto_vacuum", [], |row| row.get(0))
        .unwrap();
    assert_eq!(mode, 2, "from now on it gives room back");
    assert_eq!(here.json(&["stats"])["events"], 1);
}
