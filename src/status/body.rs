//! Event bodies in the form that may be shown.

use std::borrow::Cow;

use crate::error::Result;
use crate::model::event::EventRecord;
use crate::model::kind::SourceKind;
use crate::model::redact::hide_fields;
use crate::signature::form::is_form;
use crate::store::Store;

/// Reads a body and hides the secrets that producers put into it.
///
/// Secrets of every kind of source are hidden: a source that was removed may have been added again as
/// another kind.
pub(super) fn shown_body(store: &Store, event: &EventRecord) -> Result<Vec<u8>> {
    let body = store.event_body(event.id)?;
    Ok(shown(event, &body).into_owned())
}

/// Does the same for a body that is already read.
pub(super) fn shown<'b>(event: &EventRecord, body: &'b [u8]) -> Cow<'b, [u8]> {
    if event.source.is_none() {
        return Cow::Borrowed(body);
    }
    let fields: Vec<&str> = SourceKind::ALL
        .iter()
        .flat_map(|kind| kind.secret_fields())
        .copied()
        .collect();
    let may_be_in_form = fields.iter().any(|field| {
        body.windows(field.len())
            .any(|part| part == field.as_bytes())
    });
    if is_form(event.content_type.as_deref()) && may_be_in_form {
        return Cow::Borrowed(b"(a form that holds a secret: not shown, but there to download)");
    }
    hide_fields(body, &fields)
}
