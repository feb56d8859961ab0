//! `hookbox endpoint preview`: what would be sent of an event now.

use serde_json::json;

use super::Context;
use crate::error::Result;
use crate::model::sendable::ShownRequest;
use crate::model::settings::Selection;
use crate::outbound;

/// Prints what would be sent of an event now.
pub(super) fn preview(context: &Context, name: &str, event: &str, signed: bool) -> Result<()> {
    let store = context.store()?;
    let id = store.box_id().parse_event(event)?;
    let sendable = store.sendable_event(id)?;
    let report = store.endpoint_report(name)?;
    // Uses the event's delivery to this endpoint if there is one: some chats need a delivery id.
    let of_event = Selection {
        event: Some(id),
        endpoint: Some(name.to_owned()),
        ..Selection::default()
    };
    let newest = store.deliveries(&of_event, 1)?;
    let newest = newest.first().map(|held| store.box_id().delivery(held.id));
    let webhook_id = store.box_id().event(id);
    let now = context.now();
    let ShownRequest {
        method,
        url,
        headers,
        body,
    } = outbound::preview(
        &report.endpoint,
        sendable,
        &webhook_id,
        newest.as_deref(),
        now,
        signed,
    )?;
    if context.out.is_json() {
        let object = json!({
            "method": method,
            "url": url,
            "headers": headers,
            "body": String::from_utf8_lossy(&body),
        });
        return context.out.line(&object.to_string());
    }
    let lines = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\n"));
    let head: String = lines.collect();
    context
        .out
        .bytes(format!("{method} {url}\n{head}\n").as_bytes())?;
    context.out.bytes(&body)?;
    if !body.ends_with(b"\n") {
        context.out.bytes(b"\n")?;
    }
    Ok(())
}
