//! Holding an endpoint back and letting it go on: nothing is sent meanwhile, everything is kept.

use rusqlite::named_params;

use super::endpoint::held;
use crate::error::Result;
use crate::model::delivery::State;
use crate::model::id::EndpointId;
use crate::store::Store;
use crate::store::expire::{BATCH, Settling, settle_up_to};
use crate::store::job::Tx;
use crate::store::refusing::forget_refusals;
use crate::store::shift::Shift;
use crate::store::writer::expect_one;
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
            let endpoint = held(tx, &name)?;
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
            let endpoint = held(tx, &name)?;
            let resumed = tx
                .connection
                .prepare_cached(
                    "update hookbox_endpoint
                     set held_ms = null, held_reason = null
                     where id = :id and held_ms is not null",
                )?
                .execute(named_params! { ":id": endpoint.id })?;
            if resumed > 0 {
                // It has its five days again.
                forget_refusals(tx, endpoint.id)?;
                tx.changes.configured();
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
            let id = held(tx, &wanted)?.id;
            tx.connection
                .prepare_cached("update hookbox_endpoint set nudges = nudges + 1 where id = :id")?
                .execute(named_params! { ":id": id })?;
            tx.connection
                .prepare_cached(
                    "update hookbox_pace set not_before_ms = 0, until_ms = 0 where endpoint_id = :id",
                )?
                .execute(named_params! { ":id": id })?;
            tx.changes.configured();
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
                let endpoint = held(tx, &name)?;
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
pub(in crate::store) fn hold(
    tx: &mut Tx<'_>,
    id: EndpointId,
    reason: &str,
    now: Timestamp,
) -> Result<()> {
    let changed = tx
        .connection
        .prepare_cached(
            "update hookbox_endpoint
             set held_ms = ifnull(held_ms, :now), held_reason = :reason
             where id = :id and removed_ms is null",
        )?
        .execute(named_params! { ":now": now, ":reason": reason, ":id": id })?;
    expect_one(changed)?;
    tx.changes.configured();
    Ok(())
}
