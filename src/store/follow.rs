//! What happens, in the order in which it was written, for whoever follows it: events, attempts,
//! outages.
//!
//! A follower remembers its place and asks again: nobody who writes knows of it.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, named_params};
use serde_json::{Value, json};

use super::Store;
use super::job::Tx;
use super::query::{
    ATTEMPT_COLUMNS, EventFilter, OutageFilter, OutageRecord, PAGE_MAX, read_attempt,
};
use crate::error::Result;
use crate::model::attempt::AttemptRecord;
use crate::model::delivery::DeliveryRecord;
use crate::model::event::EventRecord;
use crate::model::id::{BoxId, DeliveryId, EventId};
use crate::time::Timestamp;

/// Attempts that can be followed: whoever is further behind misses some, and is told.
const ATTEMPTS_KEPT: i64 = 8_192;

/// After so many new ones the oldest are removed.
const TRIM_AFTER: i64 = 1_024;

/// Rows of each kind that are read at a time.
const BATCH: usize = 500;

/// Most of what has happened already that a follower is shown.
const LATEST_MAX: usize = PAGE_MAX;

/// Notes an attempt for those who follow, in the transaction that writes it.
pub(super) fn attempt_added(tx: &Tx<'_>, delivery: DeliveryId, number: i64) -> Result<()> {
    tx.connection
        .prepare_cached(
            "insert into hookbox_recent_attempt (attempt_id) values (:delivery * 1024 + :number)",
        )?
        .execute(named_params! { ":delivery": delivery, ":number": number })?;
    let place = tx.connection.last_insert_rowid();
    if place % TRIM_AFTER == 0 {
        tx.connection
            .prepare_cached("delete from hookbox_recent_attempt where id <= :place - :kept")?
            .execute(named_params! { ":place": place, ":kept": ATTEMPTS_KEPT })?;
    }
    Ok(())
}

/// Something that happened.
#[derive(Debug, Clone)]
pub enum Happening {
    /// An event came in.
    Event(Box<EventRecord>),
    /// A delivery was tried; it is as it was when this was read.
    Attempt(Box<(AttemptRecord, DeliveryRecord)>),
    /// An endpoint could not be reached.
    OutageBegan(OutageRecord),
    /// It was reached again.
    OutageEnded(OutageRecord),
}

impl Happening {
    /// When it happened.
    pub fn at(&self) -> Timestamp {
        match self {
            Happening::Event(event) => event.received,
            Happening::Attempt(tried) => tried.0.started.plus(tried.0.timing.total),
            Happening::OutageBegan(outage) => outage.since,
            Happening::OutageEnded(outage) => outage.ended.unwrap_or(outage.last_probe),
        }
    }

    /// As a JSON object: `what` and `at`, and under their names the objects that it is about.
    pub fn json(&self, box_id: &BoxId, now: Timestamp) -> Value {
        let at = self.at().to_string();
        match self {
            Happening::Event(event) => {
                json!({ "what": "event", "at": at, "event": event.json(box_id) })
            }
            Happening::Attempt(tried) => json!({
                "what": "attempt",
                "at": at,
                "attempt": tried.0.json(box_id),
                "delivery": tried.1.json(box_id, now),
            }),
            Happening::OutageBegan(outage) => {
                json!({ "what": "outage_began", "at": at, "outage": outage.json() })
            }
            Happening::OutageEnded(outage) => {
                json!({ "what": "outage_ended", "at": at, "outage": outage.json() })
            }
        }
    }
}

/// A place in what happens.
#[derive(Debug)]
pub struct Follower {
    event: EventId,
    /// In the log of recent attempts.
    attempt: i64,
    outage: i64,
    /// Outages that went on when it last looked, by their rows.
    open: BTreeSet<i64>,
}

impl Follower {
    /// A place behind all that has happened, and the latest of that, oldest first.
    ///
    /// # Errors
    /// [`Error::Sqlite`](crate::Error::Sqlite) when the file cannot be read.
    pub fn from_now(store: &Store, latest: usize) -> Result<(Follower, Vec<Happening>)> {
        // At least one of each is read, to know where the new ones begin.
        let limit = latest.clamp(1, LATEST_MAX);
        let outages = store.outages(&OutageFilter::default(), limit)?;
        let tried = store.read(|connection| read_places(connection, LATEST_PLACES, 0, limit))?;
        let events = store.events(&EventFilter::default(), limit)?;
        let mut follower = Follower {
            event: events.first().map_or(EventId(0), |event| event.id),
            attempt: tried.first().map_or(0, |(place, _)| *place),
            outage: outages.first().map_or(0, |outage| outage.id),
            open: BTreeSet::new(),
        };
        follower.note_open(&outages, &store.open_outages()?);
        let mut past: Vec<Happening> = events.into_iter().map(Happening::from).collect();
        past.extend(store.with_deliveries(tried)?);
        past.extend(outages.into_iter().flat_map(both_ends));
        past.sort_by_key(Happening::at);
        past.drain(..past.len().saturating_sub(latest.min(LATEST_MAX)));
        Ok((follower, past))
    }

    /// What happened since, a bounded piece of it, oldest first; nothing once it has seen all. With
    /// it how many attempts passed unseen, since so many came that they are not known any more.
    ///
    /// # Errors
    /// [`Error::Sqlite`](crate::Error::Sqlite) when the file cannot be read.
    pub fn next(&mut self, store: &Store) -> Result<(Vec<Happening>, i64)> {
        let tried =
            store.read(|connection| read_places(connection, NEXT_PLACES, self.attempt, BATCH))?;
        let unseen = tried
            .first()
            .map_or(0, |(place, _)| place - 1 - self.attempt);
        if let Some((place, _)) = tried.last() {
            self.attempt = *place;
        }
        let mut new = store.with_deliveries(tried)?;
        let events = store.events_behind(self.event, BATCH)?;
        if let Some(event) = events.last() {
            self.event = event.id;
        }
        new.extend(events.into_iter().map(Happening::from));
        new.extend(self.next_outages(store)?);
        new.sort_by_key(Happening::at);
        Ok((new, unseen))
    }

    fn next_outages(&mut self, store: &Store) -> Result<Vec<Happening>> {
        let mut begun = store.outages(&OutageFilter::default(), BATCH)?;
        begun.retain(|outage| outage.id > self.outage);
        if let Some(newest) = begun.first() {
            self.outage = newest.id;
        }
        let open = store.open_outages()?;
        self.note_open(&begun, &open);
        let ended: Vec<i64> = self.open.difference(&open).copied().collect();
        let mut new: Vec<Happening> = begun.into_iter().flat_map(both_ends).collect();
        for id in ended {
            self.open.remove(&id);
            new.push(Happening::OutageEnded(store.outage(id)?));
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

impl From<EventRecord> for Happening {
    fn from(event: EventRecord) -> Happening {
        Happening::Event(Box::new(event))
    }
}

/// That an outage began, and that it ended if it did.
fn both_ends(outage: OutageRecord) -> impl Iterator<Item = Happening> {
    let ended = outage.ended.is_some().then(|| outage.clone());
    let began = Happening::OutageBegan(outage);
    std::iter::once(began).chain(ended.map(Happening::OutageEnded))
}

const NEXT_PLACES: &str = "select id, attempt_id from hookbox_recent_attempt
     where id > :place order by id limit :limit";

const LATEST_PLACES: &str = "select id, attempt_id from hookbox_recent_attempt
     where id > :place order by id desc limit :limit";

/// Places in the log of recent attempts, each with its attempt unless that is gone.
fn read_places(
    connection: &Connection,
    places: &str,
    place: i64,
    limit: usize,
) -> Result<Vec<(i64, Option<AttemptRecord>)>> {
    let mut attempt = connection.prepare_cached(&format!("{ATTEMPT_COLUMNS} where id = :id"))?;
    let mut places = connection.prepare_cached(places)?;
    let mut places = places.query(named_params! { ":place": place, ":limit": limit as i64 })?;
    let mut read = Vec::new();
    while let Some(row) = places.next()? {
        let (place, id): (i64, i64) = (row.get(0)?, row.get(1)?);
        let found = attempt.query_row(named_params! { ":id": id }, read_attempt);
        read.push((place, found.optional()?));
    }
    Ok(read)
}

impl Store {
    fn with_deliveries(&self, tried: Vec<(i64, Option<AttemptRecord>)>) -> Result<Vec<Happening>> {
        let attempts = tried.into_iter().filter_map(|(_, attempt)| attempt);
        attempts
            .map(|attempt| {
                let delivery = self.delivery(attempt.delivery)?;
                Ok(Happening::Attempt(Box::new((attempt, delivery))))
            })
            .collect()
    }

    fn open_outages(&self) -> Result<BTreeSet<i64>> {
        let going_on = OutageFilter {
            is_open: true,
            ..OutageFilter::default()
        };
        let open = self.outages(&going_on, PAGE_MAX)?;
        Ok(open.into_iter().map(|outage| outage.id).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::plan::plan_of;

    #[test]
    fn following_reads_what_is_new_and_nothing_else() {
        for places in [NEXT_PLACES, LATEST_PLACES] {
            let plan = plan_of(places);
            let by_place = "SEARCH hookbox_recent_attempt USING INTEGER PRIMARY KEY (rowid>?)";
            assert!(plan.contains(by_place), "{plan}");
            assert!(!plan.contains("TEMP B-TREE"), "{plan}");
        }
    }
}
