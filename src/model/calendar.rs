//! The times that a cron expression names, in a time zone with daylight saving changes.
//!
//! A local time that is skipped when clocks go forward is read with the offset from before the change. A
//! local time that comes twice when clocks go back is the first of the two (RFC 5545, section 3.3.5).

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::{Datelike, NaiveDateTime, TimeDelta, Timelike};
use cron::Schedule;
use jiff::civil;
use jiff::tz::{self, TimeZone, TimeZoneDatabase};

use crate::error::{Error, Result};
use crate::time::Timestamp;

/// Maximum shift of a clock in any zone in this century, except where a date was left out.
const SHIFT_MAX: Duration = Duration::from_secs(3 * 3_600);

/// Expressions cover the years 1970 to 2100. All times a day or more outside that range give the same
/// answers as these limits.
const FIRST: Timestamp = Timestamp(-2 * 86_400_000);
const LAST: Timestamp = Timestamp(4_133_980_800_000 + 2 * 86_400_000);

/// Maximum times that are tried for one answer: an expression that names every second has this many within
/// the maximum shift of a clock.
const STEPS_MAX: usize = 3 * 3_600 * 2;

/// Repeating times.
#[derive(Debug, Clone)]
pub struct Calendar {
    schedule: Box<Schedule>,
    zone: Option<TimeZone>,
}

impl Calendar {
    /// The first time after `after`; `None` if there is none.
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        let from = self.local(after.max(FIRST).min(LAST).minus(SHIFT_MAX));
        let mut found: Option<(NaiveDateTime, Timestamp)> = None;
        for local in self.schedule.after(&from.and_utc()).take(STEPS_MAX) {
            let local = local.naive_utc();
            if found.is_some_and(|(first, _)| local - first > shift_max()) {
                break;
            }
            let moment = self.moment(local);
            if moment > after && found.is_none_or(|(_, best)| moment < best) {
                found = Some((found.map_or(local, |(first, _)| first), moment));
            }
        }
        found.map(|(_, moment)| moment)
    }

    /// The last time at or before `at`.
    pub fn latest(&self, at: Timestamp) -> Option<Timestamp> {
        let from = self.local(at.max(FIRST).min(LAST).plus(SHIFT_MAX));
        let mut found: Option<(NaiveDateTime, Timestamp)> = None;
        for local in self.schedule.after(&from.and_utc()).rev().take(STEPS_MAX) {
            let local = local.naive_utc();
            if found.is_some_and(|(first, _)| first - local > shift_max()) {
                break;
            }
            let moment = self.moment(local);
            if moment <= at && found.is_none_or(|(_, best)| moment > best) {
                found = Some((found.map_or(local, |(first, _)| first), moment));
            }
        }
        found.map(|(_, moment)| moment)
    }

    /// The name of its time zone, if it has one.
    pub fn zone_name(&self) -> Option<&str> {
        self.zone.as_ref().and_then(TimeZone::iana_name)
    }

    /// The local time in the zone.
    fn local(&self, at: Timestamp) -> NaiveDateTime {
        let utc = at.to_chrono().naive_utc();
        match &self.zone {
            None => utc,
            Some(zone) => {
                let offset = zone.to_offset(at.to_jiff());
                utc + TimeDelta::seconds(offset.seconds().into())
            }
        }
    }

    /// The time at which clocks in the zone show this. For a skipped or repeated local time, RFC 5545
    /// decides.
    fn moment(&self, local: NaiveDateTime) -> Timestamp {
        let in_zone = self.zone.as_ref().and_then(|zone| {
            let moment = zone.to_ambiguous_timestamp(civil_of(local)?).compatible();
            Some(Timestamp::from_jiff(moment.ok()?))
        });
        in_zone.unwrap_or_else(|| Timestamp::from_chrono(local.and_utc()))
    }
}

/// The same local time in the other library's type; `None` after the year 9999.
fn civil_of(local: NaiveDateTime) -> Option<civil::DateTime> {
    let small = |number: u32| i8::try_from(number).ok();
    civil::DateTime::new(
        i16::try_from(local.year()).ok()?,
        small(local.month())?,
        small(local.day())?,
        small(local.hour())?,
        small(local.minute())?,
        small(local.second())?,
        0,
    )
    .ok()
}

/// The zone with this name. The system's data is used first, since it follows changes of the law; the
/// built-in data is for systems without zones or without this one.
fn zone_named(name: &str) -> Option<TimeZone> {
    let system = tz::db().get(name).ok();
    system.or_else(|| TimeZoneDatabase::bundled().get(name).ok())
}

fn shift_max() -> TimeDelta {
    TimeDelta::from_std(SHIFT_MAX).expect("three hours are a span")
}

impl PartialEq for Calendar {
    fn eq(&self, other: &Calendar) -> bool {
        self.to_string() == other.to_string()
    }
}

impl fmt::Display for Calendar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.schedule.source())?;
        match self.zone_name() {
            None => Ok(()),
            Some(zone) => write!(f, " {zone}"),
        }
    }
}

impl FromStr for Calendar {
    type Err = Error;

    /// Parses six fields, seconds first, day of week 1 = Sunday, and the name of a time zone (UTC by
    /// default).
    ///
    /// ```
    /// use hookbox::model::calendar::Calendar;
    /// use hookbox::time::Timestamp;
    /// let nightly: Calendar = "0 30 2 * * * Europe/Berlin".parse()?;
    /// let evening = Timestamp::parse("2026-07-01T20:00:00Z", Timestamp(0))?;
    /// let next = nightly.next(evening).expect("there is one every night");
    /// assert_eq!(next.to_string(), "2026-07-02T00:30:00.000Z");
    /// # Ok::<(), hookbox::Error>(())
    /// ```
    fn from_str(text: &str) -> Result<Calendar> {
        let text = text.trim();
        let (expression, zone) = match text.rsplit_once(' ') {
            Some((expression, name)) => match zone_named(name) {
                Some(zone) => (expression, Some(zone)),
                None if name.contains('/') && name.starts_with(char::is_alphabetic) => {
                    return Err(Error::misuse(format!(
                        "there is no time zone `{name}`; write one such as Europe/Berlin or Asia/Shanghai"
                    )));
                }
                None => (text, None),
            },
            None => (text, None),
        };
        let schedule = Schedule::from_str(expression.trim()).map_err(|_| {
            Error::misuse(format!(
                "`{expression}` is not a cron expression; six fields, seconds first, day of week 1 = Sunday, and perhaps a time zone: 0 */10 * * * * Europe/Berlin"
            ))
        })?;
        Ok(Calendar {
            schedule: Box::new(schedule),
            zone,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text, Timestamp(0)).unwrap()
    }

    fn check(expression: &str, rows: &[(&str, &str, &str)]) {
        let calendar: Calendar = expression.parse().unwrap();
        for (now, latest, next) in rows {
            let said =
                |moment: Option<Timestamp>| moment.unwrap().to_string().replace(".000Z", "Z");
            assert_eq!(
                said(calendar.next(at(now))),
                *next,
                "{expression} after {now}"
            );
            assert_eq!(
                said(calendar.latest(at(now))),
                *latest,
                "{expression} until {now}"
            );
        }
    }

    #[test]
    fn moments_are_those_of_the_zones_own_clocks() {
        check(
            "0 0 2 * * *",
            &[(
                "2026-03-29T01:59:59Z",
                "2026-03-28T02:00:00Z",
                "2026-03-29T02:00:00Z",
            )],
        );
        check(
            "0 0 2 * * * Asia/Shanghai",
            &[(
                "2026-03-29T01:59:59Z",
                "2026-03-28T18:00:00Z",
                "2026-03-29T18:00:00Z",
            )],
        );
        // Day of week 1 is Sunday.
        check(
            "0 0 12 * * 1 America/New_York",
            &[(
                "2026-07-01T00:00:00Z",
                "2026-06-28T16:00:00Z",
                "2026-07-05T16:00:00Z",
            )],
        );
    }

    #[test]
    fn a_time_that_is_skipped_is_read_with_the_offset_from_before() {
        // In 2026 clocks go from 02:00 to 03:00 on 29 March, at 01:00 UTC.
        check(
            "0 30 2 * * * Europe/Berlin",
            &[
                (
                    "2026-03-28T12:00:00Z",
                    "2026-03-28T01:30:00Z",
                    "2026-03-29T01:30:00Z",
                ),
                (
                    "2026-03-29T01:10:00Z",
                    "2026-03-28T01:30:00Z",
                    "2026-03-29T01:30:00Z",
                ),
                (
                    "2026-03-29T01:30:00Z",
                    "2026-03-29T01:30:00Z",
                    "2026-03-30T00:30:00Z",
                ),
            ],
        );
        // Other times in that hour are not skipped because of it.
        check(
            "0 */30 * * * * Europe/Berlin",
            &[(
                "2026-03-29T00:59:00Z",
                "2026-03-29T00:30:00Z",
                "2026-03-29T01:00:00Z",
            )],
        );
    }

    #[test]
    fn a_time_that_comes_twice_is_the_first_of_the_two() {
        // In 2026 clocks go from 03:00 back to 02:00 on 25 October, at 01:00 UTC.
        check(
            "0 30 2 * * * Europe/Berlin",
            &[
                (
                    "2026-10-25T00:00:00Z",
                    "2026-10-24T00:30:00Z",
                    "2026-10-25T00:30:00Z",
                ),
                (
                    "2026-10-25T00:45:00Z",
                    "2026-10-25T00:30:00Z",
                    "2026-10-26T01:30:00Z",
                ),
                (
                    "2026-10-25T01:45:00Z",
                    "2026-10-25T00:30:00Z",
                    "2026-10-26T01:30:00Z",
                ),
            ],
        );
    }

    #[test]
    fn next_and_latest_agree_all_through_the_year() {
        for expression in [
            "0 30 2 * * * Europe/Berlin",
            "0 15 1,2,3 * * * America/New_York",
            "0 0 */7 * * * Australia/Lord_Howe",
            "0 45 23 * * * UTC",
        ] {
            let calendar: Calendar = expression.parse().unwrap();
            let mut now = at("2026-01-01T00:00:00Z");
            let end = at("2027-01-01T00:00:00Z");
            let mut moments = 0;
            while now < end {
                let next = calendar.next(now).unwrap();
                assert!(next > now, "{expression} {now}");
                assert_eq!(calendar.latest(next), Some(next), "{expression} {now}");
                let before = next.minus(Duration::from_millis(1));
                assert!(
                    calendar.latest(before).unwrap() <= now,
                    "{expression} {now}"
                );
                now = next;
                moments += 1;
            }
            assert!(moments >= 364, "{expression}: {moments}");
        }
    }

    #[test]
    fn an_expression_may_name_every_second_or_an_end() {
        let all: Calendar = "* * * * * * Europe/Berlin".parse().unwrap();
        let now = at("2026-05-05T05:05:05Z");
        assert_eq!(all.next(now), Some(at("2026-05-05T05:05:06Z")));
        assert_eq!(all.latest(now), Some(now));
        let past: Calendar = "0 0 0 1 1 * 2020".parse().unwrap();
        assert_eq!(past.next(now), None);
    }

    #[test]
    fn what_is_no_expression_or_zone_is_refused_and_the_rest_is_shown_as_it_is_read() {
        for text in [
            "",
            "nonsense",
            "0 0 2 * * * Europe/Atlantis",
            "0 0 25 * * *",
            "* * * *",
        ] {
            assert!(text.parse::<Calendar>().is_err(), "{text}");
        }
        for text in [
            "0 0 2 * * *",
            "0 0 2 * * * Europe/Berlin",
            "0 30 9 * * Mon-Fri Asia/Shanghai",
        ] {
            let calendar: Calendar = text.parse().unwrap();
            assert_eq!(calendar.to_string(), text);
        }
    }
}
