//! What would be sent of an event now, for people to look at.

use super::format::{Outgoing, render};
use crate::error::Result;
use crate::model::endpoint::{Endpoint, Format};
use crate::model::header::{HIDDEN, Header, holds_secret};
use crate::model::redact::{Redaction, hide_fields};
use crate::model::relay;
use crate::model::sendable::{SendableEvent, ShownRequest};
use crate::signature::Signable;
use crate::time::Timestamp;

/// Most bytes that are unpacked to be shown.
const SHOWN_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The request that would carry an event to an endpoint now. Secrets and signatures are hidden, unless it is
/// `for_real`.
///
/// # Errors
/// [`Error::Misuse`](crate::Error::Misuse) when the endpoint's template fails on the event, or its secret does
/// not fit its scheme.
pub fn preview(
    endpoint: &Endpoint,
    event: SendableEvent,
    webhook_id: &str,
    delivery: Option<&str>,
    now: Timestamp,
    for_real: bool,
) -> Result<ShownRequest> {
    let foreign = event.secret_texts();
    let outgoing = Outgoing {
        event,
        webhook_id: webhook_id.to_owned(),
        delivery_id: delivery.map(str::to_owned),
    };
    let request = render(endpoint, vec![outgoing], now)?;
    let message = Signable::of(&request.body);
    let secrets = endpoint.secrets_at(now);
    let set = &endpoint.set;
    let proofs = set.scheme.sign(&secrets, &set.signature, &message)?;
    let is_proof = |name: &str| {
        let mut proofs = proofs.iter();
        holds_secret(name)
            || proofs.any(|(proof, _)| proof.eq_ignore_ascii_case(name))
            || set.connection.sets_header(name)
    };
    let shown = |(name, value): &Header| match !for_real && is_proof(name) {
        true => (name.clone(), HIDDEN.to_owned()),
        false => (name.clone(), value.clone()),
    };
    let secret_fields = match set.format.chat() {
        Some(chat) if !for_real => chat.secret_fields(),
        _ => &[],
    };
    let mut body = hide_fields(&request.body, secret_fields).into_owned();
    if !for_real {
        // What its producer wrote into the body to authenticate.
        Redaction::of(foreign).hide(&mut body, false);
    }
    let mut headers: Vec<Header> = request.headers.iter().map(shown).collect();
    if set.format == Format::Relay && !for_real {
        // The lines that are packed in it.
        body = relay::lines(&body, SHOWN_BYTES_MAX)?.unwrap_or_default();
        headers.retain(|(name, _)| name != "Content-Encoding");
    }
    Ok(ShownRequest {
        method: request.method.name(),
        url: match for_real {
            true => request.url.as_text().to_owned(),
            false => request.url.redacted(set.chat()),
        },
        headers,
        body,
    })
}
