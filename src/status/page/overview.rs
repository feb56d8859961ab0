//! The overview: a verdict, how each endpoint stands, totals, sources, the latest deliveries.

use std::collections::HashMap;
use std::time::Duration;

use maud::{Markup, Render, html};

use super::chart::{last_day, of_all};
use super::context::PageContext;
use super::frame::frame_with_icon;
use super::parts::{delivery_table, opens_at, size, table};
use super::verdict::{Judged, again, colour, lines, verdict};
use crate::model::delivery::DeliveryRecord;
use crate::model::endpoint::{EndpointReport, Hour};
use crate::model::id::EndpointId;
use crate::model::node::NodeRecord;
use crate::model::source::SourceReport;
use crate::model::standing::{Ended, OfLate, Standing};
use crate::model::stats::Stats;
use crate::store::OutageRecord;

pub(in crate::status) struct OverviewView {
    pub(in crate::status) stats: Stats,
    pub(in crate::status) endpoints: Vec<Judged>,
    pub(in crate::status) sources: Vec<SourceReport>,
    pub(in crate::status) latest: Vec<DeliveryRecord>,
    pub(in crate::status) outages: Vec<OutageRecord>,
    pub(in crate::status) of_late: HashMap<EndpointId, OfLate>,
}

pub(in crate::status) fn overview(context: &PageContext<'_>, view: &OverviewView) -> String {
    let (t, names) = (&context.texts.overview, &context.texts.frame);
    let add = |command: &str| html! { code { (command) } };
    let verdict_text = verdict(context, &view.endpoints);
    let colour = colour(context, &view.endpoints);
    let hours: Vec<Hour> = view
        .endpoints
        .iter()
        .flat_map(|one| one.report.hours.clone())
        .collect();
    let main = html! {
        div #verdict data-live { h1 class={ "verdict " (colour) } { (verdict_text) } }
        section #endpoints data-live aria-label=(names.endpoints) {
            @if view.endpoints.is_empty() {
                p.empty { (context.link_in(t.no_endpoints, &[("command", &add("hookbox endpoint add NAME URL"))])) }
            } @else {
                (lines(context, &view.endpoints))
                (again(context, &view.endpoints))
            }
        }
        div #totals data-live {
            (totals(context, view))
            (of_all(context, &hours, &view.outages))
        }
        @if !view.stats.nodes.is_empty() {
            section #nodes data-live {
                h2 { (t.nodes) }
                (nodes(context, &view.stats.nodes))
            }
        }
        section #sources data-live {
            h2 { (names.sources) }
            @if view.sources.is_empty() {
                p.empty { (context.link_in(t.no_sources, &[("command", &add("hookbox source add gogs --kind gogs --secret -"))])) }
            } @else {
                (sources(context, &view.sources))
            }
        }
        section #latest data-live {
            h2 { (t.latest) }
            @if view.latest.is_empty() {
                p.empty { (t.nothing) }
            } @else {
                (delivery_table(context, &view.latest, None))
                p { a href="/deliveries" { (t.all) } }
            }
        }
    };
    let icon = match colour {
        "green" => "/icon.svg",
        "red" => "/icon-red.svg",
        _ => "/icon-amber.svg",
    };
    frame_with_icon(context, &verdict_text, "/", icon, &main)
}

/// What waits, and what the last day and week brought.
fn totals(context: &PageContext<'_>, view: &OverviewView) -> Markup {
    const DAY: Duration = Duration::from_secs(86_400);
    let t = &context.texts.overview;
    let stats = &view.stats;
    let reports = || view.endpoints.iter().map(|one| &one.report);
    let day = Ended::since(reports(), context.now.minus(DAY));
    let week = Ended::since(reports(), context.now.minus(DAY * 7));
    // What waits for an endpoint that cannot be sent to has no time left that could be told.
    let goes_out =
        reports().filter(|report| report.pending > 0 && !report.standing(context.now).stops());
    let left: Vec<Option<Duration>> = goes_out
        .map(|report| {
            let of_late = view.of_late.get(&report.endpoint.id).copied();
            report.time_left(of_late, context.now)
        })
        .collect();
    html! {
            ul.cards {
                li.pending[stats.pending > 0] {
                    a href="/deliveries?state=pending" {
                        span.number { (stats.pending) }
                        span { (context.fill(t.wait, &[("count", &stats.pending)])) }
                    }
    @if !left.is_empty() { span.dim { (time_left(context, &left)) } }
                }
                li.delivered[day.delivered > 0] {
                    a href="/deliveries?state=delivered&since=1d" {
                        span.number { (day.delivered) }
                        span { (context.fill(t.delivered_in_a_day, &[("count", &day.delivered)])) }
                    }
                    span.dim { (context.fill(t.in_a_week, &[("count", &week.delivered)])) }
                }
                li {
                    span.number { (day.refused) }
                    span { (context.fill(t.refused_in_a_day, &[("count", &day.refused)])) }
                    span.dim { (context.fill(t.in_a_week, &[("count", &week.refused)])) }
                }
                li.dead[stats.dead > 0] {
                    a href="/deliveries?state=dead" {
                        span.number { (stats.dead) }
                        span { (context.fill(t.given_up, &[("count", &stats.dead)])) }
                    }
                }
                li {
                    span.number { (stats.events) }
                    span { (context.fill(t.events_kept, &[("count", &stats.events)])) }
                    span.dim { (context.fill(t.on_disk, &[("size", &size(stats.db_bytes))])) }
                }
                @if stats.outbox > 0 {
                    li.pending { span.number { (stats.outbox) } span { (context.fill(t.outbox, &[("count", &stats.outbox)])) } }
                }
            }
        }
}

/// How long what waits takes: what takes longest.
fn time_left(context: &PageContext<'_>, left: &[Option<Duration>]) -> String {
    let t = &context.texts.overview;
    match left.iter().flatten().max() {
        Some(span) => context.fill(t.time_left, &[("span", &context.span(*span))]),
        None => t.none_goes.to_owned(),
    }
}

/// The nodes of a database on a server, and who sends to what.
fn nodes(context: &PageContext<'_>, rows: &[NodeRecord]) -> Markup {
    let (t, words) = (&context.texts.overview, &context.texts.words);
    let rows_shown = html! {
        @for node in rows {
            tr {
                td.mono data-label=(words.name) { (node.name) }
                td data-label=(t.since) { (context.moment(node.since)) }
                td data-label=(t.seen) { (context.moment(node.seen)) }
                td data-label=(t.sends_to) {
                    @for (index, name) in node.endpoints.iter().enumerate() {
                        @if index > 0 { ", " }
                        a href={ "/endpoints/" (name) } { (name) }
                    }
                }
            }
        }
    };
    let columns = [words.name, t.since, t.seen, t.sends_to];
    table(&columns, &rows_shown)
}

pub(super) fn endpoints(context: &PageContext<'_>, rows: &[EndpointReport]) -> Markup {
    let (t, words) = (&context.texts.overview, &context.texts.words);
    let rows = html! {
        @for row in rows {
            @let name = &row.endpoint.set.name;
            tr {
                @let filters = row.endpoint.set.filters.to_string();
                td data-label=(words.name) {
                    a href={ "/endpoints/" (name) } { (name) }
                    @if row.endpoint.set.gets_only_replays { div.reason { (t.only_replays) } }
                    @if !filters.is_empty() { div.reason title=(filters) { (filters) } }
                    @if row.when_errors > 0 && row.endpoint.set.filters.when.is_some() {
                        div.reason { (context.fill(t.when_failed, &[("count", &row.when_errors)])) }
                    }
                }
                td.mono data-label=(t.url) { (row.endpoint.set.shown_url()) }
                td data-label=(t.format) { (row.endpoint.set.format) }
                td data-label=(t.signed) {
                    @match row.endpoint.set.format.chat() {
                        Some(_) if row.endpoint.set.secret.is_some() => (t.by_chat),
                        Some(_) => (words.dash),
                        None => (row.endpoint.set.scheme),
                    }
                }
                td data-label=(t.pending) {
                    (row.pending)
                    @if let Some(due) = row.oldest_due {
                        " " span.dim { (context.link_in(t.due, &[("when", &context.moment(due))])) }
                    }
                }
                td data-label=(t.delivered) { a href={ "/deliveries?endpoint=" (name) "&state=delivered" } { (row.delivered) } }
                td data-label=(t.dead) { a href={ "/deliveries?endpoint=" (name) "&state=dead" } { (row.dead) } }
                td data-label=(t.last_day) { (last_day(context, &row.hours)) }
                td data-label=(t.reached) { (reached(context, row)) }
            }
        }
    };
    let columns = [
        words.name,
        t.url,
        t.format,
        t.signed,
        t.pending,
        t.delivered,
        t.dead,
        t.last_day,
        t.reached,
    ];
    table(&columns, &rows)
}

/// Shows whether an endpoint is reached, or why nothing is sent to it now.
pub(super) fn reached(context: &PageContext<'_>, row: &EndpointReport) -> Markup {
    let (t, words) = (&context.texts.overview, &context.texts.words);
    let states = &context.texts.states;
    let waits = |badge: &str, why: &Markup| {
        html! { span.badge.waiting { (badge) } " " (why) }
    };
    match row.standing(context.now) {
        Standing::Held(hold) => {
            let span = context.lasting(hold.since);
            let why = context.link_in(
                t.held_for,
                &[("span", &span), ("reason", &context.said(&hold.reason))],
            );
            waits(states.held, &why)
        }
        Standing::Offline(outage) => {
            let values: [(&str, &dyn Render); 3] = [
                ("span", &context.lasting(outage.since)),
                ("probes", &outage.probes),
                ("error", &context.said(&outage.error)),
            ];
            waits(states.offline, &context.link_in(t.offline_for, &values))
        }
        Standing::Refuses { lasting } => match row.last_delivered {
            Some(at) => html! {
                span.badge.dead { (t.refuses) } " "
                (context.link_in(context.texts.verdict.last_took, &[("when", &context.moment(at))]))
            },
            None => html! {
                span.badge.dead { (t.refuses) } " "
                (context.fill(t.refuses_for, &[("span", &context.span(lasting))]))
            },
        },
        Standing::Closed { opens } => html! {
            span.badge.waiting { (states.window) } " "
            (opens_at(context, opens))
        },
        Standing::Paced { until } => html! {
            span.badge.waiting { (states.pace) } " " (context.link_in(t.more_at, &[("when", &context.moment(until))]))
        },
        Standing::Unused => html! { (words.dash) },
        Standing::Fine => html! { (words.yes) },
    }
}

pub(super) fn sources(context: &PageContext<'_>, rows: &[SourceReport]) -> Markup {
    let (t, words) = (&context.texts.overview, &context.texts.words);
    let rows = html! {
        @for row in rows {
            @let name = &row.source.name;
            tr {
                td data-label=(words.name) { a href={ "/sources/" (name) } { (name) } }
                td data-label=(t.kind) { (row.source.kind_name()) }
                td.mono data-label=(t.path) { (row.source.shown_path()) }
                td data-label=(t.signature) {
                    @if row.source.secret.is_none() { (t.unchecked) }
                    @else if row.source.is_body_signed(context.now) { (t.required) }
                    @else { (t.body_unsigned) }
                }
                td data-label=(context.texts.sources.events) { a href={ "/deliveries?source=" (name) } { (row.events) } }
                td data-label=(t.last_event) {
                    @match row.last_event { Some(at) => (context.moment(at)), None => (words.never) }
                }
                td data-label=(t.refused) {
                    a href={ "/sources/" (name) } { (row.refusals) }
                    @if let Some((at, reason)) = row.refuses() {
                        " " span.again { (context.link_in(t.refused_last, &[("reason", &context.said(reason))])) " · " (context.moment(*at)) }
                    }
                }
            }
        }
    };
    let columns = [
        words.name,
        t.kind,
        t.path,
        t.signature,
        context.texts.sources.events,
        t.last_event,
        t.refused,
    ];
    table(&columns, &rows)
}
