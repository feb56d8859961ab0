//! Searches events and deliveries: newest first, a bounded piece at a time. The result says how far back it
//! searched.
//!
//! Without this bound a filter that matches almost nothing would read the whole history. That takes minutes
//! if the file is larger than the memory.

use std::cell::RefCell;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::model::delivery::{DeliveryRecord, State};
use crate::model::event::EventRecord;
use crate::model::id::{DeliveryId, EventId};
use crate::model::settings::{Listing, Selection};
use crate::model::text::Text;
use crate::store::engine::Store;
use crate::store::engine::conn::params;
use crate::store::engine::partition::{CLOCK_SKEW_ROWS, partition_by_time};
use crate::store::engine::sqlite::text_index::{TextIndex, can_find};
use crate::time::FIRST_PLAUSIBLE;
use crate::time::Timestamp;

/// How many ids are searched at a time: of all rows, where an index has the few that failed, and with a text
/// search in bodies, of which only one is in memory at a time.
const WINDOW: i64 = 5_000;
const FAILED_WINDOW: i64 = 100_000;
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

/// A table that is searched from the newest row to the oldest.
struct Table {
    /// SQL: selects the newest id.
    newest: &'static str,
    /// SQL: selects the oldest id.
    oldest: &'static str,
    /// SQL: selects the time of the first row after `:id`.
    time_of_next: &'static str,
}

const EVENTS: Table = Table {
    newest: "select max(id) from hookbox_event",
    oldest: "select min(id) from hookbox_event",
    time_of_next: "select received_ms from hookbox_event where id > :id order by id limit 1",
};

const DELIVERIES: Table = Table {
    newest: "select max(id) from hookbox_delivery",
    oldest: "select min(id) from hookbox_delivery",
    time_of_next: "select created_ms from hookbox_delivery where id > :id order by id limit 1",
};

/// What is searched, and how many ids at a time.
struct Search<'a> {
    table: Table,
    selection: &'a Selection,
    /// How many ids are searched at a time, below this one.
    width: &'a dyn Fn(i64) -> i64,
}

/// The full-text index, as far as it goes, and a text that is looked for.
struct Indexed {
    index: TextIndex,
    text: String,
    to: i64,
    /// The events of the next part whose bodies are read.
    named: RefCell<Option<Vec<EventId>>>,
}

impl Store {
    /// Searches events from the newest to the oldest, until `limit` match or `go_on` returns false.
    ///
    /// # Errors
    /// As [`Store::events`]; [`Error::Misuse`](crate::Error::Misuse) also when the text is too long.
    pub fn search_events(
        &self,
        selection: &Selection,
        limit: usize,
        go_on: impl Fn() -> bool,
    ) -> Result<Found<EventRecord, EventId>> {
        let named = self.named(Listing::Bodies, selection)?;
        let text = selection.text.as_deref().map(Text::new).transpose()?;
        let indexed = text.as_ref().and_then(|text| self.indexed(text));
        let width = |below: i64| match &indexed {
            _ if text.is_none() => WINDOW,
            Some(indexed) => indexed.width(below),
            None => BODIES_WINDOW,
        };
        let search = Search {
            table: EVENTS,
            selection,
            width: &width,
        };
        let page = |part: &Selection, room: usize| -> Result<Vec<EventRecord>> {
            let Some(text) = &text else {
                return self.events_of(part, named, room);
            };
            let has_it = |event: &EventRecord| match self.event_body(event.id) {
                Ok(body) => Ok(text.is_in(&body)),
                // It was removed meanwhile.
                Err(Error::NotFound(_)) => Ok(false),
                Err(error) => Err(error),
            };
            let mut found = Vec::new();
            let mut look_at = |part: &Selection, limit: usize| -> Result<()> {
                for event in self.events_of(part, named, limit)? {
                    if found.len() < room && has_it(&event)? {
                        found.push(event);
                    }
                }
                Ok(())
            };
            match indexed.as_ref().and_then(Indexed::take_named) {
                None => look_at(part, BODIES_WINDOW as usize)?,
                Some(ids) => {
                    for id in ids {
                        let this = Selection {
                            from: Some(id.0),
                            before: Some(id.0 + 1),
                            ..part.clone()
                        };
                        look_at(&this, 1)?;
                    }
                }
            }
            Ok(found)
        };
        let id_of = |event: &EventRecord| event.id.0;
        let found = self.look_back(search, limit, go_on, page, id_of)?;
        Ok(found.with_ids(EventId))
    }

    /// As [`Store::search_events`], for deliveries.
    ///
    /// # Errors
    /// As [`Store::deliveries`].
    pub fn search_deliveries(
        &self,
        selection: &Selection,
        limit: usize,
        go_on: impl Fn() -> bool,
    ) -> Result<Found<DeliveryRecord, DeliveryId>> {
        let named = self.named(Listing::Deliveries, selection)?;
        // If an index finds the rows, no windows are needed: the deliveries of one event, and pending ones.
        let reads_events = selection.source.is_some() || selection.event_type.is_some();
        let width = match selection.state {
            _ if selection.event.is_some() => i64::MAX,
            Some(State::Pending) => i64::MAX,
            Some(State::Dead | State::Cancelled) if !reads_events && !selection.is_superseded => {
                FAILED_WINDOW
            }
            _ => WINDOW,
        };
        let search = Search {
            table: DELIVERIES,
            selection,
            width: &|_| width,
        };
        let page = |part: &Selection, room: usize| self.deliveries_of(part, named, room);
        let id_of = |delivery: &DeliveryRecord| delivery.id.0;
        let found = self.look_back(search, limit, go_on, page, id_of)?;
        Ok(found.with_ids(DeliveryId))
    }

    /// The index of this file, if it has one that can say something of this text. Without it the bodies are
    /// read.
    fn indexed(&self, text: &Text) -> Option<Indexed> {
        let text = text.lower().into_owned();
        let index = TextIndex::find(self.location().file()?).ok()??;
        index.hold_still().ok()?;
        let reach = index.reach().ok()??;
        (can_find(&text) && self.is_of_this_file(&reach)).then(|| Indexed {
            index,
            text,
            to: reach.to.0,
            named: RefCell::default(),
        })
    }

    /// Reads pages of matching rows, `page(part, limit)`, of so many ids at a time, until there are
    /// enough.
    fn look_back<T>(
        &self,
        Search {
            table,
            selection,
            width,
        }: Search<'_>,
        limit: usize,
        go_on: impl Fn() -> bool,
        page: impl Fn(&Selection, usize) -> Result<Vec<T>>,
        id_of: impl Fn(&T) -> i64,
    ) -> Result<Found<T, i64>> {
        let newest = self.newest_id(table.newest)?;
        let time_behind = |id: i64| -> Result<Option<Timestamp>> {
            self.read(|conn| {
                let time =
                    conn.maybe(table.time_of_next, params! { ":id": id }, |row| row.get(0))?;
                Ok(time)
            })
        };
        let oldest = self.newest_id(table.oldest)?.max(1);
        // Ids below this one are searched next.
        let mut below = selection.before.unwrap_or(i64::MAX).min(newest + 1);
        if let Some(until) = selection.until {
            let older =
                self.read(|conn| partition_by_time(conn, table.time_of_next, newest, until, 1))?;
            below = below.min(older.saturating_add(CLOCK_SKEW_ROWS));
        }
        let mut found = Found::default();
        while below > oldest {
            let first = below.saturating_sub(width(below)).max(oldest);
            let room = limit - found.rows.len();
            let part = Selection {
                from: Some(first),
                before: Some(below),
                ..selection.clone()
            };
            found.rows.extend(page(&part, room)?);
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
            if selection.since.is_some_and(is_past) {
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

impl Indexed {
    /// How many ids are searched at a time, below this one: as many as there are to as many events whose bodies
    /// are read as without it. Those are named for the search that follows.
    fn width(&self, below: i64) -> i64 {
        let not_indexed = below - 1 - self.to;
        if not_indexed > 0 {
            return BODIES_WINDOW.min(not_indexed);
        }
        // Where it fails the bodies are read.
        let Ok(ids) = self.index.candidates(&self.text, below, BODIES_WINDOW) else {
            return BODIES_WINDOW;
        };
        let is_last = (ids.len() as i64) < BODIES_WINDOW;
        let width = match ids.last() {
            Some(oldest) if !is_last => below - oldest.0,
            _ => below,
        };
        *self.named.borrow_mut() = Some(ids);
        width
    }

    fn take_named(&self) -> Option<Vec<EventId>> {
        self.named.borrow_mut().take()
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
