//! Sources: how each is set, what it refused, and forms to make and change them.

use maud::{Markup, html};
use serde_json::Value;

use super::around::Around;
use super::fields::{self, choice, form, name, settings};
use super::frame::frame;
use super::overview;
use super::parts::headers;
use super::texts::{fill, link_in};
use crate::model::kind::SourceKind;
use crate::model::refusal::RefusalRecord;
use crate::model::settings::SOURCE_SETTINGS;
use crate::model::source::{SenderKind, SourceReport};

/// All sources, and a form for another one.
pub(in crate::status) fn sources(around: &Around<'_>, reports: &[SourceReport]) -> String {
    const ACTION: &str = "/sources";
    let (t, words) = (&around.texts.sources, &around.texts.words);
    let kinds = SenderKind::names();
    let kind = around.typed(ACTION, "kind").unwrap_or_default();
    let fields = html! {
        (name(around, ACTION, "gogs"))
        (choice(t.kind, "kind", None, &kinds, kind))
        (settings(around, ACTION, &SOURCE_SETTINGS, &[]))
        button type="submit" { (t.add) }
    };
    let main = html! {
        h1 { (t.title) }
        div #sources data-live {
            @if reports.is_empty() { p.empty { (words.none_yet) } } @else { (overview::sources(around, reports)) }
        }
        @if around.may_change {
            section { h2 { (t.add_title) } (form(around, ACTION, &fields)) }
        }
    };
    frame(around, t.title, "/sources", &main)
}

pub(in crate::status) fn source(
    around: &Around<'_>,
    report: &SourceReport,
    refusals: &[RefusalRecord],
) -> String {
    let t = &around.texts.sources;
    let source = &report.source;
    let title = fill(t.title_of_one, &[("name", &source.name)]);
    let main = html! {
        div.heading { h1 { (title) } }
        div #facts data-live {
            @if let Some(what) = source.unproved(around.now) { p.note { (what) "." } }
            (facts(around, report))
        }
        @if around.may_change { (changes(around, report)) }
        section #refusals data-live {
            h2 { (t.refusals) }
            @if refusals.is_empty() {
                p.empty { (t.no_refusals) }
            } @else {
                p.dim { (fill(t.refusals_told, &[("count", &report.refusals)])) }
            }
            @for (index, refusal) in refusals.iter().enumerate() {
                (one_refusal(around, refusal, index == 0))
            }
        }
    };
    frame(around, &title, "/sources", &main)
}

fn changes(around: &Around<'_>, report: &SourceReport) -> Markup {
    let shown = report.json(around.now);
    fields::changes(
        around,
        &format!("/sources/{}", report.source.name),
        &SOURCE_SETTINGS,
        |setting| held(around, report, &shown, setting),
        around.texts.sources.new_secret,
        &html! {},
    )
}

/// What a setting is now, as far as it may be shown and the kind has it.
fn held(
    around: &Around<'_>,
    report: &SourceReport,
    shown: &Value,
    setting: &str,
) -> Option<String> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let rules = &report.source.generic.signature;
    let is_generic = report.source.kind == SourceKind::Generic;
    match setting {
        "secret" if report.source.secret.is_some() => Some(around.texts.words.is_kept.to_owned()),
        "tolerance" | "on_repeat" => text(&shown[setting]),
        "signature_header" if is_generic => Some(rules.header.to_string()),
        "signature_algorithm" if is_generic => Some(rules.algorithm.to_string()),
        "signature_encoding" if is_generic => Some(rules.encoding.to_string()),
        _ => text(&shown["reading"][setting]),
    }
}

fn facts(around: &Around<'_>, report: &SourceReport) -> Markup {
    let (t, words) = (&around.texts.sources, &around.texts.words);
    let source = &report.source;
    html! {
        dl.facts {
            dt { (t.kind) } dd { (source.kind_name()) }
            dt { (t.path) } dd.mono { (source.shown_path()) }
            @for old in &source.old_secrets {
                @let holds = if old.ends > around.now { t.holds_until } else { t.held_until };
                dt { (t.old_secret) }
                dd { (link_in(holds, &[("when", &around.exact(old.ends))])) }
            }
            dt { (t.events) }
            dd { (report.events) " " a href={ "/deliveries?source=" (source.name) } { (t.their_deliveries) } }
            dt { (t.last_event) }
            dd { @match report.last_event { Some(at) => (around.exact(at)), None => (words.never) } }
        }
    }
}

fn one_refusal(around: &Around<'_>, refusal: &RefusalRecord, open: bool) -> Markup {
    html! {
        details.attempt open[open] {
            summary {
                span.badge.dead { (refusal.status) } " " (around.moment(refusal.at))
                " " span.mono.dim { (refusal.address) }
                @if refusal.count > 1 {
                    " " span.dim { (fill(around.texts.sources.times, &[("count", &refusal.count)])) }
                }
            }
            p.problem { (refusal.reason) }
            (headers(around, &refusal.headers))
        }
    }
}
