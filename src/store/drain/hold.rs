//! Holding an endpoint back and letting it go on: nothing is sent meanwhile, everything is kept.

use crate::error::Result;
use crate::model::delivery::State;
use crate::model::id::EndpointId;
use crate::store::drain::clock_shift::Shift;
use crate::store::drain::endpoint_state::forget_failing;
use crate::store::drain::expire::{BATCH, Settling, settle_up_to};
use crate::store::engine::Store;
use crate::store::engine::conn::params;
use crate::store::engine::job::Tx;
use crate::time::Timestamp;

impl Store {
    /// Stops sending to an endpoint until it is resumed; requests on the wire come to their end.
    /// One that is held stays held since then, and gets the new reason. Returns whether it was not.
    ///
    /// # Errors
    /// [`Error::NotFound`](crate::Error::NotFound) when there is no such endpoint.
    pub fn hold_endpoint(&self, name: &str, reason: &str, now: Timestamp) -> Result<bool> {
        let (name, reason) = (name.to_owned(), reason.to_owned());
        self.write(move |tx| {
            let endpoint = tx.directory.require_endpoint(&name)?.clone();
            hold(tx, endpoint.id, &reason, now)?;
            Ok(endpoint.held.is_none())
        })
    }

    /// Goes on sending to an endpoint: what has waited is due. Returns whether it was held.
    ///
    /// # Errors
    /// [`Error::NotFound`](crate::Error::NotFound) when there is no such endpoint.
    pub fn resume_endpoint(&self, name: &str) -> Result<bool> {
        let name = name.to_owned();
        self.write(move |tx| {
            let endpoint = tx.directory.require_endpoint(&name)?.clone();
            let resumed = tx.conn.run(
                "update hookbox_endpoint
                 set held_ms = null, held_reason = null
                 where id = :id and held_ms is not null",
                params! { ":id": endpoint.id },
            )?;
            if resumed > 0 {
                // It has its five days again.
                forget_failing(tx, endpoint.id)?;
                tx.tally.configured();
            }
            Ok(resumed > 0)
        })
    }

    /// Makes due at once whatever of an endpoint waits for its next try, and lets it be asked at once
    /// if it is away or asked to be left alone. Returns how many deliveries that hurried.
    ///
    /// # Errors
    /// [`Error::NotFound`](crate::Error::NotFound) when there is no such endpoint.
    pub fn try_endpoint(&self, name: &str, now: Timestamp) -> Result<usize> {
        let wanted = name.to_owned();
        let id = self.write(move |tx| {
            let id = tx.directory.require_endpoint(&wanted)?.id;
            tx.conn.run(
                "update hookbox_endpoint set manual_retry_seq = manual_retry_seq + 1 where id = :id",
                params! { ":id": id },
            )?;
            tx.conn.run(
                "update hookbox_pace set not_before_ms = 0, until_ms = 0 where endpoint_id = :id",
                params! { ":id": id },
            )?;
            tx.tally.configured();
            Ok(id)
        })?;
        // By the scheduler's own time, which may be ahead of the clock, it is due as well.
        self.shift_waiting(id, now, Shift::To(now))
    }

    /// Cancels the pending deliveries of an endpoint whose events were received up to a moment;
    /// returns how many.
    ///
    /// # Errors
    /// [`Error::NotFound`](crate::Error::NotFound) when there is no such endpoint.
    pub fn drop_up_to(
        &self,
        name: &str,
        up_to: Timestamp,
        reason: &str,
        now: Timestamp,
    ) -> Result<i64> {
        let mut dropped = 0;
        loop {
            let (name, reason) = (name.to_owned(), reason.to_owned());
            let batch = self.write(move |tx| {
                let endpoint = tx.directory.require_endpoint(&name)?.clone();
                let settling = Settling {
                    to: State::Cancelled,
                    reason: &reason,
                    now,
                };
                settle_up_to(tx, endpoint.id, up_to, settling)
            })?;
            dropped += batch;
            if batch < BATCH {
                return Ok(dropped);
            }
        }
    }
}

/// Holds an endpoint that is not removed; since when it is held stays, if it is.
pub(crate) fn hold(tx: &mut Tx<'_>, id: EndpointId, reason: &str, now: Timestamp) -> Result<()> {
    tx.conn.change_one(
        "update hookbox_endpoint
         set held_ms = ifnull(held_ms, :now), held_reason = :reason
         where id = :id and removed_ms is null",
        params! { ":now": now, ":reason": reason, ":id": id },
    )?;
    tx.tally.configured();
    Ok(())
}
