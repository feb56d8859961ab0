//! Rows as other programs and people leave them: put in, edited or taken away by SQL while the service or
//! a command works on them.

use std::sync::Arc;
use std::time::Duration;

use hookbox::model::attempt::Timing;
use hookbox::model::chat::Chat;
use hookbox::model::endpoint::{Endpoint, Format};
use hookbox::outbound::{Exchange, OutboundRequest, Transport};
use hookbox::store::Store;
use hookbox::time::{Timestamp, parse_span};
use serde_json::{Value, json};

use crate::support::{Bench, Receiver, TestDb, replied, sql};

#[test]
fn a_hold_that_cannot_be_written_does_not_block_the_endpoint() {
    /// While it is asked, somebody takes the delivery out of the file by hand.
    struct Emptied(Store);
    impl Transport for Emptied {
        fn send(&self, endpoint: &Endpoint, _: &OutboundRequest) -> Exchange {
            if endpoint.set.name == "team" {
                let connection =
                    rusqlite::Connection::open(self.0.location().file().unwrap()).unwrap();
                let emptied = "delete from hookbox_delivery where endpoint_id = 1;";
                connection.execute_batch(emptied).unwrap();
            }
            Exchange {
                timing: Timing::default(),
                result: replied(404),
            }
        }
    }
    let mut bench = Bench::at(TestDb::in_file(), |store, _| {
        Arc::new(Emptied(store.clone()))
    });
    bench.endpoint_with("team", |new| new.format = Format::Chat(Chat::Slack));
    bench.endpoint("other");
    for _ in 0..2 {
        bench.event();
        assert!(bench.scheduler.run_due().is_err());
        bench.advance(Duration::from_secs(2));
    }
    let report = bench.store.endpoint_report("team").unwrap();
    assert!(report.endpoint.held.is_none());
}

#[test]
fn an_event_that_cannot_be_sent_blocks_nobody_behind_it() {
    let here = TestDb::in_file();
    let receiver = Receiver::answering(&[200]);
    here.add_endpoint("ci", &receiver.url, &[]);
    let bad = here.run(&["enqueue", "--type", "x", "--content-type", "a/b\r\nX: y"]);
    assert_eq!(bad.code, 2, "{}", bad.stderr);
    here.json(&["enqueue", "--type", "x"]);
    here.json(&["enqueue", "--type", "x"]);
    // As a row edited by hand would be.
    sql(
        &here.db,
        "update hookbox_event set content_type = 'a' || char(10) where id = 1",
    );
    let _served = here.serve();
    here.wait_for_state("2", "delivered");
    let refused = here.json(&["delivery", "show", "1"]);
    assert_eq!(
        (&refused["state"], &refused["tries"]),
        (&Value::from("pending"), &Value::from(1))
    );
    assert_eq!(here.json(&["endpoint", "show", "ci"])["circuit"], "closed");
}

#[test]
fn an_event_row_that_cannot_be_read_stops_nobody_else() {
    let here = TestDb::in_file();
    let receiver = Receiver::answering(&[200]);
    here.add_endpoint("ci", &receiver.url, &[]);
    for _ in 0..3 {
        here.json(&["enqueue", "--type", "x"]);
    }
    sql(
        &here.db,
        "update hookbox_event set headers = 'no json' where id = 1",
    );
    let served = here.serve();
    here.wait_for_state("2", "delivered");
    here.wait_for_state("3", "delivered");
    assert!(served.log().contains("cannot be read; set aside"));
}

/// Cause: the work was one transaction and its answer another. Damage: where the process ended in between,
/// the repeat did it all again. Cure: that it was done is written with it.
#[test]
fn a_repeat_of_a_request_whose_answer_was_lost_is_409_and_does_nothing() {
    let here = TestDb::in_file();
    let served = here.serve();
    let event = json!({ "type": "order.paid" });
    // Where it cannot be written that the request was done, nothing is.
    let no =
        "create trigger no before insert on hookbox_answer begin select raise(abort, 'no'); end";
    sql(&here.db, no);
    let key = [("Idempotency-Key", "k-0")];
    let (status, _, problem) = served.api("POST", "/events", Some(&event), &key);
    assert_eq!(status, 500, "{problem}");
    assert_eq!(served.api_get("/stats")["events"], 0);
    sql(&here.db, "drop trigger no");
    // As if the process had ended right behind the work.
    let lose = "update hookbox_answer set status = null, body = null";
    let endpoint = json!({ "name": "ci", "url": "http://127.0.0.1:9/" });
    let prune = json!({ "before": "1d", "dry_run": true });
    for (key, path, body) in [
        ("k-1", "/events", Some(&event)),
        ("k-2", "/endpoints", Some(&endpoint)),
        ("k-3", "/endpoints/ci/hold", Some(&json!({}))),
        ("k-4", "/prune", Some(&prune)),
    ] {
        let key = [("Idempotency-Key", key)];
        let (status, _, answer) = served.api("POST", path, body, &key);
        assert!((200..300).contains(&status), "{answer}");
        sql(&here.db, lose);
        let (status, _, problem) = served.api("POST", path, body, &key);
        assert_eq!(status, 409, "{path}: {problem}");
        assert!(
            problem["detail"].as_str().unwrap().contains("was done"),
            "{problem}"
        );
    }
    assert_eq!(served.api_get("/stats")["events"], 1);
}

/// Cause: a filter that nothing fits read the whole file. Damage: 11.5 s for a page, with a million events.
/// Cure: a list looks back as long as a person waits, says how far, and goes on from there.
#[test]
fn a_list_of_what_hardly_fits_looks_back_a_piece_at_a_time_and_says_how_far() {
    use hookbox::model::id::{DeliveryId, EventId};
    use hookbox::model::settings::Selection;
    use hookbox::store::{Missing, Store};
    use hookbox::time::Timestamp;

    let here = TestDb::in_file();
    here.json(&["init"]);
    here.add_endpoint("ci", "http://127.0.0.1:9/", &[]);
    sql(
        &here.db,
        "with recursive n (i) as (select 1 union all select i + 1 from n where i < 20000)
         insert into hookbox_event (id, type, received_ms, is_json, headers, body, bytes)
         select i, iif(i = 3, 'rare', 'usual'), 1700000000000 + i * 1000, 0, '[]', x'', 0 from n;
         insert into hookbox_delivery (id, event_id, endpoint_id, state, created_ms, settled_ms)
         select id, id, 1, 'delivered', received_ms, received_ms from hookbox_event;",
    );
    let store = Store::open(&here.db, Missing::Refuse).unwrap();
    let rare = Selection {
        event_type: Some("rare".to_owned()),
        ..Selection::default()
    };
    let found = store.search_events(&rare, 10, || true).unwrap();
    assert_eq!((found.rows.len(), found.next), (1, None));
    // In pieces: each says where it goes on.
    let (mut next, mut pieces) = (None, 0);
    loop {
        let filter = Selection {
            before: next,
            ..rare.clone()
        };
        let found = store.search_events(&filter, 10, || false).unwrap();
        pieces += 1;
        next = found.next.map(|id| id.0);
        if next.is_none() {
            assert_eq!(found.rows.len(), 1);
            break;
        }
        assert!(found.rows.is_empty() && found.is_cut);
        let back_to = Timestamp(1_700_000_000_000 + next.unwrap() * 1000);
        assert_eq!(found.back_to, Some(back_to));
    }
    assert_eq!(pieces, 4);
    let deliveries = Selection {
        event_type: Some("rare".to_owned()),
        ..Selection::default()
    };
    let found = store.search_deliveries(&deliveries, 10, || false).unwrap();
    assert_eq!(
        (found.rows.len(), found.next),
        (0, Some(DeliveryId(15_001)))
    );
    // What is long ago is gone to, and what is older than was asked for is not looked at.
    let looks = std::cell::Cell::new(0);
    let count = || {
        looks.set(looks.get() + 1);
        true
    };
    let filter = Selection {
        until: Some(Timestamp(1_700_000_000_000 + 5_000_000)),
        ..Selection::default()
    };
    let found = store.search_events(&filter, 10, count).unwrap();
    assert_eq!(found.rows[0].id, EventId(4_999));
    assert!(looks.get() <= 2, "{}", looks.get());
    let filter = Selection {
        since: Some(Timestamp(1_700_000_000_000 + 20_000_000 + 86_400_000)),
        ..Selection::default()
    };
    let found = store
        .search_events(&filter, 10, || panic!("there is nothing to look for"))
        .unwrap();
    assert!(found.rows.is_empty() && found.next.is_none());
}

/// The events since a time, as the command line has it at a place whose clock is six hours and a half ahead.
fn since(here: &TestDb, text: &str) -> Result<Vec<String>, String> {
    let mut command = here.command(&["event", "list", "--json", "--since", text]);
    let output = command.env("TZ", "Asia/Yangon").output().unwrap();
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let lines = String::from_utf8(output.stdout).unwrap();
    let events = lines
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    Ok(events
        .map(|event| event["type"].as_str().unwrap().to_owned())
        .collect())
}

#[test]
fn a_day_or_a_time_is_one_of_the_place_where_the_box_is() {
    let here = TestDb::in_file();
    here.json(&["init"]);
    // In Yangon: the evening of the 27th, midnight and morning of the 28th.
    for (name, came) in [
        ("evening", "2026-11-27T17:29:59Z"),
        ("midnight", "2026-11-27T17:30:00Z"),
        ("morning", "2026-11-28T03:30:00Z"),
    ] {
        here.json(&["enqueue", "--type", name, "--data", "{}"]);
        let came = Timestamp::parse(came, Timestamp(0)).unwrap().0;
        sql(
            &here.db,
            &format!("update hookbox_event set received_ms = {came} where type = '{name}'"),
        );
    }
    for (text, events) in [
        ("2026-11-28", &["morning", "midnight"][..]),
        ("2026-11-27", &["morning", "midnight", "evening"]),
        ("2026-11-28 10:00", &["morning"]),
        ("2026-11-28T10:00:00", &["morning"]),
        ("2026-11-28 10:01", &[]),
        ("2026-11-28T03:30:00Z", &["morning"]),
        ("2026-11-28T10:00:00+06:30", &["morning"]),
    ] {
        assert_eq!(since(&here, text).unwrap(), events, "{text}");
    }
    for bad in [
        "2026-13-01",
        "2026-11-28 25:00",
        "28.11.2026",
        "next tuesday",
    ] {
        let said = since(&here, bad).unwrap_err();
        assert!(
            said.contains("yesterday") && said.contains("2026-03-01"),
            "{bad}: {said}"
        );
    }
}

#[test]
fn yesterday_and_today_are_days_of_the_box() {
    let here = TestDb::in_file();
    here.json(&["init"]);
    let day = parse_span("1d").unwrap();
    here.json(&["enqueue", "--type", "now", "--data", "{}"]);
    assert_eq!(since(&here, "today").unwrap(), ["now"]);
    assert_eq!(since(&here, "yesterday").unwrap(), ["now"]);
    let two_days = 2 * i64::try_from(day.as_millis()).unwrap();
    sql(
        &here.db,
        &format!("update hookbox_event set received_ms = received_ms - {two_days}"),
    );
    assert!(since(&here, "yesterday").unwrap().is_empty());
}
