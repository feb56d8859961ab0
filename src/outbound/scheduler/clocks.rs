//! What the scheduler does when the wall clock is set.
//!
//! Waiting deliveries keep the rest of their wait, events look no older than they are, and a plainly wrong
//! clock is logged.

use std::time::Duration;

use super::Scheduler;
use crate::model::retry::Retry;
use crate::outbound::steady_clock::{Jump, Tick};
use crate::store::Shift;
use crate::time::{Timestamp, show_span};

/// How far the clock may be behind the newest row: another machine may have written that row.
const CLOCK_BEHIND_MAX: Duration = Duration::from_secs(60);

impl Scheduler {
    /// Advances the scheduler's time.
    ///
    /// If the wall clock was set forward, deliveries that wait for their next try still wait for the rest
    /// of their time.
    pub(super) fn tick(&mut self) {
        let wall = self.clock.now();
        let Tick { jump, set } = self.steady.tick(wall, self.clock.elapsed());
        self.say_if_behind(wall);
        if let Some(Jump { from, by }) = set
            && let Err(error) = self.store.note_clock_set(from, by)
        {
            tracing::error!(
                error = error.chain(),
                "the clock was set forward, and what came before may look too old"
            );
        }
        let Some(Jump { from, by }) = jump else {
            return;
        };
        for (id, lane) in &mut self.lanes {
            let shift = match &lane.endpoint.set.retry {
                Retry::Ladder(_) => Some(Shift::By(by)),
                // A cron schedule follows the wall clock.
                Retry::Cron(calendar) => calendar.next(wall).map(Shift::To),
            };
            let shifted = shift.map_or(Ok(0), |shift| self.store.shift_waiting(*id, from, shift));
            match shifted {
                Ok(count) => {
                    let endpoint = &lane.endpoint.set.name;
                    tracing::warn!(endpoint, count, by = show_span(by), "clock.set_forward");
                }
                Err(error) => tracing::error!(
                    error = error.chain(),
                    "the clock was set forward, and what waits for its next try goes out at once"
                ),
            }
            lane.page.look_again();
        }
    }

    /// Warns once about a plainly wrong wall clock. Due times follow the scheduler's own time instead.
    fn say_if_behind(&mut self, wall: Timestamp) {
        let behind = self.steady.behind();
        if behind <= CLOCK_BEHIND_MAX {
            self.is_behind = false;
        } else if !self.is_behind {
            self.is_behind = true;
            tracing::warn!(
                now = wall.to_string(),
                behind = show_span(behind),
                "clock.behind: the clock shows a time before the newest row, or was set back; sending goes on"
            );
        }
    }
}
