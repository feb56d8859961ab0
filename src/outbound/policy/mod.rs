//! What an answer means: pure.
//!
//! `finding` says what a reply says by its status; each chat's file what its words and codes mean,
//! for a chat may refuse with a 200. Here that becomes a move of the delivery: what is refused
//! spends a try on the ladder, what is refused for good ends it, and what never reached the
//! endpoint spends none.

mod dingtalk;
mod discord;
mod feishu;
mod finding;
mod slack;
mod wecom;

use std::time::Duration;

use crate::model::attempt::Outcome;
use crate::model::chat::Chat;
use crate::model::delivery::Move;
use crate::model::endpoint::{Endpoint, Format};
use crate::time::Timestamp;

use super::transport::{Answer, Reply};

use finding::{Finding, Read};

pub use finding::RETRY_AFTER_MAX;

/// Tries of a delivery that is refused for a reason which may never pass.
const DOUBTFUL_TRIES_MAX: u32 = 4;

/// What is to be recorded of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) outcome: Outcome,
    /// What went wrong, or was odd.
    pub(super) error: Option<String>,
    pub(super) change: Move,
    /// The endpoint asks to be left alone for so long.
    pub(super) pause: Option<Duration>,
    /// The endpoint is no more: why nothing is to be sent there until a person says so.
    pub(super) hold: Option<String>,
}

/// Judges an answer that came at `now`, when `tries` tries had been spent before it. `chance` is
/// drawn from 0 to 1.
pub(super) fn judge(
    endpoint: &Endpoint,
    answer: &Answer,
    tries: u32,
    now: Timestamp,
    chance: f64,
) -> Verdict {
    let refused = |error: &str, change| Verdict {
        outcome: Outcome::Refused,
        error: Some(error.to_owned()),
        change,
        pause: None,
        hold: None,
    };
    let again = |error: &str| {
        let change = retry_or_give_up(endpoint, error, tries, now, chance, None);
        refused(error, change)
    };
    match answer {
        Answer::Replied(reply) => judge_reply(endpoint, reply, tries, now, chance),
        Answer::Broken { error } => again(error),
        // Where trying again would change nothing: whoever changes it can replay.
        Answer::Unsent {
            error,
            is_final: true,
        } => {
            let reason = error.clone();
            refused(error, Move::GiveUp { reason })
        }
        Answer::Unsent {
            error,
            is_final: false,
        } => again(error),
        Answer::Unreachable { error } => Verdict {
            outcome: Outcome::Unreachable,
            ..refused(error, Move::Postpone)
        },
    }
}

fn judge_reply(
    endpoint: &Endpoint,
    reply: &Reply,
    tries: u32,
    now: Timestamp,
    chance: f64,
) -> Verdict {
    let Read { finding, pause } = match &endpoint.format {
        Format::Raw | Format::Template(_) => finding::of_any(reply, now),
        Format::Chat(Chat::Slack) => slack::read(reply, now),
        Format::Chat(Chat::Discord) => discord::read(reply, now),
        Format::Chat(Chat::Dingtalk) => dingtalk::read(reply, tries, now),
        Format::Chat(Chat::Wecom) => wecom::read(reply, now),
        Format::Chat(Chat::Feishu) => feishu::read(reply, tries, now),
    };
    let refused = |error: String, change, hold| Verdict {
        outcome: Outcome::Refused,
        error: Some(error),
        change,
        pause,
        hold,
    };
    match finding {
        Finding::Taken { remark } => Verdict {
            outcome: Outcome::Delivered,
            error: remark,
            change: Move::Deliver,
            pause,
            hold: None,
        },
        Finding::NotNow {
            why,
            is_doubtful: true,
            ..
        } if tries + 1 >= DOUBTFUL_TRIES_MAX => {
            let reason = gave_up(&why, tries + 1);
            refused(why, Move::GiveUp { reason }, None)
        }
        Finding::NotNow {
            why, not_before, ..
        } => {
            let change = retry_or_give_up(endpoint, &why, tries, now, chance, not_before);
            refused(why, change, None)
        }
        Finding::Never { why } => {
            let reason = why.clone();
            refused(why, Move::GiveUp { reason }, None)
        }
        Finding::Gone { why } => {
            let reason = why.clone();
            refused(why.clone(), Move::GiveUp { reason }, Some(why))
        }
    }
}

fn retry_or_give_up(
    endpoint: &Endpoint,
    error: &str,
    tries: u32,
    now: Timestamp,
    chance: f64,
    floor: Option<Timestamp>,
) -> Move {
    let tries = tries.saturating_add(1);
    match endpoint.retry.next(tries, now, chance) {
        Some(due) => Move::Retry {
            due: floor.map_or(due, |floor| due.max(floor)),
        },
        None => Move::GiveUp {
            reason: gave_up(error, tries),
        },
    }
}

fn gave_up(error: &str, tries: u32) -> String {
    let times = if tries == 1 {
        "1 try".to_owned()
    } else {
        format!("{tries} tries")
    };
    format!("gave up after {times}; the last: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::endpoint::NewEndpoint;
    use crate::model::id::EndpointId;

    const NOW: Timestamp = Timestamp(784_111_777_000);

    fn endpoint(retry: &str) -> Endpoint {
        let mut new = NewEndpoint::new("ci", "http://127.0.0.1:1/".parse().unwrap());
        new.retry = retry.parse().unwrap();
        new.stored_as(EndpointId(1))
    }

    fn replied(status: u16, headers: &[(&str, &str)]) -> Answer {
        let headers = headers
            .iter()
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
            .collect();
        Answer::Replied(Reply {
            status,
            headers,
            body: Vec::new(),
            truncated: false,
        })
    }

    fn judged(answer: &Answer, tries: u32) -> Verdict {
        judge(&endpoint("5s,5m"), answer, tries, NOW, 0.5)
    }

    fn due(verdict: &Verdict) -> Option<i64> {
        match &verdict.change {
            Move::Retry { due } => Some(due.0 - NOW.0),
            _ => None,
        }
    }

    #[test]
    fn only_2xx_is_success() {
        for status in [200, 201, 202, 204, 299] {
            assert_eq!(
                judged(&replied(status, &[]), 0).change,
                Move::Deliver,
                "{status}"
            );
        }
        for status in [
            301, 302, 304, 400, 401, 403, 404, 408, 429, 500, 502, 503, 599,
        ] {
            let verdict = judged(&replied(status, &[]), 0);
            assert_eq!(verdict.outcome, Outcome::Refused, "{status}");
            assert_eq!(due(&verdict), Some(5_000), "{status}");
        }
    }

    #[test]
    fn the_ladder_ends_in_dead_with_the_last_answer_as_reason() {
        assert_eq!(due(&judged(&replied(500, &[]), 1)), Some(300_000));
        let Move::GiveUp { reason } = judged(&replied(500, &[]), 2).change else {
            panic!("gives up")
        };
        assert_eq!(
            reason,
            "gave up after 3 tries; the last: 500 Internal Server Error"
        );
    }

    #[test]
    fn a_410_kills_the_delivery() {
        let Move::GiveUp { reason } = judged(&replied(410, &[]), 0).change else {
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
            ("soon", 5_000),
            ("-1", 5_000),
        ];
        for (value, expected) in rows {
            let verdict = judged(&replied(503, &[("retry-after", value)]), 0);
            assert_eq!(due(&verdict), Some(expected), "{value}");
        }
    }

    #[test]
    fn unreachable_spends_no_try_and_a_broken_exchange_does() {
        let unreachable = Answer::Unreachable {
            error: "connection refused".to_owned(),
        };
        assert_eq!(judged(&unreachable, 2).change, Move::Postpone);
        let broken = Answer::Broken {
            error: "no reply within 15s".to_owned(),
        };
        assert_eq!(due(&judged(&broken, 0)), Some(5_000));
    }

    #[test]
    fn a_redirect_says_where_it_points_without_the_query() {
        let verdict = judged(
            &replied(302, &[("location", "http://h/login?token=T0K")]),
            0,
        );
        let error = verdict.error.unwrap();
        assert!(
            error.contains("http://h/login") && !error.contains("T0K"),
            "{error}"
        );
    }
}
