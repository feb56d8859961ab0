//! What is given up without being sent: it is too old, or has spent its tries.

use crate::error::Result;
use crate::model::endpoint::Endpoint;
use crate::model::id::DeliveryId;
use crate::outbound::lane::Lane;
use crate::outbound::policy::expired;
use crate::store::{DueDelivery, Expired, Store};
use crate::time::FIRST_PLAUSIBLE;
use crate::time::Timestamp;

/// Gives up a delivery that has spent all its tries: there were more of them when it was tried last.
pub(super) fn give_up_if_spent(
    store: &Store,
    lane: &Lane,
    due: DueDelivery,
    now: Timestamp,
) -> Result<bool> {
    let tries_max = lane.endpoint.tries_max();
    if due.tries == 0 || due.tries < tries_max {
        return Ok(false);
    }
    let reason = format!("gave up after {} tries; {tries_max} are allowed", due.tries);
    store.give_up(lane.endpoint.id, due.id, &reason, now)?;
    let delivery = store.box_id().delivery(due.id);
    tracing::warn!(
        delivery,
        endpoint = lane.endpoint.name,
        reason,
        "delivery.dead"
    );
    Ok(true)
}

/// Gives up a batch of what an endpoint is owed of events that are too old, if this one is. Says
/// whether it was. What is on the wire is left alone.
pub(super) fn expire_if_old(
    store: &Store,
    lane: &Lane,
    delivery: DeliveryId,
    owed: Timestamp,
    now: Timestamp,
) -> Result<bool> {
    let endpoint = &lane.endpoint;
    let looks_young = endpoint.expire.is_none_or(|expire| owed.plus(expire) > now);
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
        // As much older than its deadline as this one is, others may be younger: less of their time
        // was spent offline, if anything.
        up_to: owed.plus(now.since(deadline)),
        but_for: lane.page.in_flight().filter(|id| *id != delivery).collect(),
    };
    let count = store.expire(old, &reason, now)?;
    tracing::warn!(
        endpoint = endpoint.name,
        count,
        reason,
        "deliveries.expired"
    );
    Ok(true)
}

/// When something that is owed since a moment is too old to be sent to an endpoint, if ever. The time
/// that the endpoint could not be reached does not count, unless it is set to; nor does the time by
/// which the clock was set forward.
pub(super) fn deadline(
    store: &Store,
    endpoint: &Endpoint,
    owed: Timestamp,
    now: Timestamp,
) -> Result<Option<Timestamp>> {
    // How old something is that came before the time was known, nobody can say.
    let Some(expire) = endpoint.expire.filter(|_| owed >= FIRST_PLAUSIBLE) else {
        return Ok(None);
    };
    let mut deadline = owed.plus(expire).plus(store.clock_set_since(owed)?);
    if !endpoint.expires_offline {
        deadline = deadline.plus(store.offline_since(endpoint.id, owed, now)?);
    }
    Ok(Some(deadline))
}
