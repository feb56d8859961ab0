//! Finding events by a text in their bodies: newest first, a bounded piece at a time, saying how far
//! back it looked.

use std::time::Duration;

use rusqlite::{OptionalExtension, named_params};

use super::Store;
use super::query::EventFilter;
use crate::error::Result;
use crate::model::event::EventRecord;
use crate::model::id::EventId;
use crate::model::text::Text;
use crate::time::Timestamp;

/// Events that are looked at at a time; one body of them is in memory.
const BATCH: usize = 200;

/// Ids that are looked at at a time, where few of their events are of what is looked among.
const WINDOW: i64 = 5_000;

/// How far a clock may have been behind: a search since a time goes that much further back.
const CLOCK_ROOM: Duration = Duration::from_secs(86_400);

/// What a search found.
#[derive(Debug)]
pub struct Search {
    /// Events with the text, newest first.
    pub events: Vec<EventRecord>,
    /// The oldest event that was looked at: a search goes on before it.
    pub looked_to: Option<(EventId, Option<Timestamp>)>,
    /// How many were looked at.
    pub looked_at: usize,
    /// Whether there is nothing older left to look at.
    pub is_whole: bool,
}

impl Store {
    /// Looks for a text in the bodies of events, from the newest back, until `limit` have it or
    /// `go_on` says no.
    ///
    /// # Errors
    /// [`Error::Sqlite`](crate::Error::Sqlite) when the file cannot be read.
    pub fn search_events(
        &self,
        filter: &EventFilter,
        text: &Text,
        limit: usize,
        go_on: impl Fn() -> bool,
    ) -> Result<Search> {
        let mut filter = filter.clone();
        let mut search = Search {
            events: Vec::new(),
            looked_to: None,
            looked_at: 0,
            is_whole: false,
        };
        let newest = self.events(&EventFilter::default(), 1)?;
        let newest = newest.first().map_or(0, |event| event.id.0);
        // Ids below this one are looked at next, a window of them at a time.
        let mut below = filter
            .before
            .map_or(newest + 1, |before| before.0.min(newest + 1));
        while below > 1 {
            let first = (below - WINDOW).max(1);
            filter.from = Some(EventId(first));
            let mut before = EventId(below);
            loop {
                filter.before = Some(before);
                let page = self.events(&filter, BATCH)?;
                let is_last = page.len() < BATCH;
                for event in page {
                    if search.events.len() >= limit || !go_on() {
                        return Ok(search);
                    }
                    search.looked_to = Some((event.id, Some(event.received)));
                    search.looked_at += 1;
                    before = event.id;
                    if text.is_in(&self.event_body(event.id)?) {
                        search.events.push(event);
                    }
                }
                if is_last {
                    break;
                }
            }
            below = first;
            let oldest = self.received_of(EventId(first))?;
            let is_past = filter
                .since
                .is_some_and(|since| oldest.is_some_and(|oldest| oldest.plus(CLOCK_ROOM) < since));
            if is_past {
                break;
            }
            search.looked_to = Some((EventId(first), oldest));
            if !go_on() {
                search.is_whole = below <= 1;
                return Ok(search);
            }
        }
        search.is_whole = true;
        Ok(search)
    }

    fn received_of(&self, id: EventId) -> Result<Option<Timestamp>> {
        self.read(|connection| {
            let received = connection
                .prepare_cached(
                    "select received_ms from hookbox_event where id >= :id order by id limit 1",
                )?
                .query_row(named_params! { ":id": id }, |row| row.get(0))
                .optional()?;
            Ok(received)
        })
    }
}
