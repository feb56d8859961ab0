//! Accepts an event: stores it once per key, and creates a delivery for every endpoint that wants it.

use std::sync::Arc;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::model::activity::Facts;
use crate::model::delivery::State;
use crate::model::event::{Accepted, NewEvent};
use crate::model::id::{DeliveryId, EndpointId, EventId, ReplayId, SourceId};
use crate::model::kind::OnRepeat;
use crate::model::scope::Scope;
use crate::model::source::Source;
use crate::store::engine::Store;
use crate::store::engine::columns::HeadersRef;
use crate::store::engine::conn::params;
use crate::store::engine::directory::Directory;
use crate::store::engine::job::{Outline, Tx};
use crate::store::engine::later::Table;
use crate::store::engine::packed::{Packed, pack};
use crate::store::intake::route::Routes;
use crate::time::Timestamp;

/// A repeat within this time after the first request never asks for a replay: it is taken for an automatic
/// one (a lost answer, a restart). After this time a person is assumed to have pressed the button.
pub const REPEAT_QUIET: Duration = Duration::from_secs(10);

impl Store {
    /// Stores an event and its deliveries, and returns when they are on disk.
    ///
    /// # Errors
    /// [`Error::Misuse`] when the event is not valid; [`Error::NotFound`] when its source was removed;
    /// [`Error::Closed`] while no event is accepted; [`Error::Database`] when it cannot be stored. Nothing
    /// is stored then.
    ///
    /// ```
    /// use hookbox::model::event::NewEvent;
    /// use hookbox::store::{Missing, Store};
    /// use hookbox::time::Timestamp;
    /// let folder = tempfile::tempdir()?;
    /// let store = Store::open(folder.path().join("hookbox.db"), Missing::Create)?;
    /// let order = NewEvent {
    ///     key: Some("order-1".to_owned()),
    ///     ..NewEvent::new("order.paid", br#"{"id":1}"#)
    /// };
    /// let first = store.accept(order.clone(), Timestamp(0))?;
    /// let again = store.accept(order, Timestamp(1))?;
    /// assert_eq!((first.id, true), (again.id, again.duplicate));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn accept(&self, event: NewEvent, now: Timestamp) -> Result<Accepted> {
        let prepared = self.prepare(event)?;
        self.published().ask_for_keys();
        self.write(move |tx| accept(tx, &prepared, now))
    }

    /// As [`Store::accept`], without waiting: `answer` is called after the commit, on the
    /// writer's thread, and must return at once.
    #[doc(hidden)]
    pub fn accept_then(
        &self,
        event: NewEvent,
        now: Timestamp,
        answer: impl FnOnce(Result<Accepted>) + Send + 'static,
    ) {
        let prepared = match self.prepare(event) {
            Ok(prepared) => prepared,
            Err(error) => return answer(Err(error)),
        };
        self.published().ask_for_keys();
        let source = prepared.event.source;
        let outline = Outline {
            bytes: prepared.body.bytes.len(),
            is_urgent: true,
            key: prepared.event.key.clone().map(|key| (source, key)),
        };
        self.submit(outline, move |tx| accept(tx, &prepared, now), answer);
    }

    /// As [`Store::accept_then`], for events that are stored together: all of them, or none.
    pub(crate) fn accept_all_then(
        &self,
        events: Vec<NewEvent>,
        now: Timestamp,
        answer: impl FnOnce(Result<Vec<Accepted>>) + Send + 'static,
    ) {
        let prepared: Result<Vec<Prepared>> = events
            .into_iter()
            .map(|event| self.prepare(event))
            .collect();
        let prepared = match prepared {
            Ok(prepared) => prepared,
            Err(error) => return answer(Err(error)),
        };
        self.published().ask_for_keys();
        let outline = Outline {
            bytes: prepared.iter().map(|one| one.body.bytes.len()).sum(),
            is_urgent: true,
            ..Outline::default()
        };
        let accept_all =
            move |tx: &mut Tx<'_>| prepared.iter().map(|one| accept(tx, one, now)).collect();
        self.submit(outline, accept_all, answer);
    }

    /// Which of these keys of a source are those of events that are here.
    ///
    /// # Errors
    /// [`Error::Database`] when the keys cannot be read.
    #[doc(hidden)]
    pub fn known_keys(&self, source: SourceId, keys: Vec<String>) -> Result<Vec<bool>> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        self.published().ask_for_keys();
        self.write(move |tx| {
            let found = keys
                .iter()
                .map(|key| tx.keys.find(tx.conn, Some(source), key));
            found.map(|known| Ok(known?.is_some())).collect()
        })
    }

    /// Does all work that needs no transaction, in the caller's thread, so that the writer is busy for less
    /// time.
    pub(crate) fn prepare(&self, mut event: NewEvent) -> Result<Prepared> {
        if let Some(closed) = self.published().trouble.closed() {
            return Err(closed);
        }
        event.check()?;
        let mut directory = self.directory();
        if source_of(&directory, &event).is_err() {
            // A source that was added a moment ago must be found too.
            directory = self.fresh_directory()?;
        }
        let source = source_of(&directory, &event)?;
        let body = std::mem::take(&mut event.body);
        let content_type = event.content_type.as_deref();
        let kind = source.map(|source| source.kind.behind(&event.headers));
        let facts = Facts::read(kind, &event.event_type, content_type, &event.headers, &body);
        let routes = Routes::find(&directory, body.len(), || {
            scope(&event, source, &facts, &body)
        });
        routes.tell_of_failures(&directory, &event.event_type);
        Ok(Prepared {
            facts,
            routes,
            body: pack(body),
            event,
            may_replay: true,
        })
    }
}

/// An event that is ready to be written.
pub(crate) struct Prepared {
    /// The event without its body.
    event: NewEvent,
    body: Packed,
    facts: Facts,
    routes: Routes,
    /// Whether a known key may ask for a replay.
    pub(crate) may_replay: bool,
}

/// The data that the filters of endpoints may use.
fn scope<'a>(
    event: &'a NewEvent,
    source: Option<&'a Arc<Source>>,
    facts: &'a Facts,
    body: &'a [u8],
) -> Scope<'a> {
    Scope {
        kind: source.map(|source| source.kind.behind(&event.headers)),
        branch: facts.branch.as_deref(),
        headers: &event.headers,
        content_type: event.content_type.as_deref(),
        ..Scope::new(
            &event.event_type,
            source.map(|source| source.name.as_str()),
            body,
        )
    }
}

/// The source of an event, if it has one.
fn source_of<'d>(directory: &'d Directory, event: &NewEvent) -> Result<Option<&'d Arc<Source>>> {
    match event.source {
        None => Ok(None),
        Some(id) => directory.source_by_id(id).map(Some).ok_or_else(removed),
    }
}

fn removed() -> Error {
    Error::not_found("the source was removed")
}

/// Stores an event and its deliveries, unless its key is known.
pub(crate) fn accept(tx: &mut Tx<'_>, prepared: &Prepared, now: Timestamp) -> Result<Accepted> {
    let Prepared {
        event, body, facts, ..
    } = prepared;
    let directory = tx.directory.clone();
    let source = source_of(&directory, event)?;
    let on_repeat = source.map_or(OnRepeat::Ignore, |source| source.on_repeat);
    let found;
    let routes = if prepared.routes.is_of(&directory) {
        &prepared.routes
    } else {
        let body = body
            .unpacked()
            .map_err(|error| Error::io("unpack a body", error))?;
        found = Routes::find(&directory, body.len(), || {
            scope(event, source, facts, &body)
        });
        &found
    };
    if let Some(key) = &event.key
        && let Some(known) = tx.keys.find(tx.conn, event.source, key)?
    {
        let may_ask = prepared.may_replay && on_repeat == OnRepeat::Replay;
        let asked = may_ask && now.since(known.received) > REPEAT_QUIET;
        let again = match asked {
            true => route_again(tx, known.id, routes, now)?,
            false => RepeatResult::default(),
        };
        return Ok(Accepted {
            id: known.id,
            duplicate: true,
            deliveries: again.replayed,
            made_due: again.made_due,
        });
    }
    let id = insert_event(tx, event, body, facts, now)?;
    if let Some(key) = &event.key {
        tx.keys.add(tx.conn, id, event.source, key)?;
    }
    let deliveries = route(tx, id, routes, now)?;
    Ok(Accepted {
        id,
        duplicate: false,
        deliveries,
        made_due: 0,
    })
}

/// Adds the row of an event.
pub(crate) fn insert_event(
    tx: &mut Tx<'_>,
    event: &NewEvent,
    body: &Packed,
    facts: &Facts,
    now: Timestamp,
) -> Result<EventId> {
    tx.mark()?;
    let later = tx.conn.later();
    let id = later.new_id(Table::Event)?;
    let id = later.insert(
        id,
        "insert into hookbox_event (
             id, source_id, type, original_type, key, received_ms, content_type,
             summary, branch, is_json, problem, bytes, encoding, replay_of_event, headers, body
         ) values (
             :id, :source, :type, :original_type, :key, :now, :content_type,
             :summary, :branch, :is_json, :problem, :bytes, :encoding, :replay_of, :headers,
             :body
         )",
        params! {
            ":id": id,
            ":source": event.source,
            ":type": event.event_type,
            ":original_type": event.original_type,
            ":key": event.key,
            ":now": now,
            ":content_type": event.content_type,
            ":summary": facts.summary,
            ":branch": facts.branch,
            ":is_json": facts.is_json,
            ":problem": event.problem,
            ":headers": HeadersRef(&event.headers),
            ":body": body.bytes,
            ":encoding": body.encoding,
            ":bytes": body.body_bytes,
            ":replay_of": event.replay_of,
        },
    )?;
    tx.tally.event_added(event.source, now);
    Ok(EventId(id))
}

/// Adds a delivery of a new event for every endpoint that wants it.
fn route(tx: &mut Tx<'_>, event: EventId, routes: &Routes, now: Timestamp) -> Result<usize> {
    let later = tx.conn.later();
    later.expect(Table::Delivery, routes.endpoints.len());
    for route in &routes.endpoints {
        let new = NewDelivery {
            when_error: route.when_error.as_deref(),
            ..NewDelivery::new(event, route.endpoint)
        };
        add_delivery(tx, &new, now)?;
    }
    Ok(routes.endpoints.len())
}

/// The result of a repeat that asks for a replay.
#[derive(Debug, Default)]
struct RepeatResult {
    /// How many deliveries were created.
    replayed: usize,
    /// How many pending deliveries were made due now.
    made_due: usize,
}

/// Sends a known event again to every endpoint that wants it now. If the last delivery to the endpoint is
/// settled, a replay of it is added; if one is pending, it is made due now.
fn route_again(
    tx: &mut Tx<'_>,
    event: EventId,
    routes: &Routes,
    now: Timestamp,
) -> Result<RepeatResult> {
    let mut again = RepeatResult::default();
    for route in &routes.endpoints {
        if let Some(pending) = pending_at(tx, event, route.endpoint)? {
            again.made_due += usize::from(make_due(tx, pending, route.endpoint, now)?);
            continue;
        }
        let last: Option<DeliveryId> = tx.conn.one(
            LAST_DELIVERY,
            params! { ":event": event, ":endpoint": route.endpoint },
            |row| row.get(0),
        )?;
        let new = NewDelivery {
            replay_of: last,
            when_error: route.when_error.as_deref(),
            ..NewDelivery::new(event, route.endpoint)
        };
        add_delivery(tx, &new, now)?;
        again.replayed += 1;
    }
    Ok(again)
}

/// The index is named: through the index by endpoint this would read every delivery that the endpoint ever
/// had.
const LAST_DELIVERY: &str = "select max(id)
     from hookbox_delivery indexed by hookbox_delivery_event
     where event_id = :event and endpoint_id = :endpoint";

/// A delivery to be added.
pub(crate) struct NewDelivery<'a> {
    pub(crate) event: EventId,
    pub(crate) endpoint: EndpointId,
    /// The delivery that it repeats.
    pub(crate) replay_of: Option<DeliveryId>,
    /// The bulk replay that it is made for.
    pub(crate) replay: Option<ReplayId>,
    /// Whether the receiver must take the event again.
    pub(crate) has_new_id: bool,
    /// The error of the endpoint's expression on this event, if it failed.
    pub(crate) when_error: Option<&'a str>,
    /// Whether it waits for no other events, where they are collected for one message.
    pub(crate) is_urgent: bool,
}

impl NewDelivery<'_> {
    /// A delivery that is no replay.
    pub(crate) fn new(event: EventId, endpoint: EndpointId) -> NewDelivery<'static> {
        NewDelivery {
            event,
            endpoint,
            replay_of: None,
            replay: None,
            has_new_id: false,
            when_error: None,
            is_urgent: false,
        }
    }
}

/// Adds one pending delivery, due at once.
pub(crate) fn add_delivery(
    tx: &mut Tx<'_>,
    new: &NewDelivery<'_>,
    now: Timestamp,
) -> Result<DeliveryId> {
    tx.mark()?;
    let endpoint = tx.directory.endpoint_by_id(new.endpoint);
    let collected = endpoint.and_then(|endpoint| endpoint.set.collects_for());
    // As if it had been collected already.
    let due = collected
        .filter(|_| new.is_urgent)
        .map_or(now, |span| now.minus(span));
    let later = tx.conn.later();
    let id = later.new_id(Table::Delivery)?;
    let id = later.insert(
        id,
        "insert into hookbox_delivery (
             id, event_id, endpoint_id, state, created_ms, due_ms, replay_of, replay_id, new_id,
             when_error
         ) values (
             :id, :event, :endpoint, :pending, :now, :due, :replay_of, :replay, :new_id,
             :when_error
         )",
        params! {
            ":id": id,
            ":event": new.event,
            ":endpoint": new.endpoint,
            ":pending": State::Pending,
            ":now": now,
            ":due": due,
            ":replay_of": new.replay_of,
            ":replay": new.replay,
            ":new_id": new.has_new_id,
            ":when_error": new.when_error,
        },
    )?;
    tx.tally.delivery_added(new.endpoint);
    if new.when_error.is_some() {
        tx.tally.when_failed(new.endpoint);
    }
    Ok(DeliveryId(id))
}

/// The pending delivery of an event to an endpoint, if there is one: it will be sent anyway.
pub(crate) fn pending_at(
    tx: &Tx<'_>,
    event: EventId,
    endpoint: EndpointId,
) -> Result<Option<DeliveryId>> {
    tx.conn.one(
        PENDING_AT,
        params! { ":event": event, ":endpoint": endpoint },
        |row| row.get(0),
    )
}

const PENDING_AT: &str = "select min(id)
     from hookbox_delivery indexed by hookbox_delivery_event
     where event_id = :event and endpoint_id = :endpoint and state = 'pending'";

/// Makes a pending delivery due now, if it waits for its next try; no try is added. Returns whether it
/// waited.
fn make_due(tx: &mut Tx<'_>, id: DeliveryId, endpoint: EndpointId, now: Timestamp) -> Result<bool> {
    let changed = tx.conn.run(
        "update hookbox_delivery set due_ms = :now
         where id = :id and state = 'pending' and due_ms > :now",
        params! { ":id": id, ":now": now },
    )?;
    if changed > 0 {
        tx.tally.wake(endpoint);
    }
    Ok(changed > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::engine::plan::plan_of;

    #[test]
    fn the_last_delivery_of_an_event_is_found_without_reading_its_endpoints_history() {
        for statement in [LAST_DELIVERY, PENDING_AT] {
            let plan = plan_of(statement);
            assert!(
                plan.contains("hookbox_delivery_event (event_id=?)"),
                "{plan}"
            );
        }
    }
}
