//! Reads what is sent: the deliveries of one request, each with its event.

use super::age::{expire_if_old, give_up_if_spent};
use crate::error::Result;
use crate::outbound::attempt::Item;
use crate::outbound::format::Outgoing;
use crate::outbound::lane::{Lane, Moment};
use crate::store::{DueDelivery, Store};
use crate::time::Timestamp;

/// What reading a delivery gave.
#[expect(
    clippy::large_enum_variant,
    reason = "it is nearly always the item, and is taken apart at once"
)]
pub(super) enum Read {
    Item(Item),
    /// It is not sent: it was cancelled meanwhile, is out of tries, or cannot be read.
    Passed,
    /// It is too old, and a batch of such deliveries was given up.
    GaveUp,
}

/// Reads a delivery that was taken from its lane. Unless it gives the item, the lane has the delivery back.
///
/// # Errors
/// [`Error::Database`](crate::Error::Database) when the store cannot be read or written.
pub(super) fn read_item(
    store: &Store,
    lane: &mut Lane,
    due: DueDelivery,
    wall: Timestamp,
) -> Result<Read> {
    let event = match store.sendable(due.id) {
        Ok(Some(event)) => event,
        Ok(None) => {
            // Cancelled since it was looked up.
            lane.page.release(due.id);
            return Ok(Read::Passed);
        }
        Err(error) if error.may_pass() => {
            lane.page.put_back(due.id);
            return Err(error);
        }
        Err(error) => {
            // This one row cannot be read. It is left alone until the next start, so that it does not block
            // the others.
            lane.page.set_aside(due.id);
            let delivery = store.box_id().delivery(due.id);
            tracing::error!(delivery, error = error.chain(), "cannot be read; set aside");
            return Ok(Read::Passed);
        }
    };
    let given_up = match give_up_if_spent(store, lane, due, wall) {
        Ok(true) => {
            lane.page.release(due.id);
            return Ok(Read::Passed);
        }
        Ok(false) => expire_if_old(store, lane, due.id, event.owed, wall),
        Err(error) => Err(error),
    };
    if !matches!(given_up, Ok(false)) {
        lane.page.put_back(due.id);
        return given_up.map(|_| Read::GaveUp);
    }
    let box_id = store.box_id();
    let (webhook_id, event) = event.identified(box_id, due.id, due.has_new_id);
    Ok(Read::Item(Item {
        delivery: due.id,
        tries: due.tries,
        outgoing: Outgoing {
            event,
            webhook_id,
            delivery_id: Some(box_id.delivery(due.id)),
        },
    }))
}

/// Reads what goes in one request with this delivery; says as well whether a batch was given up.
///
/// What cannot be read now is read for a later request.
pub(super) fn read_others(
    store: &Store,
    lane: &mut Lane,
    lead: &Item,
    moment: Moment,
) -> (Vec<Item>, bool) {
    let mut others = Vec::new();
    if store.work_log().has_suspects() {
        // Alone, the next crash tells which of them it was.
        return (others, false);
    }
    let mut room = lane.room().after(lead.bytes());
    while let Some(due) = lane.take_more(moment, room) {
        match read_item(store, lane, due, moment.wall) {
            Ok(Read::Item(item)) => {
                room = room.after(item.bytes());
                others.push(item);
            }
            Ok(Read::Passed) => {}
            Ok(Read::GaveUp) => return (others, true),
            Err(_) => break,
        }
    }
    (others, false)
}
