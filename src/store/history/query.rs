//! Lists and single records of the history: events, deliveries, attempts.
//!
//! Lists go from the newest row to the oldest. Pages are cut by id, so a page stays the same while
//! rows are added, and the hundredth page costs as much as the first.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::model::activity::Facts;
use crate::model::attempt::{AttemptRecord, Timing};
use crate::model::delivery::{DeliveryRecord, EndpointWaits, State};
use crate::model::event::{EventRecord, summary};
use crate::model::id::{AttemptId, DeliveryId, EventId};
use crate::model::settings::{Listing, Selection};
use crate::store::engine::Store;
use crate::store::engine::columns::{Headers, Micros};
use crate::store::engine::conn::{Row, params};
use crate::store::engine::packed::read_body;
use crate::store::history::conditions::{Conditions, Named, of_type, some};
use crate::store::history::report::total;
use crate::time::Timestamp;

/// Default number of rows in a list.
pub const PAGE_DEFAULT: usize = 100;

/// Maximum rows in one page; a longer list is read page by page.
pub const PAGE_MAX: usize = 1_000;

/// Maximum pending deliveries that are sorted for a page: this takes some milliseconds.
const SORTED_MAX: i64 = 10_000;

/// An outage: a time in which an endpoint could not be reached.
#[derive(Debug, Clone)]
pub struct OutageRecord {
    /// Its row id.
    pub id: i64,
    /// The endpoint's name.
    pub endpoint: String,
    /// When it was noticed.
    pub since: Timestamp,
    /// The time of the last probe.
    pub last_probe: Timestamp,
    /// The number of probes.
    pub probes: i64,
    /// The error of the last probe.
    pub error: String,
    /// When the endpoint was reached again, or removed; `None` while the outage lasts.
    pub ended: Option<Timestamp>,
    /// Whether it ended since the endpoint was removed.
    pub ended_by_removal: bool,
}

impl OutageRecord {
    /// As a JSON object.
    pub fn json(&self) -> Value {
        json!({
            "endpoint": self.endpoint,
            "since": self.since.to_string(),
            "until": self.ended.map(|at| at.to_string()),
            "removed": self.ended_by_removal,
            "last_probe_at": self.last_probe.to_string(),
            "probes": self.probes,
            "error": self.error,
        })
    }
}

const EVENT_COLUMNS: &str =
    "select e.id, s.name as source, e.type, e.original_type, e.key, e.received_ms, e.content_type,
        e.summary, e.branch, e.is_json, e.problem, e.headers, e.bytes, e.replay_of_event
     from hookbox_event as e
     left join hookbox_source as s on s.id = e.source_id";

const DELIVERY_COLUMNS: &str =
    "select d.id, d.event_id, d.endpoint_id, p.name as endpoint, e.type, s.name as source,
        e.summary, d.state, d.tries, d.attempts, d.created_ms, d.due_ms, d.settled_ms, d.reason, d.replay_of,
        d.when_error, d.replay_id, d.new_id, d.superseded_by,
        p.held_reason as held, o.error as offline, q.until_ms as paced_until_ms,
        p.\"window\", p.ordered, case when p.digest_ms > 0 then p.digest_ms + (
            select min(f.due_ms) from hookbox_delivery as f
            where f.endpoint_id = d.endpoint_id and f.state = 'pending'
        ) end as collected_until_ms,
        (select a.status from hookbox_attempt as a
            where a.id = d.id * 1024 + d.attempts and a.delivery_id = d.id) as status
     from hookbox_delivery as d";

const DELIVERY_JOINS: &str = "join hookbox_event as e on e.id = d.event_id
     join hookbox_endpoint as p on p.id = d.endpoint_id
     left join hookbox_source as s on s.id = e.source_id
     left join hookbox_outage as o on o.endpoint_id = d.endpoint_id and o.ended_ms is null
     left join hookbox_pace as q on q.endpoint_id = d.endpoint_id";

pub(crate) const ATTEMPT_COLUMNS: &str =
    "select id, delivery_id, number, started_ms, resolve_us, connect_us, wait_us, read_us,
        total_us, outcome, status, error, request_headers, response_headers,
        response_body, response_truncated
     from hookbox_attempt";

const OUTAGE_COLUMNS: &str =
    "select o.id, p.name as endpoint, o.since_ms, o.last_probe_ms, o.probes, o.error, o.ended_ms,
        coalesce(o.ended_ms = p.removed_ms, false) as by_removal
     from hookbox_outage as o
     join hookbox_endpoint as p on p.id = o.endpoint_id";

impl Store {
    /// Events, newest first, at most `limit` (and never more than [`PAGE_MAX`]).
    /// [`Store::search_events`] also searches for a text.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the source never existed; [`Error::Misuse`] when events have no such
    /// condition; [`Error::Database`] when the file cannot be read.
    pub fn events(&self, selection: &Selection, limit: usize) -> Result<Vec<EventRecord>> {
        self.events_of(selection, self.named(Listing::Events, selection)?, limit)
    }

    pub(super) fn events_of(
        &self,
        selection: &Selection,
        named: Named,
        limit: usize,
    ) -> Result<Vec<EventRecord>> {
        let (is_of_type, event_type) = of_type(selection.event_type.as_deref());
        let mut conditions = Conditions::default();
        conditions.add("e.source_id = :source", ":source", some(&named.source));
        conditions.add(is_of_type, ":type", some(&event_type));
        conditions.add("e.received_ms >= :since", ":since", some(&selection.since));
        conditions.add("e.received_ms < :until", ":until", some(&selection.until));
        conditions.add("e.id < :before", ":before", some(&selection.before));
        conditions.add("e.id >= :from", ":from", some(&selection.from));
        let statement = format!(
            "{EVENT_COLUMNS} {} order by e.id desc limit :limit",
            conditions.clause()
        );
        self.list(&statement, conditions, limit, read_event)
    }

    /// One event.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is none with this id.
    pub fn event(&self, id: EventId) -> Result<EventRecord> {
        self.read(|conn| {
            conn.maybe(
                &format!("{EVENT_COLUMNS} where e.id = :id"),
                params! { ":id": id },
                read_event,
            )?
            .ok_or_else(|| self.no_event(id))
        })
    }

    /// The exact bytes of an event's body.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such event.
    pub fn event_body(&self, id: EventId) -> Result<Vec<u8>> {
        self.read(|conn| {
            conn.maybe(
                "select body, encoding, bytes from hookbox_event where id = :id",
                params! { ":id": id },
                read_body,
            )?
            .ok_or_else(|| self.no_event(id))
        })
    }

    /// How many deliveries of each of these events are in which state; what a replay got through for counts
    /// no more.
    ///
    /// # Errors
    /// [`Error::Database`] when the file cannot be read.
    #[doc(hidden)]
    pub fn delivery_states(
        &self,
        events: &[EventId],
    ) -> Result<HashMap<EventId, Vec<(State, i64)>>> {
        let ids: Vec<i64> = events.iter().map(|event| event.0).collect();
        let ids = serde_json::json!(ids).to_string();
        let rows = self.read(|conn| {
            conn.all::<(EventId, State, i64)>(
                "select event_id, state, count(*) as deliveries
                 from hookbox_delivery indexed by hookbox_delivery_event
                 where event_id in (select value from json_each(:events) as e)
                     and superseded_by is null
                 group by event_id, state
                 order by event_id, state",
                params! { ":events": ids },
                |row| {
                    Ok((
                        row.get("event_id")?,
                        row.get("state")?,
                        row.get("deliveries")?,
                    ))
                },
            )
        })?;
        let mut states: HashMap<EventId, Vec<(State, i64)>> = HashMap::new();
        for (event, state, count) in rows {
            states.entry(event).or_default().push((state, count));
        }
        Ok(states)
    }

    pub(super) fn no_event(&self, id: EventId) -> Error {
        Error::not_found(format!("no event {}", self.box_id().event(id)))
    }

    /// Deliveries, newest first, at most `limit` (and never more than [`PAGE_MAX`]).
    ///
    /// # Errors
    /// [`Error::NotFound`] when the endpoint or the source never existed, or there is no such event;
    /// [`Error::Misuse`] when deliveries have no such condition; [`Error::Database`] when the file cannot
    /// be read.
    pub fn deliveries(&self, selection: &Selection, limit: usize) -> Result<Vec<DeliveryRecord>> {
        self.deliveries_of(
            selection,
            self.named(Listing::Deliveries, selection)?,
            limit,
        )
    }

    pub(super) fn deliveries_of(
        &self,
        selection: &Selection,
        named: Named,
        limit: usize,
    ) -> Result<Vec<DeliveryRecord>> {
        let (is_of_type, event_type) = of_type(selection.event_type.as_deref());
        let mut conditions = Conditions::default();
        let state = match selection.state {
            // The condition is repeated in the words of the partial indexes, so that SQLite uses
            // them.
            Some(State::Pending) => "d.state = :state and d.state = 'pending'",
            Some(State::Dead | State::Cancelled) if selection.is_superseded => {
                "d.state = :state and d.superseded_by is not null"
            }
            Some(State::Dead | State::Cancelled) => {
                "d.state = :state and d.state in ('dead', 'cancelled') and d.superseded_by is null"
            }
            Some(State::Delivered) | None => "d.state = :state",
        };
        conditions.add(state, ":state", some(&selection.state));
        if selection.is_superseded {
            conditions.texts.push("d.superseded_by is not null");
        }
        conditions.add("d.replay_id = :replay", ":replay", some(&selection.replay));
        conditions.add(
            "d.endpoint_id = :endpoint",
            ":endpoint",
            some(&named.endpoint),
        );
        conditions.add("e.source_id = :source", ":source", some(&named.source));
        conditions.add(is_of_type, ":type", some(&event_type));
        conditions.add("d.event_id = :event", ":event", some(&selection.event));
        conditions.add("d.created_ms >= :since", ":since", some(&selection.since));
        conditions.add("d.created_ms < :until", ":until", some(&selection.until));
        conditions.add("d.id < :before", ":before", some(&selection.before));
        conditions.add("d.id >= :from", ":from", some(&selection.from));
        // Few pending deliveries are found through their own index and sorted. Many pending ones
        // are among the newest rows, so reading from the newest row finds a page at once.
        let index = match selection.state {
            Some(State::Pending) if selection.event.is_none() => {
                if self.pending()? <= SORTED_MAX {
                    "indexed by hookbox_delivery_due"
                } else {
                    "not indexed"
                }
            }
            _ => "",
        };
        let statement = format!(
            "{DELIVERY_COLUMNS} {index} {DELIVERY_JOINS} {} order by d.id desc limit :limit",
            conditions.clause()
        );
        let mut page = self.list(&statement, conditions, limit, read_delivery)?;
        self.find_first(&mut page)?;
        Ok(page)
    }

    /// If a delivery's endpoint is ordered, finds the delivery that must go first.
    fn find_first(&self, page: &mut [DeliveryRecord]) -> Result<()> {
        let mut first = HashMap::new();
        for delivery in page {
            if delivery.state != State::Pending || delivery.endpoint_waits.behind.is_none() {
                delivery.endpoint_waits.behind = None;
                continue;
            }
            let endpoint = delivery.endpoint_id;
            let behind = match first.entry(endpoint) {
                Entry::Occupied(known) => *known.get(),
                Entry::Vacant(place) => *place.insert(self.first_pending(endpoint)?),
            };
            delivery.endpoint_waits.behind = behind.filter(|first| *first != delivery.id);
        }
        Ok(())
    }

    /// One delivery.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is none with this id.
    pub fn delivery(&self, id: DeliveryId) -> Result<DeliveryRecord> {
        let mut found = self.read(|conn| {
            conn.maybe(
                &format!("{DELIVERY_COLUMNS} {DELIVERY_JOINS} where d.id = :id"),
                params! { ":id": id },
                read_delivery,
            )?
            .ok_or_else(|| Error::not_found(format!("no delivery {}", self.box_id().delivery(id))))
        })?;
        self.find_first(std::slice::from_mut(&mut found))?;
        Ok(found)
    }

    /// The number of pending deliveries, from the counts kept beside the rows.
    fn pending(&self) -> Result<i64> {
        self.read(|conn| total(conn, "endpoint", State::Pending.name()))
    }

    /// The replays of a delivery, oldest first.
    ///
    /// # Errors
    /// [`Error::Database`] when the file cannot be read.
    #[doc(hidden)]
    pub fn replays_of(&self, delivery: &DeliveryRecord) -> Result<Vec<DeliveryRecord>> {
        let of_event = Selection {
            event: Some(delivery.event),
            ..Selection::default()
        };
        let mut replays = self.deliveries(&of_event, PAGE_MAX)?;
        replays.retain(|other| other.replay_of == Some(delivery.id));
        replays.reverse();
        Ok(replays)
    }

    /// Outages, newest first, at most `limit` (and never more than [`PAGE_MAX`]).
    ///
    /// # Errors
    /// [`Error::NotFound`] when the endpoint never existed; [`Error::Misuse`] when outages have no such
    /// condition; [`Error::Database`] when the file cannot be read.
    pub fn outages(&self, selection: &Selection, limit: usize) -> Result<Vec<OutageRecord>> {
        let named = self.named(Listing::Outages, selection)?;
        let mut conditions = Conditions::default();
        conditions.add(
            "o.endpoint_id = :endpoint",
            ":endpoint",
            some(&named.endpoint),
        );
        conditions.add("o.id < :before", ":before", some(&selection.before));
        let statement = format!(
            "{OUTAGE_COLUMNS} {} order by o.id desc limit :limit",
            conditions.clause()
        );
        self.list(&statement, conditions, limit, read_outage)
    }

    /// One outage.
    pub(crate) fn outage(&self, id: i64) -> Result<OutageRecord> {
        self.read(|conn| {
            conn.one(
                &format!("{OUTAGE_COLUMNS} where o.id = :id"),
                params! { ":id": id },
                read_outage,
            )
        })
    }

    /// The newest id that a statement selects, or 0 if there is no row.
    pub(crate) fn newest_id(&self, statement: &str) -> Result<i64> {
        self.read(|conn| {
            let newest: Option<i64> = conn.one(statement, &[], |row| row.get(0))?;
            Ok(newest.unwrap_or(0))
        })
    }

    /// The outages after this one, oldest first.
    pub(crate) fn outages_after(&self, id: i64) -> Result<Vec<OutageRecord>> {
        let mut conditions = Conditions::default();
        conditions.add("o.id > :after", ":after", Some(&id));
        let statement = format!(
            "{OUTAGE_COLUMNS} {} order by o.id limit :limit",
            conditions.clause()
        );
        self.list(&statement, conditions, PAGE_MAX, read_outage)
    }

    /// The events after this one, oldest first.
    pub(crate) fn events_after(&self, id: EventId, limit: usize) -> Result<Vec<EventRecord>> {
        let mut conditions = Conditions::default();
        conditions.add("e.id > :after", ":after", Some(&id));
        let statement = format!(
            "{EVENT_COLUMNS} {} order by e.id limit :limit",
            conditions.clause()
        );
        self.list(&statement, conditions, limit, read_event)
    }

    /// The attempts of a delivery, first one first; there are about a hundred at most.
    ///
    /// # Errors
    /// [`Error::Database`] when the file cannot be read.
    pub fn attempts(&self, delivery: DeliveryId) -> Result<Vec<AttemptRecord>> {
        self.read(|conn| {
            conn.all::<AttemptRecord>(
                &format!(
                    "{ATTEMPT_COLUMNS}
                     where id > :delivery * 1024 and id < (:delivery + 1) * 1024
                     order by id
                     limit :limit"
                ),
                params! { ":delivery": delivery, ":limit": PAGE_MAX as i64 },
                read_attempt,
            )
        })
    }

    /// One attempt.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is none with this id.
    pub fn attempt(&self, id: AttemptId) -> Result<AttemptRecord> {
        self.read(|conn| {
            conn.maybe(
                &format!("{ATTEMPT_COLUMNS} where id = :id"),
                params! { ":id": id },
                read_attempt,
            )?
            .ok_or_else(|| Error::not_found(format!("no attempt {}", self.box_id().attempt(id))))
        })
    }

    fn list<T>(
        &self,
        statement: &str,
        conditions: Conditions<'_>,
        limit: usize,
        read: fn(&Row<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        let limit = limit.min(PAGE_MAX) as i64;
        let mut values = conditions.values;
        values.push((":limit", &limit));
        self.read(|conn| conn.all::<T>(statement, values.as_slice(), read))
    }
}

fn read_event(row: &Row<'_>) -> Result<EventRecord> {
    Ok(EventRecord {
        id: row.get("id")?,
        source: row.get("source")?,
        event_type: row.get("type")?,
        original_type: row.get("original_type")?,
        key: row.get("key")?,
        received: row.get("received_ms")?,
        content_type: row.get("content_type")?,
        facts: Facts {
            summary: row.get("summary")?,
            branch: row.get("branch")?,
            is_json: row.get("is_json")?,
        },
        headers: row.get::<Headers>("headers")?.0,
        bytes: row.get("bytes")?,
        replay_of: row.get("replay_of_event")?,
        problem: row.get("problem")?,
    })
}

fn read_delivery(row: &Row<'_>) -> Result<DeliveryRecord> {
    let state: State = row.get("state")?;
    let event_type: String = row.get("type")?;
    let source: Option<String> = row.get("source")?;
    let read: Option<String> = row.get("summary")?;
    Ok(DeliveryRecord {
        id: row.get("id")?,
        event: row.get("event_id")?,
        endpoint_id: row.get("endpoint_id")?,
        endpoint: row.get("endpoint")?,
        summary: summary(read.as_deref(), &event_type, source.as_deref()),
        event_type,
        source,
        state,
        tries: row.get("tries")?,
        attempts: row.get("attempts")?,
        status: row.get("status")?,
        created: row.get("created_ms")?,
        due: row.get("due_ms")?,
        settled: row.get("settled_ms")?,
        reason: row.get("reason")?,
        replay_of: row.get("replay_of")?,
        when_error: row.get("when_error")?,
        replay: row.get("replay_id")?,
        has_new_id: row.get("new_id")?,
        superseded_by: row.get("superseded_by")?,
        endpoint_waits: EndpointWaits {
            held: row.get("held")?,
            offline: row.get("offline")?,
            paced_until: row.get("paced_until_ms")?,
            window: row.get("window")?,
            collected_until: row.get("collected_until_ms")?,
            // A placeholder: the delivery that goes first is looked up later, for the whole page.
            behind: row.get::<bool>("ordered")?.then_some(DeliveryId(0)),
        },
    })
}

fn read_outage(row: &Row<'_>) -> Result<OutageRecord> {
    Ok(OutageRecord {
        id: row.get("id")?,
        endpoint: row.get("endpoint")?,
        since: row.get("since_ms")?,
        last_probe: row.get("last_probe_ms")?,
        probes: row.get("probes")?,
        error: row.get("error")?,
        ended: row.get("ended_ms")?,
        ended_by_removal: row.get("by_removal")?,
    })
}

pub(crate) fn read_attempt(row: &Row<'_>) -> Result<AttemptRecord> {
    let span = |name: &str| row.get::<Micros>(name).map(|span| span.0);
    Ok(AttemptRecord {
        id: row.get("id")?,
        delivery: row.get("delivery_id")?,
        number: row.get("number")?,
        started: row.get("started_ms")?,
        timing: Timing {
            resolve: span("resolve_us")?,
            connect: span("connect_us")?,
            wait: span("wait_us")?,
            read: span("read_us")?,
            total: span("total_us")?,
        },
        status: row.get("status")?,
        outcome: row.get("outcome")?,
        error: row.get("error")?,
        request_headers: row.get::<Headers>("request_headers")?.0,
        response_headers: row.get::<Headers>("response_headers")?.0,
        response_body: row.get("response_body")?,
        response_truncated: row.get("response_truncated")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::engine::plan::plan_of;

    /// The query plan of a page of deliveries with this condition.
    fn plan_where(condition: &str) -> String {
        plan_of(&format!(
            "{DELIVERY_COLUMNS} {DELIVERY_JOINS} where {condition} order by d.id desc limit 100"
        ))
    }

    #[test]
    fn every_page_of_deliveries_is_read_from_its_newest_on_and_never_sorted() {
        for (condition, by) in [
            (
                "d.id < :before",
                "SEARCH d USING INTEGER PRIMARY KEY (rowid<?)",
            ),
            (
                "d.endpoint_id = :endpoint",
                "hookbox_delivery_endpoint (endpoint_id=?)",
            ),
            ("d.event_id = :event", "hookbox_delivery_event (event_id=?)"),
            (
                "d.state = 'dead' and d.state in ('dead', 'cancelled') and d.superseded_by is null",
                "hookbox_delivery_failed (state=?)",
            ),
        ] {
            let plan = plan_where(condition);
            assert!(plan.contains(by), "{condition}: {plan}");
            assert!(!plan.contains("TEMP B-TREE"), "{condition}: {plan}");
        }
    }

    #[test]
    fn a_page_reads_the_rows_it_names_and_no_others() {
        let plan = plan_where("true");
        for table in [
            "SEARCH e USING INTEGER PRIMARY KEY",
            "SEARCH p USING INTEGER PRIMARY KEY",
        ] {
            assert!(plan.contains(table), "{plan}");
        }
        let plan = plan_of(&format!(
            "{EVENT_COLUMNS} where e.id < :before order by e.id desc limit 100"
        ));
        assert!(
            plan.contains("SEARCH e USING INTEGER PRIMARY KEY (rowid<?)"),
            "{plan}"
        );
    }
}
