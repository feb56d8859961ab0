//! Giving up what has become too old to be of use.

use std::time::Duration;

use crate::error::Result;
use crate::model::delivery::State;
use crate::model::id::{DeliveryId, EndpointId};
use crate::store::engine::Store;
use crate::store::engine::columns::Millis;
use crate::store::engine::conn::params;
use crate::store::engine::job::Tx;
use crate::time::{FIRST_PLAUSIBLE, Timestamp};

/// Deliveries settled in one transaction, so that nobody waits long for the writer.
pub(crate) const BATCH: i64 = 1_000;

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
pub(crate) struct Settling<'a> {
    pub(crate) to: State,
    pub(crate) reason: &'a str,
    pub(crate) now: Timestamp,
}

impl Store {
    /// How much younger something is that is owed since a moment than it looks: the wall clock was set
    /// forward since.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database) when the file cannot be read.
    pub(crate) fn clock_set_since(&self, owed: Timestamp) -> Result<Duration> {
        self.read(|conn| {
            let by: Millis = conn.one(
                "select ifnull(sum(by_ms), 0) from hookbox_clock_set where from_ms >= :owed",
                params! { ":owed": owed },
                |row| row.get(0),
            )?;
            Ok(by.0)
        })
    }

    /// How long an endpoint could not be reached, all in all, since a moment.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database) when the file cannot be read.
    pub(crate) fn offline_since(
        &self,
        endpoint: EndpointId,
        since: Timestamp,
        now: Timestamp,
    ) -> Result<Duration> {
        self.read(|conn| {
            let millis: i64 = conn.one("select ifnull(sum(max(0, min(ifnull(ended_ms, :now), :now) - max(since_ms, :since))), 0)
                                        from hookbox_outage
                                        where endpoint_id = :endpoint and (ended_ms is null or ended_ms > :since)", params! { ":endpoint": endpoint, ":since": since, ":now": now }, |row| row.get(0))?;
            Ok(Duration::from_millis(u64::try_from(millis).unwrap_or(0)))
        })
    }

    /// Gives up one delivery of an endpoint, and with it, a batch of them, those of the ones that
    /// are due first that are owed since a moment at most, but for some; returns how many.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database) when nothing can be written.
    pub(crate) fn expire(&self, old: Expired, reason: &str, now: Timestamp) -> Result<i64> {
        let reason = reason.to_owned();
        self.write(move |tx| {
            let mut found = tx.conn.all::<DeliveryId>(
                FIRST_UP_TO,
                params! {
                    ":endpoint": old.endpoint, ":up_to": old.up_to, ":limit": BATCH,
                    ":plausible": FIRST_PLAUSIBLE,
                },
                |row| row.get(0),
            )?;
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
    /// [`Error::Database`](crate::Error::Database) when nothing can be written.
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
    /// [`Error::Database`](crate::Error::Database) when the file cannot be read.
    pub fn pending_up_to(&self, endpoint: EndpointId, up_to: Timestamp) -> Result<i64> {
        self.read(|conn| {
            conn.one(
                &format!("select count(*) from ({PENDING_UP_TO})"),
                params! { ":endpoint": endpoint, ":up_to": up_to, ":limit": -1 },
                |row| row.get(0),
            )
        })
    }
}

/// One that was looked up before may have been cancelled meanwhile.
fn is_pending(tx: &Tx<'_>, delivery: DeliveryId) -> Result<bool> {
    tx.conn.one(
        "select state = 'pending' from hookbox_delivery where id = :id",
        params! { ":id": delivery },
        |row| row.get(0),
    )
}

/// Settles a batch of the pending deliveries of an endpoint whose events were received up to a
/// moment; returns how many.
pub(crate) fn settle_up_to(
    tx: &mut Tx<'_>,
    endpoint: EndpointId,
    up_to: Timestamp,
    settling: Settling<'_>,
) -> Result<i64> {
    let found = tx.conn.all::<DeliveryId>(
        PENDING_UP_TO,
        params! { ":endpoint": endpoint, ":up_to": up_to, ":limit": BATCH },
        |row| row.get(0),
    )?;
    settle(tx, endpoint, &found, settling)
}

pub(crate) fn settle(
    tx: &mut Tx<'_>,
    endpoint: EndpointId,
    deliveries: &[DeliveryId],
    settling: Settling<'_>,
) -> Result<i64> {
    let Settling { to, reason, now } = settling;
    let mut settled = 0;
    for id in deliveries {
        tx.conn.change_one(
            "update hookbox_delivery
             set state = :to, due_ms = null, settled_ms = :now,
                 reason = :reason || iif(:to = 'dead' and reason is not null, '; the last: ' || reason, '')
             where id = :id and state = 'pending'",
            params! { ":to": to, ":now": now, ":reason": reason, ":id": id },
        )?;
        settled += 1;
    }
    if settled > 0 {
        tx.tally
            .deliveries_moved(endpoint, State::Pending, to, settled);
        tx.tally.wake(endpoint);
    }
    Ok(settled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::engine::plan::plan_of;

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
