//! One event: what came in, and what is owed of it.

use maud::html;

use super::body::body;
use super::parts::{delivery_table, exact, headers};
use super::{Around, frame};
use crate::model::delivery::DeliveryRecord;
use crate::model::event::EventRecord;

pub(in crate::status) fn event(
    around: &Around<'_>,
    event: &EventRecord,
    bytes: &[u8],
    deliveries: &[DeliveryRecord],
) -> String {
    let Around { box_id, now, .. } = *around;
    let id = box_id.event(event.id);
    let main = html! {
        div.heading { h1 { "Event " span.mono { (id) } } }
        dl.facts {
            dt { "What" } dd { (event.summary()) }
            dt { "Type" }
            dd {
                (event.event_type)
                @if let Some(original) = &event.original_type { " " span.dim { "(sent as " (original) ")" } }
            }
            @if let Some(branch) = &event.facts.branch { dt { "Branch" } dd { (branch) } }
            dt { "Source" } dd { (event.source.as_deref().unwrap_or("–")) }
            dt { "Key" } dd.mono { (event.key.as_deref().unwrap_or("–")) }
            dt { "Received" } dd { (exact(event.received, now)) }
            @if let Some(old) = event.replay_of {
                @let old = box_id.event(old);
                dt { "Edited copy of" } dd { a.mono href={ "/events/" (old) } { (old) } }
            }
        }
        section #deliveries data-live {
            h2 { "Deliveries" }
            @if deliveries.is_empty() {
                p.empty { "No endpoint was owed this event." }
            } @else {
                (delivery_table(around, deliveries, None))
            }
        }
        section {
            h2 { "Headers as received" }
            (headers(&event.headers))
        }
        section {
            h2 { "Body" }
            @if says_json(event) && !event.facts.is_json && event.bytes > 0 {
                p { span.badge.waiting { "not JSON" } " though its content type says so; it is kept and sent as it came" }
            }
            (body(bytes, event.content_type.as_deref(), &format!("/events/{id}/body")))
        }
    };
    frame(around, &format!("Event {}", event.id.0), "", &main)
}

fn says_json(event: &EventRecord) -> bool {
    let content_type = event.content_type.as_deref().unwrap_or_default();
    content_type.to_ascii_lowercase().contains("json")
}
