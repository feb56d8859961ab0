//! Format `template:FILE`: the body that a template makes from the event.
//!
//! The producer's headers are not passed on, since they describe a body that is not sent.

use super::Content;
use crate::error::Result;
use crate::model::sendable::SendableEvent;
use crate::model::template::Template;

pub(super) fn content(
    template: &Template,
    event: &SendableEvent,
    webhook_id: &str,
) -> Result<Content> {
    Ok(Content {
        content_type: Some(template.content_type().to_owned()),
        headers: Vec::new(),
        body: event.filled_in(template, webhook_id)?,
    })
}
