//! What a person asks for: replay one or many deliveries, or cancel them.
//!
//! Deliveries that are named are replayed at once, in this file. For deliveries that a filter
//! selects, a record is stored (`bulk`). `search` finds them, `preview` shows what would happen,
//! and `make` creates the new deliveries while a process serves the file.

mod bulk;
mod cancel;
mod make;
mod preview;
mod search;

use std::collections::{BTreeSet, HashSet};

pub use cancel::PendingFound;
pub use make::{REPLAY_BATCH, REPLAY_PENDING_MAX, Step};
pub use preview::{Preview, PreviewOfEndpoint, Stopped};

use crate::error::{Error, Result};
use crate::model::activity::Facts;
use crate::model::delivery::State;
use crate::model::event::{BODY_BYTES_MAX, NewEvent};
use crate::model::id::{BoxId, DeliveryId, EndpointId, EventId, SourceId};
use crate::model::replay::Target;
use crate::model::settings::Selection;
use crate::store::engine::Store;
use crate::store::engine::conn::params;
use crate::store::engine::job::Tx;
use crate::store::engine::packed::{Packed, pack};
use crate::store::history::query::PAGE_MAX;
use crate::store::intake::accept::{NewDelivery, add_delivery, insert_event, pending_at};
use crate::store::setup::endpoint::endpoint_for;
use crate::time::Timestamp;

/// What is named to be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Original {
    /// This delivery.
    Delivery(DeliveryId),
    /// This event, to the endpoint that the options name.
    Event(EventId),
}

impl From<DeliveryId> for Original {
    fn from(id: DeliveryId) -> Original {
        Original::Delivery(id)
    }
}

impl Original {
    /// Its id as people and programs see it.
    pub fn outer(self, box_id: &BoxId) -> String {
        match self {
            Original::Delivery(id) => box_id.delivery(id),
            Original::Event(id) => box_id.event(id),
        }
    }
}

/// How what is named is replayed.
#[derive(Debug, Clone, Default)]
pub struct ReplayOptions {
    /// The endpoint that gets them; `None` sends each to the endpoint of the old delivery.
    pub to: Option<Target>,
    /// Whether the receiver must treat them as new: with another `webhook-id`.
    pub has_new_ids: bool,
    /// The body to send instead of the event's body: this stores a new event, linked to the old
    /// one.
    pub edited_body: Option<Vec<u8>>,
}

/// The fields of a delivery that decide what may be done with it.
struct Held {
    id: DeliveryId,
    event: EventId,
    endpoint: EndpointId,
    endpoint_name: String,
    state: State,
}

/// An edited copy of an event, ready to be written.
struct Edited {
    /// The event without its body.
    event: NewEvent,
    body: Packed,
    facts: Facts,
}

impl Store {
    /// Creates a new delivery for each of these, due at once, and linked to an old one by `replay_of`.
    /// The old deliveries stay as they were. Either all are created or none.
    ///
    /// # Errors
    /// [`Error::NotFound`] when one does not exist, or the endpoint that is to get them does not;
    /// [`Error::Misuse`] when its event is pending there already (it will be sent anyway), its
    /// endpoint is removed, no endpoint is given for an event, or one body is given for several events.
    pub fn replay(
        &self,
        named: Vec<impl Into<Original>>,
        options: ReplayOptions,
        now: Timestamp,
    ) -> Result<Vec<DeliveryId>> {
        let box_id = self.box_id().clone();
        // What is named twice is sent once.
        let named: BTreeSet<Original> = named.into_iter().map(Into::into).collect();
        let edited = match &options.edited_body {
            None => None,
            Some(body) => Some(self.edit(&named, body.clone())?),
        };
        self.write(move |tx| {
            let to = options.to.as_ref();
            let to = to.map(|target| endpoint_for(tx, target, now)).transpose()?;
            let copy = match &edited {
                None => None,
                Some(Edited { event, body, facts }) => {
                    Some(insert_event(tx, event, body, facts, now)?)
                }
            };
            let mut all = Vec::new();
            for one in &named {
                all.push(match *one {
                    Original::Delivery(id) => {
                        let held = read_held(tx, &box_id, id)?;
                        (held.event, Some(id), goes_to(tx, &box_id, &held, to)?)
                    }
                    Original::Event(id) => {
                        let to = to.ok_or_else(|| goes_nowhere(&box_id, id))?;
                        (id, newest_settled(tx, &box_id, id, to)?, to)
                    }
                });
            }
            // In the order of their events, whatever the order of the list was.
            all.sort_by_key(|(event, delivery, _)| (*event, *delivery));
            let mut made = Vec::new();
            let mut gets_it = HashSet::new();
            for (event, delivery, endpoint) in all {
                // If several deliveries of one event go to one endpoint, only the first is
                // replayed.
                if !gets_it.insert((event, endpoint)) {
                    continue;
                }
                if copy.is_none()
                    && let Some(pending) = pending_at(tx, event, endpoint)?
                {
                    return Err(pending_already(&box_id, delivery, pending));
                }
                let new = NewDelivery {
                    replay_of: delivery,
                    has_new_id: options.has_new_ids,
                    ..NewDelivery::new(copy.unwrap_or(event), endpoint)
                };
                made.push(add_delivery(tx, &new, now)?);
            }
            Ok(made)
        })
    }

    /// What these ids name. An event's id stands for its newest delivery to each endpoint that still
    /// exists and where the event is not pending; or, if `has_target` says that an endpoint will be given,
    /// for the event itself, which goes there.
    ///
    /// # Errors
    /// [`Error::Misuse`] when one is not an id, or an event has no such delivery and no target;
    /// [`Error::NotFound`] when there is no such event.
    #[doc(hidden)]
    pub fn originals(&self, ids: &[impl AsRef<str>], has_target: bool) -> Result<Vec<Original>> {
        let mut named = Vec::new();
        for id in ids {
            let id = id.as_ref().trim();
            if !id.starts_with("evt_") {
                named.push(Original::Delivery(self.box_id().parse_delivery(id)?));
                continue;
            }
            let event = self.event(self.box_id().parse_event(id)?)?.id;
            match has_target {
                true => named.push(Original::Event(event)),
                false => named.extend(self.settled_of(event)?),
            }
        }
        Ok(named)
    }

    fn settled_of(&self, event: EventId) -> Result<Vec<Original>> {
        let of_event = Selection {
            event: Some(event),
            ..Selection::default()
        };
        // Newest first.
        let all = self.deliveries(&of_event, PAGE_MAX)?;
        if all.is_empty() {
            return Err(goes_nowhere(self.box_id(), event));
        }
        let directory = self.fresh_directory()?;
        let mut endpoints = HashSet::new();
        let newest = all.iter().filter(|one| endpoints.insert(one.endpoint_id));
        let settled: Vec<Original> = newest
            .filter(|one| directory.endpoint_by_id(one.endpoint_id).is_some())
            .filter(|newest| {
                let mut same = all
                    .iter()
                    .filter(|one| one.endpoint_id == newest.endpoint_id);
                same.all(|one| one.state != State::Pending)
            })
            .map(|one| Original::Delivery(one.id))
            .collect();
        match settled.is_empty() {
            true => Err(Error::misuse(format!(
                "{} has nothing to replay: it is pending, and will be sent by itself, or its endpoints are removed; an endpoint named as target (`--to`) gets it all the same",
                self.box_id().event(event)
            ))),
            false => Ok(settled),
        }
    }

    /// A copy of the one event that is named, with another body.
    fn edit(&self, named: &BTreeSet<Original>, body: Vec<u8>) -> Result<Edited> {
        if body.len() > BODY_BYTES_MAX {
            return Err(Error::misuse(format!(
                "the edited body is {} bytes, limit is {BODY_BYTES_MAX}",
                body.len()
            )));
        }
        let events = self.events_of_originals(named)?;
        let (Some(id), 1) = (events.iter().next().copied(), events.len()) else {
            return Err(Error::misuse(
                "these are deliveries of several events; an edited body stands for one event: replay those of one at a time",
            ));
        };
        let old = self.event(id)?;
        let source = old.source.as_deref();
        let kind = source.and_then(|name| self.directory().source(name).map(|source| source.kind));
        let event = NewEvent {
            source: self.source_of_event(id)?,
            original_type: old.original_type,
            content_type: old.content_type,
            headers: old.headers,
            replay_of: Some(id),
            ..NewEvent::new(old.event_type, Vec::new())
        };
        let content_type = event.content_type.as_deref();
        let facts = Facts::read(kind, &event.event_type, content_type, &event.headers, &body);
        Ok(Edited {
            facts,
            body: pack(body),
            event,
        })
    }

    /// The events that are named, or whose deliveries are.
    ///
    /// # Errors
    /// [`Error::NotFound`] when a delivery does not exist.
    #[doc(hidden)]
    pub fn events_of_originals<'n>(
        &self,
        named: impl IntoIterator<Item = &'n Original>,
    ) -> Result<BTreeSet<EventId>> {
        let mut events = BTreeSet::new();
        for one in named {
            events.insert(match *one {
                Original::Delivery(id) => self.delivery(id)?.event,
                Original::Event(id) => id,
            });
        }
        Ok(events)
    }

    fn source_of_event(&self, id: EventId) -> Result<Option<SourceId>> {
        self.read(|conn| {
            conn.one(
                "select source_id from hookbox_event where id = :id",
                params! { ":id": id },
                |row| row.get(0),
            )
        })
    }
}

/// The endpoint that a replay of this delivery goes to.
fn goes_to(tx: &Tx<'_>, box_id: &BoxId, held: &Held, to: Option<EndpointId>) -> Result<EndpointId> {
    let outer = box_id.delivery(held.id);
    let endpoint = to.unwrap_or(held.endpoint);
    if held.state == State::Pending && endpoint == held.endpoint {
        return Err(pending_already(box_id, Some(held.id), held.id));
    }
    if to.is_none() && tx.directory.endpoint_by_id(endpoint).is_none() {
        return Err(Error::misuse(format!(
            "{outer} went to endpoint {}, which is removed; there is nowhere to send it, unless --to names another",
            held.endpoint_name
        )));
    }
    Ok(endpoint)
}

/// The newest settled delivery of an event to an endpoint: one that is sent now repeats it.
fn newest_settled(
    tx: &Tx<'_>,
    box_id: &BoxId,
    event: EventId,
    endpoint: EndpointId,
) -> Result<Option<DeliveryId>> {
    let is_there = tx.conn.maybe(
        "select 1 from hookbox_event where id = :event",
        params! { ":event": event },
        |_| Ok(()),
    )?;
    is_there.ok_or_else(|| Error::not_found(format!("no event {}", box_id.event(event))))?;
    tx.conn.one(
        "select max(id) from hookbox_delivery
         where event_id = :event and endpoint_id = :endpoint and state <> 'pending'",
        params! { ":event": event, ":endpoint": endpoint },
        |row| row.get(0),
    )
}

/// The error for an event without an endpoint that gets it.
fn goes_nowhere(box_id: &BoxId, event: EventId) -> Error {
    let outer = box_id.event(event);
    Error::misuse(format!(
        "{outer} is owed to no endpoint (`hookbox endpoint match ENDPOINT {outer}` says why); name the one that gets it with `--to`"
    ))
}

/// The error for an event that is pending at the endpoint: it will be sent anyway, so a replay
/// would be a repeat.
fn pending_already(box_id: &BoxId, asked: Option<DeliveryId>, pending: DeliveryId) -> Error {
    let outer = box_id.delivery(pending);
    let what = match asked {
        Some(asked) if asked != pending => format!(
            "{outer}, of the same event and to the same endpoint as {}, is pending",
            box_id.delivery(asked)
        ),
        _ => format!("{outer} is still pending"),
    };
    Error::misuse(format!(
        "{what} and will be sent by itself; to send it anew, cancel it first: hookbox delivery cancel {outer}"
    ))
}

fn read_held(tx: &Tx<'_>, box_id: &BoxId, id: DeliveryId) -> Result<Held> {
    tx.conn
        .maybe(
            "select d.id, d.event_id, d.endpoint_id, p.name, d.state
             from hookbox_delivery as d
             join hookbox_endpoint as p on p.id = d.endpoint_id
             where d.id = :id",
            params! { ":id": id },
            |row| {
                Ok(Held {
                    id: row.get(0)?,
                    event: row.get(1)?,
                    endpoint: row.get(2)?,
                    endpoint_name: row.get(3)?,
                    state: row.get(4)?,
                })
            },
        )?
        .ok_or_else(|| Error::not_found(format!("no delivery {}", box_id.delivery(id))))
}
