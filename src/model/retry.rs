//! The retry schedule: when a refused delivery is tried again. It is a ladder of waits, or the
//! times of a cron expression.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::model::calendar::Calendar;
use crate::time::{Timestamp, parse_span, show_span};

/// The default ladder: the example schedule of Standard Webhooks 1.0.0. With the immediate first
/// try these are ten tries over 75 hours and 35 minutes.
pub const LADDER_DEFAULT: [Duration; 9] = [
    Duration::from_secs(5),
    Duration::from_secs(5 * 60),
    Duration::from_secs(30 * 60),
    Duration::from_secs(2 * 3600),
    Duration::from_secs(5 * 3600),
    Duration::from_secs(10 * 3600),
    Duration::from_secs(14 * 3600),
    Duration::from_secs(20 * 3600),
    Duration::from_secs(24 * 3600),
];

/// Random part of each wait, up or down, so that deliveries that were refused together do not come
/// back together.
pub const JITTER: f64 = 0.20;

/// Maximum steps of a ladder: one less than its maximum tries.
const STEPS_MAX: usize = 100;

/// Maximum length of a single step.
const STEP_MAX: Duration = Duration::from_secs(30 * 86_400);

/// When a refused delivery is tried again.
#[derive(Debug, Clone, PartialEq)]
pub enum Retry {
    /// After each of these waits in turn; after the last one the delivery is given up. An empty
    /// list means one try.
    Ladder(Vec<Duration>),
    /// At the times of a calendar, as often as the default ladder has steps. All deliveries that
    /// were refused in between are tried together.
    Cron(Calendar),
}

impl Retry {
    /// Tries before a delivery is given up: the first one, and one per step.
    pub fn tries_max(&self) -> u32 {
        let steps = match self {
            Retry::Ladder(steps) => steps.len(),
            Retry::Cron(_) => LADDER_DEFAULT.len(),
        };
        u32::try_from(steps + 1).expect("a ladder has at most a hundred steps")
    }

    /// The time of the next try; `None` when no try is left.
    ///
    /// `tries` of `tries_max` tries were refused, the last one at `now`. After the end of a ladder
    /// its last wait is repeated. `chance` is a random number from 0 to 1: 0.5 leaves a wait
    /// unchanged.
    ///
    /// ```
    /// use hookbox::model::retry::Retry;
    /// use hookbox::time::Timestamp;
    /// let ladder: Retry = "5s,5m".parse()?;
    /// assert_eq!(ladder.next(1, 4, Timestamp(0), 0.5), Some(Timestamp(5_000)));
    /// assert_eq!(ladder.next(2, 4, Timestamp(0), 0.5), Some(Timestamp(300_000)));
    /// assert_eq!(ladder.next(3, 4, Timestamp(0), 0.5), Some(Timestamp(300_000)));
    /// assert_eq!(ladder.next(4, 4, Timestamp(0), 0.5), None);
    /// # Ok::<(), hookbox::Error>(())
    /// ```
    pub fn next(
        &self,
        tries: u32,
        tries_max: u32,
        now: Timestamp,
        chance: f64,
    ) -> Option<Timestamp> {
        if tries == 0 || tries >= tries_max {
            return None;
        }
        match self {
            Retry::Ladder(steps) => {
                let step = steps.get(tries as usize - 1).or(steps.last())?;
                let factor = 1.0 + JITTER * (2.0 * chance.clamp(0.0, 1.0) - 1.0);
                Some(now.plus(step.mul_f64(factor)))
            }
            Retry::Cron(calendar) => calendar.next(now),
        }
    }
}

impl Default for Retry {
    fn default() -> Retry {
        Retry::Ladder(LADDER_DEFAULT.to_vec())
    }
}

impl fmt::Display for Retry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Retry::Ladder(steps) if steps.is_empty() => f.write_str("none"),
            Retry::Ladder(steps) => {
                let steps: Vec<String> = steps.iter().map(|step| show_span(*step)).collect();
                f.write_str(&steps.join(","))
            }
            Retry::Cron(calendar) => write!(f, "cron:{calendar}"),
        }
    }
}

impl FromStr for Retry {
    type Err = Error;

    fn from_str(text: &str) -> Result<Retry> {
        if let Some(expression) = text.strip_prefix("cron:") {
            return expression.parse().map(Retry::Cron);
        }
        if text.trim().is_empty() {
            return Ok(Retry::default());
        }
        if text == "none" {
            return Ok(Retry::Ladder(Vec::new()));
        }
        let steps = text
            .split(',')
            .map(|step| parse_span(step.trim()))
            .collect::<Result<Vec<Duration>>>()
            .map_err(|error| Error::misuse(format!("{error}, several joined by commas")))?;
        if steps.len() > STEPS_MAX {
            return Err(Error::misuse(format!(
                "--retry has {} steps, limit is {STEPS_MAX}",
                steps.len()
            )));
        }
        if let Some(step) = steps.iter().find(|step| **step > STEP_MAX) {
            return Err(Error::misuse(format!(
                "--retry has a step of {}, limit is {}",
                show_span(*step),
                show_span(STEP_MAX)
            )));
        }
        Ok(Retry::Ladder(steps))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_ladder_is_the_example_of_standard_webhooks() {
        let ladder = Retry::default();
        assert_eq!(ladder.to_string(), "5s,5m,30m,2h,5h,10h,14h,20h,1d");
        assert_eq!(ladder.tries_max(), 10);
        let total: Duration = LADDER_DEFAULT.iter().sum();
        // The specification's own sum of its table is 75 h 35 min, without the 5 s.
        assert_eq!(total, Duration::from_secs(75 * 3600 + 35 * 60 + 5));
    }

    #[test]
    fn jitter_moves_a_wait_by_a_fifth_at_most_either_way() {
        let ladder = Retry::default();
        for (chance, expected_ms) in [(0.0, 4_000), (0.5, 5_000), (1.0, 6_000)] {
            assert_eq!(
                ladder.next(1, 10, Timestamp(0), chance),
                Some(Timestamp(expected_ms))
            );
        }
    }

    #[test]
    fn a_cron_expression_gives_its_next_moment() {
        let retry: Retry = "cron:0 */10 * * * *".parse().unwrap();
        let now = Timestamp::parse("2026-03-01T12:03:00Z", Timestamp(0)).unwrap();
        assert_eq!(
            retry.next(1, 10, now, 0.5).unwrap().to_string(),
            "2026-03-01T12:10:00.000Z"
        );
        assert_eq!(retry.next(10, 10, now, 0.5), None);
        assert_eq!(
            retry.to_string().parse::<Retry>().unwrap().to_string(),
            retry.to_string()
        );
    }

    #[test]
    fn none_is_one_try() {
        let retry: Retry = "none".parse().unwrap();
        assert_eq!((retry.tries_max(), retry.to_string().as_str()), (1, "none"));
        assert_eq!(retry.next(1, 1, Timestamp(0), 0.5), None);
    }

    #[test]
    fn what_is_neither_ladder_nor_cron_is_refused() {
        for text in [
            "5",
            "5s,,5m",
            "cron:",
            "cron:nonsense",
            "31d",
            &["1s"; 101].join(","),
        ] {
            assert!(text.parse::<Retry>().is_err(), "{text}");
        }
    }
}
