//! Takes in a relay: many events of another box in one request.
//!
//! The request is verified as any other. All of it is read before the first event is taken in.

use hyper::StatusCode;
use serde_json::json;
use tokio::sync::oneshot;

use super::rejection::{ErrorReply, cannot_store};
use super::reply::{Reply, reply};
use crate::error::Error;
use crate::model::event::Accepted;
use crate::model::header::{Header, first_value};
use crate::model::id::BoxId;
use crate::model::kind::SourceKind;
use crate::model::relay::{CONTENT_TYPE, NAME_HEADER, Relayed, Results, Taken, unpack};
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

/// What is known of one event of a relay.
pub(super) enum Item {
    /// It is not taken in.
    Refused(Taken),
    /// It is on its way to the disk.
    Waits(oneshot::Receiver<crate::error::Result<Accepted>>),
}

/// Reads a relay whose signature was verified, and hands its events to the store.
pub(super) fn admit(
    store: &Store,
    source: &Source,
    now: Timestamp,
    headers: &[Header],
    body: &[u8],
    body_bytes_max: usize,
) -> Result<Vec<Item>, ErrorReply> {
    if source.kind != SourceKind::Standard {
        let text = format!(
            "a relay comes through a source of kind standard, and this one is {}",
            source.kind_name()
        );
        return Err(ErrorReply::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, text));
    }
    // Base64 makes four bytes of three.
    let bytes_max = body_bytes_max / 3 * 4 + OTHERS_BYTES_MAX;
    let bad = |error: Error| ErrorReply::new(StatusCode::BAD_REQUEST, error.to_string());
    let Relayed {
        from,
        is_ordered,
        events,
    } = unpack(body, bytes_max).map_err(bad)?;
    if from == store.box_id().to_string() {
        return Err(bad(Error::misuse("this box sent it itself")));
    }
    let name = first_value(headers, NAME_HEADER).unwrap_or_default();
    let name = name.chars().take(NAME_CHARS_MAX).collect();
    store.heard_box(source.id, from, name, events.len(), now);
    let mut items = Vec::with_capacity(events.len());
    let mut is_stopped = false;
    for event in events {
        let read = event.into_event(store.box_id(), source.id, &source.name);
        let refused = match read {
            _ if is_stopped => Taken::refused(424, "one before it was not taken in"),
            Err(error) => Taken::refused(400, &error.to_string()),
            Ok(None) => Taken::refused(508, "it has been here before, and goes round"),
            Ok(Some(event)) if event.body.len() > body_bytes_max => {
                let bytes = event.body.len();
                let why = format!("the body is {bytes} bytes, limit is {body_bytes_max}");
                Taken::refused(413, &why)
            }
            Ok(Some(event)) => {
                let (sender, receiver) = oneshot::channel();
                store.accept_then(event, now, move |result| {
                    // The box may have hung up by now; the event is stored all the same.
                    let _ = sender.send(result);
                });
                items.push(Item::Waits(receiver));
                continue;
            }
        };
        is_stopped |= is_ordered;
        items.push(Item::Refused(refused));
    }
    Ok(items)
}

/// Waits until the events are on disk, and says of each what became of it.
pub(super) async fn answer(
    items: Vec<Item>,
    source: &Source,
    box_id: &BoxId,
) -> Result<Reply, ErrorReply> {
    let mut results = Vec::with_capacity(items.len());
    let mut failed = 0;
    let mut cause = None;
    for item in items {
        let waits = match item {
            Item::Refused(taken) => {
                results.push(taken);
                continue;
            }
            Item::Waits(waits) => waits,
        };
        results.push(match waits.await.unwrap_or(Err(Error::Stopped)) {
            Ok(accepted) => Taken {
                status: if accepted.duplicate { 200 } else { 202 },
                id: Some(box_id.event(accepted.id)),
                error: None,
            },
            Err(error) => {
                failed += 1;
                let taken = Taken::refused(503, &error.to_string());
                cause = Some(error);
                taken
            }
        });
    }
    match cause {
        // Nothing can be stored now: the box waits with all it has.
        Some(error) if failed == results.len() => Err(cannot_store(&error, source)),
        _ => Ok(reply(StatusCode::OK, &json!(Results { results }))),
    }
}
