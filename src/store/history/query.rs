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
use crate::model::id::{AttemptId, DeliveryId, EndpointId, EventId, SourceId};
use crate::store::engine::Store;
use crate::store::engine::columns::{Headers, Micros};
use crate::store::engine::conn::{Row, params};
use crate::store::engine::directory::{no_endpoint, no_source};
use crate::store::engine::packed::read_body;
use crate::store::engine::value::FromValue;
use crate::store::history::list_filter::{
    Conditions, DeliveryFilter, EventFilter, OutageFilter, some,
};
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
    /// When the endpoint was reached again; `None` while the outage lasts.
    pub ended: Option<Timestamp>,
}

impl OutageRecord {
    /// As a JSON object.
    pub fn json(&self) -> Value {
        json!({
            "endpoint": self.endpoint,
            "since": self.since.to_string(),
            "until": self.ended.map(|at| at.to_string()),
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
        p.\"window\", p.ordered
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
    "select o.id, p.name as endpoint, o.since_ms, o.last_probe_ms, o.probes, o.error, o.ended_ms
     from hookbox_outage as o
     join hookbox_endpoint as p on p.id = o.endpoint_id";

const ENDPOINT_BY_NAME: &str = "select id from hookbox_endpoint where name = :name";

const SOURCE_BY_NAME: &str = "select id from hookbox_source where name = :name";

impl Store {
    /// Events, newest first, at most `limit` (and never more than [`PAGE_MAX`]).
    ///
    /// # Errors
    /// [`Error::Database`] when the file cannot be read.
    pub fn events(&self, filter: &EventFilter, limit: usize) -> Result<Vec<EventRecord>> {
        let mut conditions = Conditions::default();
        conditions.add("s.name = :source", ":source", some(&filter.source));
        conditions.add("e.type = :type", ":type", some(&filter.event_type));
        conditions.add("e.received_ms >= :since", ":since", some(&filter.since));
        conditions.add("e.received_ms < :until", ":until", some(&filter.until));
        conditions.add("e.id < :before", ":before", some(&filter.before));
        conditions.add("e.id >= :from", ":from", some(&filter.from));
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
            .ok_or_else(|| Error::not_found(format!("no event {}", self.box_id().event(id))))
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
            .ok_or_else(|| Error::not_found(format!("no event {}", self.box_id().event(id))))
        })
    }

    /// Deliveries, newest first, at most `limit` (and never more than [`PAGE_MAX`]).
    ///
    /// # Errors
    /// [`Error::Database`] when the file cannot be read.
    pub fn deliveries(&self, filter: &DeliveryFilter, limit: usize) -> Result<Vec<DeliveryRecord>> {
        let mut conditions = Conditions::default();
        let state = match filter.state {
            // The condition is repeated in the words of the partial indexes, so that SQLite uses
            // them.
            Some(State::Pending) => "d.state = :state and d.state = 'pending'",
            Some(State::Dead | State::Cancelled) if filter.is_superseded => {
                "d.state = :state and d.superseded_by is not null"
            }
            Some(State::Dead | State::Cancelled) => {
                "d.state = :state and d.state in ('dead', 'cancelled') and d.superseded_by is null"
            }
            Some(State::Delivered) | None => "d.state = :state",
        };
        conditions.add(state, ":state", some(&filter.state));
        if filter.is_superseded {
            conditions.texts.push("d.superseded_by is not null");
        }
        conditions.add("d.replay_id = :replay", ":replay", some(&filter.replay));
        // Looked up first: a search by row id goes straight through the endpoint's index.
        let endpoint = match &filter.endpoint {
            None => None,
            Some(name) => match self.row_named::<EndpointId>(ENDPOINT_BY_NAME, name)? {
                None => return Ok(Vec::new()),
                found => found,
            },
        };
        conditions.add("d.endpoint_id = :endpoint", ":endpoint", some(&endpoint));
        conditions.add("s.name = :source", ":source", some(&filter.source));
        conditions.add("e.type = :type", ":type", some(&filter.event_type));
        conditions.add("d.event_id = :event", ":event", some(&filter.event));
        conditions.add("d.created_ms >= :since", ":since", some(&filter.since));
        conditions.add("d.created_ms < :until", ":until", some(&filter.until));
        conditions.add("d.id < :before", ":before", some(&filter.before));
        conditions.add("d.id >= :from", ":from", some(&filter.from));
        // Few pending deliveries are found through their own index and sorted. Many pending ones
        // are among the newest rows, so reading from the newest row finds a page at once.
        let index = match filter.state {
            Some(State::Pending) if filter.event.is_none() => {
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

    /// The row id of the endpoint that has or had this name.
    ///
    /// # Errors
    /// [`Error::NotFound`] when such an endpoint never existed.
    pub fn endpoint_id(&self, name: &str) -> Result<EndpointId> {
        self.row_named(ENDPOINT_BY_NAME, name)?
            .ok_or_else(|| no_endpoint(name))
    }

    /// The row id of the source that has or had this name.
    ///
    /// # Errors
    /// [`Error::NotFound`] when such a source never existed.
    pub fn source_id(&self, name: &str) -> Result<SourceId> {
        self.row_named(SOURCE_BY_NAME, name)?
            .ok_or_else(|| no_source(name))
    }

    pub(crate) fn row_named<T: FromValue>(&self, statement: &str, name: &str) -> Result<Option<T>> {
        self.read(|conn| conn.maybe(statement, params! { ":name": name }, |row| row.get(0)))
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
    pub fn replays_of(&self, delivery: &DeliveryRecord) -> Result<Vec<DeliveryRecord>> {
        let of_event = DeliveryFilter {
            event: Some(delivery.event),
            ..DeliveryFilter::default()
        };
        let mut replays = self.deliveries(&of_event, PAGE_MAX)?;
        replays.retain(|other| other.replay_of == Some(delivery.id));
        replays.reverse();
        Ok(replays)
    }

    /// Outages, newest first, at most `limit` (and never more than [`PAGE_MAX`]).
    ///
    /// # Errors
    /// [`Error::Database`] when the file cannot be read.
    pub fn outages(&self, filter: &OutageFilter, limit: usize) -> Result<Vec<OutageRecord>> {
        let mut conditions = Conditions::default();
        conditions.add("p.name = :endpoint", ":endpoint", some(&filter.endpoint));
        conditions.add("o.id < :before", ":before", some(&filter.before));
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
