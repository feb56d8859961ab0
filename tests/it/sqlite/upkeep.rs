//! Looking after the file: removing what is old, and copying it while it is used.

use std::collections::BTreeSet;
use std::path::Path;

use hookbox::model::event::NewEvent;
use hookbox::model::id::{DeliveryId, EventId};
use hookbox::model::settings::Selection;
use hookbox::store::{PAGE_MAX, ReplayOptions};
use serde_json::json;

use crate::support::{Bench, DAY, Receiver, Script, TestDb, replied, sql, wait_until};

/// One number from the file, read as another program would.
fn number(db: &Path, query: &str) -> i64 {
    let connection = rusqlite::Connection::open(db).unwrap();
    connection.query_row(query, [], |row| row.get(0)).unwrap()
}

/// What is counted beside the rows is what is there, and every reference leads somewhere.
fn is_in_order(bench: &Bench) {
    let db = bench.store.location().file().unwrap();
    let stats = bench.store.stats().unwrap();
    let rows = |condition: &str| {
        number(
            db,
            &format!("select count(*) from hookbox_delivery where {condition}"),
        )
    };
    assert_eq!(
        stats.events,
        number(db, "select count(*) from hookbox_event")
    );
    assert_eq!(stats.pending, rows("state = 'pending'"));
    assert_eq!(stats.delivered, rows("state = 'delivered'"));
    assert_eq!(stats.dead, rows("state = 'dead' and superseded_by is null"));
    assert_eq!(stats.superseded, rows("superseded_by is not null"));
    let orphans = "select count(*) from hookbox_attempt
         where delivery_id not in (select id from hookbox_delivery)";
    assert_eq!(number(db, orphans), 0);
    let broken = "select count(*) from pragma_foreign_key_check";
    assert_eq!(number(db, broken), 0);
}

fn events(bench: &Bench) -> BTreeSet<i64> {
    let events = bench.store.events(&Selection::default(), PAGE_MAX).unwrap();
    events.iter().map(|event| event.id.0).collect()
}

fn accept(bench: &Bench, key: &str) -> EventId {
    let event = NewEvent {
        key: Some(key.to_owned()),
        ..NewEvent::new("push", key.as_bytes())
    };
    bench.store.accept(event, bench.now()).unwrap().id
}

#[test]
fn what_is_old_and_settled_goes_and_whatever_is_needed_stays() {
    let mut bench = Bench::in_file(Script::default().then(replied(500)).forever(replied(200)));
    bench.endpoint_with("ci", |new| new.retry = "none".parse().unwrap());
    // Dead, and replayed with another body a hundred days later: the copy refers to it.
    let refused = accept(&bench, "refused");
    bench.run_due();
    let plain: Vec<EventId> = (0..5)
        .map(|n| accept(&bench, &format!("plain-{n}")))
        .collect();
    bench.run_due();
    // Nobody can be sent to: it waits on.
    bench
        .store
        .hold_endpoint("ci", "moves", bench.now())
        .unwrap();
    let waits = accept(&bench, "waits");
    bench.advance(100 * DAY);
    let edited = ReplayOptions {
        edited_body: Some(b"superseded".to_vec()),
        ..ReplayOptions::default()
    };
    let made = bench
        .store
        .replay(vec![DeliveryId(1)], edited, bench.now())
        .unwrap();
    let copy = bench.store.delivery(made[0]).unwrap().event;
    // Whoever prunes is told what is in the way.
    let before = bench.now().minus(DAY);
    assert_eq!(bench.store.kept_for(before).unwrap(), ["ci"]);
    bench.store.resume_endpoint("ci").unwrap();
    bench.run_due();
    assert!(bench.store.kept_for(before).unwrap().is_empty());
    // Settled just now, so it is kept as well, however old it is.
    let young = accept(&bench, "young");
    bench.run_due();
    is_in_order(&bench);

    let before = bench.now().minus(DAY);
    let preview = bench
        .store
        .preview_prune(before, None, bench.now(), |_| true)
        .unwrap();
    assert_eq!(
        (preview.events, preview.deliveries, preview.attempts),
        (5, 5, 5)
    );
    assert_eq!(preview.bytes, 5 * "plain-0".len() as i64);
    assert_eq!(events(&bench).len(), 9, "only looked at");
    let pruned = bench
        .store
        .prune(before, None, bench.now(), |_| true)
        .unwrap();
    assert_eq!(pruned, preview);
    assert!(pruned.is_whole());
    let kept = [refused, waits, copy, young].map(|id| id.0);
    assert_eq!(events(&bench), BTreeSet::from(kept));
    is_in_order(&bench);
    // What was known by its key is new again, and what is still there is not.
    let again = accept(&bench, "plain-0");
    assert!(
        again.0 > young.0 && !plain.contains(&again),
        "no id is used twice"
    );
    assert_eq!(accept(&bench, "young"), young);

    // Later the copy is old too, then what it was made of; the newest of each stays.
    bench.run_due();
    bench.advance(100 * DAY);
    for _ in 0..2 {
        let before = bench.now().minus(DAY);
        bench
            .store
            .prune(before, None, bench.now(), |_| true)
            .unwrap();
        is_in_order(&bench);
    }
    assert_eq!(events(&bench), BTreeSet::from([again.0]));
    assert_eq!(accept(&bench, "another").0, again.0 + 1);
}

#[test]
fn removing_is_done_in_pieces_that_can_be_broken_off_and_gone_on_with() {
    const COUNT: i64 = 5_000;
    let mut bench = Bench::in_file(Script::default().forever(replied(200)));
    bench.endpoint("ci");
    for _ in 0..COUNT / 100 {
        let events: Vec<NewEvent> = (0..100).map(|_| NewEvent::new("push", b"x")).collect();
        for event in events {
            bench.store.accept(event, bench.now()).unwrap();
        }
    }
    bench.run_due();
    bench.advance(DAY);
    let before = bench.now().minus(DAY / 2);
    let mut steps = 0;
    let some = bench
        .store
        .prune(before, None, bench.now(), |_| {
            steps += 1;
            steps <= 3
        })
        .unwrap();
    assert!(
        !some.is_whole() && some.events > 0 && some.events < COUNT,
        "{some:?}"
    );
    is_in_order(&bench);
    let rest = bench
        .store
        .prune(before, None, bench.now(), |_| true)
        .unwrap();
    assert_eq!(some.events + rest.events, COUNT - 1, "but the newest");
    is_in_order(&bench);
    let too_young = bench.store.prune(bench.now(), None, bench.now(), |_| true);
    assert!(too_young.unwrap_err().to_string().contains("last hour"));
    let left = bench.store.deliveries(&Selection::default(), 10).unwrap();
    assert_eq!(left.len(), 1);
}

#[test]
fn rows_that_look_old_only_by_a_wrong_clock_stay() {
    let mut bench = Bench::in_file(Script::default().forever(replied(200)));
    bench.endpoint("ci");
    for key in ["before-it-knew", "before-it-was-set", "old", "young"] {
        accept(&bench, key);
    }
    bench.run_due();
    let ms = |moment: hookbox::time::Timestamp| moment.0;
    let (now, day) = (ms(bench.now()), DAY.as_millis() as i64);
    let moments = [
        (1, 300_000),
        // The clock stood ten days back, and was set soon after.
        (2, now - 10 * day),
        (3, now - 20 * day),
        (4, now),
    ];
    for (id, at) in moments {
        sql(
            bench.store.location().file().unwrap(),
            &format!(
                "update hookbox_event set received_ms = {at} where id = {id};
                 update hookbox_delivery set settled_ms = {at} where event_id = {id};"
            ),
        );
    }
    let set = format!(
        "insert into hookbox_clock_set (from_ms, by_ms) values ({}, {})",
        now - 10 * day + 1,
        10 * day
    );
    sql(bench.store.location().file().unwrap(), &set);
    let before = bench.now().minus(7 * DAY);
    let pruned = bench
        .store
        .prune(before, None, bench.now(), |_| true)
        .unwrap();
    assert_eq!(pruned.events, 1);
    assert_eq!(events(&bench), BTreeSet::from([1, 2, 4]));
}

#[test]
fn what_a_bulk_replay_is_yet_to_send_stays_until_it_was() {
    let mut bench = Bench::in_file(Script::default().forever(replied(500)));
    bench.endpoint_with("ci", |new| new.retry = "none".parse().unwrap());
    for number in 0..20 {
        accept(&bench, &number.to_string());
    }
    bench.run_due();
    bench.advance(100 * DAY);
    accept(&bench, "newest");
    bench.run_due();
    let asked = hookbox::model::replay::NewReplay {
        kind: hookbox::model::replay::ReplayKind::Replay,
        selection: hookbox::model::settings::Selection {
            state: Some(hookbox::model::delivery::State::Dead),
            ..Default::default()
        },
        to: None,
        has_new_ids: false,
        rate: None,
        up_to: None,
        asked_by: "a test".to_owned(),
    };
    let preview = bench.store.preview_replay(&asked, || true).unwrap();
    let replay = bench
        .store
        .start_replay(asked, &preview, bench.now())
        .unwrap();
    let before = bench.now().minus(DAY);
    let pruned = bench
        .store
        .prune(before, None, bench.now(), |_| true)
        .unwrap();
    assert_eq!(pruned.events, 0);
    let cancel = hookbox::model::replay::ReplayTransition::Cancel;
    bench
        .store
        .move_replay(replay, cancel, bench.now())
        .unwrap();
    let pruned = bench
        .store
        .prune(before, None, bench.now(), |_| true)
        .unwrap();
    assert_eq!(pruned.events, 20);
    is_in_order(&bench);
}

#[test]
fn a_person_prunes_and_backs_up_while_it_is_served_and_the_copy_goes_on_by_itself() {
    let here = TestDb::in_file();
    let receiver = Receiver::answering(&[200]);
    here.add_gogs();
    here.add_endpoint("ci", &receiver.url, &[]);
    let served = here.serve();
    for number in 0..5 {
        served.push(&format!("k{number}"), b"{}");
    }
    wait_until("all to be delivered", || {
        (here.json(&["stats"])["delivered"] == 5).then_some(())
    });
    // As if two days had passed since.
    sql(
        &here.db,
        "update hookbox_event set received_ms = received_ms - 172800000 where id <= 3;
         update hookbox_delivery set settled_ms = settled_ms - 172800000 where id <= 3;",
    );
    let ran = here.run(&["prune", "--before", "1d", "--dry-run"]);
    assert!(
        ran.text()
            .starts_with("would remove 3 events with 3 deliveries and 3 attempts")
    );
    let wish = json!({ "before": "1d", "dry_run": true });
    let (_, looked) = served.api_post("/prune", wish);
    assert_eq!(
        (&looked["events"], &looked["complete"]),
        (&json!(3), &json!(true))
    );
    let pruned = here.json(&["prune", "--before", "1d", "--yes"]);
    assert_eq!(pruned["events"], 3);
    assert_eq!(here.json(&["stats"])["events"], 2);
    assert_eq!(here.run(&["prune", "--before", "1m"]).code, 2);

    here.json(&["endpoint", "hold", "ci"]);
    served.push("waits", b"{\"n\":1}");
    let copy = here.folder.path().join("copy.db");
    let made = here.json(&["backup", copy.to_str().unwrap()]);
    assert_eq!(made["bytes"], std::fs::metadata(&copy).unwrap().len());
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&copy).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600, "it holds secrets");
    assert_eq!(here.run(&["backup", copy.to_str().unwrap()]).code, 2);
    drop(served);

    // The copy takes over.
    std::fs::remove_file(&here.db).unwrap();
    let restored = here.with_file(copy);
    let served = restored.serve();
    assert_eq!(served.push("waits", b"{\"n\":1}").1["duplicate"], true);
    for _ in 0..5 {
        receiver.next();
    }
    restored.json(&["endpoint", "resume", "ci"]);
    assert_eq!(receiver.next().body, b"{\"n\":1}");
}
