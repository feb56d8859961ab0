//! What every page needs besides its content: user, time, language, form token.

use std::fmt::Display;
use std::time::Duration;

use jiff::Zoned;
use jiff::tz::TimeZone;
use maud::{Markup, Render, html};

use super::texts::Texts;
use crate::model::id::BoxId;
use crate::model::settings::Selection;
use crate::time::Timestamp;

/// What every page needs besides its content.
#[derive(Clone, Copy)]
pub(in crate::status) struct PageContext<'a> {
    pub(in crate::status) texts: &'static Texts,
    pub(in crate::status) box_id: &'a BoxId,
    pub(in crate::status) now: Timestamp,
    /// The time zone of the people who look.
    pub(in crate::status) zone: &'a TimeZone,
    /// The token that forms carry.
    pub(in crate::status) token: &'a str,
    /// Whether the user may change something.
    pub(in crate::status) may_change: bool,
    /// Whether the user has logged in.
    pub(in crate::status) has_login: bool,
    /// Why nothing can be written now, if so.
    pub(in crate::status) trouble: Option<&'a str>,
    /// What is wrong with the configuration file, if something is.
    pub(in crate::status) config_problem: Option<&'a str>,
    /// The form of this page that was just sent and refused.
    pub(in crate::status) returned: Option<Returned<'a>>,
    /// What was just done, as the address says.
    pub(in crate::status) done: Option<&'static str>,
}

/// A refused form: the page shows it again as it was filled in.
#[derive(Clone, Copy)]
pub(in crate::status) struct Returned<'a> {
    /// The path that the form was sent to.
    pub(in crate::status) path: &'a str,
    /// The path of the page that holds the form; `None` if that page cannot be requested again.
    pub(in crate::status) page: Option<&'a str>,
    pub(in crate::status) form: &'a [(String, String)],
    pub(in crate::status) problem: &'a str,
}

impl PageContext<'_> {
    /// Replaces the names in a text by values.
    pub(super) fn fill(&self, text: &str, values: &[(&str, &dyn Display)]) -> String {
        self.texts.fill(text, values)
    }

    /// Replaces the names in a text by markup.
    pub(super) fn link_in(&self, text: &str, values: &[(&str, &dyn Render)]) -> Markup {
        self.texts.link_in(text, values)
    }

    /// Shows a reason or an error, in the reader's language where it is known.
    pub(super) fn said(&self, english: &str) -> Markup {
        html! { (self.texts.say(english)) }
    }

    /// Tells what is wrong with what was filled in.
    pub(super) fn problem(&self, english: &str) -> Markup {
        html! { (self.texts.say_problem(english)) }
    }

    /// Tells in words what a selection chooses.
    pub(super) fn selection(&self, selection: &Selection) -> String {
        let (t, texts) = (&self.texts.deliveries, self.texts);
        let said = |(name, value): (&str, String)| {
            let label = match name {
                "state" => t.state,
                "endpoint" => t.endpoint,
                "source" => t.source,
                "type" => t.typed,
                "since" => t.since,
                "until" => t.until,
                "text" => texts.events.text,
                "superseded" => t.is_superseded,
                other => other,
            };
            let value = match (name, Timestamp::parse_rfc3339(&value)) {
                ("state", _) => texts.states.of(&value).to_owned(),
                ("since" | "until", Some(at)) => {
                    let local = self.local(at);
                    format!("{} {}", local.date(), self.clock(at))
                }
                _ => value,
            };
            format!("{label}: {value}")
        };
        let pairs: Vec<String> = selection.pairs().map(said).collect();
        match pairs.is_empty() {
            true => texts.replays.all_settled.to_owned(),
            false => pairs.join(", "),
        }
    }

    /// Whether the form with this action was just refused.
    pub(super) fn is_returned(&self, action: &str) -> bool {
        self.returned
            .is_some_and(|returned| returned.path == action)
    }

    /// Returns the value that was filled in for a field of the form that was just refused.
    pub(super) fn typed(&self, action: &str, name: &str) -> Option<&str> {
        let returned = self.returned.filter(|returned| returned.path == action)?;
        let found = returned.form.iter().find(|(held, _)| held == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Returns what was wrong with a field of the form that was just refused.
    pub(super) fn problem_of(&self, action: &str, name: &str) -> Option<&str> {
        let returned = self.returned.filter(|returned| returned.path == action)?;
        let of_name = returned.problem.strip_prefix(name);
        // Checks of the whole name the option of the command line.
        let option = format!("--{}", name.replace('_', "-"));
        let is_of_option = returned.problem.split(' ').next() == Some(&option);
        let of_option = is_of_option.then_some(returned.problem);
        of_name
            .and_then(|rest| rest.strip_prefix(": "))
            .or(of_option)
    }

    /// A moment in the time zone of the people who look.
    pub(super) fn local(&self, at: Timestamp) -> Zoned {
        at.to_jiff().to_zoned(self.zone.clone())
    }

    /// The time of day, to the second.
    fn clock(&self, at: Timestamp) -> String {
        let local = self.local(at);
        format!(
            "{:02}:{:02}:{:02}",
            local.hour(),
            local.minute(),
            local.second()
        )
    }

    /// The time of day, to the minute.
    pub(super) fn hour(&self, at: Timestamp) -> String {
        let local = self.local(at);
        format!("{:02}:{:02}", local.hour(), local.minute())
    }

    /// Shows the time of day; the exact time in UTC is a tooltip.
    pub(super) fn time_of_day(&self, at: Timestamp) -> Markup {
        let exact = at.to_string();
        html! {
            time datetime=(exact) title=(exact) { (self.clock(at)) }
            " " span.dim { (self.distance(at)) }
        }
    }

    pub(super) fn zone_name(&self) -> &str {
        self.zone.iana_name().unwrap_or(self.texts.times.of_machine)
    }

    /// The name of the day of a moment: today, yesterday, or its date.
    pub(super) fn day(&self, at: Timestamp) -> String {
        let t = &self.texts.times;
        let (day, today) = (self.local(at).date(), self.local(self.now).date());
        if day == today {
            t.today.to_owned()
        } else if today.yesterday().is_ok_and(|yesterday| day == yesterday) {
            t.yesterday.to_owned()
        } else {
            let names = [
                t.monday,
                t.tuesday,
                t.wednesday,
                t.thursday,
                t.friday,
                t.saturday,
                t.sunday,
            ];
            let at = usize::try_from(day.weekday().to_monday_zero_offset()).unwrap_or(0);
            self.fill(t.day, &[("weekday", &names[at]), ("date", &day)])
        }
    }

    /// Shows a moment: how long ago or ahead, with the exact time as a tooltip.
    pub(super) fn moment(&self, at: Timestamp) -> Markup {
        let exact = at.to_string();
        html! { time datetime=(exact) title=(exact) { (self.distance(at)) } }
    }

    /// Shows a moment in full: date, time to the second, and how long ago or ahead.
    pub(super) fn exact(&self, at: Timestamp) -> Markup {
        let text = at.to_string();
        let shown = format!("{} {}", self.local(at).date(), self.clock(at));
        html! { time datetime=(text) title=(text) { (shown) } " " span.dim { "(" (self.distance(at)) ")" } }
    }

    /// Returns how long something has lasted, in the largest fitting unit.
    pub(super) fn lasting(&self, since: Timestamp) -> String {
        self.span(self.now.since(since))
    }

    /// Returns a duration in the largest fitting unit.
    pub(super) fn span(&self, span: Duration) -> String {
        let t = &self.texts.times;
        let seconds = span.as_secs();
        let (text, count) = match seconds {
            0 => return t.moment.to_owned(),
            1..60 => (t.seconds, seconds),
            60..3_600 => (t.minutes, seconds / 60),
            3_600..86_400 => (t.hours, seconds / 3_600),
            _ => (t.days, seconds / 86_400),
        };
        self.fill(text, &[("count", &count)])
    }

    /// Returns how long ago or ahead a moment is, in the largest fitting unit: `3 min ago`, `in 2 h`.
    fn distance(&self, at: Timestamp) -> String {
        let t = &self.texts.times;
        let is_ahead = at > self.now;
        let span = if is_ahead {
            at.since(self.now)
        } else {
            self.now.since(at)
        };
        match (span.as_secs(), is_ahead) {
            (0, true) => t.soon.to_owned(),
            (0, false) => t.now.to_owned(),
            (_, true) => self.fill(t.ahead, &[("span", &self.span(span))]),
            (_, false) => self.fill(t.ago, &[("span", &self.span(span))]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::page::Language;

    #[test]
    fn distances_read_well() {
        let now = Timestamp(1_000_000_000);
        let box_id = BoxId::new("0123456789".to_owned());
        let context = PageContext {
            texts: Language::English.texts(),
            box_id: &box_id,
            now,
            zone: &TimeZone::UTC,
            token: "",
            may_change: true,
            has_login: false,
            trouble: None,
            config_problem: None,
            returned: None,
            done: None,
        };
        let rows = [
            (0, "just now"),
            (-5_000, "5 s ago"),
            (-180_000, "3 min ago"),
            (7_200_000, "in 2 h"),
            (-900_000_000, "10 d ago"),
            (400, "in a moment"),
        ];
        for (offset, expected) in rows {
            assert_eq!(context.distance(Timestamp(now.0 + offset)), expected);
        }
        assert_eq!(context.day(now), "Today");
        assert_eq!(context.day(Timestamp(now.0 - 86_400_000)), "Yesterday");
        let earlier = Timestamp(now.0 - 2 * 86_400_000);
        assert_eq!(context.day(earlier), "Saturday, 1970-01-10");
        assert_eq!(context.clock(earlier), "13:46:40");
        assert_eq!(context.lasting(Timestamp(now.0 - 180_000)), "3 min");
        assert_eq!(context.lasting(now), "a moment");
    }
}
