//! What people ask of deliveries: replay them, or call them off.

use std::collections::HashSet;

use rusqlite::{OptionalExtension, named_params};

use super::Store;
use super::enqueue::{NewDelivery, add_delivery};
use super::job::Tx;
use super::writer::expect_one;
use crate::error::{Error, Result};
use crate::model::delivery::{Move, State, next_state};
use crate::model::id::{BoxId, DeliveryId, EndpointId, EventId};
use crate::time::Timestamp;

/// The parts of a delivery that decide what may be asked of it.
struct Held {
    event: EventId,
    endpoint: EndpointId,
    endpoint_name: String,
    state: State,
}

impl Store {
    /// Makes a new delivery for each of these, linked by `replay_of` and due at once; the old
    /// ones stay as they were. All are made or none is.
    ///
    /// # Errors
    /// [`Error::NotFound`] when one does not exist; [`Error::Misuse`] when one is still pending
    /// (it will be sent by itself) or its endpoint is removed.
    pub fn replay(&self, deliveries: Vec<DeliveryId>, now: Timestamp) -> Result<Vec<DeliveryId>> {
        let box_id = self.box_id().clone();
        // One that is named twice is sent once.
        let mut seen = HashSet::new();
        let mut deliveries: Vec<DeliveryId> = deliveries
            .into_iter()
            .filter(|id| seen.insert(*id))
            .collect();
        // In the order in which they were made, whatever the order of a list was.
        deliveries.sort();
        self.write(move |tx| {
            deliveries
                .iter()
                .map(|id| replay_one(tx, &box_id, *id, now))
                .collect()
        })
    }

    /// Calls a pending delivery off. A request that is on the wire is not taken back.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it does not exist; [`Error::Misuse`] when it is settled already.
    pub fn cancel(&self, delivery: DeliveryId, now: Timestamp) -> Result<()> {
        let box_id = self.box_id().clone();
        self.write(move |tx| cancel_one(tx, &box_id, delivery, now))
    }
}

fn replay_one(
    tx: &mut Tx<'_>,
    box_id: &BoxId,
    id: DeliveryId,
    now: Timestamp,
) -> Result<DeliveryId> {
    let held = read_held(tx, box_id, id)?;
    let outer = box_id.delivery(id);
    if held.state == State::Pending {
        return Err(Error::misuse(format!(
            "{outer} is still pending and will be sent by itself; to send it anew, cancel it first: hookbox delivery cancel {outer}"
        )));
    }
    if tx.directory.endpoint_by_id(held.endpoint).is_none() {
        return Err(Error::misuse(format!(
            "{outer} went to endpoint {}, which is removed; there is nowhere to send it",
            held.endpoint_name
        )));
    }
    let new = NewDelivery {
        event: held.event,
        endpoint: held.endpoint,
        replay_of: Some(id),
        when_error: None,
    };
    add_delivery(tx, &new, now)
}

fn cancel_one(tx: &mut Tx<'_>, box_id: &BoxId, id: DeliveryId, now: Timestamp) -> Result<()> {
    let held = read_held(tx, box_id, id)?;
    let change = Move::Cancel {
        reason: "cancelled by hand".to_owned(),
    };
    let (Some(to), Move::Cancel { reason }) = (next_state(held.state, &change), &change) else {
        return Err(Error::misuse(format!(
            "{} is {} already; only a pending delivery can be cancelled",
            box_id.delivery(id),
            held.state
        )));
    };
    let changed = tx
        .connection
        .prepare_cached(
            "update hookbox_delivery
             set state = :to, due_ms = null, settled_ms = :now, reason = :reason
             where id = :id and state = :from",
        )?
        .execute(named_params! {
            ":to": to,
            ":now": now,
            ":reason": reason,
            ":id": id,
            ":from": held.state,
        })?;
    expect_one(changed)?;
    tx.changes
        .deliveries_moved(held.endpoint, held.state, to, 1);
    // Those behind it need wait no more.
    tx.changes.wake(held.endpoint);
    Ok(())
}

fn read_held(tx: &Tx<'_>, box_id: &BoxId, id: DeliveryId) -> Result<Held> {
    tx.connection
        .prepare_cached(
            "select d.event_id, d.endpoint_id, p.name, d.state
             from hookbox_delivery as d
             join hookbox_endpoint as p on p.id = d.endpoint_id
             where d.id = :id",
        )?
        .query_row(named_params! { ":id": id }, |row| {
            Ok(Held {
                event: row.get(0)?,
                endpoint: row.get(1)?,
                endpoint_name: row.get(2)?,
                state: row.get(3)?,
            })
        })
        .optional()?
        .ok_or_else(|| Error::not_found(format!("no delivery {}", box_id.delivery(id))))
}
