//! Windows: the times at which an endpoint may be sent to, such as hours of the night on a metered
//! uplink.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::model::calendar::Calendar;
use crate::time::{Timestamp, parse_span, show_span};

/// Maximum windows of one endpoint.
const WINDOWS_MAX: usize = 16;

/// Allowed lengths of a window.
const LENGTH: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(7 * 86_400);

/// Windows; one of them must be open.
#[derive(Debug, Clone, PartialEq)]
pub struct Windows(Vec<Window>);

/// A window: it opens at the times of a calendar and stays open for this long.
#[derive(Debug, Clone, PartialEq)]
struct Window {
    calendar: Calendar,
    length: Duration,
}

/// Whether an endpoint may be sent to, and until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    /// It may be sent to; the time is when this must be checked again.
    Open {
        /// The end of the open window that ends last.
        until: Timestamp,
    },
    /// It may not be sent to.
    Closed {
        /// When the next window opens; `None` when none ever will.
        until: Option<Timestamp>,
    },
}

impl Windows {
    /// Whether a window is open at this time.
    ///
    /// ```
    /// use hookbox::model::window::{Opening, Windows};
    /// use hookbox::time::Timestamp;
    /// let at = |text| Timestamp::parse(text, Timestamp(0));
    /// let night: Windows = "0 0 2 * * *+3h".parse()?;
    /// let until = at("2026-07-02T05:00:00Z")?;
    /// assert_eq!(night.at(at("2026-07-02T04:59:59Z")?), Opening::Open { until });
    /// let until = Some(at("2026-07-03T02:00:00Z")?);
    /// assert_eq!(night.at(at("2026-07-02T05:00:00Z")?), Opening::Closed { until });
    /// # Ok::<(), hookbox::Error>(())
    /// ```
    pub fn at(&self, now: Timestamp) -> Opening {
        let ends = self.0.iter().filter_map(|window| window.end(now));
        if let Some(until) = ends.max() {
            return Opening::Open { until };
        }
        let openings = self.0.iter().filter_map(|window| window.calendar.next(now));
        Opening::Closed {
            until: openings.min(),
        }
    }
}

impl Windows {
    /// When a window opens next, if all are closed; the inner `None` means never.
    pub fn closed_until(&self, now: Timestamp) -> Option<Option<Timestamp>> {
        match self.at(now) {
            Opening::Open { .. } => None,
            Opening::Closed { until } => Some(until),
        }
    }
}

impl Window {
    /// When it closes, if it is open.
    fn end(&self, now: Timestamp) -> Option<Timestamp> {
        let end = self.calendar.latest(now)?.plus(self.length);
        (end > now).then_some(end)
    }
}

impl fmt::Display for Windows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, window) in self.0.iter().enumerate() {
            let text = window.calendar.to_string();
            let length = show_span(window.length);
            let semicolon = if index == 0 { "" } else { "; " };
            match window.calendar.zone_name() {
                None => write!(f, "{semicolon}{text}+{length}")?,
                Some(zone) => {
                    let expression = text.strip_suffix(zone).unwrap_or(&text).trim_end();
                    write!(f, "{semicolon}{expression}+{length} {zone}")?;
                }
            }
        }
        Ok(())
    }
}

impl FromStr for Windows {
    type Err = Error;

    /// Parses `CRON+LENGTH [ZONE]`, several separated by semicolons.
    fn from_str(text: &str) -> Result<Windows> {
        let windows = text.split(';').map(Window::read);
        let windows = windows.collect::<Result<Vec<Window>>>()?;
        if windows.len() > WINDOWS_MAX {
            return Err(Error::misuse(format!(
                "--window has {} windows, limit is {WINDOWS_MAX}",
                windows.len()
            )));
        }
        Ok(Windows(windows))
    }
}

impl Window {
    fn read(text: &str) -> Result<Window> {
        let bad = |why: String| {
            Error::misuse(format!(
                "`{}` is not a window: {why}; write when it opens and for how long: '0 0 2 * * *+3h Europe/Berlin'",
                text.trim()
            ))
        };
        let (expression, rest) = text
            .rsplit_once('+')
            .ok_or_else(|| bad("it does not say for how long".to_owned()))?;
        let (length, zone) = match rest.trim().split_once(' ') {
            Some((length, zone)) => (length, zone.trim()),
            None => (rest.trim(), ""),
        };
        let length = parse_span(length).map_err(|error| bad(error.to_string()))?;
        if !LENGTH.contains(&length) {
            return Err(bad(format!(
                "it is open for {}, allowed is 1s to 7d",
                show_span(length)
            )));
        }
        let calendar: Calendar = format!("{} {zone}", expression.trim()).trim().parse()?;
        Ok(Window { calendar, length })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text, Timestamp(0)).unwrap()
    }

    #[test]
    fn a_window_is_open_for_its_length_over_a_change_of_clocks_too() {
        let windows: Windows = "0 0 1 * * *+3h Europe/Berlin".parse().unwrap();
        for (opens, closes) in [
            ("2026-03-28T00:00:00Z", "2026-03-28T03:00:00Z"),
            ("2026-03-29T00:00:00Z", "2026-03-29T03:00:00Z"),
            ("2026-03-29T23:00:00Z", "2026-03-30T02:00:00Z"),
            ("2026-10-24T23:00:00Z", "2026-10-25T02:00:00Z"),
            ("2026-10-26T00:00:00Z", "2026-10-26T03:00:00Z"),
        ] {
            let (opens, closes) = (at(opens), at(closes));
            let before = opens.minus(Duration::from_millis(1));
            assert_eq!(windows.at(before), Opening::Closed { until: Some(opens) });
            assert_eq!(windows.at(opens), Opening::Open { until: closes });
            assert!(matches!(windows.at(closes), Opening::Closed { .. }));
        }
    }

    #[test]
    fn of_several_windows_one_is_enough() {
        let windows: Windows = "0 0 2 * * *+1h; 0 30 2 * * *+2h; 0 0 12 * * 1+10m"
            .parse()
            .unwrap();
        let until = at("2026-07-02T04:30:00Z");
        assert_eq!(
            windows.at(at("2026-07-02T02:45:00Z")),
            Opening::Open { until }
        );
        let until = Some(at("2026-07-05T02:00:00Z"));
        assert_eq!(
            windows.at(at("2026-07-04T12:05:00Z")),
            Opening::Closed { until }
        );
        let until = at("2026-07-05T12:10:00Z");
        assert_eq!(
            windows.at(at("2026-07-05T12:05:00Z")),
            Opening::Open { until }
        );
    }

    #[test]
    fn a_window_that_opens_before_it_closes_is_always_open() {
        let windows: Windows = "0 0 * * * *+2h".parse().unwrap();
        let until = at("2026-07-02T04:00:00Z");
        assert_eq!(
            windows.at(at("2026-07-02T02:59:59Z")),
            Opening::Open { until }
        );
        let never: Windows = "0 0 0 1 1 * 2020+1h".parse().unwrap();
        assert_eq!(
            never.at(at("2026-07-02T00:00:00Z")),
            Opening::Closed { until: None }
        );
    }

    #[test]
    fn windows_are_shown_as_they_are_read_and_nonsense_is_refused() {
        for text in [
            "0 0 2 * * *+3h",
            "0 0 2 * * *+3h Europe/Berlin",
            "0 0 2 * * *+3h; 0 0 14 * * *+30m Asia/Shanghai",
        ] {
            let windows: Windows = text.parse().unwrap();
            assert_eq!(windows.to_string(), text);
        }
        for text in [
            "",
            "0 0 2 * * *",
            "0 0 2 * * *+",
            "0 0 2 * * *+8d",
            "0 0 2 * * *+10ms",
            "+3h",
            "0 0 2 * * *+3h Europe/Atlantis",
            "0 0 2 * * *+3h;",
        ] {
            assert!(text.parse::<Windows>().is_err(), "{text}");
        }
    }
}
