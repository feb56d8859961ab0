//! The list of events, and the search by a text in the body.

use maud::{Markup, html};

use super::context::PageContext;
use super::frame::frame;
use super::parts::{asked, by_day, looked_back, size, with_place};
use super::spans::{moments, spans};
use crate::model::event::EventRecord;
use crate::time::Timestamp;

/// An event that was found, and what stands around the text that was looked for.
pub(in crate::status) struct FoundEvent {
    pub(in crate::status) event: EventRecord,
    pub(in crate::status) around: Option<String>,
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
            @if view.rows.is_empty() { p.empty { (t.no_match) } } @else { (rows(context, &view.rows)) }
        }
        @if let Some(next) = &view.next {
            nav.pages aria-label=(words.list_pages) {
                a rel="next" href={ "/events?" (with_place(view.query, "cursor", Some(next))) } { (words.older) }
            }
        }
    };
    frame(context, t.title, "/events", &main)
}

fn rows(context: &PageContext<'_>, rows: &[FoundEvent]) -> Markup {
    let (t, words) = (&context.texts.events, &context.texts.words);
    let columns = [t.what, t.source, t.received, t.size];
    html! {
        table.rows.list {
            thead {
                tr {
                    @for (name, class) in columns.iter().zip(["what", "source", "came", "size"]) {
                        th class=(class) scope="col" { (name) }
                    }
                }
            }
            (by_day(context, rows, columns.len(), |row| row.event.received, |row| {
                let FoundEvent { event, around } = row;
                let id = context.box_id.event(event.id);
                html! {
                    tr {
                        td.what {
                            a href={ "/events/" (id) } title=(id) { (event.summary()) }
                            " " span.dim { (event.event_type) }
                            @if let Some(around) = around { " " span.why title=(around) { "· " (around) } }
                        }
                        td.source { (event.source.as_deref().unwrap_or(words.dash)) }
                        td.came { (context.time_of_day(event.received)) }
                        td.size { (size(u64::try_from(event.bytes).unwrap_or(0))) }
                    }
                }
            }))
        }
    }
}
