//! Sources: their settings, rejected requests, and forms to add and change them.

use std::net::SocketAddr;

use maud::{Markup, html};
use serde_json::Value;

use super::context::PageContext;
use super::fields::{self, Held, NewSecret, choice, form, name, same, settings};
use super::frame::frame;
use super::overview;
use super::parts::{copy, headers, table};
use crate::model::kind::SourceKind;
use crate::model::rejected::RejectedRequest;
use crate::model::settings::SOURCE_SETTINGS;
use crate::model::source::{RelayBox, SenderKind, Source, SourceReport};

/// Most boxes of a source that are shown.
const BOXES_SHOWN: usize = 200;

/// Shows all sources, and a form to add one.
pub(in crate::status) fn sources(context: &PageContext<'_>, reports: &[SourceReport]) -> String {
    const ACTION: &str = "/sources";
    let (t, words) = (&context.texts.sources, &context.texts.words);
    let kinds = SenderKind::names()
        .into_iter()
        .map(same)
        .collect::<Vec<_>>();
    let kind = context.typed(ACTION, "kind").unwrap_or_default();
    let fields = html! {
        (name(context, ACTION, "gogs"))
        (choice(t.kind, "kind", None, &kinds, kind))
        (settings(context, ACTION, &SOURCE_SETTINGS, &["secret"], None))
        button type="submit" { (t.add) }
    };
    let main = html! {
        h1 { (t.title) }
        div #sources data-live {
            @if reports.is_empty() { p.empty { (words.none_yet) } } @else { (overview::sources(context, reports)) }
        }
        @if context.may_change {
            section { h2 { (t.add_title) } (form(context, ACTION, &fields)) }
        }
    };
    frame(context, t.title, "/sources", &main)
}

pub(in crate::status) fn source(
    context: &PageContext<'_>,
    report: &SourceReport,
    boxes: &[RelayBox],
    refusals: &[RejectedRequest],
    events_at: Option<SocketAddr>,
) -> String {
    let t = &context.texts.sources;
    let source = &report.source;
    let title = context.fill(t.title_of_one, &[("name", &source.name)]);
    let main = html! {
        div.heading { h1 { (title) } }
        div #facts data-live {
            @if let Some(what) = source.unproved(context.now) { p.note { (what) "." } }
            (facts(context, report))
        }
        (steps(context, source, events_at))
        (relay_boxes(context, boxes))
        @if context.may_change { (changes(context, report)) }
        section #refusals data-live {
            h2 { (t.refusals) }
            @if refusals.is_empty() {
                p.empty { (t.no_refusals) }
            } @else {
                p.dim { (context.fill(t.refusals_told, &[("count", &report.refusals)])) }
            }
            @for (index, refusal) in refusals.iter().enumerate() {
                (one_refusal(context, refusal, index == 0))
            }
        }
    };
    frame(context, &title, "/sources", &main)
}

/// The address that senders get, and where they are told.
fn steps(context: &PageContext<'_>, source: &Source, events_at: Option<SocketAddr>) -> Markup {
    let t = &context.texts.steps;
    // The token in a path is for those who may change the source.
    let path = match context.may_change {
        true => source.path(),
        false => source.shown_path(),
    };
    let url = events_at.map(|address| format!("http://{address}{path}"));
    let step = match source.kind {
        SourceKind::Gogs => t.gogs,
        SourceKind::Gitee => t.gitee,
        SourceKind::Gitea | SourceKind::Forgejo => t.gitea,
        SourceKind::Github => t.github,
        SourceKind::Gitlab => t.gitlab,
        _ => t.other,
    };
    html! {
        section {
            h2 { (t.title) }
            @if let Some(url) = &url {
                p { span.mono { (url) } " " (copy(context, url)) }
                p.dim { (t.from_elsewhere) }
            }
            p { (step) }
        }
    }
}

fn changes(context: &PageContext<'_>, report: &SourceReport) -> Markup {
    let shown = report.json(context.now);
    let has_secret = report.source.secret.is_some();
    fields::changes(
        context,
        &format!("/sources/{}", report.source.name),
        &SOURCE_SETTINGS,
        |setting| held(context, report, &shown, setting.name),
        has_secret.then_some(&NewSecret {
            label: context.texts.sources.new_secret,
            scheme: report.source.kind_name(),
            is_ours: false,
        }),
        &html! {},
    )
}

/// Returns the current value of a setting, if it may be shown and the kind has it.
fn held(
    context: &PageContext<'_>,
    report: &SourceReport,
    shown: &Value,
    setting: &str,
) -> Option<Held> {
    let text = |value: &Value| Some(Held::Text(value.as_str().unwrap_or_default().to_owned()));
    let rules = &report.source.generic.signature;
    let is_generic = report.source.kind == SourceKind::Generic;
    let is_kept = || Held::Kept(context.texts.words.is_kept.to_owned());
    match setting {
        "secret" => report.source.secret.is_some().then(is_kept),
        "path_token" => report.source.path_token.is_some().then(is_kept),
        "tolerance" | "on_repeat" => text(&shown[setting]),
        "signature_header" if is_generic => Some(Held::Text(rules.header.to_string())),
        "signature_algorithm" if is_generic => Some(Held::Text(rules.algorithm.to_string())),
        "signature_encoding" if is_generic => Some(Held::Text(rules.encoding.to_string())),
        _ => text(&shown["reading"][setting]),
    }
}

fn facts(context: &PageContext<'_>, report: &SourceReport) -> Markup {
    let (t, words) = (&context.texts.sources, &context.texts.words);
    let source = &report.source;
    html! {
        dl.facts {
            dt { (t.kind) } dd { (source.kind_name()) }
            dt { (t.path) } dd.mono { (source.shown_path()) }
            @for old in &source.old_secrets {
                @let holds = if old.ends > context.now { t.holds_until } else { t.held_until };
                dt { (t.old_secret) }
                dd { (context.link_in(holds, &[("when", &context.exact(old.ends))])) }
            }
            dt { (t.events) }
            dd { (report.events) " " a href={ "/deliveries?source=" (source.name) } { (t.their_deliveries) } }
            dt { (t.last_event) }
            dd { @match report.last_event { Some(at) => (context.exact(at)), None => (words.never) } }
        }
    }
}

/// The boxes that relay their events here, the one that was heard last first.
fn relay_boxes(context: &PageContext<'_>, boxes: &[RelayBox]) -> Markup {
    let t = &context.texts.sources;
    let rows = html! {
        @for one in boxes.iter().take(BOXES_SHOWN) {
            tr {
                td.mono data-label=(t.box_id) { (one.box_id) }
                td data-label=(t.box_name) { (one.name) }
                td data-label=(t.last_heard) { (context.moment(one.last_heard)) }
                td data-label=(t.requests) { (one.requests) }
                td data-label=(t.events) { (one.events) }
            }
        }
    };
    let columns = [t.box_id, t.box_name, t.last_heard, t.requests, t.events];
    html! {
        @if !boxes.is_empty() {
            section #boxes data-live {
                h2 { (context.fill(t.boxes, &[("count", &boxes.len())])) }
                (table(&columns, &rows))
                @if boxes.len() > BOXES_SHOWN {
                    p.dim { (context.fill(t.boxes_shown, &[("count", &BOXES_SHOWN)])) }
                }
            }
        }
    }
}

fn one_refusal(context: &PageContext<'_>, refusal: &RejectedRequest, open: bool) -> Markup {
    html! {
        details.attempt open[open] {
            summary {
                span.badge.dead { (refusal.status) } " " (context.moment(refusal.at))
                " " span.mono.dim { (refusal.address) }
                @if refusal.count > 1 {
                    " " span.dim { (context.fill(context.texts.sources.times, &[("count", &refusal.count)])) }
                }
            }
            p.problem { (context.said(&refusal.reason)) }
            (headers(context, &refusal.headers))
        }
    }
}
