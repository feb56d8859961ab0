//! Renders a template once before an endpoint gets it, so that it does not fail on the first event.

use crate::error::{Error, Result};
use crate::model::activity::Facts;
use crate::model::endpoint::NewEndpoint;
use crate::model::id::EventId;
use crate::model::kind::SourceKind;
use crate::model::sendable::SendableEvent;
use crate::model::settings::Selection;
use crate::model::template::Template;
use crate::store::engine::Store;
use crate::time::Timestamp;

impl Store {
    /// Tries the new template of an endpoint, unless it is the same as in `held`: on the newest
    /// event, or on a sample Gogs push if there is no event.
    ///
    /// # Errors
    /// [`Error::Misuse`] when the template fails.
    pub(crate) fn check_template(
        &self,
        new: &NewEndpoint,
        held: Option<&NewEndpoint>,
    ) -> Result<()> {
        let Some(template) = new.format.template() else {
            return Ok(());
        };
        let held = held.and_then(|held| held.format.template());
        if held.map(Template::stored) == Some(template.stored()) {
            return Ok(());
        }
        let newest = self.events(&Selection::default(), 1)?;
        let (sample, what) = match newest.first() {
            Some(event) => {
                let id = self.box_id().event(event.id);
                let what = format!("the newest event, {id}");
                (self.sendable_event(event.id)?, what)
            }
            None => (sample_push(), "a sample push".to_owned()),
        };
        let id = self.box_id().event(sample.id);
        sample
            .filled_in(template, &id)
            .map(|_| ())
            .map_err(|error| Error::misuse(format!("{error}; it was tried on {what}")))
    }
}

/// A push in the form that Gogs sends.
fn sample_push() -> SendableEvent {
    let body = include_bytes!("../../../examples/payloads/gogs-push.json").to_vec();
    SendableEvent {
        hops: ("Hookbox-Path".to_owned(), "x/in".to_owned()),
        id: EventId(1),
        event_type: "push".to_owned(),
        original_type: None,
        key: None,
        source: Some(("gogs".to_owned(), SourceKind::Gogs)),
        received: Timestamp(0),
        owed: Timestamp(0),
        facts: Facts::read(Some(SourceKind::Gogs), "push", None, &[], &body),
        content_type: Some("application/json".to_owned()),
        headers: Vec::new(),
        body,
    }
}
