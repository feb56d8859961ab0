//! The list of events, and the search by a text in the body.

use maud::{Markup, html};

use super::context::PageContext;
use super::frame::frame;
use super::parts::{asked, by_day, looked_back, size, with_place};
use super::spans::{moments, spans};
use crate::model::delivery::State;
use crate::model::event::EventRecord;
use crate::time::Timestamp;

/// An event that was found, and what stands around the text that was looked for.
pub(in crate::status) struct FoundEvent {
    pub(in crate::status) event: EventRecord,
    pub(in crate::status) around: Option<String>,
    /// How many of its deliveries are in which state.
    pub(in crate::status) states: Vec<(State, i64)>,
}

/// The events that were found, and how far the search looked.
pub(in crate::status) struct EventsView<'a> {
    /// The query as it came; the form shows it again.
    pub(in crate::status) query: &'a str,
    pub(in crate::status) rows: Vec<FoundEvent>,
    /// The cursor of the next page, if there is one.
    pub(in crate::status) next: Option<String>,
    /// How far back the search looked, if not to the end.
    pub(in crate::status) looked_back: Option<Timestamp>,
}

pub(in crate::status) fn events(context: &PageContext<'_>, view: &EventsView<'_>) -> String {
    let (t, words) = (&context.texts.events, &context.texts.words);
    let asked = |name: &str| asked(view.query, name);
    let fields = [
        ("text", t.text, "beacon"),
        ("source", t.source, "gogs"),
        ("type", t.typed, "push"),
    ];
    let main = html! {
        h1 { (t.title) }
        (spans(context, "/events", view.query))
        form.filters method="get" action="/events" {
            @for (name, label, example) in fields {
                label { span { (label) } input name=(name) value=(asked(name)) placeholder=(example) autocomplete="off"; }
            }
            (moments(context, view.query))
            button type="submit" { (words.find) }
            a href="/events" { (words.clear) }
        }
        (looked_back(context, view.looked_back))
        div #rows data-live {
            @if view.rows.is_empty() { p.empty { (t.no_match) } } @else { (rows(context, &view.rows, &asked("text"))) }
        }
        @if let Some(next) = &view.next {
            nav.pages aria-label=(words.list_pages) {
                a rel="next" href={ "/events?" (with_place(view.query, "cursor", Some(next))) } { (words.older) }
            }
        }
    };
    frame(context, t.title, "/events", &main)
}

/// Marks a text wherever it stands, whatever its case.
fn marked(around: &str, text: &str) -> Markup {
    let text = text.to_lowercase();
    let begins = |rest: &str| {
        let mut length = 0;
        let mut lower = String::new();
        for letter in rest.chars() {
            lower.extend(letter.to_lowercase());
            length += letter.len_utf8();
            if lower.len() >= text.len() {
                break;
            }
        }
        (!text.is_empty() && lower == text).then_some(length)
    };
    let mut rest = around;
    let mut pieces = Vec::new();
    let mut plain = 0;
    while let Some(letter) = rest[plain..].chars().next() {
        match begins(&rest[plain..]) {
            Some(length) => {
                let (before, found) = rest.split_at(plain);
                pieces.push((before, &found[..length]));
                (rest, plain) = (&found[length..], 0);
            }
            None => plain += letter.len_utf8(),
        }
    }
    html! {
        @for (before, found) in pieces { (before) mark { (found) } }
        (rest)
    }
}

fn rows(context: &PageContext<'_>, rows: &[FoundEvent], text: &str) -> Markup {
    let (t, words) = (&context.texts.events, &context.texts.words);
    let owed = context.texts.event.deliveries;
    let columns = [t.what, t.source, owed, t.received, t.size];
    html! {
        table.rows.list {
            thead {
                tr {
                    @for (name, class) in columns.iter().zip(["what", "source", "owed", "came", "size"]) {
                        th class=(class) scope="col" { (name) }
                    }
                }
            }
            (by_day(context, rows, columns.len(), |row| row.event.received, |row| {
                let FoundEvent { event, around, states } = row;
                let id = context.box_id.event(event.id);
                html! {
                    tr {
                        td.what {
                            a href={ "/events/" (id) } title=(id) { (event.summary()) }
                            " " span.dim { (event.event_type) }
                            @if let Some(around) = around { div.snippet { (marked(around, text)) } }
                        }
                        td.source { (event.source.as_deref().unwrap_or(words.dash)) }
                        td.owed {
                            @for (state, count) in states {
                                span class={ "badge " (state.name()) } { (context.texts.states.of(state.name())) @if *count > 1 { " " (count) } } " "
                            }
                        }
                        td.came { (context.time_of_day(event.received)) }
                        td.size { (size(u64::try_from(event.bytes).unwrap_or(0))) }
                    }
                }
            }))
        }
    }
}
