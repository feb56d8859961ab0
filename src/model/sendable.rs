//! An event that is ready to send, with everything that formats and templates may use. Pure.

use crate::error::Result;
use crate::model::activity::Facts;
use crate::model::event::summary;
use crate::model::header::Header;
use crate::model::id::{BoxId, DeliveryId, EventId};
use crate::model::kind::SourceKind;
use crate::model::large_body::on_large_body_pool;
use crate::model::redact::hidden_texts;
use crate::model::scope::Scope;
use crate::model::template::{Particulars, Template};
use crate::time::Timestamp;

/// An event that is ready to send.
#[derive(Debug, Clone)]
pub struct SendableEvent {
    /// Its row id.
    pub id: EventId,
    /// Its type.
    pub event_type: String,
    /// The type in the producer's own spelling, if it differs.
    pub original_type: Option<String>,
    /// Its idempotency key.
    pub key: Option<String>,
    /// The name of its source, and the kind.
    pub source: Option<(String, SourceKind)>,
    /// When it was accepted.
    pub received: Timestamp,
    /// Since when it is owed: since it was accepted, or since a person asked for it again.
    pub owed: Timestamp,
    /// What was read from the body.
    pub facts: Facts,
    /// The producer's content type.
    pub content_type: Option<String>,
    /// The producer's headers in received order.
    pub headers: Vec<Header>,
    /// The exact bytes.
    pub body: Vec<u8>,
    /// The header with the boxes and sources that it has passed, this one included.
    pub hops: Header,
}

/// A request as people look at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownRequest {
    /// POST or PUT.
    pub method: &'static str,
    /// Where it goes.
    pub url: String,
    /// Its headers, but for those of the connection.
    pub headers: Vec<Header>,
    /// Its body.
    pub body: Vec<u8>,
}

impl SendableEvent {
    /// The same event with another key, also in the producer's headers that contain the key: for a
    /// receiver that must accept the event again.
    #[must_use]
    pub fn renamed(mut self, key: &str) -> SendableEvent {
        if let Some(old) = self.key.replace(key.to_owned()) {
            for (_, value) in &mut self.headers {
                if *value == old {
                    *value = key.to_owned();
                }
            }
        }
        self
    }

    /// Its `webhook-id` in a delivery, and the event as that delivery sends it.
    pub(crate) fn identified(
        self,
        box_id: &BoxId,
        delivery: DeliveryId,
        has_new_id: bool,
    ) -> (String, SendableEvent) {
        match has_new_id {
            true => {
                let id = box_id.delivery(delivery);
                let event = self.renamed(&id);
                (id, event)
            }
            false => (box_id.event(self.id), self),
        }
    }

    /// What its producer wrote into the body to authenticate: a receiver may repeat it, so it must
    /// be hidden.
    pub fn secret_texts(&self) -> Vec<Vec<u8>> {
        let kind = self.source.as_ref().map(|(_, kind)| *kind);
        let fields = kind.map_or(&[][..], SourceKind::secret_fields);
        match fields {
            [] => Vec::new(),
            fields => hidden_texts(&self.body, fields),
        }
    }

    /// The output of a template for this event.
    ///
    /// # Errors
    /// [`Error::Misuse`](crate::Error::Misuse) when it fails; see [`Template::render`].
    pub fn filled_in(&self, template: &Template, webhook_id: &str) -> Result<Vec<u8>> {
        on_large_body_pool(self.body.len(), || {
            let source = self.source.as_ref().map(|(name, _)| name.as_str());
            let scope = Scope {
                kind: self.source.as_ref().map(|(_, kind)| *kind),
                branch: self.facts.branch.as_deref(),
                headers: &self.headers,
                content_type: self.content_type.as_deref(),
                ..Scope::new(&self.event_type, source, &self.body)
            };
            let particulars = Particulars {
                id: webhook_id,
                key: self.key.as_deref(),
                received_at: &self.received.to_string(),
                summary: &summary(self.facts.summary.as_deref(), &self.event_type, source),
            };
            template.render(&scope, particulars)
        })
    }
}
