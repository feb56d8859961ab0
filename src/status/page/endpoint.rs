//! Endpoints: how each fares, and forms to make, change, hold and try them.

use maud::{Markup, html};
use serde_json::Value;

use super::overview;
use super::parts::{button, exact, last_day, size};
use super::{Around, frame};
use crate::model::endpoint::EndpointReport;
use crate::model::settings::{ENDPOINT_SETTINGS, Setting};

/// All endpoints, and a form for another one.
pub(in crate::status) fn endpoints(around: &Around<'_>, reports: &[EndpointReport]) -> String {
    let main = html! {
        h1 { "Endpoints" }
        div #endpoints data-live {
            @if reports.is_empty() { p.empty { "None yet." } } @else { (overview::endpoints(reports, around.now)) }
        }
        @if around.may_change {
            section {
                h2 { "Add an endpoint" }
                form.settings method="post" action="/endpoints" {
                    input type="hidden" name="token" value=(around.token);
                    label { span { "Name" } input name="name" required autocomplete="off" placeholder="ci"; }
                    (fields(&ENDPOINT_SETTINGS, &["url"]))
                    button type="submit" { "Add" }
                }
            }
        }
    };
    frame(around, "Endpoints", "/endpoints", &main)
}

/// Fields for settings; those that are named are required, the others are folded away.
pub(super) fn fields(settings: &[Setting], required: &[&str]) -> Markup {
    let (first, others): (Vec<&Setting>, Vec<&Setting>) = settings
        .iter()
        .partition(|setting| required.contains(&setting.name));
    html! {
        @for setting in first { (field(setting, true, None)) }
        @if !others.is_empty() {
            details {
                summary { "Settings" }
                div.settings { @for setting in others { (field(setting, false, None)) } }
            }
        }
    }
}

/// A field for a setting, with what it is now behind the cursor.
fn field(setting: &Setting, is_required: bool, held: Option<String>) -> Markup {
    let label = capital(&setting.name.replace('_', " "));
    let is_long = matches!(setting.name, "template" | "headers" | "ca" | "client_cert");
    html! {
        label {
            span { (label) }
            @if is_long {
                textarea name=(setting.name) rows="2" autocomplete="off" {}
            } @else if setting.is_secret {
                input type="password" name=(setting.name) autocomplete="new-password";
            } @else {
                input name=(setting.name) required[is_required] placeholder=[held] autocomplete="off";
            }
            small { (setting.help) }
        }
    }
}

/// One endpoint.
pub(in crate::status) fn endpoint(around: &Around<'_>, report: &EndpointReport) -> String {
    let name = &report.endpoint.name;
    let main = html! {
        div.heading {
            h1 { "Endpoint " (name) }
            @if around.may_change { (actions(around, report)) }
        }
        div #facts data-live { (facts(around, report)) }
        @if around.may_change { (changes(around, report)) }
    };
    frame(around, &format!("Endpoint {name}"), "/endpoints", &main)
}

fn actions(around: &Around<'_>, report: &EndpointReport) -> Markup {
    let path = |verb: &str| format!("/endpoints/{}/{verb}", report.endpoint.name);
    html! {
        div.actions {
            (button(around, &path("test"), "Send a test", "quiet"))
            (button(around, &path("try"), "Try now", "quiet"))
            @if report.endpoint.held.is_some() {
                (button(around, &path("resume"), "Resume", ""))
            } @else {
                (button(around, &path("hold"), "Hold", "quiet"))
            }
        }
    }
}

fn facts(around: &Around<'_>, report: &EndpointReport) -> Markup {
    let (now, name) = (around.now, &report.endpoint.name);
    let list = |state: &str| format!("/deliveries?endpoint={name}&state={state}");
    let shown = report.json();
    html! {
        dl.facts {
            dt { "Reached" } dd { (overview::reached(report, now)) }
            dt { "Last 24 h" } dd { (last_day(&report.hours, now)) }
            dt { "Pending" }
            dd {
                a href=(list("pending")) { (report.pending) }
                @if let Some(due) = report.oldest_due { " " span.dim { "the oldest was due " (exact(due, now)) } }
            }
            dt { "Delivered" } dd { a href=(list("delivered")) { (report.delivered) } }
            dt { "Dead" }
            dd {
                a href=(list("dead")) { (report.dead) }
                @if report.dead > 0 && around.may_change {
                    " · " a href={ "/replays/new?state=dead&endpoint=" (name) } { "replay them…" }
                }
            }
            dt { "Mended" } dd { a href={ (list("dead")) "&mended=true" } { (report.mended) } }
        }
        h2 { "Settings" }
        dl.facts {
            @for (setting, value) in shown.as_object().into_iter().flatten() {
                @if !COUNTED.contains(&setting.as_str()) && let Some(text) = said(value) {
                    dt { (capital(&setting.replace('_', " "))) } dd.mono { (text) }
                }
            }
            @if let Some(template) = report.endpoint.format.template() {
                dt { "Template" } dd { (template.file()) " · " (size(template.stored().to_string().len() as u64)) }
            }
        }
    }
}

/// Fields that are no settings: how it fares is shown above.
const COUNTED: [&str; 16] = [
    "name",
    "hours",
    "pending",
    "delivered",
    "dead",
    "mended",
    "cancelled",
    "oldest_due_at",
    "outage",
    "circuit",
    "held",
    "held_since",
    "held_reason",
    "paced_until",
    "refusing_for",
    "connection",
];

/// The name under which a setting is shown.
fn held_as(setting: &str) -> &str {
    match setting {
        "tries" => "tries_max",
        other => other,
    }
}

/// What a setting says, if it is set.
fn said(value: &Value) -> Option<String> {
    match value {
        Value::Null | Value::Bool(false) => None,
        Value::Bool(true) => Some("yes".to_owned()),
        Value::String(text) => Some(text.clone()),
        Value::Array(items) if items.is_empty() => None,
        Value::Array(items) => {
            let texts: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
            Some(texts.join(", "))
        }
        other => Some(other.to_string()),
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

fn changes(around: &Around<'_>, report: &EndpointReport) -> Markup {
    let path = format!("/endpoints/{}", report.endpoint.name);
    let shown = report.json();
    html! {
        details.change {
            summary { "Change it" }
            form.settings method="post" action={ (path) "/set" } {
                input type="hidden" name="token" value=(around.token);
                @for setting in &ENDPOINT_SETTINGS { (field(setting, false, said(&shown[held_as(setting.name)]))) }
                p.dim { "What is left empty stays as it is; a dash (-) brings back what is usual." }
                button type="submit" { "Save" }
            }
            form.settings method="post" action={ (path) "/rotate-secret" } {
                input type="hidden" name="token" value=(around.token);
                label { span { "New secret; the old one holds for a day where the scheme allows it" } input type="password" name="secret" required autocomplete="new-password"; }
                button.quiet type="submit" { "Replace the secret" }
            }
            form.settings method="post" action={ (path) "/remove" } {
                input type="hidden" name="token" value=(around.token);
                label.check { input type="checkbox" name="cancel_pending" value="true"; span { "cancel what is pending" } }
                button.quiet type="submit" { "Remove" }
            }
        }
    }
}
