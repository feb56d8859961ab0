//! Reads what one response means, whatever the number of tries before it.

use std::time::Duration;

use http::StatusCode;

use super::retry_after::retry_after;
use crate::model::attempt::Response;
use crate::model::chat::Chat;
use crate::model::expect::Expect;
use crate::model::header::first_value;
use crate::model::hops;
use crate::time::Timestamp;

/// Longest pause of a whole endpoint that one response can ask for; then the endpoint is tried again.
pub(in crate::outbound) const PAUSE_MAX: Duration = Duration::from_secs(3_600);

/// What one response means for the delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Unreachable: something other than the endpoint answered, so the event has not arrived.
    NotReached { why: String },
    /// Delivered: the endpoint accepted the event.
    Accepted {
        /// A problem with the response that the record should mention.
        remark: Option<String>,
    },
    /// Temporary failure: a later attempt may succeed.
    Retryable {
        why: String,
        /// The earliest time for the next attempt.
        not_before: Option<Timestamp>,
    },
    /// Throttled: the endpoint accepts no more requests for now, whatever they hold.
    RateLimited { why: String },
    /// Permanent failure of this message: every attempt to send it would be refused.
    Rejected { why: String },
    /// Every message fails until a person fixes the endpoint's configuration.
    NeedsOperator { why: String },
    /// The endpoint itself says that it no longer exists.
    Gone { why: String },
}

/// A verdict, and the pause that the endpoint asks for, whatever the verdict is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Assessment {
    pub(super) verdict: Verdict,
    pub(super) pause: Option<Duration>,
    /// Set if the endpoint throttles but does not say how long to wait.
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

    /// Throttled: nothing is sent to the endpoint for this long.
    pub(super) fn rate_limited(why: impl Into<String>, wait: Duration) -> Assessment {
        Assessment {
            pause: Some(wait),
            ..Verdict::RateLimited { why: why.into() }.into()
        }
    }
}

impl Assessment {
    /// Turns a chat's 429 into throttling, with a pause of at least `least`.
    ///
    /// A chat's 429 does not refuse the message: it means too many requests.
    pub(super) fn or_rate_limited(self, reply: &Response, least: Duration) -> Assessment {
        match self.verdict {
            Verdict::Retryable { why, .. } if reply.status == 429 => {
                Verdict::rate_limited(why, self.pause.unwrap_or_default().max(least))
            }
            verdict => Assessment { verdict, ..self },
        }
    }
}

/// Reads the status of any receiver that is not a chat.
///
/// Only 2xx is success, and redirects are not followed (Standard Webhooks 1.0.0). The receiver may be able
/// to fix any other status, so the delivery is retried. Only 410 is meant as permanent.
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

/// Reads a loop response (508) of another hookbox: the event came back to a box it already passed.
pub(super) fn of_loop(reply: &Response) -> Option<Assessment> {
    let is_known = reply.status == 508 && first_value(&reply.headers, hops::HEADER).is_some();
    let why = format!("{}: the event goes round", describe(reply));
    is_known.then(|| Verdict::rejected(why).into())
}

/// Reads a response by the endpoint's own success condition (`--expect`).
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

/// Reads a chat's status when the body says nothing.
///
/// A chat that refuses a message refuses it again, so only failures known to be temporary are retried.
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

/// Unreachable: a network that requires a login first answers in place of every endpoint (RFC 6585, section
/// 6).
fn not_reached(why: String) -> Assessment {
    Verdict::NotReached { why }.into()
}

/// Temporary failure, with the wait that the response asks for.
///
/// 429 and 503 apply to the whole endpoint, not only to this message.
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

/// Describes a response in words: `503 Service Unavailable`.
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

/// Whether a response is an HTML page for a person.
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

/// Joins the parts of a message; empty parts are left out.
pub(super) fn said(parts: &[&str]) -> String {
    let parts: Vec<&str> = parts
        .iter()
        .copied()
        .filter(|part| !part.is_empty())
        .collect();
    parts.join(": ")
}

/// Puts a foreign text on one line and cuts it, for use in reasons, lists and logs.
pub(super) fn shorten(text: &str) -> String {
    const CHARS_MAX: usize = 200;
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().take(CHARS_MAX).collect()
}
