//! Looks at what alerts are about, and makes the messages that are due.

use serde_json::Value;

use crate::error::Result;
use crate::model::activity::Facts;
use crate::model::alert::ALERT_TYPE;
use crate::model::event::NewEvent;
use crate::model::line::one_line;
use crate::store::engine::Store;
use crate::store::engine::conn::params;
use crate::store::engine::packed::pack;
use crate::store::intake::accept::{NewDelivery, add_delivery, insert_event};
use crate::store::setup::alert::{self, StoredAlert};
use crate::time::Timestamp;

impl Store {
    /// Lets every alert look once, and stores the messages that are due: each as an event that is owed to the
    /// alert's endpoint alone. Returns what the messages say.
    ///
    /// Of several processes that look at once, one tells.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database) when the file cannot be read or written.
    #[doc(hidden)]
    pub fn look_for_alerts(&self, now: Timestamp) -> Result<Vec<Value>> {
        let alerts = self.read(alert::all)?;
        if alerts.is_empty() {
            return Ok(Vec::new());
        }
        let seen = self.snapshot(now)?;
        let mut told = Vec::new();
        for mut stored in alerts {
            let before = stored.alert.memory.clone();
            let message = stored.alert.look(&seen);
            if stored.alert.memory == before {
                continue;
            }
            let body = message
                .as_ref()
                .map(|message| message.json(&stored.alert.set.name, now));
            let name = stored.alert.set.name.clone();
            let headline = message.map(|message| message.headline());
            // One that cannot be written takes no message from the others.
            match self.store_alert(stored, headline, body.clone(), now) {
                Ok(is_stored) => told.extend(body.filter(|_| is_stored)),
                Err(error) => {
                    tracing::warn!(alert = name, error = error.chain(), "alert.not_told");
                }
            }
        }
        Ok(told)
    }

    /// Stores what an alert remembers, and its message; `false` if another process did so meanwhile.
    fn store_alert(
        &self,
        stored: StoredAlert,
        headline: Option<String>,
        body: Option<Value>,
        now: Timestamp,
    ) -> Result<bool> {
        let memory = stored.alert.memory.stored();
        self.write(move |tx| {
            let changed = tx.conn.run(
                "update hookbox_alert set memory = :memory where id = :id and memory = :before",
                params! { ":memory": memory, ":id": stored.id, ":before": stored.memory },
            )?;
            if changed == 0 {
                return Ok(false);
            }
            // One that was removed meanwhile gets nothing.
            let to = stored.alert.set.endpoint();
            let endpoint = to.and_then(|name| tx.directory.endpoint(name));
            if let (Some(endpoint), Some(body), Some(headline)) = (endpoint, &body, &headline) {
                let endpoint = endpoint.id;
                let body = body.to_string().into_bytes();
                let event = NewEvent {
                    content_type: Some("application/json".to_owned()),
                    ..NewEvent::new(ALERT_TYPE, Vec::new())
                };
                let facts = Facts {
                    summary: Some(one_line(headline, 200)),
                    ..Facts::read(None, ALERT_TYPE, Some("application/json"), &[], &body)
                };
                let event = insert_event(tx, &event, &pack(body), &facts, now)?;
                let message = NewDelivery {
                    is_urgent: true,
                    ..NewDelivery::new(event, endpoint)
                };
                add_delivery(tx, &message, now)?;
            }
            Ok(true)
        })
    }
}
