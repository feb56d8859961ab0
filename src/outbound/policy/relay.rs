//! Reads a hub's responses: of each event of a relay what became of it.

use super::verdict::{Assessment, Verdict, of_any, said};
use crate::model::attempt::Response;
use crate::model::relay::{Results, Taken};
use crate::time::Timestamp;

/// Not tried, since one before it was not taken in (RFC 4918, section 11.4).
const NOT_TRIED: u16 = 424;

/// Returns the response to each of so many events, if the hub's response says it.
pub(in crate::outbound) fn parts(reply: &Response, count: usize) -> Option<Vec<Response>> {
    if reply.status != 200 {
        return None;
    }
    let read: Results = serde_json::from_slice(&reply.body).ok()?;
    let first = read.results.first()?;
    if read.results.len() != count || first.status == NOT_TRIED {
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
pub(super) fn read(reply: &Response, now: Timestamp) -> Assessment {
    match reply.status {
        200..300 => Verdict::retryable(
            "the answer does not say what became of each event: is the URL that of a hookbox, /in/SOURCE?",
        )
        .into(),
        415 => Verdict::needs_operator(said(&[
            "415 Unsupported Media Type",
            "the source there takes no relay: it must be of kind standard, of a hookbox that knows relays",
        ]))
        .into(),
        _ => of_any(reply, now),
    }
}

/// Reads the response to one event of a request.
pub(super) fn read_part(part: &Response, now: Timestamp) -> Assessment {
    let taken: Option<Taken> = serde_json::from_slice(&part.body).ok();
    let why = taken.and_then(|taken| taken.error).unwrap_or_default();
    let why = said(&[&format!("the hub says {}", part.status), &why]);
    match part.status {
        200..300 => Verdict::ACCEPTED.into(),
        NOT_TRIED => Verdict::RateLimited { why }.into(),
        // As a request of its own it would be refused again.
        400 | 413 | 422 | 508 => Verdict::rejected(why).into(),
        _ => of_any(part, now),
    }
}
