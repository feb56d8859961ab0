//! Giving up what has become too old to be of use.

use std::time::Duration;

use rusqlite::named_params;

use super::Store;
use super::columns::Millis;
use super::job::Tx;
use super::writer::expect_one;
use crate::error::Result;
use crate::model::delivery::State;
use crate::model::id::{DeliveryId, EndpointId};
use crate::time::Timestamp;

/// Deliveries settled in one transaction, so that nobody waits long for the writer.
pub(super) const BATCH: i64 = 1_000;

/// Those of an endpoint whose event was received up to then. Through the index over pending rows:
/// they are the oldest, or nearly.
const PENDING_UP_TO: &str = "select d.id
     from hookbox_delivery as d indexed by hookbox_delivery_due
     join hookbox_event as e on e.id = d.event_id
     where d.endpoint_id = :endpoint and d.state = 'pending' and e.received_ms <= :up_to
     limit :limit";

/// Those among the ones that are due first that are owed since then at most: it looks at no more than
/// may be settled. Where the clock was set, some are younger than they look, and are left.
const FIRST_UP_TO: &str = "select id from (
         select first.id, iif(first.is_asked_for, first.created_ms, e.received_ms) as owed_ms
         from (
             select id, event_id, created_ms, replay_of is not null or replay_id is not null as is_asked_for
             from hookbox_delivery indexed by hookbox_delivery_due
             where endpoint_id = :endpoint and state = 'pending'
             order by due_ms, id
             limit :limit
         ) as first
         join hookbox_event as e on e.id = first.event_id
     )
     where owed_ms <= :up_to and owed_ms >= :plausible
         and owed_ms > ifnull((select max(from_ms) from hookbox_clock_set), -1)";

/// 2020-01-01: a box whose clock says less has not heard the time yet. How old something is that came
/// then nobody can say.
pub(crate) const FIRST_PLAUSIBLE: Timestamp = Timestamp(1_577_836_800_000);

/// What is too old.
#[derive(Debug)]
pub(crate) struct Expired {
    pub(crate) endpoint: EndpointId,
    /// The one that was found.
    pub(crate) found: DeliveryId,
    /// Whatever is owed since then at most is too old as well.
    pub(crate) up_to: Timestamp,
    /// What is on the wire is left alone.
    pub(crate) but_for: Vec<DeliveryId>,
}

/// What becomes of deliveries that are settled without being sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settling<'a> {
    pub(super) to: State,
    pub(super) reason: &'a str,
    pub(super) now: Timestamp,
}

impl Store {
    /// How much younger something is that is owed since a moment than it looks: the wall clock was set
    /// forward since.
    ///
    /// # Errors
    /// [`Error::Sqlite`](crate::Error::Sqlite) when the file cannot be read.
    pub(crate) fn clock_set_since(&self, owed: Timestamp) -> Result<Duration> {
        self.read(|connection| {
            let by: Millis = connection
                .prepare_cached(
                    "select ifnull(sum(by_ms), 0) from hookbox_clock_set where from_ms >= :owed",
                )?
                .query_row(named_params! { ":owed": owed }, |row| row.get(0))?;
            Ok(by.0)
        })
    }

    /// How long an endpoint could not be reached, all in all, since a moment.
    ///
    /// # Errors
    /// [`Error::Sqlite`](crate::Error::Sqlite) when the file cannot be read.
    pub(crate) fn offline_since(
        &self,
        endpoint: EndpointId,
        since: Timestamp,
        now: Timestamp,
    ) -> Result<Duration> {
        self.read(|connection| {
            let millis: i64 = connection
                .prepare_cached(
                    "select ifnull(sum(max(0, min(ifnull(ended_ms, :now), :now) - max(since_ms, :since))), 0)
                     from hookbox_outage
                     where endpoint_id = :endpoint and (ended_ms is null or ended_ms > :since)",
                )?
                .query_row(
                    named_params! { ":endpoint": endpoint, ":since": since, ":now": now },
                    |row| row.get(0),
                )?;
            Ok(Duration::from_millis(u64::try_from(millis).unwrap_or(0)))
        })
    }

    /// Gives up one delivery of an endpoint, and with it, a batch of them, those of the ones that
    /// are due first that are owed since a moment at most, but for some; returns how many.
    ///
    /// # Errors
    /// [`Error::Sqlite`](crate::Error::Sqlite) when nothing can be written.
    pub(crate) fn expire(&self, old: Expired, reason: &str, now: Timestamp) -> Result<i64> {
        let reason = reason.to_owned();
        self.write(move |tx| {
            let mut found = tx
                .connection
                .prepare_cached(FIRST_UP_TO)?
                .query_map(
                    named_params! {
                        ":endpoint": old.endpoint, ":up_to": old.up_to, ":limit": BATCH,
                        ":plausible": FIRST_PLAUSIBLE,
                    },
                    |row| row.get(0),
                )?
                .collect::<rusqlite::Result<Vec<DeliveryId>>>()?;
            found.retain(|id| *id != old.found && !old.but_for.contains(id));
            if is_pending(tx, old.found)? {
                found.push(old.found);
            }
            let settling = Settling {
                to: State::Dead,
                reason: &reason,
                now,
            };
            settle(tx, old.endpoint, &found, settling)
        })
    }

    /// Gives up one delivery of an endpoint that is not to be sent.
    ///
    /// # Errors
    /// [`Error::Sqlite`](crate::Error::Sqlite) when nothing can be written.
    pub(crate) fn give_up(
        &self,
        endpoint: EndpointId,
        delivery: DeliveryId,
        reason: &str,
        now: Timestamp,
    ) -> Result<()> {
        let reason = reason.to_owned();
        self.write(move |tx| {
            if is_pending(tx, delivery)? {
                let settling = Settling {
                    to: State::Dead,
                    reason: &reason,
                    now,
                };
                settle(tx, endpoint, &[delivery], settling)?;
            }
            Ok(())
        })
    }

    /// How many pending deliveries of an endpoint are of events received up to a moment.
    ///
    /// # Errors
    /// [`Error::Sqlite`](crate::Error::Sqlite) when the file cannot be read.
    pub fn pending_up_to(&self, endpoint: EndpointId, up_to: Timestamp) -> Result<i64> {
        self.read(|connection| {
            let count = connection
                .prepare_cached(&format!("select count(*) from ({PENDING_UP_TO})"))?
                .query_row(
                    named_params! { ":endpoint": endpoint, ":up_to": up_to, ":limit": -1 },
                    |row| row.get(0),
                )?;
            Ok(count)
        })
    }
}

/// One that was looked up before may have been cancelled meanwhile.
fn is_pending(tx: &Tx<'_>, delivery: DeliveryId) -> Result<bool> {
    let is_pending = tx
        .connection
        .prepare_cached("select state = 'pending' from hookbox_delivery where id = :id")?
        .query_row(named_params! { ":id": delivery }, |row| row.get(0))?;
    Ok(is_pending)
}

/// Settles a batch of the pending deliveries of an endpoint whose events were received up to a
/// moment; returns how many.
pub(super) fn settle_up_to(
    tx: &mut Tx<'_>,
    endpoint: EndpointId,
    up_to: Timestamp,
    settling: Settling<'_>,
) -> Result<i64> {
    let found = tx
        .connection
        .prepare_cached(PENDING_UP_TO)?
        .query_map(
            named_params! { ":endpoint": endpoint, ":up_to": up_to, ":limit": BATCH },
            |row| row.get(0),
        )?
        .collect::<rusqlite::Result<Vec<DeliveryId>>>()?;
    settle(tx, endpoint, &found, settling)
}

pub(super) fn settle(
    tx: &mut Tx<'_>,
    endpoint: EndpointId,
    deliveries: &[DeliveryId],
    settling: Settling<'_>,
) -> Result<i64> {
    let Settling { to, reason, now } = settling;
    let mut settle = tx.connection.prepare_cached(
        "update hookbox_delivery
         set state = :to, due_ms = null, settled_ms = :now,
             reason = :reason || iif(:to = 'dead' and reason is not null, '; the last: ' || reason, '')
         where id = :id and state = 'pending'",
    )?;
    let mut settled = 0;
    for id in deliveries {
        let changed = settle.execute(named_params! {
            ":to": to, ":now": now, ":reason": reason, ":id": id,
        })?;
        expect_one(changed)?;
        settled += 1;
    }
    drop(settle);
    if settled > 0 {
        tx.changes
            .deliveries_moved(endpoint, State::Pending, to, settled);
        tx.changes.wake(endpoint);
    }
    Ok(settled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::plan::plan_of;

    #[test]
    fn what_is_too_old_is_found_among_what_is_pending() {
        let plan = plan_of(PENDING_UP_TO);
        assert!(
            plan.contains("hookbox_delivery_due (endpoint_id=?)"),
            "{plan}"
        );
        let first = plan_of(FIRST_UP_TO);
        assert!(!first.contains("TEMP B-TREE"), "{first}");
        for plan in [plan, first] {
            assert!(
                plan.contains("SEARCH e USING INTEGER PRIMARY KEY"),
                "{plan}"
            );
        }
    }
}
