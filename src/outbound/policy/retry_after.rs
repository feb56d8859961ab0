//! `Retry-After`: how long a response asks to be left alone (RFC 9110, section 10.2.3).

use std::time::Duration;

use crate::model::attempt::Response;
use crate::model::header::first_value;
use crate::time::Timestamp;

/// Longest wait that a receiver's `Retry-After` can ask for: a day, the longest step of the
/// default ladder. A typing error in a receiver must not park deliveries for a year.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(86_400);

/// The moment that `Retry-After` asks for, in seconds or as a date (RFC 9110, section 10.2.3),
/// capped. A date is as far ahead as the reply's own `Date` says, where it has one: the clocks of
/// the two may differ.
pub(super) fn retry_after(reply: &Response, now: Timestamp) -> Option<Timestamp> {
    let value = first_value(&reply.headers, "retry-after")?;
    let latest = now.plus(RETRY_AFTER_MAX);
    if let Some(date) = Timestamp::parse_http_date(value) {
        let sent = first_value(&reply.headers, "date").and_then(Timestamp::parse_http_date);
        let asked = sent.map_or(date, |sent| now.plus(date.since(sent)));
        return Some(asked.min(latest));
    }
    // Where somebody on the way added one of its own, it is a list: all of them are kept.
    let waits = value.split(',').map(str::trim);
    let waits = waits.filter(|one| !one.is_empty());
    let waits = waits.map(|one| seconds(one).ok_or(()));
    let wait = waits.collect::<Result<Vec<Duration>, ()>>().ok()?;
    Some(now.plus(wait.into_iter().max()?.min(RETRY_AFTER_MAX)))
}

/// A span in seconds as a header or a body writes it, with or without a fraction; one beyond all
/// spans is the longest.
pub(super) fn seconds(text: &str) -> Option<Duration> {
    let text = text.trim();
    // Rust reads `inf` as well.
    let is_number = text.starts_with(|first: char| first.is_ascii_digit() || first == '.');
    let seconds: f64 = text.parse().ok().filter(|_| is_number)?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(span) => Some(span),
        Err(_) if seconds > 0.0 => Some(Duration::MAX),
        Err(_) => None,
    }
}
