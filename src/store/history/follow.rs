//! What happens, in the order in which it was written, for whoever follows it: events, attempts,
//! outages.
//!
//! A follower remembers its place and asks again: nobody who writes knows of it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::model::attempt::AttemptRecord;
use crate::model::delivery::DeliveryRecord;
use crate::model::event::EventRecord;
use crate::model::id::{BoxId, EventId};
use crate::store::engine::Store;
use crate::store::engine::conn::{Conn, params};
use crate::store::history::filter::{EventFilter, FollowFilter, OutageFilter};
use crate::store::history::query::{ATTEMPT_COLUMNS, OutageRecord, PAGE_MAX, read_attempt};
use crate::time::Timestamp;

/// Rows of each kind that are read at a time.
const BATCH: usize = 500;

/// Most of what has happened already that a follower is shown.
const LATEST_MAX: usize = PAGE_MAX;

/// Something that happened.
#[derive(Debug, Clone)]
pub enum FeedEvent {
    /// An event came in.
    Event(Box<EventRecord>),
    /// A delivery was tried; it is as it was when this was read.
    Attempt(Box<(AttemptRecord, DeliveryRecord)>),
    /// An endpoint could not be reached.
    OutageBegan(OutageRecord),
    /// It was reached again.
    OutageEnded(OutageRecord),
}

impl FeedEvent {
    /// When it happened.
    pub fn at(&self) -> Timestamp {
        match self {
            FeedEvent::Event(event) => event.received,
            FeedEvent::Attempt(tried) => tried.0.started.plus(tried.0.timing.total),
            FeedEvent::OutageBegan(outage) => outage.since,
            FeedEvent::OutageEnded(outage) => outage.ended.unwrap_or(outage.last_probe),
        }
    }

    /// As a JSON object: `what` and `at`, and under their names the objects that it is about.
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

impl FollowFilter {
    fn wants(&self, feed_event: &FeedEvent) -> bool {
        let is_of = |asked: &Option<String>, name: Option<&str>| {
            asked.as_deref().is_none_or(|asked| name == Some(asked))
        };
        let (endpoint, source) = match feed_event {
            FeedEvent::Event(event) => (None, event.source.as_deref()),
            FeedEvent::Attempt(tried) => {
                (Some(tried.1.endpoint.as_str()), tried.1.source.as_deref())
            }
            FeedEvent::OutageBegan(outage) | FeedEvent::OutageEnded(outage) => {
                (Some(outage.endpoint.as_str()), None)
            }
        };
        is_of(&self.endpoint, endpoint) && is_of(&self.source, source)
    }
}

/// A place in what happens.
#[derive(Debug)]
pub struct Follower {
    filter: FollowFilter,
    event: EventId,
    /// In the log of recent attempts.
    attempt: i64,
    outage: i64,
    /// Outages that went on when it last looked, by their rows.
    open: BTreeSet<i64>,
}

impl Follower {
    /// A place behind all that has happened, and the latest of that, oldest first: attempts as far
    /// back as they can be followed.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database) when the file cannot be read.
    pub fn from_now(
        store: &Store,
        filter: FollowFilter,
        latest: usize,
    ) -> Result<(Follower, Vec<FeedEvent>)> {
        let latest = latest.min(LATEST_MAX);
        let newest = store.outages(&OutageFilter::default(), 1)?;
        let mut follower = Follower {
            event: EventId(store.newest_id("select max(id) from hookbox_event")?),
            attempt: store.newest_id("select max(id) from hookbox_recent_attempt")?,
            outage: newest.first().map_or(0, |outage| outage.id),
            open: BTreeSet::new(),
            filter,
        };
        follower.note_open(&newest, &store.open_outages()?);
        let filter = &follower.filter;
        let of_source = EventFilter {
            source: filter.source.clone(),
            ..EventFilter::default()
        };
        let of_endpoint = OutageFilter {
            endpoint: filter.endpoint.clone(),
            ..OutageFilter::default()
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
        past.retain(|feed_event| filter.wants(feed_event));
        past.extend(follower.latest_attempts(store, latest)?);
        past.sort_by_key(FeedEvent::at);
        past.drain(..past.len().saturating_sub(latest));
        Ok((follower, past))
    }

    /// What happened since, a bounded piece of it, oldest first, whether there was anything at all,
    /// and how many attempts passed unseen, since so many came that they are not known any more.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database) when the file cannot be read.
    pub fn next(&mut self, store: &Store) -> Result<FeedBatch> {
        let tried = store.read(|conn| read_places(conn, NEXT_PLACES, self.attempt))?;
        let unseen = tried
            .first()
            .map_or(0, |(place, _)| place - 1 - self.attempt);
        if let Some((place, _)) = tried.last() {
            self.attempt = *place;
        }
        let events = store.events_behind(self.event, BATCH)?;
        if let Some(event) = events.last() {
            self.event = event.id;
        }
        let outages = self.next_outages(store)?;
        let is_empty = tried.is_empty() && events.is_empty() && outages.is_empty();
        let mut feed_events = store.with_deliveries(tried)?;
        feed_events.extend(events.into_iter().map(FeedEvent::from));
        feed_events.extend(outages);
        feed_events.retain(|feed_event| self.filter.wants(feed_event));
        feed_events.sort_by_key(FeedEvent::at);
        Ok(FeedBatch {
            feed_events,
            unseen,
            is_empty,
        })
    }

    /// The latest attempts that are wanted, newest first.
    fn latest_attempts(&self, store: &Store, latest: usize) -> Result<Vec<FeedEvent>> {
        let mut found = Vec::new();
        let mut place = self.attempt + 1;
        while found.len() < latest {
            let tried = store.read(|conn| read_places(conn, LATEST_PLACES, place))?;
            let Some((first, _)) = tried.last() else {
                break;
            };
            place = *first;
            let tried = store.with_deliveries(tried)?;
            found.extend(tried.into_iter().filter(|one| self.filter.wants(one)));
        }
        found.truncate(latest);
        Ok(found)
    }

    fn next_outages(&mut self, store: &Store) -> Result<Vec<FeedEvent>> {
        let begun = store.outages_behind(self.outage)?;
        if let Some(newest) = begun.last() {
            self.outage = newest.id;
        }
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

    /// Notes which outages go on: those that did when they were read, and of those that do now the
    /// ones that were seen to begin.
    fn note_open(&mut self, read: &[OutageRecord], open: &BTreeSet<i64>) {
        let read = read.iter().filter(|outage| outage.ended.is_none());
        self.open.extend(read.map(|outage| outage.id));
        self.open.extend(open.range(..=self.outage));
    }
}

/// What a follower has not seen before.
#[derive(Debug)]
pub struct FeedBatch {
    /// What of it is wanted, oldest first.
    pub feed_events: Vec<FeedEvent>,
    /// Attempts that passed unseen.
    pub unseen: i64,
    /// Whether there was nothing, wanted or not: it has seen all.
    pub is_empty: bool,
}

impl From<EventRecord> for FeedEvent {
    fn from(event: EventRecord) -> FeedEvent {
        FeedEvent::Event(Box::new(event))
    }
}

/// That an outage began, and that it ended if it did.
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

/// Places in the log of recent attempts, each with its attempt unless that is gone.
fn read_places(
    conn: Conn<'_>,
    places: &str,
    place: i64,
) -> Result<Vec<(i64, Option<AttemptRecord>)>> {
    let by_id = format!("{ATTEMPT_COLUMNS} where id = :id");
    conn.all(
        places,
        params! { ":place": place, ":limit": BATCH },
        |row| {
            let id: i64 = row.get(1)?;
            let attempt = conn.maybe(&by_id, params! { ":id": id }, read_attempt)?;
            Ok((row.get(0)?, attempt))
        },
    )
}

impl Store {
    fn with_deliveries(&self, tried: Vec<(i64, Option<AttemptRecord>)>) -> Result<Vec<FeedEvent>> {
        let mut feed_events = Vec::new();
        for attempt in tried.into_iter().filter_map(|(_, attempt)| attempt) {
            match self.delivery(attempt.delivery) {
                Ok(delivery) => {
                    feed_events.push(FeedEvent::Attempt(Box::new((attempt, delivery))));
                }
                // It was removed in between.
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
