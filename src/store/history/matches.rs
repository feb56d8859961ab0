//! Explains what an endpoint's filters say about a stored event: why it was sent or not.

use serde_json::{Value, json};

use crate::error::Result;
use crate::model::event::EventRecord;
use crate::model::filter::Check;
use crate::model::id::{BoxId, DeliveryId, EventId};
use crate::model::large_body::on_large_body_pool;
use crate::model::settings::Selection;
use crate::store::engine::store::Store;
use crate::store::history::query::PAGE_MAX;
use crate::store::intake::route::stored_scope;

/// What an endpoint's filters say about a stored event.
#[derive(Debug)]
pub struct Match {
    /// The event.
    pub event: EventId,
    /// The result of each filter that is set.
    pub checks: Vec<Check>,
    /// The deliveries of the event to the endpoint, newest first.
    pub deliveries: Vec<DeliveryId>,
}

impl Match {
    /// Whether the event passes every filter.
    pub fn passes(&self) -> bool {
        self.checks.iter().all(|check| check.passes)
    }

    /// The JSON object of the API and the command line.
    pub fn json(&self, endpoint: &str, box_id: &BoxId) -> Value {
        let deliveries = self.deliveries.iter().map(|id| box_id.delivery(*id));
        json!({
            "endpoint": endpoint,
            "event": box_id.event(self.event),
            "matches": self.passes(),
            "checks": self.checks.iter().map(Check::json).collect::<Vec<Value>>(),
            "deliveries": deliveries.collect::<Vec<String>>(),
        })
    }
}

/// An endpoint that was not owed an event, and what its present filters say about it.
#[derive(Debug)]
pub struct Unowed {
    /// The name of the endpoint.
    pub endpoint: String,
    /// The results of the filters that the event does not pass; none if it passes all.
    pub failed: Vec<Check>,
}

impl Store {
    /// The endpoints that were never owed a stored event.
    ///
    /// # Errors
    /// [`Error::NotFound`](crate::Error::NotFound) when there is no such event.
    #[doc(hidden)]
    pub fn unowed(&self, event: &EventRecord, body: &[u8]) -> Result<Vec<Unowed>> {
        let directory = self.fresh_directory()?;
        let of_event = Selection {
            event: Some(event.id),
            ..Selection::default()
        };
        let owed = self.deliveries(&of_event, PAGE_MAX)?;
        let is_owed = |id| owed.iter().any(|delivery| delivery.endpoint_id == id);
        Ok(on_large_body_pool(body.len(), || {
            let scope = stored_scope(&directory, event, body);
            let others = directory.endpoints().iter();
            let others =
                others.filter(|endpoint| !is_owed(endpoint.id) && !endpoint.set.gets_only_replays);
            others
                .map(|endpoint| Unowed {
                    endpoint: endpoint.set.name.clone(),
                    failed: {
                        let checks = endpoint.set.filters.checks(&scope).into_iter();
                        checks.filter(|check| !check.passes).collect()
                    },
                })
                .collect()
        }))
    }

    /// Applies the present filters of an endpoint to a stored event.
    ///
    /// # Errors
    /// [`Error::NotFound`](crate::Error::NotFound) when there is no such endpoint or event.
    #[doc(hidden)]
    pub fn match_event(&self, endpoint: &str, event: EventId) -> Result<Match> {
        let directory = self.fresh_directory()?;
        let held = directory.require_endpoint(endpoint)?;
        let record = self.event(event)?;
        let body = self.event_body(event)?;
        let checks = on_large_body_pool(body.len(), || {
            let scope = stored_scope(&directory, &record, &body);
            held.set.filters.checks(&scope)
        });
        let owed = Selection {
            event: Some(event),
            endpoint: Some(endpoint.to_owned()),
            ..Selection::default()
        };
        let deliveries = self.deliveries(&owed, PAGE_MAX)?;
        Ok(Match {
            event,
            checks,
            deliveries: deliveries.iter().map(|delivery| delivery.id).collect(),
        })
    }
}
