//! The scheduler's own time, which decides what is due. Pure.
//!
//! It never runs back. When the wall clock is set forward, waiting deliveries still wait for the rest of
//! their time.
//!
//! A box without a battery-backed clock boots in 1970 and gets the time later; another box's clock may be
//! fast and is then set back. Neither may start all retries at once or delay them for years.

use std::time::Duration;

use crate::time::Timestamp;

/// How far the wall clock may run ahead of the expected time before it counts as set.
const DRIFT_MAX: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, Copy)]
pub(super) struct Steady {
    now: Timestamp,
    /// What the wall clock showed at the last tick.
    wall: Timestamp,
    /// When the last tick was, on the monotonic clock.
    elapsed: Duration,
}

/// Result of one reading of the clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Tick {
    /// Set if the wall clock was set forward to later than the scheduler's own time.
    pub(super) jump: Option<Jump>,
    /// Set if the wall clock was set forward from what it showed before.
    pub(super) set: Option<Jump>,
}

/// The wall clock was set forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Jump {
    /// The time it would have shown.
    pub(super) from: Timestamp,
    pub(super) by: Duration,
}

impl Steady {
    /// Starts with the wall clock, or with the store's newest row if that is later.
    ///
    /// A newer row means that the clock is wrong now, or was wrong when the row was written.
    pub(super) fn begin(wall: Timestamp, newest: Option<Timestamp>, elapsed: Duration) -> Steady {
        Steady {
            now: newest.map_or(wall, |newest| newest.max(wall)),
            wall,
            elapsed,
        }
    }

    /// Advances the time, and reports if the wall clock was set forward since the last tick.
    pub(super) fn tick(&mut self, wall: Timestamp, elapsed: Duration) -> Tick {
        let passed = elapsed.saturating_sub(self.elapsed);
        let (expected, expected_wall) = (self.now.plus(passed), self.wall.plus(passed));
        self.elapsed = elapsed;
        self.wall = wall;
        self.now = expected.max(wall);
        let jump = |from: Timestamp| {
            let by = wall.since(from);
            (by > DRIFT_MAX).then_some(Jump { from, by })
        };
        Tick {
            jump: jump(expected),
            set: jump(expected_wall),
        }
    }

    /// Returns how far the wall clock is behind the scheduler's time, as of the last tick.
    pub(super) fn behind(&self) -> Duration {
        self.now.since(self.wall)
    }

    /// Returns the time of the last tick.
    pub(super) fn now(&self) -> Timestamp {
        self.now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: i64 = 86_400_000;

    fn secs(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn it_goes_with_the_wall_clock_and_over_small_corrections() {
        let mut steady = Steady::begin(Timestamp(DAY_MS), Some(Timestamp(5)), secs(7));
        let none = Tick::default();
        assert_eq!(steady.tick(Timestamp(DAY_MS + 1_000), secs(8)), none);
        assert_eq!(steady.now(), Timestamp(DAY_MS + 1_000));
        // The wall clock is set nine seconds forward, then nine back: both count as small corrections.
        assert_eq!(steady.tick(Timestamp(DAY_MS + 11_000), secs(9)), none);
        assert_eq!(steady.tick(Timestamp(DAY_MS + 3_000), secs(10)), none);
        assert_eq!(steady.now(), Timestamp(DAY_MS + 12_000));
    }

    #[test]
    fn it_never_runs_back_and_tells_of_a_jump_forward_once() {
        let mut steady = Steady::begin(Timestamp(0), None, secs(0));
        let jump = steady.tick(Timestamp(DAY_MS), secs(60));
        let (from, by) = (Timestamp(60_000), secs(86_340));
        let jump_of = |from, by| Some(Jump { from, by });
        assert_eq!(
            (jump.jump, jump.set),
            (jump_of(from, by), jump_of(from, by))
        );
        assert_eq!(
            steady.tick(Timestamp(DAY_MS + 1_000), secs(61)),
            Tick::default()
        );
        assert_eq!(steady.tick(Timestamp(0), secs(62)), Tick::default());
        assert_eq!(steady.now(), Timestamp(DAY_MS + 2_000));
        assert_eq!(steady.behind(), secs(86_402));
        // The wall clock returns to where it was. That is no jump, since the scheduler's time did not
        // follow it back; but the wall clock was set.
        let back = steady.tick(Timestamp(DAY_MS + 3_000), secs(63));
        assert_eq!(
            (back.jump, back.set),
            (None, jump_of(Timestamp(1_000), secs(86_402)))
        );
    }

    #[test]
    fn a_clock_behind_the_newest_row_begins_with_that_row() {
        let mut steady = Steady::begin(Timestamp(10), Some(Timestamp(DAY_MS)), secs(3));
        assert_eq!(steady.now(), Timestamp(DAY_MS));
        steady.tick(Timestamp(5_010), secs(8));
        assert_eq!(steady.now(), Timestamp(DAY_MS + 5_000));
        // The box gets the correct time: its clock was an hour behind.
        let jump = steady.tick(Timestamp(DAY_MS + 3_606_000), secs(9));
        let from = Timestamp(DAY_MS + 6_000);
        let by = secs(3_600);
        assert_eq!(jump.jump, Some(Jump { from, by }));
        // An event that came in meanwhile seems older than it is, by as much as the clock was behind.
        let from = Timestamp(6_010);
        assert_eq!(
            jump.set,
            Some(Jump {
                from,
                by: Duration::from_millis(89_999_990)
            })
        );
    }
}
