//! Alerts: what is wrong, and forms to add and change them.

use maud::{Markup, html};

use super::context::PageContext;
use super::fields::{self, Held, form, name, settings};
use super::frame::frame;
use crate::model::alert::AlertRecord;
use crate::model::replay::Target;
use crate::model::settings::{ALERT_SETTINGS, Setting};
use crate::time::show_span;

/// Shows all alerts, and a form to add one.
pub(in crate::status) fn alerts(context: &PageContext<'_>, alerts: &[AlertRecord]) -> String {
    const ACTION: &str = "/alerts";
    let (t, words) = (&context.texts.alerts, &context.texts.words);
    let fields = html! {
        (name(context, ACTION, "ops"))
        (settings(context, ACTION, &ALERT_SETTINGS, &["to"], Some("to")))
        button type="submit" { (t.add) }
    };
    let main = html! {
        h1 { (t.title) }
        @if alerts.is_empty() {
            p.empty { (words.none_yet) " " (t.what_for) }
        }
        @for alert in alerts { (one(context, alert)) }
        @if context.may_change {
            section { h2 { (t.add_title) } (form(context, ACTION, &fields)) }
        }
    };
    frame(context, t.title, "/alerts", &main)
}

fn one(context: &PageContext<'_>, alert: &AlertRecord) -> Markup {
    let (t, words) = (&context.texts.alerts, &context.texts.words);
    let set = &alert.set;
    let path = format!("/alerts/{}", set.name);
    let held = |setting: &Setting| {
        let text = match setting.name {
            "to" => set.to.as_ref().map(Target::to_string),
            "about" => Some(set.about.to_string()),
            _ => Some(show_span(set.every)),
        };
        Some(Held::Text(text.unwrap_or_default()))
    };
    html! {
        section #{ "alert-" (set.name) } {
            h2 { (set.name) }
            dl.facts {
                dt { (t.to) }
                dd {
                    @match set.endpoint() {
                        Some(endpoint) => a href={ "/endpoints/" (endpoint) } { (endpoint) },
                        None => (t.to_program),
                    }
                }
                dt { (t.about) } dd.mono { (set.about) }
                dt { (t.every) } dd { (show_span(set.every)) }
                dt { (t.told) }
                dd {
                    @match alert.memory.last_told() {
                        Some(at) => (context.exact(at)),
                        None => (words.never),
                    }
                }
                dt { (t.problems) }
                dd {
                    @let problems: Vec<_> = alert.memory.problems().collect();
                    @if problems.is_empty() { (t.no_problems) }
                    @for (since, text) in problems {
                        div { (context.said(text)) " " span.dim { (context.moment(since)) } }
                    }
                }
            }
            @if context.may_change {
                (fields::changes(context, &path, &ALERT_SETTINGS, held, None, &html! {}))
            }
        }
    }
}
