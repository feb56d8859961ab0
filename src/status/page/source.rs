//! One source: how it is set, and what it refused.

use maud::{Markup, html};

use super::endpoint::fields;
use super::parts::{button, exact, headers, moment};
use super::{Around, frame, overview};
use crate::model::kind::SourceKind;
use crate::model::refusal::RefusalRecord;
use crate::model::settings::SOURCE_SETTINGS;
use crate::model::source::SourceReport;
use crate::time::Timestamp;

/// All sources, and a form for another one.
pub(in crate::status) fn sources(around: &Around<'_>, reports: &[SourceReport]) -> String {
    let main = html! {
        h1 { "Sources" }
        div #sources data-live {
            @if reports.is_empty() { p.empty { "None yet." } } @else { (overview::sources(reports, around.now)) }
        }
        @if around.may_change {
            section {
                h2 { "Add a source" }
                form.settings method="post" action="/sources" {
                    input type="hidden" name="token" value=(around.token);
                    label { span { "Name" } input name="name" required autocomplete="off" placeholder="gogs"; }
                    label {
                        span { "Kind" }
                        select name="kind" { @for kind in SourceKind::ALL { option value=(kind.name()) { (kind.name()) } } }
                    }
                    (fields(&SOURCE_SETTINGS, &[]))
                    button type="submit" { "Add" }
                }
            }
        }
    };
    frame(around, "Sources", "/sources", &main)
}

pub(in crate::status) fn source(
    around: &Around<'_>,
    report: &SourceReport,
    refusals: &[RefusalRecord],
) -> String {
    let now = around.now;
    let source = &report.source;
    let main = html! {
        div.heading { h1 { "Source " (source.name) } }
        div #facts data-live {
        @if let Some(what) = source.unproved(now) { p.note { (what) "." } }
        (facts(report, now))
        }
        @if around.may_change { (changes(around, report)) }
        section #refusals data-live {
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
    frame(
        around,
        &format!("Source {}", source.name),
        "/sources",
        &main,
    )
}

fn changes(around: &Around<'_>, report: &SourceReport) -> Markup {
    let path = format!("/sources/{}", report.source.name);
    html! {
        details.change {
            summary { "Change it" }
            form.settings method="post" action={ (path) "/set" } {
                input type="hidden" name="token" value=(around.token);
                (fields(&SOURCE_SETTINGS, &[]))
                p.dim { "What is left empty stays as it is." }
                button type="submit" { "Save" }
            }
            form.settings method="post" action={ (path) "/rotate-secret" } {
                input type="hidden" name="token" value=(around.token);
                label { span { "New secret; both hold for a day" } input type="password" name="secret" required autocomplete="new-password"; }
                button.quiet type="submit" { "Replace the secret" }
            }
            (button(around, &format!("{path}/remove"), "Remove", "quiet"))
        }
    }
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
