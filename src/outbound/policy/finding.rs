//! What a reply says, before it is known how often the delivery was tried.

use std::time::Duration;

use http::StatusCode;

use crate::model::chat::Chat;
use crate::model::header::first_value;
use crate::model::hops;
use crate::outbound::transport::Reply;
use crate::time::Timestamp;

/// Longest wait that a receiver's `Retry-After` can ask for: a day, the longest step of the
/// default ladder. A typing error in a receiver must not park deliveries for a year.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(86_400);

/// Longest a whole endpoint is left alone because one reply asked for it: then it is asked again.
pub(in crate::outbound) const PAUSE_MAX: Duration = Duration::from_secs(3_600);

/// What a reply says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Finding {
    /// The event has arrived.
    Taken {
        /// What is odd about it.
        remark: Option<String>,
    },
    /// It may arrive later.
    NotNow {
        why: String,
        /// Not before then.
        not_before: Option<Timestamp>,
    },
    /// The endpoint has had enough for now, and says so before it looks at what it gets.
    Enough { why: String },
    /// As it is, it never will.
    Never { why: String },
    /// Nor will any other, until a person mends the endpoint.
    Mend { why: String },
    /// The endpoint is no more, and says so itself.
    Gone { why: String },
}

/// A finding, and how long the endpoint wants to be left alone whatever it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Read {
    pub(super) finding: Finding,
    pub(super) pause: Option<Duration>,
    /// It has too much to do, and does not say for how long.
    pub(super) is_busy: bool,
}

impl From<Finding> for Read {
    fn from(finding: Finding) -> Read {
        Read {
            finding,
            pause: None,
            is_busy: false,
        }
    }
}

impl Finding {
    pub(super) const TAKEN: Finding = Finding::Taken { remark: None };

    pub(super) fn not_now(why: impl Into<String>) -> Finding {
        Finding::NotNow {
            why: why.into(),
            not_before: None,
        }
    }

    pub(super) fn never(why: String) -> Finding {
        Finding::Never { why }
    }

    pub(super) fn mend(why: String) -> Finding {
        Finding::Mend { why }
    }

    /// The endpoint asks for less: nothing is sent there for so long.
    pub(super) fn slow_down(why: impl Into<String>, wait: Duration) -> Read {
        Read {
            pause: Some(wait),
            ..Finding::Enough { why: why.into() }.into()
        }
    }
}

impl Read {
    /// A chat's 429 is no refusal of the message: there have been enough, for this long at least.
    pub(super) fn slowed_down(self, reply: &Reply, least: Duration) -> Read {
        match self.finding {
            Finding::NotNow { why, .. } if reply.status == 429 => {
                Finding::slow_down(why, self.pause.unwrap_or_default().max(least))
            }
            finding => Read { finding, ..self },
        }
    }
}

/// What a status says of every receiver but a chat: only 2xx is success and redirects are not
/// followed (Standard Webhooks 1.0.0). Whatever else is answered may be mended at the other end, so
/// it is tried again; 410 is the one answer that is meant for good.
pub(super) fn of_any(reply: &Reply, now: Timestamp) -> Read {
    let why = describe(reply);
    match reply.status {
        200..300 => Finding::TAKEN.into(),
        410 => Finding::Gone {
            why: format!("{why}: the endpoint wants no more of these"),
        }
        .into(),
        // Another hookbox says so: the event has come back to where it was.
        508 if first_value(&reply.headers, hops::HEADER).is_some() => {
            Finding::never(format!("{why}: the event goes round")).into()
        }
        _ => later(why, reply, now),
    }
}

/// What a chat's status says where its body says nothing. A chat that refuses a message refuses it
/// again: only what is known to pass is tried again.
pub(super) fn of_chat(chat: Chat, reply: &Reply, now: Timestamp) -> Read {
    let why = format!("{}: {}", chat.title(), describe(reply));
    match reply.status {
        200..300 => Finding::TAKEN.into(),
        408 | 425 | 429 | 500.. => later(why, reply, now),
        410 => Finding::Mend { why }.into(),
        _ => Finding::Never { why }.into(),
    }
}

/// Not now, and not before the moment that the reply asks for; 429 and 503 speak for the endpoint.
fn later(why: String, reply: &Reply, now: Timestamp) -> Read {
    let not_before = retry_after(reply, now);
    let speaks_for_all = matches!(reply.status, 429 | 503);
    Read {
        finding: Finding::NotNow { why, not_before },
        pause: not_before
            .filter(|_| speaks_for_all)
            .map(|at| at.since(now)),
        is_busy: speaks_for_all && not_before.is_none(),
    }
}

/// A reply in words: `503 Service Unavailable`.
pub(super) fn describe(reply: &Reply) -> String {
    let reason = StatusCode::from_u16(reply.status)
        .ok()
        .and_then(|status| status.canonical_reason());
    let mut text = match reason {
        Some(reason) => format!("{} {reason}", reply.status),
        None => reply.status.to_string(),
    };
    if (300..400).contains(&reply.status) {
        text.push_str(" (redirects are not followed");
        if let Some(target) = first_value(&reply.headers, "location") {
            text.push_str(&format!(
                "; it points to {}",
                shorten(target.split('?').next().unwrap_or_default())
            ));
        }
        text.push(')');
    }
    text
}

/// What was said, put together: parts that were left empty are left out.
pub(super) fn said(parts: &[&str]) -> String {
    let parts: Vec<&str> = parts
        .iter()
        .copied()
        .filter(|part| !part.is_empty())
        .collect();
    parts.join(": ")
}

/// A foreign text that is repeated in reasons, lists and logs, on one line and cut to its length.
pub(super) fn shorten(text: &str) -> String {
    const CHARS_MAX: usize = 200;
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().take(CHARS_MAX).collect()
}

/// The moment that `Retry-After` asks for, in seconds or as a date (RFC 9110, section 10.2.3),
/// capped. A date is as far ahead as the reply's own `Date` says, where it has one: the clocks of
/// the two may differ.
pub(super) fn retry_after(reply: &Reply, now: Timestamp) -> Option<Timestamp> {
    let value = first_value(&reply.headers, "retry-after")?;
    let asked = match value.parse::<u64>() {
        Ok(seconds) => now.plus(Duration::from_secs(seconds)),
        Err(_) => {
            let date = Timestamp::parse_http_date(value)?;
            let sent = first_value(&reply.headers, "date").and_then(Timestamp::parse_http_date);
            sent.map_or(date, |sent| now.plus(date.since(sent)))
        }
    };
    Some(asked.min(now.plus(RETRY_AFTER_MAX)))
}

/// A span in seconds as a header or a body writes it, with or without a fraction.
pub(super) fn seconds(text: &str) -> Option<Duration> {
    let seconds: f64 = text.trim().parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}
