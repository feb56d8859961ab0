//! What waits, for how long, and in which order: windows, ordered endpoints, tries, age, and
//! endpoints that refuse everything. No threads: a manual clock and a scripted transport.

use std::time::Duration;

use hookbox::model::delivery::DeliveryRecord;
use hookbox::model::endpoint::NewEndpoint;
use hookbox::outbound::Answer;
use hookbox::store::{DeliveryFilter, PAGE_MAX, ReplayOptions};
use hookbox::time::{Clock, Timestamp};
use serde_json::{Value, json};

use crate::support::{Bench, Receiver, Script, TestDb, replied, replied_with, unreachable};

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

pub fn at(text: &str) -> Timestamp {
    Timestamp::parse(text, Timestamp(0)).unwrap()
}

/// A bench whose clock shows this, with an endpoint that is set so.
pub fn bench(script: Script, now: &str, set: impl FnOnce(&mut NewEndpoint)) -> Bench {
    let bench = Bench::new(script);
    bench.clock.set_wall(at(now));
    bench.endpoint_with("edge", set);
    bench
}

/// The deliveries, oldest first.
pub fn all(bench: &Bench) -> Vec<DeliveryRecord> {
    let mut all = bench
        .store
        .deliveries(&DeliveryFilter::default(), PAGE_MAX)
        .unwrap();
    all.reverse();
    all
}

fn waiting(bench: &Bench) -> Vec<Option<&'static str>> {
    all(bench)
        .iter()
        .map(|row| row.waiting(bench.now()))
        .collect()
}

/// The ids of the events that were sent since the last look.
fn sent(bench: &Bench) -> Vec<u32> {
    let requests = bench
        .script
        .take_sent()
        .into_iter()
        .map(|(_, request)| request);
    let ids = requests.map(|request| {
        let id = request
            .headers
            .iter()
            .find(|(name, _)| name == "webhook-id");
        let number = id.unwrap().1.split('_').nth(2).unwrap();
        number.parse().unwrap()
    });
    ids.collect()
}

#[test]
fn nothing_is_sent_while_the_window_is_closed_not_even_a_probe() {
    let script = Script::default().then(unreachable()).forever(replied(200));
    let mut bench = bench(script, "2026-07-01T12:00:00Z", |new| {
        new.window = Some("0 0 2 * * *+3h Europe/Berlin".parse().unwrap());
    });
    for _ in 0..3 {
        bench.event();
    }
    // 02:00 in Berlin is midnight UTC: twelve hours of nothing.
    let mut attempts = 0;
    for _ in 0..12 * 60 {
        attempts += bench.run_due();
        assert_eq!(waiting(&bench), [Some("window"); 3]);
        bench.advance(Duration::from_secs(60));
    }
    assert_eq!(attempts, 0);
    let reason = all(&bench)[0].waiting_reason(bench.store.box_id(), at("2026-07-01T20:00:00Z"));
    assert_eq!(reason.unwrap(), "it opens at 2026-07-02T00:00:00.000Z");
    // It opens; the endpoint is away for a moment, and then gets everything.
    assert_eq!(bench.run_due(), 1);
    bench.advance(Duration::from_secs(2));
    assert_eq!(bench.run_due(), 3);
    // What comes in the window goes out at once, what comes after waits for the next night.
    bench.advance(2 * HOUR);
    bench.event();
    assert_eq!(bench.run_due(), 1);
    bench.advance(HOUR);
    bench.event();
    assert_eq!(bench.run_due(), 0);
    bench.advance(21 * HOUR - Duration::from_secs(3));
    assert_eq!(bench.run_due(), 0);
    bench.advance(Duration::from_secs(3));
    assert_eq!(bench.run_due(), 1);
    assert_eq!(bench.store.stats().unwrap().pending, 0);
}

#[test]
fn a_window_that_is_taken_away_lets_everything_out() {
    let mut bench = bench(
        Script::default().forever(replied(200)),
        "2026-07-01T12:00:00Z",
        |new| {
            new.window = Some("0 0 0 1 1 * 2027+1h".parse().unwrap());
        },
    );
    bench.event();
    bench.advance(365 * DAY);
    assert_eq!(bench.run_due(), 0);
    let reason = all(&bench)[0].waiting_reason(bench.store.box_id(), bench.now());
    assert_eq!(reason.unwrap(), "it never opens again");
    let change = |set: &mut NewEndpoint| {
        set.window = None;
        Ok(())
    };
    bench
        .store
        .set_endpoint("edge", change, bench.now())
        .unwrap();
    assert_eq!(bench.run_due(), 1);
}

#[test]
fn an_ordered_endpoint_gets_one_at_a_time_in_order_and_a_refusal_keeps_the_others_waiting() {
    let script = Script::default()
        .then(replied(200))
        .then(replied(500))
        .then(Answer::Broken {
            error: "reset".to_owned(),
        })
        .then(unreachable())
        .forever(replied(200));
    let mut bench = bench(script, "2026-07-01T12:00:00Z", |new| {
        new.is_ordered = true;
        new.retry = "1m,5m".parse().unwrap();
    });
    for _ in 0..100 {
        bench.event();
    }
    assert_eq!(bench.run_due(), 2);
    assert_eq!(sent(&bench), [1, 2]);
    let rows = all(&bench);
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
    assert_eq!(sent(&bench), expected);
}

#[test]
fn the_first_of_an_ordered_endpoint_that_is_dead_or_cancelled_lets_the_others_go() {
    let script = Script::default()
        .then(replied(500))
        .then(replied(500))
        .then(replied(500))
        .forever(replied(200));
    let mut bench = bench(script, "2026-07-01T12:00:00Z", |new| {
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
    let second = all(&bench)[1].id;
    bench.store.cancel(second, bench.now()).unwrap();
    assert_eq!(bench.run_due(), 3);
    assert_eq!(sent(&bench), [1, 1, 2, 3, 4, 5]);
    // Replays keep the order of the events among themselves, whatever the order of the list was.
    let ids = all(&bench).iter().rev().map(|row| row.id).collect();
    bench
        .store
        .replay(ids, ReplayOptions::default(), bench.now())
        .unwrap();
    assert_eq!(bench.run_due(), 5);
    assert_eq!(sent(&bench), [1, 2, 3, 4, 5]);
}

#[test]
fn tries_past_the_end_of_the_ladder_repeat_its_last_wait() {
    let mut bench = bench(
        Script::default().forever(replied(500)),
        "2026-07-01T12:00:00Z",
        |new| {
            new.retry = "1s,1m".parse().unwrap();
            new.tries = Some(6);
        },
    );
    bench.event();
    let began = bench.now();
    let mut tries = 0;
    while bench.store.stats().unwrap().pending > 0 {
        tries += bench.run_due();
        bench.advance(Duration::from_secs(1));
    }
    assert_eq!(tries, 6);
    let lasted = bench.now().since(began).as_secs();
    assert!((4 * 48..4 * 72 + 10).contains(&lasted), "{lasted}");
}

#[test]
fn retries_at_the_moments_of_a_calendar_happen_all_together() {
    let mut bench = bench(
        Script::default().forever(replied(500)),
        "2026-07-01T12:00:00Z",
        |new| {
            new.retry = "cron:0 0 3 * * * Asia/Shanghai".parse().unwrap();
            new.tries = Some(3);
        },
    );
    for _ in 0..4 {
        bench.event();
        bench.run_due();
        bench.advance(HOUR);
    }
    // 03:00 in Shanghai is 19:00 UTC.
    let due: Vec<String> = all(&bench)
        .iter()
        .map(|row| row.due.unwrap().to_string())
        .collect();
    assert_eq!(due, ["2026-07-01T19:00:00.000Z"; 4]);
    bench.advance(3 * HOUR);
    assert_eq!(bench.run_due(), 4);
    bench.advance(DAY);
    assert_eq!(bench.run_due(), 4);
    assert_eq!(bench.store.stats().unwrap().dead, 4);
}

#[test]
fn an_endpoint_that_refuses_everything_for_five_days_is_held_and_loses_nothing() {
    let mut bench = bench(
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
    for _ in 0..24 {
        bench.run_due();
        bench.advance(HOUR);
    }
    assert!(
        bench
            .store
            .endpoint_report("edge")
            .unwrap()
            .endpoint
            .held
            .is_none()
    );
}

#[test]
fn one_success_among_refusals_begins_the_five_days_anew_and_a_clock_that_jumps_does_not_end_them() {
    let mut bench = bench(
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
    for _ in 0..100 {
        bench.run_due();
        bench.advance(HOUR);
    }
    bench.restart();
    bench.run_due();
    bench.script.clone().then(replied(200));
    bench.advance(2 * HOUR);
    bench.event();
    bench.run_due();
    bench.event();
    for _ in 0..100 {
        bench.run_due();
        bench.advance(HOUR);
    }
    assert!(
        bench
            .store
            .endpoint_report("edge")
            .unwrap()
            .endpoint
            .held
            .is_none()
    );
}

#[test]
fn a_receiver_that_asks_for_time_gets_it_for_all_that_waits() {
    let script = Script::default()
        .then(replied_with(503, &[("retry-after", "600")]))
        .forever(replied(200));
    let mut bench = bench(script, "2026-07-01T12:00:00Z", |_| {});
    for _ in 0..5 {
        bench.event();
    }
    assert_eq!(bench.run_due(), 1);
    bench.advance(Duration::from_secs(599));
    assert_eq!(bench.run_due(), 0);
    assert_eq!(waiting(&bench)[1..], [Some("pace"); 4]);
    bench.advance(Duration::from_secs(2));
    assert_eq!(bench.run_due(), 5);
}

#[test]
fn windows_order_tries_and_age_are_set_shown_and_taken_away() {
    let here = TestDb::new();
    let settings = [
        "--window",
        "0 0 2 * * *+3h Europe/Berlin; 0 0 14 * * *+1h",
        "--ordered",
        "--tries",
        "20",
        "--expire",
        "30d",
        "--expire-offline",
    ];
    here.add_endpoint("edge", "http://127.0.0.1:9/hook", &settings);
    let shown = here.json(&["endpoint", "show", "edge"]);
    assert_eq!(shown["window"], settings[1]);
    assert_eq!(
        (
            &shown["ordered"],
            &shown["concurrency"],
            &shown["tries_max"],
            &shown["expire"],
            &shown["expire_offline"]
        ),
        (
            &json!(true),
            &json!(1),
            &json!(20),
            &json!("30d"),
            &json!(true)
        )
    );
    let changes = [
        "endpoint",
        "set",
        "edge",
        "--window",
        "",
        "--ordered=false",
        "--tries",
        "",
        "--expire",
        "",
        "--expire-offline=false",
    ];
    let shown = here.json(&changes);
    assert_eq!(
        (
            &shown["window"],
            &shown["ordered"],
            &shown["tries_max"],
            &shown["expire"]
        ),
        (&Value::Null, &json!(false), &json!(10), &Value::Null)
    );
    for (setting, value, says) in [
        ("--window", "0 0 2 * * *", "for how long"),
        ("--window", "0 0 2 * * *+3h Europe/Atlantis", "no time zone"),
        ("--tries", "0", "allowed is 1 to 1000"),
        ("--tries", "many", "no number"),
        ("--expire", "5s", "allowed is 1m to"),
    ] {
        let ran = here.run(&["endpoint", "set", "edge", setting, value]);
        assert_eq!(ran.code, 2, "{setting} {value}");
        assert!(
            ran.stderr.contains(says),
            "{setting} {value}: {}",
            ran.stderr
        );
    }
    let ran = here.run(&["endpoint", "set", "edge", "--ordered", "--concurrency", "4"]);
    assert!(
        ran.code == 2 && ran.stderr.contains("--ordered=false"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_box_without_time_zones_of_its_own_knows_them_all_the_same() {
    let here = TestDb::new();
    let zones = here.folder.path().join("zoneinfo");
    std::fs::create_dir_all(zones.join("Europe")).unwrap();
    let window = "0 0 2 * * *+3h Europe/Berlin";
    let add = |name: &str| {
        let url = "http://127.0.0.1:9/hook";
        let mut command = here.command(&["endpoint", "add", name, url, "--window", window]);
        let ran = command.env("TZDIR", &zones).output().unwrap();
        assert!(ran.status.success(), "{ran:?}");
        assert_eq!(here.json(&["endpoint", "show", name])["window"], window);
    };
    add("none-at-all");
    std::fs::write(zones.join("Europe/Berlin"), "no zone").unwrap();
    add("a-broken-one");
    std::fs::write(zones.join("Europe/Paris"), "no zone").unwrap();
    std::fs::remove_file(zones.join("Europe/Berlin")).unwrap();
    add("not-this-one");
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
        let mut bench = bench(script, before, |new| new.retry = "10m,20m".parse().unwrap());
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
        let mut bench = bench(script, "2026-07-01T12:00:00Z", |new| {
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
    let mut bench = bench(
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

#[test]
fn an_endpoint_that_is_away_is_probed_as_seldom_as_it_is_set() {
    let mut bench = bench(
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
fn time_in_which_nothing_was_asked_does_not_count_as_refusing() {
    let script = Script::default().then(replied(500)).then(unreachable());
    let mut bench = bench(script.clone(), "2026-07-01T12:00:00Z", |new| {
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
fn one_that_has_too_much_to_do_and_does_not_say_for_how_long_is_left_alone_for_longer_each_time() {
    let mut bench = bench(
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
    assert_eq!(waiting(&bench)[99], Some("pace"));
    // Once it takes something, all of it goes.
    bench.script.clone().forever(replied(200));
    bench.advance(Duration::from_secs(60));
    assert_eq!(bench.run_due(), 100 - sent.len());
}

#[test]
fn the_moments_of_a_calendar_are_kept_whatever_the_receiver_asks_for_and_the_clock_does() {
    let script = Script::default()
        .then(replied_with(500, &[("retry-after", "3600")]))
        .then(replied(500))
        .forever(replied(200));
    let mut bench = bench(script, "2026-07-01T02:30:00Z", |new| {
        new.retry = "cron:0 0 3 * * *".parse().unwrap();
    });
    bench.event();
    bench.run_due();
    let due = |bench: &Bench| all(bench)[0].due.unwrap();
    // Not at 03:30, when it might: at the first moment that is late enough.
    assert_eq!(due(&bench), at("2026-07-02T03:00:00Z"));
    bench.clock.set_wall(at("2026-07-02T03:00:00Z"));
    bench.advance(DAY);
    bench.run_due();
    assert_eq!(due(&bench), at("2026-07-04T03:00:00Z"));
    // The time is heard, a month later: not at noon, but at the next of its moments.
    bench.clock.set_wall(at("2026-08-01T12:00:00Z"));
    assert_eq!(bench.run_due(), 0);
    assert_eq!(due(&bench), at("2026-08-02T03:00:00Z"));
    bench.clock.set_wall(at("2026-08-02T03:00:00Z"));
    assert_eq!(bench.run_due(), 0, "the clock was set past it");
    bench.advance(DAY);
    assert_eq!(bench.run_due(), 1);
}

#[test]
fn fewer_tries_hold_for_what_waits_too() {
    let mut bench = bench(
        Script::default().forever(replied(500)),
        "2026-07-01T12:00:00Z",
        |new| new.retry = "1s,1s,1s,1s".parse().unwrap(),
    );
    bench.event();
    for _ in 0..3 {
        bench.run_due();
        bench.advance(Duration::from_secs(2));
    }
    let change = |set: &mut NewEndpoint| {
        set.tries = Some(2);
        Ok(())
    };
    bench
        .store
        .set_endpoint("edge", change, bench.now())
        .unwrap();
    assert_eq!(bench.run_due(), 0);
    assert_eq!(
        all(&bench)[0].reason.as_deref(),
        Some("gave up after 3 tries; 2 are allowed; the last: 500 Internal Server Error")
    );
}

#[test]
fn a_person_who_has_mended_a_receiver_need_not_wait_for_the_next_try() {
    // Refused and waiting for an hour, behind one that asked to be left alone for longer.
    let script = Script::default()
        .then(replied(500))
        .then(replied_with(429, &[("retry-after", "1800")]))
        .then(unreachable())
        .forever(replied(200));
    let mut bench = bench(script, "2026-07-01T12:00:00Z", |new| {
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

#[test]
fn an_endpoint_that_is_away_is_asked_at_once_when_it_is_reached_otherwise() {
    for change in [
        |set: &mut NewEndpoint| set.probe_max = Duration::from_secs(5),
        |set: &mut NewEndpoint| set.timeout = Duration::from_secs(3),
        |set: &mut NewEndpoint| set.connection.connect_timeout = Some(Duration::from_secs(1)),
    ] {
        let mut bench = bench(
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
fn a_window_or_calendar_that_never_comes_is_refused() {
    let here = TestDb::new();
    here.add_endpoint("edge", "http://127.0.0.1:9/hook", &[]);
    for (setting, value, says) in [
        ("--window", "0 0 2 30 2 *+3h", "never opens"),
        ("--window", "0 0 2 * * * 2001+3h", "never opens"),
        ("--retry", "cron:0 0 3 30 2 *", "no moment from now on"),
    ] {
        let ran = here.run(&["endpoint", "set", "edge", setting, value]);
        assert_eq!(ran.code, 2, "{setting} {value}");
        assert!(ran.stderr.contains(says), "{}", ran.stderr);
    }
    // And there is a way back to what is usual.
    let usual = here.json(&["endpoint", "show", "edge"])["retry"].clone();
    here.json(&["endpoint", "set", "edge", "--retry", "1s"]);
    let back = here.json(&["endpoint", "set", "edge", "--retry", ""]);
    assert_eq!(back["retry"], usual);
}
