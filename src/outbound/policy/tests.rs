//! Tests of what responses mean, as tables.

use super::*;
use crate::model::endpoint::{Format, NewEndpoint};
use crate::model::id::EndpointId;

pub(super) const NOW: Timestamp = Timestamp(784_111_777_000);

pub(super) fn endpoint(retry: &str) -> Endpoint {
    let mut new = NewEndpoint::new("ci", "http://127.0.0.1:1/".parse().unwrap());
    new.retry = retry.parse().unwrap();
    new.stored_as(EndpointId(1))
}

pub(super) fn replied(status: u16, headers: &[(&str, &str)]) -> SendResult {
    let headers = headers
        .iter()
        .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
        .collect();
    SendResult::Replied(Response {
        status,
        headers,
        body: Vec::new(),
        ..Response::default()
    })
}

pub(super) fn context(tries: u32) -> AttemptContext {
    AttemptContext {
        tries,
        now: NOW,
        chance: 0.5,
        deadline: None,
        to: AnswerTo::Alone,
    }
}

fn judged(answer: &SendResult, tries: u32) -> Decision {
    judge(&endpoint("5s,5m"), answer, context(tries))
}

fn due(decision: &Decision) -> Option<i64> {
    match &decision.change {
        Transition::Retry { due } => Some(due.0 - NOW.0),
        _ => None,
    }
}

#[test]
fn only_2xx_is_success() {
    for status in [200, 201, 202, 204, 299] {
        assert_eq!(
            judged(&replied(status, &[]), 0).change,
            Transition::Deliver,
            "{status}"
        );
    }
    for status in [
        301, 302, 304, 400, 401, 403, 404, 408, 429, 500, 502, 503, 599,
    ] {
        let decision = judged(&replied(status, &[]), 0);
        assert_eq!(decision.outcome, Outcome::Refused, "{status}");
        assert_eq!(due(&decision), Some(5_000), "{status}");
    }
}

#[test]
fn the_ladder_ends_in_dead_with_the_last_answer_as_reason() {
    assert_eq!(due(&judged(&replied(500, &[]), 1)), Some(300_000));
    let Transition::GiveUp { reason } = judged(&replied(500, &[]), 2).change else {
        panic!("gives up")
    };
    assert_eq!(reason, "500 Internal Server Error; given up after 3 tries");
}

#[test]
fn a_410_kills_the_delivery() {
    let Transition::GiveUp { reason } = judged(&replied(410, &[]), 0).change else {
        panic!("gives up")
    };
    assert!(reason.starts_with("410 Gone"), "{reason}");
}

#[test]
fn retry_after_is_a_floor_in_seconds_or_as_a_date_and_capped() {
    let rows = [
        ("120", 120_000),
        ("1", 5_000),
        ("99999999999", 86_400_000),
        ("Sun, 06 Nov 1994 08:59:37 GMT", 600_000),
        ("Sunday, 06-Nov-94 08:59:37 GMT", 600_000),
        ("Sun Nov  6 08:59:37 1994", 600_000),
        ("300.5", 300_500),
        ("300, 300", 300_000),
        ("300,", 300_000),
        ("60, 300", 300_000),
        ("18446744073709551616000", 86_400_000),
        ("soon", 5_000),
        ("inf", 5_000),
        ("60, soon", 5_000),
        ("-1", 5_000),
    ];
    for (value, expected) in rows {
        let decision = judged(&replied(503, &[("retry-after", value)]), 0);
        assert_eq!(due(&decision), Some(expected), "{value}");
    }
}

/// A box that does not know the time yet must not wait for years, nor try again at once.
#[test]
fn a_date_in_retry_after_is_as_far_ahead_as_the_receivers_own_clock_says() {
    let later = ("retry-after", "Mon, 01 Mar 2027 10:10:00 GMT");
    for (date, expected) in [
        ("Mon, 01 Mar 2027 10:00:00 GMT", 600_000),
        ("Mon, 01 Mar 2027 11:00:00 GMT", 5_000),
        ("some day", 86_400_000),
    ] {
        let decision = judged(&replied(503, &[("date", date), later]), 0);
        assert_eq!(due(&decision), Some(expected), "{date}");
    }
}

#[test]
fn a_429_or_503_that_does_not_say_for_how_long_speaks_for_the_endpoint_too() {
    for (status, is_busy) in [(429, true), (503, true), (500, false), (404, false)] {
        assert_eq!(
            judged(&replied(status, &[]), 0).is_busy,
            is_busy,
            "{status}"
        );
    }
    assert!(!judged(&replied(503, &[("retry-after", "9")]), 0).is_busy);
}

/// A network that requires a login first (RFC 6585, section 6) answers in place of every endpoint.
#[test]
fn a_511_is_an_outage_for_every_format() {
    let formats = Chat::ALL.into_iter().map(Format::Chat).chain([Format::Raw]);
    for format in formats {
        let mut new = NewEndpoint::new("ci", "http://127.0.0.1:1/".parse().unwrap());
        new.format = format;
        let endpoint = new.stored_as(EndpointId(1));
        let decision = judge(&endpoint, &replied(511, &[]), context(0));
        assert_eq!(
            decision.outcome,
            Outcome::Unreachable,
            "{}",
            endpoint.set.format
        );
        assert_eq!(
            decision.change,
            Transition::Postpone,
            "{}",
            endpoint.set.format
        );
    }
}

#[test]
fn unreachable_spends_no_try_and_a_broken_exchange_does() {
    let unreachable = SendResult::Unreachable {
        error: "connection refused".to_owned(),
    };
    assert_eq!(judged(&unreachable, 2).change, Transition::Postpone);
    let broken = SendResult::Broken {
        error: "no reply within 15s".to_owned(),
    };
    assert_eq!(due(&judged(&broken, 0)), Some(5_000));
}

#[test]
fn a_redirect_says_where_it_points_without_the_query() {
    let decision = judged(
        &replied(302, &[("location", "http://h/login?token=T0K")]),
        0,
    );
    let error = decision.error.unwrap();
    assert!(
        error.contains("http://h/login") && !error.contains("T0K"),
        "{error}"
    );
}
