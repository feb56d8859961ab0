//! `hookbox tail`: what happens, told while it happens, once and in order.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Duration;

use hookbox::model::settings::Selection;
use hookbox::store::{FeedEvent, Follower, Missing, Store};
use serde_json::Value;

use crate::support::{
    Bench, Receiver, Script, TestDb, binary, event, is_missing, replied, unreachable,
};

/// What a feed event is, in a word or two.
fn told(feed_event: &FeedEvent) -> String {
    match feed_event {
        FeedEvent::Event(event) => format!("event {}", event.event_type),
        FeedEvent::Attempt(tried) => format!("{} #{}", tried.0.outcome, tried.0.number),
        FeedEvent::OutageBegan(outage) => format!("{} began", outage.endpoint),
        FeedEvent::OutageEnded(outage) => format!("{} ended", outage.endpoint),
    }
}

/// All that is new to a follower.
fn new(follower: &mut Follower, bench: &Bench) -> Vec<String> {
    let mut all = Vec::new();
    loop {
        let news = follower.next(&bench.store).unwrap();
        assert_eq!(news.unseen, 0);
        if news.is_empty {
            return all;
        }
        all.extend(news.feed_events.iter().map(told));
    }
}

#[test]
fn a_follower_sees_each_thing_once_even_an_attempt_of_an_old_delivery() {
    let script = Script::default()
        .then(replied(500))
        .then(unreachable())
        .then(replied(200))
        .forever(replied(200));
    let mut bench = Bench::new(script);
    bench.endpoint_with("ci", |new| new.retry = "5s,5s".parse().unwrap());
    bench.event();
    bench.run_due();
    let (mut follower, latest) =
        Follower::from_now(&bench.store, Selection::default(), 10).unwrap();
    let latest: Vec<String> = latest.iter().map(told).collect();
    assert_eq!(latest, ["event push", "refused #1"]);
    assert!(new(&mut follower, &bench).is_empty());

    bench.advance(Duration::from_secs(10));
    bench.run_due();
    let seen = new(&mut follower, &bench);
    assert_eq!(seen, ["unreachable #2", "ci began"]);
    bench.advance(Duration::from_secs(60));
    bench.run_due();
    let mut seen = new(&mut follower, &bench);
    seen.sort();
    assert_eq!(seen, ["ci ended", "delivered #3"]);
    bench.event();
    assert_eq!(new(&mut follower, &bench), ["event push"]);
    assert!(new(&mut follower, &bench).is_empty());
}

#[test]
fn a_follower_that_fell_behind_is_told_how_much_passed_unseen() {
    const COUNT: usize = 100 * 100;
    let mut bench = Bench::new(Script::default().forever(replied(200)));
    for number in 0..100 {
        bench.endpoint(&format!("ci-{number}"));
    }
    let (mut follower, latest) =
        Follower::from_now(&bench.store, Selection::default(), 10).unwrap();
    assert!(latest.is_empty());
    for _ in 0..100 {
        bench.store.accept(event("push"), bench.now()).unwrap();
    }
    bench.run_due();
    let (mut attempts, mut unseen) = (0, 0);
    loop {
        let news = follower.next(&bench.store).unwrap();
        unseen += usize::try_from(news.unseen).unwrap();
        if news.is_empty {
            break;
        }
        let tried = news
            .feed_events
            .iter()
            .filter(|one| matches!(one, FeedEvent::Attempt(_)));
        attempts += tried.count();
    }
    assert_eq!(attempts + unseen, COUNT);
    assert!((1..COUNT / 2).contains(&unseen), "{unseen}");
}

#[test]
fn what_is_piped_is_json_a_line_and_goes_on_while_things_happen() {
    let receiver = Receiver::answering(&[500, 200]);
    let b = TestDb::new();
    b.add_gogs();
    b.add_endpoint("ci", &receiver.url, &["--retry", "1ms"]);
    let served = b.serve();
    served.push("first", br#"{"ref":"refs/heads/main"}"#);
    receiver.next();
    receiver.next();
    let mut tail = b
        .command(&["tail", "--limit", "100"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(tail.stdout.take().unwrap()).lines();
    let mut read = |what: &str| -> Value {
        loop {
            let line: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
            if line["what"] == what {
                return line;
            }
        }
    };
    let event = read("event");
    assert_eq!(event["event"]["key"], "first");
    let refused = read("attempt");
    assert_eq!(refused["attempt"]["status"], 500);
    assert_eq!(refused["delivery"]["endpoint"], "ci");
    assert_eq!(read("attempt")["attempt"]["outcome"], "delivered");
    served.push("second", br#"{"ref":"refs/heads/main"}"#);
    assert_eq!(read("event")["event"]["key"], "second");
    assert_eq!(read("attempt")["delivery"]["event"], read_id(&b));
    drop(lines);
    // Nobody reads any more: it ends by itself with the next thing to tell.
    served.push("third", br#"{"ref":"refs/heads/main"}"#);
    let ended = tail.wait().unwrap();
    assert!(ended.success(), "{ended}");
}

/// The id of the newest event.
fn read_id(b: &TestDb) -> Value {
    b.list(&["event", "list", "--limit", "1"])[0]["id"].clone()
}

#[test]
fn tail_prints_only_what_was_asked_for() {
    let b = TestDb::new();
    b.add_gogs();
    b.json(&["enqueue", "--type", "a", "--source", "gogs"]);
    b.json(&["enqueue", "--type", "b"]);
    // Those that are not wanted do not stand in the way of those that are.
    for _ in 0..12 {
        b.json(&["enqueue", "--type", "b"]);
    }
    let all = b.list(&["tail", "--no-follow"]);
    assert_eq!(all.len(), 10);
    let of_source = b.list(&["tail", "--no-follow", "--source", "gogs"]);
    assert_eq!(of_source.len(), 1);
    assert_eq!(of_source[0]["event"]["type"], "a");
    assert_eq!(b.list(&["tail", "--no-follow", "--limit", "0"]).len(), 0);
    assert_eq!(b.run(&["tail", "--endpoint", "nobody"]).code, 3);
}

#[test]
fn on_a_terminal_a_person_reads_lines_in_colour() {
    if is_missing("script", &["--version"], "it is in Debian's bsdutils") {
        return;
    }
    let b = TestDb::new();
    b.json(&["init"]);
    b.json(&["enqueue", "--type", "order.paid", "--data", "{\"a\":1}"]);
    let shown = |color: &str| {
        let mut command = std::process::Command::new("script");
        let tail = format!(
            "NO_COLOR={color} {} --db '{}' tail --no-follow",
            binary(),
            b.location()
        );
        let output = command.args(["-qec", &tail, "/dev/null"]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let coloured = shown("");
    assert!(coloured.contains("\u{1b}[36mevent"), "{coloured:?}");
    assert!(coloured.contains("order.paid"), "{coloured:?}");
    let plain = shown("1");
    assert!(
        plain.contains("event") && !plain.contains('\u{1b}'),
        "{plain:?}"
    );
}

/// Cause: two nodes commit at the same moment, and the smaller id comes last. Damage: `tail` never showed it.
#[test]
fn what_is_committed_after_a_larger_id_is_shown_too() {
    let Some(here) = TestDb::on_server() else {
        return;
    };
    here.add_endpoint("ci", "http://127.0.0.1:9/", &[]);
    let store = Store::open(here.location(), Missing::Refuse).unwrap();
    let (mut follower, _) = Follower::from_now(&store, Selection::default(), 10).unwrap();
    let mut see = |id: i64| -> Vec<FeedEvent> {
        here.query(&format!(
            "insert into hookbox_outage (id, endpoint_id, since_ms, last_probe_ms, probes, error, ended_ms)
             select {id}, id, {id}000, {id}000, 1, 'refused', {id}000 from hookbox_endpoint"
        ));
        follower.next(&store).unwrap().feed_events
    };
    for id in [1, 3, 2, 4] {
        let seen = see(id);
        assert_eq!(seen.len(), 2, "{id}: {seen:?}");
        assert_eq!(seen[0].at().0, id * 1_000);
    }
}

#[test]
fn an_endpoint_that_is_removed_during_an_outage_is_not_told_as_reached() {
    let mut bench = Bench::new(Script::default().forever(unreachable()));
    bench.endpoint("ci");
    bench.event();
    bench.run_due();
    bench.advance(Duration::from_secs(60));
    bench
        .store
        .remove_endpoint("ci", true, bench.now())
        .unwrap();
    let (_, latest) = Follower::from_now(&bench.store, Selection::default(), 10).unwrap();
    let Some(FeedEvent::OutageEnded(outage)) = latest.last() else {
        panic!("{latest:?}");
    };
    assert!(outage.ended_by_removal);
    assert_eq!(outage.json()["removed"], true);
}
