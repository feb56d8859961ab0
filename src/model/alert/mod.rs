//! Alerts: what somebody wants to be told about, and where.
//!
//! `conditions` has what it can be about, `memory` what was told already and what a message says. All of it is
//! pure: the store reads what is known, and sends what comes of it.

mod conditions;
mod memory;
mod message;

use std::time::Duration;

use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::model::name::check_name;
use crate::model::replay::Target;
use crate::time::{Timestamp, show_span};

pub use conditions::{Condition, Conditions};
pub use memory::{EndpointSeen, Memory, Snapshot};
pub use message::AlertMessage;

/// The type of the events that alerts are sent as.
pub const ALERT_TYPE: &str = "hookbox.alert";

/// At most one message in this time, unless said otherwise.
pub const EVERY_DEFAULT: Duration = Duration::from_secs(15 * 60);

/// The limits of the time between two messages.
const EVERY_MIN: Duration = Duration::from_secs(60);
const EVERY_MAX: Duration = Duration::from_secs(7 * 86_400);

/// The settings of an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAlert {
    /// Its name.
    pub name: String,
    /// The endpoint that gets the messages; without one, only the program of `serve --alert-command` does.
    pub to: Option<Target>,
    /// What it is about.
    pub about: Conditions,
    /// At most one message in this time.
    pub every: Duration,
}

impl NewAlert {
    /// The name of the endpoint that gets the messages.
    pub fn endpoint(&self) -> Option<&str> {
        match &self.to {
            Some(Target::Endpoint(name)) => Some(name),
            // One is made, of the alert's name.
            Some(Target::Url(_)) => Some(&self.name),
            None => None,
        }
    }

    /// An alert about what most people want to be told about.
    pub fn new(name: impl Into<String>) -> NewAlert {
        NewAlert {
            name: name.into(),
            to: None,
            about: Conditions::default(),
            every: EVERY_DEFAULT,
        }
    }

    /// Checks that its values are within their limits.
    ///
    /// # Errors
    /// [`Error::Misuse`] when one is not.
    pub fn check(&self) -> Result<()> {
        check_name(&self.name)?;
        if !(EVERY_MIN..=EVERY_MAX).contains(&self.every) {
            return Err(Error::misuse(format!(
                "an alert comes at most once in {} to {}, not {}",
                show_span(EVERY_MIN),
                show_span(EVERY_MAX),
                show_span(self.every)
            )));
        }
        Ok(())
    }
}

/// An alert, and what it told.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertRecord {
    /// As configured.
    pub set: NewAlert,
    /// What it told.
    pub memory: Memory,
}

impl AlertRecord {
    /// The JSON object of the API.
    pub fn json(&self) -> Value {
        let problems = self.memory.problems();
        let problems =
            problems.map(|(since, text)| json!({ "since": since.to_string(), "text": text }));
        json!({
            "name": self.set.name,
            "to": self.set.to.as_ref().map(Target::to_string),
            "about": self.set.about.to_string(),
            "every": show_span(self.set.every),
            "last_told_at": self.memory.last_told().map(|at: Timestamp| at.to_string()),
            "problems": problems.collect::<Vec<_>>(),
        })
    }
}
