//! Writes bundles.

use std::collections::BTreeSet;
use std::io::Write;

use serde::Serialize;
use sha2::{Digest, Sha256};
use zstd::stream::write::Encoder;

use super::line::{AckLine, End, Head, LINE_BYTES_MAX, VERSION, What};
use crate::error::{Error, Result};
use crate::model::carried::{CarriedDelivery, CarriedEvent};
use crate::model::delivery::State;
use crate::model::header::is_passed_on;
use crate::model::id::EventId;
use crate::model::settings::Selection;
use crate::signature::{Secret, bundle};
use crate::store::{PAGE_MAX, Store};
use crate::time::Timestamp;

/// zstd's level: its own usual one.
const LEVEL: i32 = 3;

/// How the keys begin that events have which came from another box.
const EVENT_PREFIX: &str = "evt_";

/// Which events are written.
#[derive(Debug, Clone, Default)]
pub struct Chosen {
    /// Those that this selection means.
    pub selection: Selection,
    /// Only those that are pending: to the endpoint of the selection, or to any.
    pub is_pending: bool,
    /// Whether they keep all headers, those with credentials too.
    pub with_secrets: bool,
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// How many events, or ids of events.
    pub events: u64,
    /// Whether it is signed.
    pub is_signed: bool,
}

/// Writes events, the oldest first, with what became of each. Unless they are asked for, headers that may hold a
/// credential are left out, as for an endpoint.
///
/// # Errors
/// [`Error::NotFound`] when the endpoint or the source never existed; [`Error::Database`] when an event cannot
/// be read; [`Error::Io`] when it cannot be written.
pub fn write_events<W: Write>(
    store: &Store,
    chosen: &Chosen,
    secret: Option<&Secret>,
    to: W,
    now: Timestamp,
) -> Result<Written> {
    let mut lines = Lines::begin(store, What::Events, to, now)?;
    for id in ids(store, chosen)? {
        match event_line(store, id, chosen.with_secrets) {
            Ok(line) => lines.add(&line).map_err(|error| match error {
                Error::Misuse(why) => {
                    Error::misuse(format!("event {}: {why}", store.box_id().event(id)))
                }
                other => other,
            })?,
            // It was removed since.
            Err(Error::NotFound(_)) => {}
            Err(error) => return Err(error),
        }
    }
    lines.end(secret)
}

/// Writes which events of other boxes arrived through a source.
///
/// # Errors
/// As [`write_events`].
pub fn write_acks<W: Write>(
    store: &Store,
    selection: &Selection,
    secret: Option<&Secret>,
    to: W,
    now: Timestamp,
) -> Result<Written> {
    let mut lines = Lines::begin(store, What::Acks, to, now)?;
    let mut selection = selection.clone();
    loop {
        let page = store.events(&selection, PAGE_MAX)?;
        selection.before = page.last().map(|event| event.id.0);
        let is_last = page.len() < PAGE_MAX;
        let keys = page.into_iter().filter_map(|event| event.key);
        for arrived in keys.filter(|key| key.starts_with(EVENT_PREFIX)) {
            lines.add(&AckLine { arrived })?;
        }
        if is_last {
            return lines.end(secret);
        }
    }
}

/// The events that are meant, the oldest first.
fn ids(store: &Store, chosen: &Chosen) -> Result<BTreeSet<EventId>> {
    let mut ids = BTreeSet::new();
    let mut selection = chosen.selection.clone();
    if chosen.is_pending {
        selection.state = Some(State::Pending);
    }
    let is_of_deliveries = chosen.is_pending || selection.endpoint.is_some();
    loop {
        let (count, last) = match is_of_deliveries {
            true => {
                let page = store.deliveries(&selection, PAGE_MAX)?;
                // A replay that the receiver must take again has an id of its own, which is for the wire.
                let by_event = page.iter().filter(|delivery| !delivery.has_new_id);
                ids.extend(by_event.map(|delivery| delivery.event));
                (page.len(), page.last().map(|delivery| delivery.id.0))
            }
            false => {
                let page = store.events(&selection, PAGE_MAX)?;
                ids.extend(page.iter().map(|event| event.id));
                (page.len(), page.last().map(|event| event.id.0))
            }
        };
        selection.before = last;
        if count < PAGE_MAX {
            return Ok(ids);
        }
    }
}

fn event_line(store: &Store, id: EventId, with_secrets: bool) -> Result<CarriedEvent> {
    let event = store.sendable_event(id)?;
    let of_event = Selection {
        event: Some(id),
        ..Selection::default()
    };
    let deliveries = store.deliveries(&of_event, PAGE_MAX)?.into_iter().rev();
    let mut line = CarriedEvent::of(event, store.box_id().event(id), |name| {
        with_secrets || is_passed_on(name)
    });
    line.deliveries = deliveries
        .map(|delivery| CarriedDelivery {
            endpoint: delivery.endpoint,
            state: delivery.state.to_string(),
            settled_at: delivery.settled.map(|at| at.to_string()),
        })
        .collect();
    Ok(line)
}

/// The lines of a bundle on their way to a file.
struct Lines<W: Write> {
    to: Encoder<'static, W>,
    hash: Sha256,
    count: u64,
}

impl<W: Write> Lines<W> {
    fn begin(store: &Store, what: What, to: W, now: Timestamp) -> Result<Lines<W>> {
        let mut lines = Lines {
            to: Encoder::new(to, LEVEL).map_err(cannot_write)?,
            hash: Sha256::new(),
            count: 0,
        };
        lines.put(&Head {
            hookbox_bundle: VERSION,
            what,
            from: store.box_id().to_string(),
            made_at: now.to_string(),
        })?;
        Ok(lines)
    }

    fn add(&mut self, line: &impl Serialize) -> Result<()> {
        self.count += 1;
        self.put(line)
    }

    fn put(&mut self, line: &impl Serialize) -> Result<()> {
        let mut bytes =
            serde_json::to_vec(line).map_err(|error| cannot_write(std::io::Error::other(error)))?;
        bytes.push(b'\n');
        if bytes.len() > LINE_BYTES_MAX {
            return Err(Error::misuse(format!(
                "it is longer than a line of a bundle may be: {LINE_BYTES_MAX} bytes"
            )));
        }
        self.hash.update(&bytes);
        self.to.write_all(&bytes).map_err(cannot_write)
    }

    fn end(mut self, secret: Option<&Secret>) -> Result<Written> {
        let sha256 = hex::encode(self.hash.clone().finalize());
        let signature = secret
            .map(|secret| bundle::sign(secret, &sha256))
            .transpose()?;
        let is_signed = signature.is_some();
        self.put(&End {
            end: self.count,
            sha256,
            signature,
        })?;
        let mut to = self.to.finish().map_err(cannot_write)?;
        to.flush().map_err(cannot_write)?;
        Ok(Written {
            events: self.count,
            is_signed,
        })
    }
}

fn cannot_write(error: std::io::Error) -> Error {
    Error::io("write the bundle", error)
}
