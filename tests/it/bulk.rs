//! Bulk replays: chosen by a filter, looked at before, made a few at a time, watched, paused and
//! cancelled. Without threads where that will do, and with the built binary.

use std::collections::HashSet;
use std::time::Duration;

use hookbox::model::delivery::{DeliveryRecord, State};
use hookbox::model::event::NewEvent;
use hookbox::model::id::{DeliveryId, ReplayId};
use hookbox::model::replay::{NewReplay, ReplayKind, ReplayState, ReplayTransition};
use hookbox::model::settings::Selection;
use hookbox::outbound::{Pulse, Replayer};
use hookbox::store::{PAGE_MAX, REPLAY_PENDING_MAX};

use crate::support::{Bench, NOON, Script, replied, unreachable};

/// What a replay of these is asked for with.
fn asked(kind: ReplayKind, selection: Selection) -> NewReplay {
    NewReplay {
        kind,
        selection,
        to: None,
        has_new_ids: false,
        rate: None,
        up_to: None,
        asked_by: "a test".to_owned(),
    }
}

fn dead() -> Selection {
    Selection {
        state: Some(State::Dead),
        ..Selection::default()
    }
}

/// What one endpoint has not got: no more of it are made ahead than a pause may leave.
fn dead_of_ci() -> Selection {
    Selection {
        endpoint: Some("ci".to_owned()),
        ..dead()
    }
}

fn to(endpoint: &str) -> Selection {
    Selection {
        endpoint: Some(endpoint.to_owned()),
        since: Some(NOON),
        ..Selection::default()
    }
}

/// A bench of which an endpoint `ci` refused so many events for good.
fn refused(count: usize) -> (Bench, Replayer) {
    let bench = Bench::new(Script::default().forever(replied(500)));
    let replayer = Replayer::new(bench.store.clone(), bench.clock.clone());
    let mut bench = bench;
    bench.endpoint_with("ci", |new| new.retry = "none".parse().unwrap());
    for number in 0..count {
        let body = format!(r#"{{"number":{number},"who":"Mira {}"}}"#, number % 10);
        let event = NewEvent::new("push", body);
        bench.store.accept(event, bench.now()).unwrap();
    }
    bench.run_due();
    bench.script.take_sent();
    (bench, replayer)
}

fn start(bench: &Bench, asked: NewReplay) -> ReplayId {
    let preview = bench.store.preview_replay(&asked, || true).unwrap();
    bench
        .store
        .start_replay(asked, &preview, bench.now())
        .unwrap()
}

/// Goes on until no replay runs.
fn finish(bench: &mut Bench, replayer: &mut Replayer) {
    for _ in 0..10_000 {
        if replayer.step().unwrap() == Pulse::Asleep {
            return;
        }
        bench.run_due();
        bench.advance(Duration::from_millis(20));
    }
    panic!("a replay never ends");
}

fn events_sent(bench: &Bench) -> Vec<i64> {
    let id_of = |headers: &[(String, String)]| -> i64 {
        let id = headers.iter().find(|(name, _)| name == "webhook-id");
        let number = id.unwrap().1.split('_').nth(2).unwrap();
        number.parse().unwrap()
    };
    let sent = bench.script.take_sent();
    sent.iter()
        .map(|(_, request)| id_of(&request.headers))
        .collect()
}

#[test]
fn what_a_filter_names_is_sent_once_more_in_order_and_counts_as_superseded() {
    let (mut bench, mut replayer) = refused(1_500);
    let preview = bench
        .store
        .preview_replay(&asked(ReplayKind::Replay, dead()), || true)
        .unwrap();
    assert_eq!(
        (preview.deliveries, preview.had, preview.is_whole),
        (1_500, 0, true)
    );
    assert_eq!(preview.endpoints[0].name.as_deref(), Some("ci"));
    assert_eq!(preview.days, [("2026-03-01".to_owned(), 1_500)]);
    assert_eq!(bench.store.stats().unwrap().pending, 0, "only looked at");

    bench.script.clone().forever(replied(200));
    let id = start(&bench, asked(ReplayKind::Replay, dead()));
    // What comes in meanwhile is not meant.
    bench
        .store
        .accept(NewEvent::new("push", "{}"), bench.now())
        .unwrap();
    bench.run_due();
    bench.script.take_sent();
    finish(&mut bench, &mut replayer);
    let sent = events_sent(&bench);
    assert_eq!(sent, (1..=1_500).collect::<Vec<i64>>());
    let record = bench.store.replay_record(id).unwrap();
    assert_eq!(record.state, ReplayState::Done);
    assert_eq!(
        (record.made, record.count(State::Delivered)),
        (1_500, 1_500)
    );
    let stats = bench.store.stats().unwrap();
    assert_eq!(
        (stats.dead, stats.superseded, stats.delivered),
        (0, 1_500, 1_501)
    );
    // There is nothing left to do.
    let again = bench
        .store
        .preview_replay(&asked(ReplayKind::Replay, dead()), || true)
        .unwrap();
    assert_eq!(again.deliveries, 0);
}

#[test]
fn a_bulk_replay_keeps_a_bounded_number_pending_and_can_be_paused() {
    let (mut bench, mut replayer) = refused(1_200);
    bench.script.clone().forever(unreachable());
    let id = start(&bench, asked(ReplayKind::Replay, dead_of_ci()));
    for _ in 0..50 {
        replayer.step().unwrap();
        bench.run_due();
        bench.advance(Duration::from_secs(60));
    }
    let pending = bench.store.stats().unwrap().pending;
    assert_eq!(pending, REPLAY_PENDING_MAX, "the endpoint is away");
    let now = bench.now();
    let moved = bench
        .store
        .move_replay(id, ReplayTransition::Pause, now)
        .unwrap();
    assert_eq!(moved, ReplayState::Paused);
    bench.script.clone().forever(replied(200));
    bench.advance(Duration::from_secs(120));
    bench.run_due();
    assert_eq!(replayer.step().unwrap(), Pulse::Asleep);
    assert_eq!(bench.store.stats().unwrap().pending, 0);
    let record = bench.store.replay_record(id).unwrap();
    assert_eq!((record.made, record.total()), (REPLAY_PENDING_MAX, 1_200));
    // It goes on where it was.
    bench
        .store
        .move_replay(id, ReplayTransition::Resume, now)
        .unwrap();
    finish(&mut bench, &mut replayer);
    let record = bench.store.replay_record(id).unwrap();
    assert_eq!((record.made, record.state), (1_200, ReplayState::Done));
    // Those that found it away were sent for nothing.
    let sent: HashSet<i64> = events_sent(&bench).into_iter().collect();
    assert_eq!(sent.len(), 1_200);
    let record = bench.store.replay_record(id).unwrap();
    assert_eq!(record.count(State::Delivered), 1_200);
}

/// Its backlog kept the others' deliveries from being made at all.
#[test]
fn an_endpoint_that_is_held_keeps_nothing_from_the_others() {
    let (mut bench, mut replayer) = refused(700);
    bench.endpoint_with("other", |new| new.retry = "none".parse().unwrap());
    for _ in 0..5 {
        bench.event();
    }
    bench.run_due();
    bench.script.clone().forever(replied(200));
    bench
        .store
        .hold_endpoint("ci", "a while", bench.now())
        .unwrap();
    let id = start(&bench, asked(ReplayKind::Replay, dead()));
    for _ in 0..20 {
        replayer.step().unwrap();
        bench.run_due();
    }
    let rows = of_endpoint(&bench, "other");
    let delivered = rows.iter().filter(|row| row.state == State::Delivered);
    assert_eq!(delivered.count(), 5);
    let now = bench.now();
    bench
        .store
        .move_replay(id, ReplayTransition::Cancel, now)
        .unwrap();
    let record = bench.store.replay_record(id).unwrap();
    let counts = (record.count(State::Cancelled), record.count(State::Pending));
    assert_eq!(counts, (705, 0));
}

#[test]
fn a_bulk_replay_sends_what_its_preview_showed_whatever_happened_since() {
    let (mut bench, mut replayer) = refused(10);
    let wish = asked(ReplayKind::Replay, dead());
    let preview = bench.store.preview_replay(&wish, || true).unwrap();
    // Another one dies between the look and the wish.
    bench.event();
    bench.run_due();
    let mut later = wish.clone();
    later.up_to = Some(preview.up_to);
    bench.script.take_sent();
    bench.script.clone().forever(replied(200));
    start(&bench, later);
    finish(&mut bench, &mut replayer);
    assert_eq!(events_sent(&bench).len(), 10);
}

#[test]
fn a_cancelled_bulk_replay_cancels_what_was_not_sent_and_stays_cancelled() {
    let (mut bench, mut replayer) = refused(900);
    bench
        .store
        .hold_endpoint("ci", "a while", bench.now())
        .unwrap();
    let id = start(&bench, asked(ReplayKind::Replay, dead_of_ci()));
    for _ in 0..10 {
        replayer.step().unwrap();
    }
    let now = bench.now();
    bench
        .store
        .move_replay(id, ReplayTransition::Cancel, now)
        .unwrap();
    assert_eq!(replayer.step().unwrap(), Pulse::Asleep);
    let record = bench.store.replay_record(id).unwrap();
    assert_eq!(record.count(State::Cancelled), REPLAY_PENDING_MAX);
    assert_eq!((record.made, record.total()), (REPLAY_PENDING_MAX, 900));
    assert!(
        bench
            .store
            .move_replay(id, ReplayTransition::Resume, now)
            .is_err()
    );
    bench.store.resume_endpoint("ci").unwrap();
    assert_eq!(bench.run_due(), 0);
}

#[test]
fn a_replay_of_which_the_endpoint_is_removed_waits_for_a_person() {
    let (mut bench, mut replayer) = refused(30);
    bench.script.clone().forever(replied(200));
    let mut slow = asked(ReplayKind::Replay, dead_of_ci());
    slow.rate = Some("10/s".parse().unwrap());
    let id = start(&bench, slow);
    replayer.step().unwrap();
    bench.run_due();
    bench
        .store
        .remove_endpoint("ci", true, bench.now())
        .unwrap();
    bench.advance(Duration::from_secs(1));
    replayer.step().unwrap();
    let record = bench.store.replay_record(id).unwrap();
    assert_eq!(record.state, ReplayState::Paused);
    assert_eq!((record.made, record.total()), (10, 30));
    // Added again it is the same, and the rest goes out.
    bench.endpoint("ci");
    let now = bench.now();
    bench
        .store
        .move_replay(id, ReplayTransition::Resume, now)
        .unwrap();
    finish(&mut bench, &mut replayer);
    let record = bench.store.replay_record(id).unwrap();
    assert_eq!((record.state, record.made), (ReplayState::Done, 30));
}

#[test]
fn a_bulk_replay_keeps_its_own_rate() {
    let (mut bench, mut replayer) = refused(40);
    bench.script.clone().forever(replied(200));
    let mut slow = asked(ReplayKind::Replay, dead());
    slow.rate = Some("10/s".parse().unwrap());
    start(&bench, slow);
    let mut of_second = Vec::new();
    for _ in 0..5 {
        for _ in 0..50 {
            replayer.step().unwrap();
            bench.run_due();
            bench.advance(Duration::from_millis(20));
        }
        of_second.push(events_sent(&bench).len());
    }
    assert_eq!(of_second, [10, 10, 10, 10, 0]);
}

#[test]
fn an_event_of_which_a_replay_is_dead_as_well_is_sent_once() {
    let (mut bench, mut replayer) = refused(3);
    // The second of them is tried again in vain.
    let replay = bench
        .store
        .replay(vec![DeliveryId(2)], Default::default(), bench.now())
        .unwrap();
    bench.run_due();
    bench.script.take_sent();
    bench.script.clone().forever(replied(200));
    start(&bench, asked(ReplayKind::Replay, dead()));
    finish(&mut bench, &mut replayer);
    assert_eq!(events_sent(&bench), [1, 2, 3], "once each, in order");
    let shown = bench.store.delivery(replay[0]).unwrap();
    assert!(
        shown.superseded_by.is_some(),
        "the replay is superseded too"
    );
}

#[test]
fn recover_sends_what_the_endpoint_never_got_and_backfill_what_it_was_never_owed() {
    let (mut bench, mut replayer) = refused(5);
    bench.script.clone().forever(replied(200));
    // It got the third after all, and was never owed the sixth, which came before it was there.
    bench
        .store
        .replay(vec![DeliveryId(3)], Default::default(), bench.now())
        .unwrap();
    bench.endpoint_with("late", |new| {
        new.filters.types = Some("push".parse().unwrap());
    });
    bench
        .store
        .accept(NewEvent::new("issues", "{}"), bench.now())
        .unwrap();
    bench.run_due();
    bench.script.take_sent();
    start(&bench, asked(ReplayKind::Recover, to("ci")));
    finish(&mut bench, &mut replayer);
    assert_eq!(events_sent(&bench), [1, 2, 4, 5]);
    start(&bench, asked(ReplayKind::Backfill, to("late")));
    finish(&mut bench, &mut replayer);
    assert_eq!(
        events_sent(&bench),
        [1, 2, 3, 4, 5],
        "its filters hold: the sixth is of another type"
    );
    let rows = of_endpoint(&bench, "late");
    assert!(
        rows.iter()
            .all(|row| row.replay_of.is_none() && row.replay.is_some())
    );
    let nothing = bench
        .store
        .preview_replay(&asked(ReplayKind::Backfill, to("late")), || true);
    assert_eq!(nothing.unwrap().deliveries, 0);
}

fn of_endpoint(bench: &Bench, name: &str) -> Vec<DeliveryRecord> {
    let filter = Selection {
        endpoint: Some(name.to_owned()),
        ..Selection::default()
    };
    bench.store.deliveries(&filter, PAGE_MAX).unwrap()
}

#[test]
fn a_replay_by_a_text_in_the_body_ignores_case() {
    let (bench, _) = refused(450);
    let with = |text: &str| {
        let selection = Selection {
            text: Some(text.to_owned()),
            ..dead()
        };
        let preview = bench
            .store
            .preview_replay(&asked(ReplayKind::Replay, selection), || true);
        preview.unwrap().deliveries
    };
    assert_eq!(with("mira 7"), 45);
    assert_eq!(with("\"NUMBER\":44"), 1 + 6 + 4, "44 and 440 to 449");
    assert_eq!(with("jonas"), 0);
}

#[test]
fn all_to_one_endpoint_sends_each_event_once_whoever_had_it() {
    let (mut bench, mut replayer) = refused(0);
    bench.script.clone().forever(replied(200));
    bench.endpoint("b");
    for _ in 0..4 {
        bench.event();
    }
    bench.run_due();
    bench.endpoint("new");
    bench.script.take_sent();
    let mut all = asked(ReplayKind::Replay, Selection::default());
    all.to = Some("new".parse().unwrap());
    start(&bench, all);
    finish(&mut bench, &mut replayer);
    assert_eq!(events_sent(&bench), [1, 2, 3, 4]);
    assert_eq!(of_endpoint(&bench, "new").len(), 4);
}

#[test]
fn a_replay_survives_the_end_of_the_process_and_goes_on() {
    let (mut bench, mut replayer) = refused(700);
    bench.script.clone().forever(replied(200));
    let id = start(&bench, asked(ReplayKind::Replay, dead()));
    replayer.step().unwrap();
    bench.restart();
    let mut replayer = Replayer::new(bench.store.clone(), bench.clock.clone());
    finish(&mut bench, &mut replayer);
    let record = bench.store.replay_record(id).unwrap();
    assert_eq!(record.count(State::Delivered), 700);
    assert_eq!(events_sent(&bench).len(), 700);
}
