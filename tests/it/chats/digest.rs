//! Many events as one message: when that is, that each event is in it, and what becomes of it.

use std::time::Duration;

use hookbox::model::chat::Chat;
use hookbox::model::digest::{BEHIND, Digest, EVENTS_MAX};
use hookbox::model::settings::Selection;
use hookbox::store::{PAGE_MAX, ReplayOptions};
use serde_json::Value;

use super::robot::{accept, bench, drain, issue};
use crate::messages::markup;
use crate::support::{Bench, Receiver, TestDb};

const MINUTE: Duration = Duration::from_secs(60);

fn set(bench: &Bench, digest: Digest) {
    bench.set("team", move |endpoint| endpoint.digest = digest);
}

/// The numbers of the issues in a message, in their order.
fn numbers(chat: Chat, message: &Value) -> Vec<usize> {
    let text = markup(chat, message).replace(['\\', '\u{200b}'], "");
    let text = text.replace("&#35;", "#");
    let after = text.split("issue #").skip(1);
    let digits = after.map(|rest| rest.chars().take_while(char::is_ascii_digit).collect());
    digits
        .map(|digits: String| digits.parse().unwrap())
        .collect()
}

#[test]
fn a_chat_that_is_behind_gets_many_events_in_one_message_and_each_is_in_it() {
    const EVENTS: usize = 4 * EVENTS_MAX;
    for chat in Chat::ALL {
        let (mut bench, robot) = bench(chat);
        set(&bench, Digest::Behind);
        for number in 0..EVENTS {
            accept(&bench, issue(number));
        }
        drain(&mut bench, Duration::from_secs(1));
        let state = robot.state.lock().unwrap();
        assert_eq!(state.refused, Vec::<String>::new(), "{}", chat.name());
        assert_eq!(state.taken.len(), 4, "{}", chat.name());
        let told: Vec<usize> = state
            .taken
            .iter()
            .flat_map(|message| numbers(chat, message))
            .collect();
        assert_eq!(told, (0..EVENTS).collect::<Vec<usize>>(), "{}", chat.name());
        for message in &state.taken {
            let text = message.to_string();
            assert!(text.contains("25 events within"), "{}: {text}", chat.name());
        }
        let rows = bench.deliveries();
        assert!(rows.iter().all(|row| (row.tries, row.attempts) == (1, 1)));
    }
}

#[test]
fn as_long_as_few_wait_each_is_a_message() {
    let (mut bench, robot) = bench(Chat::Slack);
    set(&bench, Digest::Behind);
    for number in 0..BEHIND {
        accept(&bench, issue(number));
    }
    drain(&mut bench, Duration::from_secs(1));
    assert_eq!(robot.state.lock().unwrap().taken.len(), BEHIND);
}

#[test]
fn events_are_collected_for_the_time_that_is_set_counted_from_the_first() {
    let (mut bench, robot) = bench(Chat::Discord);
    set(&bench, Digest::Every(10 * MINUTE));
    for number in 0..5 {
        accept(&bench, issue(number));
        bench.run_due();
        bench.advance(MINUTE);
    }
    // Known after a restart as well.
    bench.restart();
    bench.advance(5 * MINUTE - Duration::from_millis(1));
    assert_eq!(bench.run_due(), 0);
    assert_eq!(bench.waiting(), [Some("digest"); 5]);
    bench.advance(Duration::from_millis(1));
    assert_eq!(bench.run_due(), 1);
    // The next one begins anew.
    accept(&bench, issue(5));
    bench.advance(9 * MINUTE);
    assert_eq!(bench.run_due(), 0);
    bench.advance(MINUTE);
    assert_eq!(bench.run_due(), 1);
    let state = robot.state.lock().unwrap();
    let told: Vec<Vec<usize>> = state
        .taken
        .iter()
        .map(|message| numbers(Chat::Discord, message))
        .collect();
    assert_eq!(told, [vec![0, 1, 2, 3, 4], vec![5]]);
    assert!(state.taken[0].to_string().contains("5 events within 4m"));
}

#[test]
fn what_a_person_asks_for_waits_for_no_digest_and_takes_along_what_waits() {
    let (mut bench, robot) = bench(Chat::Wecom);
    accept(&bench, issue(0));
    bench.run_due();
    set(&bench, Digest::Every(10 * MINUTE));
    accept(&bench, issue(1));
    assert_eq!(bench.run_due(), 0);
    let ids = bench.store.deliveries(&Selection::default(), PAGE_MAX);
    let first = ids.unwrap().last().unwrap().id;
    let options = ReplayOptions::default();
    bench
        .store
        .replay(vec![first], options, bench.now())
        .unwrap();
    assert_eq!(bench.run_due(), 1);
    let state = robot.state.lock().unwrap();
    assert_eq!(numbers(Chat::Wecom, &state.taken[1]), [0, 1]);
}

/// What is wrong is told at once.
#[test]
fn an_alert_waits_for_no_digest() {
    let here = TestDb::new();
    let chat = Receiver::saying(&[200], "ok");
    here.add_endpoint("team", &chat.url, &["--format", "slack", "--digest", "1d"]);
    here.add_endpoint("ci", "http://127.0.0.1:9/", &["--only-replays"]);
    here.json(&["alert", "add", "ops", "team", "--about", "held"]);
    here.json(&["endpoint", "hold", "ci", "--reason", "a test"]);
    let _served = here.serve();
    let got = chat.next();
    assert!(String::from_utf8_lossy(&got.body).contains("ci is held"));
}

#[test]
fn a_test_and_a_try_by_hand_send_at_once_what_is_collected() {
    let (mut bench, robot) = bench(Chat::Slack);
    set(&bench, Digest::Every(10 * MINUTE));
    accept(&bench, issue(0));
    accept(&bench, issue(1));
    assert_eq!(bench.run_due(), 0);
    bench.store.try_endpoint("team", bench.now()).unwrap();
    assert_eq!(bench.run_due(), 1);
    bench.advance(MINUTE);
    bench.store.test_endpoint("team", bench.now()).unwrap();
    assert_eq!(bench.run_due(), 1);
    // And then it collects again.
    accept(&bench, issue(2));
    assert_eq!(bench.run_due(), 0);
    let state = robot.state.lock().unwrap();
    assert_eq!(numbers(Chat::Slack, &state.taken[0]), [0, 1]);
    assert!(state.taken[1].to_string().contains("a test of team"));
}

#[test]
fn a_message_that_is_full_waits_for_no_more() {
    let (mut bench, robot) = bench(Chat::Discord);
    set(&bench, Digest::Every(10 * MINUTE));
    for number in 0..EVENTS_MAX + 3 {
        accept(&bench, issue(number));
    }
    assert_eq!(bench.run_due(), 1);
    assert_eq!(bench.waiting()[EVENTS_MAX..], [Some("digest"); 3]);
    bench.advance(10 * MINUTE);
    assert_eq!(bench.run_due(), 1);
    let state = robot.state.lock().unwrap();
    let told: Vec<usize> = state
        .taken
        .iter()
        .map(|message| numbers(Chat::Discord, message).len())
        .collect();
    assert_eq!(told, [EVENTS_MAX, 3]);
}

/// A message that is refused for one of its events says nothing of the others: neither where the chat says that it
/// will never take it, nor where it fails on it again and again.
#[test]
fn a_digest_that_is_refused_is_taken_apart_until_one_event_is_left_alone() {
    for (status, concurrency) in [(400, 1), (500, 1), (400, 4)] {
        let (mut bench, robot) = bench(Chat::Slack);
        set(&bench, Digest::Behind);
        bench.set("team", move |endpoint| {
            endpoint.concurrency = Some(concurrency)
        });
        robot.state.lock().unwrap().hates = Some(("issue #57".to_owned(), status));
        for number in 0..100 {
            accept(&bench, issue(number));
        }
        let stats = || bench.store.stats().unwrap();
        let mut steps = 0;
        while stats().pending > 0 {
            bench.scheduler.run_due().unwrap();
            bench.clock.advance(MINUTE);
            // Others come meanwhile.
            if steps < 50 {
                accept(&bench, issue(1_000 + steps));
            }
            steps += 1;
            assert!(steps < 20_000, "it comes to an end");
        }
        let found = stats();
        assert_eq!((found.delivered, found.dead), (149, 1), "{status}");
        let state = robot.state.lock().unwrap();
        let mut told: Vec<usize> = state
            .taken
            .iter()
            .flat_map(|message| numbers(Chat::Slack, message))
            .filter(|number| *number < 1_000)
            .collect();
        told.sort_unstable();
        let all: Vec<usize> = (0..100).filter(|number| *number != 57).collect();
        assert_eq!(told, all, "{status}");
        if status == 400 {
            // What was refused together spent no try.
            assert!(bench.deliveries().iter().all(|row| row.tries == 1));
        }
    }
}

#[test]
fn a_digest_whose_chat_is_broken_spends_a_try_of_each_and_comes_again() {
    let (mut bench, robot) = bench(Chat::Dingtalk);
    set(&bench, Digest::Every(MINUTE));
    robot.say_first(502, &[], "");
    for number in 0..3 {
        accept(&bench, issue(number));
    }
    bench.advance(MINUTE);
    assert_eq!(bench.run_due(), 1);
    let due: Vec<_> = bench.deliveries().iter().map(|row| row.due).collect();
    assert!(
        due.iter().all(|at| *at == due[0] && at.is_some()),
        "{due:?}"
    );
    bench.advance(Duration::from_secs(10));
    // In smaller messages at first: it may be broken for one of them.
    assert_eq!(bench.run_due(), 2);
    let rows = bench.deliveries();
    assert!(rows.iter().all(|row| (row.tries, row.attempts) == (2, 2)));
    let state = robot.state.lock().unwrap();
    let told = state
        .taken
        .iter()
        .flat_map(|message| numbers(Chat::Dingtalk, message));
    assert_eq!(told.collect::<Vec<usize>>(), [0, 1, 2]);
}

#[test]
fn an_outage_of_a_chat_spends_nothing_and_its_backlog_is_a_few_messages() {
    let (mut bench, robot) = bench(Chat::Telegram);
    set(&bench, Digest::Behind);
    for number in 0..60 {
        accept(&bench, issue(number));
    }
    robot.state.lock().unwrap().is_away = true;
    for _ in 0..20 {
        bench.run_due();
        bench.advance(MINUTE);
    }
    let rows = bench.deliveries();
    assert!(rows.iter().all(|row| row.tries == 0));
    assert_eq!(rows.iter().map(|row| row.attempts).sum::<i64>(), 1);
    robot.state.lock().unwrap().is_away = false;
    drain(&mut bench, Duration::from_secs(1));
    let state = robot.state.lock().unwrap();
    let told: Vec<usize> = state
        .taken
        .iter()
        .flat_map(|message| numbers(Chat::Telegram, message))
        .collect();
    assert_eq!(told, (0..60).collect::<Vec<usize>>());
    // The probe is one event; then come two digests, and what is left is not many.
    assert!(state.taken.len() <= 1 + 1 + BEHIND, "{}", state.taken.len());
}
