//! A bulk replay: one wish to send many deliveries again, written down so that it can be watched,
//! paused and cancelled.

use std::fmt;
use std::str::FromStr;

use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::model::delivery::State;
use crate::model::endpoint::EndpointUrl;
use crate::model::id::{BoxId, ReplayId};
use crate::model::rate::Rates;
use crate::time::Timestamp;

/// What is made of the past.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReplayKind {
    /// Deliveries that a filter names, sent again.
    Replay,
    /// All that an endpoint never got.
    Recover,
    /// Events that an endpoint was never owed.
    Backfill,
}

impl ReplayKind {
    /// Every kind.
    pub const ALL: [ReplayKind; 3] = [
        ReplayKind::Replay,
        ReplayKind::Recover,
        ReplayKind::Backfill,
    ];

    /// The name used in SQL and in JSON: that of the command.
    pub fn name(self) -> &'static str {
        match self {
            ReplayKind::Replay => "replay",
            ReplayKind::Recover => "recover",
            ReplayKind::Backfill => "backfill",
        }
    }
}

/// How far a bulk replay has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReplayState {
    /// Its deliveries are being made and sent.
    Running,
    /// No more of them are made.
    Paused,
    /// All were made and are settled.
    Done,
    /// A person called it off: what was not sent is cancelled.
    Cancelled,
}

impl ReplayState {
    /// Every state.
    pub const ALL: [ReplayState; 4] = [
        ReplayState::Running,
        ReplayState::Paused,
        ReplayState::Done,
        ReplayState::Cancelled,
    ];

    /// The name used in SQL and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            ReplayState::Running => "running",
            ReplayState::Paused => "paused",
            ReplayState::Done => "done",
            ReplayState::Cancelled => "cancelled",
        }
    }

    /// Whether nothing happens to it any more.
    pub fn is_over(self) -> bool {
        matches!(self, ReplayState::Done | ReplayState::Cancelled)
    }
}

/// What a person can ask of a bulk replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplayMove {
    /// Make no more of its deliveries for now.
    Pause,
    /// Go on.
    Resume,
    /// Call it off.
    Cancel,
}

/// The state after a move; `None` where the move is not open to a replay in that state.
///
/// ```
/// use hookbox::model::replay::{ReplayMove, ReplayState, next_replay_state};
/// let paused = next_replay_state(ReplayState::Running, ReplayMove::Pause);
/// assert_eq!(paused, Some(ReplayState::Paused));
/// assert_eq!(next_replay_state(ReplayState::Done, ReplayMove::Resume), None);
/// ```
pub fn next_replay_state(state: ReplayState, change: ReplayMove) -> Option<ReplayState> {
    match (state, change) {
        (ReplayState::Running | ReplayState::Paused, ReplayMove::Pause) => {
            Some(ReplayState::Paused)
        }
        (ReplayState::Running | ReplayState::Paused, ReplayMove::Resume) => {
            Some(ReplayState::Running)
        }
        (ReplayState::Running | ReplayState::Paused, ReplayMove::Cancel) => {
            Some(ReplayState::Cancelled)
        }
        (ReplayState::Done | ReplayState::Cancelled, _) => None,
    }
}

macro_rules! named {
    ($($name:ident, $what:literal);+) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<$name> {
                let found = $name::ALL.into_iter().find(|one| one.name() == text);
                found.ok_or_else(|| {
                    let names = $name::ALL.map(|one| one.name()).join(", ");
                    Error::misuse(format!(concat!("unknown ", $what, " `{}`; one of {}"), text, names))
                })
            }
        }
    )+};
}

named!(ReplayKind, "kind of replay"; ReplayState, "state of a replay");

/// Which deliveries (of a backfill: which events) are meant. An empty one means all that are
/// settled.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// In this state.
    pub state: Option<State>,
    /// To this endpoint. Of a recover or a backfill: the endpoint that is to get them.
    pub endpoint: Option<String>,
    /// Of events of this source.
    pub source: Option<String>,
    /// Of events of this type.
    pub event_type: Option<String>,
    /// Made at or after (of a backfill: received).
    pub since: Option<Timestamp>,
    /// Made before (of a backfill: received).
    pub until: Option<Timestamp>,
    /// With this text in the event's body, whatever the case of its ASCII letters.
    pub text: Option<String>,
}

impl Selection {
    /// Whether it narrows anything down.
    pub fn is_empty(&self) -> bool {
        *self == Selection::default()
    }

    /// As it is stored and shown: an object of what is set.
    pub fn json(&self) -> Value {
        let texts = [
            ("state", self.state.map(|state| state.name().to_owned())),
            ("endpoint", self.endpoint.clone()),
            ("source", self.source.clone()),
            ("type", self.event_type.clone()),
            ("since", self.since.map(|at| at.to_string())),
            ("until", self.until.map(|at| at.to_string())),
            ("text", self.text.clone()),
        ];
        let set = texts.into_iter();
        set.filter_map(|(name, value)| Some((name.to_owned(), Value::String(value?))))
            .collect()
    }

    /// Reads what [`Selection::json`] wrote.
    ///
    /// # Errors
    /// [`Error::Misuse`] when a field is unknown or cannot be read.
    pub fn from_json(object: &Value, now: Timestamp) -> Result<Selection> {
        let mut selection = Selection::default();
        for (name, value) in object.as_object().into_iter().flatten() {
            let text = value
                .as_str()
                .ok_or_else(|| Error::misuse(format!("{name} of a selection is no text")))?;
            selection.set(name, text, now)?;
        }
        Ok(selection)
    }

    /// Sets a field by the name that it has in JSON and in addresses.
    ///
    /// # Errors
    /// [`Error::Misuse`] when there is no such field or the value cannot be read.
    pub fn set(&mut self, name: &str, value: &str, now: Timestamp) -> Result<()> {
        let text = || Some(value.to_owned());
        match name {
            "state" => self.state = Some(value.parse()?),
            "endpoint" => self.endpoint = text(),
            "source" => self.source = text(),
            "type" => self.event_type = text(),
            "since" => self.since = Some(Timestamp::parse(value, now)?),
            "until" => self.until = Some(Timestamp::parse(value, now)?),
            "text" => self.text = text(),
            other => {
                return Err(Error::misuse(format!(
                    "deliveries cannot be chosen by `{other}`; by state, endpoint, source, type, since, until or text"
                )));
            }
        }
        Ok(())
    }
}

impl fmt::Display for Selection {
    /// In words: `state dead, endpoint ci, since 2026-03-01T12:00:00.000Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("all that is settled");
        }
        let object = self.json();
        for (index, (name, value)) in object.as_object().into_iter().flatten().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{name} {}", value.as_str().unwrap_or_default())?;
        }
        Ok(())
    }
}

/// Who gets what is replayed, where that is not each one's own endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The endpoint of this name.
    Endpoint(String),
    /// The endpoint for replays at this address; one is made if there is none.
    Url(EndpointUrl),
}

impl FromStr for Target {
    type Err = Error;

    /// A name, or an address: names have no `://` in them.
    fn from_str(text: &str) -> Result<Target> {
        if text.contains("://") {
            text.parse().map(Target::Url)
        } else {
            Ok(Target::Endpoint(text.to_owned()))
        }
    }
}

impl fmt::Display for Target {
    /// The name, or the address without its secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Endpoint(name) => f.write_str(name),
            Target::Url(url) => f.write_str(&url.redacted(None)),
        }
    }
}

/// A bulk replay that is asked for.
#[derive(Debug, Clone)]
pub struct NewReplay {
    /// What is made of the past.
    pub kind: ReplayKind,
    /// Which deliveries or events.
    pub selection: Selection,
    /// Who gets them all; `None` sends each where it went before.
    pub to: Option<Target>,
    /// Whether receivers must take them for new: with another `webhook-id`.
    pub has_new_ids: bool,
    /// How many in how much time, at most.
    pub rate: Option<Rates>,
    /// The newest delivery (of a backfill: event) that is meant, as a look at it has said; `None` for
    /// whatever there is.
    pub up_to: Option<i64>,
    /// Who asked.
    pub asked_by: String,
}

impl NewReplay {
    /// Whether all goes to one endpoint.
    pub fn is_for_one(&self) -> bool {
        self.to.is_some() || self.selection.endpoint.is_some()
    }
}

/// A bulk replay as it is looked at.
#[derive(Debug, Clone)]
pub struct ReplayRecord {
    /// Its row.
    pub id: ReplayId,
    /// What was asked for.
    pub asked: NewReplay,
    /// How far it has come.
    pub state: ReplayState,
    /// When it was asked for.
    pub created: Timestamp,
    /// When it was done or cancelled.
    pub ended: Option<Timestamp>,
    /// Deliveries that were expected when it began.
    pub expected: i64,
    /// Up to which row it was looked at.
    pub done_to: i64,
    /// Deliveries made so far.
    pub made: i64,
    /// Those of them that are pending, delivered, dead and cancelled.
    pub counts: [i64; 4],
    /// Those that are pending and count against how many may be made ahead.
    pub ahead: i64,
}

impl ReplayRecord {
    /// Those of its deliveries that are in a state.
    pub fn count(&self, state: State) -> i64 {
        let at = State::ALL.iter().position(|one| *one == state);
        at.map_or(0, |at| self.counts[at])
    }

    /// Whether all of its deliveries are made.
    pub fn is_made(&self) -> bool {
        self.asked.up_to.is_some_and(|up_to| self.done_to >= up_to)
    }

    /// How many there will be, as far as is known.
    pub fn total(&self) -> i64 {
        if self.is_made() || self.state == ReplayState::Done {
            self.made
        } else {
            self.expected.max(self.made)
        }
    }

    /// Those that are settled.
    pub fn settled(&self) -> i64 {
        self.made - self.count(State::Pending)
    }

    /// The contract's JSON object.
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
    fn a_selection_is_read_back_as_it_was_written() {
        let selection = Selection {
            state: Some(State::Dead),
            endpoint: Some("ci".to_owned()),
            source: Some("gogs".to_owned()),
            event_type: Some("push".to_owned()),
            since: Some(Timestamp(1_000)),
            until: Some(Timestamp(2_000)),
            text: Some("beacon, \"x\"".to_owned()),
        };
        let read = Selection::from_json(&selection.json(), Timestamp(0)).unwrap();
        assert_eq!(read, selection);
        let none = Selection::default();
        assert_eq!(
            Selection::from_json(&none.json(), Timestamp(0)).unwrap(),
            none
        );
        assert!(none.is_empty() && !selection.is_empty());
        for bad in [json!({"color": "red"}), json!({"state": 1})] {
            assert!(Selection::from_json(&bad, Timestamp(0)).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_over_takes_no_move_and_the_rest_takes_each() {
        for change in [ReplayMove::Pause, ReplayMove::Resume, ReplayMove::Cancel] {
            for state in ReplayState::ALL {
                let next = next_replay_state(state, change);
                assert_eq!(next.is_none(), state.is_over(), "{state} {change:?}");
            }
        }
    }
}
