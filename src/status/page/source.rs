//! One source: how it is set, and what it refused.

use maud::{Markup, html};

use super::frame;
use super::parts::{exact, headers, moment};
use crate::model::refusal::RefusalRecord;
use crate::model::source::SourceReport;
use crate::time::Timestamp;

pub(in crate::status) fn source(
    report: &SourceReport,
    refusals: &[RefusalRecord],
    now: Timestamp,
) -> String {
    let source = &report.source;
    let main = html! {
        div.heading { h1 { "Source " (source.name) } }
        @if let Some(what) = source.unproved(now) { p.note { (what) "." } }
        (facts(report, now))
        section {
            h2 { "Refused requests" }
            @if refusals.is_empty() {
                p.empty { "None." }
            } @else {
                p.dim {
                    (report.refusals) " in all, newest first; those from one address for one reason "
                    "stand together. Bodies are not kept."
                }
            }
            @for (index, refusal) in refusals.iter().enumerate() {
                (one_refusal(refusal, index == 0, now))
            }
        }
    };
    frame(&format!("Source {}", source.name), "", &main)
}

fn facts(report: &SourceReport, now: Timestamp) -> Markup {
    let source = &report.source;
    html! {
        dl.facts {
            dt { "Kind" } dd { (source.kind) }
            dt { "Path" } dd.mono { (source.shown_path()) }
            @for old in &source.old_secrets {
                dt { "Old secret" }
                dd { @if old.ends > now { "holds until " } @else { "held until " } (exact(old.ends, now)) }
            }
            dt { "Events" }
            dd { (report.events) " " a href={ "/deliveries?source=" (source.name) } { "their deliveries" } }
            dt { "Last event" }
            dd { @match report.last_event { Some(at) => (exact(at, now)), None => "never" } }
        }
    }
}

fn one_refusal(refusal: &RefusalRecord, open: bool, now: Timestamp) -> Markup {
    html! {
        details.attempt open[open] {
            summary {
                span.badge.dead { (refusal.status) } " " (moment(refusal.at, now))
                " " span.mono.dim { (refusal.address) }
                @if refusal.count > 1 { " " span.dim { (refusal.count) " times" } }
            }
            p.problem { (refusal.reason) }
            (headers(&refusal.headers))
        }
    }
}
