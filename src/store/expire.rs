//! Giving up what has become too old to be of use.

use std::time::Duration;

use rusqlite::named_params;

use super::Store;
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

/// The same among those that are due first, which is where the scheduler found one: it looks at no
/// more than it may settle.
const FIRST_UP_TO: &str = "select first.id
     from (
         select id, event_id
         from hookbox_delivery indexed by hookbox_delivery_due
         where endpoint_id = :endpoint and state = 'pending'
         order by due_ms, id
         limit :limit
     ) as first
     join hookbox_event as e on e.id = first.event_id
     where e.received_ms <= :up_to";

/// What becomes of deliveries that are settled without being sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settling<'a> {
    pub(super) to: State,
    pub(super) reason: &'a str,
    pub(super) now: Timestamp,
}

impl Store {
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

    /// Gives up those of the pending deliveries of an endpoint that are due first whose events were
    /// received up to a moment, a batch of them, but for some; returns how many.
    ///
    /// # Errors
    /// [`Error::Sqlite`](crate::Error::Sqlite) when nothing can be written.
    pub(crate) fn expire(
        &self,
        endpoint: EndpointId,
        up_to: Timestamp,
        but_for: Vec<DeliveryId>,
        reason: &str,
        now: Timestamp,
    ) -> Result<i64> {
        let reason = reason.to_owned();
        self.write(move |tx| {
            let settling = Settling {
                to: State::Dead,
                reason: &reason,
                now,
            };
            let mut old = find(tx, FIRST_UP_TO, endpoint, up_to)?;
            old.retain(|id| !but_for.contains(id));
            settle(tx, endpoint, &old, settling)
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

/// Settles a batch of the pending deliveries of an endpoint whose events were received up to a
/// moment; returns how many.
pub(super) fn settle_up_to(
    tx: &mut Tx<'_>,
    endpoint: EndpointId,
    up_to: Timestamp,
    settling: Settling<'_>,
) -> Result<i64> {
    let found = find(tx, PENDING_UP_TO, endpoint, up_to)?;
    settle(tx, endpoint, &found, settling)
}

fn find(
    tx: &Tx<'_>,
    statement: &str,
    endpoint: EndpointId,
    up_to: Timestamp,
) -> Result<Vec<DeliveryId>> {
    let found = tx
        .connection
        .prepare_cached(statement)?
        .query_map(
            named_params! { ":endpoint": endpoint, ":up_to": up_to, ":limit": BATCH },
            |row| row.get(0),
        )?
        .collect::<rusqlite::Result<Vec<DeliveryId>>>()?;
    Ok(found)
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
         set state = :to, due_ms = null, settled_ms = :now, reason = :reason
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
        assert!(
            plan.contains("SEARCH e USING INTEGER PRIMARY KEY"),
            "{plan}"
        );
    }
}
