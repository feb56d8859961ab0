//! Removes old, settled rows, a bounded number at a time.
//!
//! An event is removed together with all its deliveries and all edited copies of it, or none of them is
//! removed. This must never remove a pending delivery, a row that a remaining row refers to, or the newest
//! row of a table: its id would be given out again.

use std::time::Duration;

use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::model::delivery::State;
use crate::model::id::{BoxId, DeliveryId, EndpointId, EventId, SourceId};
use crate::store::engine::Store;
use crate::store::engine::conn::{Conn, Row, params};
use crate::store::engine::job::Tx;
use crate::store::engine::marks;
use crate::store::engine::partition::{CLOCK_SKEW_ROWS, partition_by_time};
use crate::time::FIRST_PLAUSIBLE;
use crate::time::Timestamp;

/// Events younger than this are kept: a request with one may still be on the wire.
pub(crate) const KEPT_AT_LEAST: Duration = Duration::from_secs(3_600);

/// How many event ids one step reads, and how many events it may find among them.
const LOOKED_AT: i64 = 1_000;
const FOUND_MAX: i64 = 200;

/// Maximum rows of all kinds that one transaction removes, and about how many bytes of bodies. Another
/// writer waits some milliseconds for the write lock meanwhile.
const REMOVED: Most = Most {
    rows: 500,
    bytes: 4 * 1024 * 1024,
};

/// What was removed, or would be removed.
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
    /// The last event that was looked at: the position to continue from.
    pub looked_to: EventId,
    /// The last event that will be looked at.
    pub ends_at: EventId,
}

impl Pruned {
    pub(crate) fn nothing() -> Pruned {
        Pruned {
            events: 0,
            deliveries: 0,
            attempts: 0,
            bytes: 0,
            looked_to: EventId(0),
            ends_at: EventId(0),
        }
    }

    /// Whether everything was looked at.
    pub fn is_whole(&self) -> bool {
        self.looked_to >= self.ends_at
    }

    /// As a JSON object.
    pub fn json(&self, box_id: &BoxId, is_dry: bool) -> Value {
        json!({
            "dry_run": is_dry,
            "events": self.events,
            "deliveries": self.deliveries,
            "attempts": self.attempts,
            "bytes": self.bytes,
            "complete": self.is_whole(),
            "next": (!self.is_whole()).then(|| box_id.event(self.looked_to)),
        })
    }
}

/// The age limits: an event is removed when its deliveries were settled before these times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Before {
    /// For delivered and superseded deliveries, and for events without deliveries.
    pub arrived: Timestamp,
    /// For dead and cancelled deliveries that are not superseded.
    pub failed: Timestamp,
}

impl Before {
    /// One time for both: removes everything that was settled before it.
    pub fn all(time: Timestamp) -> Before {
        Before {
            arrived: time,
            failed: time,
        }
    }

    fn latest(self) -> Timestamp {
        self.arrived.max(self.failed)
    }
}

/// How much one transaction removes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Most {
    pub(crate) rows: i64,
    pub(crate) bytes: i64,
}

/// An event that may be removed.
struct Old {
    id: EventId,
    source: Option<SourceId>,
    key: Option<String>,
    bytes: i64,
}

/// An event and all its edited copies. Their deliveries refer to each other, so all of them are removed
/// together.
type Family = Vec<Old>;

/// SQL: whether `$moment` is before `$before`. The time by which the wall clock was set forward since then
/// does not count as age.
///
/// A time from when the box did not know the time is never "before": its real age is unknown.
macro_rules! is_before {
    ($moment:literal, $before:literal) => {
        concat!(
            "(",
            $moment,
            " >= :plausible and ",
            $moment,
            " + coalesce((
                 select sum(c.by_ms) from hookbox_clock_set as c where c.from_ms >= ",
            $moment,
            "
             ), 0) < ",
            $before,
            ")"
        )
    };
}

/// SQL: whether an event and all its deliveries are old enough to be removed.
///
/// Delivered and superseded deliveries must be settled before `:arrived`, the other settled ones before
/// `:failed`. An event without deliveries must be received before `:arrived`. The newest event and the
/// event of the newest delivery are never old. An event is also kept while a bulk replay has yet to look at
/// it.
macro_rules! is_old {
    () => {
        concat!(
            is_before!("e.received_ms", ":either"),
            " and (",
            is_before!("e.received_ms", ":arrived"),
            "    or exists (
                     select 1 from hookbox_delivery as d indexed by hookbox_delivery_event
                     where d.event_id = e.id
                 )
             )
             and e.id < (select max(id) from hookbox_event)
             and not exists (
                 select 1 from hookbox_replay as r
                 where r.ended_ms is null and r.kind = 'backfill'
                     and e.id > r.done_to and e.id <= r.up_to
             )
             and not exists (
                 select 1 from hookbox_delivery as d indexed by hookbox_delivery_event
                 where d.event_id = e.id
                     and (
                         d.state = 'pending'
                         or not ",
            is_before!(
                "d.settled_ms",
                "case when d.state = 'delivered' or d.superseded_by is not null then :arrived else :failed end"
            ),
            "            or d.id = (select max(id) from hookbox_delivery)
                         or exists (
                             select 1 from hookbox_replay as r
                             where r.ended_ms is null and r.kind <> 'backfill'
                                 and d.id > r.done_to and d.id <= r.up_to
                         )
                     )
             )"
        )
    };
}

/// Events that are not copies, and may be removed if their copies may be removed.
const OLD: &str = concat!(
    "select e.id, e.source_id, e.key, e.bytes, exists (
         select 1 from hookbox_event as c where c.replay_of_event = e.id
     )
     from hookbox_event as e
     where e.id > :after and e.id <= :last and e.replay_of_event is null
         and ",
    is_old!(),
    " order by e.id limit :limit"
);

/// All edited copies of an event, also copies of copies, with whether each may be removed.
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

const RECEIVED: &str = "select received_ms from hookbox_event where id > :id order by id limit 1";

/// One step: the families to remove.
struct PruneStep {
    families: Vec<Family>,
    /// The last event that this step looked at: all removable events up to it are in the step.
    looked_to: EventId,
    deliveries: i64,
    attempts: i64,
}

impl Store {
    /// Removes old events with their deliveries and attempts, oldest first, as long as `go_on` returns
    /// true.
    ///
    /// An event is removed when it was received before `before` and all its deliveries were settled before
    /// that. Give `after`, an event, to continue from there. The key of a removed event is new when it
    /// comes again. The file keeps its size: the space is used again.
    ///
    /// # Errors
    /// [`Error::Misuse`] when the time is less than an hour ago; [`Error::Database`] when it cannot be
    /// written. What was removed before the error stays removed.
    pub fn prune(
        &self,
        before: Timestamp,
        after: Option<EventId>,
        now: Timestamp,
        go_on: impl FnMut(&Pruned) -> bool,
    ) -> Result<Pruned> {
        self.remove_old(Before::all(before), REMOVED, after, now, go_on)
    }

    /// Removes old events, one bounded step.
    pub(crate) fn remove_old(
        &self,
        before: Before,
        most: Most,
        after: Option<EventId>,
        now: Timestamp,
        go_on: impl FnMut(&Pruned) -> bool,
    ) -> Result<Pruned> {
        // So that the keys are read before the write lock is taken, and nobody waits for that.
        self.published().ask_for_keys();
        self.go_through(before, most, after, now, go_on, |after, piece| {
            let last = piece.looked_to;
            // The step is searched again under the write lock: someone may have replayed one of the events
            // in the meantime.
            self.write(move |tx| remove(tx, before, after, last))
        })
    }

    /// What [`Store::prune`] would remove.
    ///
    /// # Errors
    /// As [`Store::prune`].
    pub fn preview_prune(
        &self,
        before: Timestamp,
        after: Option<EventId>,
        now: Timestamp,
        go_on: impl FnMut(&Pruned) -> bool,
    ) -> Result<Pruned> {
        let before = Before::all(before);
        self.go_through(before, REMOVED, after, now, go_on, |_, piece| Ok(piece))
    }

    /// Names of endpoints with a pending delivery that keeps an event received before a time. For each
    /// endpoint only the deliveries that are due first are looked at.
    ///
    /// # Errors
    /// [`Error::Database`] when the file cannot be read.
    #[doc(hidden)]
    pub fn kept_for(&self, before: Timestamp) -> Result<Vec<String>> {
        self.read(|conn| {
            conn.all::<String>(
                "select p.name from hookbox_endpoint as p
                 where exists (
                     select 1
                     from (
                         select event_id from hookbox_delivery indexed by hookbox_delivery_due
                         where endpoint_id = p.id and state = 'pending'
                         order by due_ms
                         limit 1000
                     ) as d
                     join hookbox_event as e on e.id = d.event_id
                     where e.received_ms < :before
                 )
                 order by p.name",
                params! { ":before": before },
                |row| row.get(0),
            )
        })
    }

    fn go_through(
        &self,
        before: Before,
        most: Most,
        after: Option<EventId>,
        now: Timestamp,
        mut go_on: impl FnMut(&Pruned) -> bool,
        settle: impl Fn(EventId, PruneStep) -> Result<PruneStep>,
    ) -> Result<Pruned> {
        if now.since(before.latest()) < KEPT_AT_LEAST {
            return Err(Error::misuse(
                "the last hour is kept: requests of it may be on the wire; name an earlier time",
            ));
        }
        let newest = self.newest_id("select max(id) from hookbox_event")?;
        let low =
            self.read(|conn| partition_by_time(conn, RECEIVED, newest, before.latest(), 1))?;
        let last = EventId((low + CLOCK_SKEW_ROWS).min(newest));
        let mut pruned = Pruned {
            looked_to: after.unwrap_or(EventId(0)),
            ends_at: last,
            ..Pruned::nothing()
        };
        while go_on(&pruned) && !pruned.is_whole() {
            let after = pruned.looked_to;
            let mut piece = self.read(|conn| next_piece(conn, before, most, after, last))?;
            let looked_to = piece.looked_to;
            if !piece.families.is_empty() {
                piece = settle(after, piece)?;
            }
            let events = piece.families.iter().flatten();
            pruned.events += events.clone().count() as i64;
            pruned.bytes += events.map(|old| old.bytes).sum::<i64>();
            pruned.deliveries += piece.deliveries;
            pruned.attempts += piece.attempts;
            pruned.looked_to = looked_to;
        }
        Ok(pruned)
    }
}

/// The next families that may be removed: as many as one transaction removes.
fn next_piece(
    conn: Conn<'_>,
    before: Before,
    most: Most,
    after: EventId,
    last: EventId,
) -> Result<PruneStep> {
    // After many removals there may be a large range without events, so it is skipped.
    let next: Option<i64> = conn.one(
        "select min(id) from hookbox_event where id > :after",
        params! { ":after": after },
        |row| row.get(0),
    )?;
    let Some(next) = next.filter(|next| *next <= last.0) else {
        return Ok(PruneStep {
            families: Vec::new(),
            looked_to: last,
            deliveries: 0,
            attempts: 0,
        });
    };
    let end = EventId((next + LOOKED_AT - 1).min(last.0));
    let found = find(conn, before, EventId(next - 1), end)?;
    let mut piece = PruneStep {
        families: Vec::new(),
        looked_to: end,
        deliveries: 0,
        attempts: 0,
    };
    let is_cut = found.len() as i64 == FOUND_MAX;
    let (mut rows, mut bytes) = (0, 0);
    for (family, first) in found {
        if rows >= most.rows || bytes >= most.bytes {
            piece.looked_to = EventId(first.0 - 1);
            return Ok(piece);
        }
        for old in &family {
            let (deliveries, attempts) = count(conn, old.id)?;
            piece.deliveries += deliveries;
            piece.attempts += attempts;
            rows += 1 + deliveries + attempts;
            bytes += old.bytes;
        }
        if is_cut {
            piece.looked_to = first;
        }
        if !family.is_empty() {
            piece.families.push(family);
        }
    }
    Ok(piece)
}

/// The removable families of these events, in the order of their first events. A family is empty when one
/// of its copies must be kept.
fn find(
    conn: Conn<'_>,
    before: Before,
    after: EventId,
    last: EventId,
) -> Result<Vec<(Family, EventId)>> {
    let values = params! {
        ":arrived": before.arrived, ":failed": before.failed,
                ":either": before.arrived.max(before.failed), ":plausible": FIRST_PLAUSIBLE,
        ":after": after, ":last": last, ":limit": FOUND_MAX,
    };
    let old = conn.all::<(Old, bool)>(OLD, values, read_old)?;
    let mut families = Vec::new();
    for (old, has_copies) in old {
        let first = old.id;
        let mut family = vec![old];
        if has_copies {
            let values = params! {
                ":arrived": before.arrived, ":failed": before.failed,
                ":either": before.arrived.max(before.failed),
                ":plausible": FIRST_PLAUSIBLE, ":event": first,
            };
            let copies = conn.all(COPIES, values, read_old)?;
            match copies.iter().all(|(_, is_old)| *is_old) {
                true => family.extend(copies.into_iter().map(|(copy, _)| copy)),
                false => family.clear(),
            }
        }
        families.push((family, first));
    }
    Ok(families)
}

/// An event, and the value of the last column.
fn read_old(row: &Row<'_>) -> Result<(Old, bool)> {
    let old = Old {
        id: row.get(0)?,
        source: row.get(1)?,
        key: row.get(2)?,
        bytes: row.get(3)?,
    };
    Ok((old, row.get(4)?))
}

/// The number of deliveries of an event, and of their attempts.
fn count(conn: Conn<'_>, event: EventId) -> Result<(i64, i64)> {
    conn.one(
        "select count(*), coalesce(sum((
             select count(*) from hookbox_attempt as a
             where a.id > d.id * 1024 and a.id < (d.id + 1) * 1024
         )), 0)
         from hookbox_delivery as d indexed by hookbox_delivery_event
         where d.event_id = :event",
        params! { ":event": event },
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
}

/// Removes the families after one event and up to another.
fn remove(tx: &mut Tx<'_>, before: Before, after: EventId, last: EventId) -> Result<PruneStep> {
    let mut removed = PruneStep {
        families: Vec::new(),
        looked_to: last,
        deliveries: 0,
        attempts: 0,
    };
    for (family, _) in find(tx.conn, before, after, last)? {
        if !family.is_empty() {
            let (deliveries, attempts) = remove_family(tx, &family)?;
            removed.deliveries += deliveries;
            removed.attempts += attempts;
            removed.families.push(family);
        }
    }
    let newest = removed.families.iter().flatten().map(|old| old.id).max();
    if let Some(newest) = newest {
        tx.conn.change_one(
            "update hookbox_meta set pruned_to = case when pruned_to > :newest then pruned_to else :newest end
             where id = 1",
            params! { ":newest": newest },
        )?;
        marks::forget(tx.conn)?;
    }
    Ok(removed)
}

/// Removes a family; returns how many deliveries and attempts were removed with it.
fn remove_family(tx: &mut Tx<'_>, family: &Family) -> Result<(i64, i64)> {
    let ids: Vec<i64> = family.iter().map(|old| old.id.0).collect();
    let ids = json!(ids).to_string();
    let events = params! { ":events": ids };
    let deliveries: Vec<(DeliveryId, EndpointId, State, bool)> = tx
        .conn
        .all(
            "select d.id, d.endpoint_id, d.state, d.superseded_by is not null
             from json_each(:events) as e
             join hookbox_delivery as d indexed by hookbox_delivery_event on d.event_id = e.value",
            events,
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
        )?
        .into_iter()
        .collect::<_>();
    let mut attempts = 0;
    for (id, endpoint, state, is_superseded) in &deliveries {
        attempts += tx.conn.run(
            "delete from hookbox_attempt where id > :id * 1024 and id < (:id + 1) * 1024",
            params! { ":id": id },
        )?;
        tx.tally.delivery_pruned(*endpoint, *state, *is_superseded);
    }
    // All in one statement, since the rows refer to each other.
    tx.conn.change(
        deliveries.len(),
        "delete from hookbox_delivery
         where event_id in (select value from json_each(:events) as e) and state <> 'pending'",
        events,
    )?;
    for old in family {
        if let Some(key) = &old.key {
            tx.keys.remove(tx.conn, old.id, old.source, key)?;
        }
        tx.tally.event_pruned(old.source);
    }
    tx.conn.change(
        family.len(),
        "delete from hookbox_event where id in (select value from json_each(:events) as e)",
        events,
    )?;
    Ok((deliveries.len() as i64, attempts as i64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::engine::plan::plan_of;

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
            // The tables of clock changes and of running replays are small, so a scan of them is allowed.
            let scans = |line: &&str| {
                let is_short = ["SCAN c", "SCAN f", "SCAN r USING INDEX hookbox_replay_open"];
                line.starts_with("SCAN") && !is_short.contains(line)
            };
            let scans: Vec<&str> = plan.lines().filter(scans).collect();
            assert!(scans.is_empty(), "{plan}");
        }
        for (table, column) in [
            ("hookbox_delivery", "replay_of"),
            ("hookbox_delivery", "superseded_by"),
            ("hookbox_event", "replay_of_event"),
        ] {
            // The lookup that SQLite does when it removes a row that other rows may refer to.
            let plan = plan_of(&format!("select 1 from {table} where {column} = 7"));
            assert!(plan.starts_with("SEARCH"), "{plan}");
        }
    }
}
