//! Reads a hub's responses: of each event of a relay what became of it.

use std::time::Duration;

use super::retry_after::retry_after;
use super::verdict::{Assessment, Verdict, describe, of_any, said, shorten};
use crate::model::attempt::Response;
use crate::model::lenient;
use crate::model::relay::{Results, Taken};
use crate::time::Timestamp;

/// Not tried, since one before it was not taken in (RFC 4918, section 11.4).
const NOT_TRIED: u16 = 424;

/// Pause while a hub can store nothing and does not say for how long.
const FULL: Duration = Duration::from_secs(5);

/// The first pause while somebody has to repair something; each is twice the last, an hour at most.
const TO_REPAIR: Duration = Duration::from_secs(60);

/// Returns the response to each of so many events, if the hub's response says it.
pub(in crate::outbound) fn parts(
    reply: &Response,
    count: usize,
    is_ordered: bool,
) -> Option<Vec<Response>> {
    if reply.status != 200 {
        return None;
    }
    let read: Results = serde_json::from_slice(&reply.body).ok()?;
    let mut not_tried = read.results.iter().map(|one| one.status == NOT_TRIED);
    // What is not tried must have something before it, and a reason.
    let is_first = not_tried.next()?;
    if read.results.len() != count || is_first || (!is_ordered && not_tried.any(|it| it)) {
        return None;
    }
    let part = |taken: Taken| Response {
        status: taken.status,
        body: serde_json::to_vec(&taken).unwrap_or_default(),
        ..Response::default()
    };
    Some(read.results.into_iter().map(part).collect())
}

/// Reads the response to a whole request, which does not say what became of each event.
///
/// It says nothing of any event, so none spends a try for it, save for a 5xx, which one event may cause. What a
/// person has to repair may be repaired at the hub, for a thousand boxes at once: they ask again by themselves.
pub(super) fn read(reply: &Response, now: Timestamp) -> Assessment {
    let error = lenient::read(&reply.body, &[], |body| {
        shorten(body.text("error").unwrap_or_default())
    });
    let advice = match reply.status {
        408 | 413 | 500..=502 | 504.. => return of_any(reply, now),
        429 | 503 => "",
        _ if !error.is_empty() => "",
        200..300 => "this does not say what became of each event",
        _ => "no hookbox says so",
    };
    let why = match (advice, error.as_str()) {
        ("", error) => said(&[&describe(reply), error]),
        (advice, _) => format!(
            "{}, and {advice}: is the URL that of the hub, /in/SOURCE?",
            describe(reply)
        ),
    };
    let asked = retry_after(reply, now).map(|at| at.since(now));
    let usual = match reply.status {
        429 | 503 => FULL,
        _ => TO_REPAIR,
    };
    Verdict::rate_limited(why, asked.unwrap_or(usual))
}

/// Reads the response to one event of a request.
pub(super) fn read_part(part: &Response) -> Assessment {
    let taken: Option<Taken> = serde_json::from_slice(&part.body).ok();
    let why = taken.and_then(|taken| taken.error).unwrap_or_default();
    let why = said(&[&format!("the hub says {}", part.status), &why]);
    match part.status {
        200..300 => Verdict::ACCEPTED.into(),
        NOT_TRIED => Verdict::RateLimited { why }.into(),
        // As a request of its own it would be refused again.
        400 | 413 | 422 | 508 => Verdict::rejected(why).into(),
        _ => Verdict::retryable(why).into(),
    }
}
