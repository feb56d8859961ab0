//! What the scheduler does when the wall clock is set: what waits waits on, what came looks no older
//! than it is, and a clock that is plainly wrong is told of.

use std::time::Duration;

use super::Scheduler;
use crate::model::retry::Retry;
use crate::outbound::steady_clock::{Jump, Tick};
use crate::store::Shift;
use crate::time::{Timestamp, show_span};

/// How far the clock may be behind the newest row: another machine may have written it.
const CLOCK_BEHIND_MAX: Duration = Duration::from_secs(60);

impl Scheduler {
    /// Goes on with the time. When the wall clock was set forward, what waits for its next try waits
    /// on for as long as it had to.
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
            let shift = match &lane.endpoint.retry {
                Retry::Ladder(_) => Some(Shift::By(by)),
                // The moments of a calendar are the wall clock's own.
                Retry::Cron(calendar) => calendar.next(wall).map(Shift::To),
            };
            let shifted = shift.map_or(Ok(0), |shift| self.store.shift_waiting(*id, from, shift));
            match shifted {
                Ok(count) => {
                    let endpoint = &lane.endpoint.name;
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

    /// Warns once of a wall clock that is plainly wrong: what is due goes by another.
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
