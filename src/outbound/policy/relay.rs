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
const SLOW_DOWN: Duration = Duration::from_secs(5);

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
/// It says nothing of any event, so none is given up for it: what a person has to repair holds the endpoint.
pub(super) fn read(reply: &Response, now: Timestamp) -> Assessment {
    let error = lenient::read(&reply.body, &[], |body| {
        shorten(body.text("error").unwrap_or_default())
    });
    let explained = |advice: &str| said(&[&describe(reply), &error, advice]);
    match reply.status {
        200..300 => Verdict::retryable(
            "the answer does not say what became of each event: is the URL that of a hookbox, /in/SOURCE?",
        )
        .into(),
        429 | 503 => {
            let asked = retry_after(reply, now).map(|at| at.since(now));
            Verdict::rate_limited(explained(""), asked.unwrap_or(SLOW_DOWN))
        }
        401 | 403 => Verdict::needs_operator(explained(
            "does the source at the hub have this secret, and the clocks of both the same time?",
        ))
        .into(),
        404 | 405 | 410 => {
            Verdict::needs_operator(explained("is there such a source at the hub?")).into()
        }
        415 => Verdict::needs_operator(explained(
            "the source at the hub must be of kind standard, of a hookbox that knows relays",
        ))
        .into(),
        400 | 422 => Verdict::needs_operator(explained("the hub does not read the request")).into(),
        _ => of_any(reply, now),
    }
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
