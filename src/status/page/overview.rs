//! The overview: totals, endpoints, sources, the latest deliveries.

use maud::{Markup, html};

use super::context::PageContext;
use super::frame::frame;
use super::parts::{delivery_table, last_day, size, table};
use super::texts::{fill, link_in};
use crate::model::delivery::{DeliveryRecord, State};
use crate::model::endpoint::EndpointReport;
use crate::model::node::NodeRecord;
use crate::model::source::SourceReport;
use crate::model::stats::Stats;

pub(in crate::status) struct OverviewView {
    pub(in crate::status) stats: Stats,
    pub(in crate::status) endpoints: Vec<EndpointReport>,
    pub(in crate::status) sources: Vec<SourceReport>,
    pub(in crate::status) latest: Vec<DeliveryRecord>,
}

pub(in crate::status) fn overview(context: &PageContext<'_>, view: &OverviewView) -> String {
    let (t, names) = (&context.texts.overview, &context.texts.frame);
    let add = |command: &str| html! { code { (command) } };
    let main = html! {
        h1 { (t.title) }
        div #totals data-live { (totals(context, &view.stats)) }
        section #endpoints data-live {
            h2 { (names.endpoints) }
            @if view.endpoints.is_empty() {
                p.empty { (link_in(t.no_endpoints, &[("command", &add("hookbox endpoint add NAME URL"))])) }
            } @else {
                (endpoints(context, &view.endpoints))
            }
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
                p.empty { (link_in(t.no_sources, &[("command", &add("hookbox source add gogs --kind gogs --secret -"))])) }
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
    frame(context, t.title, "/", &main)
}

fn totals(context: &PageContext<'_>, stats: &Stats) -> Markup {
    let t = &context.texts.overview;
    let counts = [
        (State::Pending, stats.pending),
        (State::Delivered, stats.delivered),
        (State::Dead, stats.dead),
        (State::Cancelled, stats.cancelled),
    ];
    html! {
        ul.cards {
            li { span.number { (stats.events) } span { (t.events) } }
            @if stats.outbox > 0 {
                li.pending { span.number { (stats.outbox) } span { (t.outbox) } }
            }
            @for (state, count) in counts {
                li class=[(count > 0).then_some(state.name())] {
                    a href={ "/deliveries?state=" (state) } {
                        span.number { (count) }
                        span { (state) }
                    }
                    @if state == State::Pending && let Some(due) = stats.oldest_due {
                        span.dim { (link_in(t.oldest_due, &[("when", &context.moment(due))])) }
                    }
                }
            }
            li { span.number { (size(stats.db_bytes)) } span { (t.on_disk) } }
        }
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
                        div.reason { (fill(t.when_failed, &[("count", &row.when_errors)])) }
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
                        " " span.dim { (link_in(t.due, &[("when", &context.moment(due))])) }
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
    let now = context.now;
    let closed = row.endpoint.set.window.as_ref();
    let closed = closed.and_then(|window| window.closed_until(now));
    let paced = row.paced_until.filter(|until| *until > now);
    let waits = |badge: &str, why: &str| {
        html! { span.badge.waiting { (badge) } " " (why) }
    };
    if let Some(hold) = &row.endpoint.held {
        let span = context.lasting(hold.since);
        let why = fill(t.held_for, &[("span", &span), ("reason", &hold.reason)]);
        return html! {
            (waits(t.held, &why))
            div.reason { a href={ "/endpoints/" (row.endpoint.set.name) } { (t.resume) } }
        };
    }
    if let Some(outage) = &row.outage {
        let values: [(&str, &dyn std::fmt::Display); 3] = [
            ("span", &context.lasting(outage.since)),
            ("probes", &outage.probes),
            ("error", &outage.error),
        ];
        return waits(t.offline, &fill(t.offline_for, &values));
    }
    html! {
        @if let Some(until) = paced && row.pending > 0 {
            span.badge.waiting { (t.pace) } " " (link_in(t.more_at, &[("when", &context.moment(until))]))
        } @else if let Some(until) = closed {
            span.badge.waiting { (t.window) } " "
            @match until {
                Some(until) => (link_in(t.opens, &[("when", &context.moment(until))])),
                None => (t.never_opens),
            }
        } @else if let Some(lasting) = row.failing {
            (waits(t.refuses, &fill(t.refuses_for, &[("span", &context.span(lasting))])))
        } @else if row.delivered + row.dead == 0 {
            (words.dash)
        } @else {
            (words.yes)
        }
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
                td data-label=(t.refused) { a href={ "/sources/" (name) } { (row.refusals) } }
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
