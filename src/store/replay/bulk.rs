//! Bulk replays as records: started, listed, paused, resumed, cancelled.

use super::preview::Preview;
use crate::error::{Error, Result};
use crate::model::delivery::State;
use crate::model::id::{BoxId, DeliveryId, EndpointId, ReplayId};
use crate::model::replay::{
    NewReplay, ReplayRecord, ReplayState, ReplayTransition, Target, next_replay_state,
};
use crate::model::settings::{Listing, Selection};
use crate::store::drain::expire::{Settlement, settle};
use crate::store::engine::Store;
use crate::store::engine::conn::{Row, params, unreadable};
use crate::store::engine::job::Tx;
use crate::store::engine::value::Params;
use crate::store::history::query::PAGE_MAX;
use crate::store::setup::endpoint::endpoint_for;
use crate::time::Timestamp;

const COLUMNS: &str = "select r.id, r.kind, r.state, r.asked_by, r.created_ms, r.ended_ms, r.filter, p.name as to_name,
        r.new_id, r.rate, r.expected, r.up_to, r.done_to, r.made
     from hookbox_replay as r
     left join hookbox_endpoint as p on p.id = r.to_endpoint_id";

/// Maximum deliveries cancelled in one transaction.
const CANCEL_BATCH: usize = 500;

/// Counts the pending deliveries of a bulk replay whose endpoints are neither held nor offline.
const AHEAD: &str = "select count(*)
     from hookbox_delivery as d indexed by hookbox_delivery_replay
     join hookbox_endpoint as p on p.id = d.endpoint_id
     where d.replay_id = :id and d.state = 'pending' and p.held_ms is null
         and not exists (
             select 1 from hookbox_outage as o
             where o.endpoint_id = d.endpoint_id and o.ended_ms is null
         )";

impl Store {
    /// Stores a new bulk replay. Its deliveries are created a few at a time while a process serves
    /// the file.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the endpoint that is to get them does not exist.
    pub fn start_replay(
        &self,
        asked: NewReplay,
        preview: &Preview,
        now: Timestamp,
    ) -> Result<ReplayId> {
        let (expected, up_to) = (preview.deliveries, preview.up_to);
        let from = preview.from;
        self.write(move |tx| {
            let to = asked.to.as_ref();
            let to = to.map(|target| endpoint_for(tx, target, now)).transpose()?;
            let id = tx.conn.insert(
                "insert into hookbox_replay (
                     kind, state, asked_by, created_ms, filter, to_endpoint_id, new_id, rate,
                     expected, up_to, done_to
                 ) values (
                     :kind, :state, :asked_by, :now, :filter, :to, :new_id, :rate,
                     :expected, :up_to, :from
                 )",
                params! {
                    ":kind": asked.kind,
                    ":state": ReplayState::Running,
                    ":asked_by": asked.asked_by,
                    ":now": now,
                    ":filter": asked.selection.json().to_string(),
                    ":to": to,
                    ":new_id": asked.has_new_ids,
                    ":rate": asked.rate.as_ref().map(ToString::to_string),
                    ":expected": expected,
                    ":up_to": up_to,
                    ":from": from.min(up_to),
                },
            )?;
            tx.tally.replays();
            Ok(ReplayId(id))
        })
    }

    /// Bulk replays that are older than `before`, newest first, at most `limit` (and never more
    /// than [`PAGE_MAX`]).
    ///
    /// # Errors
    /// [`Error::Database`] when the file cannot be read.
    pub fn replays(&self, before: Option<ReplayId>, limit: usize) -> Result<Vec<ReplayRecord>> {
        let before = before.unwrap_or(ReplayId(i64::MAX));
        let limit = limit.min(PAGE_MAX) as i64;
        self.read_replays(
            &format!("{COLUMNS} where r.id < :before order by r.id desc limit :limit"),
            params! { ":before": before, ":limit": limit },
            &State::ALL,
        )
    }

    /// Running bulk replays, oldest first. They have no counts but the one of pending deliveries.
    ///
    /// # Errors
    /// [`Error::Database`] when the file cannot be read.
    #[doc(hidden)]
    pub fn running_replays(&self) -> Result<Vec<ReplayRecord>> {
        let mut records = self.read_replays(
            &format!("{COLUMNS} where r.state = 'running' and r.ended_ms is null order by r.id"),
            params! {},
            &[State::Pending],
        )?;
        self.read(|conn| {
            for record in &mut records {
                // If a replay goes to several endpoints, the pending deliveries of an unavailable
                // one must not block the others, so they are not counted.
                record.ahead = if record.asked.is_for_one() {
                    record.count(State::Pending)
                } else {
                    conn.one(AHEAD, params! { ":id": record.id }, |row| row.get(0))?
                };
            }
            Ok(())
        })?;
        Ok(records)
    }

    /// One bulk replay.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is none with this id.
    pub fn replay_record(&self, id: ReplayId) -> Result<ReplayRecord> {
        let found = self.read_replays(
            &format!("{COLUMNS} where r.id = :id"),
            params! { ":id": id },
            &State::ALL,
        )?;
        found
            .into_iter()
            .next()
            .ok_or_else(|| Error::not_found(format!("no replay {}", self.box_id().replay(id))))
    }

    /// Pauses, resumes or cancels a bulk replay. Cancelling also cancels its pending deliveries: a
    /// few hundred at most.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is none with this id; [`Error::Misuse`] when it is over.
    #[doc(hidden)]
    pub fn move_replay(
        &self,
        id: ReplayId,
        change: ReplayTransition,
        now: Timestamp,
    ) -> Result<ReplayState> {
        let outer = self.box_id().replay(id);
        let next = self.write(move |tx| {
            let state: ReplayState = tx
                .conn
                .maybe(
                    "select state from hookbox_replay where id = :id",
                    params! { ":id": id },
                    |row| row.get(0),
                )?
                .ok_or_else(|| Error::not_found(format!("no replay {outer}")))?;
            let next = next_replay_state(state, change).ok_or_else(|| {
                Error::misuse(format!("{outer} is {state} already; nothing was changed"))
            })?;
            set_state(tx, id, next, now)?;
            Ok(next)
        })?;
        // No new deliveries are created any more; the pending ones are cancelled one batch at a
        // time.
        while next == ReplayState::Cancelled
            && self.write(move |tx| cancel_pending(tx, id, now))? == CANCEL_BATCH
        {}
        Ok(next)
    }

    fn read_replays(
        &self,
        statement: &str,
        values: Params<'_>,
        counted: &[State],
    ) -> Result<Vec<ReplayRecord>> {
        self.read(|conn| {
            let mut records =
                conn.all::<ReplayRecord>(statement, values, |row| read_record(row, self.box_id()))?;
            for record in &mut records {
                let counts = record.counts.iter_mut().zip(State::ALL);
                for (count_of, state) in counts.filter(|(_, state)| counted.contains(state)) {
                    *count_of = conn.one(
                        "select count(*) from hookbox_delivery indexed by hookbox_delivery_replay
                         where replay_id = :id and state = :state",
                        params! { ":id": record.id, ":state": state },
                        |row| row.get(0),
                    )?;
                }
            }
            Ok(records)
        })
    }
}

pub(crate) fn set_state(
    tx: &mut Tx<'_>,
    id: ReplayId,
    state: ReplayState,
    now: Timestamp,
) -> Result<()> {
    tx.conn.change_one(
        "update hookbox_replay set state = :state, ended_ms = :ended where id = :id",
        params! {
            ":state": state,
            ":ended": state.is_over().then_some(now),
            ":id": id,
        },
    )?;
    tx.tally.replays();
    Ok(())
}

fn cancel_pending(tx: &mut Tx<'_>, id: ReplayId, now: Timestamp) -> Result<usize> {
    let pending = tx.conn.all::<(DeliveryId, EndpointId)>(
        "select id, endpoint_id from hookbox_delivery indexed by hookbox_delivery_replay
         where replay_id = :id and state = 'pending'
         limit :limit",
        params! { ":id": id, ":limit": CANCEL_BATCH as i64 },
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let settlement = Settlement {
        to: State::Cancelled,
        reason: "its replay was cancelled",
        now,
    };
    let count = pending.len();
    for (delivery, endpoint) in pending {
        settle(tx, endpoint, &[delivery], settlement)?;
    }
    Ok(count)
}

fn read_record(row: &Row<'_>, box_id: &BoxId) -> Result<ReplayRecord> {
    let filter: String = row.get("filter")?;
    let filter =
        serde_json::from_str(&filter).map_err(|error| unreadable("filter", error.into()))?;
    let selection = Selection::from_json(Listing::Replay, &filter, box_id, Timestamp(0))
        .map_err(|error| unreadable("filter", error.into()))?;
    Ok(ReplayRecord {
        id: row.get("id")?,
        asked: NewReplay {
            kind: row.get("kind")?,
            selection,
            to: row.get::<Option<String>>("to_name")?.map(Target::Endpoint),
            has_new_ids: row.get("new_id")?,
            rate: row.get("rate")?,
            up_to: row.get("up_to")?,
            asked_by: row.get("asked_by")?,
        },
        state: row.get("state")?,
        created: row.get("created_ms")?,
        ended: row.get("ended_ms")?,
        expected: row.get("expected")?,
        done_to: row.get("done_to")?,
        made: row.get("made")?,
        counts: [0; 4],
        ahead: 0,
    })
}
