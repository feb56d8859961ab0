//! What a reply says, before it is known how often the delivery was tried.

use std::time::Duration;

use http::StatusCode;

use super::retry_after::retry_after;
use crate::model::attempt::Response;
use crate::model::chat::Chat;
use crate::model::expect::Expect;
use crate::model::header::first_value;
use crate::model::hops;
use crate::time::Timestamp;

/// Longest a whole endpoint is left alone because one reply asked for it: then it is asked again.
pub(in crate::outbound) const PAUSE_MAX: Duration = Duration::from_secs(3_600);

/// What a reply says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The event has not arrived: what answered is not the endpoint.
    NotReached { why: String },
    /// The event has arrived.
    Accepted {
        /// What is odd about it.
        remark: Option<String>,
    },
    /// It may arrive later.
    Retryable {
        why: String,
        /// Not before then.
        not_before: Option<Timestamp>,
    },
    /// The endpoint has had enough for now, and says so before it looks at what it gets.
    RateLimited { why: String },
    /// As it is, it never will.
    Rejected { why: String },
    /// Nor will any other, until a person mends the endpoint.
    NeedsOperator { why: String },
    /// The endpoint is no more, and says so itself.
    Gone { why: String },
}

/// A verdict, and how long the endpoint wants to be left alone whatever it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Assessment {
    pub(super) verdict: Verdict,
    pub(super) pause: Option<Duration>,
    /// It has too much to do, and does not say for how long.
    pub(super) is_busy: bool,
}

impl From<Verdict> for Assessment {
    fn from(verdict: Verdict) -> Assessment {
        Assessment {
            verdict,
            pause: None,
            is_busy: false,
        }
    }
}

impl Verdict {
    pub(super) const ACCEPTED: Verdict = Verdict::Accepted { remark: None };

    pub(super) fn retryable(why: impl Into<String>) -> Verdict {
        Verdict::Retryable {
            why: why.into(),
            not_before: None,
        }
    }

    pub(super) fn rejected(why: String) -> Verdict {
        Verdict::Rejected { why }
    }

    pub(super) fn needs_operator(why: String) -> Verdict {
        Verdict::NeedsOperator { why }
    }

    /// The endpoint asks for less: nothing is sent there for so long.
    pub(super) fn rate_limited(why: impl Into<String>, wait: Duration) -> Assessment {
        Assessment {
            pause: Some(wait),
            ..Verdict::RateLimited { why: why.into() }.into()
        }
    }
}

impl Assessment {
    /// A chat's 429 is no refusal of the message: there have been enough, for this long at least.
    pub(super) fn or_rate_limited(self, reply: &Response, least: Duration) -> Assessment {
        match self.verdict {
            Verdict::Retryable { why, .. } if reply.status == 429 => {
                Verdict::rate_limited(why, self.pause.unwrap_or_default().max(least))
            }
            verdict => Assessment { verdict, ..self },
        }
    }
}

/// What a status says of every receiver but a chat: only 2xx is success and redirects are not
/// followed (Standard Webhooks 1.0.0). Whatever else is answered may be repaired at the other end, so
/// it is tried again; 410 is the one answer that is meant for good.
pub(super) fn of_any(reply: &Response, now: Timestamp) -> Assessment {
    let why = describe(reply);
    match reply.status {
        200..300 => Verdict::Accepted {
            remark: reply.unreadable.clone(),
        }
        .into(),
        511 => not_reached(why),
        410 => Verdict::Gone {
            why: format!("{why}: the endpoint wants no more of these"),
        }
        .into(),
        _ => later(why, reply, now),
    }
}

/// What another hookbox says, whatever the format: the event has come back to where it was.
pub(super) fn of_loop(reply: &Response) -> Option<Assessment> {
    let is_known = reply.status == 508 && first_value(&reply.headers, hops::HEADER).is_some();
    let why = format!("{}: the event goes round", describe(reply));
    is_known.then(|| Verdict::rejected(why).into())
}

/// What a reply says of an endpoint for which somebody set what a yes looks like.
pub(super) fn as_expected(expect: &Expect, reply: &Response, now: Timestamp) -> Assessment {
    let met = expect.is_met(reply.status, &reply.headers, &reply.body);
    let why = match met {
        Ok(true) => {
            let remark = reply.unreadable.clone();
            return Verdict::Accepted { remark }.into();
        }
        Ok(false) => match &reply.unreadable {
            Some(what) => format!("--expect cannot be asked: {what}"),
            None => "the reply is not what --expect asks for".to_owned(),
        },
        Err(error) => format!("--expect fails on the reply: {error}"),
    };
    match reply.status {
        200..300 => later(said(&[&describe(reply), &why]), reply, now),
        _ => of_any(reply, now),
    }
}

/// What a chat's status says where its body says nothing. A chat that refuses a message refuses it
/// again: only what is known to pass is tried again.
pub(super) fn of_chat(chat: Chat, reply: &Response, now: Timestamp) -> Assessment {
    let why = format!("{}: {}", chat.title(), describe(reply));
    match reply.status {
        200..300 => Verdict::ACCEPTED.into(),
        511 => not_reached(why),
        408 | 425 | 429 | 500.. => later(why, reply, now),
        410 => Verdict::NeedsOperator { why }.into(),
        _ => Verdict::Rejected { why }.into(),
    }
}

/// A network that wants a login first answers in the place of every endpoint (RFC 6585, section 6).
fn not_reached(why: String) -> Assessment {
    Verdict::NotReached { why }.into()
}

/// Not now, and not before the moment that the reply asks for; 429 and 503 speak for the endpoint.
fn later(why: String, reply: &Response, now: Timestamp) -> Assessment {
    let not_before = retry_after(reply, now);
    let speaks_for_all = matches!(reply.status, 429 | 503);
    Assessment {
        verdict: Verdict::Retryable { why, not_before },
        pause: not_before
            .filter(|_| speaks_for_all)
            .map(|at| at.since(now)),
        is_busy: speaks_for_all && not_before.is_none(),
    }
}

/// A reply in words: `503 Service Unavailable`.
pub(super) fn describe(reply: &Response) -> String {
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

/// Whether a reply is a page for a person.
pub(in crate::outbound) fn is_page(reply: &Response) -> bool {
    let content_type = first_value(&reply.headers, "content-type").unwrap_or_default();
    let beginning = reply.body.trim_ascii_start();
    let begins = |tag: &[u8]| {
        let head = beginning.get(..tag.len());
        head.is_some_and(|head| head.eq_ignore_ascii_case(tag))
    };
    content_type.to_ascii_lowercase().starts_with("text/html")
        || begins(b"<!doctype html")
        || begins(b"<html")
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
