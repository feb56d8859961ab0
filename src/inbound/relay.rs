//! Takes in a relay: many events of another box in one request.
//!
//! The request is verified as any other. All of it is read before the first event is taken in.

use hyper::StatusCode;
use serde_json::json;
use tokio::sync::oneshot;

use super::rejection::{ErrorReply, cannot_store, too_large};
use super::reply::{Reply, reply};
use crate::error::Error;
use crate::model::event::Accepted;
use crate::model::header::{Header, first_value};
use crate::model::kind::SourceKind;
use crate::model::relay::{CONTENT_TYPE, NAME_HEADER, Relayed, Results, Taken, lines};
use crate::model::source::Source;
use crate::store::Store;
use crate::time::Timestamp;

/// Bytes of a request beside its largest event, unpacked: its other events and all headers.
const OTHERS_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Longest name that a box gives itself.
const NAME_CHARS_MAX: usize = 64;

/// Whether a request says that it is a relay.
pub(super) fn is_relay(headers: &[Header]) -> bool {
    let content_type = first_value(headers, "content-type").unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case(CONTENT_TYPE)
}

/// A relay whose events are on their way to the disk.
pub(super) struct Admitted {
    /// Of each event why it is not taken in; `None` for those that are.
    refused: Vec<Option<Taken>>,
    /// The box, and what it calls itself.
    from: (String, String),
    /// Receives what became of the others, which are stored together.
    stored: oneshot::Receiver<crate::error::Result<Vec<Accepted>>>,
}

/// Refuses a relay at a source of another kind, which would miss a signature of its own.
pub(super) fn check_kind(source: &Source) -> Result<(), ErrorReply> {
    if source.kind == SourceKind::Standard {
        return Ok(());
    }
    let text = format!(
        "a relay comes through a source of kind standard, and this one is {}",
        source.kind_name()
    );
    Err(ErrorReply::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, text))
}

/// Reads a relay whose signature was verified, and hands its events to the store.
pub(super) fn admit(
    store: &Store,
    source: &Source,
    now: Timestamp,
    headers: &[Header],
    body: &[u8],
    body_bytes_max: usize,
) -> Result<Admitted, ErrorReply> {
    // Base64 makes four bytes of three.
    let bytes_max = body_bytes_max / 3 * 4 + OTHERS_BYTES_MAX;
    let bad = |error: Error| ErrorReply::new(StatusCode::BAD_REQUEST, error.to_string());
    let Some(lines) = lines(body, bytes_max).map_err(bad)? else {
        return Err(too_large(bytes_max + 1, bytes_max));
    };
    let Relayed {
        from,
        is_ordered,
        events,
    } = Relayed::read(&lines).map_err(bad)?;
    if from == store.box_id().to_string() {
        return Err(bad(Error::misuse("this box sent it itself")));
    }
    let name = first_value(headers, NAME_HEADER).unwrap_or_default();
    let name = name.chars().take(NAME_CHARS_MAX).collect();
    let mut refused = Vec::with_capacity(events.len());
    let mut taken = Vec::with_capacity(events.len());
    for event in events {
        let is_stopped = is_ordered && refused.last().is_some_and(Option::is_some);
        refused.push(
            match event.into_event(store.box_id(), source.id, &source.name) {
                _ if is_stopped => Some(Taken::refused(424, "one before it was not taken in")),
                Err(error) => Some(Taken::refused(400, &error.to_string())),
                Ok(None) => Some(Taken::refused(
                    508,
                    "it has been here before, and goes round",
                )),
                Ok(Some(event)) if event.body.len() > body_bytes_max => {
                    let bytes = event.body.len();
                    let why = format!("the body is {bytes} bytes, limit is {body_bytes_max}");
                    Some(Taken::refused(413, &why))
                }
                Ok(Some(event)) => {
                    taken.push(event);
                    None
                }
            },
        );
    }
    let (sender, stored) = oneshot::channel();
    store.accept_all_then(taken, now, move |result| {
        // The box may have hung up by now; the events are stored all the same.
        let _ = sender.send(result);
    });
    Ok(Admitted {
        refused,
        from: (from, name),
        stored,
    })
}

/// Waits until the events are on disk, and says of each what became of it.
pub(super) async fn answer(
    admitted: Admitted,
    source: &Source,
    store: &Store,
    now: Timestamp,
) -> Result<Reply, ErrorReply> {
    let stored = admitted.stored.await.unwrap_or(Err(Error::Stopped));
    // Nothing can be stored now: the box waits with all it has.
    let accepted = stored.map_err(|error| cannot_store(&error, source))?;
    let new = accepted.iter().filter(|one| !one.duplicate).count();
    let (from, name) = admitted.from;
    store.heard_box(source.id, from, name, new, now);
    let box_id = store.box_id();
    let mut accepted = accepted.into_iter().map(|one| Taken {
        status: if one.duplicate { 200 } else { 202 },
        id: Some(box_id.event(one.id)),
        error: None,
    });
    let results = admitted.refused.into_iter();
    let results = results.filter_map(|refused| refused.or_else(|| accepted.next()));
    let results = Results {
        results: results.collect(),
    };
    Ok(reply(StatusCode::OK, &json!(results)))
}
