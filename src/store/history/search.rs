//! Searches events and deliveries: newest first, a bounded piece at a time. The result says how far back it
//! searched.
//!
//! Without this bound a filter that matches almost nothing would read the whole history. That takes minutes
//! if the file is larger than the memory.

use std::time::Duration;

use crate::error::Result;
use crate::model::delivery::{DeliveryRecord, State};
use crate::model::event::EventRecord;
use crate::model::id::{DeliveryId, EventId};
use crate::model::text::Text;
use crate::store::engine::Store;
use crate::store::engine::conn::params;
use crate::store::engine::partition::{CLOCK_SKEW_ROWS, partition_by_time};
use crate::store::history::list_filter::{DeliveryFilter, EventFilter};
use crate::time::FIRST_PLAUSIBLE;
use crate::time::Timestamp;

/// How many ids are searched at a time: without and with a text search in bodies. Only one body is in
/// memory at a time.
const WINDOW: i64 = 5_000;
const BODIES_WINDOW: i64 = 200;

/// How far a clock may have been behind: a search since a time goes back further by this.
const CLOCK_ROOM: Duration = Duration::from_secs(86_400);

/// The result of a search.
#[derive(Debug)]
pub struct Found<T, I> {
    /// Matching rows, newest first.
    pub rows: Vec<T>,
    /// The next search goes on before this one. `None` if there is nothing older.
    pub next: Option<I>,
    /// How far back it searched.
    pub back_to: Option<Timestamp>,
    /// Whether it stopped before it found enough: there may be more further back.
    pub is_cut: bool,
}

/// The rows of a table, searched from the newest to the oldest.
struct Window<'a> {
    /// SQL: selects the newest id.
    newest: &'a str,
    /// SQL: selects the oldest id.
    oldest: &'a str,
    /// SQL: selects the time of the first row after `:id`.
    time_of_next: &'a str,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    /// Only ids less than this one.
    before: Option<i64>,
    width: i64,
}

const EVENTS: (&str, &str, &str) = (
    "select max(id) from hookbox_event",
    "select min(id) from hookbox_event",
    "select received_ms from hookbox_event where id > :id order by id limit 1",
);

const DELIVERIES: (&str, &str, &str) = (
    "select max(id) from hookbox_delivery",
    "select min(id) from hookbox_delivery",
    "select created_ms from hookbox_delivery where id > :id order by id limit 1",
);

impl Store {
    /// Searches events from the newest to the oldest, until `limit` match or `go_on` returns false. With a
    /// text, the body must contain it.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database) when the file cannot be read.
    pub fn search_events(
        &self,
        filter: &EventFilter,
        text: Option<&Text>,
        limit: usize,
        go_on: impl Fn() -> bool,
    ) -> Result<Found<EventRecord, EventId>> {
        let window = Window {
            newest: EVENTS.0,
            oldest: EVENTS.1,
            time_of_next: EVENTS.2,
            since: filter.since,
            until: filter.until,
            before: filter.before.map(|id| id.0),
            width: if text.is_some() {
                BODIES_WINDOW
            } else {
                WINDOW
            },
        };
        let page = |from: i64, before: i64, room: usize| -> Result<Vec<EventRecord>> {
            let part = EventFilter {
                from: Some(EventId(from)),
                before: Some(EventId(before)),
                ..filter.clone()
            };
            let Some(text) = text else {
                return self.events(&part, room);
            };
            let mut found = Vec::new();
            for event in self.events(&part, BODIES_WINDOW as usize)? {
                if found.len() < room && text.is_in(&self.event_body(event.id)?) {
                    found.push(event);
                }
            }
            Ok(found)
        };
        let found = self.look_back(&window, limit, go_on, page, |event| event.id.0)?;
        Ok(found.with_ids(EventId))
    }

    /// As [`Store::search_events`], for deliveries.
    ///
    /// # Errors
    /// As [`Store::search_events`].
    pub fn search_deliveries(
        &self,
        filter: &DeliveryFilter,
        limit: usize,
        go_on: impl Fn() -> bool,
    ) -> Result<Found<DeliveryRecord, DeliveryId>> {
        // If an index finds the rows, no windows are needed: the deliveries of one event, and pending ones.
        let is_indexed = filter.event.is_some() || filter.state == Some(State::Pending);
        let window = Window {
            newest: DELIVERIES.0,
            oldest: DELIVERIES.1,
            time_of_next: DELIVERIES.2,
            since: filter.since,
            until: filter.until,
            before: filter.before.map(|id| id.0),
            width: if is_indexed { i64::MAX } else { WINDOW },
        };
        let page = |from: i64, before: i64, room: usize| {
            let part = DeliveryFilter {
                from: Some(DeliveryId(from)),
                before: Some(DeliveryId(before)),
                ..filter.clone()
            };
            self.deliveries(&part, room)
        };
        let found = self.look_back(&window, limit, go_on, page, |delivery| delivery.id.0)?;
        Ok(found.with_ids(DeliveryId))
    }

    /// Reads pages of matching rows, `page(from, before, limit)`, in each window, until there are enough.
    fn look_back<T>(
        &self,
        window: &Window<'_>,
        limit: usize,
        go_on: impl Fn() -> bool,
        mut page: impl FnMut(i64, i64, usize) -> Result<Vec<T>>,
        id_of: impl Fn(&T) -> i64,
    ) -> Result<Found<T, i64>> {
        let newest = self.newest_id(window.newest)?;
        let time_behind = |id: i64| -> Result<Option<Timestamp>> {
            self.read(|conn| {
                let time =
                    conn.maybe(window.time_of_next, params! { ":id": id }, |row| row.get(0))?;
                Ok(time)
            })
        };
        let oldest = self.newest_id(window.oldest)?.max(1);
        // Ids below this one are searched next.
        let mut below = window.before.unwrap_or(i64::MAX).min(newest + 1);
        if let Some(until) = window.until {
            let older =
                self.read(|conn| partition_by_time(conn, window.time_of_next, newest, until, 1))?;
            below = below.min(older.saturating_add(CLOCK_SKEW_ROWS));
        }
        let mut found = Found::default();
        while below > oldest {
            let first = below.saturating_sub(window.width).max(oldest);
            let room = limit - found.rows.len();
            found.rows.extend(page(first, below, room)?);
            if found.rows.len() >= limit {
                let last = found.rows.last().map(&id_of);
                found.next = last.filter(|id| *id > oldest);
                found.back_to = time_behind(last.unwrap_or(0) - 1)?;
                return Ok(found);
            }
            below = first;
            found.back_to = time_behind(first - 1)?;
            let is_past = |since: Timestamp| {
                let oldest = found.back_to;
                // Times from when the box did not know the time are ignored.
                oldest.is_some_and(|oldest| {
                    oldest >= FIRST_PLAUSIBLE && oldest.plus(CLOCK_ROOM) < since
                })
            };
            if window.since.is_some_and(is_past) {
                break;
            }
            if below > oldest && !go_on() {
                found.next = Some(below);
                found.is_cut = true;
                break;
            }
        }
        Ok(found)
    }
}

impl<T, I> Default for Found<T, I> {
    fn default() -> Found<T, I> {
        Found {
            rows: Vec::new(),
            next: None,
            back_to: None,
            is_cut: false,
        }
    }
}

impl<T> Found<T, i64> {
    fn with_ids<I>(self, id: fn(i64) -> I) -> Found<T, I> {
        Found {
            rows: self.rows,
            next: self.next.map(id),
            back_to: self.back_to,
            is_cut: self.is_cut,
        }
    }
}
