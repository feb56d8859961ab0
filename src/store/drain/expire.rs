//! Gives up deliveries that are too old to be of use.

use std::time::Duration;

use crate::error::Result;
use crate::model::delivery::State;
use crate::model::id::{DeliveryId, EndpointId};
use crate::store::engine::Store;
use crate::store::engine::columns::Millis;
use crate::store::engine::conn::params;
use crate::store::engine::job::Tx;
use crate::time::{FIRST_PLAUSIBLE, Timestamp};

/// Maximum deliveries settled in one transaction, so that nobody waits long for the writer.
pub(crate) const BATCH: i64 = 1_000;

/// An endpoint's pending deliveries whose events were received at or before `:up_to`. The index over
/// pending rows finds them early: they are its oldest rows, or nearly.
const PENDING_UP_TO: &str = "select d.id
     from hookbox_delivery as d indexed by hookbox_delivery_due
     join hookbox_event as e on e.id = d.event_id
     where d.endpoint_id = :endpoint and d.state = 'pending' and e.received_ms <= :up_to
     limit :limit";

/// Of the `:limit` deliveries of an endpoint that are due first, those that are owed since `:up_to` or
/// longer. A replay is owed since it was made, any other delivery since its event was received.
///
/// Deliveries that were owed before the wall clock was last set are left out: they may be younger than they
/// look.
const FIRST_UP_TO: &str = "select id from (
         select first.id,
             case when first.replay_of is null and first.replay_id is null then e.received_ms
                 else first.created_ms end as owed_ms
         from (
             select id, event_id, created_ms, replay_of, replay_id
             from hookbox_delivery indexed by hookbox_delivery_due
             where endpoint_id = :endpoint and state = 'pending'
             order by due_ms, id
             limit :limit
         ) as first
         join hookbox_event as e on e.id = first.event_id
     ) as owed
     where owed_ms <= :up_to and owed_ms >= :plausible
         and owed_ms > coalesce((select max(from_ms) from hookbox_clock_set), -1)";

/// Which deliveries of an endpoint are too old.
#[derive(Debug)]
pub(crate) struct Expired {
    pub(crate) endpoint: EndpointId,
    /// The delivery that was found to be too old.
    pub(crate) found: DeliveryId,
    /// Deliveries that are owed since this time or longer are too old as well.
    pub(crate) up_to: Timestamp,
    /// Deliveries that are on the wire: they are not given up.
    pub(crate) except: Vec<DeliveryId>,
}

/// The new state of deliveries that are settled without being sent, with the reason and the time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settlement<'a> {
    pub(crate) to: State,
    pub(crate) reason: &'a str,
    pub(crate) now: Timestamp,
}

impl Store {
    /// By how much the wall clock was set forward since `owed`. A delivery owed since then is younger by
    /// this than it looks.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database) when the file cannot be read.
    pub(crate) fn clock_set_since(&self, owed: Timestamp) -> Result<Duration> {
        self.read(|conn| {
            let by: Millis = conn.one(
                "select coalesce(sum(by_ms), 0) from hookbox_clock_set where from_ms >= :owed",
                params! { ":owed": owed },
                |row| row.get(0),
            )?;
            Ok(by.0)
        })
    }

    /// For how long, in total, an endpoint was unreachable since a time.
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
            let millis: i64 = conn.one(
                "select coalesce(sum(until_ms - from_ms), 0)
                 from (
                     select
                         case when since_ms > :since then since_ms else :since end as from_ms,
                         case when ended_ms < :now then ended_ms else :now end as until_ms
                     from hookbox_outage
                     where endpoint_id = :endpoint and (ended_ms is null or ended_ms > :since)
                 ) as outages
                 where from_ms < until_ms",
                params! { ":endpoint": endpoint, ":since": since, ":now": now },
                |row| row.get(0),
            )?;
            Ok(Duration::from_millis(u64::try_from(millis).unwrap_or(0)))
        })
    }

    /// Gives up the delivery `old.found`, and other deliveries of its endpoint that are too old as well.
    ///
    /// The others are at most one batch, searched among those that are due first. They are those that are
    /// owed since `old.up_to` or longer, except `old.except`. Returns how many deliveries were given up.
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
            found.retain(|id| *id != old.found && !old.except.contains(id));
            if is_pending(tx, old.found)? {
                found.push(old.found);
            }
            let settlement = Settlement {
                to: State::Dead,
                reason: &reason,
                now,
            };
            settle(tx, old.endpoint, &found, settlement)
        })
    }

    /// Gives up one delivery of an endpoint without sending it, if it is still pending.
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
                let settlement = Settlement {
                    to: State::Dead,
                    reason: &reason,
                    now,
                };
                settle(tx, endpoint, &[delivery], settlement)?;
            }
            Ok(())
        })
    }

    /// Counts an endpoint's pending deliveries whose events were received at or before a time.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database) when the file cannot be read.
    #[doc(hidden)]
    pub fn pending_up_to(&self, endpoint: EndpointId, up_to: Timestamp) -> Result<i64> {
        self.read(|conn| {
            conn.one(
                &format!("select count(*) from ({PENDING_UP_TO}) as old"),
                params! { ":endpoint": endpoint, ":up_to": up_to, ":limit": i64::MAX },
                |row| row.get(0),
            )
        })
    }
}

/// Whether the delivery is still pending: it may have been cancelled since it was looked up.
fn is_pending(tx: &Tx<'_>, delivery: DeliveryId) -> Result<bool> {
    tx.conn.one(
        "select state = 'pending' from hookbox_delivery where id = :id",
        params! { ":id": delivery },
        |row| row.get(0),
    )
}

/// Settles one batch of an endpoint's pending deliveries whose events were received at or before a time.
/// Returns how many there were.
pub(crate) fn settle_up_to(
    tx: &mut Tx<'_>,
    endpoint: EndpointId,
    up_to: Timestamp,
    settlement: Settlement<'_>,
) -> Result<i64> {
    let found = tx.conn.all::<DeliveryId>(
        PENDING_UP_TO,
        params! { ":endpoint": endpoint, ":up_to": up_to, ":limit": BATCH },
        |row| row.get(0),
    )?;
    settle(tx, endpoint, &found, settlement)
}

pub(crate) fn settle(
    tx: &mut Tx<'_>,
    endpoint: EndpointId,
    deliveries: &[DeliveryId],
    settlement: Settlement<'_>,
) -> Result<i64> {
    let Settlement { to, reason, now } = settlement;
    for id in deliveries {
        tx.conn.change_one(
            "update hookbox_delivery
             set state = :to, due_ms = null, settled_ms = :now,
                 reason = :reason || case when :tells_last <> 0 then coalesce('; the last: ' || reason, '')
                     else '' end
             where id = :id and state = 'pending'",
            params! {
                ":to": to, ":tells_last": to == State::Dead, ":now": now, ":reason": reason,
                ":id": id,
            },
        )?;
    }
    let settled = deliveries.len() as i64;
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
