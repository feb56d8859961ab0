//! One event: what came in, and its deliveries.

use maud::{Markup, html};

use super::body::body;
use super::context::PageContext;
use super::frame::frame;
use super::parts::{copy, delivery_table, headers, table};
use crate::model::delivery::DeliveryRecord;
use crate::model::event::EventRecord;
use crate::store::Unowed;

pub(in crate::status) struct EventView {
    pub(in crate::status) event: EventRecord,
    pub(in crate::status) body: Vec<u8>,
    pub(in crate::status) deliveries: Vec<DeliveryRecord>,
    pub(in crate::status) unowed: Vec<Unowed>,
}

pub(in crate::status) fn event(context: &PageContext<'_>, view: &EventView) -> String {
    let EventView {
        event, deliveries, ..
    } = view;
    let (t, dash) = (&context.texts.event, context.texts.words.dash);
    let box_id = context.box_id;
    let id = box_id.event(event.id);
    let main = html! {
        div.heading {
            h1 { (event.summary()) }
            @if context.may_change {
                div.actions {
                    a.button href={ "/replays/new?id=" (id) } { (context.texts.delivery.edit_and_send) }
                }
            }
        }
        dl.facts {
            dt { (t.id) } dd { span.mono { (id) } " " (copy(context, &id)) }
            dt { (t.typed) }
            dd {
                (event.event_type)
                @if let Some(original) = &event.original_type { " " span.dim { (context.fill(t.sent_as, &[("name", original)])) } }
            }
            @if let Some(problem) = &event.problem { dt { (t.problem) } dd { (problem) } }
            @if let Some(branch) = &event.facts.branch { dt { (t.branch) } dd { (branch) } }
            dt { (t.source) } dd { (event.source.as_deref().unwrap_or(dash)) }
            dt { (t.key) } dd.mono { (event.key.as_deref().unwrap_or(dash)) }
            dt { (t.received) } dd { (context.exact(event.received)) }
            @if let Some(old) = event.replay_of {
                @let old = box_id.event(old);
                dt { (t.copy_of) } dd { a.mono href={ "/events/" (old) } { (old) } }
            }
        }
        section #deliveries data-live {
            h2 { (t.deliveries) }
            @if deliveries.is_empty() {
                p.empty { (t.owed_to_nobody) }
            } @else {
                (delivery_table(context, deliveries, None))
            }
        }
        @if !view.unowed.is_empty() {
            section #unowed data-live {
                h2 { (t.not_sent_to) }
                (unowed(context, view))
            }
        }
        section {
            h2 { (t.headers) }
            (headers(context, &event.headers))
        }
        section {
            h2 { (t.body) }
            @if says_json(event) && !event.facts.is_json && event.bytes > 0 {
                p { span.badge.waiting { (t.not_json) } " " (t.not_json_though) }
            }
            (body(context, &view.body, event.content_type.as_deref(), Some(&format!("/events/{id}/body"))))
        }
    };
    frame(
        context,
        &context.fill(t.title, &[("id", &event.id.0)]),
        "/events",
        &main,
    )
}

/// Who did not get it, and why; each can be sent it.
fn unowed(context: &PageContext<'_>, view: &EventView) -> Markup {
    let (t, words) = (&context.texts.event, &context.texts.words);
    let path = format!("/events/{}/send", context.box_id.event(view.event.id));
    let rows = html! {
        @for one in &view.unowed {
            tr {
                td data-label=(words.name) { a href={ "/endpoints/" (one.endpoint) } { (one.endpoint) } }
                td data-label=(t.why) {
                    @if one.failed.is_empty() { (t.was_not_there) }
                    @for check in &one.failed {
                        div { span.mono { (check.filter) " " (check.setting) } " · " (check.why) }
                    }
                }
                td {
                    @if context.may_change {
                        form.inline method="post" action=(path) {
                            input type="hidden" name="token" value=(context.token);
                            input type="hidden" name="to" value=(one.endpoint);
                            button.small type="submit" { (t.send_to_it) }
                        }
                    }
                }
            }
        }
    };
    table(&[words.name, t.why, ""], &rows)
}

fn says_json(event: &EventRecord) -> bool {
    let content_type = event.content_type.as_deref().unwrap_or_default();
    content_type.to_ascii_lowercase().contains("json")
}
