//! When things are sent: the ladder, outages, fairness, bounds. No threads, no waiting: a manual
//! clock and a scripted transport.

use std::sync::Arc;
use std::time::Duration;

use hookbox::model::attempt::Timing;
use hookbox::model::delivery::State;
use hookbox::model::endpoint::{Endpoint, EndpointUrl, NewEndpoint};
use hookbox::model::event::NewEvent;
use hookbox::model::retry::LADDER_DEFAULT;
use hookbox::model::settings::Selection;
use hookbox::outbound::{Exchange, OutboundRequest, Scheduler, SendResult, Transport};
use hookbox::store::Store;

use crate::support::{Bench, NOON, Script, event, replied, replied_with, unreachable};

fn secs(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[test]
fn a_receiver_that_fails_twice_is_tried_three_times_at_ladder_times() {
    let mut bench = Bench::new(
        Script::default()
            .then(replied(500))
            .then(replied(503))
            .then(replied(200)),
    );
    bench.endpoint("ci");
    bench.event();
    assert_eq!(bench.run_due(), 1);
    let all = Selection::default();
    let first = bench.store.deliveries(&all, 10).unwrap().remove(0);
    assert_eq!((first.state, first.tries), (State::Pending, 1));
    let wait = first.due.unwrap().since(bench.now());
    assert!(wait >= secs(4) && wait <= secs(6), "{wait:?}");

    bench.advance(wait - Duration::from_millis(1));
    assert_eq!(bench.run_due(), 0, "not a millisecond early");
    bench.advance(Duration::from_millis(1));
    assert_eq!(bench.run_due(), 1);
    let second = bench.store.deliveries(&all, 10).unwrap().remove(0);
    let wait = second.due.unwrap().since(bench.now());
    assert!(wait >= secs(240) && wait <= secs(360), "{wait:?}");

    bench.advance(wait);
    assert_eq!(bench.run_due(), 1);
    let done = bench.store.deliveries(&all, 10).unwrap().remove(0);
    assert_eq!(
        (done.state, done.tries, done.due),
        (State::Delivered, 3, None)
    );
    let attempts = bench.store.attempts(done.id).unwrap();
    let statuses: Vec<Option<u16>> = attempts.iter().map(|attempt| attempt.status).collect();
    assert_eq!(statuses, [Some(500), Some(503), Some(200)]);
    assert_eq!(
        attempts[0].error.as_deref(),
        Some("500 Internal Server Error")
    );
    assert_eq!(attempts[0].response_body, b"noted");
}

#[test]
fn a_delivery_that_is_never_taken_is_dead_after_the_whole_ladder_with_its_reason() {
    let mut bench = Bench::new(Script::default().forever(replied(500)));
    bench.endpoint("ci");
    bench.event();
    let mut attempts = bench.run_due();
    let began = bench.now();
    for _ in 0..LADDER_DEFAULT.len() {
        let pending = bench
            .store
            .deliveries(&Selection::default(), 1)
            .unwrap()
            .remove(0);
        bench.advance(pending.due.unwrap().since(bench.now()));
        attempts += bench.run_due();
    }
    assert_eq!(attempts, 10);
    let hours = bench.now().since(began).as_secs() / 3600;
    assert!(
        (60..=91).contains(&hours),
        "75 h 35 min, a fifth more or less: {hours} h"
    );
    let dead = bench
        .store
        .deliveries(&Selection::default(), 1)
        .unwrap()
        .remove(0);
    assert_eq!((dead.state, dead.tries), (State::Dead, 10));
    assert_eq!(
        dead.reason.as_deref(),
        Some("500 Internal Server Error; given up after 10 tries")
    );
    bench.advance(secs(365 * 86_400));
    assert_eq!(bench.run_due(), 0, "dead is dead");
}

#[test]
fn retry_after_holds_a_retry_back() {
    let mut bench = Bench::new(
        Script::default()
            .then(replied_with(503, &[("retry-after", "120")]))
            .then(replied(204)),
    );
    bench.endpoint("ci");
    bench.event();
    bench.run_due();
    bench.advance(secs(119));
    assert_eq!(bench.run_due(), 0);
    bench.advance(secs(1));
    assert_eq!(bench.run_due(), 1);
}

#[test]
fn a_week_offline_spends_no_tries_and_grows_one_row() {
    let mut bench = Bench::new(Script::default().forever(unreachable()));
    let endpoint = bench.endpoint("edge");
    for _ in 0..3 {
        bench.event();
    }
    let mut probes = 0;
    for _ in 0..7 * 24 * 60 {
        probes += bench.run_due();
        bench.advance(secs(60));
    }
    assert!(probes > 9_000, "about one a minute: {probes}");
    let report = bench.store.endpoint_report("edge").unwrap();
    let outage = report.outage.unwrap();
    assert_eq!(outage.probes, probes as i64);
    assert_eq!(report.pending, 3);
    let waiting = bench.store.deliveries(&Selection::default(), 10).unwrap();
    assert!(
        waiting
            .iter()
            .all(|delivery| delivery.tries == 0 && delivery.endpoint_waits.offline.is_some())
    );
    let attempts: usize = waiting
        .iter()
        .map(|delivery| bench.store.attempts(delivery.id).unwrap().len())
        .sum();
    assert_eq!(
        attempts, 1,
        "only the attempt that found the outage is a row"
    );

    // It is back: the oldest is the probe, and all get through.
    bench.script.take_sent();
    let back = Script::default().forever(replied(200));
    let mut restarted = Scheduler::new(
        bench.store.clone(),
        bench.clock.clone(),
        std::sync::Arc::new(back.clone()),
        1,
    )
    .unwrap();
    assert_eq!(restarted.run_due().unwrap(), 3);
    let ids: Vec<String> = back
        .take_sent()
        .iter()
        .map(|(_, request)| {
            request
                .headers
                .iter()
                .find(|(name, _)| name == "webhook-id")
                .unwrap()
                .1
                .clone()
        })
        .collect();
    let mut in_order = ids.clone();
    in_order.sort();
    assert_eq!(ids, in_order);
    let report = bench.store.endpoint_report("edge").unwrap();
    assert_eq!(
        (report.pending, report.delivered, report.outage),
        (0, 3, None)
    );
    assert_eq!(report.endpoint.id, endpoint);
}

#[test]
fn an_open_circuit_lets_one_probe_through_at_a_time() {
    let mut bench = Bench::new(Script::default().then(unreachable()).forever(replied(200)));
    bench.endpoint("edge");
    for _ in 0..5 {
        bench.event();
    }
    assert_eq!(bench.run_due(), 1, "the first finds the outage");
    assert_eq!(bench.run_due(), 0, "the others wait for the probe's time");
    bench.advance(secs(1));
    assert_eq!(bench.run_due(), 5, "the probe gets through, and all follow");
}

#[test]
fn endpoints_take_turns_however_long_one_queue_is() {
    let mut bench = Bench::new(Script::default().forever(replied(200)));
    bench.endpoint("busy");
    for _ in 0..200 {
        bench.event();
    }
    bench.endpoint("quiet");
    bench.event();
    bench.run_due();
    let sent = bench.script.take_sent();
    let place = sent
        .iter()
        .position(|(endpoint, _)| endpoint == "quiet")
        .unwrap();
    assert!(
        place <= 2,
        "the quiet endpoint is served in the first round, not {place}th"
    );
    assert_eq!(sent.len(), 202);
}

#[test]
fn no_answer_and_a_broken_reply_spend_a_try() {
    let broken = SendResult::Broken {
        error: "no reply within 15s".to_owned(),
    };
    let mut bench = Bench::new(Script::default().then(broken).then(replied(200)));
    bench.endpoint("ci");
    bench.event();
    bench.run_due();
    let refused = bench
        .store
        .deliveries(&Selection::default(), 1)
        .unwrap()
        .remove(0);
    assert_eq!(
        (refused.tries, refused.reason.as_deref()),
        (1, Some("no reply within 15s"))
    );
    bench.advance(secs(6));
    assert_eq!(bench.run_due(), 1);
}

#[test]
fn a_retry_has_the_same_webhook_id_and_a_new_timestamp_and_signature() {
    let mut bench = Bench::new(Script::default().then(replied(500)).then(replied(200)));
    bench.endpoint_with("ci", |new| {
        new.scheme = hookbox::signature::Scheme::Standard;
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        new.secret = Some(hookbox::signature::Secret::new(secret).unwrap());
    });
    bench.event();
    bench.run_due();
    bench.advance(secs(6));
    bench.run_due();
    let sent = bench.script.take_sent();
    let value = |index: usize, wanted: &str| {
        let headers = &sent[index].1.headers;
        headers
            .iter()
            .find(|(name, _)| name == wanted)
            .unwrap()
            .1
            .clone()
    };
    assert_eq!(value(0, "webhook-id"), value(1, "webhook-id"));
    assert_ne!(value(0, "webhook-timestamp"), value(1, "webhook-timestamp"));
    assert_ne!(value(0, "webhook-signature"), value(1, "webhook-signature"));
}

#[test]
fn what_is_cancelled_while_it_waits_is_not_sent() {
    let mut bench = Bench::new(Script::default().then(unreachable()).forever(replied(200)));
    bench.endpoint("ci");
    bench.event();
    bench.event();
    bench.run_due();
    let newest = bench
        .store
        .deliveries(&Selection::default(), 1)
        .unwrap()
        .remove(0);
    bench.store.cancel(newest.id, bench.now()).unwrap();
    bench.advance(secs(2));
    assert_eq!(bench.run_due(), 1);
    let cancelled = bench.store.delivery(newest.id).unwrap();
    assert_eq!((cancelled.state, cancelled.attempts), (State::Cancelled, 0));
}

#[test]
fn the_stored_counts_equal_the_rows() {
    let script = Script::default()
        .then(replied(500))
        .then(replied(410))
        .then(unreachable())
        .forever(replied(200));
    let mut bench = Bench::new(script);
    bench.endpoint("a");
    bench.endpoint("b");
    for index in 0..20 {
        let keyed = NewEvent {
            key: Some(format!("k{}", index % 15)),
            ..event("push")
        };
        bench.store.accept(keyed, bench.now()).unwrap();
        bench.run_due();
        bench.advance(secs(3));
    }
    bench.event();
    let newest = bench.store.deliveries(&Selection::default(), 1).unwrap();
    bench.store.cancel(newest[0].id, bench.now()).unwrap();
    bench.store.remove_endpoint("b", true, bench.now()).unwrap();
    let stats = bench.store.stats().unwrap();
    let count = |state| {
        let filter = Selection {
            state: Some(state),
            ..Selection::default()
        };
        bench.store.deliveries(&filter, 1000).unwrap().len() as i64
    };
    assert_eq!(stats.events, 16);
    assert_eq!(
        (stats.pending, stats.delivered, stats.dead, stats.cancelled),
        (
            count(State::Pending),
            count(State::Delivered),
            count(State::Dead),
            count(State::Cancelled)
        )
    );
    assert_eq!(
        stats.pending + stats.delivered + stats.dead + stats.cancelled,
        32
    );
    assert!(stats.dead > 0 && stats.cancelled > 0);
}

#[test]
fn what_a_held_endpoint_is_owed_waits_and_spends_nothing_and_others_go_on() {
    let mut bench = Bench::new(Script::default().forever(replied(200)));
    bench.endpoint("held");
    bench.endpoint("other");
    bench
        .store
        .hold_endpoint("held", "being moved", bench.now())
        .unwrap();
    for _ in 0..5 {
        bench.event();
    }
    assert_eq!(bench.run_due(), 5);
    bench.advance(secs(7 * 86_400));
    assert_eq!(bench.run_due(), 0);
    assert!(
        !bench
            .store
            .hold_endpoint("held", "still", bench.now())
            .unwrap()
    );
    let report = bench.store.endpoint_report("held").unwrap();
    let hold = report.endpoint.held.unwrap();
    assert_eq!(
        (hold.since, hold.reason.as_str(), report.pending),
        (NOON, "still", 5)
    );
    assert!(bench.store.resume_endpoint("held").unwrap());
    assert!(!bench.store.resume_endpoint("held").unwrap());
    assert_eq!(bench.run_due(), 5);
    let report = bench.store.endpoint_report("held").unwrap();
    assert_eq!((report.pending, report.delivered), (0, 5));
}

#[test]
fn a_410_of_the_old_url_does_not_hold_an_endpoint_with_a_new_one() {
    /// While it is asked, a person changes its URL.
    struct Moved(Store);
    impl Transport for Moved {
        fn send(&self, endpoint: &Endpoint, _: &OutboundRequest) -> Exchange {
            let elsewhere: EndpointUrl = "http://127.0.0.1:9/new".parse().unwrap();
            let change = move |set: &mut NewEndpoint| {
                set.url = elsewhere.clone();
                Ok(())
            };
            self.0
                .set_endpoint(&endpoint.set.name, change, NOON)
                .unwrap();
            Exchange {
                timing: Timing::default(),
                result: replied(410),
            }
        }
    }
    let mut bench = Bench::over(|store, _| Arc::new(Moved(store.clone())));
    bench.endpoint("ci");
    bench.event();
    assert_eq!(bench.run_due(), 1);
    let report = bench.store.endpoint_report("ci").unwrap();
    assert!(report.endpoint.held.is_none());
    assert_eq!(report.dead, 1);
}

#[test]
fn how_attempts_ended_is_counted_by_the_hour_for_eight_days() {
    let mut bench = Bench::new(
        Script::default()
            .then(replied(500))
            .then(replied(200))
            .then(unreachable())
            .forever(replied(200)),
    );
    bench.endpoint_with("ci", |new| new.retry = "1s".parse().unwrap());
    bench.event();
    bench.run_due();
    bench.advance(secs(2));
    bench.run_due();
    bench.advance(secs(3_600));
    bench.event();
    bench.run_due();
    bench.advance(secs(2));
    bench.run_due();
    let hours = |bench: &Bench| {
        let report = bench.store.endpoint_report("ci").unwrap();
        let hours = report.hours.iter();
        hours
            .map(|hour| (hour.began.to_string(), hour.delivered, hour.refused))
            .collect::<Vec<(String, i64, i64)>>()
    };
    assert_eq!(
        hours(&bench),
        [
            ("2026-03-01T12:00:00.000Z".to_owned(), 1, 1),
            ("2026-03-01T13:00:00.000Z".to_owned(), 1, 0),
        ]
    );
    bench.advance(secs(9 * 86_400));
    bench.event();
    bench.run_due();
    assert_eq!(
        hours(&bench),
        [("2026-03-10T13:00:00.000Z".to_owned(), 1, 0)]
    );
}
