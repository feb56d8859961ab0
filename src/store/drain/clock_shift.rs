//! What the scheduler needs when the wall clock was set: the newest time in the store, a log of the
//! clock changes, and new due times for waiting deliveries.

use std::time::Duration;

use crate::error::Result;
use crate::model::id::{DeliveryId, EndpointId};
use crate::store::engine::Store;
use crate::store::engine::columns::Millis;
use crate::store::engine::conn::params;
use crate::time::Timestamp;

/// Deliveries changed in one transaction, so that nobody waits long for the writer.
const BATCH: usize = 1_000;

/// How many changes of the clock are remembered.
const CLOCK_SETS_MAX: i64 = 100;

/// How due times change.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shift {
    /// Each is later by this.
    By(Duration),
    /// All become this time.
    To(Timestamp),
}

/// In order from the latest due time to the earliest, so that a delivery with its new, later due
/// time is not read again.
const WAITING: &str = "select id, due_ms
     from hookbox_delivery indexed by hookbox_delivery_due
     where endpoint_id = :endpoint and state = 'pending' and due_ms > :after
         and (due_ms < :due or (due_ms = :due and id < :id)) and tries > 0
     order by due_ms desc, id desc
     limit :limit";

impl Store {
    /// The latest time at which an event came or an endpoint was tried.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database) when the file cannot be read.
    pub(crate) fn newest(&self) -> Result<Option<Timestamp>> {
        self.read(|conn| {
            let newest = conn.one(
                "select
                     (select max(value) from hookbox_tally
                      where what in ('last_event_ms', 'last_attempt_ms')),
                     (select max(last_probe_ms) from hookbox_outage
                      where ended_ms is null)",
                &[],
                |row| Ok([row.get::<Option<Timestamp>>(0)?, row.get(1)?]),
            )?;
            Ok(newest.into_iter().flatten().max())
        })
    }

    /// Records that the wall clock was set forward.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database) when nothing can be written.
    pub(crate) fn note_clock_set(&self, from: Timestamp, by: Duration) -> Result<()> {
        self.write(move |tx| {
            let id = tx.conn.insert(
                "insert into hookbox_clock_set (from_ms, by_ms) values (:from, :by)",
                params! { ":from": from, ":by": Millis(by) },
            )?;
            tx.conn.run(
                "delete from hookbox_clock_set where id <= :id - :kept",
                params! { ":id": id, ":kept": CLOCK_SETS_MAX },
            )?;
            Ok(())
        })
    }

    /// Changes the due times of an endpoint's deliveries that wait for their next try and are due
    /// later than `after`. Returns how many there were.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database) when nothing can be written.
    pub(crate) fn shift_waiting(
        &self,
        endpoint: EndpointId,
        after: Timestamp,
        shift: Shift,
    ) -> Result<usize> {
        let mut last = (Timestamp(i64::MAX), DeliveryId(i64::MAX));
        let mut moved = 0;
        loop {
            let (due, id) = last;
            let batch = self.write(move |tx| {
                let rows = tx.conn.all::<(Timestamp, DeliveryId)>(
                    WAITING,
                    params! {
                        ":endpoint": endpoint, ":after": after, ":due": due, ":id": id,
                        ":limit": BATCH as i64,
                    },
                    |row| Ok((row.get("due_ms")?, row.get("id")?)),
                )?;
                if let Shift::By(by) = shift {
                    // The time that the scheduler's own clock has reached.
                    tx.tally.attempted(endpoint, after.plus(by));
                }
                for (due, id) in &rows {
                    let due = match shift {
                        Shift::By(by) => due.plus(by),
                        Shift::To(due) => due,
                    };
                    tx.conn.run(
                        "update hookbox_delivery set due_ms = :due where id = :id and state = 'pending'",
                        params! { ":due": due, ":id": id },
                    )?;
                }
                tx.tally.wake(endpoint);
                Ok(rows)
            })?;
            moved += batch.len();
            match batch.last() {
                Some(oldest) if batch.len() == BATCH => last = *oldest,
                _ => return Ok(moved),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::engine::plan::plan_of;

    #[test]
    fn what_waits_is_found_from_the_last_on_without_sorting() {
        let plan = plan_of(WAITING);
        assert!(
            plan.contains("hookbox_delivery_due (endpoint_id=? AND due_ms>?"),
            "{plan}"
        );
        assert!(!plan.contains("TEMP B-TREE"), "{plan}");
    }
}
