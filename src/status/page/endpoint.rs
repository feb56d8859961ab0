//! Endpoints: their state, and forms to add, change, hold and try them.
//!
//! Other forms recover or backfill the deliveries that an endpoint missed.

use maud::{Markup, html};
use serde_json::Value;

use super::chart::of_all;
use super::context::PageContext;
use super::fields::{self, Held, NewSecret, form, name, settings};
use super::frame::frame;
use super::overview;
use super::parts::{button, delivery_table, size};
use crate::model::connection::Auth;
use crate::model::delivery::DeliveryRecord;
use crate::model::endpoint::EndpointReport;
use crate::model::replay::ReplayKind;
use crate::model::settings::{ENDPOINT_SETTINGS, Setting};
use crate::signature::Scheme;
use crate::store::OutageRecord;
use crate::time::Timestamp;

/// Shows all endpoints, and a form to add one.
pub(in crate::status) fn endpoints(
    context: &PageContext<'_>,
    reports: &[EndpointReport],
    pattern: &str,
) -> String {
    const ACTION: &str = "/endpoints";
    let (t, words) = (&context.texts.endpoints, &context.texts.words);
    let fields = html! {
        (name(context, ACTION, "ci"))
        (settings(context, ACTION, &ENDPOINT_SETTINGS, &["url", "format", "sign", "secret"], Some("url")))
        div.buttons {
            button type="submit" { (t.add) }
            button.quiet type="submit" name="then" value="test" { (t.add_and_test) }
        }
    };
    let main = html! {
        h1 { (t.title) }
        @if reports.len() > 1 || !pattern.is_empty() {
            form.filters method="get" action="/endpoints" {
                label { span { (words.name) } input name="name" value=(pattern) placeholder="ci-*" autocomplete="off"; }
                button type="submit" { (words.filter) }
                a href="/endpoints" { (words.clear) }
            }
        }
        div #endpoints data-live {
            @if !reports.is_empty() {
                (overview::endpoints(context, reports))
            } @else if pattern.is_empty() {
                p.empty { (words.none_yet) }
            } @else {
                p.empty { (t.none_named) }
            }
        }
        @if context.may_change && !pattern.is_empty() && !reports.is_empty() {
            (many(context, pattern, reports.len()))
        }
        @if context.may_change && pattern.is_empty() {
            section { h2 { (t.add_title) } (form(context, ACTION, &fields)) }
        }
    };
    frame(context, t.title, "/endpoints", &main)
}

/// Shows what can be done to all endpoints that the filter names.
fn many(context: &PageContext<'_>, pattern: &str, count: usize) -> Markup {
    let t = &context.texts.endpoints;
    let counted = |text: &'static str| context.fill(text, &[("count", &count)]);
    let fields = html! {
        input type="hidden" name="pattern" value=(pattern);
        label { span { (t.hold_why) } input name="reason" autocomplete="off"; }
        div.buttons {
            button.quiet type="submit" { (counted(t.hold_these)) }
            button.quiet type="submit" formaction="/endpoints/resume" { (counted(t.resume_these)) }
        }
    };
    form(context, "/endpoints/hold", &fields)
}

pub(in crate::status) struct EndpointView {
    pub(in crate::status) report: EndpointReport,
    pub(in crate::status) latest: Vec<DeliveryRecord>,
    pub(in crate::status) outages: Vec<OutageRecord>,
}

/// Shows one endpoint: how it stands, its newest deliveries, its settings.
pub(in crate::status) fn endpoint(context: &PageContext<'_>, view: &EndpointView) -> String {
    let report = &view.report;
    let t = &context.texts.endpoints;
    let title = context.fill(
        context.texts.endpoints.title_of_one,
        &[("name", &report.endpoint.set.name)],
    );
    let main = html! {
        div.heading #heading data-live {
            h1 { (title) }
            @if context.may_change { (actions(context, report)) }
        }
        div #facts data-live {
            (facts(context, report))
            (of_all(context, &report.hours, &view.outages))
        }
        section #latest data-live {
            h2 { (t.latest) }
            @if view.latest.is_empty() {
                p.empty { (context.texts.words.none_yet) }
            } @else {
                (delivery_table(context, &view.latest, None))
                p { a href={ "/deliveries?endpoint=" (report.endpoint.set.name) } { (t.all) } }
            }
        }
        (set_to(context, report))
        @if context.may_change {
            (make_up(context, report))
            (changes(context, report))
            (copying(context, report))
        }
    };
    frame(context, &title, "/endpoints", &main)
}

fn actions(context: &PageContext<'_>, report: &EndpointReport) -> Markup {
    let t = &context.texts.endpoints;
    let path = |verb: &str| format!("/endpoints/{}/{verb}", report.endpoint.set.name);
    html! {
        div.actions {
            (button(context, &path("test"), "send-a-test", t.test, "quiet"))
            (button(context, &path("try"), "try-now", t.try_now, "quiet"))
            @if report.endpoint.held.is_some() {
                (button(context, &path("resume"), "resume", t.resume, ""))
            } @else {
                form.inline method="post" action=(path("hold")) {
                    input type="hidden" name="token" value=(context.token);
                    input name="reason" placeholder=(t.hold_why) aria-label=(t.hold_why) maxlength="200" autocomplete="off";
                    button #hold.quiet type="submit" { (t.hold) }
                }
            }
        }
    }
}

/// Resumes a held endpoint without what is old by now.
fn resume_without(context: &PageContext<'_>, report: &EndpointReport) -> Markup {
    let t = &context.texts.endpoints;
    html! {
        @if context.may_change && report.endpoint.held.is_some() && report.pending > 0 {
            details.change {
                summary { (t.resume_without) }
                form.filters method="post" action={ "/endpoints/" (report.endpoint.set.name) "/resume" } {
                    input type="hidden" name="token" value=(context.token);
                    label { span { (t.drop_before) } input type="datetime-local" name="drop_before" required; }
                    button type="submit" { (t.resume) }
                }
            }
        }
    }
}

fn facts(context: &PageContext<'_>, report: &EndpointReport) -> Markup {
    let (t, name) = (&context.texts.endpoints, &report.endpoint.set.name);
    let list = |state: &str| format!("/deliveries?endpoint={name}&state={state}");
    html! {
        @for warning in &report.warnings {
            p { span.badge.waiting { (t.warning) } " " (context.said(warning)) }
        }
        (resume_without(context, report))
        dl.facts {
            dt { (t.reached) } dd { (overview::reached(context, report)) }
            dt { (t.last_success) }
            dd {
                @match report.last_delivered {
                    Some(at) => (context.exact(at)),
                    None => (context.texts.words.never),
                }
            }
            dt { (t.pending) }
            dd {
                a href=(list("pending")) { (report.pending) }
                @if let Some(due) = report.oldest_due {
                    " " span.dim { (context.link_in(t.oldest_due, &[("when", &context.exact(due))])) }
                }
            }
            dt { (t.delivered) } dd { a href=(list("delivered")) { (report.delivered) } }
            dt { (t.dead) }
            dd {
                a href=(list("dead")) { (report.dead) }
                @if report.dead > 0 && context.may_change {
                    " · " a href={ "/replays/new?state=dead&endpoint=" (name) } { (t.replay_dead) }
                }
            }
            dt { (t.superseded) } dd { a href={ (list("dead")) "&superseded=true" } { (report.superseded) } }
            @if report.when_errors > 0 {
                dt { (context.texts.delivery.in_doubt) }
                dd { (context.fill(context.texts.overview.when_failed, &[("count", &report.when_errors)])) }
            }
        }
    }
}

fn set_to(context: &PageContext<'_>, report: &EndpointReport) -> Markup {
    let t = &context.texts.endpoints;
    let shown = report.json();
    html! {
        h2 { (context.texts.words.settings) }
        dl.facts {
            @for (setting, value) in shown.as_object().into_iter().flatten() {
                @if !COUNTED.contains(&setting.as_str()) && let Some(text) = said(context, value) {
                    dt { (context.texts.label_of(setting)) }
                    @match setting.ends_with("_at").then(|| Timestamp::parse(&text, context.now)) {
                        Some(Ok(at)) => dd { (context.exact(at)) },
                        _ => dd.mono { (text) },
                    }
                }
            }
            @if let Some(template) = report.endpoint.set.format.template() {
                dt { (t.template) } dd { (template.file()) " · " (size(template.stored().to_string().len() as u64)) }
            }
        }
    }
}

/// Fields that are not settings; the endpoint's state is shown above.
const COUNTED: [&str; 19] = [
    "when_errors",
    "last_delivered_at",
    "warnings",
    "name",
    "hours",
    "pending",
    "delivered",
    "dead",
    "superseded",
    "cancelled",
    "oldest_due_at",
    "outage",
    "circuit",
    "held",
    "held_since",
    "held_reason",
    "paced_until",
    "failing_for",
    "connection",
];

/// Returns the text of a setting, if it is set.
fn said(context: &PageContext<'_>, value: &Value) -> Option<String> {
    match value {
        Value::Null | Value::Bool(false) => None,
        Value::Bool(true) => Some(context.texts.words.yes.to_owned()),
        Value::String(text) => Some(text.clone()),
        Value::Array(items) if items.is_empty() => None,
        Value::Array(items) => {
            let texts: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
            Some(texts.join(", "))
        }
        other => Some(other.to_string()),
    }
}

/// Returns what a setting is now.
fn held(
    context: &PageContext<'_>,
    report: &EndpointReport,
    shown: &Value,
    setting: &Setting,
) -> Option<Held> {
    let kept = |is_kept: bool| {
        let word = context.texts.words.is_kept;
        is_kept.then(|| Held::Kept(word.to_owned()))
    };
    let endpoint = &report.endpoint.set;
    let connection = &endpoint.connection;
    let value = match setting.name {
        "secret" => return kept(endpoint.secret.is_some()),
        "auth_secret" => return kept(connection.auth.is_some()),
        "client_cert" => return kept(connection.client_cert.is_some()),
        "ca" => return kept(connection.ca.is_some()),
        "template" => {
            let template = endpoint.format.template()?;
            return Some(Held::Kept(template.file().to_owned()));
        }
        "headers" => {
            let names = connection.headers.iter().map(|(name, _)| name.as_str());
            let names = names.collect::<Vec<&str>>().join(", ");
            return (!names.is_empty()).then_some(Held::Kept(names));
        }
        // What is hidden in it would be saved as it is shown.
        "url" if endpoint.shown_url() != endpoint.url.as_text() => {
            return Some(Held::Kept(endpoint.shown_url()));
        }
        "proxy" => return said(context, &shown["connection"]["proxy"]).map(Held::Kept),
        "tries" => endpoint.tries.map(Value::from).unwrap_or_default(),
        "auth" => match &connection.auth {
            None => Value::Null,
            Some(Auth::Basic { user, .. }) => format!("basic:{user}").into(),
            Some(Auth::Bearer(_)) => "bearer".into(),
        },
        "method" | "connect_timeout" | "expect" | "forward_headers" => {
            shown["connection"][setting.name].clone()
        }
        name => match &shown[name] {
            Value::Null => shown["signature"][name].clone(),
            value => value.clone(),
        },
    };
    Some(Held::Text(match value {
        Value::Bool(true) => "true".to_owned(),
        other => said(context, &other).unwrap_or_default(),
    }))
}

/// Shows the forms that preview a recover or a backfill.
fn make_up(context: &PageContext<'_>, report: &EndpointReport) -> Markup {
    let t = &context.texts.endpoints;
    let kinds = [
        (ReplayKind::Recover, t.recover),
        (ReplayKind::Backfill, t.backfill),
    ];
    html! {
        details.change {
            summary { (t.make_up) }
            @for (kind, what) in kinds {
                p { (what) }
                form.filters id=(kind) method="get" action="/replays/new" {
                    input type="hidden" name="kind" value=(kind);
                    input type="hidden" name="endpoint" value=(report.endpoint.set.name);
                    label { span { (t.since) } input name="since" value="7d" required autocomplete="off"; }
                    button.quiet type="submit" { (t.look) }
                }
            }
        }
    }
}

/// Makes the form that adds an endpoint like this one.
fn copying(context: &PageContext<'_>, report: &EndpointReport) -> Markup {
    let t = &context.texts.endpoints;
    let action = format!("/endpoints/{}/copy", report.endpoint.set.name);
    let fields = html! {
        p { (t.copy_told) }
        (fields::name(context, &action, &format!("{}-2", report.endpoint.set.name)))
        label {
            span { "URL" }
            input name="url" placeholder=(report.endpoint.set.shown_url()) autocomplete="off" value=[context.typed(&action, "url")];
        }
        button.quiet type="submit" { (t.add) }
    };
    html! {
        details.change open[context.is_returned(&action)] {
            summary { (t.copy) }
            (fields::form(context, &action, &fields))
        }
    }
}

fn changes(context: &PageContext<'_>, report: &EndpointReport) -> Markup {
    let t = &context.texts.endpoints;
    let shown = report.json();
    let scheme = report.endpoint.set.scheme.to_string();
    let has_secret = report.endpoint.set.secret.is_some();
    let cancel = html! {
        label.check { input type="checkbox" name="cancel_pending" value="true"; span { (t.cancel_pending) } }
    };
    fields::changes(
        context,
        &format!("/endpoints/{}", report.endpoint.set.name),
        &ENDPOINT_SETTINGS,
        |setting| held(context, report, &shown, setting),
        has_secret.then_some(&NewSecret {
            label: t.new_secret,
            scheme: &scheme,
            is_ours: report.endpoint.set.scheme != Scheme::None,
        }),
        &cancel,
    )
}
