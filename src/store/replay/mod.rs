//! What a person asks for: replay one or many deliveries, or cancel them.
//!
//! Deliveries that are named are replayed at once, in this file. For deliveries that a filter
//! selects, a record is stored (`bulk`). `search` finds them, `preview` shows what would happen,
//! and `make` creates the new deliveries while a process serves the file.

mod bulk;
mod make;
mod preview;
mod search;

use std::collections::HashSet;

pub use make::{REPLAY_BATCH, REPLAY_PENDING_MAX, Step};
pub use preview::{Preview, PreviewOfEndpoint, Stopped};

use crate::error::{Error, Result};
use crate::model::activity::Facts;
use crate::model::delivery::{State, Transition, next_state};
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

/// How named deliveries are replayed.
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
    /// Creates a new delivery for each of these, linked by `replay_of` and due at once. The old
    /// deliveries stay as they were. Either all are created or none.
    ///
    /// # Errors
    /// [`Error::NotFound`] when one does not exist, or the endpoint that is to get them does not;
    /// [`Error::Misuse`] when its event is pending there already (it will be sent anyway), its
    /// endpoint is removed, or one body is given for several events.
    pub fn replay(
        &self,
        deliveries: Vec<DeliveryId>,
        options: ReplayOptions,
        now: Timestamp,
    ) -> Result<Vec<DeliveryId>> {
        let box_id = self.box_id().clone();
        // A delivery that is named twice is sent once.
        let mut seen = HashSet::new();
        let deliveries: Vec<DeliveryId> = deliveries
            .into_iter()
            .filter(|id| seen.insert(*id))
            .collect();
        let edited = match &options.edited_body {
            None => None,
            Some(body) => Some(self.edit(&deliveries, body.clone())?),
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
            let mut all = deliveries
                .iter()
                .map(|id| read_held(tx, &box_id, *id))
                .collect::<Result<Vec<Held>>>()?;
            // In the order of their events, whatever the order of the list was.
            all.sort_by_key(|held| (held.event, held.id));
            let mut made = Vec::new();
            let mut gets_it = HashSet::new();
            for held in &all {
                let endpoint = goes_to(tx, &box_id, held, to)?;
                // If several deliveries of one event go to one endpoint, only the first is
                // replayed.
                if !gets_it.insert((held.event, endpoint)) {
                    continue;
                }
                if copy.is_none()
                    && let Some(pending) = pending_at(tx, held.event, endpoint)?
                {
                    return Err(pending_already(&box_id, held.id, pending));
                }
                let new = NewDelivery {
                    replay_of: Some(held.id),
                    has_new_id: options.has_new_ids,
                    ..NewDelivery::new(copy.unwrap_or(held.event), endpoint)
                };
                made.push(add_delivery(tx, &new, now)?);
            }
            Ok(made)
        })
    }

    /// The deliveries that these ids name. An event's id stands for its newest delivery to each
    /// endpoint that still exists and where the event is not pending.
    ///
    /// # Errors
    /// [`Error::Misuse`] when one is not an id, or an event has no such delivery;
    /// [`Error::NotFound`] when there is no such event.
    pub fn named_deliveries(&self, ids: &[impl AsRef<str>]) -> Result<Vec<DeliveryId>> {
        let mut named = Vec::new();
        for id in ids {
            let id = id.as_ref();
            if id.starts_with("evt_") {
                named.extend(self.settled_of(self.box_id().parse_event(id)?)?);
            } else {
                named.push(self.box_id().parse_delivery(id)?);
            }
        }
        Ok(named)
    }

    fn settled_of(&self, event: EventId) -> Result<Vec<DeliveryId>> {
        let outer = self.box_id().event(event);
        let of_event = Selection {
            event: Some(event),
            ..Selection::default()
        };
        // Newest first.
        let all = self.deliveries(&of_event, PAGE_MAX)?;
        if all.is_empty() {
            return Err(Error::misuse(format!(
                "{outer} was owed to no endpoint; `hookbox endpoint match ENDPOINT {outer}` says why, and `hookbox backfill ENDPOINT --since TIME` owes it"
            )));
        }
        let directory = self.fresh_directory()?;
        let mut endpoints = HashSet::new();
        let newest = all.iter().filter(|one| endpoints.insert(one.endpoint_id));
        let settled: Vec<DeliveryId> = newest
            .filter(|one| directory.endpoint_by_id(one.endpoint_id).is_some())
            .filter(|newest| {
                let mut same = all
                    .iter()
                    .filter(|one| one.endpoint_id == newest.endpoint_id);
                same.all(|one| one.state != State::Pending)
            })
            .map(|one| one.id)
            .collect();
        match settled.is_empty() {
            true => Err(Error::misuse(format!(
                "{outer} has nothing to replay: it is pending, and will be sent by itself, or its endpoints are removed"
            ))),
            false => Ok(settled),
        }
    }

    /// Cancels a pending delivery. A request that is on the wire is not stopped.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it does not exist; [`Error::Misuse`] when it is settled already.
    pub fn cancel(&self, delivery: DeliveryId, now: Timestamp) -> Result<()> {
        let box_id = self.box_id().clone();
        self.write(move |tx| cancel_one(tx, &box_id, delivery, now))
    }

    /// A copy of the one event of these deliveries, with another body.
    fn edit(&self, deliveries: &[DeliveryId], body: Vec<u8>) -> Result<Edited> {
        if body.len() > BODY_BYTES_MAX {
            return Err(Error::misuse(format!(
                "the edited body is {} bytes, limit is {BODY_BYTES_MAX}",
                body.len()
            )));
        }
        let mut events = HashSet::new();
        for id in deliveries {
            events.insert(self.delivery(*id)?.event);
        }
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
        return Err(pending_already(box_id, held.id, held.id));
    }
    if to.is_none() && tx.directory.endpoint_by_id(endpoint).is_none() {
        return Err(Error::misuse(format!(
            "{outer} went to endpoint {}, which is removed; there is nowhere to send it, unless --to names another",
            held.endpoint_name
        )));
    }
    Ok(endpoint)
}

/// The error for an event that is pending at the endpoint: it will be sent anyway, so a replay
/// would be a repeat.
fn pending_already(box_id: &BoxId, asked: DeliveryId, pending: DeliveryId) -> Error {
    let outer = box_id.delivery(pending);
    let what = match asked == pending {
        true => format!("{outer} is still pending"),
        false => format!(
            "{outer}, of the same event and to the same endpoint as {}, is pending",
            box_id.delivery(asked)
        ),
    };
    Error::misuse(format!(
        "{what} and will be sent by itself; to send it anew, cancel it first: hookbox delivery cancel {outer}"
    ))
}

fn cancel_one(tx: &mut Tx<'_>, box_id: &BoxId, id: DeliveryId, now: Timestamp) -> Result<()> {
    let held = read_held(tx, box_id, id)?;
    let change = Transition::Cancel {
        reason: "cancelled by hand".to_owned(),
    };
    let (Some(to), Transition::Cancel { reason }) = (next_state(held.state, &change), &change)
    else {
        return Err(Error::misuse(format!(
            "{} is {} already; only a pending delivery can be cancelled",
            box_id.delivery(id),
            held.state
        )));
    };
    tx.conn.change_one(
        "update hookbox_delivery
         set state = :to, due_ms = null, settled_ms = :now, reason = :reason
         where id = :id and state = :from",
        params! {
            ":to": to,
            ":now": now,
            ":reason": reason,
            ":id": id,
            ":from": held.state,
        },
    )?;
    tx.tally.deliveries_moved(held.endpoint, held.state, to, 1);
    // The deliveries after this one no longer wait for it.
    tx.tally.wake(held.endpoint);
    Ok(())
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
