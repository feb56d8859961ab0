//! Work with which the process ended twice in a row is given up, so that the next start is not its next end.

use crate::store::engine::Store;
use crate::store::engine::sqlite::in_progress::{ENDS_MAX, REASON, WorkItem};
use crate::time::Timestamp;

impl Store {
    /// Gives up what ended the process twice in a row. What cannot be written does not keep the service from
    /// starting.
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
