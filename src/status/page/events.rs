//! The list of events, and finding one by a text in its body.

use maud::{Markup, html};

use super::parts::{asked, moment, size, table, with_place};
use super::{Around, frame};
use crate::model::event::EventRecord;
use crate::time::Timestamp;

/// Events that were found, and how far the search looked.
pub(in crate::status) struct EventsView<'a> {
    /// The query as it came; the form shows it again.
    pub(in crate::status) query: &'a str,
    pub(in crate::status) rows: Vec<EventRecord>,
    /// Where the page after this one begins, if there is one.
    pub(in crate::status) next: Option<String>,
    /// Of a search: how many events it looked at, and back to when, unless it looked at all.
    pub(in crate::status) looked: Option<(usize, Option<Timestamp>)>,
}

pub(in crate::status) fn events(around: &Around<'_>, view: &EventsView<'_>) -> String {
    let asked = |name: &str| asked(view.query, name);
    let fields = [
        ("text", "Text in the body", "beacon"),
        ("source", "Source", "gogs"),
        ("type", "Type", "push"),
        ("since", "Since", "7d"),
        ("until", "Until", "1h"),
    ];
    let main = html! {
        h1 { "Events" }
        form.filters method="get" action="/events" {
            @for (name, label, example) in fields {
                label { span { (label) } input name=(name) value=(asked(name)) placeholder=(example) autocomplete="off"; }
            }
            button type="submit" { "Find" }
            a href="/events" { "Clear" }
        }
        @if let Some((count, back_to)) = view.looked {
            p.dim {
                "Looked at " (count) " events"
                @match back_to { Some(at) => { ", back to " (moment(at, around.now)) "." } None => ": all there are." }
            }
        }
        div #rows data-live {
            @if view.rows.is_empty() { p.empty { "No events match." } } @else { (rows(around, &view.rows)) }
        }
        @if let Some(next) = &view.next {
            nav.pages aria-label="Pages of the list" {
                a rel="next" href={ "/events?" (with_place(view.query, "cursor", Some(next))) } { "Older" }
            }
        }
    };
    frame(around, "Events", "/events", &main)
}

fn rows(around: &Around<'_>, rows: &[EventRecord]) -> Markup {
    let rows = html! {
        @for row in rows {
            @let id = around.box_id.event(row.id);
            tr {
                td data-label="Event" { a.mono href={ "/events/" (id) } title=(id) { "#" (row.id.0) } }
                td data-label="What" { (row.summary()) div.dim { (row.event_type) } }
                td data-label="Source" { (row.source.as_deref().unwrap_or("–")) }
                td data-label="Size" { (size(u64::try_from(row.bytes).unwrap_or(0))) }
                td data-label="Received" { (moment(row.received, around.now)) }
            }
        }
    };
    table(&["Event", "What", "Source", "Size", "Received"], &rows)
}
