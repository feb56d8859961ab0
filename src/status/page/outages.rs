//! The outages: when which endpoint could not be reached.

use maud::html;

use super::context::PageContext;
use super::frame::frame;
use super::parts::table;
use crate::store::OutageRecord;

pub(in crate::status) fn outages(context: &PageContext<'_>, records: &[OutageRecord]) -> String {
    let t = &context.texts.outages;
    let rows = html! {
        @for record in records {
            tr {
                td data-label=(t.endpoint) { a href={ "/endpoints/" (record.endpoint) } { (record.endpoint) } }
                td data-label=(t.since) { (context.exact(record.since)) }
                td data-label=(t.until) {
                    @match record.ended {
                        Some(ended) => (context.exact(ended)),
                        None => span.badge.waiting { (t.goes_on) },
                    }
                }
                td data-label=(t.lasted) { (context.span(record.ended.unwrap_or(context.now).since(record.since))) }
                td data-label=(t.probes) { (record.probes) }
                td data-label=(t.last_error) { (context.said(&record.error)) }
            }
        }
    };
    let columns = [
        t.endpoint,
        t.since,
        t.until,
        t.lasted,
        t.probes,
        t.last_error,
    ];
    let main = html! {
        h1 { (t.title) }
        p.dim { (t.told) }
        div #outages data-live {
            @if records.is_empty() { p.empty { (t.none) } } @else { (table(&columns, &rows)) }
        }
    };
    frame(context, t.title, "/outages", &main)
}
