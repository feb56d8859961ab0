//! `hookbox endpoint preview`: what would be sent of an event now.

use serde_json::json;

use super::Context;
use crate::error::Result;
use crate::model::header::{HIDDEN, Header, holds_secret};
use crate::model::redact::hide_fields;
use crate::model::settings::Selection;
use crate::outbound::{RenderContext, render};
use crate::signature::Signable;

/// Prints what would be sent of an event now.
pub(super) fn preview(context: &Context, name: &str, event: &str, signed: bool) -> Result<()> {
    let store = context.store()?;
    let id = store.box_id().parse_event(event)?;
    let sendable = store.sendable_event(id)?;
    let report = store.endpoint_report(name)?;
    let endpoint = &report.endpoint;
    // Uses the event's delivery to this endpoint if there is one: some chats need a delivery id.
    let of_event = Selection {
        event: Some(id),
        endpoint: Some(name.to_owned()),
        ..Selection::default()
    };
    let newest = store.deliveries(&of_event, 1)?;
    let newest = newest.first().map(|held| store.box_id().delivery(held.id));
    let render_context = RenderContext {
        webhook_id: &store.box_id().event(id),
        delivery: newest.as_deref(),
        now: context.now(),
    };
    let request = render(endpoint, sendable, &render_context)?;
    let message = Signable::of(&request.body);
    let proofs = endpoint.set.scheme.sign(
        &endpoint.secrets_at(context.now()),
        &endpoint.set.signature,
        &message,
    )?;
    let is_proof = |name: &str| {
        let mut proofs = proofs.iter();
        holds_secret(name)
            || proofs.any(|(proof, _)| proof.eq_ignore_ascii_case(name))
            || endpoint.set.connection.sets_header(name)
    };
    let shown = |(name, value): &Header| match !signed && is_proof(name) {
        true => (name.clone(), HIDDEN.to_owned()),
        false => (name.clone(), value.clone()),
    };
    let headers: Vec<Header> = request.headers.iter().map(shown).collect();
    let method = endpoint.set.connection.method.name();
    let url = if signed {
        request.url.as_text()
    } else {
        request.url.redacted(endpoint.set.chat())
    };
    let secret_fields = match endpoint.set.format.chat() {
        Some(chat) if !signed => chat.secret_fields(),
        _ => &[],
    };
    let body = hide_fields(&request.body, secret_fields);
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
