//! Finding events by a text in their bodies: newest first, a bounded piece at a time, saying how far
//! back it looked.

use super::Store;
use super::query::EventFilter;
use crate::error::Result;
use crate::model::event::EventRecord;
use crate::model::id::EventId;
use crate::model::text::Text;
use crate::time::Timestamp;

/// Events that are looked at at a time; one body of them is in memory.
const BATCH: usize = 200;

/// What a search found.
#[derive(Debug)]
pub struct Search {
    /// Events with the text, newest first.
    pub events: Vec<EventRecord>,
    /// The oldest event that was looked at: a search goes on before it.
    pub looked_to: Option<(EventId, Timestamp)>,
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
        loop {
            let page = self.events(&filter, BATCH)?;
            let is_last = page.len() < BATCH;
            for event in page {
                if search.events.len() >= limit || !go_on() {
                    return Ok(search);
                }
                search.looked_to = Some((event.id, event.received));
                search.looked_at += 1;
                if text.is_in(&self.event_body(event.id)?) {
                    search.events.push(event);
                }
            }
            if is_last {
                search.is_whole = true;
                return Ok(search);
            }
            filter.before = search.looked_to.map(|(id, _)| id);
        }
    }
}
