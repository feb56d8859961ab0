//! Settles deliveries whose events arrived by another way than a request.

use crate::error::Result;
use crate::model::delivery::{State, Transition, next_state};
use crate::model::id::{DeliveryId, EndpointId, EventId};
use crate::store::drain::record::supersede;
use crate::store::engine::Store;
use crate::store::engine::conn::params;
use crate::store::engine::job::Tx;
use crate::time::Timestamp;

impl Store {
    /// Settles the pending deliveries of these events to an endpoint as delivered: the box `from` has them.
    /// Returns how many there are; of a dry run nothing is written.
    ///
    /// # Errors
    /// [`Error::NotFound`](crate::Error::NotFound) when there is no such endpoint.
    #[doc(hidden)]
    pub fn settle_arrived(
        &self,
        endpoint: &str,
        events: Vec<EventId>,
        from: &str,
        is_dry: bool,
        now: Timestamp,
    ) -> Result<usize> {
        let endpoint = endpoint.to_owned();
        let reason = format!("box {from} has it: a bundle said so");
        let to = next_state(State::Pending, &Transition::Deliver);
        self.write(move |tx| {
            let endpoint = tx.directory.require_endpoint(&endpoint)?.id;
            let mut settled = 0;
            for event in &events {
                let Some((delivery, is_replay)) = owed(tx, *event, endpoint)? else {
                    continue;
                };
                settled += 1;
                if is_dry {
                    continue;
                }
                tx.conn.change_one(
                    "update hookbox_delivery
                     set state = :to, due_ms = null, settled_ms = :now, reason = :reason
                     where id = :id and state = 'pending'",
                    params! { ":to": to, ":now": now, ":reason": reason, ":id": delivery },
                )?;
                tx.tally
                    .deliveries_moved(endpoint, State::Pending, State::Delivered, 1);
                if is_replay {
                    supersede(tx, delivery, endpoint)?;
                }
            }
            if settled > 0 && !is_dry {
                // Those behind them no longer wait.
                tx.tally.wake(endpoint);
            }
            Ok(settled)
        })
    }
}

/// What is pending of an event to an endpoint, and whether it is a replay. One that the receiver must take again,
/// under an id of its own, is not settled by an event that arrived before.
fn owed(tx: &Tx<'_>, event: EventId, endpoint: EndpointId) -> Result<Option<(DeliveryId, bool)>> {
    tx.conn.maybe(
        "select id, replay_of is not null
         from hookbox_delivery indexed by hookbox_delivery_event
         where event_id = :event and endpoint_id = :endpoint and state = 'pending' and new_id = 0
         order by id
         limit 1",
        params! { ":event": event, ":endpoint": endpoint },
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
}
