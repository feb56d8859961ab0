//! `Retry-After`: how long a response asks to wait (RFC 9110, section 10.2.3).

use std::time::Duration;

use crate::model::attempt::Response;
use crate::model::header::first_value;
use crate::time::Timestamp;

/// Longest wait that a receiver's `Retry-After` can ask for: one day.
///
/// That is the longest step of the default retry schedule. A typing error in a receiver must not delay
/// deliveries for a year.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(86_400);

/// Reads the time that `Retry-After` asks for, capped.
///
/// The value is in seconds or a date (RFC 9110, section 10.2.3). A date is compared with the response's own
/// `Date` if there is one, since the receiver's clock and ours may differ.
pub(super) fn retry_after(reply: &Response, now: Timestamp) -> Option<Timestamp> {
    let value = first_value(&reply.headers, "retry-after")?;
    let latest = now.plus(RETRY_AFTER_MAX);
    if let Some(date) = Timestamp::parse_http_date(value) {
        let sent = first_value(&reply.headers, "date").and_then(Timestamp::parse_http_date);
        let asked = sent.map_or(date, |sent| now.plus(date.since(sent)));
        return Some(asked.min(latest));
    }
    // If a proxy added its own value, the header is a list: the longest wait holds.
    let waits = value.split(',').map(str::trim);
    let waits = waits.filter(|one| !one.is_empty());
    let waits = waits.map(|one| seconds(one).ok_or(()));
    let wait = waits.collect::<Result<Vec<Duration>, ()>>().ok()?;
    Some(now.plus(wait.into_iter().max()?.min(RETRY_AFTER_MAX)))
}

/// Reads a number of seconds, with or without a fraction, from a header or a body.
///
/// A number too large for a `Duration` becomes the longest one.
pub(super) fn seconds(text: &str) -> Option<Duration> {
    let text = text.trim();
    // Rust's parser also accepts `inf` and `nan`, which are not numbers here.
    let is_number = text.starts_with(|first: char| first.is_ascii_digit() || first == '.');
    let seconds: f64 = text.parse().ok().filter(|_| is_number)?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(span) => Some(span),
        Err(_) if seconds > 0.0 => Some(Duration::MAX),
        Err(_) => None,
    }
}
