//! Sets aside work items that crashed the process twice in a row, so that they do not crash it at every
//! start.

use crate::store::engine::Store;
use crate::store::engine::in_progress::{ENDS_MAX, REASON, WorkItem};
use crate::time::Timestamp;

impl Store {
    /// Sets aside every item that was in progress at two crashes in a row: it gives up a delivery, and
    /// marks a row of the outbox with the problem.
    ///
    /// An error of a write is only logged: it must not keep the service from starting.
    pub(crate) fn set_aside_what_ended_it(&self, now: Timestamp) {
        let work_log = self.work_log();
        for (piece, ends) in work_log.suspects() {
            tracing::warn!(?piece, ends, "the process before ended with this in hand");
            if ends < ENDS_MAX {
                continue;
            }
            let done = match piece {
                WorkItem::Delivery(endpoint, delivery) => {
                    self.give_up(endpoint, delivery, REASON, now)
                }
                WorkItem::Row(id) => self.set_row_aside(id, REASON),
            };
            match done {
                Ok(()) => work_log.clear(piece),
                Err(error) => {
                    tracing::warn!(
                        ?piece,
                        error = error.chain(),
                        "cannot set aside what ended the process"
                    );
                }
            }
        }
    }
}
