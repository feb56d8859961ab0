//! The times that a list is about: usual ones a click each, others by their dates.

use jiff::civil::{Date, Time};
use maud::{Markup, html};

use super::context::PageContext;
use super::parts::{asked, with_place};
use crate::time::Timestamp;

/// When a night begins and ends, for who looks in the morning.
const NIGHT_BEGINS: Time = Time::constant(18, 0, 0, 0);
const NIGHT_ENDS: Time = Time::constant(8, 0, 0, 0);

/// Links to the usual times, which keep the other conditions of a list.
pub(super) fn spans(context: &PageContext<'_>, path: &str, query: &str) -> Markup {
    let t = &context.texts.deliveries;
    let today = context.local(context.now).date();
    let yesterday = today.yesterday().unwrap_or(today);
    let at = |day: Date, time: Time| format!("{day} {:02}:{:02}", time.hour(), time.minute());
    let night = (at(yesterday, NIGHT_BEGINS), at(today, NIGHT_ENDS));
    let spans = [
        (t.last_hour, "1h", ""),
        (t.last_night, night.0.as_str(), night.1.as_str()),
        (t.today, "today", ""),
        (t.yesterday, "yesterday", "today"),
        (t.last_week, "7d", ""),
    ];
    let now = (asked(query, "since"), asked(query, "until"));
    let without = with_place(query, "cursor", None);
    let without = with_place(&with_place(&without, "since", None), "until", None);
    html! {
        nav.spans aria-label=(t.spans) {
            @for (name, since, until) in spans {
                @let with = with_place(&without, "since", Some(since));
                @let with = with_place(&with, "until", (!until.is_empty()).then_some(until));
                a href={ (path) "?" (with) } aria-current=[(now.0 == since && now.1 == until).then_some("true")] { (name) }
            }
        }
    }
}

/// The two fields for other times.
pub(super) fn moments(context: &PageContext<'_>, query: &str) -> Markup {
    let t = &context.texts.deliveries;
    html! {
        @for (label, name) in [(t.since, "since"), (t.until, "until")] {
            @let text = asked(query, name);
            label { span { (label) }
                @match shown(context, &text) {
                    Some(local) => input type="datetime-local" name=(name) value=(local);,
                    // What is no time is given back as it was written.
                    None => input name=(name) value=(text);,
                }
            }
        }
    }
}

/// A moment that was asked for, however it was written, as the field shows it.
fn shown(context: &PageContext<'_>, text: &str) -> Option<String> {
    if text.is_empty() {
        return Some(String::new());
    }
    let at = Timestamp::parse(text, context.now).ok()?;
    let local = context.local(at);
    Some(format!(
        "{}T{:02}:{:02}",
        local.date(),
        local.hour(),
        local.minute()
    ))
}
