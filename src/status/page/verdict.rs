//! What a person should know first: which endpoints do not get what they are owed, and what to do.

use std::time::Duration;

use maud::{Markup, html};

use super::chart::last_day;
use super::context::PageContext;
use super::parts::{button_back, opens_at};
use crate::model::endpoint::EndpointReport;
use crate::model::standing::{Ended, Standing};

/// An endpoint, how it stands, and the last thing that it answered, if that was no.
pub(in crate::status) struct Judged {
    pub(in crate::status) report: EndpointReport,
    pub(in crate::status) last_refusal: Option<String>,
}

/// The verdict in a few words, for the heading and the tab.
pub(super) fn verdict(context: &PageContext<'_>, all: &[Judged]) -> String {
    let (t, dead) = (&context.texts.verdict, given_up(all));
    let all: Vec<&Judged> = all
        .iter()
        .filter(|one| !is_idle_for_replays(context, one))
        .collect();
    let bad = all
        .iter()
        .filter(|one| needs_somebody(context, one))
        .count();
    match (all.len(), bad) {
        (0, _) => context.texts.overview.title.to_owned(),
        (_, 0) if dead > 0 => context.fill(t.some_given_up, &[("count", &dead)]),
        (_, 0) => t.all_well.to_owned(),
        (count, bad) => context.fill(t.need_you, &[("bad", &bad), ("all", &count)]),
    }
}

/// The colour of the verdict: of the worst that there is.
pub(super) fn colour(context: &PageContext<'_>, all: &[Judged]) -> &'static str {
    let worst = all.iter().map(|one| one.report.standing(context.now));
    match worst.min_by_key(Standing::place) {
        Some(Standing::Refuses { .. }) => "red",
        Some(Standing::Offline(_)) => "amber",
        Some(Standing::Held(_) | Standing::Closed { opens: None }) => "grey",
        _ if given_up(all) > 0 => "grey",
        _ => "green",
    }
}

/// Deliveries that were given up and did not get through since.
fn given_up(all: &[Judged]) -> i64 {
    all.iter().map(|one| one.report.dead).sum()
}

fn needs_somebody(context: &PageContext<'_>, one: &Judged) -> bool {
    one.report.standing(context.now).needs_somebody()
}

/// Whether it was made for a replay that is over: nobody looks for it among the others.
fn is_idle_for_replays(context: &PageContext<'_>, one: &Judged) -> bool {
    let report = &one.report;
    let is_well = matches!(
        report.standing(context.now),
        Standing::Unused | Standing::Fine
    );
    report.endpoint.set.is_made_for_replays() && is_well && report.pending == 0 && report.dead == 0
}

/// A line for each endpoint: what is wrong first, each with what to do about it.
pub(super) fn lines(context: &PageContext<'_>, all: &[Judged]) -> Markup {
    let (for_replays, mut all): (Vec<&Judged>, Vec<&Judged>) = all
        .iter()
        .partition(|one| is_idle_for_replays(context, one));
    all.sort_by_key(|one| one.report.standing(context.now).place());
    html! {
        ul.standings {
            @for one in all {
                @let standing = one.report.standing(context.now);
                li class=(class(&standing)) {
                    span.badge { (word(context, &standing)) }
                    a.name href={ "/endpoints/" (one.report.endpoint.set.name) } { (one.report.endpoint.set.name) }
                    span.why { (why(context, one, &standing)) }
                    span.chart { @if !one.report.hours.is_empty() { (last_day(context, &one.report.hours)) } }
                    span.do { (what_to_do(context, one, &standing)) }
                }
            }
        }
        @if !for_replays.is_empty() {
            p.dim { a href="/endpoints" { (context.fill(context.texts.verdict.for_replays, &[("count", &for_replays.len())])) } }
        }
    }
}

/// Leads to what a replay of all that was given up would send.
pub(super) fn again(context: &PageContext<'_>, all: &[Judged]) -> Markup {
    let t = &context.texts.verdict;
    let spans = [
        ("&since=today", t.of_today),
        ("&since=yesterday&until=today", t.of_yesterday),
        ("&since=7d", t.of_week),
        ("", t.of_all),
    ];
    html! {
        @if given_up(all) > 0 && context.may_change {
            p.dim {
                (t.send_again)
                @for (index, (span, name)) in spans.into_iter().enumerate() {
                    @if index > 0 { " ·" }
                    " " a href={ "/replays/new?state=dead" (span) } { (name) }
                }
            }
        }
    }
}

fn class(standing: &Standing<'_>) -> &'static str {
    match standing {
        Standing::Refuses { .. } => "red",
        Standing::Offline(_) => "amber",
        Standing::Held(_) | Standing::Closed { .. } | Standing::Paced { .. } => "grey",
        Standing::Unused => "unused",
        Standing::Fine => "green",
    }
}

fn word(context: &PageContext<'_>, standing: &Standing<'_>) -> &'static str {
    let (t, states) = (&context.texts.overview, &context.texts.states);
    match standing {
        Standing::Refuses { .. } => t.refuses,
        Standing::Offline(_) => states.offline,
        Standing::Held(_) => states.held,
        Standing::Closed { .. } => states.window,
        Standing::Paced { .. } => states.pace,
        Standing::Unused => context.texts.verdict.unused,
        Standing::Fine => context.texts.verdict.fine,
    }
}

/// The cause first, then for how long, and what waits.
fn why(context: &PageContext<'_>, one: &Judged, standing: &Standing<'_>) -> Markup {
    let (t, o) = (&context.texts.verdict, &context.texts.overview);
    let report = &one.report;
    let day = Ended::since([report], context.now.minus(Duration::from_secs(86_400)));
    let waits = (report.pending > 0).then(|| context.fill(t.waits, &[("count", &report.pending)]));
    let took = report.last_delivered.map(|at| context.moment(at));
    html! {
        @match standing {
            Standing::Refuses { lasting } => {
                @if let Some(last) = &one.last_refusal { (context.said(last)) " · " }
                @match &took {
                    Some(at) => (context.link_in(t.last_took, &[("when", at)])),
                    None if report.delivered > 0 => (context.fill(t.lasts, &[("span", &context.span(*lasting))])),
                    None => (t.took_nothing),
                }
            }
            Standing::Offline(outage) => {
                (context.said(&outage.error)) " · "
                (context.fill(t.for_probes, &[("span", &context.lasting(outage.since)), ("probes", &outage.probes)]))
            }
            Standing::Held(hold) => {
                (context.said(&hold.reason)) " · " (context.fill(t.lasts, &[("span", &context.lasting(hold.since))]))
            }
            Standing::Closed { opens } => (opens_at(context, *opens)),
            Standing::Paced { until } => (context.link_in(o.more_at, &[("when", &context.moment(*until))])),
            Standing::Unused if day == Ended::default() => (t.took_nothing),
            Standing::Unused | Standing::Fine => {
                @if let Some(at) = &took { (context.link_in(t.last_took, &[("when", at)])) " · " }
                (context.fill(t.in_a_day, &[("count", &day.delivered)]))
                @if day.refused > 0 { " · " (context.fill(t.refused_in_a_day, &[("count", &day.refused)])) }
            }
        }
        @if let Some(waits) = waits { " · " (waits) }
        @if report.dead > 0 {
            " · " a href={ "/deliveries?state=dead&endpoint=" (report.endpoint.set.name) } {
                (context.fill(t.given_up, &[("count", &report.dead)]))
            }
        }
    }
}

fn what_to_do(context: &PageContext<'_>, one: &Judged, standing: &Standing<'_>) -> Markup {
    let (t, e) = (&context.texts.verdict, &context.texts.endpoints);
    let name = &one.report.endpoint.set.name;
    let path = |verb: &str| format!("/endpoints/{name}/{verb}");
    html! {
        @if context.may_change {
            @match standing {
                Standing::Held(_) => (button_back(context, &path("resume"), e.resume, "/")),
                Standing::Offline(_) => (button_back(context, &path("try"), e.try_now, "/")),
                Standing::Refuses { .. } => (button_back(context, &path("test"), e.test, "")),
                _ if one.report.dead > 0 => {
                    a.button.small href={ "/replays/new?state=dead&endpoint=" (name) } { (t.replay) }
                }
                _ => {}
            }
        }
    }
}
