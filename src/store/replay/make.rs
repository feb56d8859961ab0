//! Creates the deliveries of a bulk replay, a few at a time.
//!
//! They are searched on a read connection and created in one small transaction, so that incoming events
//! wait for some milliseconds at most.

use super::bulk::set_state;
use super::search::{Candidate, Search};
use crate::error::Result;
use crate::model::delivery::State;
use crate::model::id::{EndpointId, ReplayId};
use crate::model::replay::{ReplayRecord, ReplayState};
use crate::store::engine::Store;
use crate::store::engine::conn::params;
use crate::store::engine::directory::no_endpoint;
use crate::store::engine::job::Tx;
use crate::store::intake::accept::{NewDelivery, add_delivery, pending_at};
use crate::time::Timestamp;

/// Maximum deliveries created in one transaction.
pub const REPLAY_BATCH: usize = 200;

/// Maximum pending deliveries of one bulk replay: a pause does not stop these.
pub const REPLAY_PENDING_MAX: i64 = 512;

/// How many pieces of a search may find nothing before the progress is stored.
const EMPTY_STEPS: usize = 20;

/// The result of one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Deliveries that were made.
    pub made: usize,
    /// Whether more deliveries can be created at once.
    pub goes_on: bool,
}

impl Store {
    /// Creates a few deliveries of a bulk replay, at most `room`. Ends the replay when all deliveries are
    /// created and settled.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database) when the file cannot be read or written;
    /// [`Error::NotFound`](crate::Error::NotFound) when the endpoint that is to get them was removed.
    #[doc(hidden)]
    pub fn materialize_batch(
        &self,
        record: &ReplayRecord,
        room: usize,
        now: Timestamp,
    ) -> Result<Step> {
        const NOTHING: Step = Step {
            made: 0,
            goes_on: false,
        };
        let pending = record.count(State::Pending);
        if record.is_made() {
            if pending == 0 {
                self.end_replay(record.id, now)?;
            }
            return Ok(NOTHING);
        }
        let free = usize::try_from(REPLAY_PENDING_MAX - record.ahead).unwrap_or(0);
        let room = room.min(free).min(REPLAY_BATCH);
        if room == 0 {
            return Ok(NOTHING);
        }
        let id = record.id;
        let done_to = record.done_to;
        let up_to = record.asked.up_to.unwrap_or(done_to);
        if let (None, Some(name)) = (&record.asked.to, &record.asked.selection.endpoint)
            && self.fresh_directory()?.endpoint(name).is_none()
        {
            return Err(no_endpoint(name));
        }
        let search = Search::new(self, &record.asked)?;
        let mut found = search.next(self, done_to, up_to, room)?;
        // If matching rows are rare, a commit per step would cost too much.
        for _ in 1..EMPTY_STEPS {
            if !found.candidates.is_empty() || found.done_to >= up_to {
                break;
            }
            found = search.next(self, found.done_to, up_to, room)?;
        }
        let has_new_ids = record.asked.has_new_ids;
        let new_done_to = found.done_to;
        let made = self.write(move |tx| {
            let is_next = tx.conn.run(
                "update hookbox_replay set done_to = :to
                 where id = :id and state = 'running' and done_to = :from",
                params! { ":to": new_done_to, ":id": id, ":from": done_to },
            )?;
            if is_next == 0 {
                // The replay was paused or cancelled, or another process did this step.
                return Ok(None);
            }
            let mut made = 0;
            for candidate in &found.candidates {
                made += usize::from(make_one(tx, id, candidate, has_new_ids, now)?);
            }
            tx.conn.change_one(
                "update hookbox_replay set made = made + :made where id = :id",
                params! { ":made": made as i64, ":id": id },
            )?;
            Ok(Some(made))
        })?;
        Ok(made.map_or(NOTHING, |made| Step {
            made,
            goes_on: true,
        }))
    }

    fn end_replay(&self, id: ReplayId, now: Timestamp) -> Result<()> {
        self.write(move |tx| {
            let is_running: bool = tx.conn.one(
                "select state = 'running' from hookbox_replay where id = :id",
                params! { ":id": id },
                |row| row.get(0),
            )?;
            if is_running {
                set_state(tx, id, ReplayState::Done, now)?;
            }
            Ok(())
        })
    }

    /// The name of an endpoint, even of a removed one.
    pub(crate) fn endpoint_name(&self, id: EndpointId) -> Result<String> {
        self.read(|conn| {
            conn.one(
                "select name from hookbox_endpoint where id = :id",
                params! { ":id": id },
                |row| row.get(0),
            )
        })
    }
}

/// Creates one delivery, unless its endpoint was removed or will get the event anyway.
fn make_one(
    tx: &mut Tx<'_>,
    replay: ReplayId,
    candidate: &Candidate,
    has_new_id: bool,
    now: Timestamp,
) -> Result<bool> {
    // Someone else may have replayed it since it was found.
    let known = candidate
        .endpoint
        .filter(|id| tx.directory.endpoint_by_id(*id).is_some());
    let Some(endpoint) = known else {
        return Ok(false);
    };
    if pending_at(tx, candidate.event, endpoint)?.is_some() {
        return Ok(false);
    }
    let new = NewDelivery {
        replay_of: candidate.delivery,
        replay: Some(replay),
        has_new_id,
        ..NewDelivery::new(candidate.event, endpoint)
    };
    add_delivery(tx, &new, now)?;
    Ok(true)
}
