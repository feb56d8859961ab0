//! One event: what came in, and its deliveries.

use maud::html;

use super::body::body;
use super::context::PageContext;
use super::frame::frame;
use super::parts::{delivery_table, headers};
use super::texts::fill;
use crate::model::delivery::DeliveryRecord;
use crate::model::event::EventRecord;

pub(in crate::status) fn event(
    context: &PageContext<'_>,
    event: &EventRecord,
    bytes: &[u8],
    deliveries: &[DeliveryRecord],
) -> String {
    let (t, dash) = (&context.texts.event, context.texts.words.dash);
    let box_id = context.box_id;
    let id = box_id.event(event.id);
    let main = html! {
        div.heading { h1 { (fill(t.title, &[("id", &id)])) } }
        dl.facts {
            dt { (t.what) } dd { (event.summary()) }
            dt { (t.typed) }
            dd {
                (event.event_type)
                @if let Some(original) = &event.original_type { " " span.dim { (fill(t.sent_as, &[("name", original)])) } }
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
        section {
            h2 { (t.headers) }
            (headers(context, &event.headers))
        }
        section {
            h2 { (t.body) }
            @if says_json(event) && !event.facts.is_json && event.bytes > 0 {
                p { span.badge.waiting { (t.not_json) } " " (t.not_json_though) }
            }
            (body(context, bytes, event.content_type.as_deref(), &format!("/events/{id}/body")))
        }
    };
    frame(
        context,
        &fill(t.title, &[("id", &event.id.0)]),
        "/events",
        &main,
    )
}

fn says_json(event: &EventRecord) -> bool {
    let content_type = event.content_type.as_deref().unwrap_or_default();
    content_type.to_ascii_lowercase().contains("json")
}
