//! A bulk replay: one request to send many deliveries again, stored so that it can be watched, paused and
//! cancelled.

use std::fmt;
use std::str::FromStr;

use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::model::delivery::State;
use crate::model::endpoint::EndpointUrl;
use crate::model::id::{BoxId, ReplayId};
use crate::model::rate::Rates;
use crate::model::settings::Selection;
use crate::time::Timestamp;

/// What a bulk replay does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReplayKind {
    /// Sends deliveries that a filter selects again.
    Replay,
    /// Sends everything that an endpoint never received.
    Recover,
    /// Creates deliveries for events that an endpoint was never owed.
    Backfill,
}

names!(ReplayKind, "kind of replay":
    Replay = "replay", Recover = "recover", Backfill = "backfill");

/// The state of a bulk replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReplayState {
    /// Its deliveries are being created and sent.
    Running,
    /// No more deliveries are created.
    Paused,
    /// All deliveries were created and are settled.
    Done,
    /// A person cancelled it: unsent deliveries are cancelled.
    Cancelled,
}

names!(ReplayState, "state of a replay":
    Running = "running", Paused = "paused", Done = "done", Cancelled = "cancelled");

impl ReplayState {
    /// Whether the replay has ended.
    pub fn is_over(self) -> bool {
        matches!(self, ReplayState::Done | ReplayState::Cancelled)
    }
}

/// What a person can do with a bulk replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplayTransition {
    /// Create no more deliveries for now.
    Pause,
    /// Continue.
    Resume,
    /// Cancel it.
    Cancel,
}

/// The state after a change; `None` if a replay in that state cannot change so.
///
/// ```
/// use hookbox::model::replay::{ReplayTransition, ReplayState, next_replay_state};
/// let paused = next_replay_state(ReplayState::Running, ReplayTransition::Pause);
/// assert_eq!(paused, Some(ReplayState::Paused));
/// assert_eq!(next_replay_state(ReplayState::Done, ReplayTransition::Resume), None);
/// ```
pub fn next_replay_state(state: ReplayState, change: ReplayTransition) -> Option<ReplayState> {
    match (state, change) {
        (ReplayState::Running | ReplayState::Paused, ReplayTransition::Pause) => {
            Some(ReplayState::Paused)
        }
        (ReplayState::Running | ReplayState::Paused, ReplayTransition::Resume) => {
            Some(ReplayState::Running)
        }
        (ReplayState::Running | ReplayState::Paused, ReplayTransition::Cancel) => {
            Some(ReplayState::Cancelled)
        }
        (ReplayState::Done | ReplayState::Cancelled, _) => None,
    }
}

/// The endpoint that gets the replays, if it is not the endpoint of each old delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The endpoint with this name.
    Endpoint(String),
    /// The endpoint for replays at this URL; it is created if there is none.
    Url(EndpointUrl),
}

impl FromStr for Target {
    type Err = Error;

    /// Parses a name or a URL: names contain no `://`.
    fn from_str(text: &str) -> Result<Target> {
        if text.contains("://") {
            text.parse().map(Target::Url)
        } else {
            Ok(Target::Endpoint(text.to_owned()))
        }
    }
}

impl fmt::Display for Target {
    /// The name, or the URL without its secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Endpoint(name) => f.write_str(name),
            Target::Url(url) => f.write_str(&url.redacted(None)),
        }
    }
}

/// A request for a bulk replay.
#[derive(Debug, Clone)]
pub struct NewReplay {
    /// What it does.
    pub kind: ReplayKind,
    /// Which deliveries (for a backfill: which events); of an empty selection all that are settled.
    pub selection: Selection,
    /// The endpoint that gets them; `None` sends each to the endpoint of the old delivery.
    pub to: Option<Target>,
    /// Whether receivers must treat them as new: with another `webhook-id`.
    pub has_new_ids: bool,
    /// The maximum rate.
    pub rate: Option<Rates>,
    /// The newest delivery (for a backfill: event) that is included, as a preview returned it; `None` for
    /// the newest one that there is.
    pub up_to: Option<i64>,
    /// Who asked for it.
    pub asked_by: String,
}

impl NewReplay {
    /// Whether everything goes to one endpoint.
    pub fn is_for_one(&self) -> bool {
        self.to.is_some() || self.selection.endpoint.is_some()
    }
}

/// A stored bulk replay, for display.
#[derive(Debug, Clone)]
pub struct ReplayRecord {
    /// Its row id.
    pub id: ReplayId,
    /// What was asked for.
    pub asked: NewReplay,
    /// Its state.
    pub state: ReplayState,
    /// When it was asked for.
    pub created: Timestamp,
    /// When it was done or cancelled.
    pub ended: Option<Timestamp>,
    /// The number of deliveries that was expected at the start.
    pub expected: i64,
    /// The row up to which the search has come.
    pub done_to: i64,
    /// Deliveries created so far.
    pub made: i64,
    /// How many of them are pending, delivered, dead and cancelled.
    pub counts: [i64; 4],
    /// How many pending ones count against the maximum that may be created ahead.
    pub ahead: i64,
}

impl ReplayRecord {
    /// How many of its deliveries are in a state.
    pub fn count(&self, state: State) -> i64 {
        let at = State::ALL.iter().position(|one| *one == state);
        at.map_or(0, |at| self.counts[at])
    }

    /// Whether all of its deliveries are created.
    pub fn is_made(&self) -> bool {
        self.asked.up_to.is_some_and(|up_to| self.done_to >= up_to)
    }

    /// How many there will be, as far as it is known.
    pub fn total(&self) -> i64 {
        if self.is_made() || self.state == ReplayState::Done {
            self.made
        } else {
            self.expected.max(self.made)
        }
    }

    /// How many are settled.
    pub fn settled(&self) -> i64 {
        self.made - self.count(State::Pending)
    }

    /// The JSON object of the API.
    pub fn json(&self, box_id: &BoxId) -> Value {
        json!({
            "id": box_id.replay(self.id),
            "kind": self.asked.kind.name(),
            "state": self.state.name(),
            "asked_by": self.asked.asked_by,
            "created_at": self.created.to_string(),
            "ended_at": self.ended.map(|at| at.to_string()),
            "filter": self.asked.selection.json(),
            "to": self.asked.to.as_ref().map(Target::to_string),
            "new_id": self.asked.has_new_ids,
            "rate": self.asked.rate.as_ref().map(Rates::to_string),
            "deliveries": self.total(),
            "expected": self.expected,
            "made": self.made,
            "pending": self.count(State::Pending),
            "delivered": self.count(State::Delivered),
            "dead": self.count(State::Dead),
            "cancelled": self.count(State::Cancelled),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_over_takes_no_move_and_the_rest_takes_each() {
        for change in [
            ReplayTransition::Pause,
            ReplayTransition::Resume,
            ReplayTransition::Cancel,
        ] {
            for state in ReplayState::ALL {
                let next = next_replay_state(state, change);
                assert_eq!(next.is_none(), state.is_over(), "{state} {change:?}");
            }
        }
    }
}
