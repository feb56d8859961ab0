//! Holds and resumes an endpoint: while it is held nothing is sent to it, and everything is kept.

use std::sync::Arc;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::model::delivery::State;
use crate::model::endpoint::Endpoint;
use crate::model::filter::Globs;
use crate::model::id::EndpointId;
use crate::store::drain::clock_shift::Shift;
use crate::store::drain::endpoint_state::forget_failing;
use crate::store::drain::expire::{BATCH, Settlement, settle_up_to};
use crate::store::engine::Store;
use crate::store::engine::conn::params;
use crate::store::engine::directory::Directory;
use crate::store::engine::job::Tx;
use crate::time::Timestamp;

/// Allows an endpoint a request at once, since a person asks for one: also while it is offline, or asked for none
/// until later. Its rate still holds.
pub(crate) fn allow_request(tx: &mut Tx<'_>, endpoint: EndpointId) -> Result<()> {
    tx.conn.run(
        "update hookbox_endpoint set manual_retry_seq = manual_retry_seq + 1 where id = :id",
        params! { ":id": endpoint },
    )?;
    tx.conn.run(
        "update hookbox_pace set not_before_ms = 0, until_ms = 0 where endpoint_id = :id",
        params! { ":id": endpoint },
    )?;
    tx.tally.configured();
    Ok(())
}

impl Store {
    /// Stops sending to an endpoint until it is resumed. Requests that are on the wire are completed.
    ///
    /// An endpoint that is held already keeps its time of the hold, and gets the new reason. Returns
    /// whether this call began the hold.
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

    /// Resumes sending to an endpoint: the deliveries that waited are due. Returns whether the endpoint was
    /// held.
    ///
    /// # Errors
    /// [`Error::NotFound`](crate::Error::NotFound) when there is no such endpoint.
    pub fn resume_endpoint(&self, name: &str) -> Result<bool> {
        let name = name.to_owned();
        self.write(move |tx| {
            let endpoint = tx.directory.require_endpoint(&name)?.id;
            resume(tx, endpoint)
        })
    }

    /// The names of the endpoints that a pattern (`ci-*`) names, in the order of their rows.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it names none.
    #[doc(hidden)]
    pub fn endpoints_named(&self, pattern: &Globs) -> Result<Vec<String>> {
        let directory = self.fresh_directory()?;
        let held = named(&directory, pattern)?;
        Ok(held.iter().map(|one| one.set.name.clone()).collect())
    }

    /// As [`Store::hold_endpoint`], for all that a pattern names; returns their names.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it names none. Nothing is changed then.
    pub fn hold_endpoints(
        &self,
        pattern: &Globs,
        reason: &str,
        now: Timestamp,
    ) -> Result<Vec<String>> {
        let (pattern, reason) = (pattern.clone(), reason.to_owned());
        self.write(move |tx| {
            let endpoints = named(&tx.directory, &pattern)?;
            for endpoint in &endpoints {
                hold(tx, endpoint.id, &reason, now)?;
            }
            Ok(endpoints.iter().map(|one| one.set.name.clone()).collect())
        })
    }

    /// As [`Store::resume_endpoint`], for all that a pattern names; returns their names.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it names none. Nothing is changed then.
    pub fn resume_endpoints(&self, pattern: &Globs) -> Result<Vec<String>> {
        let pattern = pattern.clone();
        self.write(move |tx| {
            let endpoints = named(&tx.directory, &pattern)?;
            for endpoint in &endpoints {
                resume(tx, endpoint.id)?;
            }
            Ok(endpoints.iter().map(|one| one.set.name.clone()).collect())
        })
    }

    /// Makes the waiting deliveries of an endpoint due now, and allows a request at once.
    ///
    /// The request is allowed even if the endpoint is offline or asked for no requests until later. Returns
    /// how many deliveries became due earlier.
    ///
    /// # Errors
    /// [`Error::NotFound`](crate::Error::NotFound) when there is no such endpoint.
    pub fn try_endpoint(&self, name: &str, now: Timestamp) -> Result<usize> {
        let wanted = name.to_owned();
        let id = self.write(move |tx| {
            let id = tx.directory.require_endpoint(&wanted)?.id;
            allow_request(tx, id)?;
            Ok(id)
        })?;
        // `now` is due by the scheduler's own clock as well, which may be ahead of the wall clock.
        self.shift_waiting(id, now, Shift::To(now))
    }

    /// Cancels an endpoint's pending deliveries whose events were received before a time, since it is resumed
    /// without them. Returns how many there were.
    ///
    /// # Errors
    /// [`Error::NotFound`](crate::Error::NotFound) when there is no such endpoint.
    #[doc(hidden)]
    pub fn drop_before(&self, name: &str, before: Timestamp, now: Timestamp) -> Result<i64> {
        // Events of exactly that moment stay.
        let up_to = before.minus(Duration::from_millis(1));
        let reason = format!("dropped when the endpoint was resumed: from before {before}");
        let mut dropped = 0;
        loop {
            let (name, reason) = (name.to_owned(), reason.clone());
            let batch = self.write(move |tx| {
                let endpoint = tx.directory.require_endpoint(&name)?.clone();
                let settlement = Settlement {
                    to: State::Cancelled,
                    reason: &reason,
                    now,
                };
                settle_up_to(tx, endpoint.id, up_to, settlement)
            })?;
            dropped += batch;
            if batch < BATCH {
                return Ok(dropped);
            }
        }
    }
}

fn named(directory: &Directory, pattern: &Globs) -> Result<Vec<Arc<Endpoint>>> {
    let all = directory.endpoints().iter();
    let named: Vec<Arc<Endpoint>> = all
        .filter(|held| pattern.matches(&held.set.name))
        .cloned()
        .collect();
    match named.is_empty() {
        false => Ok(named),
        true => Err(Error::not_found(format!(
            "no endpoint matches {pattern}; `hookbox endpoint list` shows what there is"
        ))),
    }
}

fn resume(tx: &mut Tx<'_>, endpoint: EndpointId) -> Result<bool> {
    let resumed = tx.conn.run(
        "update hookbox_endpoint
         set held_ms = null, held_reason = null
         where id = :id and held_ms is not null",
        params! { ":id": endpoint },
    )?;
    if resumed > 0 {
        // The endpoint gets the full five days again before it is held for failing.
        forget_failing(tx, endpoint)?;
        tx.tally.configured();
    }
    Ok(resumed > 0)
}

/// Holds an endpoint that is not removed. If it is held already, the time of the hold stays.
pub(crate) fn hold(tx: &mut Tx<'_>, id: EndpointId, reason: &str, now: Timestamp) -> Result<()> {
    tx.conn.change_one(
        "update hookbox_endpoint
         set held_ms = coalesce(held_ms, :now), held_reason = :reason
         where id = :id and removed_ms is null",
        params! { ":now": now, ":reason": reason, ":id": id },
    )?;
    tx.tally.configured();
    Ok(())
}
