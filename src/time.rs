//! The only clock, and how times and durations are parsed and printed.
//!
//! Nothing else in the crate may read a clock: a function that needs the time takes it as an argument or
//! takes a [`Clock`]. Start at [`Timestamp`]; parsing and printing follow.

use std::fmt;
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, SecondsFormat, Utc};
use rustix::time::{ClockId, clock_gettime};

use crate::error::{Error, Result};

/// A moment: milliseconds since 1970-01-01T00:00:00Z.
///
/// Every `*_ms` column stores it in this form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

/// 2020-01-01: a box whose clock shows less does not know the time yet.
///
/// Nobody can say how old an event is that came in before this.
pub const FIRST_PLAUSIBLE: Timestamp = Timestamp(1_577_836_800_000);

impl Timestamp {
    /// Returns this moment moved forward; saturates at the end of time.
    pub fn plus(self, span: Duration) -> Timestamp {
        Timestamp(
            self.0
                .saturating_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)),
        )
    }

    /// Returns this moment moved back; saturates.
    pub fn minus(self, span: Duration) -> Timestamp {
        Timestamp(
            self.0
                .saturating_sub(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)),
        )
    }

    /// Returns the time from `earlier` to this moment; zero if `earlier` is later.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Returns whole seconds since 1970.
    ///
    /// Standard Webhooks' `webhook-timestamp` has this form.
    pub fn unix_seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// Converts this moment for the cron crate.
    pub fn to_chrono(self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.0).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    /// Converts a moment of the cron crate.
    pub fn from_chrono(moment: DateTime<Utc>) -> Timestamp {
        Timestamp(moment.timestamp_millis())
    }

    /// Converts this moment for the jiff crate; saturates at jiff's last year.
    pub fn to_jiff(self) -> jiff::Timestamp {
        jiff::Timestamp::from_millisecond(self.0).unwrap_or(jiff::Timestamp::MAX)
    }

    /// Converts a moment of the jiff crate.
    pub fn from_jiff(moment: jiff::Timestamp) -> Timestamp {
        Timestamp(moment.as_millisecond())
    }

    /// Parses RFC 3339 (`2026-03-01T12:00:00Z`).
    pub fn parse_rfc3339(text: &str) -> Option<Timestamp> {
        let moment = DateTime::parse_from_rfc3339(text).ok()?;
        Some(Timestamp::from_chrono(moment.to_utc()))
    }

    /// Parses a moment as people write it.
    ///
    /// It accepts RFC 3339 (`2026-03-01T12:00:00Z`), an age before `now` (`90s`, `2h`, `7d`), a date or a
    /// time in the box's own time zone (`2026-03-01`, `2026-03-01 10:00`), `today`, `yesterday`, and a day of
    /// the week: the latest of that name, today included. A date means the beginning of that day.
    ///
    /// # Errors
    /// [`Error::Misuse`] when the text is none of these.
    ///
    /// ```
    /// use hookbox::time::Timestamp;
    /// let now = Timestamp::parse("2026-03-01T12:00:00Z", Timestamp(0))?;
    /// assert_eq!(Timestamp::parse("2h", now)?.to_string(), "2026-03-01T10:00:00.000Z");
    /// assert!(Timestamp::parse("yesterday", now)? < Timestamp::parse("today", now)?);
    /// # Ok::<(), hookbox::Error>(())
    /// ```
    pub fn parse(text: &str, now: Timestamp) -> Result<Timestamp> {
        let text = text.trim();
        if let Some(moment) = Timestamp::parse_rfc3339(text) {
            return Ok(moment);
        }
        if let Some(moment) = of_zone(text, now, &zone()) {
            return Ok(moment);
        }
        match parse_span(text) {
            Ok(age) => Ok(now.minus(age)),
            Err(_) => Err(Error::misuse(format!(
                "`{text}` is neither a time (2026-03-01T12:00:00Z, 2026-03-01, \"2026-03-01 10:00\", today, yesterday, tuesday) nor an age (90s, 2h, 7d)"
            ))),
        }
    }

    /// Writes it as a date of HTTP (RFC 9110, section 5.6.7): in seconds, in GMT.
    pub fn to_http_date(self) -> String {
        let since = Duration::from_millis(u64::try_from(self.0).unwrap_or(0));
        httpdate::fmt_http_date(std::time::UNIX_EPOCH + since)
    }

    /// Parses an HTTP date in the three forms of RFC 9110, section 5.6.7.
    ///
    /// They are `Sun, 06 Nov 1994 08:49:37 GMT`, and the obsolete forms of RFC 850 and asctime.
    pub fn parse_http_date(text: &str) -> Option<Timestamp> {
        // A date with a time zone other than GMT is not a valid HTTP date, but its meaning is clear.
        let Ok(at) = httpdate::parse_http_date(text.trim()) else {
            let moment = DateTime::parse_from_rfc2822(text.trim()).ok()?;
            return Some(Timestamp::from_chrono(moment.to_utc()));
        };
        let since = at.duration_since(std::time::UNIX_EPOCH).ok()?;
        Some(Timestamp(0).plus(since))
    }
}

impl fmt::Display for Timestamp {
    /// Writes RFC 3339 in UTC with milliseconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            &self
                .to_chrono()
                .to_rfc3339_opts(SecondsFormat::Millis, true),
        )
    }
}

/// The time zone in which people read and write times: of [`set_zone`], or else that of the machine, which
/// `TZ` may change.
pub fn zone() -> jiff::tz::TimeZone {
    ZONE.get_or_init(jiff::tz::TimeZone::system).clone()
}

static ZONE: OnceLock<jiff::tz::TimeZone> = OnceLock::new();

/// Sets the time zone of people, by its name in the IANA database, before anything asks for it.
///
/// # Errors
/// [`Error::Misuse`] when the name is unknown.
pub fn set_zone(name: &str) -> Result<()> {
    let zone = jiff::tz::TimeZone::get(name).map_err(|_| {
        Error::misuse(format!(
            "`{name}` is no time zone; write it as the IANA database does: Europe/Berlin, UTC"
        ))
    })?;
    // Whoever came first decides.
    let _ = ZONE.set(zone);
    Ok(())
}

/// Parses a date or a time in a time zone; `None` if the text is neither.
fn of_zone(text: &str, now: Timestamp, zone: &jiff::tz::TimeZone) -> Option<Timestamp> {
    let today = now.to_jiff().to_zoned(zone.clone()).date();
    let text = text.to_ascii_lowercase();
    let start = match (text.as_str(), weekday(&text)) {
        ("today", _) => today.at(0, 0, 0, 0),
        ("yesterday", _) => today.yesterday().ok()?.at(0, 0, 0, 0),
        (_, Some(day)) => {
            let ago = jiff::Span::new().days(today.weekday().since(day));
            today.checked_sub(ago).ok()?.at(0, 0, 0, 0)
        }
        (text, None) => {
            // jiff would ignore a time zone in brackets, so such a text is refused.
            let is_dated = text.as_bytes().get(4) == Some(&b'-') && !text.contains('[');
            let text = Some(text).filter(|_| is_dated)?;
            // For example a time with an offset and without seconds.
            if let Ok(moment) = text.parse::<jiff::Timestamp>() {
                return Some(Timestamp::from_jiff(moment));
            }
            text.parse::<jiff::civil::DateTime>().ok()?
        }
    };
    // A time that is skipped when clocks go forward is read with the offset from before the change. A time
    // that occurs twice is the first of the two (RFC 5545).
    let moment = zone.to_ambiguous_zoned(start).compatible().ok()?;
    Some(Timestamp::from_jiff(moment.timestamp()))
}

/// The day of the week of this English name, in full or its first three letters.
fn weekday(text: &str) -> Option<jiff::civil::Weekday> {
    use jiff::civil::Weekday;

    let days = [
        ("monday", Weekday::Monday),
        ("tuesday", Weekday::Tuesday),
        ("wednesday", Weekday::Wednesday),
        ("thursday", Weekday::Thursday),
        ("friday", Weekday::Friday),
        ("saturday", Weekday::Saturday),
        ("sunday", Weekday::Sunday),
    ];
    let mut days = days.into_iter();
    let found = days.find(|(name, _)| text == *name || text == &name[..3]);
    found.map(|(_, day)| day)
}

/// Parses a duration such as `250ms`, `15s`, `5m` or `1h30m`.
///
/// The units are `ms`, `s`, `m`, `h` and `d`. Several parts may follow each other.
///
/// # Errors
/// [`Error::Misuse`] when a number or a unit is missing or unknown, or the sum overflows.
///
/// ```
/// use std::time::Duration;
/// assert_eq!(hookbox::time::parse_span("1h30m")?, Duration::from_secs(5400));
/// # Ok::<(), hookbox::Error>(())
/// ```
pub fn parse_span(text: &str) -> Result<Duration> {
    let bad = || {
        Error::misuse(format!(
            "`{text}` is not a span; write 250ms, 15s, 5m, 2h, 7d or 1h30m"
        ))
    };
    let mut rest = text;
    let mut total_ms: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(bad)?;
        let number: u64 = rest[..digits].parse().map_err(|_| bad())?;
        rest = &rest[digits..];
        let unit_end = rest
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(rest.len());
        let unit_ms = match &rest[..unit_end] {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(bad()),
        };
        rest = &rest[unit_end..];
        let part = number.checked_mul(unit_ms).ok_or_else(bad)?;
        total_ms = total_ms.checked_add(part).ok_or_else(bad)?;
    }
    if text.is_empty() {
        Err(bad())
    } else {
        Ok(Duration::from_millis(total_ms))
    }
}

/// Writes a duration in the form that [`parse_span`] reads: `1h30m`, `5s`, `250ms`.
pub fn show_span(span: Duration) -> String {
    let mut left_ms = span.as_millis();
    if left_ms == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    let units: [(u128, &str); 5] = [
        (86_400_000, "d"),
        (3_600_000, "h"),
        (60_000, "m"),
        (1_000, "s"),
        (1, "ms"),
    ];
    for (unit_ms, name) in units {
        if left_ms >= unit_ms {
            text.push_str(&format!("{}{name}", left_ms / unit_ms));
            left_ms %= unit_ms;
        }
    }
    text
}

/// The source of time: [`SystemClock`] in production, [`ManualClock`] in tests.
pub trait Clock: Send + Sync + 'static {
    /// Returns the wall time: for rows, signatures and people. It may jump.
    fn now(&self) -> Timestamp;

    /// Returns the monotonic time since an arbitrary start: for measuring and waiting.
    ///
    /// It never jumps or runs back. It includes time in which the machine is suspended, if the system can
    /// report that.
    fn elapsed(&self) -> Duration;
}

/// The operating system's clocks.
#[derive(Debug)]
pub struct SystemClock {
    start: Duration,
}

impl SystemClock {
    /// Creates a clock whose [`Clock::elapsed`] starts now.
    pub fn new() -> SystemClock {
        SystemClock {
            start: since_boot(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> SystemClock {
        SystemClock::new()
    }
}

impl Clock for SystemClock {
    #[allow(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the clock"
    )]
    fn now(&self) -> Timestamp {
        // A clock before 1970 reads as 1970: nothing here needs earlier times.
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    fn elapsed(&self) -> Duration {
        since_boot().saturating_sub(self.start)
    }
}

/// Returns how long the machine has been up, including suspended time.
fn since_boot() -> Duration {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    const CLOCK: ClockId = ClockId::Boottime;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    const CLOCK: ClockId = ClockId::Monotonic;
    let time = clock_gettime(CLOCK);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// A clock that moves only when told: a year of retries runs in a second.
#[derive(Debug)]
pub struct ManualClock {
    state: Mutex<(Timestamp, Duration)>,
}

impl ManualClock {
    /// Creates a clock that shows `start`.
    pub fn at(start: Timestamp) -> ManualClock {
        ManualClock {
            state: Mutex::new((start, Duration::ZERO)),
        }
    }

    /// Moves both the wall time and the monotonic time forward.
    pub fn advance(&self, span: Duration) {
        let mut state = self.state.lock().expect("no holder of the clock panics");
        state.0 = state.0.plus(span);
        state.1 += span;
    }

    /// Sets only the wall time, as NTP does on a box that booted in 1970.
    pub fn set_wall(&self, now: Timestamp) {
        self.state.lock().expect("no holder of the clock panics").0 = now;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        self.state.lock().expect("no holder of the clock panics").0
    }

    fn elapsed(&self) -> Duration {
        self.state.lock().expect("no holder of the clock panics").1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_and_written_the_same_way() {
        for text in ["250ms", "15s", "5m", "2h", "7d", "1h30m", "1d2h3m4s5ms"] {
            assert_eq!(show_span(parse_span(text).unwrap()), text);
        }
    }

    #[test]
    fn a_span_without_unit_or_number_is_refused() {
        for text in [
            "",
            "5",
            "s",
            "5x",
            "-5s",
            "5 s",
            "99999999999999999999s",
            "s5",
        ] {
            assert!(parse_span(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_moment_is_read_as_people_of_the_boxs_time_zone_write_it() {
        let berlin = jiff::tz::TimeZone::get("Europe/Berlin").unwrap();
        // 00:30 in Berlin, while it is still the day before in UTC.
        let now = Timestamp::parse("2026-11-28T23:30:00Z", Timestamp(0)).unwrap();
        for (text, expected) in [
            ("2026-11-28", Some("2026-11-27T23:00:00.000Z")),
            ("2026-11-28 10:00", Some("2026-11-28T09:00:00.000Z")),
            ("2026-11-28T10:00:30", Some("2026-11-28T09:00:30.000Z")),
            ("2026-07-01 10:00", Some("2026-07-01T08:00:00.000Z")),
            // The first time is skipped when clocks go forward; the second occurs twice when they go back.
            ("2026-03-29 02:30", Some("2026-03-29T01:30:00.000Z")),
            ("2026-10-25 02:30", Some("2026-10-25T00:30:00.000Z")),
            ("today", Some("2026-11-28T23:00:00.000Z")),
            ("yesterday", Some("2026-11-27T23:00:00.000Z")),
            ("sunday", Some("2026-11-28T23:00:00.000Z")),
            ("Saturday", Some("2026-11-27T23:00:00.000Z")),
            ("tue", Some("2026-11-23T23:00:00.000Z")),
            ("tues", None),
            ("2026-13-01", None),
            ("2026-11-31", None),
            ("2026-11-28T10:00Z", Some("2026-11-28T10:00:00.000Z")),
            ("2026-11-28 10:00+08:00", Some("2026-11-28T02:00:00.000Z")),
            ("2026", None),
            ("Today", Some("2026-11-28T23:00:00.000Z")),
            ("2026-11-28[Asia/Tokyo]", None),
            ("2026-", None),
            ("20261128", None),
            ("10:00", None),
            ("7d", None),
            ("tomorrow", None),
        ] {
            let read = of_zone(text, now, &berlin).map(|moment| moment.to_string());
            assert_eq!(read.as_deref(), expected, "{text}");
        }
        for bad in ["soon", "2026-13-01", ""] {
            let error = Timestamp::parse(bad, now).unwrap_err().to_string();
            assert!(error.contains("yesterday"), "{error}");
        }
    }

    #[test]
    fn an_http_date_is_read() {
        // RFC 9110, section 5.6.7: the same moment in three forms.
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ] {
            let moment = Timestamp::parse_http_date(text).unwrap();
            assert_eq!(moment.unix_seconds(), 784_111_777, "{text}");
            assert_eq!(moment.to_http_date(), "Sun, 06 Nov 1994 08:49:37 GMT");
        }
        assert_eq!(Timestamp::parse_http_date("soon"), None);
    }
}
