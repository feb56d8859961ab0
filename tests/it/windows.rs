//! Windows: when an endpoint may be sent to, in a time zone that is named.

use std::time::Duration;

use hookbox::model::endpoint::NewEndpoint;

use crate::support::{Bench, DAY, HOUR, Script, TestDb, at, replied, unreachable};

#[test]
fn nothing_is_sent_while_the_window_is_closed_not_even_a_probe() {
    let script = Script::default().then(unreachable()).forever(replied(200));
    let mut bench = Bench::with_edge(script, "2026-07-01T12:00:00Z", |new| {
        new.window = Some("0 0 2 * * *+3h Europe/Berlin".parse().unwrap());
    });
    for _ in 0..3 {
        bench.event();
    }
    // 02:00 in Berlin is midnight UTC: twelve hours of nothing.
    let mut attempts = 0;
    for _ in 0..12 * 60 {
        attempts += bench.run_due();
        assert_eq!(bench.waiting(), [Some("window"); 3]);
        bench.advance(Duration::from_secs(60));
    }
    assert_eq!(attempts, 0);
    let reason =
        bench.deliveries()[0].waiting_reason(bench.store.box_id(), at("2026-07-01T20:00:00Z"));
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
    let mut bench = Bench::with_edge(
        Script::default().forever(replied(200)),
        "2026-07-01T12:00:00Z",
        |new| {
            new.window = Some("0 0 0 1 1 * 2027+1h".parse().unwrap());
        },
    );
    bench.event();
    bench.advance(365 * DAY);
    assert_eq!(bench.run_due(), 0);
    let reason = bench.deliveries()[0].waiting_reason(bench.store.box_id(), bench.now());
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
