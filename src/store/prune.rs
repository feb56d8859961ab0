//! Removing what is old and settled, a bounded piece at a time.
//!
//! An event goes with all that was owed of it and the copies that were made of it, or all of that
//! stays. It must never remove what is pending, what something that stays refers to, or the newest of
//! its kind, whose id would be given out again.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row, named_params};
use serde_json::{Value, json};

use super::Store;
use super::job::Tx;
use crate::error::{Error, Result};
use crate::model::delivery::State;
use crate::model::id::{DeliveryId, EndpointId, EventId, SourceId};
use crate::time::Timestamp;

/// What is younger is kept: a request of it may still be on the wire.
const KEPT_AT_LEAST: Duration = Duration::from_secs(3_600);

/// Rows of events that one step passes over, and rows of all kinds that it removes, roughly.
const STEP_EVENTS: i64 = 1_000;
const STEP_ROWS: i64 = 500;

/// What was removed, or would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pruned {
    /// Events.
    pub events: i64,
    /// Their deliveries.
    pub deliveries: i64,
    /// The attempts of those.
    pub attempts: i64,
    /// Bytes of the events' bodies.
    pub bytes: i64,
    /// Up to which event it has looked, and up to which it will: for whoever watches.
    pub looked_to: EventId,
    /// See `looked_to`.
    pub ends_at: EventId,
}

impl Pruned {
    /// Whether all was looked at.
    pub fn is_whole(&self) -> bool {
        self.looked_to >= self.ends_at
    }

    /// As a JSON object.
    pub fn json(&self, is_dry: bool) -> Value {
        json!({
            "dry_run": is_dry,
            "events": self.events,
            "deliveries": self.deliveries,
            "attempts": self.attempts,
            "bytes": self.bytes,
            "complete": self.is_whole(),
        })
    }

    fn add(&mut self, step: &Step) {
        self.events += step.events;
        self.deliveries += step.deliveries;
        self.attempts += step.attempts;
        self.bytes += step.bytes;
        self.looked_to = step.looked_to;
    }
}

/// What one step did.
struct Step {
    events: i64,
    deliveries: i64,
    attempts: i64,
    bytes: i64,
    looked_to: EventId,
}

/// An event that can go.
struct Old {
    id: EventId,
    source: Option<SourceId>,
    key: Option<String>,
    bytes: i64,
}

/// An event and all that were made of it by editing: their deliveries refer to each other, so they
/// go together.
type Family = Vec<Old>;

/// Whether an event came before a time, and all of its deliveries were settled before it. The newest
/// event and that of the newest delivery are never.
macro_rules! is_old {
    () => {
        "e.received_ms < :before
         and e.id < (select max(id) from hookbox_event)
         and not exists (
             select 1 from hookbox_delivery as d indexed by hookbox_delivery_event
             where d.event_id = e.id
                 and (
                     d.state = 'pending' or d.settled_ms >= :before
                     or d.id = (select max(id) from hookbox_delivery)
                 )
         )"
    };
}

/// Events that are no copies, and can go if their copies can.
const OLD: &str = concat!(
    "select e.id, e.source_id, e.key, e.bytes, exists (
         select 1 from hookbox_event as c where c.replay_of_event = e.id
     )
     from hookbox_event as e
     where e.id > :after and e.id <= :last and e.replay_of_event is null
         and ",
    is_old!(),
    " order by e.id"
);

/// The copies of an event, and of those, with whether each can go.
const COPIES: &str = concat!(
    "with recursive family (id) as (
         select id from hookbox_event where replay_of_event = :event
         union
         select c.id from family as f join hookbox_event as c on c.replay_of_event = f.id
     )
     select e.id, e.source_id, e.key, e.bytes, ",
    is_old!(),
    " from family as f join hookbox_event as e on e.id = f.id"
);

impl Store {
    /// Removes events that came before a time and all of whose deliveries were settled before it,
    /// with their deliveries and attempts, oldest first, as long as `go_on` says so. A key that goes
    /// with its event is new when it comes again. The file keeps its size: what is freed is used
    /// again.
    ///
    /// # Errors
    /// [`Error::Misuse`] when the time is less than an hour ago; [`Error::Sqlite`] when it cannot be
    /// written. What was removed until then is.
    pub fn prune(
        &self,
        before: Timestamp,
        now: Timestamp,
        go_on: impl FnMut(&Pruned) -> bool,
    ) -> Result<Pruned> {
        self.go_through(before, now, go_on, |after, last| {
            // So that nobody waits while the log of keys is read for the first time.
            self.inner.published.ask_for_keys();
            self.write(move |tx| remove(tx, before, after, last))
        })
    }

    /// What [`Store::prune`] would remove.
    ///
    /// # Errors
    /// As there.
    pub fn preview_prune(
        &self,
        before: Timestamp,
        now: Timestamp,
        go_on: impl FnMut(&Pruned) -> bool,
    ) -> Result<Pruned> {
        self.go_through(before, now, go_on, |after, last| {
            self.read(|connection| {
                let mut step = Step::until(last);
                for old in find(connection, before, after, last)?.iter().flatten() {
                    step.events += 1;
                    step.bytes += old.bytes;
                    let (deliveries, attempts) = count(connection, old.id)?;
                    step.deliveries += deliveries;
                    step.attempts += attempts;
                }
                Ok(step)
            })
        })
    }

    fn go_through(
        &self,
        before: Timestamp,
        now: Timestamp,
        mut go_on: impl FnMut(&Pruned) -> bool,
        step: impl Fn(EventId, EventId) -> Result<Step>,
    ) -> Result<Pruned> {
        if now.since(before) < KEPT_AT_LEAST {
            return Err(Error::misuse(
                "the last hour is kept: requests of it may be on the wire; name an earlier time",
            ));
        }
        let (first, last) = self.read(|connection| ends(connection, before))?;
        let mut pruned = Pruned {
            events: 0,
            deliveries: 0,
            attempts: 0,
            bytes: 0,
            looked_to: EventId(first),
            ends_at: EventId(last),
        };
        while go_on(&pruned) && !pruned.is_whole() {
            let end = EventId((pruned.looked_to.0 + STEP_EVENTS).min(last));
            pruned.add(&step(pruned.looked_to, end)?);
        }
        Ok(pruned)
    }
}

impl Step {
    fn until(looked_to: EventId) -> Step {
        Step {
            events: 0,
            deliveries: 0,
            attempts: 0,
            bytes: 0,
            looked_to,
        }
    }
}

/// Behind which event to begin, and which is the last that may have come before a time: found by
/// halves, with room for a clock that was set. The newest one stays.
fn ends(connection: &Connection, before: Timestamp) -> Result<(i64, i64)> {
    const ROOM: i64 = 10_000;
    let (oldest, newest): (i64, i64) = connection.query_row(
        "select ifnull(min(id), 1), ifnull(max(id), 0) from hookbox_event",
        [],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let mut received = connection.prepare_cached(
        "select received_ms from hookbox_event where id >= :id order by id limit 1",
    )?;
    let (mut low, mut high) = (oldest - 1, newest);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        let at: Option<Timestamp> = received
            .query_row(named_params! { ":id": middle }, |row| row.get(0))
            .optional()?;
        match at {
            Some(at) if at < before => low = middle,
            _ => high = middle,
        }
    }
    Ok((oldest - 1, (low + ROOM).min(newest)))
}

/// The families that can go, of events in this order.
fn find(
    connection: &Connection,
    before: Timestamp,
    after: EventId,
    last: EventId,
) -> Result<Vec<Family>> {
    let values = named_params! { ":before": before, ":after": after, ":last": last };
    let old = connection
        .prepare_cached(OLD)?
        .query_map(values, read_old)?
        .collect::<rusqlite::Result<Vec<(Old, bool)>>>()?;
    let mut families = Vec::new();
    for (old, has_copies) in old {
        let mut family = vec![old];
        let mut can_go = true;
        if has_copies {
            let values = named_params! { ":before": before, ":event": family[0].id };
            let mut copies = connection.prepare_cached(COPIES)?;
            for copy in copies.query_map(values, read_old)? {
                let (copy, is_old) = copy?;
                can_go &= is_old;
                family.push(copy);
            }
        }
        if can_go {
            families.push(family);
        }
    }
    Ok(families)
}

/// An event, and what the last column says of it.
fn read_old(row: &Row<'_>) -> rusqlite::Result<(Old, bool)> {
    let old = Old {
        id: row.get(0)?,
        source: row.get(1)?,
        key: row.get(2)?,
        bytes: row.get(3)?,
    };
    Ok((old, row.get(4)?))
}

/// How many deliveries of an event there are, and attempts of those.
fn count(connection: &Connection, event: EventId) -> Result<(i64, i64)> {
    let counts = connection
        .prepare_cached(
            "select count(*), ifnull(sum((
                 select count(*) from hookbox_attempt as a
                 where a.id > d.id * 1024 and a.id < (d.id + 1) * 1024
             )), 0)
             from hookbox_delivery as d indexed by hookbox_delivery_event
             where d.event_id = :event",
        )?
        .query_row(named_params! { ":event": event }, |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    Ok(counts)
}

/// One step: it ends early where there is much to remove.
fn remove(tx: &mut Tx<'_>, before: Timestamp, after: EventId, last: EventId) -> Result<Step> {
    let mut step = Step::until(last);
    for family in find(tx.connection, before, after, last)? {
        let rows = step.events + step.deliveries + step.attempts;
        if rows >= STEP_ROWS {
            // All before this one were looked at.
            step.looked_to = EventId(family[0].id.0 - 1);
            break;
        }
        remove_family(tx, &family, &mut step)?;
    }
    Ok(step)
}

fn remove_family(tx: &mut Tx<'_>, family: &Family, step: &mut Step) -> Result<()> {
    let ids: Vec<i64> = family.iter().map(|old| old.id.0).collect();
    let ids = json!(ids).to_string();
    let events = named_params! { ":events": ids };
    let deliveries: Vec<(DeliveryId, EndpointId, State, bool)> = tx
        .connection
        .prepare_cached(
            "select d.id, d.endpoint_id, d.state, d.mended_by is not null
             from json_each(:events) as e
             join hookbox_delivery as d indexed by hookbox_delivery_event on d.event_id = e.value",
        )?
        .query_map(events, |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })?
        .collect::<rusqlite::Result<_>>()?;
    for (id, endpoint, state, is_mended) in &deliveries {
        let attempts = tx
            .connection
            .prepare_cached(
                "delete from hookbox_attempt where id > :id * 1024 and id < (:id + 1) * 1024",
            )?
            .execute(named_params! { ":id": id })?;
        step.attempts += attempts as i64;
        tx.changes.delivery_pruned(*endpoint, *state, *is_mended);
    }
    // All in one statement: they refer to each other.
    let removed = tx
        .connection
        .prepare_cached(
            "delete from hookbox_delivery
             where event_id in (select value from json_each(:events)) and state <> 'pending'",
        )?
        .execute(events)?;
    expect(removed, deliveries.len())?;
    for old in family {
        if let Some(key) = &old.key {
            tx.keys.remove(tx.connection, old.id, old.source, key)?;
        }
        tx.changes.event_pruned(old.source);
        step.bytes += old.bytes;
    }
    let removed = tx
        .connection
        .prepare_cached(
            "delete from hookbox_event where id in (select value from json_each(:events))",
        )?
        .execute(events)?;
    expect(removed, family.len())?;
    step.events += family.len() as i64;
    step.deliveries += deliveries.len() as i64;
    Ok(())
}

/// Under the write lock nobody can have changed what was just found.
fn expect(removed: usize, found: usize) -> Result<()> {
    if removed == found {
        Ok(())
    } else {
        Err(rusqlite::Error::StatementChangedRows(removed).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::plan::plan_of;

    #[test]
    fn a_step_reads_its_events_and_what_refers_to_them_and_nothing_else() {
        for (statement, by) in [
            (
                OLD,
                "SEARCH e USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)",
            ),
            (OLD, "hookbox_delivery_event (event_id=?)"),
            (OLD, "hookbox_event_copy (replay_of_event=?)"),
            (COPIES, "hookbox_event_copy (replay_of_event=?)"),
            (COPIES, "SEARCH e USING INTEGER PRIMARY KEY (rowid=?)"),
        ] {
            let plan = plan_of(statement);
            assert!(plan.contains(by), "{by}: {plan}");
            let scans = |line: &&str| line.starts_with("SCAN") && !line.contains(" f");
            let scans: Vec<&str> = plan.lines().filter(scans).collect();
            assert!(scans.is_empty(), "{plan}");
        }
        for (table, column) in [
            ("hookbox_delivery", "replay_of"),
            ("hookbox_delivery", "mended_by"),
            ("hookbox_event", "replay_of_event"),
        ] {
            // What SQLite looks for when a row is removed that others may refer to.
            let plan = plan_of(&format!("select 1 from {table} where {column} = 7"));
            assert!(plan.starts_with("SEARCH"), "{plan}");
        }
    }
}
