//! How much a chat takes in how much time, and what it is sent after it asked for less.

use std::time::Duration;

use hookbox::model::chat::Chat;
use hookbox::model::settings::Selection;
use hookbox::store::{PAGE_MAX, ReplayOptions};

use super::robot::{accept, bench, drain, issue, number_of};

const EVENTS: usize = 400;

#[test]
fn hundreds_of_events_go_through_each_chat_in_order_and_none_is_refused() {
    for chat in Chat::ALL {
        let (mut bench, robot) = bench(chat);
        for number in 0..EVENTS {
            accept(&bench, issue(number));
        }
        // A signature made when they were accepted would be out of date.
        bench.advance(Duration::from_secs(2 * 3_600));
        let limits = robot.limits();
        let fastest = limits
            .iter()
            .map(|(count, span)| span.mul_f64(EVENTS as f64 / *count as f64));
        let fastest = fastest.max().unwrap_or(Duration::from_secs(1));
        let finest = limits.iter().map(|(_, span)| *span).min();
        let step = finest.map_or(fastest, |finest| finest / 10);
        let took = drain(&mut bench, step.max(fastest / 4_000));
        let state = robot.state.lock().unwrap();
        assert_eq!(state.refused, Vec::<String>::new(), "{}", chat.name());
        let numbers: Vec<usize> = state.taken.iter().map(number_of).collect();
        assert_eq!(
            numbers,
            (0..EVENTS).collect::<Vec<usize>>(),
            "{}",
            chat.name()
        );
        let stats = bench.store.stats().unwrap();
        assert_eq!((stats.delivered, stats.dead), (400, 0), "{}", chat.name());
        // And not much slower than the chat allows.
        assert!(
            took < fastest.mul_f64(1.5) || limits.is_empty(),
            "{}: {took:?} of {fastest:?}",
            chat.name()
        );
    }
}

#[test]
fn a_restart_begins_no_new_minute() {
    for chat in [Chat::Dingtalk, Chat::Feishu] {
        let (mut bench, robot) = bench(chat);
        for number in 0..300 {
            accept(&bench, issue(number));
        }
        for _ in 0..40 {
            bench.run_due();
            bench.advance(Duration::from_millis(700));
            bench.restart();
        }
        drain(&mut bench, Duration::from_millis(500));
        let state = robot.state.lock().unwrap();
        assert_eq!(
            (state.refused.len(), state.taken.len()),
            (0, 300),
            "{}",
            chat.name()
        );
    }
}

#[test]
fn replays_count_for_the_rate_of_the_chat() {
    let (mut bench, robot) = bench(Chat::Wecom);
    for number in 0..20 {
        accept(&bench, issue(number));
    }
    drain(&mut bench, Duration::from_secs(1));
    let ids: Vec<_> = bench
        .store
        .deliveries(&Selection::default(), PAGE_MAX)
        .unwrap()
        .iter()
        .map(|delivery| delivery.id)
        .collect();
    bench
        .store
        .replay(ids, ReplayOptions::default(), bench.now())
        .unwrap();
    drain(&mut bench, Duration::from_secs(1));
    let state = robot.state.lock().unwrap();
    assert_eq!((state.refused.len(), state.taken.len()), (0, 40));
}

#[test]
fn a_chat_that_asks_for_less_gets_nothing_for_as_long_and_then_everything_in_order() {
    for (chat, status, headers, body, pause) in [
        (Chat::Slack, 429, &[("retry-after", "30")][..], "", 30),
        (
            Chat::Discord,
            429,
            &[("retry-after", "3")],
            r#"{"retry_after":2.5}"#,
            3,
        ),
        (
            Chat::Dingtalk,
            200,
            &[],
            r#"{"errcode":130101,"errmsg":"send too fast"}"#,
            60,
        ),
        (
            Chat::Wecom,
            200,
            &[],
            r#"{"errcode":45009,"errmsg":"freq"}"#,
            60,
        ),
        (
            Chat::Feishu,
            400,
            &[("x-ogw-ratelimit-reset", "20")],
            r#"{"code":99991400}"#,
            20,
        ),
        (Chat::Teams, 429, &[("retry-after", "17")], "", 17),
        (
            Chat::Matrix,
            429,
            &[],
            r#"{"errcode":"M_LIMIT_EXCEEDED","error":"Too Many Requests","retry_after_ms":9000}"#,
            9,
        ),
        (
            Chat::Telegram,
            429,
            &[],
            r#"{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 35","parameters":{"retry_after":35}}"#,
            35,
        ),
        (
            Chat::Mattermost,
            429,
            &[("retry-after", "4")],
            "limit exceeded",
            10,
        ),
        (
            Chat::Rocketchat,
            429,
            &[],
            r#"{"success":false,"error":"Error, too many requests. Please slow down. You must wait 40 seconds"}"#,
            60,
        ),
        (
            Chat::Ntfy,
            429,
            &[],
            r#"{"code":42901,"http":429,"error":"limit reached: too many requests"}"#,
            30,
        ),
    ] {
        let (mut bench, robot) = bench(chat);
        robot.say_first(status, headers, body);
        for number in 0..5 {
            accept(&bench, issue(number));
        }
        assert_eq!(
            bench.run_due(),
            1,
            "{}: the others wait as well",
            chat.name()
        );
        let waits = bench.store.deliveries(&Selection::default(), 10).unwrap();
        for row in &waits {
            assert_eq!(row.waiting(bench.now()), Some("pace"), "{}", chat.name());
            assert_eq!(row.tries, 0, "{}: it spends none", chat.name());
        }
        // The one that was refused says why.
        assert!(waits[4].reason.is_some(), "{}", chat.name());
        bench.advance(Duration::from_secs(pause - 1));
        assert_eq!(bench.run_due(), 0, "{}", chat.name());
        drain(&mut bench, Duration::from_secs(1));
        let state = robot.state.lock().unwrap();
        assert_eq!(state.refused, Vec::<String>::new(), "{}", chat.name());
        let numbers: Vec<usize> = state.taken.iter().map(number_of).collect();
        assert_eq!(numbers, [0, 1, 2, 3, 4], "{}", chat.name());
    }
}

#[test]
fn a_chat_that_goes_on_asking_for_less_is_asked_ever_more_seldom_and_nothing_is_lost() {
    let (mut bench, robot) = bench(Chat::Dingtalk);
    for _ in 0..100 {
        robot.say_first(200, &[], r#"{"errcode":130101,"errmsg":"send too fast"}"#);
    }
    accept(&bench, issue(1));
    let mut asked = 0;
    for _ in 0..24 * 60 {
        asked += bench.run_due();
        bench.advance(Duration::from_secs(60));
    }
    // A minute, two, four and so on to an hour.
    assert!((24..35).contains(&asked), "{asked} times in a day");
    let waiting = bench.store.deliveries(&Selection::default(), 1).unwrap();
    assert_eq!((waiting[0].settled, waiting[0].tries), (None, 0));
    assert!(waiting[0].reason.as_deref().unwrap().contains("130101"));
    robot.state.lock().unwrap().first.clear();
    drain(&mut bench, Duration::from_secs(60));
    assert_eq!(robot.state.lock().unwrap().taken.len(), 1);
}

#[test]
fn however_long_a_chat_asks_to_be_left_alone_it_is_asked_again_within_the_hour() {
    let (mut bench, robot) = bench(Chat::Discord);
    for reset in ["1e12", "1772366400", "18446744073"] {
        let headers = [
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset-after", reset),
        ];
        robot.say_first(200, &headers, "{}");
        accept(&bench, issue(1));
        accept(&bench, issue(2));
        assert_eq!(bench.run_due(), 1);
        bench.advance(Duration::from_secs(3_601));
        assert_eq!(bench.run_due(), 1, "{reset}");
    }
}
