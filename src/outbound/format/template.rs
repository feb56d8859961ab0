//! Format `template:FILE`: what a template makes of the event. The producer's headers stay behind,
//! since they speak of a body that is not sent.

use super::Content;
use crate::error::Result;
use crate::model::event::summary;
use crate::model::scope::Scope;
use crate::model::template::{Particulars, Template};
use crate::store::SendableEvent;

pub(super) fn content(
    template: &Template,
    event: &SendableEvent,
    webhook_id: &str,
) -> Result<Content> {
    let source = event.source.as_ref().map(|(name, _)| name.as_str());
    let scope = Scope {
        kind: event.source.as_ref().map(|(_, kind)| *kind),
        branch: event.facts.branch.as_deref(),
        headers: &event.headers,
        content_type: event.content_type.as_deref(),
        ..Scope::new(&event.event_type, source, &event.body)
    };
    let particulars = Particulars {
        id: webhook_id,
        key: event.key.as_deref(),
        received_at: &event.received.to_string(),
        summary: &summary(event.facts.summary.as_deref(), &event.event_type, source),
    };
    Ok(Content {
        content_type: Some(template.content_type().to_owned()),
        headers: Vec::new(),
        body: template.render(&scope, particulars)?,
    })
}
