//! Cancels pending deliveries: one, or all that a selection means.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Held, read_held};
use crate::error::{Error, Result};
use crate::model::delivery::{State, Transition, next_state};
use crate::model::id::DeliveryId;
use crate::model::settings::Selection;
use crate::store::engine::Store;
use crate::store::engine::conn::params;
use crate::store::engine::job::Tx;
use crate::store::history::query::PAGE_MAX;
use crate::time::Timestamp;

/// Pending deliveries that a selection means.
#[derive(Debug, Clone)]
pub struct PendingFound {
    /// How many there are, or were cancelled.
    pub deliveries: i64,
    /// How many of each endpoint, by its name.
    pub endpoints: BTreeMap<String, i64>,
    /// Whether all were looked through.
    pub is_whole: bool,
    /// The newest delivery at the time of the look: what comes later is not meant.
    pub up_to: DeliveryId,
}

impl PendingFound {
    /// The JSON object of the API.
    pub fn json(&self, is_dry: bool) -> Value {
        let endpoints = self.endpoints.iter();
        let endpoints: Vec<Value> = endpoints
            .map(|(name, count)| json!({ "endpoint": name, "deliveries": count }))
            .collect();
        json!({
            "deliveries": self.deliveries,
            "endpoints": endpoints,
            "whole": self.is_whole,
            "up_to": self.up_to.0,
            "dry_run": is_dry,
        })
    }
}

impl Store {
    /// Cancels a pending delivery. A request that is on the wire is not stopped.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it does not exist; [`Error::Misuse`] when it is settled already.
    pub fn cancel(&self, delivery: DeliveryId, now: Timestamp) -> Result<()> {
        let box_id = self.box_id().clone();
        self.write(move |tx| {
            let held = read_held(tx, &box_id, delivery)?;
            match cancel_held(tx, &held, now)? {
                true => Ok(()),
                false => Err(Error::misuse(format!(
                    "{} is {} already; only a pending delivery can be cancelled",
                    box_id.delivery(delivery),
                    held.state
                ))),
            }
        })
    }

    /// The pending deliveries that a selection means, up to a newest one. `go_on` says whether the search may
    /// take longer.
    ///
    /// # Errors
    /// As [`Store::deliveries`]; [`Error::Misuse`] when the selection means all there is.
    pub fn find_pending(
        &self,
        selection: &Selection,
        up_to: Option<DeliveryId>,
        go_on: impl Fn() -> bool,
    ) -> Result<PendingFound> {
        self.each_pending(selection, up_to, go_on, |ids| Ok(vec![true; ids.len()]))
    }

    /// Cancels the pending deliveries that a selection means, as [`Store::find_pending`] finds them. Requests
    /// that are on the wire are not stopped.
    ///
    /// # Errors
    /// As [`Store::find_pending`]; those that were cancelled before stay so.
    pub fn cancel_pending(
        &self,
        selection: &Selection,
        up_to: Option<DeliveryId>,
        now: Timestamp,
        go_on: impl Fn() -> bool,
    ) -> Result<PendingFound> {
        self.each_pending(selection, up_to, go_on, |ids| {
            let (ids, box_id) = (ids.to_vec(), self.box_id().clone());
            self.write(move |tx| {
                let each = ids.iter().map(|id| {
                    let held = read_held(tx, &box_id, *id)?;
                    // One that was sent meanwhile is settled.
                    cancel_held(tx, &held, now)
                });
                each.collect()
            })
        })
    }

    fn each_pending(
        &self,
        selection: &Selection,
        up_to: Option<DeliveryId>,
        go_on: impl Fn() -> bool,
        each: impl Fn(&[DeliveryId]) -> Result<Vec<bool>>,
    ) -> Result<PendingFound> {
        if selection.is_empty() {
            return Err(Error::misuse(
                "choose deliveries first: by endpoint, source, type, event, replay, since or until",
            ));
        }
        let newest = || self.newest_id("select coalesce(max(id), 0) from hookbox_delivery");
        let up_to = up_to.map_or_else(|| newest().map(DeliveryId), Ok)?;
        let mut found = PendingFound {
            deliveries: 0,
            endpoints: BTreeMap::new(),
            is_whole: false,
            up_to,
        };
        let mut selection = Selection {
            state: Some(State::Pending),
            before: Some(up_to.0.saturating_add(1)),
            ..selection.clone()
        };
        loop {
            let page = self.deliveries(&selection, PAGE_MAX)?;
            selection.before = page.last().map(|one| one.id.0);
            let ids: Vec<DeliveryId> = page.iter().map(|one| one.id).collect();
            for (one, is_meant) in page.iter().zip(each(&ids)?) {
                if is_meant {
                    *found.endpoints.entry(one.endpoint.clone()).or_default() += 1;
                    found.deliveries += 1;
                }
            }
            if page.len() < PAGE_MAX {
                found.is_whole = true;
                return Ok(found);
            }
            if !go_on() {
                return Ok(found);
            }
        }
    }
}

/// Cancels a delivery if it is pending.
fn cancel_held(tx: &mut Tx<'_>, held: &Held, now: Timestamp) -> Result<bool> {
    let change = Transition::Cancel {
        reason: "cancelled by hand".to_owned(),
    };
    let (Some(to), Transition::Cancel { reason }) = (next_state(held.state, &change), &change)
    else {
        return Ok(false);
    };
    tx.conn.change_one(
        "update hookbox_delivery
         set state = :to, due_ms = null, settled_ms = :now, reason = :reason
         where id = :id and state = :from",
        params! {
            ":to": to,
            ":now": now,
            ":reason": reason,
            ":id": held.id,
            ":from": held.state,
        },
    )?;
    tx.tally.deliveries_moved(held.endpoint, held.state, to, 1);
    // The deliveries after this one no longer wait for it.
    tx.tally.wake(held.endpoint);
    Ok(true)
}
