//! What an answer means: pure.
//!
//! Only 2xx is success and redirects are not followed (Standard Webhooks 1.0.0). Anything else
//! that came from the endpoint is refused and spends a try on the ladder; a 410 ends it at once.
//! What never reached the endpoint spends no try.

use std::time::Duration;

use http::StatusCode;

use crate::model::attempt::Outcome;
use crate::model::delivery::Move;
use crate::model::endpoint::Endpoint;
use crate::time::Timestamp;

use super::transport::{Answer, Reply};

/// Longest wait that a receiver's `Retry-After` can ask for: a day, the longest step of the
/// default ladder. A typing error in a receiver must not park deliveries for a year.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(86_400);

/// What is to be recorded of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) outcome: Outcome,
    pub(super) error: Option<String>,
    pub(super) change: Move,
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
    match answer {
        Answer::Replied(reply) if (200..300).contains(&reply.status) => Verdict {
            outcome: Outcome::Delivered,
            error: None,
            change: Move::Deliver,
        },
        Answer::Replied(reply) => {
            let error = describe(reply);
            let change = if reply.status == StatusCode::GONE.as_u16() {
                Move::GiveUp {
                    reason: format!("{error}: the endpoint wants no more of these"),
                }
            } else {
                retry_or_give_up(
                    endpoint,
                    &error,
                    tries,
                    now,
                    chance,
                    retry_after(reply, now),
                )
            };
            Verdict {
                outcome: Outcome::Refused,
                error: Some(error),
                change,
            }
        }
        Answer::Broken { error } => Verdict {
            outcome: Outcome::Refused,
            error: Some(error.clone()),
            change: retry_or_give_up(endpoint, error, tries, now, chance, None),
        },
        Answer::Unsent { error, is_final } => Verdict {
            outcome: Outcome::Refused,
            error: Some(error.clone()),
            // Where trying again would change nothing: whoever changes it can replay.
            change: if *is_final {
                Move::GiveUp {
                    reason: error.clone(),
                }
            } else {
                retry_or_give_up(endpoint, error, tries, now, chance, None)
            },
        },
        Answer::Unreachable { error } => Verdict {
            outcome: Outcome::Unreachable,
            error: Some(error.clone()),
            change: Move::Postpone,
        },
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
        None => {
            let times = if tries == 1 {
                "1 try".to_owned()
            } else {
                format!("{tries} tries")
            };
            Move::GiveUp {
                reason: format!("gave up after {times}; the last: {error}"),
            }
        }
    }
}

/// A reply in words: `503 Service Unavailable`.
fn describe(reply: &Reply) -> String {
    let reason = StatusCode::from_u16(reply.status)
        .ok()
        .and_then(|status| status.canonical_reason());
    let mut text = match reason {
        Some(reason) => format!("{} {reason}", reply.status),
        None => reply.status.to_string(),
    };
    if (300..400).contains(&reply.status) {
        text.push_str(" (redirects are not followed");
        if let Some(target) = header(reply, "location") {
            text.push_str(&format!(
                "; it points to {}",
                shorten(target.split('?').next().unwrap_or_default())
            ));
        }
        text.push(')');
    }
    text
}

/// A foreign text that is repeated in reasons, lists and logs, cut to a line's length.
fn shorten(text: &str) -> String {
    const CHARS_MAX: usize = 200;
    text.chars().take(CHARS_MAX).collect()
}

/// The moment that `Retry-After` asks for, in seconds or as a date (RFC 9110, section 10.2.3),
/// capped.
fn retry_after(reply: &Reply, now: Timestamp) -> Option<Timestamp> {
    let value = header(reply, "retry-after")?.trim();
    let asked = match value.parse::<u64>() {
        Ok(seconds) => now.plus(Duration::from_secs(seconds)),
        Err(_) => Timestamp::parse_http_date(value)?,
    };
    Some(asked.min(now.plus(RETRY_AFTER_MAX)))
}

fn header<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
    reply
        .headers
        .iter()
        .find(|(held, _)| held == name)
        .map(|(_, value)| value.as_str())
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
