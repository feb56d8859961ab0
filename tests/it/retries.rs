//! How often and when a refused delivery is tried again: ladders, calendars, the number of tries.

use std::time::Duration;

use hookbox::model::endpoint::NewEndpoint;
use serde_json::{Value, json};

use crate::support::{Bench, DAY, HOUR, Script, TestDb, at, replied, replied_with};

#[test]
fn tries_past_the_end_of_the_ladder_repeat_its_last_wait() {
    let mut bench = Bench::with_edge(
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
    let mut bench = Bench::with_edge(
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
    let due: Vec<String> = bench
        .deliveries()
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
fn the_moments_of_a_calendar_are_kept_whatever_the_receiver_asks_for_and_the_clock_does() {
    let script = Script::default()
        .then(replied_with(500, &[("retry-after", "3600")]))
        .then(replied(500))
        .forever(replied(200));
    let mut bench = Bench::with_edge(script, "2026-07-01T02:30:00Z", |new| {
        new.retry = "cron:0 0 3 * * *".parse().unwrap();
    });
    bench.event();
    bench.run_due();
    let due = |bench: &Bench| bench.deliveries()[0].due.unwrap();
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
fn a_lower_number_of_tries_applies_to_waiting_deliveries() {
    let mut bench = Bench::with_edge(
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
        bench.deliveries()[0].reason.as_deref(),
        Some("given up after 3 tries; 2 are allowed; the last: 500 Internal Server Error")
    );
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
