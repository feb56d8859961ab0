//! The overview: totals, how each endpoint and source fares, the latest deliveries.

use std::time::Duration;

use maud::{Markup, html};

use super::parts::{delivery_table, last_day, lasting, moment, size, table};
use super::{Around, frame};
use crate::model::delivery::DeliveryRecord;
use crate::model::endpoint::EndpointReport;
use crate::model::source::SourceReport;
use crate::model::stats::Stats;
use crate::time::{Timestamp, show_span};

pub(in crate::status) struct OverviewView {
    pub(in crate::status) stats: Stats,
    pub(in crate::status) endpoints: Vec<EndpointReport>,
    pub(in crate::status) sources: Vec<SourceReport>,
    pub(in crate::status) latest: Vec<DeliveryRecord>,
}

pub(in crate::status) fn overview(around: &Around<'_>, view: &OverviewView) -> String {
    let now = around.now;
    let main = html! {
        h1 { "Overview" }
        div #totals data-live { (totals(&view.stats, now)) }
        section #endpoints data-live {
            h2 { "Endpoints" }
            @if view.endpoints.is_empty() {
                p.empty { "None yet. Add one: " code { "hookbox endpoint add NAME URL" } }
            } @else {
                (endpoints(&view.endpoints, now))
            }
        }
        section #sources data-live {
            h2 { "Sources" }
            @if view.sources.is_empty() {
                p.empty { "None yet. Add one: " code { "hookbox source add gogs --kind gogs --secret -" } }
            } @else {
                (sources(&view.sources, now))
            }
        }
        section #latest data-live {
            h2 { "Latest deliveries" }
            @if view.latest.is_empty() {
                p.empty { "Nothing has come in yet." }
            } @else {
                (delivery_table(around, &view.latest, None))
                p { a href="/deliveries" { "All deliveries" } }
            }
        }
    };
    frame(around, "Overview", "/", &main)
}

fn totals(stats: &Stats, now: Timestamp) -> Markup {
    let counts = [
        ("pending", stats.pending),
        ("delivered", stats.delivered),
        ("dead", stats.dead),
        ("cancelled", stats.cancelled),
    ];
    html! {
        ul.cards {
            li { span.number { (stats.events) } span { "events" } }
            @for (state, count) in counts {
                li class=[(count > 0).then_some(state)] {
                    a href={ "/deliveries?state=" (state) } {
                        span.number { (count) }
                        span { (state) }
                    }
                    @if state == "pending" {
                        @if let Some(due) = stats.oldest_due {
                            span.dim { "oldest due " (moment(due, now)) }
                        }
                    }
                }
            }
            li { span.number { (size(stats.db_bytes)) } span { "on disk" } }
        }
    }
}

pub(super) fn endpoints(rows: &[EndpointReport], now: Timestamp) -> Markup {
    let rows = html! {
        @for row in rows {
            @let name = &row.endpoint.name;
            tr {
                @let filters = row.endpoint.filters.to_string();
                td data-label="Name" {
                    a href={ "/endpoints/" (name) } { (name) }
                    @if row.endpoint.gets_only_replays { div.reason { "gets only replays" } }
                    @if !filters.is_empty() { div.reason title=(filters) { (filters) } }
                    @if row.when_errors > 0 && row.endpoint.filters.when.is_some() {
                        div.reason { "its --when failed on " (row.when_errors) " events, which were sent" }
                    }
                }
                td.mono data-label="URL" { (row.endpoint.shown_url()) }
                td data-label="Format" { (row.endpoint.format) }
                td data-label="Signed" {
                    @match row.endpoint.format.chat() {
                        Some(_) if row.endpoint.secret.is_some() => "by the chat's rule",
                        Some(_) => "–",
                        None => (row.endpoint.scheme),
                    }
                }
                td data-label="Pending" {
                    (row.pending)
                    @if let Some(due) = row.oldest_due { " " span.dim { "due " (moment(due, now)) } }
                }
                td data-label="Delivered" { a href={ "/deliveries?endpoint=" (name) "&state=delivered" } { (row.delivered) } }
                td data-label="Dead" { a href={ "/deliveries?endpoint=" (name) "&state=dead" } { (row.dead) } }
                td data-label="Last 24 h" { (last_day(&row.hours, now)) }
                td data-label="Reached" { (reached(row, now)) }
            }
        }
    };
    table(
        &[
            "Name",
            "URL",
            "Format",
            "Signed",
            "Pending",
            "Delivered",
            "Dead",
            "Last 24 h",
            "Reached",
        ],
        &rows,
    )
}

/// How an endpoint fares: whether it is reached, or why nothing is sent there now.
pub(super) fn reached(row: &EndpointReport, now: Timestamp) -> Markup {
    let name = &row.endpoint.name;
    html! {
                    @if let Some(hold) = &row.endpoint.held {
                        span.badge.waiting { "held" }
                        " for " (lasting(hold.since, now)) ": " (hold.reason)
                        div.reason { a href={ "/endpoints/" (name) } { "resume it" } }
                    } @else { @match &row.outage {
                        None if row.paced_until.is_some_and(|until| until > now) && row.pending > 0 => {
                            span.badge.waiting { "pace" }
                            @if let Some(until) = row.paced_until { " gets more " (moment(until, now)) }
                        }
                        None if let Some(until) = row.endpoint.window.as_ref().and_then(|window| window.closed_until(now)) => {
                            span.badge.waiting { "window" }
                            @match until {
                                Some(until) => { " opens " (moment(until, now)) }
                                None => " never opens again",
                            }
                        }
                        None if let Some(lasting) = row.refusing => {
                            span.badge.waiting { "refuses" }
                            " everything, for " (show_span(whole_seconds(lasting)))
                        }
                        None if row.delivered + row.dead == 0 => "–",
                        None => "yes",
                        Some(outage) => {
                            span.badge.waiting { "offline" }
                            " for " (lasting(outage.since, now)) ", " (outage.probes) " probes: " (outage.error)
                        }
                    } }
    }
}

/// Without what is less than a second.
fn whole_seconds(span: Duration) -> Duration {
    Duration::from_secs(span.as_secs())
}

pub(super) fn sources(rows: &[SourceReport], now: Timestamp) -> Markup {
    let rows = html! {
        @for row in rows {
            @let name = &row.source.name;
            tr {
                td data-label="Name" { a href={ "/sources/" (name) } { (name) } }
                td data-label="Kind" { (row.source.kind) }
                td.mono data-label="Path" { (row.source.shown_path()) }
                td data-label="Signature" {
                    @if row.source.secret.is_none() { "not checked" }
                    @else if row.source.is_body_signed(now) { "required" }
                    @else { "required, does not cover the body" }
                }
                td data-label="Events" { a href={ "/deliveries?source=" (name) } { (row.events) } }
                td data-label="Last event" {
                    @match row.last_event { Some(at) => (moment(at, now)), None => "never" }
                }
                td data-label="Refused" { a href={ "/sources/" (name) } { (row.refusals) } }
            }
        }
    };
    table(
        &[
            "Name",
            "Kind",
            "Path",
            "Signature",
            "Events",
            "Last event",
            "Refused",
        ],
        &rows,
    )
}
