//! The feed: events, attempts and outages in the order in which they were written, for followers.
//!
//! A follower remembers its position and polls; writers do not know of followers.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::model::attempt::AttemptRecord;
use crate::model::delivery::DeliveryRecord;
use crate::model::event::EventRecord;
use crate::model::id::{BoxId, EventId};
use crate::model::settings::{Listing, Selection};
use crate::store::engine::Store;
use crate::store::engine::conn::{Conn, params};
use crate::store::history::place::Place;
use crate::store::history::query::{ATTEMPT_COLUMNS, OutageRecord, PAGE_MAX, read_attempt};
use crate::time::Timestamp;

/// Rows of each kind read at a time.
const BATCH: usize = 500;

/// Maximum past feed events that a new follower gets.
const LATEST_MAX: usize = PAGE_MAX;

/// An item of the feed.
#[derive(Debug, Clone)]
pub enum FeedEvent {
    /// An event came in.
    Event(Box<EventRecord>),
    /// A delivery was tried. The delivery is in the state in which it was when this was read.
    Attempt(Box<(AttemptRecord, DeliveryRecord)>),
    /// An endpoint could not be reached.
    OutageBegan(OutageRecord),
    /// The endpoint was reached again.
    OutageEnded(OutageRecord),
}

impl FeedEvent {
    /// The time of the feed event.
    pub fn at(&self) -> Timestamp {
        match self {
            FeedEvent::Event(event) => event.received,
            FeedEvent::Attempt(tried) => tried.0.started.plus(tried.0.timing.total),
            FeedEvent::OutageBegan(outage) => outage.since,
            FeedEvent::OutageEnded(outage) => outage.ended.unwrap_or(outage.last_probe),
        }
    }

    /// As a JSON object: `what` and `at`, and the objects that it is about by their names.
    pub fn json(&self, box_id: &BoxId, now: Timestamp) -> Value {
        let at = self.at().to_string();
        match self {
            FeedEvent::Event(event) => {
                json!({ "what": "event", "at": at, "event": event.json(box_id) })
            }
            FeedEvent::Attempt(tried) => json!({
                "what": "attempt",
                "at": at,
                "attempt": tried.0.json(box_id),
                "delivery": tried.1.json(box_id, now),
            }),
            FeedEvent::OutageBegan(outage) => {
                json!({ "what": "outage_began", "at": at, "outage": outage.json() })
            }
            FeedEvent::OutageEnded(outage) => {
                json!({ "what": "outage_ended", "at": at, "outage": outage.json() })
            }
        }
    }
}

/// Whether a selection of the feed has this feed event.
fn has(selection: &Selection, feed_event: &FeedEvent) -> bool {
    let is_of = |asked: &Option<String>, name: Option<&str>| {
        asked.as_deref().is_none_or(|asked| name == Some(asked))
    };
    let (endpoint, source) = match feed_event {
        FeedEvent::Event(event) => (None, event.source.as_deref()),
        FeedEvent::Attempt(tried) => (Some(tried.1.endpoint.as_str()), tried.1.source.as_deref()),
        FeedEvent::OutageBegan(outage) | FeedEvent::OutageEnded(outage) => {
            (Some(outage.endpoint.as_str()), None)
        }
    };
    is_of(&selection.endpoint, endpoint) && is_of(&selection.source, source)
}

/// A position in the feed.
#[derive(Debug)]
pub struct Follower {
    selection: Selection,
    event: Place,
    /// The position in the log of recent attempts.
    attempt: Place,
    outage: Place,
    /// The row ids of the outages that had not ended at the last poll.
    open: BTreeSet<i64>,
}

impl Follower {
    /// A position at the end of the feed, and the latest feed events before it, oldest first.
    /// Attempts are included as far back as the log of recent attempts goes.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the endpoint or the source never existed; [`Error::Misuse`] when the feed
    /// has no such condition; [`Error::Database`] when the file cannot be read.
    pub fn from_now(
        store: &Store,
        selection: Selection,
        latest: usize,
    ) -> Result<(Follower, Vec<FeedEvent>)> {
        selection.check(Listing::Feed)?;
        let latest = latest.min(LATEST_MAX);
        let newest = store.outages(&Selection::default(), 1)?;
        let place = |newest| Place::new(newest, store.ids_are_in_order());
        let mut follower = Follower {
            event: place(store.newest_id("select max(id) from hookbox_event")?),
            attempt: place(store.newest_id("select max(id) from hookbox_recent_attempt")?),
            outage: place(newest.first().map_or(0, |outage| outage.id)),
            open: BTreeSet::new(),
            selection,
        };
        follower.note_open(&newest, &store.open_outages()?);
        let selection = &follower.selection;
        let of_source = Selection {
            source: selection.source.clone(),
            ..Selection::default()
        };
        let of_endpoint = Selection {
            endpoint: selection.endpoint.clone(),
            ..Selection::default()
        };
        let mut past: Vec<FeedEvent> = Vec::new();
        past.extend(
            store
                .events(&of_source, latest)?
                .into_iter()
                .map(FeedEvent::from),
        );
        let outages = store.outages(&of_endpoint, latest)?;
        past.extend(outages.into_iter().flat_map(both_ends));
        past.retain(|feed_event| has(selection, feed_event));
        past.extend(follower.latest_attempts(store, latest)?);
        past.sort_by_key(FeedEvent::at);
        past.drain(..past.len().saturating_sub(latest));
        Ok((follower, past))
    }

    /// The feed events since the last poll: a bounded number of them, oldest first.
    ///
    /// If more attempts came than the log of recent attempts keeps, the result says how many were
    /// missed.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database) when the file cannot be read.
    pub fn next(&mut self, store: &Store) -> Result<FeedBatch> {
        let tried = store.read(|conn| {
            let after = self.attempt.done();
            read_places(conn, NEXT_PLACES, after, |place| {
                !self.attempt.is_past(place)
            })
        })?;
        let unseen = self.attempt.advance(tried.iter().map(|(place, _)| *place));
        let mut events = store.events_after(EventId(self.event.done()), BATCH)?;
        events.retain(|event| !self.event.is_past(event.id.0));
        self.event.advance(events.iter().map(|event| event.id.0));
        let outages = self.next_outages(store)?;
        let is_empty = tried.is_empty() && events.is_empty() && outages.is_empty();
        let mut feed_events = store.with_deliveries(tried)?;
        feed_events.extend(events.into_iter().map(FeedEvent::from));
        feed_events.extend(outages);
        feed_events.retain(|feed_event| has(&self.selection, feed_event));
        feed_events.sort_by_key(FeedEvent::at);
        Ok(FeedBatch {
            feed_events,
            unseen,
            is_empty,
        })
    }

    /// The latest attempts that match the filter, newest first.
    fn latest_attempts(&self, store: &Store, latest: usize) -> Result<Vec<FeedEvent>> {
        let mut found = Vec::new();
        let mut place = self.attempt.done() + 1;
        while found.len() < latest {
            let tried = store.read(|conn| read_places(conn, LATEST_PLACES, place, |_| true))?;
            let Some((first, _)) = tried.last() else {
                break;
            };
            place = *first;
            let tried = store.with_deliveries(tried)?;
            found.extend(tried.into_iter().filter(|one| has(&self.selection, one)));
        }
        found.truncate(latest);
        Ok(found)
    }

    fn next_outages(&mut self, store: &Store) -> Result<Vec<FeedEvent>> {
        let mut begun = store.outages_after(self.outage.done())?;
        begun.retain(|outage| !self.outage.is_past(outage.id));
        self.outage.advance(begun.iter().map(|outage| outage.id));
        let open = store.open_outages()?;
        self.note_open(&begun, &open);
        let ended: Vec<i64> = self.open.difference(&open).copied().collect();
        let mut new: Vec<FeedEvent> = begun.into_iter().flat_map(both_ends).collect();
        for id in ended {
            self.open.remove(&id);
            new.push(FeedEvent::OutageEnded(store.outage(id)?));
        }
        Ok(new)
    }

    /// Records which outages have not ended: those in `read`, and of those in `open` the ones whose
    /// begin was seen.
    fn note_open(&mut self, read: &[OutageRecord], open: &BTreeSet<i64>) {
        let read = read.iter().filter(|outage| outage.ended.is_none());
        self.open.extend(read.map(|outage| outage.id));
        let begun = open.iter().filter(|id| self.outage.is_past(**id));
        self.open.extend(begun);
    }
}

/// What a follower has not seen before.
#[derive(Debug)]
pub struct FeedBatch {
    /// The feed events that match the filter, oldest first.
    pub feed_events: Vec<FeedEvent>,
    /// How many attempts were missed.
    pub unseen: i64,
    /// Whether there was nothing at all, matching or not: the follower has seen everything.
    pub is_empty: bool,
}

impl From<EventRecord> for FeedEvent {
    fn from(event: EventRecord) -> FeedEvent {
        FeedEvent::Event(Box::new(event))
    }
}

/// The begin of an outage, and its end if it ended.
fn both_ends(outage: OutageRecord) -> impl Iterator<Item = FeedEvent> {
    let ended = outage.ended.is_some().then(|| outage.clone());
    let began = FeedEvent::OutageBegan(outage);
    std::iter::once(began).chain(ended.map(FeedEvent::OutageEnded))
}

const NEXT_PLACES: &str = "select id, attempt_id from hookbox_recent_attempt
     where id > :place order by id limit :limit";

const LATEST_PLACES: &str = "select id, attempt_id from hookbox_recent_attempt
     where id < :place order by id desc limit :limit";

const OPEN_OUTAGES: &str =
    "select id from hookbox_outage indexed by hookbox_outage_open where ended_ms is null";

/// Entries of the log of recent attempts, each with its attempt unless that was removed.
fn read_places(
    conn: Conn<'_>,
    places: &str,
    place: i64,
    is_asked_for: impl Fn(i64) -> bool,
) -> Result<Vec<(i64, Option<AttemptRecord>)>> {
    let by_id = format!("{ATTEMPT_COLUMNS} where id = :id");
    let of_batch = params! { ":place": place, ":limit": BATCH };
    let entries: Vec<(i64, i64)> =
        conn.all(places, of_batch, |row| Ok((row.get(0)?, row.get(1)?)))?;
    let asked_for = entries
        .into_iter()
        .filter(|(place, _)| is_asked_for(*place));
    asked_for
        .map(|(place, id)| {
            let attempt = conn.maybe(&by_id, params! { ":id": id }, read_attempt)?;
            Ok((place, attempt))
        })
        .collect()
}

impl Store {
    fn with_deliveries(&self, tried: Vec<(i64, Option<AttemptRecord>)>) -> Result<Vec<FeedEvent>> {
        let mut feed_events = Vec::new();
        for attempt in tried.into_iter().filter_map(|(_, attempt)| attempt) {
            match self.delivery(attempt.delivery) {
                Ok(delivery) => {
                    feed_events.push(FeedEvent::Attempt(Box::new((attempt, delivery))));
                }
                // The attempt was removed in between.
                Err(Error::NotFound(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(feed_events)
    }

    fn open_outages(&self) -> Result<BTreeSet<i64>> {
        self.read(|conn| {
            let open = conn
                .all(OPEN_OUTAGES, &[], |row| row.get(0))?
                .into_iter()
                .collect::<BTreeSet<i64>>();
            Ok(open)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::engine::plan::plan_of;

    #[test]
    fn following_reads_what_is_new_and_nothing_else() {
        for places in [NEXT_PLACES, LATEST_PLACES] {
            let plan = plan_of(places);
            let by_place = "SEARCH hookbox_recent_attempt USING INTEGER PRIMARY KEY (rowid";
            assert!(plan.contains(by_place), "{plan}");
            assert!(!plan.contains("TEMP B-TREE"), "{plan}");
        }
        let plan = plan_of(OPEN_OUTAGES);
        assert!(plan.contains("hookbox_outage_open"), "{plan}");
    }
}
