//! Gives up deliveries without sending them: too old, or no tries left.

use crate::error::Result;
use crate::model::endpoint::Endpoint;
use crate::model::id::DeliveryId;
use crate::outbound::lane::Lane;
use crate::outbound::policy::expired;
use crate::store::{DueDelivery, Expired, Store};
use crate::time::FIRST_PLAUSIBLE;
use crate::time::Timestamp;

/// Gives up a delivery that has no tries left: its retry schedule was shortened after its last attempt.
pub(super) fn give_up_if_spent(
    store: &Store,
    lane: &Lane,
    due: DueDelivery,
    now: Timestamp,
) -> Result<bool> {
    let tries_max = lane.endpoint.set.tries_max();
    if due.tries == 0 || due.tries < tries_max {
        return Ok(false);
    }
    let reason = format!(
        "given up after {} tries; {tries_max} are allowed",
        due.tries
    );
    store.give_up(lane.endpoint.id, due.id, &reason, now)?;
    let delivery = store.box_id().delivery(due.id);
    tracing::warn!(
        delivery,
        endpoint = lane.endpoint.set.name,
        reason,
        "delivery.dead"
    );
    Ok(true)
}

/// Gives up a batch of an endpoint's expired deliveries, if this delivery has expired.
///
/// Returns whether it has. Deliveries on the wire are left alone.
pub(super) fn expire_if_old(
    store: &Store,
    lane: &Lane,
    delivery: DeliveryId,
    owed: Timestamp,
    now: Timestamp,
) -> Result<bool> {
    let endpoint = &lane.endpoint;
    let looks_young = endpoint
        .set
        .expire
        .is_none_or(|expire| owed.plus(expire) > now);
    if looks_young {
        return Ok(false);
    }
    let Some(deadline) = deadline(store, endpoint, owed, now)?.filter(|at| *at <= now) else {
        return Ok(false);
    };
    let reason = expired(endpoint);
    let old = Expired {
        endpoint: endpoint.id,
        found: delivery,
        // Every delivery owed since this time or earlier has expired too: this one is past its deadline by
        // `now - deadline`, and one that is younger by no more than this spent no more time offline.
        up_to: owed.plus(now.since(deadline)),
        except: lane.page.taken().filter(|id| *id != delivery).collect(),
    };
    let count = store.expire(old, &reason, now)?;
    tracing::warn!(
        endpoint = endpoint.set.name,
        count,
        reason,
        "deliveries.expired"
    );
    Ok(true)
}

/// Returns when an event is too old to be sent to an endpoint, if ever.
///
/// `owed` is the time since which the event is owed. Time in which the endpoint was unreachable does not
/// count, unless the endpoint is set to count it; nor does time by which the clock was set forward.
pub(super) fn deadline(
    store: &Store,
    endpoint: &Endpoint,
    owed: Timestamp,
    now: Timestamp,
) -> Result<Option<Timestamp>> {
    // Nobody can say how old an event is that came in before the box knew the time.
    let Some(expire) = endpoint.set.expire.filter(|_| owed >= FIRST_PLAUSIBLE) else {
        return Ok(None);
    };
    let mut deadline = owed.plus(expire).plus(store.clock_set_since(owed)?);
    if !endpoint.set.expires_offline {
        deadline = deadline.plus(store.offline_since(endpoint.id, owed, now)?);
    }
    Ok(Some(deadline))
}
