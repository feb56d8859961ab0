//! When which endpoint could not be reached.

use maud::html;

use super::parts::{exact, lasting, table};
use super::{Around, frame};
use crate::store::OutageRecord;

pub(in crate::status) fn outages(around: &Around<'_>, records: &[OutageRecord]) -> String {
    let now = around.now;
    let rows = html! {
        @for record in records {
            tr {
                td data-label="Endpoint" { a href={ "/endpoints/" (record.endpoint) } { (record.endpoint) } }
                td data-label="Since" { (exact(record.since, now)) }
                td data-label="Until" {
                    @match record.ended {
                        Some(ended) => (exact(ended, now)),
                        None => span.badge.waiting { "goes on" },
                    }
                }
                td data-label="Lasted" { (lasting(record.since, record.ended.unwrap_or(now))) }
                td data-label="Probes" { (record.probes) }
                td data-label="Last error" { (record.error) }
            }
        }
    };
    let main = html! {
        h1 { "Outages" }
        p.dim { "Times in which an endpoint could not be reached. They spend no tries: what waits goes out when the endpoint is back." }
        div #outages data-live {
            @if records.is_empty() {
                p.empty { "There was none yet." }
            } @else {
                (table(&["Endpoint", "Since", "Until", "Lasted", "Probes", "Last error"], &rows))
            }
        }
    };
    frame(around, "Outages", "/outages", &main)
}
