//! The list of events, and the search by a text in the body.

use maud::{Markup, html};

use super::context::PageContext;
use super::frame::frame;
use super::parts::{asked, looked_back, size, table, with_place};
use crate::model::event::EventRecord;
use crate::time::Timestamp;

/// The events that were found, and how far the search looked.
pub(in crate::status) struct EventsView<'a> {
    /// The query as it came; the form shows it again.
    pub(in crate::status) query: &'a str,
    pub(in crate::status) rows: Vec<EventRecord>,
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
        ("since", t.since, "7d"),
        ("until", t.until, "1h"),
    ];
    let main = html! {
        h1 { (t.title) }
        form.filters method="get" action="/events" {
            @for (name, label, example) in fields {
                label { span { (label) } input name=(name) value=(asked(name)) placeholder=(example) autocomplete="off"; }
            }
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

fn rows(context: &PageContext<'_>, rows: &[EventRecord]) -> Markup {
    let (t, words) = (&context.texts.events, &context.texts.words);
    let rows = html! {
        @for row in rows {
            @let id = context.box_id.event(row.id);
            tr {
                td data-label=(t.event) { a.mono href={ "/events/" (id) } title=(id) { "#" (row.id.0) } }
                td data-label=(t.what) { (row.summary()) div.dim { (row.event_type) } }
                td data-label=(t.source) { (row.source.as_deref().unwrap_or(words.dash)) }
                td data-label=(t.size) { (size(u64::try_from(row.bytes).unwrap_or(0))) }
                td data-label=(t.received) { (context.moment(row.received)) }
            }
        }
    };
    table(&[t.event, t.what, t.source, t.size, t.received], &rows)
}
